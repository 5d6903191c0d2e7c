# What people type. `make` alone lists it.

.PHONY: help demo dev test check format bench build clean

help:           ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo:           ## watch real requests go all the way on real servers, and end
	cargo run --locked --quiet -- demo

dev:            ## start servers and every role, and stay
	cargo run --locked --quiet -- dev

# Every step and every test runs, whichever of them fails; then the target fails.
test:           ## everything: format, lints, unit, integration and end-to-end tests
	@failed=0; set -x; \
	cargo fmt --all --check || failed=1; \
	cargo clippy --locked --workspace --all-targets -- -D warnings || failed=1; \
	cargo test --locked --workspace --no-fail-fast || failed=1; \
	exit $$failed

check:          ## format and lints only
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

format:         ## put the code in form
	cargo fmt --all

bench:          ## measure, optimized (medians and ratios of one run)
	cargo run --locked --release --quiet -- bench

build:          ## the optimized executable: target/release/lockbox
	cargo build --locked --release

clean:          ## remove what was built and the private servers' data
	cargo clean
	rm -rf .lockbox
