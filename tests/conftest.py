"""What several rooms' tests need: small series, and a quiet torch."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from gatework.data import Series, Split
from gatework.data.step import Step

# Without a GPU kernels in Triton are interpreted. Triton asks for this when it is imported, which torch may do later.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# The same examples in every run: what is red here is red everywhere. `make explore` draws new ones.
settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small products on one thread: faster here, and the same numbers everywhere."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _kernels_of_this_run(tmp_path_factory):
    """Compiled kernels are kept for the run and its subprocesses, and not among the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWORK_CACHE", str(tmp_path_factory.mktemp("kernels", numbered=False)))
        yield


@pytest.fixture(autouse=True)
def _compiler_without_memory():
    """What torch.compile has made for one test counts against its limit in the next."""
    yield
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()


@pytest.fixture
def real_data():
    """The folder of the real data sets."""
    folder = os.environ.get("GATEWORK_DATA")
    if not folder:
        pytest.skip("GATEWORK_DATA is not set: the real data sets are not here")
    return Path(folder)


def make_series(y, features=None, *, observed=None, name="made", missing="carry"):
    """A series with row numbers for a clock."""
    values = np.column_stack([y, *(features or {}).values()]).astype(float)
    seen = np.ones(values.shape, dtype=bool)
    if observed is not None:
        seen[:, 0] = observed
    return Series(
        name=name,
        target="y",
        features=tuple(features or {}),
        values=values,
        observed=seen,
        times=np.arange(len(values)),
        step=Step(1, "row"),
        findings=(),
        missing=missing,
    )


@pytest.fixture
def series_of():
    return make_series


@pytest.fixture
def thirds():
    """Train, validation and test of equal length."""
    return lambda rows: Split(rows // 3, 2 * rows // 3, rows)
