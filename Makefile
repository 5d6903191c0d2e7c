# Commands for development. `make` lists them.

.PHONY: help demo dev test check format bench build clean

help:           ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo:           ## run a complete demonstration on local servers
	cargo run --locked --quiet -- demo

dev:            ## start a local development environment
	cargo run --locked --quiet -- dev

# Every step and every test runs, even if one fails; then the target fails.
test:           ## run format check, lints, unit, integration and end-to-end tests
	@failed=0; set -x; \
	cargo fmt --all --check || failed=1; \
	cargo clippy --locked --workspace --all-targets -- -D warnings || failed=1; \
	cargo test --locked --workspace --no-fail-fast || failed=1; \
	exit $$failed

check:          ## run format check and lints
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

format:         ## format the code
	cargo fmt --all

bench:          ## run the benchmarks, optimized (medians and ratios of one run)
	cargo run --locked --release --quiet -- bench

build:          ## build the optimized executable target/release/lockbox
	cargo build --locked --release

clean:          ## remove build results and the data of the local servers
	cargo clean
	rm -rf .lockbox
