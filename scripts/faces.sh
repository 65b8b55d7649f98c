#!/usr/bin/env bash
# The faces, tried from outside: generated clients, AsyncAPI's own schema, localstripe, schemathesis. See tests/faces/README.md.
# Parts can be run alone: scripts/faces.sh clients · asyncapi · payments · schemathesis. COLUMBA_SERVER names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/target/faces
node_is_new() { node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; }

# CI's machine is ours to furnish; anybody else's is not.
if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then
  wanted=()
  command -v node >/dev/null && command -v npm >/dev/null || wanted+=(nodejs npm)
  python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv)
  if [ ${#wanted[@]} -gt 0 ]; then apt-get update -qq && apt-get install -y -qq "${wanted[@]}"; fi
fi
command -v node >/dev/null && command -v npm >/dev/null && node_is_new || {
  echo "the tests of the faces need Node 20.19 or newer with npm; get it from https://nodejs.org"; exit 69; }
python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  echo "the tests of the faces need Python 3.11 or newer with venv; run: apt-get install python3 python3-venv"; exit 69; }

install() { # folder, the file that pins it, command…: once for each content of that file
  local folder=$1 pin=$2
  shift 2
  if ! cmp -s "$pin" "$folder/.installed"; then
    echo "installing what $pin names into $folder, over the network"
    rm -rf "$folder" && mkdir -p "$folder"
    "$@"
    cp "$pin" "$folder/.installed"
  fi
}
npm_tools() {
  cp tests/faces/package.json tests/faces/package-lock.json "$tools/npm"
  npm ci --prefix "$tools/npm" --no-audit --no-fund --ignore-scripts --silent
}
python_tools() {
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r tests/faces/requirements.txt
}
mkdir -p "$tools"
install "$tools/npm" tests/faces/package-lock.json npm_tools
install "$tools/venv" tests/faces/requirements.txt python_tools

server=${COLUMBA_SERVER:-target/debug/columba}
[ -n "${COLUMBA_SERVER:-}" ] || cargo build --locked --quiet --bin columba
exec "$tools/venv/bin/python" tests/faces/run.py "$server" "$tools" "$@"
