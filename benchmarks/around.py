"""What goes around a cell costs: training steps of an LSTM with lengths, zoneout and layer norm, over a plain one.

`python benchmarks/around.py [--shape 64,60,16,100] [--rounds 20]` takes turns between the variants, one thread, and
prints the median over rounds of each one's time over the plain layer's in the same round.
"""

import argparse
from statistics import median
from time import perf_counter

import torch

import gatework as gw

VARIANTS = {
    "plain": {},
    "lengths": {},
    "zoneout": {"zoneout": 0.1},
    "layer norm": {"layer_norm": True},
    "layer norm, each": {"layer_norm": "each"},
    "layer norm, zoneout, lengths": {"layer_norm": True, "zoneout": 0.1},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="64,60,16,100", help="batch, time steps, inputs, units")
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    B, T, N, H = (int(one) for one in asked.shape.split(","))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, lengths = torch.randn(T, B, N), torch.randint(T // 2, T + 1, (B,))
    cotangent = torch.randn(T, B, H)
    layers = {name: gw.Recurrent("lstm", N, H, **options) for name, options in VARIANTS.items()}

    def step(name: str) -> float:
        layer = layers[name]
        begin = perf_counter()
        output, _ = layer(x, lengths=lengths if "lengths" in name else None)
        output.backward(cotangent)
        layer.zero_grad()
        return perf_counter() - begin

    for name in VARIANTS:
        for _ in range(3):
            step(name)
    rounds = [{name: step(name) for name in VARIANTS} for _ in range(asked.rounds)]
    print(f"LSTM, training step, B={B} T={T} N={N} H={H}, one thread, kernel {layers['plain'].kernel}")
    for name in VARIANTS:
        time = median(one[name] for one in rounds)
        ratio = median(one[name] / one["plain"] for one in rounds)
        print(f"{name:<30} {1e3 * time:8.2f} ms   {ratio:5.2f} × plain")


if __name__ == "__main__":
    main()
