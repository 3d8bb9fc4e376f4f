"""The report: stored results become one self-contained HTML file that opens offline."""

from gatework.report.page import render, write

__all__ = ["render", "write"]
