# The two main commands are `make run` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: run test quick check deny bench dist model tools

# Builds, fetches the model once, makes a demo account and serves on the embedded defaults.
run: model
	cargo build --release --locked
	exec deploy/demo.sh target/release/rembg-gateway

# Installs the tools that the tests need and are missing, then runs everything.
test: tools model
	tests/run.sh

# After a change: unit tests and tests/it on SQLite. Most of them wait, so four run at once.
quick: model
	RUST_TEST_THREADS=4 REMBG_GATEWAY_TEST_STORE=sqlite cargo test --locked --lib --test it

# Format, lints, documentation.
check:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet

# Licences, duplicate crates and sources of every dependency.
deny:
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --offline check licenses bans sources

# Measures what is shipped beside nginx, Envoy, HAProxy, Caddy and others, in about half an hour; QUICK=1 takes two minutes.
# WRITE=1 puts the tables into docs/performance.md.
bench:
	QUICK=$(QUICK) bench/install.sh
	cargo build --locked --profile dist --bin rembg-gateway
	bench/run.py $(if $(QUICK),--quick) $(if $(WRITE),--write)

# Builds the release files in target/dist.d: the stripped binary, the model, an SBOM and their checksums.
dist: model
	deploy/dist.sh

model:
	deploy/fetch-model.sh

tools:
	tests/tools.sh
