# Every word here is also what CI says. `make` alone explains them.
PYTHON ?= python3
BIN := .venv/bin
TESTERS ?= 2
.DEFAULT_GOAL := help
.PHONY: help install tools test-tools run test check generate fuzz soak bench bench-follow bench-tools constraints clean breaking release

help: ## Show this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: .venv/installed ## Make .venv with everything pinned; nothing when it is up to date

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mjgate needs Python 3.11 or newer; set PYTHON=python3.11 or such" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt hatchling editables
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

tools: install ## Install what lints, mocks and types the contract beyond pip, under .tools
	@$(BIN)/python openapi/tools.py

run: install ## Start the gateway with a sandbox, and say how to draw a first picture
	@$(BIN)/mjgate serve --sandbox

test-tools:
	@command -v pgbouncer >/dev/null && command -v chromium >/dev/null || { apt-get update -q; apt-get install -y -q pgbouncer chromium; }

test: install tools test-tools ## Run all tests, with the coverage gate
	$(BIN)/python -m pytest -q -n $(TESTERS) --cov --cov-report=term

check: install tools ## Lint, types, imports, the contract's rules, and that generated code is fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/openapi-spec-validator openapi/mjgate.yaml
	.tools/bin/spectral lint --quiet --fail-severity warn --ruleset openapi/rules.yaml openapi/mjgate.yaml
	$(BIN)/python openapi/generate.py --check

generate: install ## Write generated/mjgate_client from the contract
	$(BIN)/python openapi/generate.py

breaking: install ## Name what the contract breaks since BASE, a revision or a file; else since the last release
	@$(BIN)/python -m openapi.breaking --base "$(BASE)"

release: install ## Write the contract, its 3.1 edition, its reference and the client to dist/; refuse where versions differ
	$(BIN)/python openapi/generate.py --check
	$(BIN)/python -m openapi.release

fuzz: install ## Fuzz a running gateway against its contract: 10,000 cases, a fixed and a random seed
	$(BIN)/python tests/fuzz/run.py

soak: install bench-tools ## Run the long tests: batches that meet, kills at any moment, all faults, memory, any order of everything
	$(BIN)/python tests/soak/admission.py --rounds 10000
	$(BIN)/python tests/soak/crash.py --kills 30 --dialect novicezk
	$(BIN)/python tests/soak/crash.py --kills 30 --dialect new-api
	$(BIN)/python tests/soak/faults.py --tasks 2000
	$(BIN)/python tests/soak/memory.py --tasks 100000
	$(BIN)/python tests/soak/forget.py --tasks 100000
	LIVES=2000 $(BIN)/python -m pytest -q tests/properties

bench: install bench-tools ## Measure against a bare forwarder and stock Connexion
	$(BIN)/python tests/bench/run.py
	$(BIN)/python tests/bench/callbacks.py

bench-follow: install bench-tools ## Measure how soon changes at an upstream are seen, with 50,000 tasks running
	$(BIN)/python tests/bench/follow.py

bench-tools:
	@command -v wrk >/dev/null || apt-get install -y -q wrk

constraints: ## Pin what .venv holds now
	$(BIN)/python -m pip freeze --exclude-editable --exclude mjgate | grep -v '@' > constraints.txt

clean: ## Remove what was built; the data in .mjgate stays
	rm -rf .venv .tools build dist .coverage* .mypy_cache .pytest_cache .ruff_cache
