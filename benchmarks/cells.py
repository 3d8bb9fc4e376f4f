"""Every cell of the catalogue at one shape: its time, and its time per floating-point operation beside our LSTM's.

`python benchmarks/cells.py` measures (some four minutes, one thread) and writes `docs/results/cells.md`;
`--from FILE` writes the page from what `gatework bench --json` printed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from gatework.cells import catalogue
from gatework.graph.plan import plan

PAGE = Path(__file__).parent.parent / "docs" / "results" / "cells.md"
COMMAND = ["bench", "--shapes", "32,100,64,128", "--threads", "1", "--peers", "none", "--quick", "--json", "--cells"]


def measure() -> dict:
    """What the benchmark says of all cells."""
    command = [sys.executable, "-m", "gatework", *COMMAND, ",".join(catalogue)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def page(record: dict) -> str:
    """The table."""
    found: dict[str, dict[str, dict]] = {}
    for row in record["rows"]:
        if row["section"] == "shapes" and row["side"] == "ours":
            found.setdefault(row["cell"], {})[row["mode"]] = row
    lstm = found["lstm"]
    lines = [
        "# Every cell at one shape",
        "",
        f"`python benchmarks/cells.py` on {record['processor']['name']}, one thread, float32, "
        f"torch {record['versions']['torch']}, B = 32, T = 100, N = 64, H = 128.",
        "",
        "A cell with one stage has all its products in one pass over the units; a product with a vector of the same",
        "step begins another stage. Time per floating-point operation counts the products alone, over our LSTM's:",
        "below 1 is faster. Cells without a recurrent matrix have few products, and their arithmetic on entries shows.",
        "",
        "| cell | stages | forward, ms | training step, ms | GFLOP/s | time per FLOP, forward | training step |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, modes in found.items():
        forward, training = modes["forward"], modes["training"]
        stages = len(plan(catalogue[name].graph.parts.core).inference.stages)
        ratios = [lstm[mode]["gflops"] / modes[mode]["gflops"] for mode in ("forward", "training")]
        lines.append(
            f"| `{name}` | {stages} | {forward['ms']:.2f} | {training['ms']:.2f} | {training['gflops']:.0f} | "
            f"{ratios[0]:.2f} | {ratios[1]:.2f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, or read, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="source", type=Path, help="what `gatework bench --json` printed")
    asked = parser.parse_args()
    record = json.loads(asked.source.read_text()) if asked.source else measure()
    PAGE.write_text(page(record), encoding="utf-8")


if __name__ == "__main__":
    main()
