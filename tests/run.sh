#!/usr/bin/env bash
# Runs every test and ends on one line that adds them up.
set -euo pipefail
cd "$(dirname "$0")/.."
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# This waits for the network while the tests are built.
tests/rembg-venv.sh &
venv=$!
cargo test --locked --all-targets --no-run
wait "$venv"

# Most tests wait, so two lots of them run beside each other, and the lints beside both.
callers() {
    local status=0
    cargo test --locked --no-fail-fast --test it || status=1
    # The tests of what callers notice run once more on the other store.
    REMBG_GATEWAY_TEST_STORE=redis cargo test --locked --no-fail-fast --test it || status=1
    return "$status"
}
rest() {
    cargo test --locked --no-fail-fast --lib --bins --test clients --test models --test process --test store
}
lot() {
    local status=0
    "$1" >"$logs/$1" 2>&1 || status=1
    cat "$logs/$1"
    return $status
}
touch "$logs/callers" "$logs/rest"
lot callers &
callers=$!
lot rest &
rest=$!
# Cargo holds the target folder until the tests run, and the lints hold it until they are done.
for log in "$logs/callers" "$logs/rest"; do
    until grep -qE '^ +Running|^error' "$log"; do sleep 0.1; done
done
make check &
lints=$!

status=0
for lot in "$callers" "$rest" "$lints"; do
    wait "$lot" || status=1
done
cat "$logs/callers" "$logs/rest" |
    awk '/^test result:/ { for (i = 1; i < NF; i++) { if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i } }
         END { printf "%d passed, %d failed\n", p, f; exit (p == 0 || f > 0) }' || status=1
exit "$status"
