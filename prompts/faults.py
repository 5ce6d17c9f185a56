"""What is wrong with a task file, each fault as one line: path, value, what was wanted, and the cure.

A person who writes a task should need one run, not ten, to learn of ten faults. So shapes (pydantic) and sense (the
checks below) are both looked at in one pass, and the checks of sense work on the raw data, shape faults or not.
"""

import difflib
import re
from collections import Counter
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prompts.definition import TaskFile
from prompts.label_changes import past_faults
from prompts.review_rules import majority_faults
from records.hosts import is_host

_SHOWN = 60


def shape_faults(error: ValidationError) -> list[str]:
    """One line per pydantic error."""
    return [_line(detail) for detail in error.errors(include_url=False)]


def sense_faults(data: dict[str, Any]) -> list[str]:
    """What no single field shows: labels that collide, examples that do not fit, modes that cannot be."""
    faults = [*_privacy_faults(data), *_retrieval_faults(data), *_document_faults(data), *_logs_faults(data)]
    faults += _gate_faults(data) + majority_faults(data)
    answer = data.get("answer")
    if not isinstance(answer, dict):
        return faults
    if answer.get("kind") == "choice":
        return _choice_faults(answer, data) + _sample_faults(data) + faults
    return (_json_faults(answer, data) if answer.get("kind") == "json" else []) + faults


def _gate_faults(data: dict[str, Any]) -> list[str]:
    """Fields that are to be compared and that no answer has."""
    gate, answer = data.get("gate"), data.get("answer")
    fields = gate.get("fields") if isinstance(gate, dict) else None
    if not isinstance(fields, dict) or not fields or not isinstance(answer, dict):
        return []
    if answer.get("kind") == "choice":
        return ["gate.fields: a choice has no fields; remove it"]
    schema = answer.get("schema")
    known = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(known, dict):
        return []
    return [
        f"gate.fields.{name}: the schema has no such property; it has {', '.join(map(str, known)) or 'none'}"
        for name in fields
        if name not in known
    ]


