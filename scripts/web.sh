#!/usr/bin/env bash
# The admin UI, built into web/dist, which the next build of the server embeds. Without Node the server says how to build it.
set -euo pipefail
cd "$(dirname "$0")/../web"

have=$(node --version 2>/dev/null || true)
if ! [[ $have =~ ^v([0-9]+)\.([0-9]+) ]] || ((BASH_REMATCH[1] < 20 || (BASH_REMATCH[1] == 20 && BASH_REMATCH[2] < 19))); then
  echo "the admin UI is left out: it wants Node 20.19 or newer, this is ${have:-none} (apt-get install nodejs, or https://nodejs.org)"
  exit 0
fi

# What it is made of, by content: a checkout that only looks newer builds nothing.
made_of() {
  { find src build public -type f ! -name schema.d.ts -print0 | sort -z; printf '%s\0' index.html pair.html package-lock.json \
    tsconfig.json vite.config.ts ../docs/openapi.json; } | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}
now=$(made_of)
if [ -f dist/index.html ] && [ "$(cat .made-of 2>/dev/null || true)" = "$now" ]; then exit 0; fi

echo "building the admin UI"
if ! cmp -s package-lock.json node_modules/.columba-lock; then
  if ! npm ci --no-audit --no-fund --loglevel=error; then
    echo "the admin UI is left out: its packages could not be installed (no internet?)"
    exit 0
  fi
  cp package-lock.json node_modules/.columba-lock
fi
npm run --silent build
echo "$now" >.made-of
