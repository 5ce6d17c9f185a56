"""Production logs as a source: every known shape gives the document and the answer; the rest is told, row by row."""

import csv
import json
import time

import pytest
from task_folders import make_task

from prompts.logs import logged_label
from prompts.sources import Counts, Taken, read_documents, stream_documents
from records.errors import InputError
from records.types import Outcome, Role

PATTERN = "(?s)Document:\n(.*)\n\nAnswer"
TEXT = "The landlord wants\nmore rent."
PROMPT = f"Sort this. Document:\n{TEXT}\n\nAnswer with one word."
SYSTEM = {"role": "system", "content": "You sort mail."}
SHOT = [{"role": "user", "content": "Document:\nPay now.\n\nAnswer"}, {"role": "assistant", "content": "debt"}]
MESSAGES = [SYSTEM, *SHOT, {"role": "user", "content": PROMPT}]
SAID = {"role": "assistant", "content": "lease"}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "finish_reason": "stop", "message": SAID}],
    "usage": {"prompt_tokens": 80, "completion_tokens": 1},
}
REQUEST = {"model": "gpt-4o-mini", "messages": MESSAGES, "temperature": 0}
LITELLM = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "api_key": "88dc28",
    "spend": 0.000012,
    "total_tokens": 81,
    "model": "gpt-4o-mini",
    "startTime": "2026-03-01T10:00:00Z",
    "messages": {},
    "response": COMPLETION,
    "proxy_server_request": REQUEST,
}
LANGFUSE = {
    "id": "o-1",
    "traceId": "t-1",
    "type": "GENERATION",
    "model": "gpt-4o-mini",
    "input": {"messages": MESSAGES},
    "output": SAID,
    "usageDetails": {"input": 80, "output": 1},
}
EXPORTED = {
    "id": "o-1",
    "trace_id": "t-1",
    "type": "GENERATION",
    "provided_model_name": "gpt-4o-mini",
    "input": json.dumps(MESSAGES),
    "output": "lease",
    "total_cost": 0.00001,
}
SHAPES = {
    "chat": {"id": "7", "model": "gpt-4o-mini", "messages": [*MESSAGES, SAID]},
    "pair": {"request": REQUEST, "response": COMPLETION},
    "pair of texts": {"request": json.dumps(REQUEST), "response": json.dumps(COMPLETION)},
    "batch": {"custom_id": "7", "body": REQUEST, "response": {"status_code": 200, "body": COMPLETION}},
    "stored completion": {**COMPLETION, "messages": MESSAGES},
    "stored completion with input": {**COMPLETION, "input": MESSAGES},
    "litellm": LITELLM,
    "litellm as text": {**LITELLM, "messages": json.dumps(MESSAGES), "response": json.dumps(COMPLETION)},
    "langfuse": LANGFUSE,
    "langfuse export": EXPORTED,
    "langfuse plain input": {**EXPORTED, "input": PROMPT, "output": json.dumps({"choices": COMPLETION["choices"]})},
    "parts": {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}, SAID],
    },
}


