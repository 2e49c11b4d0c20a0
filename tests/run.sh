#!/usr/bin/env bash
# Runs every test and ends on one line that adds them up.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# This runs beside the lints, as it may take minutes.
tests/rembg-venv.sh &
venv=$!
make check
wait "$venv"
status=0
cargo test --locked --all-targets --no-fail-fast 2>&1 | tee "$log" || status=1
# The tests of what callers notice run once more on the other store.
REMBG_GATEWAY_TEST_STORE=redis cargo test --locked --no-fail-fast --test it 2>&1 | tee -a "$log" || status=1

awk '/^test result:/ { for (i = 1; i < NF; i++) { if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i } }
     END { printf "%d passed, %d failed\n", p, f; exit (p == 0 || f > 0) }' "$log" || status=1
exit "$status"
