"""One part of the page a file: a function from the results to HTML, or None when there is nothing to say."""
