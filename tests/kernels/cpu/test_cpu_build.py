"""IR becomes code that computes; what is kept on disk is used where it is safe and sound, and nowhere else."""

import ctypes
import gc
import hashlib
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatework.kernels import folder as shelf
from gatework.kernels.cpu import build as module
from gatework.kernels.cpu.build import assembly, build, cache_state, fingerprint
from gatework.kernels.cpu.host import described, host, lowered, refusal

pytestmark = pytest.mark.skipif(bool(refusal()), reason=refusal())

WEIGHTS = np.arange(1, 17, dtype=np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache, on disk and in memory."""
    folder = tmp_path / "kernels"
    monkeypatch.setenv("GATEWORK_CACHE", str(folder))
    monkeypatch.setattr(module, "_libraries", type(module._libraries)())
    monkeypatch.setattr(module, "_state", "")
    return folder


def combine(operation="fadd", lanes=16):
    """out = a ± b * (1, 2, …), as IR with a constant that code has to reach."""
    vector = f"<{lanes} x float>"
    weights = ", ".join(f"float {value:.1f}" for value in WEIGHTS[:lanes])
    return f"""
    define void @combine(ptr %out, ptr %a, ptr %b) {{
      %x = load {vector}, ptr %a, align 4
      %y = load {vector}, ptr %b, align 4
      %z = fmul {vector} %y, <{weights}>
      %r = {operation} {vector} %x, %z
      store {vector} %r, ptr %out, align 4
      ret void
    }}
    """


def call(library, lanes=16):
    """What the function makes of a = (5, 5, …) and b = (0, 1, …)."""
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(library.address("combine"))
    out = np.full(lanes, np.nan, dtype=np.float32)
    a, b = np.full(lanes, 5, dtype=np.float32), np.arange(lanes, dtype=np.float32)
    function(out.ctypes.data, a.ctypes.data, b.ctypes.data)
    return out


def expected(sign=1, lanes=16):
    return 5 + sign * np.arange(lanes, dtype=np.float32) * WEIGHTS[:lanes]


def built(text=None, **options):
    """Build anew, as another process would, and check what it computes."""
    library = build(text or combine(), host(), **options)
    np.testing.assert_array_equal(call(library), expected())
    return library


def the_file(folder):
    (found,) = folder.iterdir()
    return found


def content(folder):
    """Every file of a folder, by name."""
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


# Code in memory


def test_ir_becomes_code_that_computes():
    library = built(cache=None)
    assert not library.cached
    assert library.seconds > 0
    with pytest.raises(KeyError):
        library.address("other")


def test_code_is_kept_for_the_next_time(folder):
    assert not built().cached
    assert built().cached
    assert cache_state() == f"compiled kernels are kept in {folder}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert the_file(folder).stat().st_mode & 0o777 == 0o600


def test_the_same_text_and_host_give_the_same_library():
    first = built()
    assert built() is first
    assert build(combine("fsub"), host()) is not first
    assert build(combine(), replace(host(), features=host().features + ",+sse2")) is not first


def test_what_a_library_takes_is_given_back(monkeypatch):
    from llvmlite.binding import ffi

    pairs = {
        "LLVMPY_ContextCreate": "LLVMPY_ContextDispose",
        "LLVMPY_ParseAssembly": "LLVMPY_DisposeModule",
        "LLVMPY_CreateTargetMachine": "LLVMPY_DisposeTargetMachine",
        "LLVMPY_CreatePassBuilder": "LLVMPY_DisposePassBuilder",
        "LLVMPY_buildPerModuleDefaultPipeline": "LLVMPY_DisposeNewModulePassManger",
        "LLVMPY_CreateLLJITCompiler": "LLVMPY_LLJITDispose",
        "LLVMPY_LLJIT_Link": "LLVMPY_LLJIT_Dylib_Tracker_Dispose",
    }
    gc.collect()  # of what other tests left
    counts = counted(monkeypatch, ffi, [*pairs, *pairs.values()])
    library = build(combine(), host())
    assert counts["LLVMPY_LLJIT_Dylib_Tracker_Dispose"] == 0
    del library
    gc.collect()
    assert all(counts.values())
    assert {one: counts[one] for one in pairs} == {one: counts[other] for one, other in pairs.items()}
    assert not module._libraries


def test_memory_is_cleared_and_copied_by_the_system():
    text = """
    declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
    declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
    define void @clear(ptr %to, ptr %from, i64 %n) {
      call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %n, i1 false)
      %half = lshr i64 %n, 1
      call void @llvm.memset.p0.i64(ptr %to, i8 0, i64 %half, i1 false)
      ret void
    }
    """
    assert re.search("memset|bzero", assembly(text, host()))
    library = build(text, host())
    source, target = bytes(range(1, 201)), ctypes.create_string_buffer(200)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64)(library.address("clear"))(
        ctypes.addressof(target), source, 200
    )
    assert target.raw == bytes(100) + source[100:]


def test_wrong_ir_is_told_in_llvms_first_line(folder):
    text = "define i64 @f(i64 %x) {\n  ret i32 %x\n}"
    for _ in range(2):
        with pytest.raises(RuntimeError) as error:
            build(text, host())
        words = "<string>:2:11: error: '%x' defined with type 'i64' but expected 'i32'"
        assert str(error.value) == f"LLVM refuses the IR of a kernel: {words}"
    assert not module._running
    assert not content(folder)


def test_ir_that_parses_and_makes_no_sense_is_refused():
    text = "define i64 @f(i64 %x) {\n  %z = add i64 %y, 1\n  %y = add i64 %x, 1\n  ret i64 %z\n}"
    with pytest.raises(RuntimeError, match=r"Instruction does not dominate all uses!$"):
        build(text, host())


# Threads and processes


def test_threads_that_ask_at_once_compile_once(monkeypatch):
    compile_, calls = module._compile, []
    entered, go = threading.Event(), threading.Event()

    def slow(text, host):
        calls.append(text)
        entered.set()
        assert go.wait(20)
        return compile_(text, host)

    monkeypatch.setattr(module, "_compile", slow)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(build, combine(), host()) for _ in range(7)]
        assert entered.wait(20)
        # Another kernel does not wait for this one: were it to, the first would give up.
        monkeypatch.setattr(module, "_compile", compile_)
        other = pool.submit(build, combine("fsub"), host()).result(20)
        go.set()
        libraries = {one.result(20) for one in waiting}
    assert len(libraries) == len(calls) == 1
    np.testing.assert_array_equal(call(other), expected(-1))


def test_an_error_reaches_all_who_wait(monkeypatch):
    entered, go = threading.Event(), threading.Event()

    def fail(text, host):
        entered.set()
        assert go.wait(20)
        raise RuntimeError("no")

    monkeypatch.setattr(module, "_compile", fail)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(build, combine(), host())
        assert entered.wait(20)
        second = pool.submit(build, combine(), host())
        go.set()
        for one in (first, second):
            with pytest.raises(RuntimeError, match=r"^no$"):
                one.result(20)
    assert not module._running


PROCESS = """
import sys, threading, types, gatework
# The package without torch, which takes seconds to load and is not needed here.
package = types.ModuleType("gatework.kernels")
package.__path__ = [gatework.__path__[0] + "/kernels"]
sys.modules["gatework.kernels"] = package
sys.path.insert(0, {tests!r})
import test_cpu_build as tests
from gatework.kernels.cpu import build as module
"""


def process(code):
    """Another process with these tests and the module at hand."""
    text = PROCESS.format(tests=str(Path(__file__).parent)) + code
    return subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_another_process_loads_what_this_one_compiled(folder):
    built()
    code = """
