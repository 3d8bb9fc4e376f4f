"""What a processor can do, from LLVM's words for it; and why kernels cannot be compiled, said and never raised."""

import runpy
import sys

import pytest

from gatework.errors import BackendError
from gatework.kernels.cpu import build as build_module
from gatework.kernels.cpu import host as module
from gatework.kernels.cpu.host import LEVELS, Host, described, host, lowered, refusal

LINUX = "x86_64-unknown-linux-gnu"
WIDE = described("skylake-avx512", "+avx,+avx2,+fma,+avx512f", LINUX)
ARM = described("apple-m1", "+neon,+fp-armv8", "arm64-apple-darwin24.1.0")


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch):
    monkeypatch.delenv("GATEWORK_CPU_FEATURES", raising=False)
    host.cache_clear()
    yield
    host.cache_clear()


@pytest.fixture
def llvm():
    return pytest.importorskip("llvmlite.binding")


@pytest.mark.parametrize(
    ("one", "vector_bytes", "registers", "lanes"),
    [
        (WIDE, 64, 32, 16),
        (described("haswell", "+avx,+avx2,+fma,-avx512f", LINUX), 32, 16, 8),
        (described("westmere", "+sse4.2,-avx,-avx2,-fma", LINUX), 16, 16, 4),
        (described("bdver2", "+avx,+fma,-avx2,-avx512f", LINUX), 16, 16, 4),
        (described("x86-64-v3", "+avx,+avx2,-fma,-avx512f", LINUX), 16, 16, 4),
        (ARM, 16, 32, 4),
        (described("neoverse-n1", "", "aarch64-unknown-linux-gnu"), 16, 32, 4),
    ],
    ids=lambda value: value.name if isinstance(value, Host) else None,
)
def test_vectors_are_as_wide_as_the_processor_has_them(one, vector_bytes, registers, lanes):
    assert (one.vector_bytes, one.registers) == (vector_bytes, registers)
    assert (one.lanes(4), one.lanes(8)) == (lanes, lanes // 2)


def test_vectors_of_512_bits_are_not_halved():
    assert WIDE.features.endswith(",-prefer-256-bit")
    assert "prefer" not in described("haswell", "+avx2,+fma", LINUX).features


def test_features_are_lowered():
    narrow = lowered(WIDE, "avx2")
    assert (narrow.vector_bytes, narrow.registers, narrow.name) == (32, 16, WIDE.name)
    assert narrow.features == WIDE.features + ",-avx512f"
    plain = lowered(narrow, "baseline")
    assert (plain.vector_bytes, plain.registers) == (16, 16)
    assert plain.features.endswith(",-avx")
    assert lowered(WIDE, "baseline").vector_bytes == 16


def test_features_are_never_raised():
    for one in (WIDE, lowered(WIDE, "avx2"), lowered(WIDE, "baseline"), ARM):
        assert lowered(one, "avx512") is one
    assert lowered(lowered(WIDE, "baseline"), "avx2").vector_bytes == 16
    for level in LEVELS:
        assert lowered(ARM, level) is ARM


def test_this_processor_is_described(llvm):
    here = host()
    assert here is host()
    assert here.name == llvm.get_host_cpu_name()
    assert here.triple == llvm.get_process_triple()
    assert here.lanes(1) == here.vector_bytes in LEVELS.values()
    assert 8 << 10 <= here.l1 <= here.l2 <= 1 << 30


@pytest.mark.parametrize("level", LEVELS)
def test_the_environment_lowers(llvm, monkeypatch, level):
    native = host()
    monkeypatch.setenv("GATEWORK_CPU_FEATURES", level)
    host.cache_clear()
    assert host() == lowered(native, level)


def test_a_level_that_is_not_known_is_refused(llvm, monkeypatch):
    monkeypatch.setenv("GATEWORK_CPU_FEATURES", "avx1024")
    reason = "GATEWORK_CPU_FEATURES is 'avx1024', none of avx512, avx2, baseline"
    assert refusal() == reason
    with pytest.raises(BackendError) as error:
        host()
    assert str(error.value) == f"The processor's features cannot be chosen: {reason}."


def test_a_processor_that_llvm_knows_by_name_alone_is_described(llvm, monkeypatch):
    def fail():
        raise RuntimeError("failed to get host cpu features.")

    monkeypatch.setattr(llvm, "get_host_cpu_features", fail)
    monkeypatch.setattr(llvm, "get_process_triple", lambda: ARM.triple)
    assert host().features == ""
    assert host().registers == 32
    assert refusal() == ""


# What keeps kernels from being compiled


@pytest.mark.parametrize("one", [WIDE, lowered(WIDE, "avx2"), ARM, described("n1", "", "aarch64-unknown-linux-gnu")])
def test_no_refusal_where_kernels_run(llvm, monkeypatch, one):
    monkeypatch.setattr(module, "host", lambda: one)
    assert refusal() == ""


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (described("i686", "+avx2,+fma", "i686-unknown-linux-gnu"), "this is i686"),
        (described("cortex-a7", "+neon", "armv7l-unknown-linux-gnueabihf"), "this is armv7l"),
        (described("sifive-u74", "", "riscv64-unknown-linux-gnu"), "this is riscv64"),
        (described("westmere", "+sse4.2,-avx,-fma", LINUX), "no AVX2 with fused multiply-add"),
        (lowered(WIDE, "baseline"), "no AVX2 with fused multiply-add"),
    ],
    ids=lambda value: value.name if isinstance(value, Host) else None,
)
def test_a_processor_that_cannot_is_refused(llvm, monkeypatch, one, reason):
    monkeypatch.setattr(module, "host", lambda: one)
    assert reason in refusal()


