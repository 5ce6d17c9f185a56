"""YAML as data only, for price lists and forms: `safe_load` less what surprises.

Refused: a key given twice (YAML would keep the last in silence), anchors and aliases (a few lines of them unfold to
gigabytes), more than 200 kB, and nesting that exhausts the stack. The same as `prompts.strict_yaml`
for tasks, which this room may not import.
"""

from pathlib import Path
from typing import Any

import yaml

from records.errors import InputError

MAX_BYTES = 200_000


def read(path: Path) -> Any:
    """What a YAML file holds. Raises InputError with the line and the cure."""
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_BYTES:
            raise InputError(f"{path}: {len(raw)} bytes, at most {MAX_BYTES} are allowed. Shorten it.")
        return yaml.load(raw.decode("utf-8"), Loader=_Strict)
    except OSError as fault:
        raise InputError(f"{path}: cannot be read ({fault.strerror}). Check the path.") from fault
    except UnicodeDecodeError as fault:
        raise InputError(f"{path}: byte {fault.start} is not UTF-8. Save the file as UTF-8.") from fault
    except (yaml.YAMLError, RecursionError, ValueError) as fault:
        raise InputError(f"{path}: not valid YAML: {fault}. Correct that line.") from fault


class _Strict(yaml.SafeLoader):
    """SafeLoader that refuses aliases and keys given twice."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"line {line}: aliases (*name) are not allowed; write the value out")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: the key {twice[0]!r} is given twice; keep one")
        return super().construct_mapping(node, deep)
