"""Search for a cell on JSB Chorales: the core of `gatework search` on another task. Writes docs/results/search_jsb.md.

Four-part chorales, 88 notes a frame; the network predicts every note of the next frame. Losses are negative
log-likelihoods a frame in nats, summed over notes. The search sees training and validation pieces only; what it found
is trained with fresh seeds beside known cells at equal parameters, and judged on the test pieces.

Everything is kept in gatework-runs/search_jsb: what is finished is not trained again.
Usage: GATEWORK_DATA=… python benchmarks/search_jsb.py [--candidates 27] [--minutes 10] [--seeds 3] [--known]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import loadmat
from search_jsb_page import Row, page
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from gatework.cells import catalogue, find
from gatework.graph import Cell
from gatework.graph.canonical import canonical
from gatework.graph.source import source
from gatework.graph.text import equations
from gatework.layers import Recurrent
from gatework.study.budget import widths_for
from gatework.study.halving import Candidate, Findings, Trained, Watcher, rounds_of, search
from gatework.study.search_folder import SearchFolder
from gatework.study.soundness import flaw
from gatework.tasks.forecaster import count

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "results" / "search_jsb.md"
RUN = ROOT / "gatework-runs" / "search_jsb"
NOTES = 88
STARTS = ("gru", "lstm", "mgu")
BESIDE = ("gru", "lstm", "mut1", "mut2", "mut3")
SEARCHED, REST = ("traindata", "validdata"), "testdata"
SEARCHED_EPOCHS = 15
"""The last round of the search is shorter than the trainings that judge: three times as many cells for its time."""


@dataclass(frozen=True)
class Settings:
    """How every cell is trained."""

    params: int = 40_000
    epochs: int = 40
    batch: int = 16
    learning_rate: float = 0.02
    dropout: float = 0.3
    clip: float = 1.0


class Pieces:
    """Pieces as one batch: frames (T, B, 88), the frames that follow them, and their lengths (B,)."""

    def __init__(self, pieces: list[Tensor]) -> None:
        self.x = pad_sequence([one[:-1] for one in pieces])
        self.y = pad_sequence([one[1:] for one in pieces])
        self.lengths = torch.tensor([len(one) - 1 for one in pieces])

    def valid(self) -> Tensor:
        """Whether a frame is there: (T, B)."""
        return torch.arange(len(self.x))[:, None] < self.lengths


class Network(nn.Module):
    """One recurrent layer, and a linear read-out of every frame."""

    def __init__(self, cell: Cell, width: int, dropout: float) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, NOTES, width)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(width, NOTES)

    def losses(self, pieces: Pieces) -> Tensor:
        """The losses of every piece, summed over its frames: (B,)."""
        output, _ = self.recurrent(pieces.x, lengths=pieces.lengths)
        notes = F.binary_cross_entropy_with_logits(self.readout(self.dropout(output)), pieces.y, reduction="none")
        return (notes.sum(dim=-1) * pieces.valid()).sum(dim=0)

    def evaluate(self, pieces: Pieces) -> Tensor:
        """The losses of every piece, without dropout and without a gradient."""
        self.eval()
        with torch.no_grad():
            return self.losses(pieces)


class Music:
    """The pieces, as three parts."""

    def __init__(self, folder: Path) -> None:
        path = folder / "poly_music" / "JSB_Chorales.mat"
        raw = loadmat(path)
        self.parts = {
            key: [torch.from_numpy(one.astype(np.float32)) for one in raw[key][0]] for key in (*SEARCHED, REST)
        }
        self.fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()[:20]
        self.batches = {key: Pieces(self.parts[key]) for key in (SEARCHED[1], REST)}

    def independent(self) -> float:
        """The loss a frame of notes that know nothing of each other and of the past, on the test pieces."""
        share = torch.cat(self.parts[SEARCHED[0]]).mean(dim=0).clamp(1e-4, 1 - 1e-4)
        frames = torch.cat([one[1:] for one in self.parts[REST]])
        return float(-(frames * share.log() + (1 - frames) * (1 - share).log()).sum(dim=1).mean())


def width_of(cell: Cell, settings: Settings) -> int:
    """The units with which the network spends its weights, read-out included."""
    return widths_for(cell, NOTES, NOTES, settings.params, 1)[0]


def train(music: Music, cell: Cell, settings: Settings, epochs: int, seed: int) -> tuple[float, int, Network]:
    """Train a network: the lowest validation loss a frame, its epoch, and the network with the weights it had then."""
    torch.manual_seed(seed)
    network = Network(cell, width_of(cell, settings), settings.dropout)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    shuffle = torch.Generator().manual_seed(seed)
    pieces, held_out = music.parts[SEARCHED[0]], music.batches[SEARCHED[1]]
    best, at = inf, 0
    kept = {key: value.clone() for key, value in network.state_dict().items()}
    for epoch in range(1, epochs + 1):
        network.train()
        for chosen in torch.randperm(len(pieces), generator=shuffle).split(settings.batch):
            batch = Pieces([pieces[k] for k in chosen])
            loss = network.losses(batch).sum() / batch.lengths.sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimizer.step()
        schedule.step()
        error = float(network.evaluate(held_out).sum() / held_out.lengths.sum())
        if error < best:
            best, at = error, epoch
            kept = {key: value.clone() for key, value in network.state_dict().items()}
        if not isfinite(error):
            break
    network.load_state_dict(kept)
    return best, at, network


class Bench:
    """The search and the judgement: what is stored is not trained again."""

    def __init__(self, music: Music, settings: Settings) -> None:
        self.music, self.settings = music, settings

    def key(self, cell: Cell, epochs: int, seed: int, kind: str) -> str:
        """What names a training by its content."""
        what = [kind, canonical(cell), epochs, seed, asdict(self.settings), self.music.fingerprint]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:20]

    def look(self, candidates: int, seconds: float, store: SearchFolder) -> Findings:
        """Run the search."""
        known = store.known()

        def trained(cell: Cell, epochs: int, seed: int) -> Trained:
            key = self.key(cell, epochs, seed, "search")
            if key not in known:
                began = time.perf_counter()
                error, _, _ = train(self.music, cell, self.settings, epochs, seed)
                known[key] = Trained(error, time.perf_counter() - began)
                store.note(key, known[key], {"equations": equations(cell.graph), "epochs": epochs, "seed": seed})
            return known[key]

        return search(
            [catalogue[name] for name in STARTS],
            trained,
            candidates=candidates,
            rounds=rounds_of(SEARCHED_EPOCHS),
            check=lambda cell: flaw(cell, NOTES),
            seconds=seconds,
            watcher=Told(),
        )

    def judge(self, cell: Cell, seeds: int) -> Row:
        """Train a cell with fresh seeds, and read its losses on the test pieces."""
        found = [self._judged(cell, seed) for seed in range(seeds)]
        frames = self.music.batches[REST].lengths.numpy()
        pieces = np.array([one["losses"] for one in found]) / frames.mean()
        width = width_of(cell, self.settings)
        weights = count(cell, NOTES, (width,), NOTES)
        return Row(cell, width, weights, [one["validation"] for one in found], [one["epoch"] for one in found], pieces)

    def task(self) -> list[str]:
        """What is trained and how, in sentences."""
        one, (train, held_out, test) = self.settings, (len(self.music.parts[key]) for key in (*SEARCHED, REST))
        return [
            f"88 notes a frame, every note of the next frame from the frames before; {train} pieces to train on,",
            f"{held_out} for validation, {test} for the test. Losses are negative log-likelihoods a frame in nats,",
            "summed over the notes. Every network has one layer of the cell and a linear read-out, together",
            f"{one.params:,} weights as near as whole units come, dropout {one.dropout:g} before the read-out; Adam,",
            f"its step falling from {one.learning_rate:g} to zero along a cosine; batches of {one.batch} pieces,",
            f"gradients clipped at {one.clip:g}, {one.epochs} epochs, the best in validation kept. The step was chosen",
            "by hand from a few trainings of gru and lstm, before the search; nothing was tuned for a found cell.",
        ]

    def _judged(self, cell: Cell, seed: int) -> dict[str, Any]:
        path = RUN.parent / "search_jsb_judged" / f"{self.key(cell, self.settings.epochs, seed, 'judge')}.json"
        if not path.exists():
            error, epoch, network = train(self.music, cell, self.settings, self.settings.epochs, seed)
            losses = network.evaluate(self.music.batches[REST]).tolist()
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps({"validation": error, "epoch": epoch, "losses": losses}), encoding="utf-8")
            part.replace(path)
            print(f"  {cell.name} seed {seed}: validation {error:.3f} at epoch {epoch}", flush=True)
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return record


class Told(Watcher):
    """A line for every round of every cell."""

    def trained(self, candidate: Candidate) -> None:
        words = "; ".join(candidate.changes)
        print(f"  {candidate.name} round {candidate.rounds}: {candidate.error:.3f}  {words}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=27)
    parser.add_argument("--minutes", type=float, default=10.0, help="for the trainings of the search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--known", action="store_true", help="train the known cells only, while another process searches"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    music, settings = Music(Path(os.environ["GATEWORK_DATA"])), Settings()
    bench = Bench(music, settings)
    if options.known:
        for name in BESIDE:
            bench.judge(catalogue[name], options.seeds)
        return
    subject = {
        "search": {"music": music.fingerprint, **asdict(settings), "epochs": SEARCHED_EPOCHS, "start": list(STARTS)}
    }
    with SearchFolder(RUN, subject) as store:
        findings = bench.look(options.candidates, 60 * options.minutes, store)
        best = findings.best(1)
        if not best:
            sys.exit("The search trained no new cell: give it more --minutes.")
        named = [replace(one.cell, name="found", title=f"{one.name}, from {one.parent}") for one in best]
        store.write_text("found.py", source(named, "Found on JSB Chorales."))
    found = find(f"{RUN / 'found.py'}:found")
    rows = [bench.judge(cell, options.seeds) for cell in (found, *(catalogue[name] for name in BESIDE))]
    PAGE.write_text(page(bench.task(), findings, found, rows, music.independent()), encoding="utf-8")


if __name__ == "__main__":
    main()
