#!/usr/bin/env bash
# Installs PyPI's rembg, most of a gigabyte, for the test that drives the real server. Fails where it cannot be had within
# ten minutes.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
venv=.cache/rembg-venv
[ -x $venv/bin/rembg ] && exit 0

install() {
    rm -rf $venv.part
    python3 -m venv $venv.part && $venv.part/bin/pip install --quiet --disable-pip-version-check 'rembg[cpu,cli]==2.0.86'
}
export -f install
export venv
if timeout 600 bash -c install >$venv.log 2>&1; then
    mv $venv.part $venv
    # The programs in it name the folder that they were installed in.
    sed -i "1s|$venv.part|$venv|" $venv/bin/rembg
else
    rm -rf $venv.part
    echo "rembg could not be installed, so the real server cannot be tested: see $venv.log" >&2
    exit 1
fi
