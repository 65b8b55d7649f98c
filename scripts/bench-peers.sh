#!/usr/bin/env bash
# Accept, ours and fastify + BullMQ's, in turns on this machine. See benches/peers/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in node npm redis-server; do
  command -v "$tool" >/dev/null || { echo "bench-peers needs $tool; run: apt-get install nodejs npm redis-server"; exit 69; }
done
(cd benches/peers && npm ci --no-audit --no-fund --ignore-scripts --silent)
cargo bench --locked --bench program -- peers