def test_llvmlite_that_is_missing_is_a_reason(monkeypatch):
    _hide_llvmlite(monkeypatch)
    assert refusal() == "llvmlite is not installed"


@pytest.mark.parametrize("file", [module.__file__, build_module.__file__])
def test_the_modules_import_without_llvmlite(monkeypatch, file):
    _hide_llvmlite(monkeypatch)
    assert runpy.run_path(file)["__doc__"]


@pytest.mark.parametrize("error", [OSError("libLLVM.so: no such file.\nmore"), ImportError(""), ValueError("odd")])
def test_llvmlite_that_does_not_load_is_a_reason(monkeypatch, error):
    _break_llvmlite(monkeypatch, error)
    words = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
    assert refusal() == f"llvmlite does not work here ({words})"


def test_a_system_without_code_in_memory_is_a_reason(llvm, monkeypatch):
    def forbidden():
        raise OSError(13, "cannot allocate executable memory.")

    monkeypatch.setattr(module, "host", lambda: WIDE)
    monkeypatch.setattr(llvm, "check_jit_execution", forbidden)
    assert refusal() == "the system forbids to make code in memory"


def test_llvmlite_that_fails_later_is_a_reason(llvm, monkeypatch):
    def fail():
        raise AttributeError("symbol not found")

    monkeypatch.setattr(llvm, "get_host_cpu_name", fail)
    assert refusal() == "llvmlite does not work here (symbol not found)"


def _break_llvmlite(monkeypatch, error):
    """Make every import of llvmlite raise."""

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "llvmlite":
                raise error

    for name in [one for one in sys.modules if one.split(".")[0] == "llvmlite"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])


def _hide_llvmlite(monkeypatch):
    _break_llvmlite(monkeypatch, ModuleNotFoundError("No module named 'llvmlite'", name="llvmlite"))


# Caches


def _linux_caches(folder, *entries):
    for number, (level, kind, size, shared) in enumerate(entries):
        index = folder / "cpu0" / "cache" / f"index{number}"
        index.mkdir(parents=True)
        for name, text in (("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)):
            (index / name).write_text(f"{text}\n")
    return module._told_by_linux(folder)


def test_linux_tells_the_caches(tmp_path):
    found = _linux_caches(
        tmp_path,
        (1, "Data", "48K", "0,64"),
        (1, "Instruction", "32K", "0,64"),
        (2, "Unified", "2M", "0,64"),
        (3, "Unified", "96M", "0-127"),
    )
    assert found == (48 << 10, 2 << 20)


def test_a_cache_of_several_cores_is_shared_out(tmp_path):
    assert _linux_caches(tmp_path, (1, "Data", "32K", "0"), (2, "Unified", "4096K", "0-3")) == (32 << 10, 1 << 20)


def test_linux_may_not_tell(tmp_path):
    assert _linux_caches(tmp_path) == (0, 0)
    assert _linux_caches(tmp_path, (1, "Data", "", "0"), (2, "Unified", "1M", "0")) == (0, 1 << 20)


def test_macos_tells_the_caches():
    fast = {"hw.perflevel0.l1dcachesize": 128 << 10, "hw.perflevel0.l2cachesize": 16 << 20}
    slow = {"hw.l1dcachesize": 64 << 10, "hw.l2cachesize": 4 << 20}
    told = module._told_by_sysctl
    assert told(lambda name: {**fast, **slow, "hw.perflevel0.cpusperl2": 4}.get(name, 0)) == (128 << 10, 4 << 20)
    assert told(lambda name: slow.get(name, 0)) == (64 << 10, 4 << 20)
    assert told(lambda name: 0) == (0, 0)


def test_caches_that_nobody_tells_are_small(monkeypatch):
    monkeypatch.setattr(module, "_told_by_linux", lambda cpus: (0, 0))
    monkeypatch.setattr(module, "_told_by_sysctl", lambda number: (0, 0))
    assert module.caches() == (32 << 10, 512 << 10)
