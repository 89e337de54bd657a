# Two commands on a fresh machine: `make golive` (from bare hosts to live on the rehearsal exchange) and `make test`.
# Both set up what they need, and may be interrupted and repeated.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Explicit, because Ansible ignores the ansible.cfg of a world-writable folder, with no more than a warning.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Without bytecode every process compiles what it imports: a run took 7 CPU seconds more on a machine that sets this.
unexport PYTHONDONTWRITEBYTECODE
# ansible-lint and molecule start ansible by name.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# The lab and the rehearsal of another system: make golive INVENTORY=inventories/<system>/lab.yml
INVENTORY ?= inventories/kraken-micro/lab.yml
export GOLIVE_INVENTORY := $(abspath $(INVENTORY))
SYSTEM := $(notdir $(patsubst %/,%,$(dir $(GOLIVE_INVENTORY))))
RUN ?= reports/$(SYSTEM)/latest
# Passed on: make golive ARGS=--check, make test PYTEST_ARGS='-k gate -x'
ARGS ?=
PYTEST_ARGS ?=
PROVE_ARGS ?=
BENCH ?= observe exchange_key kill_switch sandbox model_promotion

BIN := .venv/bin
GOLIVE_STEPS := system env engine image vault lab people
TEST_STEPS := $(GOLIVE_STEPS) browser databases

.PHONY: help setup golive test lint unit prove bench lab lab-down report

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: ## Tools, locked environment, Docker Engine, lab image, Vault, lab hosts (each only if missing)
	@scripts/setup $(GOLIVE_STEPS)

golive: setup ## The journey on the lab from bare hosts to LIVE on the rehearsal exchange, then the path of the report
	@scripts/journey "$(INVENTORY)" "reports/$(SYSTEM)/latest" $(ARGS)

test: ## Lint, types and all tests (set-up included)
	@scripts/setup $(TEST_STEPS)
	@$(MAKE) lint
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: ## ruff, mypy, yamllint, ansible-lint
	@scripts/timed ruff $(BIN)/ruff check .
	@scripts/timed mypy $(BIN)/mypy
	@scripts/timed yamllint $(BIN)/yamllint --strict .
	@ANSIBLE_INVENTORY=$(CURDIR)/molecule/lab/inventory/lab.yml scripts/timed ansible-lint $(BIN)/python scripts/known_good.py lint $(BIN)/ansible-lint --offline

unit: ## The tests that need no lab host
	@scripts/setup system env
	@$(BIN)/pytest tests/unit $(PYTEST_ARGS)

prove: setup ## Every break and campaign on the lab that make golive built, records and page (PROVE_ARGS='--control ID', '--again'); then every long suite
	@$(BIN)/python -m tests.faults.prove $(PROVE_ARGS)
	@$(BIN)/python -m tests.faults.journeys.campaigns
	@$(BIN)/pytest --full $(PYTEST_ARGS)

bench: setup ## The measurements, one after the other (one of them with its options: BENCH=observe ARGS=--write)
	@for one in $(BENCH); do echo "== $$one"; $(BIN)/python -m tests.bench.$$one $(ARGS) || failed=1; done; exit $${failed:-0}

lab: ## The lab hosts alone
	@scripts/setup system env engine image lab people

lab-down: ## Remove the lab hosts, their network and their keys
	@$(BIN)/python -m golive.lab down

report: ## Write the reports of a run anew (RUN=reports/<system>/<run>, default: the latest)
	@$(BIN)/python -m golive.report "$(RUN)"
