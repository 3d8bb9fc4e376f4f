"""The catalogue: one cell, one file."""

from gatework.cells.catalogue import Catalogue, catalogue, find

__all__ = ["Catalogue", "catalogue", "find"]
