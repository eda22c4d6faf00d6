# make search   a first search, and its best model exported
# make test     the whole test suite, slow tests included
# make check    format, lint, types, quick tests: what to run before a commit

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Each file in one process, so that what its tests share is made once; long ones come early.
TWO_PROCESSES := -n 2 --dist loadfile --no-loadscope-reorder
STAMP := $(shell date +%Y%m%d-%H%M%S)

.PHONY: search test check format

search: $(VENV)/installed
	$(BIN)/evonas search run.name=first-$(STAMP)
	$(BIN)/evonas export first-$(STAMP) --to models/first-$(STAMP)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m "" $(TWO_PROCESSES)

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(TWO_PROCESSES)

format: $(VENV)/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	@echo "Making a virtual environment in $(VENV)."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing evonas and what it needs into $(VENV): some minutes, the first time."
	@$(BIN)/python -m pip install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing evonas and its tools of development into $(VENV): some minutes, the first time."
	@$(BIN)/python -m pip install --constraint constraints.txt --editable ".[dev]"
	@touch $(VENV)/installed $@
