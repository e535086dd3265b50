#!/usr/bin/env bash
# Makes sure of what neither pip nor npm can bring: Python's venv, ffmpeg, Chromium and Firefox, servers for tests. Installs
# what is missing where it may (root, apt-get); says what to install where it may not.
set -euo pipefail

missing=()
command -v ffmpeg >/dev/null || missing+=(ffmpeg)
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
  missing+=(chromium)
command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing+=(firefox-esr)
command -v turnserver >/dev/null || missing+=(coturn)
if [ "$(id -u)" -eq 0 ] && [ "$(uname)" = Linux ]; then # for viewers in network namespaces, and for the files of deploy/
  command -v ip >/dev/null || missing+=(iproute2)
  command -v iptables >/dev/null || missing+=(iptables)
  command -v nginx >/dev/null || missing+=(nginx-light)
  command -v caddy >/dev/null || missing+=(caddy)
  command -v promtool >/dev/null || missing+=(prometheus)
  compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
fi
command -v redis-server >/dev/null || missing+=(redis-server)
command -v curl >/dev/null || missing+=(curl)
command -v sqlite3 >/dev/null || missing+=(sqlite3)
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)

[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Not installed on this machine: ${missing[*]}" >&2
  echo "Install them with the system's package manager, for example:" >&2
  echo "  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "-- system packages: ${missing[*]} (a few minutes)"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
quiet=
trap 'rm -f "$log" $quiet' EXIT
# Servers among them are for tests, which start their own: none is to run from now on (invoke-rc.d(8)).
if [ ! -e /usr/sbin/policy-rc.d ]; then
  quiet=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\nexit 101\n' >"$quiet"
  chmod +x "$quiet"
fi
run() {
  if ! "$@" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "failed: $*" >&2
    exit 1
  fi
}
run apt-get update
for package in "${missing[@]}"; do
  echo "   $package"
  run apt-get install -y --no-install-recommends "$package"
done
