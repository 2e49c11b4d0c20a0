#!/usr/bin/env bash
# Takes the pictures in this folder: the pages of a gateway with the builtin backend, in a real browser.
#
#     docs/screenshots/take.sh [GATEWAY]        GATEWAY is target/release/rembg-gateway unless given
set -euo pipefail
cd "$(dirname "$0")/../.."
gateway=$(realpath "${1:-target/release/rembg-gateway}")
folder=$(mktemp -d)
export REMBG_GATEWAY__STORE__URL="sqlite:$folder/gateway.db" REMBG_GATEWAY__LISTEN__PUBLIC=127.0.0.1:18080
export REMBG_GATEWAY__LISTEN__ADMIN=127.0.0.1:18081 REMBG_GATEWAY__ANONYMOUS__PER_DAY=5
trap 'kill "$serving" 2>/dev/null || true; rm -rf "$folder"' EXIT

"$gateway" user add ann --plan Premium-20000 >/dev/null
"$gateway" credits grant ann 2000 --id screenshots >/dev/null
key=$("$gateway" key create ann --json | sed -n 's/.*"key": *"\([^"]*\)".*/\1/p')
# A subscription that began nine months ago, and what it has used since.
python3 - "$folder/gateway.db" <<'PYTHON'
import sqlite3
import sys
import time

db = sqlite3.connect(sys.argv[1], timeout=10)
start, month = int(time.time()) - 12 * 86400, 30 * 86400
period = (start, start + month, "month", 1, start)
db.execute("""UPDATE accounts SET billing_period_start = ?, billing_period_end = ?, billing_interval_unit = ?,
    billing_interval_count = ?, billing_anchor = ? WHERE uid = 'ann'""", period)
used = [(3100, 5600), (4800, 9100), (3900, 8800), (3300, 6100), (2600, 7400), (2900, 4300), (1700, 3900), (1200, 2800), (400, 900)]
for back, counts in enumerate(used):
    for channel, count in zip(("app", "api"), counts):
        db.execute("INSERT INTO counters (name, value) VALUES (?, ?)", (f"user:ann:{channel}_usage:cycle:{start - back * month}", count))
now = time.gmtime()
for channel, count in (("app", 2400), ("api", 5200)):
    db.execute("INSERT INTO counters (name, value) VALUES (?, ?)", (f"user:ann:{channel}_usage:{now.tm_year}:{now.tm_mon}", count))
db.commit()
PYTHON
"$gateway" serve 2>"$folder/log" &
serving=$!
for _ in $(seq 100); do
    curl -fsS "http://$REMBG_GATEWAY__LISTEN__ADMIN/readyz" >/dev/null 2>&1 && break
    sleep 0.1
done
node docs/screenshots/take.mjs "http://$REMBG_GATEWAY__LISTEN__PUBLIC" "$key"
