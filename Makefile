# Every target sets up what it needs: a virtual environment in .venv with the locked packages, and the release build.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

AARCH64 := aarch64-unknown-linux-gnu

.PHONY: help demo test test-python test-rust test-aarch64 test-x86-64 fuzz lint audit conformance notices format bench performance reliability
.PHONY: mutants soak clean

help:
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

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

# The scanner is what differs between CPUs; the oracle has it read whole bodies.
EMULATED := cargo test --locked --package kubeinformer-core --quiet
test-aarch64: ## the scanner's tests as an emulated ARM CPU runs them (NEON): needs a target, a linker and QEMU
	@rustup target list --installed | grep -qx $(AARCH64) \
		|| { echo "the standard library is missing: rustup target add $(AARCH64)" >&2; exit 1; }
	@command -v aarch64-linux-gnu-gcc >/dev/null \
		|| { echo "a linker is missing: apt-get install gcc-aarch64-linux-gnu" >&2; exit 1; }
	@command -v qemu-aarch64 >/dev/null || { echo "an emulator is missing: apt-get install qemu-user" >&2; exit 1; }
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
		&& $(EMULATED) --target $(AARCH64) --lib scan:: && $(EMULATED) --target $(AARCH64) --test oracle

test-x86-64: ## the same as an emulated x86 CPU without AVX2 runs them (SSE2): needs QEMU
	@command -v qemu-x86_64 >/dev/null || { echo "an emulator is missing: apt-get install qemu-user" >&2; exit 1; }
	export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="qemu-x86_64 -cpu Nehalem" \
		&& $(EMULATED) --lib scan:: && $(EMULATED) --test oracle

# Each target for SECONDS: by libFuzzer where cargo-fuzz and a nightly compiler are, else by proptest, with the same
# corpus. What libFuzzer finds stays in target/fuzz; an input that fails is to be added to rust/fuzz/corpus.
SECONDS := 10
FUZZ_TARGETS := framer chunks list object selector path
fuzz: ## bytes of a fuzzer into scanner, selectors and paths; SECONDS= for each target
	@if cargo +nightly fuzz --version >/dev/null 2>&1; then set -e; for target in $(FUZZ_TARGETS); do \
		mkdir -p target/fuzz/$$target; \
		cargo +nightly fuzz run --fuzz-dir rust/fuzz --target-dir target/fuzz/build $$target \
			$(CURDIR)/target/fuzz/$$target $(CURDIR)/rust/fuzz/corpus/$$target -- \
			-max_total_time=$(SECONDS) -max_len=600; done; \
	else echo "no cargo-fuzz with a nightly compiler: proptest runs the targets"; \
		FUZZ_SECONDS=$(SECONDS) cargo test --locked --package kubeinformer-core --test fuzz -- --nocapture; fi

test-python: $(VENV)/.built
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.built ## rustfmt, clippy, ruff, mypy, stubtest, generated files, licences and sources of dependencies
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	cargo clippy --locked --package kubeinformer-core --features shuttle --test shuttle --quiet -- -D warnings
	@if rustup target list --installed 2>/dev/null | grep -qx $(AARCH64); then echo "cargo clippy for $(AARCH64)"; \
		cargo clippy --locked --package kubeinformer-core --lib --target $(AARCH64) --quiet -- -D warnings; fi
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy examples
	$(BIN)/python -m mypy.stubtest kubeinformer._core $(wildcard tests/typing/stubtest-allowlist.txt:%=--allowlist %)
	$(BIN)/python -m kubeinformer.informers.generate --check
	$(BIN)/python tests/conformance/table.py --check
	$(BIN)/python -m benches.document --check
	$(BIN)/python tests/faults/document.py --complete
	$(BIN)/python tests/package/third_party.py --check
	$(BIN)/python tests/package/dependencies.py

# Their data lies with GitHub and PyPI, so this is no part of lint, which has to pass without.
audit: $(VENV)/.python ## what is known against dependencies, as far as cargo-deny, cargo-audit and pip-audit are installed
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; \
		else echo "left out: cargo install --locked cargo-deny"; fi
	@if cargo audit --version >/dev/null 2>&1; then cargo audit && cargo audit --file rust/fuzz/Cargo.lock; \
		else echo "left out: cargo install --locked cargo-audit"; fi
	@if command -v pip-audit >/dev/null; then pip-audit --requirement constraints.txt --no-deps --disable-pip; \
		else echo "left out: pip install pip-audit"; fi

conformance: $(VENV)/.python ## write docs/conformance.md, the table of statements and tests
	$(BIN)/python tests/conformance/table.py

notices: $(VENV)/.python ## write THIRD-PARTY-NOTICES.txt, the licences of what is linked into the extension
	$(BIN)/python tests/package/third_party.py

format: $(VENV)/.built ## rewrite sources in the project's format
	cargo fmt --all
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.built ## the grid and all peers, about 25 minutes; results in benches/results; BENCH_ARGS= for a part
	$(BIN)/python -m benches.run $(BENCH_ARGS)

performance: $(VENV)/.built ## write the tables and plots of docs/performance.md from the newest results file
	$(BIN)/python -m benches.document

reliability: $(VENV)/.built ## run the tests of faults and write the table of docs/reliability.md from what they record
	RECORD_FAULTS=docs/reliability/faults.json $(BIN)/python -m pytest tests/faults
	$(BIN)/python tests/faults/document.py

mutants: $(VENV)/.built ## every patch of tests/mutants must turn its named test red
	$(BIN)/python tests/mutants/run.py

clean: ## remove everything that a build made
	rm -rf target $(VENV) python/kubeinformer/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
