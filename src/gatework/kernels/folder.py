"""The folder of what can be made again: compiled kernels, and what was measured on this machine.

It is `$GATEWORK_CACHE` (empty: nowhere), else in the user's cache folder. What is read from there may be executed, so
folder and files have to belong to this user, be no links, and be writable by nobody else; where that is not so,
`OSError` says so. A folder is opened once and checked when it is open, and files are named relative to that, so that
nothing can be put in its place between the check and the use.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path


def default_folder() -> Path | None:
    """The folder that the environment names, or the system's for what can be made again; None where there is none."""
    chosen = os.environ.get("GATEWORK_CACHE")
    if chosen is not None:
        try:
            return Path(chosen).expanduser() if chosen else None
        except RuntimeError:  # of a user that there is not
            return None
    caches = os.environ.get("XDG_CACHE_HOME", "")
    if sys.platform == "darwin":
        caches = os.path.expanduser("~/Library/Caches")
    elif not os.path.isabs(caches):
        caches = os.path.expanduser("~/.cache")
    # A user without a home keeps the tilde.
    return Path(caches, "gatework", "kernels") if os.path.isabs(caches) else None


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[int]:
    """The folder's descriptor; it is made where it is not there. Raises `OSError` where it may not be used."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _descriptor(folder, os.O_RDONLY | os.O_DIRECTORY) as place:
        _check(folder, os.fstat(place), stat.S_ISDIR)
        yield place


def read(place: int, name: str) -> bytes | None:
    """What is in a file of an open folder; None where there is no such file."""
    try:
        # Without O_NONBLOCK a pipe of this name would wait for a writer.
        with _descriptor(name, os.O_RDONLY | os.O_NONBLOCK, place) as file:
            _check(name, os.fstat(file), stat.S_ISREG)
            with open(file, "rb", closefd=False) as stream:
                return stream.read()
    except FileNotFoundError:
        return None


def write(place: int, name: str, content: bytes) -> None:
    """Put a file in place at once or not at all."""
    with contextlib.suppress(FileNotFoundError):
        _check(name, os.stat(name, dir_fd=place, follow_symlinks=False), stat.S_ISREG)
    part = f"{name.partition('.')[0]}.{secrets.token_hex(8)}.part"
    try:
        with (
            _descriptor(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, place) as file,
            open(file, "wb", closefd=False) as stream,
        ):
            stream.write(content)
        os.replace(part, name, src_dir_fd=place, dst_dir_fd=place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part, dir_fd=place)
        raise


def reason(error: OSError) -> str:
    """What went wrong, in words."""
    return f"{error.strerror}: {error.filename}" if error.strerror else str(error)


@contextlib.contextmanager
def _descriptor(path: str | Path, flags: int, place: int | None = None) -> Iterator[int]:
    """An open file or folder that is no link; a new file is for this user alone."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=place)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check(what: str | Path, found: os.stat_result, is_right: Callable[[int], bool]) -> None:
    """Raise `OSError` unless this belongs to this user, can be written by nobody else, and is of the right sort."""
    if not is_right(found.st_mode):
        raise OSError(f"{what} is a link, or something else that does not belong there")
    if found.st_uid != os.geteuid():
        raise OSError(f"{what} belongs to another user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OSError(f"{what} can be written by other users")
