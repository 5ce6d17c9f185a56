"""Axolotl's own opinion of a recipe, before anything is trained. Runs in the training environment (about 8 s).

Axolotl drops unknown keys silently, so a misspelt `learning_rte` trains with the default. Here every key, nested ones
too, is looked up in Axolotl's pydantic schema; then its validators run. (`axolotl config-schema` would be the door,
but in 0.19.0 it fails on a torch type and falls back to a list without the nested keys.)

    echo '{"adapter": "lora"}' | python -m training.check_recipe
    {"axolotl": "0.19.0", "faults": ["..."], "missing": []}
"""

import contextlib
import difflib
import json
import sys
import typing
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

PACKAGES = {
    "use_mlflow": "mlflow",
    "use_wandb": "wandb",
    "use_tensorboard": "tensorboard",
    "use_ray": "ray",
    "deepspeed": "deepspeed",
}
"""What a setting needs installed; Axolotl says so only after it has loaded the model, or never."""


def main() -> None:
    """Read settings as JSON from standard input, print faults as JSON; all else goes to standard error."""
    settings = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        from axolotl.utils.schemas.config import AxolotlInputConfig

        faults = list(unknown_keys(settings, [AxolotlInputConfig], "")) or list(invalid_values(settings))
    print(json.dumps({"axolotl": version("axolotl"), "faults": faults, "missing": list(missing_packages(settings))}))


def missing_packages(settings: dict[str, Any]) -> Iterator[str]:
    """One sentence for each package that a setting needs and this environment has not."""
    for key, package in PACKAGES.items():
        if settings.get(key) and find_spec(package) is None:
            yield f"{key}: the package {package} is not installed in the training environment"


def unknown_keys(settings: dict[str, Any], models: list[Any], place: str) -> Iterator[str]:
    """One sentence for each key that none of the pydantic `models` has, with the nearest name that exists."""
    fields = {}
    for model in models:
        for name, field in model.model_fields.items():
            fields[name] = fields[field.alias or name] = field
    for key, value in settings.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), list(fields), 1)
            yield f"{place}{key}: unknown key" + (f" (did you mean {near[0]!r}?)" if near else "")
            continue
        inner = [kind for kind in _kinds(fields[key].annotation) if hasattr(kind, "model_fields")]
        entries = value if isinstance(value, list) else [value]
        for entry in entries if inner else []:
            if isinstance(entry, dict):
                yield from unknown_keys(entry, inner, f"{place}{key}.")


def invalid_values(settings: dict[str, Any]) -> Iterator[str]:
    """One sentence for each value that Axolotl's validators refuse."""
    from axolotl.utils.config import validate_config
    from axolotl.utils.dict import DictDefault
    from pydantic import ValidationError

    try:
        validate_config(DictDefault(settings))
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"][:1])
            given = f" (given: {fault['input']!r:.60})" if where else ""
            yield f"{where or 'recipe'}: {fault['msg'].removeprefix('Value error, ')}{given}"
    except (ValueError, TypeError) as error:
        yield f"recipe: {error}"


def _kinds(annotation: Any) -> Iterator[Any]:
    inner = typing.get_args(annotation)
    if not inner:
        yield annotation
    for part in inner:
        yield from _kinds(part)


if __name__ == "__main__":
    main()
