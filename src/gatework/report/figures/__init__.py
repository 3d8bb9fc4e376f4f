"""One picture a file: results in, a Plotly figure out, or None when there is nothing to draw."""
