"""Products before the loop over time or after it, beside products in it: for few sequences and for more.

`python benchmarks/before_the_loop.py [--rounds 9]` takes turns between both ways, one thread, and prints the time of
the loop over that of the products apart, median over rounds, for inference and for a training step.
"""

import argparse
from statistics import median
from time import perf_counter

import torch

import gatework as gw
from gatework.kernels.cpu import backend

CASES = (
    ("mingru", 1, 256, 512),
    ("mingru", 4, 256, 512),
    ("mingru", 8, 256, 128),
    ("mingru", 32, 128, 128),
    ("lstm", 1, 256, 512),
    ("gru", 1, 256, 512),
    ("gru", 1, 256, 256),
    ("gru", 1, 256, 128),
    ("lru", 1, 256, 512),
    ("lru", 64, 100, 128),
)
"""Cells, sequences, time steps, and as many inputs as units."""

WAYS = {"loop": (0, 1 << 60), "first": (1 << 30, 0)}
"""The sequences up to which, and the bytes of weights from which, products come first: never, and always."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| cell | B, T, N = H | forward | training |\n|---|---|---:|---:|")
    for name, B, T, H in CASES:
        layer, x = gw.Recurrent(name, H, H), torch.randn(T, B, H)

        def seconds(way: str, training: bool, layer: gw.Recurrent = layer, x: torch.Tensor = x) -> float:
            backend.FEW, backend.LARGE = WAYS[way]
            begin = perf_counter()
            with torch.set_grad_enabled(training):
                output, _ = layer(x)
            if training:
                output.sum().backward()
                layer.zero_grad()
            return perf_counter() - begin

        ratios = []
        for training in (False, True):
            found = [[seconds(way, training) for way in WAYS] for _ in range(rounds + 2)][2:]
            ratios.append(median(loop / first for loop, first in found))
        print(f"| `{name}` | {B}, {T}, {H} | {ratios[0]:.1f} | {ratios[1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
