# Everything that a person does with a checkout. `make help` lists it.
SHELL := /bin/bash
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
EXTRAS := worker,embedded,flower,tracing,heads,dev

.PHONY: help install run test check bench storm two-machines fuzz heads evaluate attack schema env constraints contract openapi images-test sbom

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## make .venv with everything in it

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Gradeline needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	# torch first: whatever comes before it would take another build
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet -e ".[$(EXTRAS)]"
	@touch $@

run: install ## start everything, grade the sample essays, and go on serving
	$(BIN)/gradeline up --samples

# By name, not by the number of tests: the storm, one test that takes minutes, would come last and alone.
test: install ## run all tests, on real servers that they start themselves (JOBS=2: in so many processes)
	$(BIN)/python -m pytest -q -n $(or $(JOBS),2) --dist loadfile --no-loadscope-reorder

check: install ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench ## measure everything into bench/results (QUICK=1: small; BENCH="line scale": some of it)
	$(BIN)/python -m bench $(BENCH) $(if $(QUICK),--quick)

$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -e ".[$(EXTRAS),bench]"
	@touch $@

storm: install ## break a real stack for some minutes and see that nothing is lost (SEED=1 JOBS=10000 FAULTS=34)
	$(BIN)/python -m tests.storm --seed $(or $(SEED),1) --jobs $(or $(JOBS),10000) --faults $(or $(FAULTS),34)

two-machines: install ## cut the link between two hosts in mid-batch (needs root, ip and nft; SECONDS_CUT=30)
	$(BIN)/python -m tests.storm.two_machines --seconds $(or $(SECONDS_CUT),30)

fuzz: install ## send 100,000 requests that nobody would send on purpose, and broken HTTP (N=100000 SEED=1)
	$(BIN)/python -m tests.fuzz --requests $(or $(N),100000) --seed $(or $(SEED),1)

heads: install ## fit and measure the default heads (DATA=folder of the corpora)
	$(BIN)/python -m heads.fit --data $(DATA)

evaluate: install ## one table of what the heads reach on essays they have not seen (make heads evaluate: fit first)
	$(BIN)/python -m heads.evaluate --data $(DATA)

attack: install ## what cheating changes, and what notices it
	$(BIN)/python -m heads.attack --data $(DATA)

contract: install ## everything that schemathesis knows to ask of the API (EXAMPLES=200 made-up requests an operation)
	CONTRACT_EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/python -m pytest -q -s tests/contract/test_contract.py

openapi: install ## write the API's document into docs/openapi.json, and say what has changed
	$(BIN)/python -m docs.write_openapi

schema: install ## draw the database's schema into docs/schema.md
	$(BIN)/python docs/draw_schema.py

env: ## write .env with random passwords for docker-compose.yml, unless there is one
	@deploy/make-env

images-test: install ## build the images; start, scale, kill and restart the composed stack (needs Docker)
	$(BIN)/python -m tests.images

sbom: ## list what is in the built images, as CycloneDX files in build/ (needs Docker)
	@deploy/sbom gradeline-api gradeline-worker:cpu

constraints: install ## write deploy/constraints.txt: the versions of .venv, for the images
	$(BIN)/python deploy/constraints.py
