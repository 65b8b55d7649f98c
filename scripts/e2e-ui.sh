#!/usr/bin/env bash
# The admin UI in Chromium, on the real server. See tests/ui/README.md. COLUMBA_SERVER names another binary; parts can be run alone:
# scripts/e2e-ui.sh journey · desk · door · looks · lists · hostile; short is what the gate runs. SHEET names a folder for pictures.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then
  command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; }
fi
command -v "${CHROMIUM:-chromium}" >/dev/null || {
  echo "the tests of the UI need Chromium; run: apt-get install chromium (CHROMIUM names another)"; exit 69; }
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null || {
  echo "the tests of the UI need Node 20.19 or newer; get it from https://nodejs.org"; exit 69; }

tools=$PWD/target/ui
if ! cmp -s tests/ui/package-lock.json "$tools/.installed"; then
  echo "installing what tests/ui/package-lock.json names into target/ui, over the network"
  rm -rf "$tools" && mkdir -p "$tools"
  cp tests/ui/package.json tests/ui/package-lock.json "$tools"
  npm ci --prefix "$tools" --no-audit --no-fund --ignore-scripts --silent
  cp tests/ui/package-lock.json "$tools/.installed"
fi
# Modules look for theirs beside themselves.
cp tests/ui/*.mjs "$tools"

if [ -z "${COLUMBA_SERVER:-}" ]; then
  scripts/web.sh
  cargo build --locked --quiet --bin columba
fi
COLUMBA_SERVER=$(realpath "${COLUMBA_SERVER:-target/debug/columba}")
export COLUMBA_SERVER
export CHROMIUM=$(command -v "${CHROMIUM:-chromium}")
[ -z "${SHEET:-}" ] || export COLUMBA_SHEET=$SHEET

# The limit is one of each test, and of each file as well: looks is every screen many times over, and half an hour on a slow machine.
limit=300000
case "${1:-all}" in
  all) files=("$tools"/*.test.mjs) limit=1800000 ;;
  short) files=("$tools/journey.test.mjs" "$tools/hostile.test.mjs") ;;
  looks) files=("$tools/looks.test.mjs") limit=1800000 ;;
  *) files=("$tools/$1.test.mjs") ;;
esac
exec node --test --test-concurrency=1 --test-timeout="$limit" "${files[@]}"
