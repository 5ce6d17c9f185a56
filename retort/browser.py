"""A Chromium for the browser walk: the system's, else Debian's package where apt can install it, else Playwright's own.

Run as `.venv/app/bin/python -m retort.browser` (what `make test` does): prints where it is; where none can be had it
says so in a sentence and still exits with 0, as one test is skipped then, not the suite. Tests ask `find()`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OWN = PROJECT / ".venv" / "browsers"  # where Playwright puts its own
_SECONDS = 600


def find() -> Path | None:
    """The executable of a Chromium that starts, or None."""
    system = [Path(found) for name in _NAMES if (found := shutil.which(name))]
    own = sorted(_OWN.glob("chromium*/chrome-*/*chrome*")) + sorted(
        _OWN.glob("chromium*/chrome-*/*.app/Contents/MacOS/*")
    )
    return next((path for path in [*system, *own] if os.access(path, os.X_OK) and _starts(path)), None)


def install() -> None:
    """Try to get one: with apt-get where we are root, else with Playwright. `find()` tells whether it worked."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _try(["apt-get", "update", "-q"], quiet)
        _try(["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"], quiet)
        if find():
            return
    _try(
        [sys.executable, "-m", "playwright", "install", "chromium"],
        {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(_OWN)},
    )


def main() -> int:
    """Say where the browser is, installing one if need be; always 0."""
    if not find():
        print("No Chromium on this machine; trying to install one for the browser test.", file=sys.stderr, flush=True)
        install()
    found = find()
    print(f"Chromium: {found or 'none could be had, so the browser test will be skipped'}", file=sys.stderr)
    return 0


def _starts(path: Path) -> bool:
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and b"Chrom" in done.stdout


def _try(command: list[str], environ: dict[str, str]) -> None:
    try:
        subprocess.run(command, env=environ, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
