"""Settings are checked where they are made, and their command says what differs from the defaults."""

from pathlib import Path

import pytest

from gatework.errors import UsageError
from gatework.study.options import Options, command
from gatework.tasks.training import Settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window": 0}, "--window is 0: it must be at least 2"),
        ({"window": -5}, "--window is -5"),
        ({"horizon": 0}, "--horizon is 0"),
        ({"seeds": 0}, "--seeds is 0"),
        ({"epochs": 0}, "--epochs is 0"),
        ({"batch": 0}, "--batch is 0"),
        ({"params": 0}, "--params is 0"),
        ({"season": 0}, "--season is 0"),
        ({"dropout": 1.0}, "--dropout is 1"),
        ({"dropout": float("nan")}, "--dropout is nan"),
        ({"learning_rate": 0.0}, "--learning-rate is 0"),
        ({"learning_rate": float("nan")}, "--learning-rate is nan"),
        ({"optimizer": "lion"}, "choose one of adam"),
        ({"loss": "mape"}, "choose one of mae"),
        ({"missing": "guess"}, "choose one of carry"),
        ({"transform": "minmax"}, "choose one of auto"),
        ({"cells": ()}, "--cells is empty"),
        ({"cells": ("gru", "gru")}, "names a cell twice"),
        ({"layers": ()}, "--layers is empty"),
        ({"layers": (50, 0)}, "1 to 100,000 units"),
        ({"layers": (10**6,)}, "1 to 100,000 units"),
        ({"params": 10**12}, "--params is 1000000000000: it must be at most"),
        ({"clip": float("inf")}, "--clip is inf"),
        ({"clip": float("nan")}, "--clip is nan"),
        ({"learning_rate": float("inf")}, "--learning-rate is inf"),
        ({"batch": 10**20}, "--batch is 1"),
        ({"threads": 10_000}, "--threads is 10000"),
    ],
)
def test_what_cannot_work_is_refused(settings, words):
    with pytest.raises(UsageError) as refusal:
        Options(**settings)
    assert words in str(refusal.value)


def test_the_part_for_training_has_the_same_values():
    options = Options(
        dropout=0.3, optimizer="rmsprop", learning_rate=0.1, batch=7, epochs=3, patience=1, loss="mse", clip=2
    )
    assert options.settings == Settings(0.3, "rmsprop", 0.1, 7, 3, 1, "mse", 2)
    assert Options().settings == Settings()


def test_the_classic_guides_settings():
    """Keras' RMSprop: step 0.001, and two layers of 50 and 100 with dropout 0.2 after each."""
    options = Options(layers=(50, 100), dropout=0.2, optimizer="rmsprop", batch=64, epochs=50, window=60)
    assert options.settings == Settings(dropout=0.2, optimizer="rmsprop", learning_rate=0.001, batch=64, epochs=50)


def test_the_command_says_what_differs():
    options = Options(target="Close price", cells=("gru", "./mine.py:mycell"), layers=(50, 100), learning_rate=0.001)
    assert command("a b.csv", options, Path("out")) == (
        "gatework compare 'a b.csv' --target 'Close price' --layers 50,100 --learning-rate 0.001 "
        "--cells gru,./mine.py:mycell --out out"
    )
    assert command("co2", Options(), None) == "gatework compare co2"
