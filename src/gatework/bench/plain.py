"""A record as the plain data that `gatework bench --json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gatework.bench.figures import gru_to_lstm, means, threads_to_one, time_per_flop
from gatework.bench.record import Gap, Record


def plain(record: Record) -> dict[str, Any]:
    """One object: times in milliseconds, rates in 10⁹ a second, memory in MiB, ratios as theirs over ours."""
    return {
        "command": record.command,
        "versions": dict(record.versions),
        "processor": dict(record.processor),
        "settings": dict(record.settings),
        "rates": [
            {
                "threads": one.threads,
                "sgemm_gflops": one.sgemm / 1e9,
                "sgemm_library": one.library,
                "torch_mm_gflops": one.torch / 1e9,
                "copy_gbytes": one.copy / 1e9,
            }
            for one in record.rates.values()
        ],
        "rows": [{**asdict(row), "share": record.share(row)} for row in record.rows],
        "gaps": [_gap(record, gap) for gap in record.gaps],
        "means": [asdict(one) for one in means(record)],
        "gru_to_lstm": [asdict(one) for one in gru_to_lstm(record)],
        "threads_to_one": [asdict(one) for one in threads_to_one(record)],
        "time_per_flop": [asdict(one) for one in time_per_flop(record)],
        "skipped": [asdict(one) for one in record.skipped],
    }


def _gap(record: Record, gap: Gap) -> dict[str, Any]:
    milliseconds, cause = record.limit_ms(gap)
    return {**asdict(gap), "limit_ms": milliseconds, "limited_by": cause, "rest_ms": gap.rest_ms}
