"""One call: each way to fail has a word of its own, waiting is told, tokens are kept, and the fast way is LiteLLM's."""

import asyncio
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest
from task_folders import FIELDS, make_task

from prompts.ask import ask, generate_options
from prompts.call import CallFailed, call
from prompts.endpoint import teacher_endpoint
from prompts.failures import wait_s
from prompts.footing import score_options
from prompts.litellm_door import close, vendor
from prompts.render import render
from prompts.standin import Standin
from records.errors import ServiceError
from records.types import Outcome, Reason

ANSWERS = ["lease", "debt", "data"]
BY_LITELLM = "lm_studio/tiny"
"""A provider that is asked by `litellm.acompletion`; `openai/` at an own address is asked directly."""


@pytest.fixture
def task(tmp_path):
    return make_task(tmp_path)


@pytest.fixture(autouse=True)
async def closed_afterwards():
    yield
    await close()


def endpoint_of(task, standin, model="openai/tiny", **changes):
    own = replace(teacher_endpoint(task, standin.url, {}), mode="generate", retries=1, timeout_s=5.0)
    return replace(own, model=model, **changes)


FAULTS = {
    "429": (Outcome.failed, Reason.rate_limited),
    "500": (Outcome.failed, Reason.server_error),
    "503": (Outcome.failed, Reason.server_error),
    "529": (Outcome.failed, Reason.server_error),
    "400": (Outcome.failed, Reason.bad_request),
    "reset": (Outcome.failed, Reason.reset),
    "slow": (Outcome.failed, Reason.timeout),
    "truncated": (Outcome.failed, Reason.truncated),
    "not_protocol": (Outcome.failed, Reason.not_protocol),
    "refusal": (Outcome.refused, Reason.refusal),
    "content_filter": (Outcome.refused, Reason.content_filter),
    "empty": (Outcome.unreadable, Reason.empty),
    "cut": (Outcome.unreadable, Reason.cut),
    "garbage": (Outcome.unreadable, Reason.not_a_label),
}


@pytest.mark.parametrize("model", ["openai/tiny", BY_LITELLM])
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_has_an_outcome_and_a_reason_whichever_way_it_came(task, fault, model):
    async with Standin(ANSWERS, faults={fault: 1.0}, retry_after_s=0.01) as standin:
        own = endpoint_of(task, standin, model, timeout_s=0.4 if fault == "slow" else 5.0)
        reply = await ask(own, task, "a debt", True)
    assert (reply.outcome, reply.reason, reply.value) == (*FAULTS[fault], None), reply.error
    assert reply.error, reply.error


@pytest.mark.parametrize(("fault", "reason"), [("not_json", Reason.not_json), (None, Reason.not_schema)])
async def test_an_object_that_cannot_be_read_says_whether_its_form_or_its_fields_are_wrong(tmp_path, fault, reason):
    task = make_task(tmp_path, FIELDS)
    async with Standin(['{"amount": 5}'], faults={fault: 1.0} if fault else {}) as standin:
        reply = await ask(endpoint_of(task, standin), task, "Pay Anna", True)
    assert (reply.outcome, reply.reason) == (Outcome.unreadable, reason)


async def test_scores_that_decide_nothing_are_a_reason_too(task):
    async with Standin(["rent", "money"]) as standin:  # no label begins so
        reply = await ask(endpoint_of(task, standin, mode="score"), task, "rent", True)
    assert (reply.outcome, reply.reason) == (Outcome.unreadable, Reason.undecided)


@pytest.mark.parametrize("model", ["openai/tiny", BY_LITELLM])
async def test_nobody_there_is_unreachable(task, model):
    own = replace(teacher_endpoint(task, "http://127.0.0.1:9", {}), retries=0, mode="generate", model=model)
    with pytest.raises(CallFailed) as caught:
        await call(own, render(task, "x"), {})
    assert (caught.value.reason, caught.value.unreachable) == (Reason.unreachable, True)


@pytest.mark.parametrize("status", ["401", "402", "403", "404"])
async def test_what_no_document_can_pass_is_one_error_with_the_cure(task, status):
    async with Standin(ANSWERS, faults={status: 1.0}) as standin:
        with pytest.raises(ServiceError, match=r"Check|top it up"):
            await call(endpoint_of(task, standin), render(task, "x"), {})
    assert standin.requests == 1


