"""The examples in the docstrings of every module run, and do what they say."""

import doctest
import importlib
import pkgutil

import pytest

import gatework

MODULES = sorted(one.name for one in pkgutil.walk_packages(gatework.__path__, "gatework."))
MODULES.remove("gatework.__main__")  # importing it runs the command line


@pytest.mark.parametrize("name", ["gatework", *MODULES])
def test_the_examples_of_a_module_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
