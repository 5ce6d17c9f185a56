#!/bin/bash
# Remove what can be made again; the work in .retort (documents, corrections, students) only after a yes. Run as: make clean
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -x .venv/app/bin/retort ]; then .venv/app/bin/retort down || true; fi
rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis ./*.egg-info build
find . -name __pycache__ -not -path './.git/*' -not -path './.retort/*' -prune -exec rm -rf {} +
if [ -d .retort ]; then
    answer=no
    if [ -t 0 ]; then read -r -p "Also delete .retort, with all documents, corrections, students and reports? [yes/no] " answer; fi
    if [ "$answer" = yes ]; then rm -rf .retort; else echo "Kept .retort."; fi
fi
