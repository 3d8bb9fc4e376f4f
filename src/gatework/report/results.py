"""The shape of the stored results that a report is made from.

Every float may be null in the file and is then ``None`` here. Errors are in the units of the target; a
``relative`` one is (this error - the other error) / the other error, so that a negative number means better.
"""

from typing import Any, NotRequired, TypedDict

Moment = str | int
Values = list[float | None]


class Finding(TypedDict):
    """Something the loader met in the table, and what it did about it."""

    kind: str
    count: int
    found: str
    did: str


class Part(TypedDict):
    """One of the three parts a series is split into."""

    start: Moment
    end: Moment
    rows: int
    windows: int


class Decision(TypedDict):
    """A choice that was made for the user, and why."""

    why: str
    name: NotRequired[str]
    length: NotRequired[int]
    found: NotRequired[bool]


class Data(TypedDict):
    """The series, as the loader understood it."""

    name: str
    source: str
    target: str
    features: list[str]
    rows: int
    observed: int
    start: Moment
    end: Moment
    step: str
    findings: list[Finding]
    season: Decision
    transform: Decision
    split: dict[str, Part]


class Score(TypedDict):
    """One error measure of one cell: its mean over seeds, the interval of that mean, and each seed."""

    mean: float | None
    interval: NotRequired[list[float] | None]
    seeds: NotRequired[Values]


class AgainstBaseline(TypedDict):
    """A cell beside the best baseline; a positive difference means that the cell is worse."""

    baseline: str
    difference: float | None
    relative: float | None
    p_value: float | None


class CellResult(TypedDict):
    """One row of the leaderboard."""

    cell: str
    title: str
    parameters: int | None
    hidden: list[int]
    seeds: int
    test: dict[str, Score | None]
    validation: dict[str, Score | None]
    train_seconds: float | None
    epochs: float | None
    epoch_seconds: float | None
    step_microseconds: float | None
    beats_baseline: bool | None
    against_baseline: AgainstBaseline | None
    equations: list[str]


class BaselineResult(TypedDict):
    """A forecast that needs no network."""

    name: str
    title: str
    test: dict[str, float | None]
    best: bool
    note: str


class Comparison(TypedDict):
    """Two cells, paired by seed; ``outcome`` is first, second, equivalent or undecided."""

    first: str
    second: str
    relative: float | None
    interval: list[float] | None
    p_value: float | None
    outcome: str


class Curve(TypedDict):
    """The losses of one seed, epoch by epoch, and the epoch that was kept (counted from 1)."""

    seed: int
    train: Values
    validation: Values
    best_epoch: int | None


class Horizon(TypedDict):
    """The error at each step of the horizon."""

    steps: list[int]
    cells: dict[str, Values]
    baselines: dict[str, Values]


class History(TypedDict):
    """The last rows before the test part."""

    time: list[Moment]
    values: Values


class Forecasts(TypedDict):
    """Forecasts of the test part, ``step`` steps ahead."""

    time: list[Moment]
    step: int
    truth: Values
    cells: dict[str, Values]
    low: dict[str, Values]
    high: dict[str, Values]
    baselines: dict[str, Values]
    history: NotRequired[History | None]


class Gates(TypedDict):
    """The named quantities of one layer along one test window: ``values[name]`` has T rows of H units."""

    layer: int
    time: list[Moment]
    input: Values
    values: dict[str, list[Values]]
    kinds: dict[str, str]


class Results(TypedDict):
    """Everything a study stores about itself."""

    format: int
    gatework: str
    created: str
    verdict: str
    data: Data
    settings: dict[str, Any]
    command: str
    versions: dict[str, str]
    metric: str
    unit: str
    metrics_note: str | None
    notes: NotRequired[list[str]]
    leaderboard: list[CellResult]
    baselines: list[BaselineResult]
    comparisons: NotRequired[list[Comparison]]
    curves: NotRequired[dict[str, list[Curve]]]
    horizon: NotRequired[Horizon | None]
    forecasts: NotRequired[Forecasts | None]
    gates: NotRequired[dict[str, Gates]]
