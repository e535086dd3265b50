# Two commands matter: `make demo` and `make test`. Both install what they need first; a second run finds it done.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
BIN := .venv/bin
STAGE := scripts/stage.sh
export STAGE_TIMES := .stamps/stage-times
export PYTHON

VIEWERS ?= 0
DURATION ?= 0
STREAM ?= live
TRACKER_PORT ?= 8000
ORIGIN_PORT ?= 8001
RUNS ?= 10

.PHONY: help install media demo test check bundle package docs release bench-first-frame bench-crowd bench-goodput bench-viewer-cost \
  bench-side-by-side bench-files bench-tracker bench-locality bench-hostile bench-watch bench-integrity-cost bench-stun bench-dashboard bench-history players nat attack sim sim-short clean

help: ## this text
	@echo "make TARGET [NAME=VALUE ...]"
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

install: .stamps/system .stamps/python .stamps/node ## everything the other targets need (they do it themselves)

demo: install media ## tracker, origin and live stream; VIEWERS=4 adds viewers, DURATION=60 ends it, STREAM=vod
	@exec $(BIN)/python -m e2e.demo --viewers $(VIEWERS) --duration $(DURATION) --stream $(STREAM) \
	  --tracker-port $(TRACKER_PORT) --origin-port $(ORIGIN_PORT)

test: install media ## every check and every test: Python, JavaScript, browsers
	@rm -f $(STAGE_TIMES)
	@$(MAKE) check
	@$(STAGE) "Python tests" $(BIN)/pytest -q -n 2 --dist loadfile --durations=20 tests
	@$(STAGE) "JavaScript tests" npm test --silent
	@$(STAGE) "browser tests" $(BIN)/pytest -q -rP --durations=40 e2e

check: install ## linters, types, purity of the cores, generated files and the bundle's size
	@$(STAGE) "ruff check" $(BIN)/ruff check .
	@$(STAGE) "ruff format" $(BIN)/ruff format --check .
	@$(STAGE) "mypy" $(BIN)/mypy --strict backend tests e2e bench
	@$(STAGE) "biome" npm run --silent check:lint
	@$(STAGE) "tsc" npm run --silent check:types
	@$(STAGE) "purity of the cores" $(BIN)/pytest -q tests/test_purity.py
	@$(STAGE) "generated constants" $(BIN)/peerpool constants --check
	@$(STAGE) "generated options" $(BIN)/peerpool options --check
	@$(STAGE) "generated settings" $(BIN)/peerpool settings --check
	@$(STAGE) "bundle size" $(BIN)/peerpool bundle --check-budget

bundle: install ## build peerpool.js and peerpool.esm.js, and say how large they are
	@$(BIN)/peerpool bundle

package: install ## the npm package media-peerpool, as a tarball in dist
	@$(BIN)/peerpool package

docs: install ## these documents as a site, in build/docs
	@$(BIN)/python -m sphinx -q -W -b html docs build/docs && echo build/docs/index.html

release: install ## wheel, sdist and npm tarball in dist, with a bill of materials; the same bytes each time
	@$(BIN)/peerpool release

bench-first-frame: install media ## time to the first frame with and without the script, interleaved, RUNS=10 each
	@$(BIN)/python -m bench.first_frame --runs $(RUNS)

# RUNS and VIEWERS have defaults for others above: here they count when they are given.
bench-crowd: install ## VIEWERS=100 real peers without a screen on one live stream; NEIGHBOURS= SEGMENTS= STAGGER= PLAIN=1 OUT=
	@$(BIN)/python -m bench.crowd --viewers $(or $(filter-out 0,$(VIEWERS)),100) $(if $(PLAIN),--plain) \
	  $(if $(NEIGHBOURS),--neighbours $(NEIGHBOURS)) $(if $(SEGMENTS),--segments $(SEGMENTS)) \
	  $(if $(STAGGER),--stagger-s $(STAGGER)) $(if $(OUT),--json $(OUT))

bench-goodput: install ## our engine against a bare data channel, interleaved, RUNS=10 rounds; OUT=
	@$(BIN)/python -m bench.goodput --runs $(RUNS) $(if $(OUT),--json $(OUT))

bench-viewer-cost: install media ## CPU and memory of viewers with and without the script, side by side; MINUTES=10 OUT=
	@$(BIN)/python -m bench.viewer_cost --minutes $(or $(MINUTES),10) $(if $(OUT),--json $(OUT))

