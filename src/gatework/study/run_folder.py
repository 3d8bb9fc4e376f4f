"""What a study leaves on disk, and how it goes on after it was interrupted.

    study.json      what is studied; another study is refused
    trials.db       the finished trials, in Optuna's SQLite storage
    trials/         one safetensors file for each trial: forecasts and weights
    results.json    everything that the report shows
    forecasts.csv   the test forecasts
    model/          the best model
    report.html     the page

Every file is written beside its place and moved there, so that a kill at any moment leaves the old file or the new one.
A trial counts as finished once it is in the storage; its arrays are on disk before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Self

import optuna
from optuna.distributions import IntDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sqlalchemy.exc import SQLAlchemyError

from gatework.errors import RunFolderError
from gatework.study.trial import Outcome, Trial

FORMAT = 1
STUDY = "gatework"
_SEEDS = IntDistribution(0, 2**31 - 1)


class RunFolder:
    """One folder, one study. Use it as a context: only one process at a time writes into it.

    Raises `RunFolderError` where the folder holds something else, another version, or another study, and where another
    process is at work in it. Nothing is written before that is known.
    """

    def __init__(self, path: Path, subject: Mapping[str, Any]) -> None:
        self.path = path
        self._subject = json.loads(json.dumps(subject))
        self._lock: IO[str] | None = None
        self._storage: RDBStorage | None = None
        self._study: optuna.Study | None = None

    def __enter__(self) -> Self:
        self._check()
        try:
            (self.path / "trials").mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path / "lock")
        except OSError as error:
            raise RunFolderError(
                f"The run folder {self.path} cannot be written: {error.strerror}; choose another --out."
            ) from error
        try:
            if not (self.path / "study.json").exists():
                self.write_json("study.json", {"format": FORMAT, **self._subject})
            self._study = self._open_storage()
        except RunFolderError:
            self._lock.close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        if self._storage:
            self._storage.engine.dispose()
        if self._lock:
            self._lock.close()

    def _check(self) -> None:
        """Refuse a folder that holds anything but this study."""
        if self.path.exists() and not self.path.is_dir():
            raise RunFolderError(f"The run folder {self.path} is a file: choose another --out.")
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        record = self.path / "study.json"
        if not record.is_file():
            if {one.name for one in self.path.iterdir()} <= {"trials", "lock", "study.json.part"}:
                return  # killed before the first file was written
            raise RunFolderError(f"The folder {self.path} is not empty and is no run folder: choose another --out.")
        found, kind = read_record(record), _kind(self._subject)
        if _kind(found) != kind:
            raise RunFolderError(f"The run folder {self.path} holds a {_kind(found)}: choose another --out.")
        there, wanted = (_settings(one) for one in (found, self._subject))
        for key, value in wanted.items():
            if there.get(key) != value:
                raise RunFolderError(
                    f"The run folder {self.path} holds a {kind} with another {key} ({_short(there.get(key))}, not "
                    f"{_short(value)}): choose another --out, or delete it."
                )

    def _open_storage(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = self.path / "trials.db"
        try:
            self._storage = RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 30}})
            study = optuna.create_study(storage=self._storage, study_name=STUDY, load_if_exists=True)
            study.get_trials(deepcopy=False)  # a page that is damaged shows when it is read
            return study
        except (SQLAlchemyError, RuntimeError, StorageInternalError) as error:
            raise RunFolderError(
                f"The trials of {self.path} cannot be read: trials.db is damaged; choose another --out."
            ) from error

    def finished(self, trials: list[Trial]) -> dict[str, Outcome]:
        """The outcomes of those trials that are in the storage, by key."""
        assert self._study is not None, "the run folder is not open"
        wanted = {trial.key for trial in trials}
        found: dict[str, Outcome] = {}
        for stored in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            key = stored.user_attrs.get("key")
            if key in wanted and key not in found:
                arrays = self._arrays(key)
                if arrays is not None and {"test", "validation"} <= arrays.keys():
                    found[key] = Outcome.restore(stored.user_attrs["outcome"], arrays)
        return found

    def keep(self, trial: Trial, outcome: Outcome) -> None:
        """Store a finished trial: first its arrays, then its row."""
        assert self._study is not None, "the run folder is not open"
        self._replace(f"trials/{trial.key}.safetensors", lambda path: save_file(outcome.arrays(), path))
        attributes = {
            "key": trial.key,
            "cell": trial.name,
            "widths": list(trial.widths),
            "outcome": outcome.summary(),
        }
        self._study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                value=outcome.validation_error,
                params={"seed": trial.seed},
                distributions={"seed": _SEEDS},
                user_attrs=attributes,
                intermediate_values={k: epoch.validation for k, epoch in enumerate(outcome.epochs, start=1)},
            )
        )

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file at once or not at all."""
        self.write_text(name, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def write_text(self, name: str, content: str) -> None:
        """Write a text file at once or not at all."""
        self._replace(name, lambda path: path.write_text(content, encoding="utf-8"))

    def _replace(self, name: str, write: Callable[[Path], object]) -> None:
        part = self.path / f"{name}.part"
        write(part)
        os.replace(part, self.path / name)

    def _arrays(self, key: str) -> Mapping[str, Any] | None:
        """The arrays of a trial; None where the file is gone or damaged, and the trial has to be run again."""
        path = self.path / "trials" / f"{key}.safetensors"
        try:
            return dict(load_file(path))
        except (OSError, SafetensorError):
            return None


def read_record(path: Path) -> dict[str, Any]:
    """A JSON file of a run folder, of this version's format. Raises `RunFolderError`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read, the run folder is damaged: choose another --out.") from error
    version = record.get("format") if isinstance(record, dict) else None
    if version != FORMAT:
        raise RunFolderError(
            f"The run folder {path.parent} has format {version}, this version of Gatework reads format {FORMAT}: "
            "choose another --out, or open it with the version that wrote it."
        )
    return dict(record)


def _locked(path: Path) -> IO[str]:
    """An open file that no other process holds. The lock goes with the process, however that ends."""
    import fcntl

    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise RunFolderError(
            f"Another gatework is at work in {path.parent}: wait for it, or choose another --out."
        ) from None
    return handle


def _kind(subject: Mapping[str, Any]) -> str:
    """What a folder holds, as its reader calls it: a search names what it is for in one entry."""
    return "search" if "search" in subject else "comparison"


def _settings(subject: Mapping[str, Any]) -> dict[str, Any]:
    return dict(subject.get("search", subject))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
