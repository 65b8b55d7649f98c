#!/usr/bin/env bash
# What an idle session of the native engine costs, in release builds against the testbed; half an hour, most of it the build. It shows
# nothing about WhatsApp. COLUMBA_REAL_SESSIONS says how many sessions, 300 if unsaid.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${COLUMBA_REAL_TARGET:-$PWD/target-native}"
export CARGO_TARGET_DIR="$target"
for part in bridges/native-testbed testbed; do
  (cd "$part" && cargo build --release --locked)
done
unset CARGO_TARGET_DIR
export COLUMBA_TESTBED="$target/release/columba-testbed"
export COLUMBA_BRIDGE_NATIVE_TESTBED="$target/release/columba-bridge-native-testbed"
cargo build --release --locked --bins
COLUMBA_BINARIES="$PWD/target/release" cargo test --locked --test real -- --ignored --nocapture density
