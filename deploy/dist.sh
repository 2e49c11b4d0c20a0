#!/usr/bin/env bash
# Builds what is shipped into target/dist.d: the stripped binary, the model beside it, an SBOM (CycloneDX 1.5), and SHA-256
# sums of all three. The SBOM is made by cargo-cyclonedx, which is installed from crates.io where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

out=target/dist.d

cargo build --locked --profile dist --bin rembg-gateway
command -v cargo-cyclonedx >/dev/null || cargo install --quiet --locked cargo-cyclonedx@0.5.9

rm -rf "$out"
mkdir -p "$out"
install -m 755 target/dist/rembg-gateway "$out/rembg-gateway"
install -m 644 .cache/u2netp.onnx "$out/u2netp.onnx"
# What is only needed for the tests is left out; the tool writes beside Cargo.toml.
cargo cyclonedx --quiet --format json --spec-version 1.5 --override-filename rembg-gateway.cdx
# It names this crate by its folder, which is nobody's business.
# Cargo leaves the crate's name out where the folder has the same.
sed "s|path+file://$PWD#\([0-9]\)|pkg:cargo/rembg-gateway@\1|g; s|path+file://$PWD#|pkg:cargo/|g; s|?download_url=file://[^\"#]*||g" \
    rembg-gateway.cdx.json >"$out/rembg-gateway.cdx.json"
rm rembg-gateway.cdx.json
(cd "$out" && sha256sum rembg-gateway u2netp.onnx rembg-gateway.cdx.json >SHA256SUMS)

size=$(stat -c %s "$out/rembg-gateway")
echo "$out has the binary ($size bytes), the model, the SBOM and their checksums:"
cat "$out/SHA256SUMS"
