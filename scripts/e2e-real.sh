#!/usr/bin/env bash
# The bridges with real WhatsApp libraries against the testbed, through the supervisor. No internet. What it shows is about our
# supervisor and our bridges; how WhatsApp behaves it does not show.
#
# The test build of a bridge, the one that is shipped, and the testbed are built in three cargo invocations of three workspaces:
# cargo unifies features within one, and the switch that accepts anybody's certificates must not leak.
#
# Without COLUMBA_REAL_LONG it is the short form, which the gate runs: four minutes after the build. Left out is what takes minutes by
# nature (`long_…`): both probes of a half-open socket, the whole table of kill points, a hundred kills under load.
set -euo pipefail
cd "$(dirname "$0")/.."

# One folder for the three: what they share is built once, and features still do not meet.
target="${COLUMBA_REAL_TARGET:-$PWD/target-native}"
for part in native native-testbed; do
  (cd "bridges/$part" && CARGO_TARGET_DIR="$target" cargo build --locked)
done
if [ -z "${COLUMBA_TESTBED:-}" ]; then
  (cd testbed && CARGO_TARGET_DIR="$target" cargo build --locked)
  export COLUMBA_TESTBED="$target/debug/columba-testbed"
fi
export COLUMBA_BRIDGE_NATIVE="$target/debug/columba-bridge-native"
export COLUMBA_BRIDGE_NATIVE_TESTBED="$target/debug/columba-bridge-native-testbed"

if (cd bridges/native && cargo tree --locked -e features -i wacore-noise) | grep -q danger; then
  echo "the production bridge is built with a switch that is for tests" >&2
  exit 1
fi

# Its own unit tests, then the protocol, then the journeys.
(cd bridges/native && CARGO_TARGET_DIR="$target" cargo test --locked --lib)
cargo run --locked --quiet -p columba-bridge-conformance -- -- "$COLUMBA_BRIDGE_NATIVE"
cargo run --locked --quiet -p columba-bridge-conformance -- -- python3 -B -I tests/bridges/scripted.py good
# The supervisor has its failpoints, which do nothing unless a test arms them.
skipped=(--skip long_)
if [ -n "${COLUMBA_REAL_LONG:-}" ]; then skipped=(); fi
cargo test --locked --features failpoints --test real -- --test-threads 3 "${skipped[@]}" "$@"
