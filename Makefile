# Everything there is to do, one word each. The environment is .venv; the versions are those of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Torch from its own index of CPU builds: the one on PyPI brings gigabytes of CUDA packages on Linux.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check format browser coverage explore results experiments guide bench clean

demo: $(VENV)/installed ## study all cells on a bundled series; leaves demo/report.html
	$(BIN)/gatework compare sunspots --window 24 --out demo \
	  --cells rnn,rnn_relu,gru,gru_reset_before,lstm,cifg,mgu

test: $(VENV)/installed check browser ## check everything, then run the tests, up to four at a time
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/installed ## lint, format, types, and which room may import which
	$(BIN)/ruff check --no-cache
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/installed ## write the code as the linter likes it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

browser: $(VENV)/installed ## make sure there is a Chromium for the browser tests
	$(BIN)/python tests/install_browser.py

coverage: $(VENV)/installed ## run the tests and say which lines they reach
	$(BIN)/python -m pytest --cov --cov-report=term-missing:skip-covered

explore: $(VENV)/installed ## run the tests of properties on new random examples, where `make test` repeats its own
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile explore

results: $(VENV)/installed ## measure the tables of docs/results (needs GATEWORK_DATA; about an hour)
	$(BIN)/python benchmarks/forecasting.py

experiments: $(VENV)/installed ## the tasks of the literature, cell by cell (needs GATEWORK_DATA; about an hour)
	$(BIN)/python benchmarks/mnist_rows.py
	$(BIN)/python benchmarks/memory_tasks.py
	$(BIN)/python benchmarks/reber.py

guide: $(VENV)/installed ## time the classic guide's model beside plain torch (needs GATEWORK_DATA)
	$(BIN)/python benchmarks/guide.py

bench: $(VENV)/installed ## time the layers beside their peers; writes docs/results/cpu.md (about 20 minutes)
	$(BIN)/gatework bench --growth --out docs/results/cpu.md

clean: ## remove what was installed and made
	rm -rf $(VENV) demo gatework-runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Gatework needs Python 3.11 or newer.")'
	$(BIN)/python -c 'import torch' 2>/dev/null || \
	  $(PIP) --retries 1 --no-deps --index-url $(TORCH_INDEX) "$$(grep '^torch==' constraints.txt)"
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	touch $@
