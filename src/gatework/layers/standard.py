"""What a layer does over all time steps at once: batch norm of what comes from the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatework.graph.early import Split
from gatework.graph.naming import Names
from gatework.graph.ops import WHOLE, Op
from gatework.kernels.reference import evaluate

MOMENTUM = 0.05
"""The part that a batch has in the running averages (Ravanelli et al. 2018, the authors' code)."""

EPSILON = 1e-5
"""What is added to a variance (Ioffe & Szegedy 2015; torch's value)."""


class Standard(nn.Module):
    """Running averages of what a cell makes standard, and the part of the cell that ends there.

    Those of `standard(W.z @ x)` are called `mean_z` and `variance_z`.
    """

    def __init__(
        self, split: Split, sizes: Mapping[str, int], *, device: torch.device | str | None, dtype: torch.dtype | None
    ) -> None:
        super().__init__()
        for k, name in _names(split).items():
            size = sizes[split.nodes[k].shape[0]]
            self.register_buffer(f"mean_{name}", torch.zeros(size, device=device, dtype=dtype))
            self.register_buffer(f"variance_{name}", torch.ones(size, device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Begin the averages anew: mean 0, variance 1."""
        for name, average in self.named_buffers():
            average.fill_(float(name.startswith("variance")))

    def forward(
        self, split: Split, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor], valid: Tensor | None
    ) -> list[Tensor]:
        """The results of a split's first part for the whole sequence, (T, B, size) each.

        `inputs` are the cell's by name, (T, B, size). What stands where `valid`, (T, B, 1), is zero has no part in the
        averages.
        """
        names = _names(split)

        def standard(k: int, values: Sequence[Tensor]) -> Tensor:
            return self._standard(names[k], values[split.nodes[k].args[0]], valid)

        values = evaluate(split.nodes, weights, inputs, {Op.STANDARD: standard})
        return [values[k] for k in split.results]

    def _standard(self, name: str, value: Tensor, valid: Tensor | None) -> Tensor:
        mean, variance = getattr(self, f"mean_{name}"), getattr(self, f"variance_{name}")
        if self.training and valid is not None:
            return _of_valid(value, valid, mean, variance)
        rows = value.flatten(0, 1)
        training = self.training and len(rows) > 1  # fewer rows have no variance
        found = F.batch_norm(rows, mean, variance, None, None, training, MOMENTUM, EPSILON)
        return found.view_as(value)


def _names(split: Split) -> dict[int, str]:
    """What the averages of a split's nodes are called."""
    names = Names(())
    found: dict[int, str] = {}
    for k, node in enumerate(split.nodes):
        if node.op in WHOLE:
            of = split.nodes[node.args[0]]
            found[k] = names.give(split.nodes[of.args[0]].name[2:] if of.op is Op.MATMUL else of.name or "value")
    return found


def _of_valid(value: Tensor, valid: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Batch norm by the averages over the places where `valid` is one; the running averages follow these."""
    count = valid.sum()
    enough = count > 1  # fewer rows have no variance, and are taken as after training
    rows = count.clamp(min=1)
    own_mean = torch.where(enough, (valid * value).sum((0, 1)) / rows, mean)
    apart = value - own_mean
    own_variance = torch.where(enough, (valid * apart * apart).sum((0, 1)) / rows, variance)
    with torch.no_grad():
        mean.lerp_(own_mean, MOMENTUM)
        unbiased = own_variance * count / (count - 1).clamp(min=1)
        variance.lerp_(torch.where(enough, unbiased, variance), MOMENTUM)
    return apart / torch.sqrt(own_variance + EPSILON)
