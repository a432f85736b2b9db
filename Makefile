# Two commands for everybody: `make run` and `make test`. Each does all the set-up it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
JAY_DATA_DIR ?= var
export PORT JAY_DATA_DIR

.PHONY: help run test bench screens lint format lock

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run: export JAY_DEMO := 1
run: .venv/run ## Start the service with demo data on http://127.0.0.1:8000 (PORT=... for another)
	@$(BIN)/flask --app app db upgrade
	@$(BIN)/flask --app app demo load
	@exec $(BIN)/gunicorn wsgi:app

test: .venv/dev ## Run every test: unit, API on SQLite and PostgreSQL, browser
	@tests/prepare
	@$(BIN)/python -m pytest $(ARGS)

bench: .venv/dev ## Measure the service against a bare view over the bare driver
	@tests/prepare wrk
	@$(BIN)/python -m tests.load.bench $(ARGS)

screens: .venv/dev ## Take the pictures in docs/screens
	@tests/prepare
	@$(BIN)/python -m tests.e2e.screens

lint: .venv/dev ## Check format, style and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: .venv/dev ## Format the code and apply the safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: .venv/dev ## Resolve the dependencies of pyproject.toml anew into the two lock files
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url \
		--no-emit-find-links --custom-compile-command 'make lock' --group dev -c requirements.txt \
		pyproject.toml -o tests/requirements.txt

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'Jay Basket needs Python 3.11 or newer: set PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
		then apt-get update -qq && apt-get install -y -qq python3-venv; \
		else echo 'Please install the Debian package python3-venv first.'; exit 1; fi; }
	@$(PYTHON) -m venv --clear .venv
	@touch $@

# A stamp is written last, so that an interrupted installation is taken up again.
.venv/run: requirements.txt .venv/made
	@echo 'Installing the pinned packages into .venv ...'
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/dev: tests/requirements.txt .venv/made
	@echo 'Installing the pinned packages into .venv ...'
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@ .venv/run
