# Two commands for everybody: `make run` and `make test`. Each does all the set-up that it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
JAY_DATA_DIR ?= var
export PORT JAY_DATA_DIR
# What Python has compiled is kept: the tests start a hundred processes, and are read by each worker.
unexport PYTHONDONTWRITEBYTECODE

# Workers, each with databases of its own: one more than there are processors (tests/conftest.py).
PROCESSES ?= auto
PYTEST = $(BIN)/python -m pytest -n $(PROCESSES) --maxprocesses 4
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')

.PHONY: help install run test test-unit test-deep bench chaos cluster cluster-test screens lint format lock

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 21

install: .venv/run ## Install what the service needs into .venv, and start nothing

run: export JAY_DEMO := 1
run: .venv/run ## Start it with demo data on http://127.0.0.1:8000 (PORT=..., LAN=1 for phones)
	@set -e; if [ -n '$(LAN)' ]; then \
		JAY_PUBLIC_URL="http://$$($(BIN)/python jay/ops/lan.py):$(PORT)"; export JAY_PUBLIC_URL; fi; \
	$(BIN)/flask --app app demo load --upgrade; \
	$(BIN)/flask --app app worker --while $$$$ & exec $(BIN)/gunicorn wsgi:app

test: .venv/dev ## Run every test: unit, API on SQLite and PostgreSQL, browser (ARGS=... for some)
	@tests/prepare
	@$(PYTEST) $(ARGS)

test-unit: .venv/dev ## Run what needs neither PostgreSQL nor Chromium nor npm
	@$(PYTEST) tests/unit $(ARGS)

test-deep: .venv/dev ## Run every test with all examples, drawn at random (SEED=... repeats a run)
	@tests/prepare
	@$(PYTEST) --deep --hypothesis-seed=$(SEED) $(ARGS)

bench: .venv/dev ## Measure the service against a bare view over the bare driver
	@tests/prepare wrk
	@$(BIN)/python -m tests.load.bench $(ARGS)

chaos: .venv/dev ## Let everything happen that happens to services, and count (CHAOS_SECONDS=600)
	@tests/prepare
	@$(BIN)/python -m tests.chaos $(ARGS)

cluster: .venv/dev ## Run all that deploy/ has on this machine: nginx, two nodes, Patroni, Redis
	@tests/prepare nginx haproxy pgbouncer patroni etcd-server
	@$(BIN)/python -m tests.cluster

cluster-test: .venv/dev ## Start anew, kill and pause each part of it under load (CLUSTER_KILLS=10)
	@tests/prepare nginx haproxy pgbouncer patroni etcd-server
	@$(BIN)/python -m tests.cluster test

screens: .venv/dev ## Take a picture of every page in every state, into var/screens
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
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/dev: tests/requirements.txt .venv/made
	@echo 'Installing the pinned packages into .venv ...'
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $<
	@touch $@ .venv/run
