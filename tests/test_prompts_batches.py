"""Batches over real HTTP: handed in, collected, never paid twice, whatever breaks in between. Both shapes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from task_folders import FIELDS, make_task

from prompts.batch_choice import shape
from prompts.batch_collect import collect
from prompts.batches import BatchSummary, hand_in
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.standin import Standin
from prompts.supply import Terms
from records import batches, ledger, library
from records.batches import BatchState
from records.claims import Bounds
from records.errors import InputError, ServiceError
from records.store import Store
from records.types import Outcome, Reason, Role

ANSWERS = ["lease", "debt", "data"]
ROOT = Path(__file__).parents[1]
MODELS = {"openai": "openai/tiny", "anthropic": "anthropic/claude-3-haiku-20240307"}


@pytest.fixture(params=["openai", "anthropic"])
def task(request, tmp_path):
    return make_task(tmp_path / "mail", teacher={"model": MODELS[request.param], "api_base": "http://127.0.0.1:9/v1"})


@pytest.fixture
def openai_task(tmp_path):
    return make_task(tmp_path / "mail", teacher={"api_base": "http://127.0.0.1:9/v1"})


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path / 'retort.db'}")
    yield opened
    opened.close()


def documents_of(count, first=0):
    numbers = range(first, first + count)
    return [library.document("mail", f"Letter {n} about a {ANSWERS[n % 3]}", source="test") for n in numbers]


def endpoint_of(task, url, **changes):
    prices = {"input_price": 2.0, "output_price": 10.0}
    base = url.removesuffix("/v1") if task.teacher.model.startswith("anthropic/") else url
    own = replace(teacher_endpoint(task, url, {}), api_base=base, mode="generate", timeout_s=10, retries=0)
    return replace(own, **{**prices, **changes})


async def submit(store, task, documents, endpoint, budget_usd=None):
    summary = BatchSummary()
    await hand_in(store, task, documents, endpoint, Role.teacher, summary, Terms(Bounds(task_usd=budget_usd)))
    return summary


async def poll(store, task, endpoint, settle_s=0.0):
    """One look at every batch that waits."""
    summary = BatchSummary()
    for batch in batches.batches(store, "mail"):
        await collect(store, batch, task, endpoint, summary, settle_s=settle_s)
    return summary


async def until_done(store, task, endpoint, looks=5):
    total = BatchSummary()
    for _ in range(looks):
        found = await poll(store, task, endpoint)
        total.outcomes += found.outcomes
        total.cost_usd += found.cost_usd
        total.reopened += found.reopened
        total.refused_batches += found.refused_batches
        if not batches.batches(store, "mail"):
            return total
    raise AssertionError("the batch is not done")


async def test_a_batch_is_handed_in_waits_and_is_collected_at_half_the_price(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        handed = await submit(store, task, documents_of(30), own)
        first = await poll(store, task, own)
        assert (handed.submitted, handed.batches, first.waiting, first.asked) == (30, 1, 30, 0)
        assert ledger.labels(store, "mail") == []
        done = await until_done(store, task, own)
        again = await poll(store, task, own)
    labels = ledger.labels(store, "mail", role=Role.teacher)
    assert (len(labels), done.outcomes[Outcome.answered], again.asked) == (30, 30, 0)
    assert {label.value for label in labels} == {"lease", "debt", "privacy"}
    tokens = (sum(x.prompt_tokens for x in labels), sum(x.completion_tokens for x in labels))
    assert tokens == (standin.prompt_tokens, standin.completion_tokens)
    half = 0.5 * (standin.prompt_tokens * 2e-6 + standin.completion_tokens * 1e-5)
    assert ledger.spent(store, "mail") == pytest.approx(half) == done.cost_usd
    assert all(x.latency_s == 0 and x.run for x in labels), "hours in a queue are no latency"
    assert set(standin.answered.values()) == {1}
    assert batches.waiting_usd(store, "mail") == 0


async def test_a_batch_answer_and_a_live_answer_of_a_document_have_one_key(task, store, tmp_path, litellm_closed):
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        await label_many(other, task, documents_of(9), own, Role.teacher)
        await submit(store, task, documents_of(9), own)
        await until_done(store, task, own)
    live, batched = ({x.key: x for x in ledger.labels(s, "mail")} for s in (other, store))
    other.close()
    assert live.keys() == batched.keys()
    for key, one in live.items():
        same = {"value", "confidence", "scores", "raw", "prompt_tokens", "completion_tokens", "prompt", "model"}
        assert one.model_dump(include=same) == batched[key].model_dump(include=same)


async def test_nothing_is_asked_twice_batch_after_live_and_live_after_batch(task, store, litellm_closed):
    documents = documents_of(30)
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        await label_many(store, task, documents[:10], own, Role.teacher)
        handed = await submit(store, task, documents[:20], own)
        assert (handed.known, handed.submitted) == (10, 10)
        assert (await submit(store, task, documents[:20], own)).submitted == 0, "it waits already"
        live = await label_many(store, task, documents, own, Role.teacher)
        assert live.asked == 10, "what waits in a batch is not asked live"
        await until_done(store, task, own)
        last = await label_many(store, task, documents, own, Role.teacher)
    assert last.asked == 0
    assert set(standin.answered.values()) == {1} and len(standin.answered) == 30


async def test_the_request_in_a_batch_is_worded_as_the_live_one(openai_task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(openai_task, standin.url, mode="score")
        documents = documents_of(1)
        await label_many(store, openai_task, documents, own, Role.teacher)
        [*_, live] = standin.bodies
        other = replace(own, max_tokens=own.max_tokens + 1)
        await submit(store, openai_task, documents, other)
        await until_done(store, openai_task, other)
    [batched] = standin.batches.bodies
    assert batched == live
    assert (batched["logprobs"], batched["top_logprobs"], batched["max_tokens"]) == (True, 20, 1)
    first, second = ledger.labels(store, "mail")
    assert first.confidence == second.confidence != None and first.scores == second.scores  # noqa: E711


async def test_json_is_held_to_its_schema_in_both_shapes(tmp_path, store, litellm_closed):
    said = '{"amount": 5, "party": "Anna"}'
    for model in MODELS.values():
        name = {"name": "mail", "teacher": {"model": model, "api_base": "http://127.0.0.1:9/v1"}}
        task = make_task(tmp_path / model.partition("/")[0], FIELDS, **name)
        async with Standin([said]) as standin:
            own = endpoint_of(task, standin.url)
            await submit(store, task, documents_of(2), own)
            await until_done(store, task, own)
        assert "amount" in json.dumps(standin.batches.bodies[0]), "the schema goes with the request"
    labels = ledger.labels(store, "mail")
    assert [x.value for x in labels] == 4 * [{"amount": 5, "party": "Anna"}]


async def test_what_expired_or_failed_is_open_again_and_paid_once(task, store, litellm_closed):
    documents = documents_of(40)
    async with Standin(ANSWERS) as standin:
        standin.batches.faults = {"expired": 0.25, "missing": 0.1, "500": 0.1, "400": 0.1}
        own = endpoint_of(task, standin.url)
        await submit(store, task, documents, own)
        first = await until_done(store, task, own)
        failed = first.outcomes[Outcome.failed]
        assert len(first.reopened) > 5 and failed > 0 and first.outcomes[Outcome.answered] > 10
        assert len(first.reopened) + first.outcomes.total() == 40
        kept = {x.outcome: x.reason for x in ledger.labels(store, "mail")}
        assert kept[Outcome.failed] in (Reason.server_error, Reason.bad_request)
        standin.batches.faults = {}
        second = await submit(store, task, documents[:30], own)
        live = await label_many(store, task, documents[30:], own, Role.teacher)
        assert second.submitted + live.asked == len(first.reopened) + failed
        await until_done(store, task, own)
    assert len(ledger.labels(store, "mail")) == 40
    assert set(standin.answered.values()) == {1}
    spent = 0.5 * (standin.prompt_tokens * 2e-6 + standin.completion_tokens * 1e-5)
    assert ledger.spent(store, "mail") == pytest.approx(spent + 0.5 * live.cost_usd)


async def test_odd_answers_are_outcomes_as_they_are_live(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        standin.batches.faults = {"garbage": 0.3, "refusal": 0.3, "content_filter": 0.2}
        own = endpoint_of(task, standin.url)
        await submit(store, task, documents_of(30), own)
        done = await until_done(store, task, own)
    assert done.outcomes[Outcome.unreadable] > 3 and done.outcomes[Outcome.refused] > 5
    assert done.outcomes.total() == 30


async def test_a_batch_that_is_refused_as_a_whole_is_one_error_and_its_documents_are_open(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        standin.batches.refuse = ["429", "invalid"]
        own = endpoint_of(task, standin.url)
        with pytest.raises(ServiceError, match=r"refused a batch of 6 documents: .*(injected 429|not valid)"):
            await submit(store, task, documents_of(6), own)
        assert batches.waiting_usd(store, "mail") == 0 and not batches.batches(store, "mail")
        if shape(own) == "openai":
            await submit(store, task, documents_of(6), own)
            done = await until_done(store, task, own)
            assert done.refused_batches == ["6 documents: line 1 is not valid (line 1)"]
        standin.batches.refuse = []
        assert (await submit(store, task, documents_of(6), own)).submitted == 6
    assert [b.state for b in batches.batches(store, "mail", list(BatchState))][-1] is BatchState.waiting


async def test_a_lost_answer_leaves_a_batch_that_is_found_again(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        await submit(store, task, documents_of(5, first=100), own)
        standin.batches.refuse = ["lost answer"]
        with pytest.raises(ServiceError, match=r"connection broke while 7 documents .* next run"):
            await submit(store, task, documents_of(7), own)
        assert (await submit(store, task, documents_of(7), own)).submitted == 0, "they may be there"
        assert len(standin.batches.batches) == 2
        await until_done(store, task, own, looks=8)
    assert len(ledger.labels(store, "mail")) == 12
    assert set(standin.answered.values()) == {1}


async def test_another_batch_of_the_same_size_is_not_taken_for_ours(tmp_path, task, store, litellm_closed):
    stranger = Store.open(f"sqlite:///{tmp_path / 'stranger.db'}")
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        standin.batches.refuse = ["lost answer"]
        with pytest.raises(ServiceError, match="connection broke"):
            await submit(store, task, documents_of(7), own)
        await submit(stranger, task, documents_of(7, first=50), own)
        await until_done(stranger, task, own)
        await until_done(store, task, own, looks=8)
    assert len(ledger.labels(store, "mail")) == len(ledger.labels(stranger, "mail")) == 7
    stranger.close()


async def test_what_never_reached_the_provider_is_open_again_once_that_is_sure(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        standin.batches.refuse = ["503"]
        with pytest.raises(ServiceError, match="connection broke"):
            await submit(store, task, documents_of(4), own)
        soon = await poll(store, task, own, settle_s=60)
        assert (soon.unsure, soon.waiting, soon.reopened) == (4, 4, []), "a list may be late"
        later = await poll(store, task, own)
        assert (later.unsure, later.waiting, len(later.reopened)) == (0, 0, 4)
        assert (await submit(store, task, documents_of(4), own)).submitted == 4


async def test_documents_are_read_by_the_hundred_and_none_is_forgotten(openai_task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        handed = await submit(store, openai_task, iter(documents_of(1_203)), endpoint_of(openai_task, standin.url))
    assert (handed.seen, handed.submitted, handed.left) == (1_203, 1_203, 0)


async def test_what_is_more_than_a_batch_may_hold_goes_into_several(task, store, monkeypatch, litellm_closed):
    from prompts import batch_anthropic, batch_openai

    for provider in (batch_anthropic.AnthropicBatches, batch_openai.OpenAIBatches):
        monkeypatch.setattr(provider, "most_requests", 8)
        monkeypatch.setattr(provider, "most_bytes", 4_000)
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        handed = await submit(store, task, documents_of(20), own)
        sizes = [made.counts["total"] for made in standin.batches.batches.values()]
        assert handed.batches == len(sizes) > 2 and max(sizes) <= 8 and sum(sizes) == 20
        await until_done(store, task, own)
    assert len(ledger.labels(store, "mail")) == 20


async def test_the_budget_stops_before_what_waits_could_exceed_it(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        budget = 0.002
        first = await submit(store, task, documents_of(100), own, budget_usd=budget)
        assert 2 < first.submitted < 98 and first.stopped == "budget of $0.002 used up"
        assert budget * 0.5 < batches.waiting_usd(store, "mail") <= budget
        assert (await submit(store, task, documents_of(100), own, budget_usd=budget)).submitted == 0
        live = await label_many(store, task, documents_of(100), own, Role.teacher, terms=Terms(Bounds(task_usd=budget)))
        assert live.asked == 0 and live.stopped, "what waits in a batch counts for a live run too"
        await until_done(store, task, own)
        more = await submit(store, task, documents_of(100), own, budget_usd=budget)
    assert more.submitted > 0, "the answers were cheaper than the worst case"
    assert ledger.spent(store, "mail") <= budget


async def test_prices_are_those_of_the_submission(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        await submit(store, task, documents_of(3), own)
        await until_done(store, task, replace(own, input_price=1000.0, output_price=1000.0))
    assert ledger.spent(store, "mail") == pytest.approx(
        0.5 * (standin.prompt_tokens * 2e-6 + standin.completion_tokens * 1e-5)
    )


async def test_results_are_downloaded_once_and_no_document_stays_at_the_provider(openai_task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        standin.batches.faults = {"500": 0.3}
        own = endpoint_of(openai_task, standin.url)
        await submit(store, openai_task, documents_of(20), own)
        await until_done(store, openai_task, own)
        await asyncio.sleep(0.3)
        assert set(standin.batches.downloads.values()) == {1}, "LiteLLM would add up costs from a download of its own"
        assert len(standin.batches.downloads) == 2 and standin.batches.files == {}


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ({"api_base": "local"}, "Retort's own model server has no batch API"),
        ({"model": "hosted_vllm/tiny", "api_base": "http://127.0.0.1:9/v1"}, "a vLLM server has no batch API"),
        ({"model": "gemini/gemini-2.5-flash", "api_base": None}, "gemini has no batch API"),
    ],
)
async def test_a_teacher_without_a_batch_api_is_one_sentence(tmp_path, store, teacher, said):
    task = make_task(tmp_path / "mail", teacher=teacher)
    with pytest.raises(InputError, match=f"{said} that Retort knows .* Label without --batch"):
        await submit(store, task, documents_of(1), teacher_endpoint(task, "http://127.0.0.1:9/v1", {}))


async def test_an_address_without_batch_routes_is_one_sentence(task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url + "/elsewhere")
        with pytest.raises(InputError, match=r"/elsewhere has no batch API \(HTTP 404\). Label without --batch"):
            await submit(store, task, documents_of(2), own)
    assert not batches.batches(store, "mail") and batches.waiting_usd(store, "mail") == 0


# --- kill -9

_CHILD = """
import asyncio, sys
from pathlib import Path
from dataclasses import replace
sys.path.insert(0, "tests")
from test_prompts_batches import documents_of, endpoint_of, poll, submit
from prompts.task import load_task
from records.store import Store

