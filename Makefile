# Two commands do all set-up: `make run` and `make test`. Everything is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BACKEND ?=
ARGS ?=
MINUTES ?= 30
EXTRA ?=
EXTRAS = $(if $(filter-out local,$(BACKEND)),,[local])

# Hundreds of processes load the same modules: what an environment may forbid, to keep them compiled, saves much here.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test soak bench peers lint format audit wheel screenshots clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run$(subst [,-,$(subst ],,$(EXTRAS))) ## Install and serve the chat; BACKEND=mock needs no model, ARGS="--port 9000" adds flags
	@$(BIN)/webchat serve $(if $(BACKEND),--backend $(BACKEND)) $(ARGS)

test: $(VENV)/.dev $(if $(EXTRA),$(VENV)/.extra-$(EXTRA)) ## Install what is needed and run every test; ARGS="-k resume" picks some, EXTRA=frameworks adds agents
	@$(BIN)/python -m pytest --numprocesses $$((2 * $$(getconf _NPROCESSORS_ONLN))) --dist worksteal $(ARGS)

soak: $(VENV)/.dev ## Use it in all ways while all kinds of things fail, for MINUTES=30, then flood it and kill it while it answers
	@$(BIN)/python -m bench.soak $(MINUTES)
	@$(BIN)/python -m pytest tests/test_server_faults.py tests/test_kills.py tests/test_acp_kills.py tests/test_two_servers.py --outage 60 --flood 20 --people 2000 --kills $(shell expr $(MINUTES) \* 7) --lateness 0.25 --timeout 1200 $(ARGS)

bench: $(VENV)/.dev ## Measure against the budgets; ARGS="users list" measures some, ARGS=--only-fixed what no machine changes
	@$(BIN)/python -m bench $(ARGS)

peers: $(VENV)/.dev ## Install Open WebUI, Gradio and Streamlit from PyPI, chat with each and with this one, and print a table; takes long
	@$(BIN)/python -m bench.peers $(ARGS)

lint: $(VENV)/.dev ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.dev ## Put the code into shape
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

audit: $(VENV)/.dev ## Look for known vulnerabilities in all that is installed; needs PyPI's list of them
	@$(BIN)/python -m pip freeze --all --exclude-editable | $(BIN)/pip-audit --strict --disable-pip --no-deps \
		--progress-spinner off --requirement /dev/stdin $(ARGS)

screenshots: $(VENV)/.dev ## Take the README's pictures, in Chromium
	@$(BIN)/python docs/screenshots.py

wheel: $(VENV)/.dev ## Build the source archive, and the wheel from it, into dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist

clean: ## Remove what was installed and built
	@rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml
	@echo "Installing …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[pdf,terminal]'
	@touch $@

$(VENV)/.run-local: $(BIN)/python pyproject.toml
	@echo "Installing, with the embedded model's runtime …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,pdf,terminal]'
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml
	@echo "Installing, with what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,dev]'
	@touch $@

$(VENV)/.extra-$(EXTRA): $(VENV)/.dev
	@echo "Installing $(EXTRA) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRA)]'
	@touch $@
