#!/usr/bin/env bash
# The gate: everything that has to pass before a change lands, and where the time went.
set -euo pipefail
cd "$(dirname "$0")/.."

steps=()
run() {
  local name=$1 began=$SECONDS
  shift
  echo "== $name"
  "$@"
  steps+=("$(printf '%6d s  %s' $((SECONDS - began)) "$name")")
}

if [ ! -d target/debug/deps ]; then
  echo "first build: about 400 crates, 5 to 10 minutes on two cores"
fi
run "servers that tests start" scripts/servers.sh postgresql redis-server
run "admin UI" scripts/web.sh
run "build" cargo test --workspace --locked --no-run
run "build with failpoints" cargo test --locked --features failpoints --no-run --test failpoints
run "build of the bridges" scripts/e2e-real.sh build
run "format, lints, docs, licences" scripts/check.sh
run "tests" cargo test --workspace --locked
run "faces" scripts/faces.sh
run "pure parts of the admin UI" npm --prefix web test --silent
run "admin UI in Chromium" scripts/e2e-ui.sh short
run "failpoints" cargo test --locked --features failpoints --test failpoints
run "real libraries and the testbed" scripts/e2e-real.sh

echo "== where the time went"
printf '%s\n' "${steps[@]}"
printf '%6d s  in all\n' "$SECONDS"
