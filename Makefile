# Every target sets up what it needs. Place and input are chosen with two variables:
#   make run                                the synthetic sample, in data/sample
#   make run LANDING=folder                 your files, in data/main
#   make run LANDING=folder DATA_HOME=dir   your files, in dir
SHELL := /bin/bash
PYTHON ?= python3.11
ifeq (,$(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LANDING ?=
ifeq ($(strip $(LANDING)),)
DATA_HOME ?= data/sample
else
DATA_HOME ?= data/main
endif
PORT ?= 3000
FULL ?=
REBUILD ?=

export PILOT_PANEL_DATA_HOME := $(abspath $(DATA_HOME))
export PILOT_PANEL_LANDING := $(if $(strip $(LANDING)),$(abspath $(LANDING)),)
export PILOT_PANEL_FULL := $(FULL)
export PILOT_PANEL_REBUILD := $(REBUILD)
# Nothing here phones home.
export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
# Small matrices on few cores: threads inside BLAS only get in each other's way.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help run estimates ui sql test test-all lint bench docs clean distclean setup lock

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(READY)  ## virtual environment with the locked packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v[:2] == (3, 11) else f"Python 3.11 is needed, $(PYTHON) is {v[0]}.{v[1]}; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(READY)  ## raw files to published panel, estimates and report
	$(BIN)/python -m dagster_project run

estimates: $(READY)  ## re-estimate the studies on the published panel
	$(BIN)/python -m dagster_project run --job estimates

ui: $(READY)  ## Dagster UI with schedules and sensors, on 127.0.0.1
	$(BIN)/python -m dagster_project ui --port $(PORT)

sql: $(READY)  ## SQL prompt on the published panel
	@$(BIN)/python -m dagster_project sql

test: $(READY)  ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: $(READY)  ## all tests, simulations included
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)  ## ruff, mypy, sqlfluff, definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 1 dbt/models queries

bench: $(READY)  ## speed beside the peers; writes $(DATA_HOME)/bench.json
	$(BIN)/python -m benchmarks

lock: $(READY)  ## recompile requirements.lock
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-emit-index-url --no-header --no-annotate requirements.in -o requirements.lock

clean:  ## what runs and tests leave in the project, not the data
	rm -rf dbt/target dbt/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info

distclean: clean  ## the environment too
	rm -rf $(VENV)
