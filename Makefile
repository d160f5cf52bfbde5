# make demo: see a language model learn a language here, in minutes.  make test: run the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BY_HAND := $(sort $(dir $(wildcard tests/gpu/*.py tests/benchmarks/*/*.py)))
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test lint wheel-check clean

demo: $(VENV)/.installed
	$(BIN)/cogsym demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for folder in $(BY_HAND); do \
	    MYPYPATH=tests:tests/benchmarks/delta:tests/benchmarks/training $(BIN)/mypy $$folder || exit; \
	done

wheel-check: $(VENV)/.installed-dev
	$(BIN)/python tests/wheel_check.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints/default.txt
	$(PIP) install --quiet --constraint constraints/default.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --constraint constraints/default.txt --editable '.[dev,lora,8bit]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
