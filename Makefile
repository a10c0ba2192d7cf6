# make demo   the whole system on simulated devices, on this machine
# make test   every test: what needs no browser three at a time, then each page with the machine to itself
# make check  lint, format, types, direction of imports
# make env    only the environment (.venv), page included
# make feed   docs/feed.md and the page's types anew, after a change of display/messages/
# make lock   renew requirements.txt after a change of pyproject.toml

PYTHON ?= python3
BIN := .venv/bin
PAGE_SOURCES := $(shell find display/page -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

# an image may forbid it: then each of the hundreds of processes that the tests start compiles all of it again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check env page feed lock clean

demo: env
	@$(BIN)/radionav --simulate

test: env
	@code=0; $(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not screen" || code=$$?; \
	  $(BIN)/pytest -q -m screen || code=$$?; exit $$code

check: env
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

env: .venv/installed

.venv/locked: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "radionav needs Python 3.11 or newer; try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@echo "making the environment in .venv (about a minute, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

display/page/dist/index.html: .venv/locked $(PAGE_SOURCES)
	@$(BIN)/python display/page/hatch_build.py
	@touch $@

.venv/installed: .venv/locked pyproject.toml display/page/dist/index.html
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

page: env

feed: .venv/locked
	$(BIN)/python -m display.asyncapi docs/feed.md
	$(BIN)/python -m display.typescript display/page/src/feed-types.ts

lock:
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install --quiet uv
	.venv/lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	  --group dev pyproject.toml --output-file requirements.txt

clean:
	rm -rf .venv display/page/dist display/page/node_modules var
