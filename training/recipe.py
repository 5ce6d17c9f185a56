"""A recipe: one Axolotl YAML file that says how to train, for one kind of machine. What to train on is filled in.

The file is plain Axolotl and reads as a document (what, first do, launch line, not for; each knob with its effect).
Paths, data and what keeps a run resumable are Retort's to fill in: a recipe that sets them is refused, so that two
recipes differ in what was meant and in nothing else. Every other key is checked against Axolotl's own schema.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from records.errors import InputError
from records.types import Record
from training.environment import run_in_training

FOLDER = Path(__file__).parent / "recipes"
FILLED_IN = (
    "base_model",
    "datasets",
    "test_datasets",
    "val_set_size",
    "dataset_prepared_path",
    "output_dir",
    "plugins",
    "auto_resume_from_checkpoints",
    "resume_from_checkpoint",
    "hub_model_id",
    "push_dataset_to_hub",
    "special_tokens",
    "chat_template",
    "revision_of_model",
)
_TELLING = (
    "wandb_",
    "mlflow_",
    "comet_",
    "trackio_",
    "otel_",
    "swanlab_",
    "hub_",
    "hf_mlflow_",
    "neptune_",
    "clearml_",
)
_TELLERS = (
    "use_wandb",
    "use_mlflow",
    "use_comet",
    "use_trackio",
    "use_otel_metrics",
    "use_swanlab",
    "use_ray",
    "report_to",
    "push_to_hub",
    "gradio_share",
    "trust_remote_code",
    "hf_use_auth_token",
)
_REMOTE = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_EVALUATION = ("eval_steps", "evals_per_epoch", "eval_strategy")
_JUDGED = ("early_stopping_patience", "load_best_model_at_end", "metric_for_best_model")
_EVALUATIONS_AN_EPOCH = 2


class Recipe(Record):
    """Settings for Axolotl, as written in a file. `hash` is that of the settings, not of the comments."""

    name: str
    path: Path
    settings: dict[str, Any]
    hash: str


class _StrictLoader(yaml.SafeLoader):
    """A SafeLoader that refuses a key given twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice[0]!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def load(recipe: str, folder: Path | None = None) -> Recipe:
    """The recipe of that name (`cpu-135m`) or path (`./mine.yaml`, relative paths from `folder`, a task's folder)."""
    shipped = FOLDER / f"{recipe}.yaml"
    path = shipped if shipped.is_file() else (folder or Path()) / recipe
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise InputError(f"There is no recipe {recipe!r}: name one of {known}, or give the path of a YAML file.")
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict) or not settings:
        raise InputError(f"{path} must hold Axolotl settings (key: value lines), it holds {type(settings).__name__}.")
    owned = [key for key in FILLED_IN if key in settings]
    if owned:
        raise InputError(f"{path} sets {', '.join(owned)}: Retort fills that in. Remove it from the recipe.")
    return Recipe(name=path.stem, path=path, settings=settings, hash=_hash(settings))


def varied(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with other values for some settings (None: without it), under a name that says so."""
    if not changes:
        return recipe
    settings = {key: value for key, value in (recipe.settings | changes).items() if value is not None}
    told = ", ".join(f"{key} {value}" for key, value in sorted(changes.items()) if value is not None)
    return recipe.model_copy(update={"name": f"{recipe.name} ({told})", "settings": settings, "hash": _hash(settings)})


def stopping_early(recipe: Recipe, rows: int, patience: int, gpus: int = 1) -> Recipe:
    """The recipe with early stopping: evaluated twice an epoch, ended after `patience` evaluations that are no better.

    The student is then the best checkpoint, not the last. `rows` are those that are trained on. A recipe that says how
    it stops by itself stays as it is.
    """
    if patience == 0 or "early_stopping_patience" in recipe.settings:
        return recipe
    at_once = int(recipe.settings.get("micro_batch_size", 1)) * int(
        recipe.settings.get("gradient_accumulation_steps", 1)
    )
    steps = math.ceil(rows / (at_once * max(1, gpus)))
    every = max(1, steps // _EVALUATIONS_AN_EPOCH)
    changes = {"eval_steps": every, "save_steps": every, "evals_per_epoch": None, "saves_per_epoch": None}
    judged = {"early_stopping_patience": patience, "load_best_model_at_end": True, "metric_for_best_model": "eval_loss"}
    return varied(recipe, **changes, **judged).model_copy(update={"name": recipe.name})


def _hash(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def check_sealed(recipe: Recipe) -> None:
    """Refuse a recipe that tells a tracker or a hub of the training, or reads from an address. Raises InputError."""
    telling = [key for key in recipe.settings if key.startswith(_TELLING) or key in _TELLERS]
    telling = [key for key in telling if recipe.settings[key] not in (None, False, "none", "disabled")]
    telling += [key for key, value in recipe.settings.items() if isinstance(value, str) and _REMOTE.match(value)]
    if telling:
        raise InputError(
            f"{recipe.path} sets {', '.join(dict.fromkeys(telling))}, which speaks to other hosts, and the task says "
            "privacy: self_hosted. Remove it from the recipe."
        )


def fill_in(recipe: Recipe, base: str, dataset: Path, run: Path, rows: Path | None = None) -> dict[str, Any]:
    """The whole Axolotl configuration: the recipe with base model, data and folders. `rows`: another training file.

    Only the assistant's turn is trained, its end-of-turn token included, so that a student knows when to stop. What
    a recipe says of evaluation is left out where the dataset has no validation rows: Axolotl would refuse it.
    """
    validation = dataset / "validation.jsonl"
    evaluates = not validation.is_file() or validation.stat().st_size > 0
    left_out = () if evaluates else _EVALUATION + _JUDGED
    settings = {key: value for key, value in recipe.settings.items() if key not in left_out}
    if any(key in settings for key in _EVALUATION):
        settings["test_datasets"] = [_source(validation)]
    return settings | {
        "base_model": base,
        "datasets": [_source(rows or dataset / "train.jsonl")],
        "dataset_prepared_path": str(run / "prepared"),
        "output_dir": str(run / "output"),
        "auto_resume_from_checkpoints": True,
        "chat_template": "tokenizer_default",
        "plugins": ["training.plugin.RetortPlugin"],
    }


def check(recipe: Recipe, training_python: Path, added: Mapping[str, Any] | None = None) -> str:
    """Axolotl's version, if its schema accepts the recipe; InputError with all faults in one sentence if not.

    `added`: settings that a run adds (a tracker's); their packages must then be installed, and the recipe's too.
    Takes about ten seconds: Axolotl is imported in its own environment. Nothing is downloaded.
    """
    filled = fill_in(recipe, "base", Path("dataset"), Path("run")) | dict(added or {})
    answer = json.loads(
        run_in_training(training_python, "-m", "training.check_recipe", given=json.dumps(filled, default=str))
    )
    faults = answer["faults"] + (answer.get("missing", []) if added is not None else [])
    if faults:
        raise InputError(f"Recipe {recipe.path} is refused by Axolotl {answer['axolotl']}: {'; '.join(faults)}.")
    return str(answer["axolotl"])


def _source(path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "ds_type": "json",
        "type": "chat_template",
        "field_messages": "messages",
        "roles_to_train": ["assistant"],
        "train_on_eos": "turn",
    }
