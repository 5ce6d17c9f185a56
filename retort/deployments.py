"""Register the flows of `prefect.yaml` with Prefect's server, once for each version of that file.

Not at each start: registering again would undo what somebody switched on or off in the UI (`retrain`'s schedule).
"""

import hashlib
import os
import subprocess
import sys

from flows.settings import PROJECT, Settings
from records.errors import ServiceError
from records.progress import Progress, silent
from retort import services

NAMES = ("label", "collect", "train", "curve", "release", "harvest", "retrain", "batches", "advise")
_SECONDS = 300


def register(settings: Settings, progress: Progress = silent) -> bool:
    """Register what `prefect.yaml` says unless it was; whether it had to be done. Raises ServiceError."""
    note = settings.folder("prefect") / "registered"
    version = hashlib.sha256((PROJECT / "prefect.yaml").read_bytes()).hexdigest()
    if note.is_file() and note.read_text("utf-8") == version:
        return False
    progress("registering", 0, 1, "the deployments of prefect.yaml")
    environ = {**os.environ, **services.environment(settings, "prefect", os.environ)}
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise ServiceError(f"Prefect did not take the deployments of {PROJECT / 'prefect.yaml'}:\n{said}")
    note.write_text(version, "utf-8")
    progress("registering", 1, 1, ", ".join(NAMES))
    return True
