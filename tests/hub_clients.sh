#!/bin/sh
# Runs the Hub tests with the client versions of the other locked sets, each in a small environment of its own.
# Usage: tests/hub_clients.sh [version ...]    (default: 1.33.0 of the gpu set, 0.36.2 of the comet set)
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
[ $# -gt 0 ] || set -- 1.33.0 0.36.2
for version in "$@"; do
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    "$python" -m venv "$folder"
    # Only what toolkit.hub, hub_cards and their tests import: no torch, no transformers.
    "$folder/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$version" \
        pydantic pyyaml typer rich langcodes numpy safetensors jinja2 markdown-it-py matplotlib pytest pytest-timeout
    echo "huggingface_hub $version"
    OMP_NUM_THREADS=1 PYTHONPATH=. "$folder/bin/python" -m pytest -p no:cacheprovider tests/test_hub*.py
    rm -rf "$folder"
done
