# One command each; everything lives in .venv and nothing is installed outside it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# a fresh seed each time, so that the demo is never one that was prepared
SEED ?= $(shell od -An -N3 -tu4 /dev/urandom | tr -d ' ')
OUT ?= demo
JOBS ?= 2

# of pip's many lines the large downloads remain; its errors come through stderr
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input
PROGRESS := | sed -nE \
	-e 's/^ *Downloading (.*\/)?([A-Za-z0-9_.]*-[0-9.]*).*\(([0-9]{2,}\.[0-9] MB|[0-9.]+ GB)\).*/  fetching \2 (\3)/p' \
	-e 's/^Installing collected packages.*/  unpacking (a minute or so)/p'

.PHONY: help demo test test-release test-oldest lint types fuzz bench docs figures picture train-tiny \
	examine-tiny clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(VENV)/.installed  ## install, draw a new image and a new video, ask plm-tiny (SEED=…)
	@$(BIN)/plm demo --seed $(SEED) --out $(OUT)

# all of it runs even where the first fails; pytest comes last, so its closing line does too
test: $(VENV)/.installed-dev  ## lint, types, floors and every test
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check --quiet . || status=1; \
	$(BIN)/mypy || status=1; \
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile || status=1; \
	exit $$status

# fetches torch anew: about 3 GB, and as many minutes as that takes
test-release: $(VENV)/.installed-dev  ## install the wheels from the registry into a new environment
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m release tests/plugins

# pip only knows the newest: uv resolves every requirement of pyproject.toml to its lowest
test-oldest:  ## every test, on the oldest versions that pyproject.toml allows
	@$(PYTHON) -m venv --clear $(VENV)-oldest
	@$(VENV)-oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	@$(VENV)-oldest/bin/uv pip install --quiet --python $(VENV)-oldest/bin/python \
		--resolution lowest-direct -e '.[dev]'
	@OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(VENV)-oldest/bin/python -m pytest -n $(JOBS) --dist loadfile

lint: $(VENV)/.installed-dev  ## ruff: lint and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev  ## mypy --strict on src
	@$(BIN)/mypy

# make test tries a few hundred, always the same; this takes hours, and other ones every time
fuzz: $(VENV)/.installed-dev  ## damage files of every kind in thousands of ways and read them
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/hostile/test_fuzz.py -n $(JOBS) \
		--hypothesis-profile=long

# BENCH takes further options of pytest. All of it takes hours on a processor, most of them for
# images of 36 tiles: BENCH='-k "not batch36"' leaves those out, BENCH='-k projector' all else, and
# BENCH=--benchmark-json=FILE keeps every round for plm bench report
bench: $(VENV)/.installed-dev  ## every registered kernel at the models' sizes: checked, then timed
	@OMP_WAIT_POLICY=passive $(BIN)/python -m pytest benchmarks -o addopts= --benchmark-only \
		--benchmark-columns=median,iqr,rounds --benchmark-group-by=group \
		--benchmark-max-time=0.5 $(BENCH)

train-tiny: $(VENV)/.installed  ## train plm-tiny from scratch on two cores (TRAIN=--resume)
	@$(BIN)/python -m plm_components.training.tiny $(TRAIN)

examine-tiny: $(VENV)/.installed  ## ask plm-tiny about 1,000 new pictures and 1,000 new clips
	@$(BIN)/python -m plm_components.evaluation.tiny --scenes 1000

figures: $(VENV)/.installed  ## examine plm-tiny and write the figures into the pages
	@OMP_WAIT_POLICY=passive $(BIN)/python docs/figures.py
	@$(BIN)/python docs/generate.py

picture: $(VENV)/.installed  ## draw the README's picture again (SEED=…)
	@$(BIN)/python docs/picture.py $(SEED)

docs: $(VENV)/.installed  ## write the pages that are generated from the code
	@$(BIN)/python docs/generate.py

clean:  ## remove the virtual environments and what was drawn
	rm -rf $(VENV) $(VENV)-oldest $(OUT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# one resolution for everything: torch and torchvision must come from the same one
$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing plm_components and what it needs (torch is about 3 GB the first time)"
	@$(PIP) -e . $(PROGRESS)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing plm_components, what it needs, and the tools of its tests"
	@$(PIP) -e '.[dev]' $(PROGRESS)
	@touch $@ $(VENV)/.installed
