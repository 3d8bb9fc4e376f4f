"""Compile kernels for a GPU that is not there: Triton has all that makes machine code, and needs one to run it only.

Usage, without TRITON_INTERPRET: python for_a_gpu.py CELL H TYPE [--kind sequence|scan|grid|stages] [--warps WARPS]
[--batch SEQUENCES] [--read] [--autocast]; batch and read are for a grid, whose matrices are read at every step or kept;
under autocast matrices alone have the type, and vectors are float32. Prints a JSON line for each kernel: its loop, the
seconds that it took, its bytes of shared memory, and what the assembler says of registers and spills.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from gatework.cells import catalogue
from gatework.graph.plan import plan
from gatework.kernels.triton import build, grid, scan, sequence, stages, together
from gatework.kernels.triton.call import block, warps
from gatework.kernels.triton.ways import COLUMNS, ENTRIES, INNER, ROWS, TIMES, WARPS

HOPPER, PROCESSORS = 90, 132
TYPES = {"float32": ("fp32", tl.float32), "bfloat16": ("bf16", tl.bfloat16)}


def kernels(asked):
    """The kernels of all loops: (loop, text)."""
    made = plan(catalogue[asked.cell].graph.ahead.core)
    for which in ("inference", "forward", "backward"):
        loop, backward = getattr(made, which), which == "backward"
        if asked.kind == "sequence":
            yield which, sequence.write(loop, backward=backward).text
        elif asked.kind == "scan":
            one = scan.write(loop, backward=backward)
            if one:
                yield which, one.text
            if one and one.summary:
                yield f"{which} summary", one.summary.text
        elif asked.kind == "grid":
            yield (
                which,
                grid.write(loop, backward=backward, parts=0 if asked.read else -(-asked.H // shares(asked).part)).text,
            )
        else:
            every, last = stages.write(loop)
            for k, one in enumerate((*every, *([last] if last else []))):
                yield f"{which} {k}", one.text


def shares(asked):
    return together.shares(asked.batch, asked.H, 1, PROCESSORS)


def widths(cell):
    """How many vectors lie side by side in the rows that hold an input of the loop: products of one vector do."""
    graph = catalogue[cell].graph
    split = graph.ahead
    together = {k: len(group) for group in split.joint for k in group}
    early = (split.late or split.core).inputs[len(graph.inputs) :]
    return {name: together.get(k, 1) for name, k in zip(early, split.results, strict=False)}


def options(asked):
    """Sizes of blocks and warps, as the ways of launching choose them."""
    whole = block(asked.H)
    shared = {"num_warps": asked.warps or warps(asked.H * (2 if asked.type == "bfloat16" else 4))}
    if asked.kind == "sequence":
        return {"BLOCK_B": ROWS, "BLOCK_N": whole, "BLOCK_H": whole, **shared}
    if asked.kind == "scan":
        return {"BLOCK_T": TIMES, "BLOCK_E": ENTRIES, "num_warps": asked.warps or WARPS}
    if asked.kind == "stages":
        return {"BLOCK_B": ROWS, "BLOCK_H": COLUMNS, "BLOCK_K": INNER, "BLOCK_W": whole, **shared}
    share = shares(asked)
    found = share.reading(asked.type != "float32") if asked.read else share.keeping()
    return {"BLOCK_B": share.rows, "BLOCK_H": share.columns, "BLOCK_W": whole, **found}


def compiled(text, asked):
    function = build.function(text)
    pointer, dot = TYPES[asked.type]
    given = {"N": asked.H, "H": asked.H, "REAL": tl.float32, "DOT": dot, "PRECISION": asked.precision, **options(asked)}
    for name in function.arg_names:
        if name.startswith("width_"):
            of_input = name.removeprefix("width_a_x_")
            given[name] = next((n for one, n in widths(asked.cell).items() if of_input in (one, f"{one}_0")), 1)
    constants = {name: value for name, value in given.items() if name in function.arg_names}
    addresses = {"a_": "*fp32" if asked.autocast else f"*{pointer}", "w_": f"*{pointer}"}
    launch = {name: value for name, value in given.items() if name.startswith("num_")}
    signature = {
        name: "constexpr" if name in constants else addresses.get(name[:2], "i32") for name in function.arg_names
    }
    if "barrier" in signature:
        signature["barrier"] = "*i32"
    if "summary" in signature:
        signature["summary"] = "*fp32"
    # Torch's memory begins at multiples of 16 bytes.
    even = [k for k, name in enumerate(function.arg_names) if name.startswith(("a_", "w_"))]
    source = ASTSource(function, signature, constants, {(k,): [["tt.divisibility", 16]] for k in even})
    return triton.compile(source, target=GPUTarget("cuda", HOPPER, 32), options=launch)


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


def request():
    parser = argparse.ArgumentParser()
    parser.add_argument("cell")
    parser.add_argument("H", type=int)
    parser.add_argument("type", choices=TYPES)
    parser.add_argument("--kind", default="sequence")
    parser.add_argument("--precision", default="tf32x3")
    for name, default in (("warps", 0), ("batch", 16)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--read", action="store_true")
    parser.add_argument("--autocast", action="store_true")
    return parser.parse_args()


def main():
    asked = request()
    for which, text in kernels(asked):
        began = time.perf_counter()
        made = compiled(text, asked)
        seconds = time.perf_counter() - began
        print(
            json.dumps(
                {"loop": which, "seconds": round(seconds, 2), "shared": made.metadata.shared, **usage(made.asm["ptx"])}
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