@pytest.mark.parametrize("fault", ["garbage", "empty", "cut", "refusal", "content_filter"])
async def test_an_answer_that_is_none_was_paid_for_all_the_same(task, fault):
    async with Standin(ANSWERS, faults={fault: 1.0}) as standin:
        own = endpoint_of(task, standin, input_price=2.0, output_price=8.0)
        reply = await ask(own, task, "a debt", True)
    assert (reply.prompt_tokens, reply.completion_tokens) == (standin.prompt_tokens, standin.completion_tokens)
    assert reply.cost_usd == pytest.approx(own.cost(standin.prompt_tokens, standin.completion_tokens))
    assert reply.cost_usd > 0


async def test_the_stand_in_counts_apart_what_was_billed_and_did_not_arrive(task):
    async with Standin(ANSWERS, faults={"truncated": 1.0}) as standin:
        await ask(endpoint_of(task, standin), task, "a debt", True)
        standin.faults, standin.latency_s = {}, 0.3
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(endpoint_of(task, standin), task, "a lease", True)
        await asyncio.sleep(0.5)
        lost = standin.counts
        standin.latency_s = 0.0
        reply = await ask(endpoint_of(task, standin), task, "my data", True)
    assert lost["undelivered"] == lost["undelivered_completion_tokens"] == 3
    assert lost["undelivered_prompt_tokens"] > 0
    assert lost["prompt_tokens"] == lost["completion_tokens"] == 0
    assert standin.counts["prompt_tokens"] == reply.prompt_tokens


@pytest.mark.parametrize(
    ("fault", "told"), [("429", True), ("503", True), ("529", True), ("slow", True), ("500", False), ("reset", False)]
)
async def test_the_caller_hears_of_each_pushback_as_it_happens(task, fault, told):
    waits = []
    async with Standin(ANSWERS, faults={fault: 1.0}, retry_after_s=0.02) as standin:
        own = endpoint_of(task, standin, timeout_s=0.3 if fault == "slow" else 5.0)
        await ask(own, task, "a debt", True, on_pushback=waits.append)
    assert len(waits) == (2 if told else 0)
    if fault in ("429", "503"):
        assert waits == [0.02, 0.02]


def test_retry_after_is_read_in_all_of_its_forms():
    def wait(headers):
        fault = Exception("busy")
        fault.litellm_response_headers = headers
        return wait_s(fault, 0)

    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert wait({"retry-after": "7"}) == 7
    assert wait({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert 15 < wait({"retry-after": soon}) <= 20
    assert wait({"retry-after": "86400"}) == 60
    for nothing in ({}, {"retry-after": "later"}):  # drawn evenly from nothing to half a second
        drawn = [wait(nothing) for _ in range(200)]
        assert 0 <= min(drawn) < 0.1 and 0.4 < max(drawn) <= 0.5


@pytest.mark.parametrize("model", ["openai/tiny", BY_LITELLM])
async def test_a_key_that_the_server_repeats_is_in_no_message_and_no_traceback(task, model):
    wrong = uuid4().hex
    async with Standin(ANSWERS, key="right") as standin:
        with pytest.raises(ServiceError) as caught:
            await call(endpoint_of(task, standin, model, api_key=wrong), render(task, "x"), {})
    assert "***" in str(caught.value)
    assert wrong not in "".join(traceback.format_exception(caught.value))


async def test_what_is_sent_directly_is_what_litellm_sends(tmp_path):
    tasks = [make_task(tmp_path / "mail"), make_task(tmp_path / "fields", FIELDS)]
    async with Standin(ANSWERS) as standin:
        for task in tasks:
            for dialect in ("llama.cpp", "vllm", "hosted"):
                own = endpoint_of(task, standin, dialect=dialect)
                for options in (score_options(own), generate_options(own, task)):
                    messages = render(task, "a debt", True)
                    direct = await call(own, messages, options)
                    theirs = await vendor().acompletion(
                        model=own.wire_model, messages=messages, api_base=own.api_base, api_key="none",
                        temperature=0, max_retries=0, **options,
                    )  # fmt: skip
                    assert direct.text == theirs.choices[0].message.content
                    assert standin.bodies[-1] == standin.bodies[-2]
    assert standin.requests == 24


async def test_512_calls_are_in_flight_at_once(task):
    async with Standin(ANSWERS, latency_s=300.0) as standin:
        own = endpoint_of(task, standin, timeout_s=300.0)
        calls = [asyncio.create_task(call(own, render(task, f"debt {n}"), {})) for n in range(512)]
        async with asyncio.timeout(120):
            while standin.in_flight < 512:
                await asyncio.sleep(0.1)
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert standin.most_in_flight == 512
