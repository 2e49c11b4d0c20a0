#!/usr/bin/env bash
# Copies the rules and dashboards into the chart, as Helm packages nothing from outside its folder.
set -euo pipefail
cd "$(dirname "$0")/../.."

into=deploy/helm/rembg-gateway/files
rm -rf "$into/dashboards"
mkdir -p "$into/dashboards"
cp deploy/prometheus/alerts.yaml deploy/prometheus/recording.yaml "$into/"
cp grafana/dashboards/*.json "$into/dashboards/"
