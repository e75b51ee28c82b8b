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
test: check servers unit integration coverage ## everything: check, then all tests with coverage
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
servers: .venv/.synced ## build the real servers from Go modules, once, outside of this clone
	$(say) 'servers (minutes the first time)'
	@$(BIN)/python -m tests.servers build || { [ "$(CI)" != true ] || exit 1; \
	  echo 'the tests that need what is missing are left out; in CI they would fail'; }

# Coverage starts with the interpreter, before pytest loads its plugins, of which ours is one; in
# the workers, too, but not in the programs that tests start: see conftest.py.
MEASURED := COVERAGE_PROCESS_START="$(CURDIR)/pyproject.toml" $(BIN)/python
.PHONY: unit
unit: .venv/.synced ## the tests that need no server
	$(say) 'tests without servers'
	@rm -f .coverage .coverage.*
	@$(MEASURED) $(PYTEST) -n $(WORKERS) --dist loadfile -m 'not servers' $(ARGS)

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

# One after another: the servers take both cores.
.PHONY: integration
integration: .venv/.synced servers ## the tests with real servers
	$(say) 'tests with real servers'
	@$(MEASURED) $(PYTEST) -m servers $(ARGS)

# Another Python has an environment of its own beside .venv; PYTHON is a version, such as 3.13.
.PHONY: test-python
test-python: .venv/.synced ## the tests without servers on another Python: make test-python PYTHON=3.14
	@version='$(PYTHON)'; case "$$version" in 3.1[1-4]) ;; \
	  *) echo 'which Python? make test-python PYTHON=3.11, 3.12, 3.13 or 3.14'; exit 1;; esac; \
	python=$$(.ci/interpreter "$$version" "$(CACHE)") || exit 1; \
	printf '\n== tests without servers on %s\n' "$$($$python -VV)"; \
	PYTHON="$$python" .ci/environment "$(CACHE)" ".venv-$$version" && \
	".venv-$$version/bin/python" $(PYTEST) -n $(WORKERS) --dist loadfile -m 'not servers' $(ARGS)

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
	@QUDAG_STRESS=1 $(BIN)/python $(PYTEST) --timeout 3600 tests/sdk/test_stress.py tests/sdk/test_deployments.py $(ARGS)

.PHONY: coverage
coverage:
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
