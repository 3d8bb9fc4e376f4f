"""What a forked process must not inherit: locks that a thread of its parent holds, and threads that it has not got."""

from __future__ import annotations

import os
import weakref
from abc import ABC, abstractmethod


class AtFork(ABC):
    """State that begins anew in a forked process, for as long as somebody holds it."""

    def __init__(self) -> None:
        self.renew()
        _every.add(self)

    @abstractmethod
    def renew(self) -> None:
        """Begin anew."""


_every: weakref.WeakSet[AtFork] = weakref.WeakSet()


def _renew() -> None:
    for one in list(_every):
        one.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
