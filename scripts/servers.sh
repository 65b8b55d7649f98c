#!/usr/bin/env bash
# Installs the servers that tests start, by Debian's names for their packages: scripts/servers.sh postgresql redis-server
set -euo pipefail
missing=()
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
[ "$(id -u)" -eq 0 ] || { echo "missing: ${missing[*]}; run as root: apt-get install ${missing[*]}"; exit 69; }
apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
