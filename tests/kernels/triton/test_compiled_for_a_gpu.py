"""Triton's compiler takes the kernels, as far as that can be known without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

HERE = Path(__file__).parent
SHARED, SPILLED = 227 << 10, 64
"""Bytes of shared memory that a block of compute capability 9.0 may have; and those of a thread that find no registers,
few enough to cost nothing."""


@pytest.mark.parametrize(
    ("cell", "H", "kind", "launch"),
    [
        ("lstm", 64, "bfloat16", "sequence"),
        ("gru", 64, "float32", "sequence"),
        ("mgu", 128, "bfloat16", "sequence"),
        ("lru", 64, "bfloat16", "scan"),
        ("slstm", 512, "bfloat16", "stages"),
        ("lstm", 768, "bfloat16", "grid"),
        ("mgu", 512, "float32", "grid --read"),
        ("lstm", 768, "bfloat16", "grid --read --autocast"),
    ],
)
def test_kernels_compile_in_seconds_and_fit(cell, H, kind, launch, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    found = subprocess.run(
        [sys.executable, str(HERE / "for_a_gpu.py"), cell, str(H), kind, "--kind", *launch.split()],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert {line["loop"].split()[0] for line in lines} == {"inference", "forward", "backward"}
    for line in lines:
        assert line["shared"] <= SHARED
        assert line["spilled"] <= SPILLED
