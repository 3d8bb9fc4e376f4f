"""The sizes that are measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gatework.errors import UsageError


@dataclass(frozen=True, slots=True)
class Shape:
    """B sequences of T steps, N inputs and H units.

    >>> str(Shape.parse("64, 60,1,50")), Shape.parse("64,60,1,50").H
    ('64,60,1,50', 50)
    """

    B: int
    T: int
    N: int
    H: int

    @classmethod
    def parse(cls, text: str) -> Shape:
        """A shape from `B,T,N,H`. Raises `UsageError`."""
        try:
            B, T, N, H = (int(one) for one in text.split(","))
        except ValueError:
            raise UsageError(f"The shape {text!r} is not four whole numbers B,T,N,H, as in 64,60,1,50.") from None
        if min(B, T, N, H) < 1:
            raise UsageError(f"The shape {text} has a size below 1: batch, time, inputs and units are positive.")
        return cls(B, T, N, H)

    def __str__(self) -> str:
        return f"{self.B},{self.T},{self.N},{self.H}"


SHAPES = (
    Shape(64, 60, 1, 50),
    Shape(64, 60, 1, 100),
    Shape(64, 60, 16, 100),
    Shape(32, 100, 64, 128),
    Shape(64, 100, 128, 256),
    Shape(16, 200, 64, 512),
    Shape(1, 200, 8, 64),
)
"""From the layers of the classic guide, over wide ones, to one sequence alone."""

MIDDLE = Shape(32, 100, 64, 128)
"""Where the whole catalogue is measured, and what the growth curves go through."""

QUICK = (Shape(64, 60, 1, 50), MIDDLE)

GROWTH: dict[str, tuple[Shape, ...]] = {
    "T": tuple(replace(MIDDLE, T=T) for T in (10, 30, 100, 300, 1000)),
    "B": tuple(replace(MIDDLE, B=B) for B in (1, 4, 16, 32, 64, 256)),
    "H": tuple(replace(MIDDLE, H=H) for H in (32, 64, 128, 256, 512)),
}
"""The letter that grows → the shapes of the curve."""
