"""What the experiments on cells share: the network, the store of finished trials, and the figures of a page.

A trial is one cell trained from one seed. Its settings and what came out are one line of a JSON file, so that an
experiment that was broken off goes on where it stopped, and the page is written from the lines alone.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import Any

import torch
from scipy.stats import t as student_t
from torch import Tensor, nn

from gatework import Recurrent
from gatework.cells import find
from gatework.study.record import versions
from gatework.study.statistics import holm, interval

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "results"
RUNS = ROOT / "gatework-runs" / "results"
LEVEL = 0.95


def arguments(parser: argparse.ArgumentParser, cells: Iterable[str], seeds: int) -> argparse.Namespace:
    """What every experiment may be asked, beside what the parser knows already; one thread from here on."""
    parser.add_argument("--cells", default=",".join(cells))
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--page", action="store_true", help="write the page from what is there, and train nothing")
    torch.set_num_threads(1)
    return parser.parse_args()


class Network(nn.Module):
    """A cell and a linear read-out.

    A cell that adds its input to its states needs as many inputs as units: it gets a layer of rectified linear units
    in front, since after a linear one it would stay a linear function of its input.
    """

    def __init__(self, cell: str, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        square = find(cell).graph.square
        self.project = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU()) if square else nn.Identity()
        self.recurrent = Recurrent(cell, hidden if square else inputs, hidden, backend="cpu")
        self.readout = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor, *, last: bool) -> Tensor:
        """Read `x`, (T, B, N): what is shown after every step, (T, B, outputs), or after the last, (B, outputs)."""
        states, _ = self.recurrent(self.project(x))
        return self.readout(states[-1] if last else states)  # type: ignore[no-any-return]

    def count(self) -> int:
        """The number of trained weights, the read-out among them."""
        return sum(one.numel() for one in self.parameters())


def descend(loss: Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, clip: float) -> bool:
    """One step of training; false, and no step, where the loss or the gradient is not finite."""
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    if not (torch.isfinite(loss) and torch.isfinite(norm)):
        return False
    optimizer.step()
    return True


Record = dict[str, Any]


@dataclass(frozen=True)
class Store:
    """Finished trials, one JSON line each: the settings, the day, what it ran on, and what came out."""

    path: Path

    def records(self) -> list[Record]:
        """All lines, as they were written; a last line that was broken off is left out."""
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def holds(self, settings: Mapping[str, Any]) -> bool:
        """Whether a trial with these settings is finished."""
        return bool(under(self.records(), [settings]))

    def add(self, settings: Mapping[str, Any], result: Mapping[str, Any]) -> Record:
        """Keep a finished trial."""
        record = {
            "settings": dict(settings),
            "result": dict(result),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "versions": versions(),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)  # a line that was broken off
            file.write(json.dumps(record).encode() + b"\n")
        return record


def under(records: Sequence[Record], settings: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Those of the records that were made under these settings, in the order of the settings, one for each."""
    made = {json.dumps(one["settings"], sort_keys=True): one for one in reversed(records)}
    keys = [json.dumps(dict(asked), sort_keys=True) for asked in settings]
    return [made[key] for key in keys if key in made]


def grouped(records: Iterable[Record], key: str = "cell") -> dict[Any, list[Record]]:
    """The records by what their settings say under `key`, in the order in which they come."""
    groups: dict[Any, list[Record]] = {}
    for one in records:
        groups.setdefault(one["settings"][key], []).append(one)
    return groups


def provenance(records: Sequence[Record]) -> str:
    """When and on what the trials ran: `2026-01-31, torch 2.13.0, …`."""
    days = sorted({one["date"] for one in records})
    stacks = {json.dumps(one["versions"]) for one in records}
    kept = ("gatework", "torch", "numpy", "python", "machine")
    about = "; ".join(
        ", ".join(f"{key} {value}" for key, value in json.loads(stack).items() if key in kept)
        for stack in sorted(stacks)
    )
    return f"{days[0]}{f' to {days[-1]}' if days[1:] else ''}, {about}"


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± half of the Student interval over seeds.

    >>> spread([2.0, 2.2, 2.4], 2)
    '2.20 ± 0.50'
    """
    found = interval(values, LEVEL)
    reach = "" if found.high is None else f" ± {found.high - found.mean:.{digits}f}"
    return f"{found.mean:.{digits}f}{reach}"


@dataclass(frozen=True)
class Difference:
    """The mean of a cell's figures minus another's, paired by seed, with the reach of its interval and its p-value.

    `p_value` is adjusted for the number of cells that are compared with the same one (Holm 1979).
    """

    mean: float
    reach: float
    p_value: float

    @property
    def shown(self) -> bool:
        """Whether the difference is larger than chance explains."""
        return self.p_value < 1 - LEVEL


def differences(figures: Mapping[str, Sequence[float]], reference: str) -> dict[str, Difference]:
    """Every cell's figures (S,) minus the reference's, seed by seed.

    >>> differences({"a": [1.0, 2.0, 3.0], "b": [2.0, 3.1, 3.9]}, "a")["b"].shown
    True
    """
    others = [name for name in figures if name != reference]
    raw = {name: _paired(figures[name], figures[reference]) for name in others}
    adjusted = holm([one.p_value for one in raw.values()])
    return {name: Difference(one.mean, one.reach, p) for (name, one), p in zip(raw.items(), adjusted, strict=True)}


def _paired(a: Sequence[float], b: Sequence[float]) -> Difference:
    gaps = [one - other for one, other in zip(a, b, strict=True)]
    found = interval(gaps, LEVEL)
    if found.high is None:
        return Difference(found.mean, math.inf, 1.0)
    reach, freedom = found.high - found.mean, len(gaps) - 1
    error = reach / float(student_t.ppf((1 + LEVEL) / 2, freedom))
    p = float(2 * student_t.sf(abs(found.mean) / error, freedom)) if error else float(found.mean == 0)
    return Difference(found.mean, reach, p)


def document(title: str, *blocks: str | list[str]) -> str:
    """A page: its title, then paragraphs, which are wrapped anew, and tables, which are lists of lines."""
    parts = [
        one if isinstance(one, list) else wrap(" ".join(one.split()), 120, break_on_hyphens=False) for one in blocks
    ]
    return "\n\n".join([f"# {title}", *("\n".join(lines) for lines in parts)]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table; the first column is words, the others figures."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return [f"| {' | '.join(row)} |" for row in (heads, rule, *rows)]


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    >>> listed([]), listed(["a"]), listed(["a", "b", "c"])
    ('none', '`a`', '`a`, `b` and `c`')
    """
    marked = [f"`{name}`" for name in names]
    return " and ".join([", ".join(marked[:-1]), marked[-1]] if len(marked) > 1 else marked) or "none"
