# Every target sets itself up in .venv: all it wants is make and Python >= 3.11.
# `make test PYTHON=python3.12` uses that interpreter, in an environment of its own.

PYTHON ?=
VENV   := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
EXTRAS := dev,export

UV         := $(shell command -v uv 2>/dev/null)
CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3.14 python3 python)
# A candidate is run, not only found: a version manager's shim may exist and still fail.
USABLE     := import sys, venv$(if $(UV),,, ensurepip); sys.exit(sys.version_info < (3, 11))
PYTEST     := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test check format torture bench coverage clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

demo: $(READY) ## Run the main scenario; print its report's path, and open it on a desktop
	@$(BIN)/walras run marketplace
	@report=$$(ls -t runs/*/report.html | head -n 1); echo "report: $$PWD/$$report"; \
	if [ "$$(uname)" = Darwin ]; then open "$$report"; \
	elif [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] && command -v xdg-open >/dev/null; then \
		xdg-open "$$report" >/dev/null 2>&1 || true; fi

test: $(READY) ## Run the tests and the docstrings' examples
	$(PYTEST) -n auto --maxprocesses 4 --dist worksteal

check: $(READY) ## Format, lint, docstrings and strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## Rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

torture: $(READY) ## Run the tests that take long or want memory
	$(PYTEST) -m torture --timeout 0 -s

bench: $(READY) ## Measure the speed of the engine, against the plain simulation; of maps, sweeps and the dashboard
	$(BIN)/python -m benchmarks.kernel
	$(BIN)/python -m benchmarks.fluid_map
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.dashboard

coverage: $(READY) ## Measure coverage, with compilation off so that every line counts
	NUMBA_DISABLE_JIT=1 $(PYTEST) -n auto --maxprocesses 4 --timeout 0 --cov --cov-report term --cov-report html

clean: ## Remove environments, caches and builds; results stay
	rm -rf .venv .venv-* build dist htmlcov .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@if ! $(BIN)/python -c '$(USABLE)' 2>/dev/null; then \
		for python in $(CANDIDATES); do \
			if "$$python" -c '$(USABLE)' >/dev/null 2>&1; then found=$$python; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo 'error: no working Python >= 3.11 with venv among: $(CANDIDATES)' >&2; \
			echo '  Install one (Debian: apt-get install python3-venv) or name one: make PYTHON=/path/to/python' >&2; \
			exit 1; \
		fi; \
		echo "setting up $(VENV) with $$found"; rm -rf $(VENV); \
		if [ -n '$(UV)' ]; then uv venv --quiet --python "$$found" $(VENV); \
		else "$$found" -m venv $(VENV); fi \
	fi
	@if [ -n '$(UV)' ]; then uv pip install --quiet --python $(BIN)/python --editable '.[$(EXTRAS)]'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'; fi
	@touch $@
