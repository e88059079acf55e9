# Every target sets up what it needs: a virtual environment in .venv with the locked packages, and the release build.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-python test-rust lint conformance format bench mutants soak clean

help:
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.python: pyproject.toml constraints.txt
	test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: set PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet maturin
	touch $@

$(VENV)/.built: $(VENV)/.python $(RUST_SOURCES)
	$(BIN)/maturin develop --release --locked --extras cli,testing,dev
	touch $@

demo: $(VENV)/.built ## the main job on this machine: an embedded API server, 3,000 pods, churn, an informer
	$(BIN)/kubeinformer demo

test: test-rust test-python ## all tests: Rust, Python, and those on a real kube-apiserver (built with Go)

test-rust:
	cargo test --locked --workspace --quiet
	cargo test --locked --package kubeinformer-core --features shuttle --test shuttle --quiet

test-python: $(VENV)/.built
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.built ## rustfmt, clippy, ruff, mypy, stubtest, generated files
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	cargo clippy --locked --package kubeinformer-core --features shuttle --test shuttle --quiet -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy examples
	$(BIN)/python -m mypy.stubtest kubeinformer._core $(wildcard tests/typing/stubtest-allowlist.txt:%=--allowlist %)
	$(BIN)/python -m kubeinformer.informers.generate --check
	$(BIN)/python tests/conformance/table.py --check

conformance: $(VENV)/.python ## write docs/conformance.md, the table of statements and tests
	$(BIN)/python tests/conformance/table.py

format: $(VENV)/.built ## rewrite sources in the project's format
	cargo fmt --all
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.built ## benchmarks against the pure-Python store and the peers; results in benches/results
	$(BIN)/python -m benches.run

mutants: $(VENV)/.built ## every patch of tests/mutants must turn its named test red
	$(BIN)/python tests/mutants/run.py

clean: ## remove everything that a build made
	rm -rf target $(VENV) python/kubeinformer/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
