"""Asking one model: scored or generated, one honest outcome each, retries that listen, keys that stay secret."""

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from task_folders import FIELDS, make_task

from prompts.ask import ask
from prompts.endpoint import base_endpoint, priced, student_endpoint, teacher_endpoint
from prompts.footing import footing
from prompts.litellm_door import close
from prompts.standin import Standin
from prompts.task import load_task
from records.errors import InputError, ServiceError
from records.types import Outcome

ROOT = Path(__file__).parents[1]
ANSWERS = ["lease", "debt", "data"]
_PARTY = {"name": {"type": "string", "maxLength": 20}, "role": {"enum": ["landlord", "tenant", None]}}
NESTED = {
    "type": "object",
    "properties": {
        "parties": {
            "type": "array",
            "maxItems": 2,
            "items": {"type": "object", "properties": _PARTY, "required": ["name", "role"]},
        },
        "since": {"type": ["string", "null"], "format": "date"},
        "share": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, {"type": "null"}]},
    },
    "required": ["parties", "since", "share"],
    "additionalProperties": False,
}


@pytest.fixture
def task(tmp_path):
    return make_task(tmp_path)


@pytest.fixture(autouse=True)
async def closed_afterwards():
    yield
    await close()


def endpoint_of(task, standin, **changes):
    return replace(teacher_endpoint(task, standin.url, {}), **changes)


async def test_a_label_is_scored_with_one_token_and_a_confidence(task):
    async with Standin(ANSWERS) as standin:
        reply = await ask(endpoint_of(task, standin), task, "He has my data", teaching=True)
        body = standin.bodies[-1]
    assert (reply.outcome, reply.value) == (Outcome.answered, "privacy")
    assert reply.confidence > 0.9
    assert reply.scores == {"lease": -3.0, "debt": -4.0, "privacy": -0.1}
    assert (body["max_tokens"], body["logprobs"], body["model"]) == (1, True, "tiny")
    assert reply.latency_s > 0 and reply.prompt_tokens > 0 and reply.cost_usd == 0


async def test_calibration_asks_documents_without_content_once(task):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin, calibrate=True)
        replies = [await ask(own, task, text, True) for text in ("lease it", "a debt", "lease two")]
        asked = [body["messages"][-1]["content"] for body in standin.bodies]
    words = sorted(" ".join(e.document for e in task.examples).split())
    assert len(asked) == 8 + 3
    assert all(set(text.split()) <= set(words) for text in asked[:8])
    assert replies[0].scores["lease"] == -0.1  # the raw score is kept


async def test_student_and_base_are_asked_without_teaching_turns(task):
    async with Standin(ANSWERS) as standin:
        for own in (student_endpoint(task, "student-1", standin.url), base_endpoint(task, standin.url)):
            assert (await ask(own, task, "rent a lease", teaching=False)).value == "lease"
        names = {body["model"] for body in standin.bodies}
        lengths = {len(body["messages"]) for body in standin.bodies}
    assert names == {"student-1", "smollm2-135m-instruct"}
    assert lengths == {2}


async def test_without_log_probabilities_the_answer_is_generated_and_held_to_the_labels(task):
    async with Standin(ANSWERS, logprobs=False) as standin:
        own = endpoint_of(task, standin, mode="auto")
        reply = await ask(own, task, "a debt", True)
        assert (reply.value, reply.confidence) == ("debt", None)
        assert standin.bodies[-1]["grammar"] == 'root ::= "lease" | "debt" | "data"'
        with pytest.raises(ServiceError, match="mode: generate"):
            await ask(replace(own, mode="score"), task, "a debt", True)


async def test_labels_with_one_first_token_are_refused_with_the_cure(tmp_path):
    labels = [{"name": "SearchWork"}, {"name": "SearchEvent"}]
    task = make_task(tmp_path, answer={"labels": labels}, examples=[])
    async with Standin(["Search"]) as standin:
        with pytest.raises(InputError, match=r"'Search' begins SearchWork, SearchEvent.*answer:"):
            await ask(endpoint_of(task, standin), task, "x", True)


async def test_the_servers_tokeniser_decides_the_first_token(tmp_path):
    labels = [{"name": "customer"}, {"name": "corporate"}]
    task = make_task(tmp_path, answer={"labels": labels}, examples=[])
    pieces = {"customer": ["customer"], "corporate": ["c", "orporate"]}
    async with Standin(["c", "customer"], tokenizer=pieces) as standin:
        reply = await ask(endpoint_of(task, standin), task, "civil code", True)
    assert reply.value == "corporate"


