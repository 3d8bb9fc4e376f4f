"""MNIST by rows, 28 steps of 28 numbers, 100 units: the GRU, its variants of fewer gate weights, MGUs and the LSTM.

Every finished trial is a line of gatework-runs/results/mnist_rows.jsonl: what is there is not trained again.
Usage: GATEWORK_DATA=… python benchmarks/mnist_rows.py [--cells gru,lstm] [--seeds 3] [--page]
"""

from __future__ import annotations

import argparse
import gzip
import os
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import mean
from time import process_time

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from trials import (
    PAGES,
    RUNS,
    Difference,
    Network,
    Record,
    Store,
    arguments,
    descend,
    differences,
    document,
    grouped,
    listed,
    provenance,
    spread,
    table,
    under,
)

from gatework.cells import catalogue

PAGE, STORE = PAGES / "mnist_rows.md", Store(RUNS / "mnist_rows.jsonl")
CELLS = ("gru", "gru_reset_before", "gru1", "gru2", "gru3", "mgu", "mgu1", "mgu2", "mgu3", "lstm")
PUBLISHED = {"gru_reset_before": 38_700, "gru1": 33_100, "gru2": 32_900, "gru3": 13_100}
"""Weights of the recurrent layer at N = 28, H = 100 in Dey & Salem 2017, arXiv:1701.05923: GRU and types 1 to 3."""

ROWS, HIDDEN, CLASSES, BATCH, CLIP, EPOCHS = 28, 100, 10, 64, 1.0, 3
CHOICE, RATES, VALIDATION, RATE = ("gru", "lstm"), (1e-3, 2e-3, 4e-3), 1000, 4e-3
"""The rate was chosen for all cells alike, by these, on the last 10,000 images of the training set, after one epoch."""

TEST, HELD_OUT, REFERENCES = "test set", "last 10,000 of the training set", ("gru", "lstm")

Part = tuple[Tensor, Tensor]
"""Images, (images, 28, 28), from 0 to 1, and digits, (images,)."""