bench-side-by-side: install media ## against hls.js alone and p2p-media-loader; RUNS= VIEWERS= CASES= SCALING= OUT= QUICK=1
	@$(BIN)/python -m bench.side_by_side $(if $(QUICK),--quick) $(if $(OUT),--out $(OUT)) $(if $(CASES),--cases $(CASES)) \
	  $(if $(filter-out file,$(origin RUNS)),--runs $(RUNS)) $(if $(filter-out file,$(origin VIEWERS)),--viewers $(VIEWERS)) \
	  $(if $(SCALING),--scaling $(SCALING)) $(if $(PRODUCTS),--products $(PRODUCTS)) $(if $(WATCH),--watch $(WATCH)) $(ARGS)

bench-files: install ## one file of 200 MB to 6 viewers at once, beside a plain fetch; VIEWERS= ARGS= OUT=
	@$(BIN)/python -m bench.files --viewers $(or $(filter-out 0,$(VIEWERS)),6) $(if $(OUT),--json $(OUT)) $(ARGS)

bench-tracker: install ## messages a second, latency and memory of the tracker, beside bittorrent-tracker; RUNS=3 ARGS= OUT=
	@$(BIN)/python -m bench.tracker $(if $(filter-out file,$(origin RUNS)),--runs $(RUNS)) $(if $(OUT),--out $(OUT)) $(ARGS)

bench-locality: install ## where bytes go among 20,000 viewers of an invented Internet; ARGS= OUT=
	@$(BIN)/python -m bench.locality $(if $(OUT),--out $(OUT)) $(ARGS)

bench-hostile: install ## hostile clients against the tracker, and what honest ones feel of it; MINUTES=10 ARGS=
	@$(BIN)/python -m bench.hostile --minutes $(or $(MINUTES),10) $(ARGS)

bench-watch: install ## what following a live stream costs the tracker, and how late its records are; ARGS= OUT=
	@$(BIN)/python -m bench.watch $(if $(OUT),--json $(OUT)) $(ARGS)

bench-dashboard: install ## a dashboard on 10,000 swarms and 100,000 members, and a year of history; ARGS= OUT=
	@$(BIN)/python -m bench.dashboard $(if $(OUT),--json $(OUT)) $(ARGS)

bench-history: install ## kills a writer of the history KILLS=50 times, and looks what is in it each time
	@KILLS=$(or $(KILLS),50) $(BIN)/pytest -q tests/test_history.py -k killed

bench-stun: install ## what an answer to a STUN request costs the tracker
	@$(BIN)/python -m bench.stun

bench-integrity-cost: install media ## what checking costs viewers, signed beside unchecked; MINUTES=3 RUNS=10 OUT=
	@$(BIN)/python -m bench.integrity_cost --minutes $(or $(MINUTES),3) --runs $(RUNS) $(if $(OUT),--json $(OUT))

players: install media ## every player on every way into the pool, live and on demand; ONLY= OUT=
	@$(BIN)/python -m e2e.players $(if $(ONLY),--only $(ONLY)) $(if $(OUT),--out $(OUT))

attack: install media ## attacks on viewers and tracker, with each defence off and on; ONLY= SHORT=1 OUT=
	@$(BIN)/python -m e2e.attack $(if $(SHORT),--short) $(if $(ONLY),--only $(ONLY)) $(if $(OUT),--json $(OUT))

nat: install media ## viewers behind each pair of NATs, in network namespaces; needs root; CELLS=short ONLY=symmetric
	@$(BIN)/python -m e2e.nat $(if $(CELLS),--cells $(CELLS)) $(if $(ONLY),--only "$(ONLY)")

sim: install ## swarms of up to 1,000 viewers in virtual time, tables and plots in build/sim; SCENARIOS= SEEDS= OUT=
	@$(BIN)/python -m bench.simulate $(SCENARIOS) --progress --seeds $(or $(SEEDS),1) $(if $(OUT),--out $(OUT))

sim-short: install ## small runs of a few of them
	@$(BIN)/python -m bench.simulate --short --at-once 1 $(if $(OUT),--out $(OUT))

media: .stamps/python .stamps/system
	@$(BIN)/python -m e2e.harness.media

clean: ## remove everything that can be made again
	rm -rf .venv node_modules .media .stamps build dist test-results backend/peerpool/bundled
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.stamps/system: scripts/install-system.sh
	@scripts/install-system.sh
	@mkdir -p .stamps && touch $@

.stamps/python: pyproject.toml .stamps/system
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, as python3" >&2; exit 1; }
	@echo "-- Python packages, into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@mkdir -p .stamps && touch $@

.stamps/node: package.json package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or newer with npm is needed" >&2; exit 1; }
	@echo "-- Node packages, into node_modules"
	@npm ci --no-progress --loglevel=error
	@mkdir -p .stamps && touch $@
