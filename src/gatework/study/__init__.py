"""What is compared, trained, stored and tested."""

from gatework.study.options import Options
from gatework.study.study import Listener, Study, compare

__all__ = ["Listener", "Options", "Study", "compare"]
