"""What a search leaves on disk, and how it goes on after it was interrupted.

study.json      what is searched for; another search, or a study, is refused
trials.db       the finished trainings, in Optuna's SQLite storage
found.py        the cells that were found, to be compared anywhere
search.json     every cell that was tried, with its equations
comparison/     the run folder of the study that judges what was found
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import Any

from optuna.trial import TrialState, create_trial

from gatework.study.halving import Trained
from gatework.study.run_folder import RunFolder


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
