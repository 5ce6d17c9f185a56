"""Python loads this before anything else in a process that has this folder on its PYTHONPATH: it installs the guard.

Standing alone, for it runs in all three environments. Where the guard cannot be installed, the process ends: one that
was to be cut off must not go on without. See `records.cutoff`.
"""

import os
import sys
from pathlib import Path

try:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from records.cutoff import install

    sys.path.pop(0)
    install(os.environ)
except Exception as fault:
    print(f"the guard of the network could not be installed: {fault}", file=sys.stderr, flush=True)
    os._exit(3)
