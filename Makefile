# Retort's commands. `make` alone lists them. PYTHON=python3.12 chooses the interpreter (3.11, 3.12 or 3.13);
# RETORT_TORCH_INDEX=<URL of PyTorch's CPU wheels> spares a machine without a GPU several GB of CUDA.
PYTHON ?= python3
BIN := .venv/app/bin
.DEFAULT_GOAL := help
.PHONY: help demo test up down check format locks setup clean

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

demo: ## set up what is missing, run the whole circle once on the sample task, stop again
	@$(PYTHON) -m retort.preflight --ports app training argilla
	@$(PYTHON) -m retort.setup app training argilla
	@$(BIN)/retort demo

test: ## set up what is missing and run the tests without the network (ARGS="-k gate" passes arguments to pytest)
	@$(PYTHON) -m retort.preflight app test training argilla
	@$(PYTHON) -m retort.setup app test training argilla
	@$(BIN)/python -m retort.browser
	@$(BIN)/python tests/without_network.py $(BIN)/python -m pytest -q $(ARGS)

setup: ## only set up what is missing
	@$(PYTHON) -m retort.preflight app training argilla
	@$(PYTHON) -m retort.setup app training argilla

up: ## start the stack and leave it running: Prefect, Argilla, model server, gateway
	@$(PYTHON) -m retort.preflight --ports app training argilla
	@$(PYTHON) -m retort.setup app training argilla
	@$(BIN)/retort up

down: ## stop the stack
	@if [ -x $(BIN)/retort ]; then $(BIN)/retort down; else echo "Nothing is installed, so nothing runs."; fi

check: ## lint, format and types
	@$(PYTHON) -m retort.preflight app test
	@$(PYTHON) -m retort.setup app test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: ## put the code into the project's format
	@$(BIN)/ruff check --fix-only -q .
	@$(BIN)/ruff format -q .

locks: ## write locks/*.txt again from pyproject.toml
	@scripts/locks.sh

clean: ## remove the environments and caches, and, when you say yes, the data in .retort
	@scripts/clean.sh
