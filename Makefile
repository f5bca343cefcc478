# Everything here needs Python 3.11 or newer, git and make; the environment .venv is made on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
ENGINE ?= reference

.PHONY: demo test lint typecheck conformance bench counter clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

# What running needs; what developing needs besides.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[wasmtime]'
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	touch $@ $(VENV)/installed

demo: $(VENV)/installed
	$(BIN)/wascc up examples/counter/manifest.yaml --engine $(ENGINE)

test: $(VENV)/installed-dev lint typecheck
	$(BIN)/python -m pytest

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/installed-dev
	$(BIN)/mypy

conformance: $(VENV)/installed-dev
	$(BIN)/wascc conformance --smoke --engine $(ENGINE)

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

counter: $(VENV)/installed-dev
	$(BIN)/python examples/counter/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
