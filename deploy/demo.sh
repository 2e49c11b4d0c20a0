#!/usr/bin/env bash
# Serves on the embedded defaults, with a demo account whose key is made on the first start.
set -euo pipefail
cd "$(dirname "$0")/.."
gateway=$1
key_file=data/demo.key

if [ ! -s "$key_file" ]; then
    mkdir -p data
    "$gateway" user add demo --plan Free >/dev/null
    umask 077
    "$gateway" key create demo --name demo --json | sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' > "$key_file.new"
    mv "$key_file.new" "$key_file"
fi
key=$(cat "$key_file")

cat <<EOT

  rembg-gateway on http://127.0.0.1:8080, for operators on http://127.0.0.1:8081

  demo account   demo (plan Free)
  its key        $key

  Cut out the sample picture, in another terminal:

    curl -sS -H "x-api-key: $key" -F "image=@$PWD/deploy/sample/mug.jpg" -F format=png \\
      http://127.0.0.1:8080/rmbg -o cutout.png

  What that has cost:    curl -sS -H "x-api-key: $key" "http://127.0.0.1:8080/api/membership-usage"
  Alive, ready, numbers: http://127.0.0.1:8081/healthz  http://127.0.0.1:8081/readyz  http://127.0.0.1:8081/metrics

  Stop with Ctrl-C.

EOT
exec "$gateway" serve
