# Everything a newcomer needs: `make demo`, `make test`. Each target sets up what it uses.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MANIFESTS := $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))
KUBERNETES := 1.34
WORKFLOWS := $(wildcard .github/workflows/*.yml examples/workflows/*.yml)

.DEFAULT_GOAL := help
.PHONY: help install demo browser proxies platform machines manifests test test-machines test-fast lint format lock audit release-check owner bench fuzz images clean reference

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Set up .venv with everything, so that .venv/bin/verify works

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pact-dispatch needs Python 3.11 or later: make install PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,otel]' --group dev
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

platform: install ## Install Helm, bubblewrap and Prometheus, which tests of the deployment use, where that can be done
	@$(BIN)/python -m release.tools || echo "No Helm: its tests are skipped" >&2
	@if ! command -v bwrap >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing bubblewrap ..."; apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends bubblewrap >/dev/null 2>&1; \
	fi; \
	if ! command -v promtool >/dev/null && [ ! -x $(VENV)/tools/promtool ] && command -v apt-get >/dev/null; then \
	  echo "Installing Prometheus into $(VENV)/tools ..."; [ "$$(id -u)" != 0 ] || apt-get update -qq; folder=$$(mktemp -d); mkdir -p $(VENV)/tools; \
	  (cd $$folder && apt-get download prometheus && dpkg-deb --extract prometheus_*.deb .) >/dev/null 2>&1 && \
	  cp $$folder/usr/bin/prometheus $$folder/usr/bin/promtool $(VENV)/tools; rm -rf $$folder; \
	fi; \
	for name in bwrap promtool; do command -v $$name >/dev/null || [ -x $(VENV)/tools/$$name ] || \
	  echo "No $$name: its tests are skipped" >&2; done

# Tests wait for processes about as long as they compute, so two at once keep a core busy. The modules stay whole:
# what a module shares (a broker, a receiver) is started once.
IN_PARALLEL = -n $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))') --dist loadfile --no-loadscope-reorder

test: install browser proxies platform ## Run the tests, in parallel
	@$(BIN)/python -m pytest $(IN_PARALLEL) --durations 20 $(ARGS)

machines: proxies ## Install a PostgreSQL with TLS and what makes network namespaces, where that can be done
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && command -v ip >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing PostgreSQL ..."; apt-get update -qq; export DEBIAN_FRONTEND=noninteractive; \
	  apt-get install -y -qq postgresql-common iproute2 util-linux >/dev/null; \
	  grep -q '^create_main_cluster' /etc/postgresql-common/createcluster.conf || \
	    echo 'create_main_cluster = false' >> /etc/postgresql-common/createcluster.conf; \
	  apt-get install -y -qq postgresql >/dev/null; \
	else echo "No PostgreSQL of the system: the tests that need one are skipped" >&2; fi

test-machines: install machines ## Test a receiver on several machines: network namespaces, a PostgreSQL with TLS (as root, on Linux)
	@TEST_MACHINES=1 $(BIN)/python -m pytest -n 2 tests/system/test_machines.py --durations 8 $(ARGS)

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
	@$(BIN)/check-jsonschema --schemafile deploy/helm/pact-dispatch/values.schema.json deploy/helm/pact-dispatch/values.yaml
	@$(BIN)/kubernetes-validate --strict --quiet -k $(KUBERNETES) $(MANIFESTS)
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
	@$(LOCK) --python-version 3.13 --extra server --extra otel --output-file docker/requirements.txt
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

manifests: install platform ## Write the plain Kubernetes manifests anew, from the Helm chart
	@$(BIN)/python -m release.manifests

bench: install ## Time `verify` and the receiver beside their peers, the broker, and the dashboard (ARGS=--quick for a short look)
	@$(BIN)/python -m benchmarks.verify $(ARGS)
	@$(BIN)/python -m benchmarks.many_pacts $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.broker $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.reconcile $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.webhooks $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.configuration $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.traces $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.receiver $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.queue $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.capacity $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.chaos --quick
	@$(BIN)/python -m benchmarks.dashboard $(filter --quick,$(ARGS))
	@$(BIN)/python -m benchmarks.history --quick
	@$(BIN)/python -m benchmarks.backup --quick

FUZZ = $(if $(N),--inputs $(N)) $(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED)) $(if $(INPUT),--input $(INPUT))

fuzz: install ## Give damaged requests, pacts and answers to what reads them (N=100000, TARGET=, SEED=, INPUT=, ARGS=--help)
	@nice $(BIN)/python -m fuzz $(FUZZ) $(ARGS)

clean: ## Remove what was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