def read(path: Path) -> np.ndarray:
    """An array of bytes from a packed file in the format of the set: two zeros, the type, the axes, their lengths.

    Raises `ValueError` where the file is something else.
    """
    data = gzip.decompress(path.read_bytes())
    zeros, kind, axes = data[:2], data[2], data[3]
    if zeros != b"\0\0" or kind != 8:
        raise ValueError(f"{path.name} holds no bytes in the format of the set.")
    lengths = np.frombuffer(data, ">u4", axes, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(lengths)


def load(folder: Path, name: str) -> Part:
    """`train` or `t10k`."""
    images, digits = read(folder / f"{name}-images-idx3-ubyte.gz"), read(folder / f"{name}-labels-idx1-ubyte.gz")
    return torch.from_numpy(images.astype(np.float32) / 255), torch.from_numpy(digits.astype(np.int64))


def accuracy(network: Network, part: Part) -> float:
    """Per cent."""
    x, y = part
    with torch.no_grad():
        right = [
            (network(some.transpose(0, 1), last=True).argmax(-1) == answers).sum()
            for some, answers in zip(x.split(1000), y.split(1000), strict=True)
        ]
    return 100 * float(sum(right)) / len(y)


def settings(cell: str, rate: float, seed: int, epochs: int, test: str) -> Record:
    """All that a trial depends on."""
    return {
        "cell": cell,
        "seed": seed,
        "rate": rate,
        "hidden": HIDDEN,
        "batch": BATCH,
        "clip": CLIP,
        "epochs": epochs,
        "test": test,
    }


def train(asked: Record, training: Part, test: Part) -> Record:
    """Train one cell for all its epochs; what is shown is the network as it is after the last."""
    torch.manual_seed(asked["seed"])
    network = Network(asked["cell"], ROWS, HIDDEN, CLASSES)
    optimizer = torch.optim.Adam(network.parameters(), asked["rate"])
    order = torch.Generator().manual_seed(asked["seed"])
    x, y = training
    seconds, finite = [], True
    for _ in range(asked["epochs"]):
        began = process_time()
        for chosen in torch.randperm(len(y), generator=order).split(BATCH):
            loss = F.cross_entropy(network(x[chosen].transpose(0, 1), last=True), y[chosen])
            finite = finite and descend(loss, network, optimizer, CLIP)
        seconds.append(process_time() - began)
    return {"finite": finite, "seconds": seconds, "accuracy": accuracy(network, test)}


def trial(store: Store, asked: Record, training: Part, test: Part) -> None:
    """Train what was not trained yet, and say a line."""
    if store.holds(asked):
        return
    result = store.add(asked, train(asked, training, test))["result"]
    print(
        f"{asked['cell']} rate {asked['rate']:g} seed {asked['seed']}: {result['accuracy']:.2f} %, "
        f"{np.mean(result['seconds']):.1f} s an epoch",
        flush=True,
    )


def page(records: Sequence[Record], seeds: int) -> str:
    """The accuracies, and what differs from the GRU and from the LSTM."""
    shown = under(records, [settings(cell, RATE, seed, EPOCHS, TEST) for cell in CELLS for seed in range(seeds)])
    tried = grouped(under(records, [settings(*one, VALIDATION, 1, HELD_OUT) for one in product(CHOICE, RATES)]), "rate")
    choice = ", ".join(f"{rate:g}: {mean(_accuracy(one) for one in found):.2f} %" for rate, found in tried.items())
    found = grouped(shown)
    accuracies = {cell: [_accuracy(one) for one in trials] for cell, trials in found.items()}
    gaps = {reference: differences(accuracies, reference) for reference in REFERENCES}
    rows = []
    for cell, trials in found.items():
        seconds = mean(mean(one["result"]["seconds"]) for one in trials)
        apart = [f"{gap.mean:+.2f} ± {gap.reach:.2f}" if gap else "–" for gap in (gaps[one].get(cell) for one in gaps)]
        counts = [
            f"{count:,}" if count else "–" for count in (catalogue[cell].count(ROWS, HIDDEN), PUBLISHED.get(cell))
        ]
        rows.append((f"`{cell}`", *counts, spread(accuracies[cell], 2), *apart, f"{seconds:.1f}"))
    return document(
        "MNIST by rows",
        f"`GATEWORK_DATA=… python benchmarks/mnist_rows.py --seeds {seeds}`: {provenance(shown)}.",
        f"""A picture is read row by row, {ROWS} steps of {ROWS} numbers, by one layer of {HIDDEN} units; a linear
        read-out of the last state tells the digit. All {EPOCHS} epochs of the 60,000 pictures, no stopping and no
        choice by the test set: its accuracy after the last epoch, mean over seeds 0 to {seeds - 1} ± 95 %. Adam at a
        rate of {RATE:g}, batches of {BATCH}, gradients clipped to a norm of {CLIP:g}. The rate was chosen for all
        cells alike, by {listed(CHOICE)} after one epoch on the first 50,000 pictures, tried on the other 10,000
        ({choice}).""",
        table(
            (
                *("cell", "weights", "Dey & Salem", "accuracy, %"),
                *(f"minus `{one}`" for one in REFERENCES),
                "s an epoch",
            ),
            rows,
        ),
        f"""Weights: of the recurrent layer, counted from the equations. Beside them what Dey & Salem 2017
        (arXiv:1701.05923) is quoted for at this size, for its GRU and types 1 to 3: these counts follow from its
        equations, the paper's own table was not read. Its GRU resets before the product, as `gru_reset_before` does;
        `gru` resets after it, as cuDNN, torch and Keras do, and has one bias more, {HIDDEN} weights. The paper's
        accuracies are not shown beside ours: they could not be confirmed, and are after 100 epochs. Its abstract says
        that the variants do as well as the GRU.""",
        """Differences: accuracy minus that of the named cell, paired by seed, ± 95 %. Seconds: processor time of one
        thread, on a machine that others used too.""",
        f"""{" ".join(_said(gaps[one], one) for one in REFERENCES)} Claims hold together at 95 % (Holm's correction);
        with {seeds} seeds only large differences can be shown, and no difference shown is not equality. {EPOCHS}
        epochs at one rate say who learns fast, not who would be best in the end.""",
    )


def _said(gaps: Mapping[str, Difference], reference: str) -> str:
    worse = [cell for cell, gap in gaps.items() if gap.shown and gap.mean < 0]
    better = [cell for cell, gap in gaps.items() if gap.shown and gap.mean > 0]
    alike = [cell for cell, gap in gaps.items() if not gap.shown]
    said = f"Less accurate than `{reference}`: {listed(worse)}; more accurate: {listed(better)}"
    lone = [cell for cell in alike if abs(gaps[cell].mean) > gaps[cell].reach]
    return f"{said}; no difference shown: {listed(alike)}, though alone the interval of {listed(lone)} is without zero."


def _accuracy(record: Record) -> float:
    return float(record["result"]["accuracy"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options = arguments(parser, CELLS, seeds=3)
    if not options.page:
        folder = Path(os.environ["GATEWORK_DATA"]) / "mnist"
        (x, y), test = load(folder, "train"), load(folder, "t10k")
        for rate, cell in product(RATES, CHOICE):
            asked = settings(cell, rate, VALIDATION, 1, HELD_OUT)
            trial(STORE, asked, (x[:-10_000], y[:-10_000]), (x[-10_000:], y[-10_000:]))
        for seed, cell in product(range(options.seeds), options.cells.split(",")):
            trial(STORE, settings(cell, RATE, seed, EPOCHS, TEST), (x, y), test)
    PAGE.write_text(page(STORE.records(), options.seeds), encoding="utf-8")


if __name__ == "__main__":
    main()
