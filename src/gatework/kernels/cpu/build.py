"""LLVM IR becomes machine code in memory, and is kept on disk for the next process.

Object code is kept in `$GATEWORK_CACHE` (empty: nowhere), else in the user's cache folder. What is read from there is
executed, so two things are asked of it. The header of each file holds a digest, which tells damage: such a file is
removed and made again. A digest does not tell forgery, since whoever can write the file can write the digest; what
protects against that is that folder and file belong to this user, are no links, and can be written by nobody else.
Where that is not so they are neither read nor written. (A program that runs as the same user can forge them, as it can
change this package.) Nothing about the disk is ever an error: kernels are then compiled in memory, and `cache_state`
says why.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from gatework.kernels.cpu.forking import AtFork
from gatework.kernels.cpu.host import Host
from gatework.kernels.folder import default_folder, opened, read, reason, write

T = TypeVar("T")

FORMAT = 1
"""Another number whenever the same IR becomes other code, or is stored in another way."""

LIMIT = 256 << 20
"""Bytes that the folder may hold: beyond, the oldest files go."""

# Level 2 merges loads and moves them out of loops, level 3 finds nothing more in code that is vectors already.
_SPEED = 2
_HEADER = struct.Struct("<8s32s32sQ")  # magic, key, digest of the code, its length
_MAGIC = b"gatework"
_OURS = re.compile(r"[0-9a-f]{64}\.(kernel|[0-9a-f]{16}\.part)")
_DEFINED = re.compile(r'^[ \t]*define (?!internal |private )[^@\n]*@"?([\w.$-]+)"?\(', re.MULTILINE)


class Locks(AtFork):
    """`libraries` is held while these and what is being built are looked through."""

    def renew(self) -> None:
        """As at the beginning: nothing is being built."""
        self.libraries = threading.Lock()
        _running.clear()


_libraries: weakref.WeakValueDictionary[str, Library] = weakref.WeakValueDictionary()
_running: dict[str, Future[Library]] = {}
LOCKS = Locks()
_state = ""


@dataclass(frozen=True, eq=False)
class Library:
    """Machine code in memory for as long as this object is referenced: hold it while its functions may be called.

    `seconds` is how long it took to get, `cached` whether it came from disk.
    """

    seconds: float
    cached: bool
    _linked: Any

    def address(self, name: str) -> int:
        """Where a function of the IR begins. Raises `KeyError` where none has this name."""
        return int(self._linked[name])


def build(ir_text: str, host: Host, *, cache: Path | Literal["default"] | None = "default") -> Library:
    """The machine code of a module of LLVM IR.

    While a library is in use, the same text and host give the same one; threads that ask at once wait for one of
    them. `cache` is the folder on disk, None for none. Raises `RuntimeError`, with LLVM's words, where the IR is wrong.
    """
    key = fingerprint(ir_text, host)
    future: Future[Library] = Future()
    while True:
        with LOCKS.libraries:
            found = _libraries.get(key)
            if found is not None:
                return found
            other = _running.setdefault(key, future)
        if other is future:
            break
        error = other.exception()
        if error is None:
            return other.result()
        if isinstance(error, Exception):
            raise error  # the same text is as wrong here
        # Whoever was at it has been interrupted, and this thread has not.
    try:
        library = _load(key, ir_text, host, default_folder() if cache == "default" else cache)
        with LOCKS.libraries:
            _libraries[key] = library
        future.set_result(library)
    except BaseException as error:
        future.set_exception(error)
        raise
    finally:
        with LOCKS.libraries:
            _running.pop(key, None)
    return library


def fingerprint(ir_text: str, host: Host) -> str:
    """The name of a module in the cache: a hash of all that its code depends on."""
    import llvmlite

    versions = f"{FORMAT} {_SPEED} {llvmlite.__version__} {_llvm().llvm_version_info}"
    parts = (versions, host.name, host.features, host.triple, ir_text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def assembly(ir_text: str, host: Host) -> str:
    """What a module becomes, to be read. Raises `RuntimeError` where the IR is wrong."""
    with _optimised(ir_text, host) as (machine, module):
        return str(machine.emit_assembly(module))


def cache_state() -> str:
    """Where kernels are kept, or why nowhere: what the last build met, and before the first what it would meet."""
    if not _state:
        _on_disk(default_folder(), lambda place: None)
    return _state


def _load(key: str, ir_text: str, host: Host, folder: Path | None) -> Library:
    """From disk, or else compiled and stored."""
    start = time.perf_counter()
    code = _fetch(folder, key)
    names = _DEFINED.findall(ir_text)
    linked = None
    if code is not None:
        with contextlib.suppress(RuntimeError):  # what lies there is no code: it is made again
            linked = _link(code, names, host)
    cached = linked is not None
    if linked is None:
        code = _compile(ir_text, host)
        _store(folder, key, code)
        linked = _link(code, names, host)
    return Library(time.perf_counter() - start, cached, linked)


@functools.cache
def _llvm() -> Any:
    """llvmlite's binding, set up for this processor. It lets one thread at a time into LLVM."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _machine(host: Host) -> Any:
    # The linker puts code, constants and stubs side by side, so short, relative addresses reach.
    target = _llvm().Target.from_triple(host.triple)
    return target.create_target_machine(host.name, host.features, opt=3, reloc="pic", codemodel="small")


