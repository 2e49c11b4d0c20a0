#!/usr/bin/env bash
# Installs the client libraries that tests/clients drives, in .cache. Quiet when they are there already.
set -euo pipefail
cd "$(dirname "$0")/../.."

node_packages=(@remove-background-ai/rembg.js@1.3.1 axios@1.21.1 form-data@4.0.6)
python_packages=(requests==2.32.5 werkzeug==3.1.9)
# Clients of remove.bg, as they are published.
removebg_node_packages=(remove.bg@1.3.0 axios@1.21.1 form-data@4.0.6)
removebg_python_packages=(removebg==0.4 requests==2.32.5)
# These read and try the description of the API, and look at the pages.
openapi_packages=(openapi-spec-validator==0.9.0 PyYAML==6.0.4 schemathesis==4.32.5)
page_packages=(axe-core@4.14.1)

if [ "$(cat .cache/clients/installed 2>/dev/null)" != "${node_packages[*]}" ]; then
    mkdir -p .cache/clients
    npm install --prefix .cache/clients --no-package-lock --no-audit --no-fund --loglevel=error "${node_packages[@]}" >&2
    echo "${node_packages[*]}" > .cache/clients/installed
fi
if [ "$(cat .cache/venv/clients-installed 2>/dev/null)" != "${python_packages[*]}" ]; then
    [ -x .cache/venv/bin/python3 ] || python3 -m venv .cache/venv
    .cache/venv/bin/python3 -m pip install --quiet --disable-pip-version-check "${python_packages[@]}" >&2
    echo "${python_packages[*]}" > .cache/venv/clients-installed
fi
if [ "$(cat .cache/removebg/installed 2>/dev/null)" != "${removebg_node_packages[*]}" ]; then
    mkdir -p .cache/removebg
    npm install --prefix .cache/removebg --no-package-lock --no-audit --no-fund --loglevel=error "${removebg_node_packages[@]}" >&2
    echo "${removebg_node_packages[*]}" > .cache/removebg/installed
fi
if [ "$(cat .cache/removebg-venv/installed 2>/dev/null)" != "${removebg_python_packages[*]}" ]; then
    [ -x .cache/removebg-venv/bin/python3 ] || python3 -m venv .cache/removebg-venv
    .cache/removebg-venv/bin/python3 -m pip install --quiet --disable-pip-version-check "${removebg_python_packages[@]}" >&2
    echo "${removebg_python_packages[*]}" > .cache/removebg-venv/installed
fi
if [ "$(cat .cache/openapi-venv/installed 2>/dev/null)" != "${openapi_packages[*]}" ]; then
    [ -x .cache/openapi-venv/bin/python3 ] || python3 -m venv .cache/openapi-venv
    .cache/openapi-venv/bin/python3 -m pip install --quiet --disable-pip-version-check "${openapi_packages[@]}" >&2
    echo "${openapi_packages[*]}" > .cache/openapi-venv/installed
fi
if [ "$(cat .cache/pages/installed 2>/dev/null)" != "${page_packages[*]}" ]; then
    mkdir -p .cache/pages
    npm install --prefix .cache/pages --no-package-lock --no-audit --no-fund --loglevel=error "${page_packages[@]}" >&2
    echo "${page_packages[*]}" > .cache/pages/installed
fi
