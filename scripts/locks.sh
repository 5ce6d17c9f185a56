#!/bin/bash
# Write locks/*.txt again from the extras of pyproject.toml. Run as: make locks (needs uv, which is in .venv/app after make test).
# Existing pins are kept; delete a line (or the file) to let it move. The files name no package index.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/app/bin/uv}
lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
        pyproject.toml "$@"
}
echo "locks/app.txt" && lock --extra app --generate-hashes --excludes locks/left-out.txt -o locks/app.txt
echo "locks/test.txt" && lock --extra app --extra test --generate-hashes --excludes locks/left-out.txt -c locks/app.txt -o locks/test.txt
echo "locks/argilla.txt" && lock --extra argilla --generate-hashes -o locks/argilla.txt
echo "locks/training.txt" && lock --extra training -o locks/training.txt
