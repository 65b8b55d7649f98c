#!/usr/bin/env bash
# Sees to it that Debian's packages named as arguments are there, of which tests start servers of their own:
#     scripts/servers.sh redis-server postgresql
# As root it installs what is missing, without starting any service; otherwise it says what to install.
set -euo pipefail

missing=()
for package in "$@"; do
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -gt 0 ] || exit 0
if ! command -v apt-get >/dev/null; then
  echo "the tests start servers of their own; install what your system calls: ${missing[*]}" >&2
  exit 69
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "the tests start servers of their own; run: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 69
fi
echo "installing ${missing[*]}, of which the tests start servers of their own"
# A package that is installed starts its service unless this file says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
