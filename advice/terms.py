"""Whose terms apply to a teacher: a dated table with links (`terms.yaml`), to be checked, never legal advice.

    for_model("anthropic/claude-sonnet-4")   # Terms(provider="Anthropic", as_of=date(2026, 5, 22), ...)
    for_model("acme/own-model")              # None: not in the table, which the advice says

Our own file, but read as one of a stranger: it may be edited, and a wrong row would look right.
"""

from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from advice.decision import Terms
from records.errors import InputError

FILE = Path(__file__).with_name("terms.yaml")


def load(path: Path = FILE) -> list[Terms]:
    """All rows of the table. Raises InputError with the row and the cure."""
    try:
        rows = yaml.safe_load(path.read_text("utf-8"))
        return TypeAdapter(list[Terms]).validate_python(rows)
    except (OSError, UnicodeDecodeError) as fault:
        raise InputError(f"{path}: cannot be read ({fault}). Check the path.") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}: {first['msg']} (given: {str(first['input'])[:80]!r}).") from fault
    except (yaml.YAMLError, RecursionError, ValueError) as fault:
        raise InputError(f"{path}: not valid YAML: {fault}. Correct that line.") from fault


def for_model(model: str | None, table: list[Terms] | None = None) -> Terms | None:
    """The row whose beginning fits a LiteLLM string best; None where none does, or there is no model."""
    name = (model or "").lower()
    fits = [(len(p), row) for row in (load() if table is None else table) for p in row.models if name.startswith(p)]
    return max(fits, key=lambda fit: fit[0])[1] if name and fits else None
