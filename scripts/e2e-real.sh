#!/usr/bin/env bash
# The bridges with real WhatsApp libraries against the testbed, through the supervisor. No internet but a registry for `npm ci`. What
# it shows is about our supervisor and our bridges; how WhatsApp behaves it does not show.
#
# The test build of a bridge, the one that is shipped, and the testbed are built in three cargo invocations of three workspaces:
# cargo unifies features within one, and the switch that accepts anybody's certificates must not leak.
#
# Without COLUMBA_REAL_LONG it is the short form, which the gate runs: four minutes after the build. Left out is what takes minutes by
# nature (`long_…`): both probes of a half-open socket, the whole table of kill points, a hundred kills under load.
#
# `scripts/e2e-real.sh build` only builds and installs. Other arguments go to the journeys' test binary, such as the name of a test.
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

# The other engine: what npm installs stays in its folder, which git ignores.
if ! command -v node npm > /dev/null; then
  echo "node 20.19 and npm are wanted for the Baileys bridge; scripts/e2e-real.sh leaves nothing out" >&2
  exit 1
fi
(cd bridges/baileys && npm ci)
(cd bridges/native && CARGO_TARGET_DIR="$target" cargo test --locked --lib --no-run)
cargo build --locked -p columba-bridge-conformance
cargo test --locked --features failpoints --no-run --test real
if [ "${1:-}" = build ]; then exit; fi
(cd bridges/baileys && npm test)
baileys="bridges/baileys/bridge.mjs"
baileys_testbed="bridges/baileys/testbed.mjs"

# Its own unit tests, then the protocol.
(cd bridges/native && CARGO_TARGET_DIR="$target" cargo test --locked --lib)
conformance() { cargo run --locked --quiet -p columba-bridge-conformance -- "$@"; }
conformance -- "$COLUMBA_BRIDGE_NATIVE"
conformance -- node "$baileys"
conformance -- python3 -B -I tests/bridges/scripted.py good

# Every kind of content, within each engine and from each to the other: a testbed of its own each time.
with_testbed() {
  local data addresses url admin
  data="$(mktemp -d)"
  coproc TESTBED { exec "$COLUMBA_TESTBED" serve --json --data "$data"; }
  local pid="$TESTBED_PID"
  read -r addresses <&"${TESTBED[0]}"
  url="$(node -p 'JSON.parse(process.argv[1]).url' "$addresses")"
  admin="$(node -p 'JSON.parse(process.argv[1]).admin' "$addresses")"
  local status=0
  conformance --testbed "$url" "$admin" "$@" || status=$?
  kill "$pid" && wait "$pid" 2> /dev/null || true
  rm -rf "$data"
  return "$status"
}
with_testbed -- "$COLUMBA_BRIDGE_NATIVE_TESTBED"
with_testbed -- node "$baileys_testbed"
with_testbed -- "$COLUMBA_BRIDGE_NATIVE_TESTBED" -- node "$baileys_testbed"
with_testbed -- node "$baileys_testbed" -- "$COLUMBA_BRIDGE_NATIVE_TESTBED"

# The journeys, of each engine. The supervisor has its failpoints, which do nothing unless a test arms them.
skipped=(--skip long_)
if [ -n "${COLUMBA_REAL_LONG:-}" ]; then skipped=(); fi
cargo test --locked --features failpoints --test real -- --test-threads 3 "${skipped[@]}" "$@"
