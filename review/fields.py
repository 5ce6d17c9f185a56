"""One value of an answer in a reviewer's words: which kind of question asks for it, and how it is written and read.

| JSON Schema                | question     | example                    |
|----------------------------|--------------|----------------------------|
| enum, const, boolean       | label        | `yes` / `no`               |
| array of enum              | labels       | several clicked            |
| string                     | text         | `Acme GmbH`                |
| integer, number            | text         | `12500`                    |
| array of string or number  | text         | one item a line            |
| anything else              | text         | JSON                       |

What is written as JSON is shown by its shape (`review.shape`). A dash (or an empty box) says that the document does
not tell: null where the schema takes null, an empty list where it asks for a list, else the property is left out.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from review import plain
from review.shape import shape

NOTHING = "-"


class Kind(StrEnum):
    """Argilla's question types that a form uses."""

    label = "label"
    labels = "labels"
    text = "text"


@dataclass(frozen=True)
class Wording:
    """How one value is asked for. `options`: values with the text that is shown; `blank`: may stay unanswered."""

    kind: Kind
    to_words: Callable[[Any], Any]
    from_words: Callable[[Any], Any]
    hint: str = ""
    options: dict[str, str] = field(default_factory=dict)
    blank: bool = False
    nullable: bool = False
    a_list: bool = False

    def write(self, value: Any) -> Any:
        """What the desk shows for a value: a string, a list of option values, or None for nothing."""
        if value is None:
            return NOTHING if self.kind is Kind.label and self.blank else None
        words = self.to_words(value) or None
        return plain.shown(words) if self.kind is Kind.text else words

    def read(self, words: Any) -> Any:
        """The value of what a person entered, None for nothing. Raises ValueError that says what is expected."""
        if isinstance(words, str):
            words = plain.original(words).strip()
        if words in (None, "", NOTHING, []):
            if not self.blank:
                raise ValueError("nothing was entered")
            return [] if self.a_list and not self.nullable else None
        return self.from_words(words)


def wording(schema: dict[str, Any], required: bool) -> Wording:
    """How to ask for a value of this schema."""
    plain, nullable = _without_null(schema)
    found = _bare(plain)
    blank = nullable or not required or found.a_list
    options = dict(found.options)
    if found.kind is Kind.label and blank:
        options[NOTHING] = "not stated"
    hints = [str(schema.get("description", "")), found.hint]
    if blank and found.kind is Kind.text:
        hints.append("Leave empty, or write -, where the document does not say.")
    hint = " ".join(h for h in hints if h)
    return replace(found, hint=hint, options=options, blank=blank, nullable=nullable)


def _bare(schema: dict[str, Any]) -> Wording:
    kind = schema.get("type")
    items = schema.get("items", {})
    values = _closed(schema)
    if values:
        return _one_of(values)
    if kind == "array" and _closed(items):
        return _several_of(_closed(items))
    if kind == "array" and items.get("type") in ("string", "integer", "number"):
        return _lines(_bare(items))
    if kind == "string":
        return Wording(Kind.text, str, str, "A date such as 2026-11-23." if schema.get("format") == "date" else "")
    if kind == "integer":
        return Wording(Kind.text, str, _integer, "A whole number, digits only.")
    if kind == "number":
        return Wording(Kind.text, str, _number, "A number such as 12500 or 0.5.")
    looks = shape(schema)
    hint = f"Written as JSON, such as {looks}." if looks else "Written as JSON."
    return Wording(Kind.text, _json_text, _json_value, hint, a_list=kind == "array")


def _closed(schema: dict[str, Any]) -> list[Any]:
    """All values of a schema that has few; empty for an open one."""
    if "const" in schema:
        return [schema["const"]]
    return [True, False] if schema.get("type") == "boolean" else list(schema.get("enum", ()))


def _one_of(values: list[Any]) -> Wording:
    options, back = _options(values)
    if len(options) < 2:  # Argilla asks for two options at least
        return Wording(Kind.text, _option, lambda words: _chosen(words, back), f"Write {', '.join(options)}.")
    return Wording(Kind.label, _option, lambda words: _chosen(words, back), options=options)


def _several_of(values: list[Any]) -> Wording:
    options, back = _options(values)
    return Wording(
        Kind.labels,
        lambda value: [_option(v) for v in value],
        lambda words: [_chosen(w, back) for w in words],
        "As many as apply.",
        options,
        a_list=True,
    )


def _lines(item: Wording) -> Wording:
    return Wording(
        Kind.text,
        lambda value: "\n".join(" ".join(item.to_words(v).splitlines()) for v in value),  # an item stays one line
        lambda words: [item.from_words(line.strip()) for line in words.splitlines() if line.strip()],
        "One item a line.",
        a_list=True,
    )


def _options(values: list[Any]) -> tuple[dict[str, str], dict[str, Any]]:
    shown = {True: "yes", False: "no"}
    texts = {_option(v): shown[v] if isinstance(v, bool) else _option(v).replace("_", " ") for v in values}
    return texts, {_option(v): v for v in values}


def _option(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _chosen(words: Any, back: dict[str, Any]) -> Any:
    if words not in back:
        raise ValueError(f"{words!r} is none of {', '.join(back)}")
    return back[words]


def _integer(words: str) -> int:
    try:
        return int(words)
    except ValueError:
        raise ValueError(f"{words!r} is not a whole number") from None


def _number(words: str) -> float:
    try:
        return int(words) if words.lstrip("+-").isdigit() else float(words)
    except ValueError:
        raise ValueError(f"{words!r} is not a number such as 12500 or 0.5") from None


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _json_value(words: str) -> Any:
    try:
        return json.loads(words)
    except ValueError as error:
        raise ValueError(f"not valid JSON: {error}") from None


def _without_null(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """A schema without its null, and whether it had one (`type: [.., null]`, `anyOf` with null, null in `enum`)."""
    plain, nullable = dict(schema), False
    for union in ("anyOf", "oneOf"):
        branches = [b for b in plain.get(union, ()) if b.get("type") != "null"]
        if union in plain and len(branches) == 1:
            nullable |= len(plain.pop(union)) > 1
            plain |= branches[0]
    if isinstance(plain.get("type"), list):
        kinds = [k for k in plain["type"] if k != "null"]
        nullable |= len(kinds) < len(plain["type"])
        plain["type"] = kinds[0] if len(kinds) == 1 else kinds
    if None in plain.get("enum", ()):
        nullable = True
        plain["enum"] = [v for v in plain["enum"] if v is not None]
    return plain, nullable
