"""Squares of vectors: as many as a vector has lanes."""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir

from gatework.kernels.cpu.code import I32, Code


def transposed(code: Code, vectors: list[Any]) -> list[Any]:
    """A square of vectors, rows as columns: in each round, pairs of vectors trade halves of ever smaller parts."""
    lanes = len(vectors)
    part = lanes // 2
    while part:
        result = list(vectors)
        for a in range(lanes):
            if a & part:
                continue
            b = a + part
            low = [i if not i & part else lanes + i - part for i in range(lanes)]
            high = [i + part if not i & part else lanes + i for i in range(lanes)]
            for row, order in ((a, low), (b, high)):
                mask = ir.Constant(ir.VectorType(I32, lanes), order)
                result[row] = code.builder.shuffle_vector(vectors[a], vectors[b], mask)
        vectors = result
        part //= 2
    return vectors


def across(code: Code, vectors: list[Any]) -> Any:
    """The sum over the lanes of each vector of a square, as one vector."""
    parts = transposed(code, vectors)
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [code.builder.fadd(a, b) for a, b in zip(parts[:half], parts[half:], strict=True)]
    return parts[0]
