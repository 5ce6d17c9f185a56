"""YAML as data only: `safe_load`, less what surprises. Files come from other people, so nothing in them is trusted.

Refused: a key given twice (YAML would silently keep the last), anchors and aliases (a few lines of them unfold to
gigabytes), more than 1 MB, and nesting that exhausts the stack.
"""

from pathlib import Path
from typing import Any

import yaml

from records.errors import InputError

MAX_BYTES = 1_000_000


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses aliases and duplicate keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"line {mark.line + 1}: aliases (*name) are not allowed; write the value out")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: the key {key.value!r} is given twice; keep one")
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """A small UTF-8 file. Raises InputError when it is missing, too large or not UTF-8."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"{path}: {size} bytes, at most {MAX_BYTES} are allowed. Shorten it.")
        return path.read_text(encoding="utf-8")
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror}). Create it or check the path.") from fault
    except UnicodeDecodeError as fault:
        raise InputError(f"{path}: byte {fault.start} is not UTF-8. Save the file as UTF-8.") from fault


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises InputError with the line of the fault."""
    text = read_text(path)
    try:
        data = yaml.load(text, Loader=_StrictLoader)
    except RecursionError as fault:
        raise InputError(f"{path}: nested too deeply. A task needs about five levels.") from fault
    except (yaml.YAMLError, ValueError) as fault:
        raise InputError(f"{path}: not valid YAML: {fault}. Correct that line.") from fault
    if not isinstance(data, dict):
        if data is None:
            raise InputError(f"{path}: is empty, wanted a mapping of keys such as `name:`.")
        raise InputError(f"{path}: holds {type(data).__name__}, wanted a mapping of keys such as `name:`.")
    return data
