#!/usr/bin/env bash
# Installs what Classbox needs on Debian or Raspberry Pi OS: system packages through apt, Python packages into .venv.
# Says what it does, does nothing that is done already, and can be run as often as you like.
#   provisioning/setup.sh           what `make demo` needs
#   provisioning/setup.sh tests     and what `make test` needs on top
set -euo pipefail
cd "$(dirname "$0")/.."
purpose="${1:-run}"

# package: what it is for
declare -A reasons=(
  [python3-venv]="an isolated Python environment"
  [mosquitto]="the MQTT broker between box and gateway"
  [restic]="keeps the second, encrypted copy on a stick"
  [fonts-wqy-microhei]="Chinese type for the worksheets (1.6 MB)"
)
if [ "$purpose" = tests ]; then
  reasons[chromium-headless-shell]="opens the pages in tests, in half the time that chromium takes"
  reasons[libatomic1]="what drives the browser in tests needs it"
  reasons[postgresql]="a district's database; tests make one of their own in a temporary folder"
  reasons[nats-server]="a clustered MQTT broker, to test with"
fi

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

find_python() {
  for candidate in python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" >/dev/null 2>&1 &&
       "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"; return
    fi
  done
}

missing=()
if command -v dpkg-query >/dev/null 2>&1; then
  for package in "${!reasons[@]}"; do
    [ "$package" = python3-venv ] && [ -n "$(find_python)" ] && continue
    installed "$package" || missing+=("$package")
  done
fi
# The whole browser does for the tests, too, where nothing can be installed.
if [ "${missing[*]:-}" = chromium-headless-shell ] && installed chromium; then
  if [ "$(id -u)" -ne 0 ] || ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
    echo "setup: chromium opens the pages in tests; chromium-headless-shell would be quicker"
  fi
  missing=()
fi
if [ "${#missing[@]}" -gt 0 ]; then
  for package in "${missing[@]}"; do echo "setup: apt installs $package: ${reasons[$package]}"; done
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1; then as_root=(sudo); else
      echo "setup: not root and no sudo. Ask an administrator to run: apt-get install ${missing[*]}" >&2; exit 1
    fi
  fi
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  # An older Debian has the browser only as a whole.
  apt-cache show chromium-headless-shell >/dev/null 2>&1 || missing=("${missing[@]/#chromium-headless-shell/chromium}")
  # What serves is started by the programs that need it; nothing is left running in the background.
  new_services=()
  for package in mosquitto postgresql nats-server; do installed "$package" || new_services+=("$package"); done
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
    for service in "${new_services[@]}"; do
      "${as_root[@]}" systemctl disable --now "$service" >/dev/null 2>&1 || true
    done
  fi
fi

python="$(find_python)"
if [ -z "$python" ]; then
  echo "setup: Python 3.11 or newer with venv is needed. On Debian 12 or later: apt-get install python3-venv" >&2; exit 1
fi

options=()
# On a Raspberry Pi the camera library comes from apt and must be seen from inside the environment.
constraints=constraints.txt
if [ -e /usr/lib/python3/dist-packages/picamera2 ]; then
  options+=(--system-site-packages)
  "$python" -c 'import numpy, sys; sys.exit(not numpy.__version__.startswith("1."))' 2>/dev/null && constraints=constraints-numpy1.txt
fi
[ -x .venv/bin/python ] || { echo "setup: makes .venv with $("$python" --version)"; "$python" -m venv "${options[@]}" .venv; }

extras="edge,gateway"
[ "$purpose" = tests ] && extras="edge,gateway,district,dev"
stamp=".venv/setup-$purpose"
want="$(cat pyproject.toml "$constraints" | sha256sum | cut -c1-16)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
  echo "setup: pip installs classbox[$extras] into .venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint "$constraints" --editable ".[$extras]"
  echo "$want" > "$stamp"
fi
