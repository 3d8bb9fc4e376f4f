"""The spacing of a series' stamps: aware of the calendar, and able to go on after the last one."""

from dataclasses import dataclass

import numpy as np

from gatework.errors import UsageError

_MICROSECONDS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
# How many units make one turn of a season. A unit shorter than an hour is handled by the day and the week.
_SEASONS = {"day": (7, 365), "weekday": (5, 260), "week": (52,), "month": (12,), "quarter": (4,)}


@dataclass(frozen=True)
class Step:
    """`count` units of time from one row to the next; unit "row" where there is no clock.

    Units: microsecond, millisecond, second, minute, hour, day, weekday (Monday to Friday), week, month, quarter, year
    and row. `day` is the day of the month on which monthly, quarterly and yearly stamps fall: 31 means the last day of
    every month, 0 the same day as the stamp that one starts from.

    >>> Step(5, "minute").name, Step(5, "minute").seasons
    ('5 minutes', (288, 2016))
    >>> Step(1, "month").after(np.datetime64("2015-11-01"), 2).astype("datetime64[D]").tolist()
    [datetime.date(2015, 12, 1), datetime.date(2016, 1, 1)]
    """

    count: int
    unit: str
    day: int = 0

    def __post_init__(self) -> None:
        if self.unit not in {*_MICROSECONDS, *_MONTHS, "weekday", "row"}:
            raise UsageError(f"cannot make a step of unit '{self.unit}'; use one such as 'hour', 'day' or 'row'.")
        if self.count < 1:
            raise UsageError(f"cannot make a step of {self.count} {self.unit}s; use a count of at least 1.")

    @property
    def name(self) -> str:
        """The step in words, such as "1 day"."""
        return f"{self.count} {self.unit}{'' if self.count == 1 else 's'}"

    @property
    def seasons(self) -> tuple[int, ...]:
        """Natural season lengths in steps, shortest first; empty where there is none."""
        if self.unit in _SEASONS:
            turns = _SEASONS[self.unit]
            return tuple(n // self.count for n in turns if n % self.count == 0 and n > self.count)
        if self.unit not in _MICROSECONDS:
            return ()
        length = self.count * _MICROSECONDS[self.unit]
        # Below a minute a week is hundreds of thousands of steps: the hour and the day are what recurs.
        periods = ("hour", "day") if length < _MICROSECONDS["minute"] else ("day", "week")
        spans = [_MICROSECONDS[period] for period in periods]
        return tuple(span // length for span in spans if span % length == 0 and span > length)

    def after(self, last: np.datetime64 | int, n: int) -> np.ndarray:
        """Return the `n` stamps that follow `last`: (n,) datetime64[us], or int64 for rows."""
        return self.at(last, np.arange(1, n + 1))

    def at(self, origin: np.datetime64 | int, positions: np.ndarray) -> np.ndarray:
        """Return the stamps `positions` (n,) steps away from `origin`: (n,)."""
        if self.unit == "row":
            return np.asarray(int(origin) + self.count * positions.astype(np.int64))
        start = np.array([origin], "datetime64[us]")[0]
        if self.unit in _MONTHS:
            return self._months_away(start, positions * self.count * _MONTHS[self.unit])
        day = start.astype("datetime64[D]")
        if self.unit == "weekday":
            days = np.busday_offset(day, positions * self.count, roll="backward")
            return np.asarray(days.astype("datetime64[us]") + (start - day))
        return np.asarray(start + (positions * self.count * _MICROSECONDS[self.unit]).astype("timedelta64[us]"))

    def positions(self, times: np.ndarray, origin: np.datetime64) -> np.ndarray:
        """Return how many steps each of `times` (n,) lies after `origin`, to the nearest step: (n,) int64."""
        if self.unit in _MONTHS:
            months = times.astype("datetime64[M]") - origin.astype("datetime64[M]")
            return np.asarray(np.rint(months.astype(np.int64) / (self.count * _MONTHS[self.unit])), dtype=np.int64)
        if self.unit == "weekday":
            first = origin.astype("datetime64[D]")
            return np.asarray(np.busday_count(first, times.astype("datetime64[D]")) // self.count, dtype=np.int64)
        ticks = (times - origin).astype(np.int64)
        length = self.count * _MICROSECONDS[self.unit]
        return np.asarray((ticks + length // 2) // length)

    def _months_away(self, start: np.datetime64, months: np.ndarray) -> np.ndarray:
        """Move `start` by whole `months` (n,), keeping its time of day and clipping its day to the month's length."""
        month = start.astype("datetime64[M]")
        day = start.astype("datetime64[D]")
        wanted = (self.day or int((day - month).astype(np.int64)) + 1) - 1
        targets = month + months.astype("timedelta64[M]")
        lengths = ((targets + 1).astype("datetime64[D]") - targets.astype("datetime64[D]")).astype(np.int64)
        days = targets.astype("datetime64[D]") + np.minimum(wanted, lengths - 1)
        return np.asarray(days.astype("datetime64[us]") + (start - day))


def fixed_step(microseconds: int) -> Step:
    """Return a step of a fixed length, in the largest unit that divides it.

    >>> fixed_step(300_000_000).name, fixed_step(86_400_000_000).name
    ('5 minutes', '1 day')
    """
    unit = max((u for u, n in _MICROSECONDS.items() if microseconds % n == 0), key=lambda u: _MICROSECONDS[u])
    return Step(microseconds // _MICROSECONDS[unit], unit)
