# Everything a newcomer needs: `make demo`, `make test`. Each target sets up what it uses.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKFLOWS := $(wildcard .github/workflows/*.yml examples/workflows/*.yml)

.DEFAULT_GOAL := help
.PHONY: help install demo browser proxies test test-fast lint format lock audit release-check owner bench fuzz images clean reference

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Set up .venv with everything, so that .venv/bin/verify works

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pact-dispatch needs Python 3.11 or later: make install PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server]' --group dev
	@touch $@

demo: install ## See a changed pact go the whole way to can-i-deploy (KEEP=1 leaves it running)
	@$(BIN)/python examples/demo.py $(if $(KEEP),--keep)

browser: ## Install the browser that a few tests look at pages with, where that can be done
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	else echo "No Chromium: the tests that need one are skipped" >&2; fi

proxies: ## Install nginx and Caddy, which a few tests put before the receiver, where that can be done
	@if command -v nginx >/dev/null && command -v caddy >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing nginx and Caddy ..."; apt-get update -qq; \
	  for name in nginx-light caddy; do \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$name >/dev/null 2>&1 || echo "No $$name" >&2; \
	  done; \
	fi; \
	for name in nginx caddy; do command -v $$name >/dev/null || echo "No $$name: its tests are skipped" >&2; done

# Tests wait for processes about as long as they compute, so two at once keep a core busy. The modules stay whole:
# what a module shares (a broker, a receiver) is started once.
IN_PARALLEL = -n $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))') --dist loadfile --no-loadscope-reorder

test: install browser proxies ## Run the tests, in parallel
	@$(BIN)/python -m pytest $(IN_PARALLEL) --durations 20 $(ARGS)

test-fast: install ## Run the tests that start no processes, in less than a minute
	@$(BIN)/python -m pytest $(IN_PARALLEL) -m 'not process' $(ARGS)

lint: install ## Check format, rules, types, the direction of imports, the workflows and the container
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	@$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/zizmor --offline --quiet --no-progress action.yml .github/dependabot.yml $(WORKFLOWS)
	@$(BIN)/actionlint $(WORKFLOWS)

format: install ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

LOCKED = --universal --generate-hashes --no-annotate --no-header --upgrade --quiet
LOCK = $(BIN)/uv pip compile pyproject.toml --group build $(LOCKED)

lock: install ## Renew the versions that the GitHub Action, the image and a release install
	@$(LOCK) --python-version 3.11 --output-file .github/action/requirements.txt
	@$(LOCK) --python-version 3.13 --extra server --output-file docker/requirements.txt
	@$(BIN)/uv pip compile --group release $(LOCKED) --python-version 3.13 --output-file release/requirements.txt

audit: install ## Look for known vulnerabilities in what is locked, and list it all in build/ (needs the network)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group audit
	@mkdir -p build
	@for lock in .github/action docker release; do \
	  $(BIN)/cyclonedx-py requirements $$lock/requirements.txt --output-file build/sbom-$$(basename $$lock).json || exit 1; \
	  $(BIN)/pip-audit --requirement $$lock/requirements.txt --require-hashes --disable-pip || exit 1; \
	done

release-check: install ## Build what would be released, look into it, install and use it; nothing is published (ARGS=--help)
	@$(BIN)/python -m release $(ARGS)

owner: install ## Write the account that hosts this project on GitHub into every file (OWNER=acme)
	@$(BIN)/python -m release.owner "$(OWNER)"

images: install browser ## Make the images of the documentation anew, by running what they show
	@$(BIN)/python docs/images/make.py

reference: install ## Write the reference of the receiver's configuration anew, from the configuration's types
	@$(BIN)/python docs/receiver_reference.py

bench: install ## Time `verify` and the receiver beside their peers, the broker, and the dashboard (ARGS=--quick for a short look)
	@$(BIN)/python -m benchmarks.verify $(ARGS)
	@$(BIN)/python -m benchmarks.many_pacts $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.broker $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.webhooks $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.receiver $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.dashboard $(filter --quick,$(ARGS))

FUZZ = $(if $(N),--inputs $(N)) $(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED)) $(if $(INPUT),--input $(INPUT))

fuzz: install ## Give damaged requests, pacts and answers to what reads them (N=100000, TARGET=, SEED=, INPUT=, ARGS=--help)
	@nice $(BIN)/python -m fuzz $(FUZZ) $(ARGS)

clean: ## Remove what was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
