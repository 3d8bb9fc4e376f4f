"""Ctrl-C that is not lost."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Give a check that raises `KeyboardInterrupt` once Ctrl-C was pressed.

    Python raises it wherever the program happens to be, and a library that is just calling back from C may swallow it,
    as a finalizer does: then the check raises it again. Where Ctrl-C means something else already, nothing is changed.
    """
    pressed = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        pressed.set()
        raise KeyboardInterrupt

    def check() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    hook = sys.unraisablehook

    def told(one: UnraisableHookArgs) -> None:
        if not (pressed.is_set() and issubclass(one.exc_type, KeyboardInterrupt)):
            hook(one)

    if ours:
        signal.signal(signal.SIGINT, note)
        sys.unraisablehook = told
    try:
        yield check
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.unraisablehook = hook
