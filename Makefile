# Everything that a developer types. Needs make, Python 3.11 to 3.13 and the package registries.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-fast test-at check check-all lint types format bench pictures package \
  clean

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
  && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
RUNTIME := azure-functions-runtime==1.3.0
AZURITE := .local/azurite/ready
CONSOLE := .local/console/ready
# A file at a time for each worker, in the order of tests/support/kinds.py.
TESTS := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(READY): requirements.txt requirements-older.txt requirements-dev.txt Makefile
	@test -n "$(PYTHON)" || { echo "Parley needs Python 3.11, 3.12 or 3.13 on the PATH (or PYTHON=...)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $$($(BIN)/python -m tools.requirements --file)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python $(RUNTIME)
	@touch $@

$(AZURITE): local/npm/package-lock.json | $(READY)
	@echo "Installing Azurite from npm, about a minute ..."
	$(BIN)/python -m local.azurite --install

$(CONSOLE): tools/console/package-lock.json | $(READY)
	@echo "Installing what the console's tests need from npm, up to a minute ..."
	$(BIN)/python -m tools.browser --install

setup: $(READY) $(AZURITE) ## Make the environment: .venv and the storage emulator

run: setup ## Start Parley with the simulated platform, until Ctrl-C; SEED=1 gives it a past
	$(BIN)/python -m local $(if $(SEED),--seed $(SEED))

demo: setup ## Play the main job once and print it
	$(BIN)/python -m local.demo

lint: $(READY) ## Style, formatting and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache

types: $(READY) ## Strict typing
	$(BIN)/mypy

format: $(READY) ## Format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: setup $(CONSOLE) ## The tests of check
	$(TESTS) -n auto -m "not slow"

test-fast: $(READY) ## Tests that need no servers; within a minute
	$(TESTS) -n logical -m "not servers and not slow"

test-at: setup $(CONSOLE) ## The tests of check as if it were AT=03:00 (UTC); needs Debian's faketime
	tests/support/faketime/at $(AT) $(TESTS) -n auto -m "not slow"

check: lint types test ## Lint, types, tests: before every commit; within five minutes on two cores

check-all: lint types setup $(CONSOLE) ## check, and all that is slow by nature: what CI runs
	$(TESTS) -n auto

bench: setup ## Measure, print a table, write bench.json
	$(BIN)/python -m tests.bench

pictures: setup $(CONSOLE) ## Make the README's pictures anew
	$(BIN)/python -m tools.pictures

package: $(READY) ## Build the zip that azd ships
	$(BIN)/python -m tools.package

clean: ## Remove the environment and all local data
	rm -rf $(VENV) .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
