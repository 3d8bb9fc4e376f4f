"""Time an epoch of the classic guide's model beside the same model in plain torch, in one run.

The guide: daily Bitcoin closes, 60-row windows, two layers of 50 and 100 units, dropout 0.2 after each, a linear
read-out, RMSprop, batches of 64. Both sides get the same weights and the same batches, and must give the same loss.
Writes docs/results/guide.md. Usage: python benchmarks/guide.py [--epochs 5] [--threads 1]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor, nn

from gatework.cells import catalogue
from gatework.data import load, split
from gatework.study.record import versions
from gatework.tasks.forecaster import Forecaster, count
from gatework.tasks.problem import Problem
from gatework.tasks.transform import fit

WIDTHS, DROPOUT, BATCH, WINDOW = (50, 100), 0.2, 64, 60
PEERS: dict[str, tuple[type[nn.RNNBase], str]] = {
    "rnn": (nn.RNN, "RNN_TANH"),
    "lstm": (nn.LSTM, "LSTM"),
    "gru": (nn.GRU, "GRU"),
}
PAGE = Path(__file__).parent.parent / "docs" / "results" / "guide.md"


class PlainTorch(nn.Module):
    """The guide's model as one writes it in torch."""

    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        self.first = layer(1, WIDTHS[0], batch_first=True)
        self.second = layer(WIDTHS[0], WIDTHS[1], batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)
        self.readout = nn.Linear(WIDTHS[1], 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.first(x)[0])
        return self.readout(self.dropout(self.second(x)[0][:, -1]))


def same_weights(ours: Forecaster, theirs: PlainTorch, mode: str) -> None:
    """Give our forecaster the weights of the plain model."""
    from gatework.layers.torch_compatible import LAYOUTS

    with torch.no_grad():
        for layer, peer in zip(ours.recurrent.layers, (theirs.first, theirs.second), strict=True):
            W, U, b_ih, b_hh = peer.all_weights[0]
            for key, value in LAYOUTS[mode].weights(W, U, (b_ih, b_hh)).items():
                getattr(layer, key.replace(".", "_", 1)).copy_(value)
        ours.readout.load_state_dict(theirs.readout.state_dict())


def epoch(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """One training epoch, in seconds."""
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    model.train()
    began = perf_counter()
    for inputs, answers in zip(x.split(BATCH), y.split(BATCH), strict=True):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), answers).backward()
        optimizer.step()
    return perf_counter() - began


def measure(name: str, x: Tensor, y: Tensor, epochs: int) -> tuple[float, float, float]:
    """Median seconds an epoch: ours, plain torch; and the largest difference of their outputs before training."""
    layer, mode = PEERS[name]
    torch.manual_seed(0)
    theirs = PlainTorch(layer)
    ours = Forecaster(catalogue[name], 1, WIDTHS, 1, dropout=DROPOUT)
    same_weights(ours, theirs, mode)
    ours.eval()
    theirs.eval()
    with torch.no_grad():
        difference = float((ours(x[:512]) - theirs(x[:512])).abs().max())
    assert difference < 1e-5, f"{name}: the outputs differ by {difference:g}"
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    runs: tuple[tuple[str, nn.Module], ...] = (("ours", ours), ("theirs", theirs))
    for number in range(epochs + 1):
        for side, model in runs:
            seconds = epoch(model, x, y)
            if number:  # the first is a warm-up
                times[side].append(seconds)
    return median(times["ours"]), median(times["theirs"]), difference


def guide_data(folder: Path) -> tuple[Tensor, Tensor]:
    """The training windows and what follows them, scaled by the training part."""
    series = load(folder / "bitcoin" / "BCHARTS-BITSTAMPUSD.csv", target="Close", missing="drop")
    parts = split(series)
    transform = fit(series.values[: parts.train_end], ("standard",), 1)
    x, y, _ = Problem(series, parts, WINDOW, 1, transform).tensors("train")
    return x, y


def page(rows: list[str], windows: int, epochs: int) -> str:
    """The table, with what it was measured on."""
    about = ", ".join(f"{key} {value}" for key, value in versions().items())
    head = [
        "# The classic guide's model: time per epoch",
        "",
        f"`python benchmarks/guide.py --epochs {epochs} --threads {torch.get_num_threads()}` on {about}.",
        f"Daily Bitcoin closes, {windows:,} windows of {WINDOW} rows, layers {WIDTHS[0]} and {WIDTHS[1]}, dropout "
        f"{DROPOUT}, RMSprop, batches of {BATCH}; medians of {epochs} epochs after one warm-up, both sides in turn, "
        "outputs checked equal before training.",
        "",
        "| cell | parameters | gatework, s | plain torch, s | gatework / torch | largest difference of outputs |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    return "\n".join([*head, *rows, ""])


def main(show: Callable[[str], None] = print) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x, y = guide_data(Path(os.environ["GATEWORK_DATA"]))
    rows = []
    for name in PEERS:
        ours, theirs, difference = measure(name, x, y, options.epochs)
        parameters = count(catalogue[name], 1, WIDTHS, 1)
        rows.append(f"| {name} | {parameters:,} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} | {difference:.1e} |")
        show(rows[-1])
    PAGE.write_text(page(rows, len(x), options.epochs), encoding="utf-8")


if __name__ == "__main__":
    main()
