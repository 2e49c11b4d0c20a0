#!/usr/bin/env bash
# Installs the programs that the tests drive, where they are missing: as root by apt-get, else it names the command.
set -euo pipefail

declare -A package=([promtool]=prometheus [node]=nodejs [npm]=npm [python3]=python3
    [redis-server]=redis-server [redis-cli]=redis-tools)
missing=()
for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package[$program]}")
done
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "The tests need: ${missing[*]}. Install them with:  sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
