# What a person types. The work is in drills/; here is only set-up, which every other target rests on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOXIPROXY := github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0
STAMP := $(VENV)/.set-up

.PHONY: drills teeth test test-engine setup engine images lint doctor clean

drills: setup ## the monthly suite against the reference control plane; the exit code is printed last
	@$(BIN)/drills run --suite monthly

teeth: setup ## the suite's drills against every defect that they claim to catch; the exit code is printed last
	@$(BIN)/drills teeth --suite monthly

test: setup ## the tests: no engine, no network, no timing
	@$(BIN)/python -m pytest -q

test-engine: setup ## the tests that need a container engine; without one they are errors
	@$(BIN)/python -m pytest -q tests/engine

engine: ## Docker and Compose for a machine that has none (root, packages); nothing else installs or starts an engine
	@$(PYTHON) -m drills.stage.engine_setup

images: setup ## the images of the container stage: pulled where DRILLS_REGISTRY has them, else made here
	@$(BIN)/python -m drills.stage.images

setup: $(STAMP) toxiproxy ## .venv and Toxiproxy, nothing outside this folder

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: set PYTHON=/path/to/python3.11"; exit 3; }
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

.PHONY: toxiproxy
toxiproxy:
	@command -v toxiproxy-server >/dev/null 2>&1 || test -x .tools/bin/toxiproxy-server || $(MAKE) --no-print-directory .tools/bin/toxiproxy-server

.tools/bin/toxiproxy-server:
	@command -v go >/dev/null 2>&1 || { echo "neither toxiproxy-server nor Go is on the PATH; install Toxiproxy 2.12 or Go 1.23 or newer"; exit 3; }
	@echo "building Toxiproxy 2.12 from its Go module (once)"
	@mkdir -p .tools/bin
	@GOBIN=$(CURDIR)/.tools/bin go install $(TOXIPROXY)
	@mv .tools/bin/server .tools/bin/toxiproxy-server

lint: setup ## ruff and mypy
	@$(BIN)/ruff check drills tests
	@$(BIN)/ruff format --check drills tests
	@$(BIN)/mypy

.PHONY: bench
bench: setup ## speed and memory against their limits (docs/benchmarks.md); tests are never timed
	@$(BIN)/python -m drills.bench

doctor: ## what this machine has and what is missing
	@$(PYTHON) -m drills doctor

clean: ## remove what set-up made
	@rm -rf $(VENV) .tools