@pytest.fixture
def task(tmp_path):
    return make_task(tmp_path / "task", logs={"pattern": PATTERN, "answers_as_labels": True})


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def taken(source, task):
    return [found for found in stream_documents(source, task.name, logs=task.logs) if isinstance(found, Taken)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_known_shape_of_a_log_gives_its_document_and_its_answer(tmp_path, task, shape):
    [found] = taken(write(tmp_path / "log.jsonl", SHAPES[shape]), task)
    assert (found.document.text, found.logged.answer, found.logged.model) == (TEXT, "lease", "gpt-4o-mini")
    label = logged_label(task, found.document, found.logged)
    assert (label.value, label.outcome, label.confidence) == ("lease", Outcome.answered, None)
    assert (label.role, label.model, label.cost_usd) == (Role.teacher, "logged:gpt-4o-mini", 0.0)


def test_a_csv_and_a_json_export_are_read_alike(tmp_path, task):
    with (tmp_path / "log.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(EXPORTED))
        writer.writeheader()
        writer.writerow(EXPORTED)
    (tmp_path / "log.json").write_text(json.dumps({"object": "list", "data": [SHAPES["stored completion"]]}))
    for name, own in (("log.csv", "o-1"), ("log.json", "chatcmpl-1")):
        [found] = taken(str(tmp_path / name), task)
        assert (found.document.text, found.logged.answer, found.document.external_id) == (TEXT, "lease", own)


def test_the_last_message_with_the_pattern_is_asked_about_and_not_a_few_shot_example(tmp_path, task):
    follow_up = [*MESSAGES, SAID, {"role": "user", "content": "Are you sure?"}, {"role": "assistant", "content": "Yes"}]
    [found] = taken(write(tmp_path / "log.jsonl", {"messages": follow_up}), task)
    assert found.document.text == TEXT


def test_the_same_prompt_around_another_document_has_the_same_fingerprint(tmp_path, task):
    def one(text, system="You sort mail."):
        content = f"Document:\n{text}\n\nAnswer"
        return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": content}, SAID]}

    found = taken(write(tmp_path / "log.jsonl", one("A"), one("B"), one("C", "You sort letters.")), task)
    a, b, c = (one.logged.prompt for one in found)
    assert a == b != c


def test_what_cannot_be_used_is_told_row_by_row_and_the_rest_goes_on(tmp_path, task):
    source = write(
        tmp_path / "log.jsonl",
        {"messages": [{"role": "user", "content": "Hello"}]},
        {**LITELLM, "proxy_server_request": {}},
        COMPLETION,
        {**LITELLM, "messages": [{"role": "user", "content": "Document:\nab... (litellm_truncated skipped 9 chars"}]},
        {**LANGFUSE, "input": None},
        {**LANGFUSE, "type": "SPAN"},
        {**LITELLM, "call_type": "aembedding"},
        {"text": "A plain row."},
        SHAPES["chat"],
    )
    counts = Counts()
    found = list(stream_documents(source, task.name, logs=task.logs, counts=counts))
    reasons = [f.reason for f in found if not isinstance(f, Taken)]
    wanted = ["logs.pattern is in none", "store_prompts_in_spend_logs", "without its `messages`", "MAX_STRING_LENGTH"]
    assert all(want in reason for want, reason in zip([*wanted, "no input"], reasons, strict=True))
    assert [f.document.text for f in found if isinstance(f, Taken)] == ["A plain row.", TEXT]
    assert counts.left_out == {"Langfuse SPAN": 1, "LiteLLM aembedding": 1}


def test_only_the_answers_of_the_wanted_model_are_taken(tmp_path):
    task = make_task(tmp_path / "task", logs={"pattern": PATTERN, "model": "gpt-4o"})
    rows = [{"model": name, "messages": [*MESSAGES, SAID]} for name in ("gpt-4o", "gpt-4o-mini")]
    counts = Counts()
    found = list(stream_documents(write(tmp_path / "a.jsonl", *rows), "mail", logs=task.logs, counts=counts))
    assert [one.logged.model for one in found] == ["gpt-4o"] and counts.left_out == {"answers of gpt-4o-mini": 1}


def test_an_answer_that_is_no_answer_is_unreadable_and_a_cut_one_is_none(tmp_path, task):
    cut = {"finish_reason": "length", "message": SAID}
    rows = [
        {"messages": [{"role": "user", "content": f"Document:\n{n}\n\nAnswer"}], **answer}
        for n, answer in enumerate(
            ({"output": "I think it is a lease."}, {"response": {"choices": [cut]}}, {"output": {"content": None}}, {})
        )
    ]
    found = taken(write(tmp_path / "log.jsonl", *rows), task)
    labels = [logged_label(task, one.document, one.logged) for one in found]
    assert labels[0].outcome is Outcome.unreadable and "not a label" in labels[0].error
    assert labels[1:] == [None, None, None]


def test_a_pattern_that_backtracks_for_ever_is_stopped_and_told(tmp_path):
    task = make_task(tmp_path / "task", logs={"pattern": "((?:a|aa)+)b"})
    rows = [{"messages": [{"role": "user", "content": f"b{'a' * 60}{n}"}]} for n in range(25)]
    began = time.monotonic()
    [fault] = [
        f
        for f in stream_documents(write(tmp_path / "a.jsonl", *rows[:1], {"text": "x"}), "mail", logs=task.logs)
        if not isinstance(f, Taken)
    ]
    assert "takes more than 0.5 s" in fault.reason
    with pytest.raises(InputError, match="it backtracks"):
        read_documents(write(tmp_path / "a.jsonl", *rows), "mail", logs=task.logs)
    assert time.monotonic() - began < 120


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [("no group", "0 groups, wanted 1"), ("(a)(b)", "2 groups, wanted 1"), ("(a", "not a regular expression")],
)
def test_a_pattern_that_cannot_cut_one_document_out_is_refused(tmp_path, pattern, fault):
    with pytest.raises(InputError, match=rf"logs\.pattern: .*{fault}"):
        make_task(tmp_path / "task", logs={"pattern": pattern})


def test_a_log_without_a_section_for_logs_says_what_is_missing(tmp_path):
    source = write(tmp_path / "log.jsonl", {"model": "m", "messages": [*MESSAGES, SAID], "note": "x"})
    with pytest.raises(InputError, match="For production logs, give the task a section `logs`"):
        read_documents(source, "mail")