def _line(detail: ErrorDetails) -> str:
    path = _path(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{path}: unknown key{_did_you_mean(detail['loc'])}; remove or rename it"
    if detail["type"] == "missing":
        return f"{path}: missing; add it"
    value = _show(detail["input"])
    hint = "; quote it" if detail["type"] == "string_type" and not isinstance(detail["input"], list | dict) else ""
    return f"{path}: {value}: {detail['msg'][0].lower()}{detail['msg'][1:]}{hint}"


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        if part in ("choice", "json") and path == "answer":
            continue  # the discriminator's tag, which is not written in the file
        if part in ("plain", "column") and re.fullmatch(r"document\.keep\[\d+\]", path):
            continue  # the same
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _did_you_mean(loc: tuple[int | str, ...]) -> str:
    model: Any = TaskFile
    for part in loc[:-1]:
        field = model.model_fields.get(str(part)) if isinstance(model, type) and issubclass(model, BaseModel) else None
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        found = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        model = found[0] if found else model
    close = difflib.get_close_matches(str(loc[-1]), list(model.model_fields), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _choice_faults(answer: dict[str, Any], data: dict[str, Any]) -> list[str]:
    raw = answer.get("labels")
    labels = [x for x in raw if isinstance(x, dict)] if isinstance(raw, list) else []
    named = [x for x in labels if isinstance(x.get("name"), str)]
    names = [x["name"] for x in named]
    said = [str(x.get("answer") or x["name"]) for x in named]
    faults = [f"answer.labels: the name {n!r} is given {k} times; keep one" for n, k in Counter(names).items() if k > 1]
    faults += [
        f"answer.labels: {k} labels are answered with {a!r}; give each its own `answer:`"
        for a, k in Counter(said).items()
        if k > 1 and names.count(a) <= 1
    ]
    faults += [f for a in sorted(set(said)) for f in _prefix_faults(a, said, data)]
    faults += past_faults([x for x in named if isinstance(x.get("was"), list)], names)
    return faults + _example_faults(data, names)


def _prefix_faults(answer: str, said: list[str], data: dict[str, Any]) -> list[str]:
    teacher = data.get("teacher")
    if not isinstance(teacher, dict) or teacher.get("mode") != "score":
        return []
    longer = [other for other in said if other != answer and other.startswith(answer)]
    cure = "give them `answer:` codes such as A, B, C, or set teacher.mode: generate"
    return [f"answer.labels: {answer!r} begins {other!r}, so they cannot be scored apart; {cure}" for other in longer]


def _sample_faults(data: dict[str, Any]) -> list[str]:
    """Samples that would never be taken: labels that are scored are asked for once."""
    teacher = data.get("teacher")
    if not isinstance(teacher, dict) or teacher.get("samples", 1) == 1:
        return []
    mode = teacher.get("mode", "auto")
    if mode == "generate" or (mode == "auto" and teacher.get("api_base") != "local"):
        return []
    where = "mode: score" if mode == "score" else "api_base: local"
    cure = "remove `samples`, or set teacher.mode: generate"
    return [f"teacher.samples: {_show(teacher['samples'])}: with {where} labels are scored in one call; {cure}"]


def _example_faults(data: dict[str, Any], names: list[str]) -> list[str]:
    faults = []
    for n, example in enumerate(_examples(data)):
        value = example.get("answer")
        if isinstance(value, bool | int | float) or value not in names:
            close = difflib.get_close_matches(str(value), names, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else f"; labels are {', '.join(names)}"
            faults.append(f"examples[{n}].answer: {_show(value)}: not a label{hint}")
    return faults


def _json_faults(answer: dict[str, Any], data: dict[str, Any]) -> list[str]:
    from jsonschema import Draft202012Validator, FormatChecker, SchemaError

    schema = answer.get("schema")
    faults = []
    if isinstance(data.get("teacher"), dict) and data["teacher"].get("mode") == "score":
        faults.append("teacher.mode: 'score': only labels can be scored; use auto or generate for json")
    if not isinstance(schema, dict):
        return faults
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as fault:
        return [
            *faults,
            f"answer.schema.{'.'.join(map(str, fault.path))}: {fault.message}; correct the schema",
        ]
    if schema.get("type") != "object":
        faults.append(f"answer.schema.type: {schema.get('type')!r}: wanted 'object'; wrap the value in an object")
    if "$ref" in str(schema):
        faults.append("answer.schema: `$ref` is not followed; write the sub-schema out")
        return faults
    for n, example in enumerate(_examples(data)):
        held = Draft202012Validator(schema, format_checker=FormatChecker(["date"]))
        for misfit in held.iter_errors(example.get("answer")):
            faults.append(f"examples[{n}].answer.{'.'.join(map(str, misfit.path))}: {misfit.message[:200]}")
    return faults


def _document_faults(data: dict[str, Any]) -> list[str]:
    rules, answer = data.get("document"), data.get("answer")
    if not isinstance(rules, dict):
        return []
    kept = Counter(x.get("name") if isinstance(x, dict) else x for x in _listed(rules.get("keep")) if _is_column(x))
    faults = [f"document.keep: {name!r} is given {n} times; keep one" for name, n in kept.items() if n > 1]
    if rules.get("max_tokens") is not None and "max_characters" in rules:
        faults.append("document: max_tokens takes the place of max_characters; keep one of them")
    if rules.get("max_tokens") is None and "keep_tail" in rules:
        faults.append("document.keep_tail: there is no document.max_tokens, of which it is a share; give both or none")
    if rules.get("label_near_duplicates_once") and isinstance(answer, dict) and answer.get("kind") == "json":
        faults.append("document.label_near_duplicates_once: near-duplicates differ in what is extracted; choices only")
    return faults


def _is_column(given: Any) -> bool:
    return isinstance(given.get("name") if isinstance(given, dict) else given, str)


def _logs_faults(data: dict[str, Any]) -> list[str]:
    import regex

    logs = data.get("logs")
    if not isinstance(logs, dict) or not isinstance(logs.get("pattern"), str):
        return []
    try:
        groups = regex.compile(logs["pattern"]).groups
    except regex.error as fault:
        return [f"logs.pattern: {_show(logs['pattern'])}: not a regular expression: {fault}"]
    cure = "put the document, and nothing else, into one (...); others are (?:...)"
    return [] if groups == 1 else [f"logs.pattern: {_show(logs['pattern'])}: {groups} groups, wanted 1; {cure}"]


def _examples(data: dict[str, Any]) -> list[dict[str, Any]]:
    raw = data.get("examples")
    return [x if isinstance(x, dict) else {} for x in raw] if isinstance(raw, list) else []


def _privacy_faults(data: dict[str, Any]) -> list[str]:
    """Hosts that are none, patterns that cannot be run."""
    from prompts.redaction import pattern_fault

    hosts, rules = _listed(data.get("allowed_hosts")), _listed(data.get("redact"))
    faults = [
        f"allowed_hosts[{n}]: {_show(host)}: not a host; give a name or an IP address, without scheme, port or wildcard"
        for n, host in enumerate(hosts)
        if isinstance(host, str) and not is_host(host)
    ]
    patterns = [(n, rule["pattern"]) for n, rule in enumerate(rules) if isinstance(rule, dict) and "pattern" in rule]
    wrong = [(n, given, pattern_fault(given)) for n, given in patterns if isinstance(given, str) and given]
    return faults + [
        f"redact[{n}].pattern: {_show(given)}: {fault}; correct the regular expression"
        for n, given, fault in wrong
        if fault
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _retrieval_faults(data: dict[str, Any]) -> list[str]:
    rules, teacher = data.get("retrieval"), data.get("teacher")
    if not isinstance(rules, dict):
        return []
    faults = []
    if rules.get("by", "tfidf") == "tfidf":
        lost = [key for key in ("api_base", "api_key_env", "price") if key in rules]
        faults += [f"retrieval.{key}: tfidf asks no model; remove it, or name a model in retrieval.by" for key in lost]
    if isinstance(teacher, dict) and teacher.get("calibrate") is True:
        cure = "set one of the two aside"
        faults.append(f"teacher.calibrate: each document has another prompt with retrieval, calibrated is one; {cure}")
    return faults
