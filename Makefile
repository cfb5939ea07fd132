.PHONY: run demo test check torture bench types traces setup packages clean

PYTHON ?= python3
BIN := .venv/bin
PACKAGES := $(shell grep -v '^#' packages.txt)

run: setup ## Install what is missing and start the service
	$(BIN)/scanbus run

demo: setup ## Scan a PDF from two scanners that need no hardware
	$(BIN)/python scripts/demo.py demo.pdf

test: check ## All checks and all tests, those in Chromium too
	$(BIN)/python -m pytest

check: setup ## Style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

torture: setup ## The storage proofs in full length; PROOFS="--seed 4 crash-states" for one of them
	$(BIN)/python -m tests.torture $(PROOFS)

bench: setup ## Speed and memory, as ratios against a peer in the same run
	$(BIN)/python -m tests.bench

types: setup ## What a page can say, as JSON Schema and TypeScript
	$(BIN)/python -m scripts.make_types

traces: setup ## Record each story anew that does not play as it was; review the difference
	$(BIN)/python -m tests.replay.record

setup: packages .venv/installed

packages:
ifneq ($(shell command -v dpkg-query 2>/dev/null),)
	@missing=$$(for name in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q '^install ok installed' || echo $$name; done); \
	if [ -n "$$missing" ]; then \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		echo "Installing" $$missing; \
		$$sudo apt-get update -q && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qy --no-install-recommends $$missing; \
	fi
else
	@echo "This is not Debian: make sure that what these packages hold is installed: $(PACKAGES)"
endif

.venv/installed: pyproject.toml packages.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Scanbus needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q --upgrade 'pip>=25.1'
	$(BIN)/pip install -q -e . --group check --group test
	touch $@

clean: ## Remove what setup made
	rm -rf .venv build dist *.egg-info
