# dsa110-contimg. Every target makes .venv by itself when it needs it; `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint lint-style lint-types lint-rooms lint-docs docs bench soak env clean

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
RUN_STAMP := $(VENV)/.stamp-run
DEV_STAMP := $(VENV)/.stamp-dev
MKDOCS := NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict
CHECKED := src tests $(wildcard scripts benchmarks)
KERNELS := conversion.kernels flagging.compiled calibration.compiled imaging.compiled mosaic.kernels \
    photometry.forced_kernels lightcurves.compiled qa.compiled
# Tests run in two processes, and on a machine with one core in one.
WORKERS := $(shell [ "$$(nproc)" -gt 1 ] && echo 2 || echo 0)
SPREAD := -n $(WORKERS) --dist worksteal
marked = -m $(1) $(sort $(shell grep -rl --include='test_*.py' 'mark\.$(1)\b' tests))

help:  ## list the targets
	@echo "dsa110-contimg: subband files in, a calibrated sky out"
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_STAMP)  ## raw counts of a known sky through the daemon to calibrated images; print true against measured
	@echo "== demo: simulate, stream, calibrate, image, compare (a few minutes)"
	@$(PY) scripts/demo.py

test: $(DEV_STAMP)  ## run all tests, with coverage
	@echo "== test: the numba kernels uncompiled, so that coverage sees them"
	@NUMBA_DISABLE_JIT=1 $(PY) -m pytest -q $(call marked,kernel) $(SPREAD) --cov --cov-report= --cov-fail-under=0 || [ $$? -eq 5 ]
	@echo "== test: everything that bears a neighbour; then what does not"
	@failed=0; \
	$(PY) -m pytest -m "not alone" $(SPREAD) --cov --cov-append --cov-report= --cov-fail-under=0 || failed=$$?; \
	$(PY) -m pytest $(call marked,alone) --cov --cov-append || failed=$$?; \
	exit $$failed

lint: $(DEV_STAMP)  ## style, types, which room may import which, and whether the docs can be built
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint-docs lint-types lint-style lint-rooms

lint-style:
	@echo "== lint: ruff"
	@$(VENV)/bin/ruff check $(CHECKED)
	@$(VENV)/bin/ruff format --check $(CHECKED)

lint-types:
	@echo "== lint: mypy"
	@$(VENV)/bin/mypy

lint-rooms:
	@echo "== lint: the rooms"
	@$(VENV)/bin/lint-imports --no-cache

lint-docs:
	@echo "== lint: the docs"
	@$(MKDOCS) --site-dir build/docs

docs: $(DEV_STAMP)  ## build the documentation as a site, in site/
	@$(MKDOCS)
	@echo "== docs: site/index.html; with the search: $(PY) -m http.server --directory site"

bench: $(DEV_STAMP)  ## time a full group, ours and the peer's side by side; and the stream
	@echo "== bench: convert a full group (minutes, and 10 GB of disk)"
	@$(PY) benchmarks/bench_convert.py
	@echo "== bench: flag a full group (needs the aoflagger command for the peer)"
	@$(PY) benchmarks/bench_flag.py
	@echo "== bench: solve a full calibrator group, and apply"
	@$(PY) benchmarks/bench_calibrate.py
	@echo "== bench: image a full group (minutes; needs WSClean for the peer), and take its files to a catalogue"
	@$(PY) benchmarks/bench_image.py --wide
	@echo "== bench: an hour of drifting sky, from files to a measured mosaic, against the truth (minutes)"
	-@$(PY) benchmarks/bench_hour.py  # says by its status whether all of it holds
	@echo "== bench: the stream, and the ledger with 100,000 groups (minutes)"
	@$(PY) benchmarks/bench_stream.py
	@$(PY) benchmarks/bench_ledger.py
	@echo "== bench: a year of light curves (2 GB of disk)"
	@$(PY) benchmarks/bench_lightcurves.py
	@echo "== bench: variables in simulated months: what part is found"
	@$(PY) benchmarks/bench_variables.py
	@echo "== bench: stage on scratch, beside cp -a"
	@$(PY) benchmarks/bench_scratch.py

soak: $(DEV_STAMP)  ## run the stream over 200 groups with faults, and kill it 100 times (half an hour)
	@$(PY) benchmarks/soak_stream.py

env: $(DEV_STAMP)  ## make .venv with everything in it
	@echo "$(VENV) is ready: $(VENV)/bin/dsa110-contimg --help"

clean:  ## remove caches, coverage, builds, and what demo and bench left (never data or .venv)
	@echo "== clean: caches, coverage, builds, demo and bench output"
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov \
	    build dist site contimg-data/demo contimg-data/bench
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@for candidate in python3.11 python3.12 python3.13 python3; do \
	    if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "== .venv: made with $$candidate ($$($$candidate -V))"; \
	        exec $$candidate -m venv $(VENV); \
	    fi; \
	done; \
	echo "No Python 3.11 or later found (tried python3.11, python3.12, python3.13, python3)." >&2; exit 1

$(RUN_STAMP): pyproject.toml constraints.txt | $(PY)
	@echo "== .venv: installing the package and what it needs to run"
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation --editable .
	@echo "== .venv: compiling the kernels"
	@printf '%s\n' $(KERNELS) | xargs -P 2 -I{} \
	    $(PY) -c 'from dsa110_contimg.{} import compile_kernels; compile_kernels()'
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo "== .venv: installing what the tests and checks need"
	@$(PIP) --no-build-isolation --editable '.[test,dev,docs]'
	@echo "== .venv: installing CASA, a second opinion for the tests (large)"
	@$(PIP) --no-build-isolation --editable '.[casa]' \
	    || echo "CASA cannot be installed on $$($(PY) -V): the tests that ask it are skipped"
	@touch $@
