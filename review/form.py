"""What a reviewer is asked: an answer becomes questions on the desk, and the questions' values an answer again.

A choice is one question with the labels. An object (JSON Schema) becomes one question a property, so that nobody has
to write JSON: enumerations and booleans are labels to click, lists of enumerations several labels, texts, numbers and
dates a text box, lists one item a line (`review.fields`). Only what is nested is written as JSON. A schema without
properties is one text box.

    form = choice_form({"lease": "Anything about renting premises", "nda": "Confidentiality agreements"})
    form.write("nda")                    -> {"answer": "nda"}
    form.read({"answer": "nda"})         -> "nda"
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from records.errors import InputError
from records.types import Answer
from review.fields import Kind, Wording, wording

ANSWER = "answer"
_WHERE_LABELS_ARE_TOLD = "GUIDELINES, below the document, tell what each label means, and which keys do what."
RESERVED = frozenset({"document", "confidence", "round", "reason"})


class Unreadable(ValueError):
    """What a person submitted is not an answer of this task; says why."""


@dataclass(frozen=True)
class Question:
    """One question on the desk. `key` is the property it asks for; None: the whole answer."""

    name: str
    title: str
    key: str | None
    required: bool
    wording: Wording


@dataclass(frozen=True)
class Form:
    """All questions of a task. `schema` is None for a choice."""

    questions: tuple[Question, ...]
    schema: dict[str, Any] | None

    def write(self, answer: Answer) -> dict[str, Any]:
        """Question names to the values that say this answer; a property without a value has no entry."""
        if self.questions[0].key is None:
            return {self.questions[0].name: self.questions[0].wording.write(answer)}
        assert isinstance(answer, dict)
        written = {q.name: q.wording.write(answer.get(q.key)) for q in self.questions if q.key}
        return {name: value for name, value in written.items() if value is not None}

    def read(self, values: Mapping[str, Any]) -> Answer:
        """The answer that these values say. Raises Unreadable."""
        answer: Answer = self._read_all(values)
        if self.schema is not None:
            _check(answer, self.schema)
        return answer

    def _read_all(self, values: Mapping[str, Any]) -> Any:
        answer: dict[str, Any] = {}
        for question in self.questions:
            try:
                value = question.wording.read(values.get(question.name))
            except ValueError as error:
                raise Unreadable(f"{question.title}: {error}") from None
            if question.key is None:
                return value
            if value is not None or question.wording.nullable:
                answer[question.key] = value
        return answer


def choice_form(labels: Mapping[str, str], title: str = "What is it?") -> Form:
    """A form for one of these labels (name -> description). Raises InputError for fewer than two."""
    if len(labels) < 2:
        raise InputError(f"a choice needs two labels at least, got {sorted(labels)}.")
    one_of = wording({"enum": list(labels), "description": _WHERE_LABELS_ARE_TOLD}, required=True)
    return Form((Question(ANSWER, title, None, True, one_of),), None)


def json_form(schema: Mapping[str, Any]) -> Form:
    """A form for an object: a question a property, or one for the whole where the schema has no flat properties."""
    whole = dict(schema)
    properties = whole.get("properties")
    if not properties:
        return Form((Question(ANSWER, "Answer (JSON)", None, True, wording({}, required=True)),), whole)
    names = _names(list(properties))
    needed = set(whole.get("required", ()))
    asked = [_question(names[key], key, _resolved(properties[key], whole), key in needed) for key in properties]
    return Form(tuple(_one_required(asked)), whole)


def _question(name: str, key: str, schema: dict[str, Any], required: bool) -> Question:
    words = wording(schema, required)
    must = words.kind is Kind.label or (required and not words.blank)  # a label can be "not stated"
    return Question(name, str(schema.get("title", key.replace("_", " "))), key, must, words)


def _one_required(questions: list[Question]) -> list[Question]:
    """Argilla publishes no form without a required question; a required one can still be answered with a dash."""
    if any(q.required for q in questions):
        return questions
    first = next((i for i, q in enumerate(questions) if q.wording.kind != Kind.labels), 0)
    question = questions[first]
    questions[first] = Question(question.name, question.title, question.key, True, question.wording)
    return questions


def _names(keys: list[str]) -> dict[str, str]:
    """Names that Argilla takes and that differ from each other and from the record's own fields."""
    names: dict[str, str] = {}
    for key in keys:
        name = re.sub(r"[^a-z0-9_-]+", "_", key.lower()).strip("_") or "field"
        while name in RESERVED or name in names.values():
            name += "_"
        names[key] = name
    return names


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """A property's schema with a local `$ref` followed."""
    target: Any = schema
    while "$ref" in target:
        path = str(target["$ref"]).removeprefix("#/").split("/")
        target = root
        for step in path:
            target = target[step]
    return dict(target)


def _check(answer: Any, schema: dict[str, Any]) -> None:
    import jsonschema

    try:
        dates = jsonschema.FormatChecker(["date"])  # as a model's answer is held to them (`prompts.parse`)
        jsonschema.validate(answer, schema, format_checker=dates)
    except jsonschema.ValidationError as error:
        where = ".".join(map(str, error.absolute_path)) or "answer"
        raise Unreadable(f"{where}: {error.message} (in {json.dumps(answer, ensure_ascii=False)[:300]})") from None