folder, database, url, work = sys.argv[1:]
task, store = load_task(Path(folder)), Store.open(database)
print("ready", flush=True)
asyncio.run(submit(store, task, documents_of(400), endpoint_of(task, url)) if work == "submit"
            else poll(store, task, endpoint_of(task, url)))
print("done", flush=True)
"""


async def killed(standin, task, tmp_path, work, when):
    """Run the work in a process of its own and kill -9 it when `when()` is true; whether it had finished before."""
    database = f"sqlite:///{tmp_path / 'retort.db'}"
    command = [sys.executable, "-c", _CHILD, str(task.folder), database, standin.url, work]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        while child.poll() is None and not when():
            await asyncio.sleep(0.001)
        finished = child.poll() is not None
        os.kill(child.pid, signal.SIGKILL) if not finished else None
    finally:
        out, _ = await asyncio.to_thread(child.communicate)
    assert finished == (b"done" in out)
    return finished


async def test_a_kill_between_the_making_of_a_batch_and_the_noting_of_it_asks_nothing_twice(
    task, store, tmp_path, litellm_closed
):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        assert not await killed(standin, task, tmp_path, "submit", lambda: bool(standin.batches.batches))
        [batch] = batches.batches(store, "mail")
        assert (batch.state, batch.provider_id) == (BatchState.submitting, None)
        assert (await submit(store, task, documents_of(400), own)).submitted == 0
        await until_done(store, task, own, looks=8)
    assert len(ledger.labels(store, "mail")) == 400
    assert set(standin.answered.values()) == {1}


async def test_a_kill_before_the_batch_is_made_opens_its_documents_again(openai_task, store, tmp_path, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(openai_task, standin.url)
        standin.batches.refuse = ["never"]
        noted = lambda: any(batch.files for batch in batches.batches(store, "mail"))  # noqa: E731
        assert not await killed(standin, openai_task, tmp_path, "submit", noted)
        standin.batches.refuse.clear()  # it may have died before it asked for the batch
        assert len((await poll(store, openai_task, own)).reopened) == 400
        assert standin.batches.files == {}, "the file that nobody needs is deleted there"
        await submit(store, openai_task, documents_of(400), own)
        await until_done(store, openai_task, own)
    assert set(standin.answered.values()) == {1} and len(standin.answered) == 400


async def test_a_kill_while_collecting_loses_and_repeats_nothing(task, store, tmp_path, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin.url)
        standin.batches.steps = 0
        await submit(store, task, documents_of(400), own)
        some = lambda: len(ledger.labels(store, "mail")) > 0  # noqa: E731
        assert not await killed(standin, task, tmp_path, "poll", some)
        kept = {x.key: x.created_at for x in ledger.labels(store, "mail")}
        assert 0 < len(kept) < 400
        await until_done(store, task, own)
    labels = ledger.labels(store, "mail")
    assert len(labels) == 400 and all(kept.get(x.key, x.created_at) == x.created_at for x in labels)
    half = 0.5 * (standin.prompt_tokens * 2e-6 + standin.completion_tokens * 1e-5)
    assert ledger.spent(store, "mail") == pytest.approx(half)


async def test_a_batch_that_another_process_is_handing_in_is_left_to_it(openai_task, store, litellm_closed):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(openai_task, standin.url)
        await submit(store, openai_task, documents_of(3), own)
        [batch] = batches.batches(store, "mail")
        child = await asyncio.create_subprocess_exec("sleep", "60")
        owner = f"{batches.process_name().partition('/')[0]}/{child.pid}/word"
        batches.save(store, batch.model_copy(update={"state": BatchState.submitting, "owner": owner}))
        assert (await poll(store, openai_task, own)).unsure == 3
        child.kill()
        await child.wait()
        assert (await poll(store, openai_task, own)).unsure == 0


async def test_what_is_masked_live_is_masked_in_a_batch_and_restored_in_its_answer(tmp_path, store, litellm_closed):
    rules = [{"name": "PERSON", "pattern": "Anna"}]
    for model in MODELS.values():
        teacher = {"model": model, "api_base": "http://127.0.0.1:9/v1"}
        task = make_task(tmp_path / model.partition("/")[0], FIELDS, name="mail", teacher=teacher, redact=rules)
        document = library.document("mail", f"Anna owes 5, says {model}.", source="test")
        library.add(store, [document])
        async with Standin(['{"party": "[PERSON_1]"}']) as standin:
            own = endpoint_of(task, standin.url, masks="rules")
            await submit(store, task, [document], own)
            await until_done(store, task, own)
            assert "Anna" not in json.dumps(standin.batches.bodies) and "[PERSON_1] owes 5" in str(
                standin.batches.bodies
            )
    assert [label.value for label in ledger.labels(store, "mail")] == 2 * [{"party": "Anna"}]