def fail(*_):
    raise AssertionError("it compiles")
module._optimised = fail
print(tests.built().cached, module.cache_state())
"""
    output, _ = process(code).communicate(timeout=60)
    assert output == f"True compiled kernels are kept in {folder}\n"


def test_processes_and_threads_build_the_same_kernels_at_once(folder):
    code = """
texts = [tests.combine() + f"; {k}" for k in range(12)]
def work(texts):
    done.extend(tests.built(text) for text in texts)
done = []
threads = [threading.Thread(target=work, args=(order,)) for order in (texts, texts[::-1])]
print("ready", flush=True)
input()
for one in threads:
    one.start()
for one in threads:
    one.join()
print(len(done), len({id(one) for one in done}), module.cache_state())
"""
    processes = [process(code) for _ in range(4)]
    for one in processes:
        assert one.stdout.readline() == "ready\n"
    for one in processes:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in processes:
        output, _ = one.communicate(timeout=60)
        assert output == f"24 12 compiled kernels are kept in {folder}\n"
        assert one.returncode == 0
    assert len(content(folder)) == 12
    assert all(built(combine() + f"; {k}").cached for k in range(12))


# What names a file


def test_the_key_is_of_all_that_code_depends_on(monkeypatch):
    here = host()
    keys = {
        fingerprint(combine(), here),
        fingerprint(combine() + ";", here),
        fingerprint(combine(), replace(here, name="generic")),
        fingerprint(combine(), replace(here, features=here.features + ",-avx512f")),
        fingerprint(combine(), replace(here, triple="x86_64-unknown-freebsd")),
    }
    monkeypatch.setattr(module, "FORMAT", module.FORMAT + 1)
    keys.add(fingerprint(combine(), here))
    monkeypatch.setattr("llvmlite.__version__", "0.0")
    keys.add(fingerprint(combine(), here))
    monkeypatch.setattr("llvmlite.binding.llvm_version_info", (99, 0, 0))
    keys.add(fingerprint(combine(), here))
    assert len(keys) == 8
    assert all(re.fullmatch(r"[0-9a-f]{64}", key) for key in keys)


def test_the_parts_of_a_key_are_told_apart():
    here = host()
    one, other = replace(here, name="a", features="bc"), replace(here, name="ab", features="c")
    assert fingerprint("", one) != fingerprint("", other)


def test_lowered_code_is_other_code_and_computes(folder):
    here = host()
    if here.vector_bytes < 64:
        pytest.skip("there is nothing to lower")
    library = build(combine(), here)
    narrow = build(combine(), lowered(here, "avx2"))
    assert narrow is not library
    assert len(content(folder)) == 2
    np.testing.assert_array_equal(call(narrow), expected())


def test_code_uses_the_vectors_of_the_host_and_no_wider_ones():
    here = host()
    if not here.triple.startswith("x86_64"):
        pytest.skip("these are registers of x86")
    wide = described("skylake-avx512", "+avx,+avx2,+fma,+avx512f,+avx512vl,+avx512dq,+avx512bw", here.triple)
    used = {
        level: {register for register in ("xmm", "ymm", "zmm") if f"%{register}" in assembly(combine(), one)}
        for level, one in (("avx512", wide), ("avx2", lowered(wide, "avx2")), ("baseline", lowered(wide, "baseline")))
    }
    assert used == {"avx512": {"zmm"}, "avx2": {"ymm"}, "baseline": {"xmm"}}


def test_constants_are_near():
    """They are part of an instruction that computes; a far one would first need its address in a register."""
    here = host()
    if not here.triple.startswith("x86_64"):
        pytest.skip("these are instructions of x86")
    assert re.search(r"mulps.*\(%rip\)", assembly(combine(), here))


# Files that cannot be trusted


DAMAGE = {
    "empty": lambda data: b"",
    "header only": lambda data: data[:40],
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "garbage": lambda data: os.urandom(len(data)),
    "magic": lambda data: b"\0" + data[1:],
    "key": lambda data: data[:10] + bytes([data[10] ^ 1]) + data[11:],
    "digest": lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:],
    "length": lambda data: data[:72] + bytes([data[72] ^ 1]) + data[73:],
    "first bit": lambda data: data[:80] + bytes([data[80] ^ 1]) + data[81:],
    "last bit": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_made_again(folder, damage):
    built()
    file = the_file(folder)
    good = file.read_bytes()
    file.write_bytes(DAMAGE[damage](good))
    assert not built().cached
    assert the_file(folder) == file
    assert file.read_bytes() == good
    assert built().cached


def test_a_damaged_file_is_removed_even_if_no_other_can_be_written(folder, monkeypatch):
    built()
    the_file(folder).write_bytes(b"")
    monkeypatch.setattr(os, "replace", full)
    assert not built().cached
    assert not content(folder)


def test_a_file_under_the_name_of_another_is_made_again(folder):
    build(combine("fsub"), host())
    the_file(folder).rename(folder / f"{fingerprint(combine(), host())}.kernel")
    assert not built().cached
    assert built().cached


def forge(folder):
    """A sound file that holds other code than its key says: it subtracts."""
    folder.mkdir(mode=0o700, exist_ok=True)
    code, key = module._compile(combine("fsub"), host()), fingerprint(combine(), host())
    header = module._HEADER.pack(module._MAGIC, bytes.fromhex(key), hashlib.sha256(code).digest(), len(code))
    file = folder / f"{key}.kernel"
    file.write_bytes(header + code)
    file.chmod(0o600)
    return file


def refused(folder, reason):
    """Build without reading from a folder or writing to it."""
    before = content(folder)
    for _ in range(2):
        assert not built().cached
    assert content(folder) == before
    assert cache_state().startswith("compiled kernels are not kept on disk: ")
    assert cache_state().endswith(reason)


def test_a_forged_file_would_be_run_where_only_this_user_could_have_written_it(folder):
    forge(folder)
    library = build(combine(), host())
    assert library.cached
    np.testing.assert_array_equal(call(library), expected(-1))


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o720, 0o1777])
def test_a_folder_that_others_can_write_is_not_used(folder, mode):
    forge(folder)
    folder.chmod(mode)
    refused(folder, f"{folder} can be written by other users")


@pytest.mark.parametrize("mode", [0o666, 0o660, 0o602])
def test_a_file_that_others_can_write_is_not_used(folder, mode):
    file = forge(folder)
    file.chmod(mode)
    refused(folder, f"{file.name} can be written by other users")


def test_a_folder_of_another_user_is_not_used(folder, monkeypatch):
    forge(folder)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    refused(folder, f"{folder} belongs to another user")


def test_a_file_of_another_user_is_not_used(folder, monkeypatch):
    file = forge(folder)
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
    else:
        monkeypatch.setattr(shelf, "_check", foreign(shelf._check))
    refused(folder, f"{file.name} belongs to another user")


def foreign(check):
    """The check as it would be of files that another user owns."""

    def checked(what, found, is_right):
        if isinstance(what, str):
            found = os.stat_result((*found[:4], found.st_uid + 1, *found[5:]))
        check(what, found, is_right)

    return checked


def test_a_folder_that_is_a_link_is_not_used(folder, tmp_path):
    forge(folder)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    refused(folder, f": {folder}")


def test_a_file_that_is_a_link_is_not_used(folder):
    file = forge(folder)
    file.rename(folder / "elsewhere")
    file.symlink_to("elsewhere")
    refused(folder, f"{file.name} is a link, or something else that does not belong there")
    assert file.is_symlink()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_something_else_than_a_file_is_not_used(folder, make):
    folder.mkdir(mode=0o700)
    name = f"{fingerprint(combine(), host())}.kernel"
    make(folder / name)
    refused(folder, f"{name} is a link, or something else that does not belong there")


# A disk that does not want


def test_a_folder_that_cannot_be_made_is_no_error(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GATEWORK_CACHE", str(tmp_path / "file" / "kernels"))
    for _ in range(2):
        assert not built().cached
    assert cache_state().startswith("compiled kernels are not kept on disk: Not a directory")


def test_a_folder_that_cannot_be_written_is_no_error(folder):
    folder.mkdir(mode=0o500)
    built()
    built()
    folder.chmod(0o700)


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_no_error(folder, monkeypatch):
    monkeypatch.setattr(os, "replace", full)
    for _ in range(2):
        assert not built().cached
    assert cache_state().startswith("compiled kernels are not kept on disk: No space left on device")
    assert not content(folder)


@pytest.mark.parametrize("folder_is", ["", None])
def test_no_folder_is_no_error(folder, monkeypatch, folder_is):
    monkeypatch.setenv("GATEWORK_CACHE", "")
    options = {} if folder_is == "" else {"cache": None}
    for _ in range(2):
        assert not built(**options).cached
    assert cache_state() == "compiled kernels are not kept on disk: no folder is given"
    assert not folder.exists()


def test_a_folder_may_be_given(folder, tmp_path):
    built(cache=tmp_path / "mine")
    assert the_file(tmp_path / "mine")
    assert not folder.exists()


def test_the_state_is_known_before_the_first_build(folder):
    assert cache_state() == f"compiled kernels are kept in {folder}"


def test_the_folder_is_the_systems(monkeypatch):
    monkeypatch.delenv("GATEWORK_CACHE")
    monkeypatch.setenv("HOME", "/home/one")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert shelf.default_folder() == Path("/home/one/.cache/gatework/kernels")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert shelf.default_folder() == Path("/home/one/.cache/gatework/kernels")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch/one")
    assert shelf.default_folder() == Path("/scratch/one/gatework/kernels")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert shelf.default_folder() == Path("/home/one/Library/Caches/gatework/kernels")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert shelf.default_folder() is None


def test_the_oldest_of_our_files_go_when_they_are_too_many(folder, monkeypatch):
    built()
    size = the_file(folder).stat().st_size
    part, other = folder / f"{'0' * 64}.{'0' * 16}.part", folder / "thesis.txt"
    part.touch()
    other.write_bytes(bytes(100 * size))
    for age, one in ((3, other), (2, part)):
        os.utime(one, (age, age))
    os.utime(folder / f"{fingerprint(combine(), host())}.kernel", (4, 4))
    monkeypatch.setattr(module, "LIMIT", size * 5 // 2)
    texts = [combine() + f"; {k}" for k in range(3)]
    for age, text in enumerate(texts[:2], start=5):
        built(text)
        os.utime(folder / f"{fingerprint(text, host())}.kernel", (age, age))
    built(texts[2])
    kept = {f"{fingerprint(text, host())}.kernel" for text in texts[1:]}
    assert content(folder).keys() == {"thesis.txt", *kept}


# How much LLVM is asked for


def large(instructions=2000, lanes=8):
    """A loop of many multiply-adds in chains."""
    vector = f"<{lanes} x float>"
    lines = [
        f"%v{k + 4} = call {vector} @fma({vector} %v{k}, {vector} %w, {vector} %v{k + 2})" for k in range(instructions)
    ]
    starts = [f"%v{k} = phi {vector} [zeroinitializer, %entry], [%v{instructions + k}, %loop]" for k in range(4)]
    body = "\n".join([*starts, "%i = phi i64 [0, %entry], [%j, %loop]", *lines]).replace(
        "@fma", f"@llvm.fma.v{lanes}f32"
    )
    return f"""
    declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})
    define void @large(ptr %out, ptr %a) {{
    entry:
      %w = load {vector}, ptr %a, align 4
      br label %loop
    loop:
      {body}
      %j = add i64 %i, 1
      %more = icmp ult i64 %j, 8
      br i1 %more, label %loop, label %done
    done:
      store {vector} %v{instructions}, ptr %out, align 4
      ret void
    }}
    """


def test_a_large_module_goes_through_llvm_once_and_does_not_grow(folder, monkeypatch):
    from llvmlite.binding import ffi

    text = large()
    counts = counted(monkeypatch, ffi, ["LLVMPY_RunNewModulePassManager", "LLVMPY_TargetMachineEmitToMemory"])
    assert not build(text, host()).cached
    assert set(counts.values()) == {1}
    assert build(text, host()).cached
    assert set(counts.values()) == {1}
    # Some eight bytes an instruction, and as much again for a few loads and stores.
    assert the_file(folder).stat().st_size < 2000 * 16


def test_loops_stay_as_they_are_written():
    """They are neither unrolled nor made vectors."""
    text = """
    define void @double(ptr noalias %out, ptr noalias %a) {
    entry:
      br label %loop
    loop:
      %i = phi i64 [0, %entry], [%j, %loop]
      %p = getelementptr float, ptr %a, i64 %i
      %q = getelementptr float, ptr %out, i64 %i
      %x = load float, ptr %p, align 4
      %y = fmul float %x, 3.0
      store float %y, ptr %q, align 4
      %j = add i64 %i, 1
      %more = icmp ult i64 %j, 16
      br i1 %more, label %loop, label %done
    done:
      ret void
    }
    """
    multiplications = re.findall(r"^\s*v?f?mul\w*", assembly(text, host()), re.MULTILINE)
    assert [one.strip() for one in multiplications] in (["vmulss"], ["mulss"], ["fmul"])


def counted(monkeypatch, ffi, names):
    """How often each of these functions of LLVM is called from now on."""
    counts = dict.fromkeys(names, 0)

    def counting(name, function):
        def called(*arguments):
            counts[name] += 1
            return function(*arguments)

        return called

    for name in names:
        monkeypatch.setitem(ffi.lib._fntab, name, counting(name, getattr(ffi.lib, name)))
    return counts
