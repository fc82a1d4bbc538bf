# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: help demo test check lint types layers unit slow notebooks bench lock clean

help:
	@echo "make demo    the main job on twelve sample documents; ends with the paths of tables, charts and report"
	@echo "make test    every check and test that is quick"
	@echo "make slow    the slower tests (corpus, browser, wheel, pandas 2)"
	@echo "make bench   the benchmarks, into docs/benchmarks.md's figures"
	@echo "make lock    new pins from pyproject.toml (needs uv)"

$(VENV)/.ready: pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "docdask needs Python 3.11 or newer; set PYTHON=python3.x"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(VENV)/.ready
	$(BIN)/docdask demo $(DEMO)

test: check unit

check: lint types layers

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell docs README.md CHANGELOG.md

types: $(VENV)/.ready
	$(BIN)/mypy

layers: $(VENV)/.ready
	$(BIN)/lint-imports

unit: $(VENV)/.ready
	$(BIN)/python -m pytest -q -m "not slow and not browser" -n 2 --dist loadgroup

slow: $(VENV)/.ready
	$(BIN)/python -m pytest -q -m "slow or browser"

bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks

lock:
	uv pip compile --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links --no-annotate \
	  --strip-extras --extra dev --extra emulator --extra fonts --extra gcs --extra notebook pyproject.toml -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links --no-annotate \
	  --strip-extras pyproject.toml -o requirements/run.txt

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info
