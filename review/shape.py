"""What a nested value looks like as JSON, shown to the person who has to write one. A function of its JSON Schema.

    shape({"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"},
          "role": {"type": ["string", "null"]}}}})     -> [{"name": "text", "role": "text or null"}]

A test document comes to the desk without a suggestion, so nothing else there tells a reviewer which keys are wanted.
"""

import json
from typing import Any

_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}
_LONGEST = 400


def shape(schema: dict[str, Any]) -> str:
    """One line of JSON with words in place of the values; empty where the schema does not say, or says too much."""
    found = _shape(schema)
    line = json.dumps(found, ensure_ascii=False)
    return line if isinstance(found, dict | list) and found and len(line) <= _LONGEST else ""


def _shape(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return "anything"
    if "properties" in schema:
        return {key: _shape(inner) for key, inner in schema["properties"].items()}
    if "items" in schema:
        return [_shape(schema["items"])]
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return _either([_shape(one) for one in branches])
    if "enum" in schema or "const" in schema:
        return " or ".join("null" if v is None else str(v) for v in schema.get("enum", [schema.get("const")]))
    if schema.get("format") == "date":
        words = {**_WORDS, "string": "date such as 2026-11-23"}
        return _either([words.get(kind, kind) for kind in _kinds(schema)])
    return _either([_WORDS.get(kind, "anything") for kind in _kinds(schema)])


def _kinds(schema: dict[str, Any]) -> list[str]:
    kinds = schema.get("type", "anything")
    return kinds if isinstance(kinds, list) else [kinds]


def _either(shapes: list[Any]) -> Any:
    """One of several: the nested one, which says most, else all in words."""
    nested = [one for one in shapes if isinstance(one, dict | list)]
    return nested[0] if nested else " or ".join(shapes)
