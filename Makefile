# Everything here needs Python 3.11 or newer, git and make; the environment .venv is made on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
ENGINE ?= compiled
CASES ?= 100000
MODULES ?= 20000
SEED ?= 0

.PHONY: demo reference test lint typecheck conformance smoke fuzz tampering lockstep bench operation kernels counter clean

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

# What running needs; what developing needs besides.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[wasmtime,conformance]'
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[dev]'
	touch $@ $(VENV)/installed

demo: $(VENV)/installed
	$(BIN)/wascc up examples/counter/manifest.yaml --engine $(ENGINE)

test: $(VENV)/installed-dev lint typecheck
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --benchmark-disable

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/installed-dev
	$(BIN)/mypy

# What follows from the form of manifests: their JSON Schema, and the tables of the fields in their page.
reference: $(VENV)/installed
	$(BIN)/wascc manifest schema > docs/manifest.schema.json
	$(BIN)/wascc manifest reference --into docs/manifest.md

# The specification's test suite: all of it, or without the few scripts that take long. WASM_TESTSUITE names its folder,
# otherwise it is cloned once; OPTIONS are more of the command's.
conformance: $(VENV)/installed-dev
	$(BIN)/wascc conformance --fetch --engine $(ENGINE) $(OPTIONS)

smoke: $(VENV)/installed-dev
	$(BIN)/wascc conformance --fetch --smoke --engine $(ENGINE) $(OPTIONS)

# Another SEED gives other cases; WASM_TESTSUITE names the folder of the test suite to start from.
fuzz: $(VENV)/installed-dev
	$(BIN)/python -m conformance.fuzz --cases $(CASES) --seed $(SEED)

# Signed tokens, modules and archives, changed: none that means something else may be accepted.
tampering: $(VENV)/installed-dev
	$(BIN)/python -m conformance.tampering --cases $(CASES) --seed $(SEED)

# Generated modules on the reference machine, the compiled engine and the JIT, compared call by call: some 20 minutes.
lockstep: $(VENV)/installed-dev
	$(BIN)/python -m conformance.lockstep --modules $(MODULES) --seed $(SEED)

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks $(OPTIONS)

# A host in operation: throughput on each store, calls beside another runtime, many actors, trouble, tampering.
operation: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.operation $(OPTIONS)

# The kernels' modules anew, from their sources in C.
kernels: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.kernels.build

counter: $(VENV)/installed-dev
	$(BIN)/python examples/counter/build.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
