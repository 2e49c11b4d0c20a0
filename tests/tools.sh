#!/usr/bin/env bash
# Installs the programs that the tests drive, where they are missing: as root by apt-get, else it names the command.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A package=([prometheus]=prometheus [promtool]=prometheus [amtool]=prometheus-alertmanager
    [node]=nodejs [npm]=npm [python3]=python3 [curl]=curl [redis-server]=redis-server [redis-cli]=redis-tools [systemd-analyze]=systemd)
missing=()
for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium)
ruby -e 'require "faraday"' 2>/dev/null || missing+=(ruby-faraday)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "The tests need: ${missing[*]}. Install them with:  sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Stripe's own library signs the webhooks that the tests deliver.
if ! .cache/stripe-venv/bin/python3 -c 'import stripe' 2>/dev/null; then
    python3 -m venv .cache/stripe-venv
    .cache/stripe-venv/bin/pip install --quiet --disable-pip-version-check stripe==16.1.0
fi

tests/clients/install.sh
tests/deploy/install.sh
