"""A job in this process, and what becomes of a process that fails."""

from dataclasses import asdict, replace

import pytest

from gatework.bench import worker
from gatework.bench.job import Job, Timed
from gatework.bench.limits import Rates
from gatework.bench.process import environment, take_footprint
from gatework.bench.side import MODES
from gatework.bench.sides import SIDES
from gatework.bench.timing import Effort
from gatework.bench.torch_sides import Torch
from gatework.errors import BackendError

JOB = Job("2,3,1,4", 1, "float32", False, (("gru", "ours"), ("gru", "torch")), Effort(0.0, 1, 2), parts=True)


class Altered(Torch):
    """Torch's layer with one weight a thousandth larger."""

    def build(self, case):
        name = "weight_hh_l0"
        weights = {**case.weights, name: case.weights[name] * 1.001}
        return super().build(replace(case, weights=weights))


class Broken(Torch):
    """A library that fails."""

    def build(self, case):
        raise RuntimeError("no such kernel\nand much more")


@pytest.fixture(autouse=True)
def _no_rates(monkeypatch):
    """The rates of the processor take a second to measure and are not what is tested."""
    monkeypatch.setattr(worker, "measure_rates", lambda *_: Rates(1, 1e9, "torch", 1e9, 1e9))


def test_a_job_times_every_side_and_every_part():
    timed = worker.work(JOB)
    assert isinstance(timed, Timed)
    assert [(one.side, one.kernel) for one in timed.entries] == [("ours", "cpu"), ("torch", "torch")]
    (parts,) = timed.parts
    for seconds in (*(one.seconds for one in timed.entries), *parts.seconds.values()):
        assert set(seconds) == set(MODES)
        assert all(0 < one < 1 for values in seconds.values() for one in values)


def test_a_side_with_other_weights_is_not_timed(monkeypatch):
    monkeypatch.setitem(SIDES, "torch", Altered())
    with pytest.raises(BackendError, match=r"^Nothing was timed, .* torch for gru at 2,3,1,4 are not those"):
        worker.work(JOB)


@pytest.mark.parametrize(
    ("cell", "wrong", "agrees"), [("rnn_relu", 2, True), ("rnn_relu", 3, False), ("gru", 1, False)]
)
def test_where_a_kink_may_be_the_reason_numbers_are_drawn_again(monkeypatch, cell, wrong, agrees):
    built = []

    class AtFirst(Torch):
        def build(self, case):
            built.append(case)
            return (Altered() if len(built) <= wrong else Torch()).build(case)

    monkeypatch.setitem(SIDES, "torch", AtFirst())
    job = replace(JOB, shape="2,200,1,4", entries=((cell, "ours"), (cell, "torch")), parts=False)
    if agrees:
        assert isinstance(worker.work(job), Timed)
    else:
        with pytest.raises(BackendError, match=f"torch for {cell} at"):
            worker.work(job)
    assert len({float(case.x.sum()) for case in built}) == len(built) == (3 if cell == "rnn_relu" else 1)


def test_a_side_that_fails_is_named(monkeypatch):
    monkeypatch.setitem(SIDES, "torch", Broken())
    with pytest.raises(BackendError, match=r"^The peer torch failed for gru at 2,3,1,4: no such kernel$"):
        worker.work(JOB)


def test_a_job_survives_its_journey():
    assert Job.from_json(asdict(JOB)) == JOB


def test_a_footprint_that_takes_too_long_is_none():
    assert take_footprint(replace(JOB, entries=(("gru", "ours"),), effort=None), limit=0.01) is None


def test_a_process_that_dies_is_told_in_one_sentence():
    with pytest.raises(BackendError, match=r"^Measuring gru of nobody at 2,3,1,4 failed: .*nobody"):
        take_footprint(replace(JOB, entries=(("gru", "nobody"),), effort=None), limit=None)


def test_libraries_get_the_same_threads():
    found = environment(2, "")
    assert {found[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")} == {"2"}
    assert "multi_thread_eigen" not in found["XLA_FLAGS"]
    assert environment(1, "")["XLA_FLAGS"].endswith("--xla_cpu_multi_thread_eigen=false")
