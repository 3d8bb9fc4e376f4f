"""Compile kernels for a GPU that is not there: Triton has all that makes machine code, and needs one to run it only.

Usage, without TRITON_INTERPRET: python for_a_gpu.py CELL H TYPE [KIND] [WARPS], KIND `sequence`, `scan` or `stages`.
Prints a JSON line for each kernel: its loop, the seconds that it took, its bytes of shared memory, and what the
assembler says of registers and spills.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from gatework.cells import catalogue
from gatework.graph.plan import plan
from gatework.kernels.triton import build, scan, sequence, stages
from gatework.kernels.triton.call import FEW, block
from gatework.kernels.triton.ways import COLUMNS, ENTRIES, INNER, ROWS, TIMES, WARPS

HOPPER = 90
TYPES = {"float32": ("fp32", tl.float32), "bfloat16": ("bf16", tl.bfloat16)}


def kernels(cell, kind):
    """The kernels of all loops: (loop, text, arrays, weights)."""
    made = plan(catalogue[cell].graph.ahead.core)
    for which in ("inference", "forward", "backward"):
        loop = getattr(made, which)
        if kind == "sequence":
            one = sequence.write(loop, backward=which == "backward")
            yield which, one.text
            continue
        if kind == "scan":
            one = scan.write(loop, backward=which == "backward")
            if one:
                yield which, one.text
            if one and one.summary:
                yield f"{which} summary", one.summary.text
            continue
        every, last = stages.write(loop)
        for k, one in enumerate((*every, *([last] if last else []))):
            yield f"{which} {k}", one.text


def compiled(text, H, kind, warps):
    function = build.function(text)
    pointer, number = TYPES[kind]
    sizes = {"N": H, "H": H, "BLOCK_B": ROWS, "BLOCK_N": block(H), "BLOCK_H": block(H)}
    sizes |= {"BLOCK_C": COLUMNS, "BLOCK_K": INNER, "BLOCK_T": TIMES, "BLOCK_E": ENTRIES}
    constants = {**sizes, "REAL": tl.float32, "DOT": number, "PRECISION": "tf32x3"}
    constants = {name: value for name, value in constants.items() if name in function.arg_names}
    pointers = {name: f"*{pointer}" for name in function.arg_names if name.startswith(("a_", "w_"))} | {
        "summary": "*fp32"
    }
    signature = {name: "constexpr" if name in constants else pointers.get(name, "i32") for name in function.arg_names}
    source = ASTSource(function, signature, constants)
    return triton.compile(source, target=GPUTarget("cuda", HOPPER, 32), options={"num_warps": warps})


def usage(ptx):
    """Registers and bytes spilled, as the assembler counts them."""
    assembler = next(Path(triton.__file__).parent.glob("backends/nvidia/bin/ptxas"))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "kernel.ptx"
        place.write_text(ptx)
        told = subprocess.run(
            [assembler, "-v", f"-arch=sm_{HOPPER}a", str(place), "-o", str(place.with_suffix(".cubin"))],
            capture_output=True,
            text=True,
            check=True,
        ).stderr
    registers = max(int(one) for one in re.findall(r"Used (\d+) registers", told))
    spilled = sum(int(one) for one in re.findall(r"(\d+) bytes spill", told))
    return {"registers": registers, "spilled": spilled}


def main():
    cell, H, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    launch = sys.argv[4] if len(sys.argv) > 4 else "sequence"
    warps = int(sys.argv[5]) if len(sys.argv) > 5 else (WARPS if launch == "scan" else 4 if H <= FEW else 8)
    for which, text in kernels(cell, launch):
        began = time.perf_counter()
        made = compiled(text, H, kind, warps)
        seconds = time.perf_counter() - began
        print(
            json.dumps(
                {"loop": which, "seconds": round(seconds, 2), "shared": made.metadata.shared, **usage(made.asm["ptx"])}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
