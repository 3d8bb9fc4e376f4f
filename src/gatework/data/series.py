"""A series ready to be learned: numbers without gaps, a clock, and everything that was done to get there."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from gatework.data.finding import Finding
from gatework.data.step import Step


@dataclass(frozen=True, eq=False)
class Series:
    """One target and its features on one clock.

    Shapes (`T` rows, `F` features): `values` (T, 1+F) float64, the target first, never NaN; `observed` (T, 1+F) bool,
    True where the value was really in the table; `times` (T,) datetime64[us], or int64 row numbers from 0 where there
    is no clock; `missing` is how gaps were filled. `fingerprint` is the SHA-256 of values, observed, times
    and column names.

    >>> one = Series("s", "y", (), np.ones((3, 1)), np.ones((3, 1), bool), np.arange(3), Step(1, "row"), ())
    >>> one.y.shape, one.has_clock, len(one.fingerprint)
    ((3,), False, 64)
    """

    name: str
    target: str
    features: tuple[str, ...]
    values: np.ndarray
    observed: np.ndarray
    times: np.ndarray
    step: Step
    findings: tuple[Finding, ...]
    missing: str = "carry"
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        # Rows are shared by every trial of a study: nobody may change them in place.
        for array in (self.values, self.observed, self.times):
            array.flags.writeable = False
        object.__setattr__(self, "fingerprint", self._digest())

    @property
    def y(self) -> np.ndarray:
        """The target: (T,) float64."""
        return np.asarray(self.values[:, 0])

    @property
    def has_clock(self) -> bool:
        """Whether `times` are stamps rather than row numbers."""
        return self.times.dtype.kind == "M"

    def _digest(self) -> str:
        """Return the SHA-256 of the content; the byte order is fixed so that machines agree."""
        digest = hashlib.sha256()
        for name in (self.target, *self.features):
            # The length keeps ("ab", "c") apart from ("a", "bc").
            encoded = name.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        # Adding zero turns -0.0 into 0.0: they are the same content.
        digest.update(np.ascontiguousarray(self.values + 0.0, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.observed, dtype=np.uint8).tobytes())
        digest.update(self.times.dtype.kind.encode() + np.ascontiguousarray(self.times).astype("<i8").tobytes())
        return digest.hexdigest()
