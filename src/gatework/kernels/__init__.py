"""Back-ends: a graph becomes running code."""

from gatework.kernels.dispatch import BACKENDS, choose
from gatework.kernels.reference import Reference

__all__ = ["BACKENDS", "Reference", "choose"]
