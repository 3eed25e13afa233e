# `make help` is made from the comments behind the targets.
SHELL := bash
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help
help: ## show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## make the private environments (.venv, .local/ministack); every target does it by itself
	@./local/setup.sh

.PHONY: build
build: setup ## build the Lambda artifacts with SAM, offline (.aws-sam/build)
	@$(PY) -m local.build

.PHONY: demo
demo: build ## run the main job on the embedded stack and show what it did
	@$(PY) -m local.demo

.PHONY: up
up: build ## start the embedded stack and leave it up
	@$(PY) -m local.stack up

.PHONY: down
down: setup ## stop exactly what `make up` started
	@$(PY) -m local.stack down

.PHONY: check
check: setup ## format, lint, types, architecture, template
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy functions layers monoctl local
	@.venv/bin/lint-imports
	@$(PY) -m local.template validate

.PHONY: test
test: build ## all tests: unit, real PostgreSQL, built artifacts on the embedded stack
	@.venv/bin/pytest -n auto --dist loadgroup

.PHONY: bench
bench: build ## measure against dlt on the same server in the same run
	@$(PY) bench/run.py

.PHONY: clean
clean: down ## remove what was built and downloaded
	@rm -rf .venv .local .aws-sam
