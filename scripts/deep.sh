#!/usr/bin/env bash
# What is too long for the gate, in release: an hour on two cores that do nothing else, half as much again beside others. Each part can be run alone: scripts/deep.sh kills disk
# Sizes and seeds come from the environment (COLUMBA_DEEP_*, COLUMBA_SIM_SEEDS, COLUMBA_FAILPOINT_SEEDS, COLUMBA_BILLING_HISTORIES, PROPTEST_CASES).
set -euo pipefail
cd "$(dirname "$0")/.."

export PROPTEST_CASES=${PROPTEST_CASES:-5000}
export COLUMBA_SIM_SEEDS=${COLUMBA_SIM_SEEDS:-10000}
export COLUMBA_FAILPOINT_SEEDS=${COLUMBA_FAILPOINT_SEEDS:-25}
export COLUMBA_FAILPOINT_SLOTS=${COLUMBA_FAILPOINT_SLOTS:-40}
logs=target/deep
rm -rf "$logs"
mkdir -p "$logs"

part() { # name, command…: runs it, keeps what it says, and notes how it went
  local name=$1 began=$SECONDS word=ok
  shift
  "$@" >"$logs/$name.log" 2>&1 || word=FAILED
  printf '%s\t%d s\t%s\n' "$word" $((SECONDS - began)) "$name" >"$logs/$name.row"
  echo "== $name: $word in $((SECONDS - began)) s"
}

properties() {
  cargo test --locked --release --test it -- --skip journeys:: --skip simulation:: --skip storage::
  # Each case of these works on a database of its own.
  PROPTEST_CASES=$((PROPTEST_CASES / 10)) cargo test --locked --release --test it -- storage::
}
simulation() { cargo test --locked --release --test it -- --nocapture simulation::; }
failpoints() { COLUMBA_BINARIES=$armed "$armed/failpoints" --nocapture; }
kills() { cargo test --locked --release --test deep -- --nocapture kills::kills_; }
outages() { cargo test --locked --release --test deep -- --nocapture outages_; }
million() { cargo test --locked --release --test deep -- --nocapture kills::million_; }
lists() { cargo test --locked --release --test deep -- --nocapture lists_; }
schemathesis() {
  COLUMBA_SCHEMATHESIS_REQUESTS=${COLUMBA_SCHEMATHESIS_REQUESTS:-20000} COLUMBA_SCHEMATHESIS_EXAMPLES=${COLUMBA_SCHEMATHESIS_EXAMPLES:-200} \
    COLUMBA_SERVER=target/release/columba scripts/faces.sh schemathesis
}
otlp() { cargo test --locked --features otlp --test otlp; } # not in release: the binaries there stay as they are
real() { COLUMBA_REAL_LONG=1 scripts/e2e-real.sh --nocapture; } # not in release: what is long is its waiting
flood() { cargo test --locked --release --test deep -- --nocapture flood_; }
billing() {
  COLUMBA_BILLING_HISTORIES=${COLUMBA_BILLING_HISTORIES:-100000} cargo test --locked --release --test it -- --nocapture billing::model
  cargo test --locked --release --test it -- --nocapture --ignored --exact storage::sql::ledger::months_of_ten_thousand_tenants_are_closed_once_each_under_fifty_kills
}
disk() { cargo test --locked --release --test deep -- --nocapture --test-threads 1 disk_; }

wanted=${*:-properties simulation billing failpoints kills disk outages flood otlp million lists real schemathesis}
has() { [[ " $wanted " == *" $1 "* ]]; }
also() { if has "$1"; then part "$1" "$1"; fi; }

scripts/servers.sh postgresql redis-server
echo "== build"
began=$SECONDS
armed=$PWD/$logs/armed # apart from target/release, where the next build without the feature would replace them
if has failpoints; then
  mkdir "$armed"
  cargo test --locked --release --features failpoints --test failpoints --no-run 2>&1 | tee "$logs/build.log"
  cp target/release/columba target/release/columba-check "$armed"
  cp "$(sed -nE 's/.*Executable.*\((.*)\)/\1/p' "$logs/build.log")" "$armed/failpoints"
fi
cargo build --locked --release --bins
cargo test --locked --release --test it --test deep --no-run
built=$((SECONDS - began))

also failpoints
# Kills wait for the pace of a start nearly all of their time, and failing disks for theirs.
also disk &
beside=$!
also kills
wait "$beside"
also outages
also flood
also otlp
also million
also real
also simulation
also billing
also properties
also schemathesis

echo
echo "== deep: what was run, how long it took, what it found (whole logs: $logs)"
said='^([0-9]+ (histories|tenants)|seed|[0-9]+ rows|a half-open|outage|flood|full|torn|fsync|SKIPPED|simulation|looked at|test result|[0-9]+ (runs|seeds|violation)|   [0-9]+ requests)|^clean|violations? |FAILED|    again:'
for name in $wanted; do
  cat "$logs/$name.row"
  grep -E "$said" "$logs/$name.log" | cut -c1-200 | sed 's/^/    /' || true
done
echo "$((SECONDS - began - built)) s in all, after a build of $built s"
! grep -q FAILED "$logs"/*.row
