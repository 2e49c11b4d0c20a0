#!/usr/bin/env bash
# Runs every test and ends on one line that adds them up.
set -euo pipefail
cd "$(dirname "$0")/.."
logs=$(mktemp -d)

# Each job is a process group of its own, so that no test goes on without this script. A terminal is of no concern to it.
start() {
    set -m 2>/dev/null
    "$@" &
    set +m
}
end() {
    for job in $(jobs -p); do kill -- "-$job" 2>/dev/null || true; done
    rm -rf "$logs"
}
trap end EXIT
trap 'exit 1' HUP INT TERM
status=0

# This waits for the network while the tests are built.
start tests/rembg-venv.sh
venv=$!
if ! cargo test --locked --all-targets --no-run; then
    echo "0 passed, 0 failed: the tests do not build"
    exit 1
fi
wait "$venv" || status=1

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
    return "$status"
}
# Cargo holds the target folder until the tests run, and the lints hold it until they are done.
until_it_runs() {
    until grep -qE '^ +Running' "$logs/$1" || ! kill -0 "$2" 2>/dev/null; do sleep 0.1; done
}
touch "$logs/callers" "$logs/rest"
start lot callers
callers=$!
start lot rest
rest=$!
until_it_runs callers "$callers"
until_it_runs rest "$rest"
start make check
lints=$!

for job in "$callers" "$rest" "$lints"; do
    wait "$job" || status=1
done
cat "$logs/callers" "$logs/rest" |
    awk '/^test result:/ { for (i = 1; i < NF; i++) { if ($(i+1) ~ /^passed/) p += $i; if ($(i+1) ~ /^failed/) f += $i } }
         END { printf "%d passed, %d failed\n", p, f; exit (p == 0 || f > 0) }' || status=1
exit "$status"
