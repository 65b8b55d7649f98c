#!/usr/bin/env bash
# Format, lints and docs; licences and advisories where cargo-deny is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet

if cargo deny --version >/dev/null 2>&1; then
  cargo deny --log-level error check bans licenses sources
else
  echo "note: cargo-deny is not installed, licences were not checked here (cargo install cargo-deny --locked)"
fi
