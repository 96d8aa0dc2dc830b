# Every target installs what it needs into .venv. This needs Python 3.11 or newer with its venv module.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGE := $(VENV)/.package
LOWEST ?= .venv-lowest

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-all test-lowest test-browser lint format bench bench-gpu wheel docs tensorboard clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.dev ## make the virtual environment and install imgcolor with its development tools

$(PACKAGE): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --editable .
	@touch $@

# The extras of the same names.
$(VENV)/.dev $(VENV)/.docs $(VENV)/.test: $(PACKAGE)
	$(BIN)/python -m pip install --disable-pip-version-check --editable '.[$(@:$(VENV)/.%=%)]'
	@touch $@

quickstart: $(PACKAGE) ## train a small network to colourize drawn horses, in less than a minute
	$(BIN)/imgcolor fit --config experiments/quickstart.yaml

test: $(VENV)/.test ## run the tests, on up to four cores
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-all: $(VENV)/.test ## run all tests, the slow ones too
	$(BIN)/python -m pytest -m ''

test-lowest: $(LOWEST)/.installed ## run the tests with the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python -m pytest

$(LOWEST)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --python $(LOWEST) --resolution lowest-direct --editable '.[test]'
	@touch $@

test-browser: $(VENV)/.test ## run the tests in Chromium; as root, install it if it is missing
	command -v chromium || test "$$(id -u)" != 0 || (apt-get update && apt-get install -y chromium)
	$(BIN)/python -m pytest -m slow tests/demo

lint: $(VENV)/.dev ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict src

format: $(VENV)/.dev ## rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(PACKAGE) ## time training epochs of imgcolor, other loops and the network alone, and enlarging (46 minutes)
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/upscaling.py

bench-gpu: $(VENV)/.test ## on a machine with an NVIDIA GPU: run its tests, and time training on it (8 minutes)
	$(BIN)/python -m pytest -m cuda
	$(BIN)/python benchmarks/gpu.py

wheel: $(PACKAGE) ## build dist/imgcolor-*.whl
	$(BIN)/python -m pip wheel --disable-pip-version-check --no-deps --wheel-dir dist .

docs: $(VENV)/.docs ## build the documentation site: site/index.html
	$(BIN)/mkdocs build

tensorboard: $(PACKAGE) ## show the runs in the browser
	$(BIN)/tensorboard --logdir lightning_logs

clean: ## remove the virtual environment and the caches
	rm -rf $(VENV) $(LOWEST) .mypy_cache .pytest_cache .ruff_cache
