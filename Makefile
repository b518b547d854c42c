# From a bare checkout with Python 3.11+ and make: each target installs what it needs into .venv.

PYTHON ?= python3
BIN := .venv/bin
UV = $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
INSTALLED := .venv/.installed

.PHONY: demo test check audit lock ui clean

demo: $(INSTALLED)             ## both demo applications, released and searchable; says what to open
	@$(BIN)/polyloom demo

test: $(INSTALLED)             ## the whole test suite
	@$(BIN)/python -m pytest

check: $(INSTALLED)            ## lint, format, types, import rules, docs in step
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest tests/test_docs.py tests/test_house.py

audit: $(INSTALLED)            ## a bill of materials in build/, and known flaws of what is locked; says so without network
	@$(BIN)/python .ci/audit.py build/sbom.cdx.json

ui: $(INSTALLED)               ## start the page and say where it is
	@$(BIN)/polyloom ui

lock: $(INSTALLED)             ## resolve the bounds of pyproject.toml anew: versions and hashes, no addresses
	@$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet --output-file requirements.lock

clean:                         ## remove the environment; the state in .polyloom stays
	@rm -rf .venv

$(INSTALLED): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "installing polyloom and what it needs into .venv (some 200 packages, 6 GB)"
	@$(UV) pip install --python $(BIN)/python --require-hashes --quiet --requirements requirements.lock
	@$(UV) pip install --python $(BIN)/python --no-deps --quiet --editable .
	@touch $@
