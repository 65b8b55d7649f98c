#!/usr/bin/env bash
# Format, lints, docs, licences. cargo-deny is installed into target/tools if this machine has none.
set -euo pipefail
cd "$(dirname "$0")/.."

DENY_VERSION=0.20.2
export PATH="$PWD/target/tools/bin:$PATH"

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
# What those targets leave out: the features of ours, and the tests that only scripts/deep.sh runs.
cargo clippy --locked --features failpoints,otlp --test failpoints --test otlp --test deep --test real -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet

if ! cargo deny --version >/dev/null 2>&1; then
  echo "installing cargo-deny into target/tools, once: about 5 minutes on two cores"
  cargo install cargo-deny --version "$DENY_VERSION" --locked --root target/tools --quiet
fi
# Advisories need a database from the network; `cargo deny check advisories` is for a machine that has one.
cargo deny --locked --log-level error check bans licenses sources
# Each bridge's own lock, by the same rules. It reads what crates declare: wacore-libsignal declares MIT, and 31 of its source files
# carry the header AGPL-3.0-only, which is seen by nobody but a reader (CONTRIBUTING, "In flight").
for part in bridges/native bridges/native-testbed testbed; do
  cargo deny --manifest-path "$part/Cargo.toml" --config deny.toml --locked --log-level error check bans licenses sources
done
