# Everything here needs Python 3.11 or newer, git and make; the environment .venv is made on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ENGINE ?= reference
WASM_TESTSUITE ?=

.PHONY: demo test lint typecheck conformance bench counter clean

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(VENV)/installed
	$(BIN)/wascc up examples/counter/manifest.yaml --engine $(ENGINE)

test: $(VENV)/installed lint typecheck
	$(BIN)/python -m pytest

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/installed
	$(BIN)/mypy

conformance: $(VENV)/installed
	$(BIN)/wascc conformance --engine $(ENGINE)

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks

counter: $(VENV)/installed
	$(BIN)/python examples/counter/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
