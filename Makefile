# Classbox: `make demo` and `make test` do everything themselves. `make help` lists the rest.
.DEFAULT_GOAL := help
PY := .venv/bin/python
ONCE ?=
CLASS ?= 45

.PHONY: help setup setup-tests demo test test-long lint bench train pictures

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: ## system packages and .venv; quiet and quick when nothing is to do
	@bash provisioning/setup.sh

setup-tests:
	@bash provisioning/setup.sh tests

demo: setup ## a class's homework from print to report (ONCE=1 ends by itself, CLASS=12 for a smaller class)
	@$(PY) -m edge.demo --class-size $(CLASS) $(if $(ONCE),--once)

test: setup-tests ## the tests, with the broker, database and browser that they need
	@$(PY) -m pytest -m "not long" -n 3 --dist loadfile --no-loadscope-reorder

test-long: setup-tests ## the checks that take minutes, and every law tried in new places
	@$(PY) -m pytest -m long
	@HYPOTHESIS_PROFILE=searching $(PY) -m pytest -m "not long" -n 3 --dist loadfile --no-loadscope-reorder

lint: setup-tests ## ruff and mypy
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

bench: setup-tests ## every benchmark; writes docs/benchmarks.md
	@$(PY) -m benchmarks

train: ## trains the recognisers anew (DATA=folder with the handwriting, see docs/models.md)
	@test -n "$(DATA)" || { echo "make train DATA=path/to/handwriting"; exit 2; }
	@test -x .venv-train/bin/python || python3 -m venv .venv-train
	@.venv-train/bin/python -m pip install --quiet --editable ".[edge,train]"
	@.venv-train/bin/python -m models.training --data "$(DATA)" --out models --seed 1
	@.venv-train/bin/python -m models.training.bubbles --data "$(DATA)" --out models --seed 1
	@.venv-train/bin/python -m benchmarks.hands --data "$(DATA)" --split calibrate --pages 500 --seed 21 --out .venv-train/pages.npz
	@.venv-train/bin/python -m models.training --data "$(DATA)" --out models --seed 1 --only calibrate --pages .venv-train/pages.npz

pictures: setup-tests ## takes the README's pictures anew from a running demo
	@$(PY) docs/make_pictures.py
