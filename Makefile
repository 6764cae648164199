# A machine with Python 3.11 or newer, make and a network is enough. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt
DEMO_CACHE := build/demo

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## index the sample photos and search them
	IGSEARCH_CACHE_DIR=$(DEMO_CACHE) $(BIN)/igsearch index sample --from assets/sample
	IGSEARCH_CACHE_DIR=$(DEMO_CACHE) $(BIN)/igsearch search sample -n 3 a cat
	IGSEARCH_CACHE_DIR=$(DEMO_CACHE) $(BIN)/igsearch search sample -n 3 people in a boat on the water

test: $(VENV)/.installed-test  ## run every test, then build the wheel into dist/
	$(BIN)/python -m pytest
	$(BIN)/python -m hatchling build -t wheel

lint: $(VENV)/.installed-test $(VENV)/.installed-lint  ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

PHOTOS ?= assets/sample
BENCH_CACHE := build/bench

bench: $(VENV)/.installed-test  ## run the benchmarks on a folder: make bench PHOTOS=DIR
	$(BIN)/python benchmarks/throughput.py $(PHOTOS)
	$(BIN)/python benchmarks/precision.py $(PHOTOS)
	$(BIN)/python benchmarks/start_up.py
	IGSEARCH_CACHE_DIR=$(BENCH_CACHE) $(BIN)/igsearch index bench --from $(PHOTOS)
	IGSEARCH_CACHE_DIR=$(BENCH_CACHE) $(BIN)/python benchmarks/cold_search.py bench people walking on street
	$(BIN)/python benchmarks/serve.py
	$(BIN)/python benchmarks/serve.py
	@echo "benchmarks/recall.py and training/evaluate.py need a set of photos with captions: see docs/evaluation.md"

clean:  ## remove what was built here, the virtual environment too
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests training benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The environment, in layers: each stamp is newer than what was installed for it, so that the second run of a target installs nothing.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"igsearch needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(PIP) --editable '.[$*]'
	@touch $@