def _compile(ir_text: str, host: Host) -> bytes:
    """Object code."""
    with _optimised(ir_text, host) as (machine, module):
        return bytes(machine.emit_object(module))


@contextlib.contextmanager
def _optimised(ir_text: str, host: Host) -> Iterator[tuple[Any, Any]]:
    """The machine that emits code, and the module after LLVM's passes."""
    machine = _machine(host)
    # A context of its own, because the types and constants of the shared one are never freed.
    with _llvm().create_context() as context, _parsed(ir_text, context) as module:
        module.triple = host.triple
        module.data_layout = str(machine.target_data)
        options = _llvm().create_pipeline_tuning_options(speed_level=_SPEED)
        # The IR is written in vectors and unrolled as far as there are registers; more would only take time.
        options.loop_unrolling = options.loop_interleaving = False
        options.loop_vectorization = options.slp_vectorization = False
        builder = _llvm().create_pass_builder(machine, options)
        passes = builder.getModulePassManager()
        passes.run(module, builder)
        _free(passes)
        yield machine, module


def _free(passes: Any) -> None:
    """Free a pass manager and the tables of its passes.

    llvmlite 0.50 does not: the class inherits an empty `_dispose` before the one that is meant.
    """
    with contextlib.suppress(AttributeError):  # another version may have put it elsewhere, and in order
        _llvm().NewPassManager._dispose(passes)
        passes.detach()


@contextlib.contextmanager
def _parsed(ir_text: str, context: Any) -> Iterator[Any]:
    """A module that LLVM finds well formed."""
    try:
        module = _llvm().parse_assembly(ir_text, context)
    except RuntimeError as error:
        raise _first_line(error) from error
    with module:
        try:
            module.verify()
        except RuntimeError as error:
            raise _first_line(error) from error
        yield module


def _first_line(error: RuntimeError) -> RuntimeError:
    """The same error in the first line that LLVM says itself, without llvmlite's heading."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.endswith("parsing error")]
    return RuntimeError(f"LLVM refuses the IR of a kernel: {lines[0] if lines else error}")


def _link(code: bytes, names: list[str], host: Host) -> Any:
    """Code in executable memory, by name; it is freed with the object.

    Each has a linker of its own, which goes with it. It finds `memset` and `memcpy`, which LLVM makes of loops, in the
    process.
    """
    linker = _llvm().create_lljit_compiler(_machine(host), use_jit_link=True)
    library = _llvm().JITLibraryBuilder().add_object_img(code)
    for name in names:
        library.export_symbol(name)
    return library.link(linker, "kernels")


def _fetch(folder: Path | None, key: str) -> bytes | None:
    """The code of a key; None where there is none that can be used."""
    return _on_disk(folder, lambda place: _read(place, f"{key}.kernel", bytes.fromhex(key)))


def _store(folder: Path | None, key: str, code: bytes) -> None:
    """Keep the code of a key, if that can be done."""
    header = _HEADER.pack(_MAGIC, bytes.fromhex(key), hashlib.sha256(code).digest(), len(code))
    _on_disk(folder, lambda place: _write(place, f"{key}.kernel", header + code))


def _on_disk(folder: Path | None, work: Callable[[int], T]) -> T | None:
    """Do something in an open folder; None where it may not be used or fails, which `cache_state` then tells."""
    global _state
    if folder is None:
        _state = "compiled kernels are not kept on disk: no folder is given"
        return None
    try:
        with opened(folder) as place:
            done = work(place)
    except OSError as error:
        _state = f"compiled kernels are not kept on disk: {reason(error)}"
        return None
    _state = f"compiled kernels are kept in {folder}"
    return done


def _read(place: int, name: str, key: bytes) -> bytes | None:
    """The code in a file; None where there is no such file, or a damaged one, which is removed."""
    content = read(place, name)
    if content is None:
        return None
    header, code = content[: _HEADER.size], content[_HEADER.size :]
    if header == _HEADER.pack(_MAGIC, key, hashlib.sha256(code).digest(), len(code)):
        return code
    with contextlib.suppress(FileNotFoundError):  # another process may have seen the same
        os.unlink(name, dir_fd=place)
    return None


def _write(place: int, name: str, content: bytes) -> None:
    """Put a file in place, and remove old ones. Two processes that write the same one write the same content."""
    write(place, name, content)
    _prune(place)


def _prune(place: int) -> None:
    """Remove the oldest of our files while they are too many; of other files none."""
    found = []
    with os.scandir(place) as entries:
        for entry in entries:
            if _OURS.fullmatch(entry.name):
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, entry.name, status.st_size))
    excess = sum(size for _, _, size in found) - LIMIT
    for _, name, size in sorted(found):
        if excess <= 0:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)
        excess -= size
