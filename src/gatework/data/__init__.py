"""Tables become series: read, cleaned, on one clock, with everything that was found."""

from gatework.data.bundled import BUNDLED
from gatework.data.finding import Finding
from gatework.data.grid import POLICIES
from gatework.data.load import load
from gatework.data.series import Series
from gatework.data.split import Split, split
from gatework.data.step import Step

__all__ = ["BUNDLED", "POLICIES", "Finding", "Series", "Split", "Step", "load", "split"]
