# One command for everything: `make demo` shows it, `make test` proves it. `make help` lists the rest.
#
# The environment is .venv, made by uv from the hashes in requirements/dev.txt. The file
# .venv/.synced remembers that it is up to date, so that a second run starts at once.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

CACHE  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/qudag-otel
BIN    := .venv/bin
# Where .ci/environment puts uv if the machine has none.
export PATH := $(PATH):$(CACHE)/uv/bin
PYTEST := -m pytest -q
# Two workers: more would fight for the ports and cores that the tests measure with.
WORKERS ?= 2
ARGS   ?=
ROOMS  := qudag_otel.catalogue qudag_otel.sdk qudag_otel.alerts qudag_otel.dashboards tests.alerts
STACK  ?=
say     = @printf '\n== %s\n'

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -- the product

.PHONY: demo
demo: .venv/.synced ## run the watched node; ARGS="--duration 60 --fault cold-cache", STACK=1 sends into the stack
	@$(if $(STACK),$(BIN)/python -m tests.servers stack where >&2; \
	  OTEL_EXPORTER_OTLP_ENDPOINT=$${OTEL_EXPORTER_OTLP_ENDPOINT:-http://127.0.0.1:$${QUDAG_OTLP_GRPC_PORT:-4317}}) \
	  $(BIN)/qudag-otel demo $(ARGS)

# -- the environment

.PHONY: venv
venv: .venv/.synced ## make or refresh .venv

.venv/.synced: requirements/dev.txt pyproject.toml .ci/environment
	@.ci/environment "$(CACHE)"
	@touch $@

# -- the checks

.PHONY: test
test: check servers unit integration ## everything: check, then all tests
	$(say) 'all checks passed'

.PHONY: check
check: format-check lint types imports generated licences-check ## the fast form: no tests

.PHONY: format
format: .venv/.synced ## rewrite the sources in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: format-check
format-check: .venv/.synced
	$(say) 'format'
	@$(BIN)/ruff format --check . || { echo 'remedy: make format'; exit 1; }

.PHONY: lint
lint: .venv/.synced
	$(say) 'lint'
	@$(BIN)/ruff check .

.PHONY: types
types: .venv/.synced ## mypy and pyright, both strict
	$(say) 'types (mypy)'
	@$(BIN)/mypy
	$(say) 'types (pyright)'
	@$(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: imports
imports: .venv/.synced
	$(say) 'import contracts'
	@$(BIN)/lint-imports

.PHONY: generated
generated: .venv/.synced ## compare the generated files with what would be generated now
	$(say) 'generated files'
	@for room in $(ROOMS); do $(BIN)/python -m $$room --check || exit 1; done

.PHONY: generate
generate: .venv/.synced ## write the generated files
	@for room in $(ROOMS); do $(BIN)/python -m $$room || exit 1; done

.PHONY: licences-check
licences-check: .venv/.synced
	$(say) 'licences'
	@$(BIN)/python -m tests.licences --check

.PHONY: licences
licences: .venv/.synced servers ## list the licences of all dependencies anew, in docs/licences.md
	@$(BIN)/python -m tests.licences

# -- the tests

.PHONY: servers
servers: .venv/.synced ## build the real servers and the dashboards' page, once, outside of this clone
	$(say) 'servers (minutes the first time)'
	@$(BIN)/python -m tests.servers build || { [ "$(CI)" != true ] || exit 1; \
	  echo 'the tests that need what is missing are left out; in CI they would fail'; }

.PHONY: unit
unit: .venv/.synced ## the tests that need no server
	$(say) 'tests without servers'
	@$(BIN)/python $(PYTEST) -n $(WORKERS) --dist loadfile -m 'not servers' $(ARGS)

# The newest and the oldest OpenTelemetry that pyproject.toml allows, each in a cached environment.
CORE := tests/core tests/kit tests/recorders tests/sdk tests/instrumentation
.PHONY: test-otel
test-otel: .venv/.synced ## the core of the tests with the oldest and the newest OpenTelemetry allowed
	@for which in lowest highest; do \
	  python=$$(.ci/otel $$which "$(CACHE)") || exit 1; \
	  printf '\n== the core with OpenTelemetry %s\n' \
	    "$$($$python -c 'from importlib.metadata import version; print(version("opentelemetry-sdk"))')"; \
	  $$python $(PYTEST) -n $(WORKERS) --dist loadfile -m 'not servers' -p no:cacheprovider \
	    $(CORE) $(ARGS) || exit 1; \
	done

# They wait more than they work: two at a time take little more than half the time.
.PHONY: integration
integration: .venv/.synced servers ## the tests with real servers
	$(say) 'tests with real servers'
	@$(BIN)/python $(PYTEST) -n $(WORKERS) --dist loadfile -m servers $(ARGS)

# Another Python has an environment of its own beside .venv; PYTHON is a version, such as 3.13.
.PHONY: test-python
test-python: .venv/.synced ## the tests without servers on another Python: make test-python PYTHON=3.14
	@version='$(PYTHON)'; case "$$version" in 3.1[1-4]) ;; \
	  *) echo 'which Python? make test-python PYTHON=3.11, 3.12, 3.13 or 3.14'; exit 1;; esac; \
	python=$$(.ci/interpreter "$$version" "$(CACHE)") || exit 1; \
	printf '\n== tests without servers on %s\n' "$$($$python -VV)"; \
	PYTHON="$$python" .ci/environment "$(CACHE)" ".venv-$$version" && \
	".venv-$$version/bin/python" $(PYTEST) -n $(WORKERS) --dist loadfile -m 'not servers' $(ARGS)

# Both ends of the versions that adapters support, psycopg's pools among them, each in a cached
# environment.
.PHONY: test-adapters
test-adapters: .venv/.synced servers ## the adapters with the oldest and the newest libraries they support
	@for end in lowest highest; do \
	  python=$$(.ci/adapters $$end "$(CACHE)") || exit 1; \
	  printf '\n== adapters with the %s versions\n' "$$end"; \
	  $$python $(PYTEST) -p no:cacheprovider tests/adapters $(ARGS) || exit 1; \
	done

# Building it takes eight CPU minutes, once; so `make test` only has the schemas and the operators' types.
.PHONY: test-kubernetes
test-kubernetes: .venv/.synced ## the chart before a real API server of Kubernetes: a dry run, nothing is misspelt, pods are restricted
	@$(BIN)/python -m tests.servers build helm kubernetes
	@$(BIN)/python $(PYTEST) tests/pipeline/admission.py $(ARGS)

.PHONY: mutants-alerts
mutants-alerts: .venv/.synced ## do the alerts' cases notice a changed rule? ARGS="Node Swarm": those rules alone
	@$(BIN)/python -m tests.alerts.unnoticed $(ARGS)

# In an environment of its own: what changes code for a living stays out of the one that runs it.
.PHONY: mutants
mutants: .venv/.synced ## do the tests notice a changed line? ARGS="--seed 2 --count 100 --room node"; hours
	@PYTHON=$(BIN)/python .ci/environment "$(CACHE)" .venv-mutants requirements/mutants.txt
	@.venv-mutants/bin/python -m tests.mutants $(ARGS)

.PHONY: stress
stress: .venv/.synced ## ends at random moments, thousands of times, and every way to run workers (half an hour)
	$(say) 'random ends and all deployments'
	@QUDAG_STRESS=1 $(BIN)/python $(PYTEST) --timeout 3600 -o faulthandler_timeout=0 tests/sdk/test_stress.py tests/sdk/test_deployments.py $(ARGS)

.PHONY: faults
faults: .venv/.synced servers ## every promise under faults, beside the plain SDK, in docs/guarantees.md; ARGS="--rows outage"
	@$(BIN)/python -m tests.faults $(ARGS)

SECONDS ?= 3600
.PHONY: soak
soak: .venv/.synced ## an hour of load with restarts, outages and scrapes; from SECONDS=1200 on it draws docs/soak.svg
	@$(BIN)/python -m tests.faults.soak --seconds $(SECONDS)

# Measuring takes a third as long again, and fails nothing: it is asked for. Coverage starts with the
# interpreter, before pytest loads its plugins, of which ours is one; in the workers, too, but not in
# the programs that tests start: see conftest.py.
.PHONY: coverage
coverage: .venv/.synced ## all tests, measured: which lines does no test run?
	@rm -f .coverage .coverage.*
	@COVERAGE_PROCESS_START="$(CURDIR)/pyproject.toml" $(MAKE) unit integration
	$(say) 'coverage'
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

# -- figures

.PHONY: bench
bench: .venv/.synced ## measure against the peers and write docs/performance.md; ARGS="--rows W3,W4" only prints
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: bench-check
bench-check: .venv/.synced ## compare the ratios with the goals, and name what is missed; ARGS="--rows W3,W4"
	@$(BIN)/python -m benchmarks --check $(ARGS)

.PHONY: bench-pipeline
bench-pipeline: .venv/.synced servers ## what the gateway carries: a table in docs/operating.md (ARGS=--short writes nothing)
	@$(BIN)/python -m benchmarks.pipeline $(ARGS)

.PHONY: fleet
fleet: .venv/.synced servers ## 200 nodes, the rules and the pager, in docs/operating.md; ARGS="--nodes 25 --scale 60"
	@$(BIN)/python -m tests.fleet $(ARGS)

.PHONY: pictures
pictures: .venv/.synced servers ## the pictures of dashboards in docs: five minutes of the demo with faults, in a browser
	@$(BIN)/python -m tests.dashboards

# -- the site

.PHONY: docs
docs: .venv/.synced ## build the site of docs/ into site/, strict
	@python=$$(.ci/docs "$(CACHE)") && NO_MKDOCS_2_WARNING=1 $$python -m mkdocs build --strict --quiet
	@echo 'site/index.html'

.PHONY: clean
clean: ## remove what make and the tests left in this clone
	@rm -rf .venv .venv-* .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist site

# make stack, stack-status, stack-logs, stack-down, stack-clean
-include collector-config/stack.mk
