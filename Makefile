# The few commands a newcomer needs; nothing is installed outside this checkout and the package managers' own caches.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test nightly revert-tests chaos check bench catalog monitoring lock compose-smoke k8s-check k8s-smoke k8s-scan upgrade-check sbom down clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.made-from-the-lock
SERVICES := enrollment matching scheduling insights
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-annotate

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv from the locked, hashed requirements

# uv, itself taken from the lock by pip with its hash, installs the rest: seconds instead of a minute. Compiled once here,
# because every process of the stack would do it again where PYTHONDONTWRITEBYTECODE is set.
$(READY): requirements/dev.txt pyproject.toml
	@found=; for each in "$(PYTHON)" python3.14 python3.13 python3.12 python3.11; do \
	  if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$each; break; fi; done; \
	if [ -z "$$found" ]; then echo "Counterpoint needs Python 3.11 or newer: install it, or name it with" \
	  "'make PYTHON=/path/to/python3 ...' ($(PYTHON) is $$("$(PYTHON)" -V 2>&1 || true))." >&2; exit 1; fi; \
	if [ ! -x $(BIN)/uv ]; then \
	  "$$found" -m venv --clear .venv || { echo "Python's venv module is incomplete: on Debian or Ubuntu install" \
	    "python3-venv." >&2; rm -rf .venv; exit 1; }; \
	  awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements/dev.txt > .venv/uv.txt; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt; \
	fi
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(READY) ## watch a whole program live through its story on a real Kafka and a real MongoDB
	@$(BIN)/counterpoint demo

test: $(READY) ## run every test
	@$(BIN)/python -m pytest -n 2

nightly: $(READY) ## what takes too long for every change: the other driver, and ten times as many lives
	@$(BIN)/python -m pytest -m nightly
	@COUNTERPOINT_MONGO_DRIVER=pymongo $(BIN)/python -m pytest tests/integration
	@COUNTERPOINT_TEST_EXAMPLES=10000 $(BIN)/python -m pytest tests/chassis/test_stateful.py

revert-tests: $(READY) ## plant each fault of tests/planted and see that the tests of its guarantee fail
	@$(BIN)/python -m tests.planted

EVENTS ?= 1000000
MINUTES ?= 120
chaos: $(READY) ## kill, pause and cut off everything under load; EVENTS=, MINUTES=, SEED= to see one again
	@$(BIN)/python -m tests.chaos --events $(EVENTS) --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

check: $(READY) ## format, lint, types and the rules of the house
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/rules tests/deploy -m 'not integration and not nightly'

bench: $(READY) ## measure, every figure a ratio against a floor of the same run
	@$(BIN)/python -m bench

catalog: $(READY) ## write the generated documents again
	@$(BIN)/python -m cli.catalog

monitoring: $(READY) ## write what the Prometheus operator and Grafana read again
	@$(BIN)/python -m local.monitoring
	@$(BIN)/python -m local.dashboards

lock: $(READY) ## lock the requirements again, with hashes
	@$(COMPILE) --extra matching --extra cli --group dev --group local pyproject.toml -o requirements/dev.txt
	@echo checkov | $(COMPILE) - -o requirements/scan.txt
	@printf 'lapx\nmentor-match\n' | $(COMPILE) -c requirements/dev.txt - -o requirements/bench.txt
	@echo cyclonedx-bom | $(COMPILE) - -o requirements/sbom.txt
	@for each in $(SERVICES) outlet; do \
	  extra=; if grep -q "^$$each = \[" pyproject.toml; then extra="--extra $$each"; fi; \
	  $(COMPILE) $$extra pyproject.toml -o requirements/$$each.txt; done

compose-smoke: $(READY) ## build the images and run the story against docker compose
	@$(BIN)/python -m local.compose_smoke

k8s-check: $(READY) ## give the manifests to the cluster of the current kubeconfig, and take them away again
	@$(BIN)/python -m tests.deploy.cluster

k8s-smoke: $(READY) ## build images, and run the rendered pods of a service by the engine that is there
	@$(BIN)/python -m tests.deploy.smoke

k8s-scan: $(READY) ## what checkov has against the production manifests
	@rendered=$$(mktemp -d); trap 'rm -rf "$$rendered"' EXIT; kubectl kustomize deploy/k8s/overlays/prod > "$$rendered/prod.yaml"; \
	$(BIN)/uv run --quiet --no-project --isolated --python $(BIN)/python --with-requirements requirements/scan.txt \
	  checkov --file "$$rendered/prod.yaml" --framework kubernetes --compact --quiet --skip-download

upgrade-check: $(READY) ## bring this release out beside an older one while its story goes on; FROM=<tag or commit>
	@$(BIN)/python -m tests.upgrade --from $(FROM)

sbom: $(READY) ## say in dist/sbom what each image installs, in CycloneDX
	@mkdir -p dist/sbom; for each in $(SERVICES); do \
	  PYTHONWARNINGS=ignore $(BIN)/uv run --quiet --no-project --isolated --python $(BIN)/python --with-requirements requirements/sbom.txt \
	    cyclonedx-py requirements requirements/$$each.txt --pyproject pyproject.toml --mc-type application \
	    --output-reproducible --spec-version 1.6 --output-format JSON --output-file dist/sbom/counterpoint-$$each.cdx.json; done
	@$(BIN)/python -m tests.deploy.sbom

down: ## stop what this checkout started and remove its data
	@if [ -x $(BIN)/counterpoint ]; then $(BIN)/counterpoint down; fi

clean: down ## also remove .venv, the downloaded jars and every cache
	@rm -rf .venv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/latest.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
