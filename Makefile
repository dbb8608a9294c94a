# SPDX-License-Identifier: Apache-2.0
# `make demo` runs the main job end to end, `make test` passes the tests. Both make the machine ready first (scripts/prepare.py).

SHELL := bash
PYTHON3 := $(or $(PYTHON),python3)
ENV := . scripts/environment.bash &&

# Arguments of `make demo`
ROBOT ?= unitree_g1
OPERATOR ?= scripted
MOTION ?=
SCENE ?= $(if $(filter motion,$(OPERATOR)),empty,parcel_sorting)
EPISODES ?= 3
OUT ?= out/demo/$(shell date +%Y%m%d-%H%M%S)

.DEFAULT_GOAL := help
.PHONY: help demo robots test bench lint format build shell clean lock prepare

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: OUT := $(abspath $(OUT))
demo: prepare  ## collect, check, label, export and report three episodes in the twin (ROBOT= OPERATOR= MOTION= EPISODES= OUT=)
	@$(ENV) ros2 launch humanoid_bringup demo.launch.py robot:=$(ROBOT) operator:=$(OPERATOR) scene:=$(SCENE) \
	    $(if $(MOTION),motion:='$(abspath $(MOTION))') episodes:=$(EPISODES) out:='$(OUT)'
	@$(ENV) ros2 run humanoid_dataset report '$(OUT)' --expect $(EPISODES) --finish

robots: prepare  ## draw all robots in home, T and reach poses: docs/images/robots.png
	@$(ENV) ros2 run humanoid_description pictures --out docs/images/robots.png

test: prepare  ## all tests
	@$(ENV) python3 -m pytest $(ARGS)

bench: prepare  ## all benchmarks: a table on screen, JSON in build/bench (bench-<area> for one)
	@$(ENV) python3 -m bench $(ARGS)

bench-%: prepare
	@$(ENV) python3 -m bench $* $(ARGS)

soak-%: prepare  # hours: soak-recorder
	@$(ENV) python3 -m bench.$*_soak $(ARGS)

lint: prepare  ## style and types
	@$(ENV) ruff check . && ruff format --check . && mypy

format: prepare  ## put the code into its standard form
	@$(ENV) ruff format . && ruff check --fix .

build: prepare  ## build everything

shell: prepare  ## a shell with everything sourced
	@bash --rcfile scripts/environment.bash -i

clean:  ## remove what was built; the virtual environment stays (make clean-all removes it too)
	rm -rf build install log .underlay

clean-all: clean
	rm -rf .venv

lock: prepare  ## pin requirements/environment.in anew
	@$(ENV) python3 -m pip install -q uv && uv pip compile --universal --python-version 3.10 --no-header -q \
	    requirements/environment.in -o requirements/environment.lock

prepare:
	@$(PYTHON3) scripts/prepare.py
