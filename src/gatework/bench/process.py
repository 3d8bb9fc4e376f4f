"""Jobs run in processes of their own, one after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gatework.bench.job import Footprint, Job, Timed
from gatework.errors import BackendError


def time_sides(job: Job, cache: str = "") -> Timed:
    """The times of a job with an effort; what is compiled for it is kept in `cache`.

    Raises `BackendError` where a side fails, or has wrong results.
    """
    answer = _send(job, environment(job.threads, cache), limit=None)
    assert answer is not None
    return Timed.from_json(answer)


def take_footprint(job: Job, limit: float | None) -> Footprint | None:
    """The footprint of a job's only entry, None where it takes more than `limit` seconds. Raises `BackendError`."""
    answer = _send(job, environment(job.threads, ""), limit=limit)
    return None if answer is None else Footprint(**answer)


def _send(job: Job, variables: Mapping[str, str], *, limit: float | None) -> dict[str, Any] | None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gatework.bench.worker"],
            input=json.dumps(asdict(job)),
            env=variables,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with status {done.returncode}"]
        raise BackendError(f"Measuring {_names(job)} at {job.shape} failed: {last[0]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" in answer:
        raise BackendError(answer["error"])
    return answer


def environment(threads: int, cache: str) -> dict[str, str]:
    """The variables that give every library the same threads, and keep what it compiles out of the user's folders."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")
    flags = [os.environ.get("XLA_FLAGS", ""), *(["--xla_cpu_multi_thread_eigen=false"] if threads == 1 else [])]
    return {
        **os.environ,
        **dict.fromkeys(names, str(threads)),
        "XLA_FLAGS": " ".join(flags).strip(),
        "KERAS_BACKEND": "jax",
        "GATEWORK_CACHE": cache,
        "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }


def _names(job: Job) -> str:
    return ", ".join(f"{cell} of {side}" for cell, side in job.entries)