async def test_an_object_is_asked_by_schema_and_read_strictly(tmp_path):
    task = make_task(tmp_path, FIELDS)
    async with Standin(['{"party": "Anna"}']) as standin:
        reply = await ask(endpoint_of(task, standin), task, "Pay Anna", True)
        wanted = standin.bodies[-1]["response_format"]["json_schema"]["schema"]
    assert reply.value == {"party": "Anna"}
    assert wanted["required"] == ["party"]


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ("garbage", Outcome.unreadable, "not a label"),
        ("refusal", Outcome.refused, "cannot help"),
        ("content_filter", Outcome.refused, "content filter"),
        ("400", Outcome.failed, "injected 400"),
        ("500", Outcome.failed, "after 2 tries"),
        ("429", Outcome.failed, "after 2 tries"),
        ("reset", Outcome.failed, "after 2 tries"),
        ("slow", Outcome.failed, "no answer within 0.3 s"),
    ],
)
async def test_each_way_to_fail_is_an_outcome_of_its_own(task, fault, outcome, reason):
    async with Standin(ANSWERS, faults={fault: 1.0}) as standin:
        own = endpoint_of(task, standin, mode="generate", retries=1, timeout_s=0.3)
        reply = await ask(own, task, "a debt", True)
    assert (reply.outcome, reply.value) == (outcome, None)
    assert reason in reply.error


async def test_what_passes_is_tried_again_and_retry_after_is_heard(task):
    async with Standin(ANSWERS, faults={"429": 0.4, "503": 0.1}, retry_after_s=0.01) as standin:
        own = endpoint_of(task, standin, mode="generate", retries=8)
        replies = [await ask(own, task, f"debt number {n}", True) for n in range(12)]
    assert {r.outcome for r in replies} == {Outcome.answered}
    assert standin.faulted["429"] > 0
    assert max(r.latency_s for r in replies) < 1.0  # of the attempt that answered


async def test_a_wrong_key_is_one_clear_error_that_does_not_show_the_key(task):
    async with Standin(ANSWERS, key="right") as standin:
        with pytest.raises(ServiceError, match=r"Check the key that teacher\.api_key_env names") as caught:
            await ask(endpoint_of(task, standin, api_key="wr0ng-s3cret"), task, "x", True)
        assert (await ask(endpoint_of(task, standin, api_key="right"), task, "a debt", True)).value == "debt"
    assert "wr0ng-s3cret" not in str(caught.value)


async def test_a_dead_endpoint_is_said_to_be_unreachable(task):
    own = replace(teacher_endpoint(task, "http://127.0.0.1:9", {}), retries=0)
    reply = await ask(own, task, "x", True)
    assert (reply.outcome, reply.unreachable) == (Outcome.failed, True)


def test_a_key_that_is_named_but_not_set_is_refused(tmp_path):
    task = make_task(tmp_path, teacher={"api_key_env": "MAIL_KEY"})
    with pytest.raises(InputError, match="MAIL_KEY"):
        teacher_endpoint(task, "http://127.0.0.1:1", {})
    own = teacher_endpoint(task, "http://127.0.0.1:1", {"MAIL_KEY": "s3cret"})
    assert own.api_key == "s3cret"
    assert "s3cret" not in repr(own)


def test_prices_come_from_the_task_then_the_table_else_are_asked_for(tmp_path):
    def prices(**teacher):
        own = make_task(tmp_path, teacher={"api_base": None, **teacher})
        found = priced(teacher_endpoint(own, "http://127.0.0.1:1", {}))
        return found.input_price, found.output_price

    assert prices(model="openai/gpt-4o-mini") == (pytest.approx(0.15), pytest.approx(0.6))
    assert prices(model="openai/gpt-4o-mini", input_price=1.0) == (1.0, pytest.approx(0.6))
    assert prices(model="acme/unheard-of", input_price=0.0, output_price=0.0) == (0.0, 0.0)
    with pytest.raises(InputError, match=r"teacher\.input_price"):
        prices(model="acme/unheard-of")


@pytest.mark.real
async def test_the_packaged_model_scores_the_sample_tasks_labels(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serving.model_server", "--port", str(port), "--models", str(tmp_path)]
    task = load_task(ROOT / "prompts" / "legal_intake")
    own = replace(teacher_endpoint(task, f"http://127.0.0.1:{port}", {}), calibrate=False)
    facts = make_task(tmp_path / "facts", FIELDS, answer={"schema": NESTED}, examples=[], teacher={"repair": False})
    facts = facts.model_copy(update={"teacher": task.teacher.model_copy(update={"max_tokens": 200})})
    with subprocess.Popen([*command, "--slots", "1"], cwd=ROOT) as server:
        try:
            text = "Our landlord wants to raise the rent of the warehouse by a tenth."
            replies = [await ask(own, task, text, teaching=True) for _ in range(2)]
            found = await footing(own, task, teaching=True)
            held = await ask(replace(own, mode="generate"), task, text, teaching=True)
            fields = await ask(teacher_endpoint(facts, own.api_base, {}), facts, text, teaching=True)
        finally:
            server.terminate()
    assert replies[0].value == replies[1].value in task.labels
    assert set(found.first) == set(task.labels) and found.first["licence"] == "software"
    assert 1 / 12 < replies[0].confidence <= 1
    assert (held.outcome, held.confidence) == (Outcome.answered, None)  # the grammar holds it to the labels
    assert fields.outcome is Outcome.answered, fields.error  # and the schema an object: lists, null, a date, an enum
    assert set(fields.value) == set(NESTED["required"]) and len(fields.value["parties"]) <= 2
