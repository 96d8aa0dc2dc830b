# Every target sets up what it needs: a fresh machine wants Python 3.11 or newer, its venv module and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOWEST ?= .venv-lowest

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-all test-lowest test-browser lint format bench wheel docs tensorboard clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMP) ## make the virtual environment and install imgcolor with its development tools

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.[dev]'
	@touch $@

quickstart: $(STAMP) ## train a UNet to colour drawn horses, in under a minute
	$(BIN)/imgcolor fit --config experiments/quickstart.yaml

test: $(STAMP) ## run the tests, on up to four cores
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-all: $(STAMP) ## run all tests, the slow ones too
	$(BIN)/python -m pytest -m ''

test-lowest: $(LOWEST)/.installed ## run the tests with the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python -m pytest

$(LOWEST)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --python $(LOWEST) --resolution lowest-direct --editable '.[dev]'
	@touch $@

test-browser: $(STAMP) ## run the tests in Chromium; root installs it where it is missing
	command -v chromium || test "$$(id -u)" != 0 || (apt-get update && apt-get install -y chromium)
	$(BIN)/python -m pytest -m slow tests/demo

lint: $(STAMP) ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict src

format: $(STAMP) ## rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(STAMP) ## time a training epoch: imgcolor, the loops people use, the network alone (three quarters of an hour)
	$(BIN)/python benchmarks/training.py

wheel: $(STAMP) ## build dist/imgcolor-*.whl
	$(BIN)/python -m pip wheel --disable-pip-version-check --no-deps --wheel-dir dist .

docs: $(STAMP) ## build the documentation site: site/index.html
	$(BIN)/mkdocs build

tensorboard: $(STAMP) ## look at the runs in the browser
	$(BIN)/tensorboard --logdir lightning_logs

clean: ## remove the virtual environment and the caches
	rm -rf $(VENV) $(LOWEST) .mypy_cache .pytest_cache .ruff_cache
