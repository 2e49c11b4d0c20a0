#!/usr/bin/env bash
# Serves on the embedded defaults, with a demo account whose key is made on the first start.
set -euo pipefail
cd "$(dirname "$0")/.."
gateway=$1
key_file=data/demo.key

# The key is shown once, so it is kept here; without the account that it opens it is worth nothing.
if [ ! -s "$key_file" ] || ! "$gateway" key list demo --json 2>/dev/null | grep -q '"id"'; then
    "$gateway" user add demo >/dev/null
    made=$("$gateway" key create demo --name demo --json)
    (umask 077; sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' <<<"$made" >"$key_file")
fi
key=$(cat "$key_file")

cat <<EOT

  rembg-gateway will serve on http://127.0.0.1:8080, for operators on http://127.0.0.1:8081

  demo account   demo
  its key        $key

  Cut out the sample picture, in another terminal:

    curl -sS -H "x-api-key: $key" -F "image=@$PWD/deploy/sample/mug.jpg" -F format=png \\
      http://127.0.0.1:8080/rmbg -o cutout.png

  What that has cost:    curl -sS -H "x-api-key: $key" "http://127.0.0.1:8080/api/membership-usage"
  Alive, ready, numbers: http://127.0.0.1:8081/healthz  http://127.0.0.1:8081/readyz  http://127.0.0.1:8081/metrics

  Stop with Ctrl-C.

EOT
exec "$gateway" serve
