# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

DATA ?= ./data
BIN := target/release/columba

.PHONY: help
help: ## lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.PHONY: tools
tools:
	@command -v cargo >/dev/null || { \
	  echo "columba needs Rust 1.94 or newer; get it from https://rustup.rs"; exit 69; }
	@have=$$(rustc --version | sed -E 's/rustc ([0-9]+)\.([0-9]+).*/\1 \2/'); set -- $$have; \
	  if [ "$$1" -lt 1 ] || [ "$$2" -lt 94 ]; then \
	    echo "columba needs Rust 1.94 or newer, this is $$1.$$2; run: rustup update stable"; exit 69; fi
	@command -v cc >/dev/null || { \
	  echo "columba needs a C compiler for SQLite; run: apt-get install build-essential"; exit 69; }

.PHONY: web
web: ## builds the admin UI, where Node 20.19 or newer is
	@scripts/web.sh

.PHONY: build
build: tools web ## builds the release binary, with the admin UI where Node is
	@if [ ! -x $(BIN) ]; then \
	  echo "building columba: the first build compiles about 400 crates and takes 5 to 10 minutes on two cores"; fi
	@cargo build --release --locked --bin columba

.PHONY: run
run: build ## builds and starts the server on ./data, with the curl lines to a first message
	@exec $(BIN) serve --data $(DATA) --quick-start

.PHONY: test
test: tools ## the gate: format, lints, docs, every test; prints where the time went
	@scripts/gate.sh

.PHONY: e2e-real
e2e-real: tools ## bridges with real WhatsApp libraries against the testbed; builds them, without internet at run time
	@scripts/e2e-real.sh

.PHONY: e2e-ui
e2e-ui: tools ## the admin UI in Chromium on the real server; SHEET=/tmp/sheet leaves pictures of every screen
	@SHEET=$(SHEET) scripts/e2e-ui.sh

.PHONY: check
check: tools ## format, clippy, docs, licences
	@scripts/check.sh

.PHONY: deep
deep: tools ## what is too long for the gate, an hour to an hour and a half: kills, failpoints, disk faults, a million messages
	@scripts/deep.sh

.PHONY: dist
dist: tools ## binaries, manual pages, completions and packaging in one archive under target/dist
	@scripts/dist.sh

.PHONY: bench
bench: tools ## criterion benches, and benches of the real program as a process
	@cargo bench --locked

.PHONY: bench-peers
bench-peers: tools ## accept against fastify + BullMQ, in turns (needs node and redis-server)
	@scripts/bench-peers.sh
