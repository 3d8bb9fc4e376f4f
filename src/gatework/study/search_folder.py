"""What a search leaves on disk, and how it goes on after it was interrupted.

study.json      what is searched for; another search, or a study, is refused
trials.db       the finished trainings, in Optuna's SQLite storage
found.py        the cells that were found, to be compared anywhere; found_new.py where it was changed by hand
search.json     every cell that was tried, with its equations
comparison/     the run folder of the study that judges what was found
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import count
from math import inf, isfinite
from pathlib import Path
from typing import Any

from optuna.trial import TrialState, create_trial

from gatework.study.halving import Trained
from gatework.study.run_folder import RunFolder

_WRITTEN = "written"
"""The attribute of the stored study that holds the digests of what was written to be changed by hand."""


class SearchFolder(RunFolder):
    """The run folder of a search: trainings are kept as numbers, without forecasts and weights."""

    def known(self) -> dict[str, Trained]:
        """The trainings that are in the storage, by key."""
        assert self._study is not None, "the run folder is not open"
        found = {}
        for stored in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            error, seconds = stored.user_attrs["error"], float(stored.user_attrs["seconds"])
            found[str(stored.user_attrs["key"])] = Trained(inf if error is None else float(error), seconds)
        return found

    def note(self, key: str, trained: Trained, about: Mapping[str, Any]) -> None:
        """Store a finished training, with what is to be known of it as plain data."""
        assert self._study is not None, "the run folder is not open"
        error = trained.error if isfinite(trained.error) else None
        self._study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=inf if error is None else error,
                user_attrs={"key": key, "error": error, "seconds": trained.seconds, **about},
            )
        )

    def write_beside(self, name: str, content: str) -> str:
        """Write a file that a person may change, and return the name that it got.

        A file that holds anything but what a search wrote here is left alone: for `found.py` the next names are
        `found_new.py`, `found_new_2.py` and so on.
        """
        assert self._study is not None, "the run folder is not open"
        written = [str(one) for one in self._study.user_attrs.get(_WRITTEN, [])]
        ours = {*written, _digest(content.encode())}
        chosen = next(one for one in _names(name) if _is_free(self.path / one, ours))
        # First: what is on disk is known to be ours, even after a kill.
        self._study.set_user_attr(_WRITTEN, sorted(ours))
        self.write_text(chosen, content)
        return chosen


def _names(name: str) -> Iterator[str]:
    path = Path(name)
    yield name
    yield f"{path.stem}_new{path.suffix}"
    yield from (f"{path.stem}_new_{k}{path.suffix}" for k in count(2))


def _is_free(path: Path, ours: set[str]) -> bool:
    """Whether nothing is there, or a file that a search wrote and nobody changed."""
    return not path.exists() or (path.is_file() and _digest(path.read_bytes()) in ours)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
