#!/usr/bin/env bash
# Serves on the embedded defaults, with a demo account whose key is made on the first start.
set -euo pipefail
cd "$(dirname "$0")/.."
gateway=$1
key_file=data/demo.key

# The environment may have moved them. Mistakes in it are named here, before anything is made.
settings=$("$gateway" check --json) || {
    # Mistakes in the settings have been printed by now; what is wrong with files has not.
    "$gateway" check 2>/dev/null | sed -n 's/^# //p' | grep -A 1 '^FAIL' >&2
    exit 1
}
address() { sed -n 's/.*"listen":{[^}]*"'"$1"'":"\([^"]*\)".*/\1/p' <<<"$settings"; }
public=$(address public) admin=$(address admin)

# The key is shown once, so it is kept here; without a live key of the account it is worth nothing.
if [ ! -s "$key_file" ] || ! "$gateway" key list demo --json 2>/dev/null | grep -q '"revoked":null'; then
    "$gateway" user add demo >/dev/null
    made=$("$gateway" key create demo --name demo --json)
    (umask 077; mkdir -p data; sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' <<<"$made" >"$key_file")
fi
key=$(cat "$key_file")

cat <<EOT

  rembg-gateway will serve on http://$public, for operators on http://$admin

  demo account   demo
  its key        $key

  Cut out the sample picture, in another terminal:

    curl -sS -H "x-api-key: $key" -F "image=@$PWD/deploy/sample/mug.jpg" -F format=png \\
      http://$public/rmbg -o cutout.png

  The same in a browser: http://$public/  http://$public/docs  http://$public/usage

  What that has cost:    curl -sS -H "x-api-key: $key" "http://$public/api/membership-usage"
  Alive, ready, numbers: http://$admin/healthz  http://$admin/readyz  http://$admin/metrics

  Stop with Ctrl-C.

EOT
exec "$gateway" serve
