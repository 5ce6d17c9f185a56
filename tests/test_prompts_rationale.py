"""The teacher is asked why: once, charged, within the budget, masked, and never instead of an answer."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_flows import ANSWERS
from task_folders import CHOICE, FIELDS, make_task
from test_prompts_scale import Server

from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.estimate import rationale_cost
from prompts.explaining import explain_many
from prompts.fingerprint import answer_key
from prompts.litellm_door import close
from prompts.rationale import QUESTION, is_rationale, key_of, most_tokens, rationale_messages
from prompts.render import prompt_fingerprint
from prompts.standin import Standin
from prompts.supply import Terms
from records import claims, ledger, library, rationales, runs
from records.claims import Bounds
from records.store import Store
from records.types import Role

ROOT = Path(__file__).resolve().parents[1]
ASKER = """
import asyncio, os, sys
from pathlib import Path
from prompts.endpoint import teacher_endpoint
from prompts.explaining import explain_many
from prompts.task import load_task
from records import ledger, library
from records.store import Store

folder, store_url, url = sys.argv[1:]
task, store = load_task(Path(folder)), Store.open(store_url)
labels = ledger.newest(store, task.name, "teacher")
documents = library.get(store, task.name, labels)
questions = [(documents[i], labels[i]) for i in sorted(labels)]
asyncio.run(explain_many(store, task, teacher_endpoint(task, url, {}), questions))
"""
"""A process of its own that asks why of all answers in a store."""


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path / 'retort.db'}")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
async def closed_afterwards():
    yield
    await close()


def endpoint_at(task, url, **changes):
    priced = {"input_price": 2.0, "output_price": 10.0, "mode": "generate"}
    return replace(teacher_endpoint(task, url, {}), **priced, **changes)


def add(store, *texts):
    documents = [library.document("mail", text, source="test") for text in texts]
    library.add(store, documents)
    return documents


async def answered(store, task, endpoint, *texts):
    """Documents with the teacher's answers, in this order."""
    documents = add(store, *texts)
    await label_many(store, task, documents, endpoint, Role.teacher)
    labels = ledger.newest(store, task.name, Role.teacher)
    return [(document, labels[document.id]) for document in documents]


def letters(count):
    return [f"Letter {n} about a {ANSWERS[n % 3]}" for n in range(count)]


async def test_a_reason_is_asked_for_once_and_charged_to_the_token(tmp_path, store):
    task = make_task(tmp_path / "mail", teacher={"rationale": True})
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url)
        questions = await answered(store, task, own, *letters(9))
        first = await explain_many(store, task, own, questions)
        again = await explain_many(store, task, own, questions)
        assert (first.asked, first.stopped, dict(first.why), again.asked) == (9, None, {}, 0)
        assert set(standin.explained.values()) == {1} and len(standin.explained) == 9
        assert set(standin.answered.values()) == {1}
        counts = standin.counts
    charges, labels = runs.charges(store, "mail"), ledger.labels(store, "mail")
    assert [charge.purpose for charge in charges] == ["rationale"] * 9
    assert sum(row.prompt_tokens for row in [*charges, *labels]) == counts["prompt_tokens"]
    spent = counts["prompt_tokens"] * 2e-6 + counts["completion_tokens"] * 1e-5
    assert ledger.spent(store, "mail") == pytest.approx(spent)
    assert first.cost_usd == pytest.approx(sum(charge.cost_usd for charge in charges)) and first.cost_usd > 0
    kept = rationales.of_document(store, "mail", questions[0][0].id)
    assert [(one.value, one.text) for one in kept] == [("lease", 'It says "Letter 0 about a lease", so it is lease.')]
    with store.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM claims").scalar_one() == 0


async def test_the_question_holds_the_document_and_the_answer_and_pays_for_no_example(tmp_path, store):
    task = make_task(tmp_path / "mail")
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url)
        questions = await answered(store, task, own, "What of my data?")
        await explain_many(store, task, own, questions)
        body = standin.bodies[-1]
    said = [(m["role"], m["content"]) for m in body["messages"]]
    assert said[-3:] == [("user", "What of my data?"), ("assistant", "data"), ("user", QUESTION)]
    assert said[0] == ("system", CHOICE["instructions"]) and "landlord" not in json.dumps(said)
    assert body["max_tokens"] == most_tokens(task) == 120 and "structured_outputs" not in body
    assert is_rationale(body["messages"]) and not is_rationale(standin.bodies[0]["messages"])


async def test_switching_it_on_asks_no_answer_anew(tmp_path, store):
    off = make_task(tmp_path / "mail")
    on = make_task(tmp_path / "mail", teacher={"rationale": True})
    assert (off.teacher.rationale, on.teacher.rationale) == (False, True)
    assert prompt_fingerprint(on, True) == prompt_fingerprint(off, True)
    async with Standin(ANSWERS) as standin:
        ends = [endpoint_at(task, standin.url) for task in (off, on)]
        assert answer_key("mail", "p", ends[0], "d") == answer_key("mail", "p", ends[1], "d")
        await answered(store, off, ends[0], *letters(5))
        again = await label_many(store, on, library.Stream(store, "mail"), ends[1], Role.teacher)
        assert (again.known, again.asked) == (5, 0) and standin.answered.total() == 5


def key_with(label, **changes):
    return key_of(label.model_copy(update=changes))


async def test_another_answer_prompt_model_or_document_is_another_question(tmp_path, store):
    task = make_task(tmp_path / "mail")
    async with Standin(ANSWERS) as standin:
        [(_, label)] = await answered(store, task, endpoint_at(task, standin.url), "a debt")
    same = key_with(label, key="other", confidence=0.2, run="r")
    assert same == key_of(label)
    changes = [{"value": "lease"}, {"prompt": "p"}, {"model": "m"}, {"document_id": "d"}, {"task": "t"}]
    assert len({same, *(key_with(label, **change) for change in changes)}) == 6


@pytest.mark.parametrize("whose", ["task", "run"])
async def test_a_budget_that_ends_early_has_paid_for_the_first_ones_only(tmp_path, store, whose):
    task = make_task(tmp_path / "mail")
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url, max_in_flight=1)
        questions = await answered(store, task, own, *letters(9))
        before = ledger.spent(store, "mail")
        budget = before if whose == "task" else 0.0
        own = replace(own, input_price=1_000.0)
        if whose == "task":
            task = make_task(tmp_path / "mail", teacher={"budget_usd": budget + 0.3})
        terms = Terms(Bounds(run_usd=0.3)) if whose == "run" else None
        done = await explain_many(store, task, own, questions, terms=terms)
    told = [bool(rationales.of_document(store, "mail", document.id)) for document, _ in questions]
    assert 0 < done.asked < 9 and told == [True] * done.asked + [False] * (9 - done.asked)
    assert done.stopped and done.stopped.startswith("budget of $0.3")
    assert 0 < ledger.spent(store, "mail") - before <= 0.3


async def test_no_more_are_in_flight_than_the_task_allows(tmp_path, store):
    task = make_task(tmp_path / "mail", teacher={"max_in_flight": 3})
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url)
        questions = await answered(store, task, own, *letters(12))
        standin.most_in_flight, standin.latency_s = 0, 0.05
        assert (await explain_many(store, task, own, questions)).asked == 12
        assert 1 < standin.most_in_flight <= 3


async def test_what_passes_is_asked_again_and_what_does_not_ends_the_asking_without_an_error(tmp_path, store):
    task = make_task(tmp_path / "mail", teacher={"retries": 8})
    async with Standin(ANSWERS, retry_after_s=0.0) as standin:
        own = endpoint_at(task, standin.url)
        questions = await answered(store, task, own, *letters(12))
        standin.faults = {"429": 0.3, "reset": 0.1}
        assert (await explain_many(store, task, own, questions[:6])).asked == 6 and standin.faulted.total() > 0
        standin.faults, standin.requests = {"500": 1.0}, 0
        done = await explain_many(store, task, replace(own, retries=0, max_in_flight=1), questions)
        assert (done.asked, sum(done.why.values()), standin.requests) == (0, 3, 3)
        assert "injected 500" in str(done.stopped)
        standin.faults, standin.key = {}, "another"
        refused = await explain_many(store, task, own, questions)
        assert refused.asked == 0 and "Incorrect API key" in str(refused.stopped)
        standin.key = None
        assert (await explain_many(store, task, own, questions)).asked == 6


@pytest.mark.parametrize(
    ("kind", "error"), [("refusal", "declined"), ("empty", "said nothing"), ("content_filter", "declined")]
)
async def test_a_model_that_gives_no_reason_is_paid_and_not_asked_again(tmp_path, store, kind, error):
    task = make_task(tmp_path / "mail")
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url)
        questions = await answered(store, task, own, "a debt")
        standin.faults = {kind: 1.0}
        await explain_many(store, task, own, questions)
        await explain_many(store, task, own, questions)
        assert set(standin.explained.values()) == {1}
    [kept] = rationales.of_document(store, "mail", questions[0][0].id)
    assert kept.text is None and error in str(kept.error) and kept.cost_usd > 0
    assert len(runs.charges(store, "mail")) == 1


async def test_a_question_that_another_run_has_claimed_is_not_asked_twice(tmp_path, store):
    task = make_task(tmp_path / "mail")
    async with Standin(ANSWERS) as standin:
        own = endpoint_at(task, standin.url)
        questions = await answered(store, task, own, *letters(2))
        wanted = {key_of(questions[0][1]): 0.0}
        claims.take(store, "mail", "another", claims.owner(), wanted, Bounds())
        done = await explain_many(store, task, own, questions)
        assert (done.asked, dict(done.why)) == (1, {"another run is asking": 1})
        assert standin.explained.total() == 1


def asker(tmp_path, url):
    store_url = f"sqlite:///{tmp_path / 'retort.db'}"
    command = [sys.executable, "-c", ASKER, str(tmp_path / "mail"), store_url, url]
    return subprocess.Popen(command, cwd=ROOT)


def test_a_kill_loses_what_was_in_flight_and_two_processes_ask_nothing_twice(tmp_path, store):
    task = make_task(tmp_path / "mail", teacher={"max_in_flight": 2})
    server = Server("--latency-s", "0.1")
    try:
        asyncio.run(answered(store, task, endpoint_at(task, server.url), *letters(30)))
        with asker(tmp_path, server.url) as killed:
            while len(runs.charges(store, "mail")) < 4:
                assert killed.poll() is None
                time.sleep(0.05)
            killed.send_signal(signal.SIGKILL)
        assert 4 <= len(runs.charges(store, "mail")) < 30
        with asker(tmp_path, server.url) as one, asker(tmp_path, server.url) as other:
            assert (one.wait(120), other.wait(120)) == (0, 0)
        times = server.counts["explained"]
    finally:
        server.stop()
    assert len(times) == 30 and sum(times.values()) <= 30 + 2  # the two that were in flight
    assert len(runs.charges(store, "mail")) == 30


# --- what leaves


EMAIL = {"name": "EMAIL", "pattern": r"[\w.+-]+@[\w-]+(\.[\w-]+)+"}
WHO = {"name": "WHO", "pattern": "Anna|Bob"}


def outside(standin):
    """A way to the loopback that the allow-list does not know: what goes there leaves."""
    return {"model": "openai/big", "api_base": standin.url.replace("127.0.0.1", "0.0.0.0"), "retries": 0}


async def test_what_leaves_is_masked_and_the_reason_is_turned_back(tmp_path, store):
    async with Standin(ANSWERS) as standin:
        task = make_task(tmp_path / "mail", redact=[EMAIL], teacher=outside(standin))
        own = endpoint_at(task, "")
        questions = await answered(store, task, own, "A debt of anna@private.example, unpaid.")
        await explain_many(store, task, own, questions)
        heard = json.dumps(standin.bodies)
        assert standin.explained.total() == 1
    assert "anna" not in heard and "A debt of [EMAIL_1], unpaid." in heard
    [kept] = rationales.of_document(store, "mail", questions[0][0].id)
    assert kept.text == 'It says "A debt of anna@private.example, unpaid.", so it is debt.'


async def test_an_object_that_quotes_the_document_is_masked_alike(tmp_path, store):
    async with Standin(['{"party": "[WHO_1]"}']) as standin:
        task = make_task(tmp_path, {**FIELDS, "name": "mail"}, redact=[WHO], teacher=outside(standin))
        own = endpoint_at(task, "")
        [(document, label)] = await answered(store, task, own, "Pay Bob now.")
        assert label.value == {"party": "Bob"}
        messages, masked = rationale_messages(task, own, document.text, label.value)
        await explain_many(store, task, own, [(document, label)])
        assert "Bob" not in json.dumps(standin.bodies)
    assert [m["content"] for m in messages[-3:-1]] == ["Pay [WHO_1] now.", '{"party": "[WHO_1]"}']
    assert masked.restore_text('It says "Pay [WHO_1]".') == 'It says "Pay Bob".'
    [kept] = rationales.of_document(store, "mail", document.id)
    assert kept.text == 'It says "Pay Bob now.", so it is {"party": "Bob"}.'


async def test_a_document_that_cannot_be_masked_goes_without_and_is_not_sent(tmp_path, store):
    slow = {"name": "SLOW", "pattern": "(a|aa)+$"}
    async with Standin(ANSWERS) as standin:
        plain = make_task(tmp_path / "mail", teacher=outside(standin))
        questions = await answered(store, plain, endpoint_at(plain, ""), "a" * 60 + "! debt")
        task = make_task(tmp_path / "mail", redact=[slow], teacher=outside(standin))
        done = await explain_many(store, task, endpoint_at(task, ""), questions)
        assert done.asked == 0 and standin.explained.total() == 0
    assert [cause.startswith("not sent: the pattern SLOW") for cause in done.why] == [True]


# --- before it is asked


async def test_a_model_that_thinks_first_has_its_room_and_the_estimate_counts_it(tmp_path, store):
    documents = add(store, *letters(6))
    short, long = (make_task(tmp_path / str(n), teacher={"max_tokens": n}) for n in (20, 2_000))
    assert (most_tokens(short), most_tokens(long)) == (120, 2_000)
    less, more = (rationale_cost(task, documents, endpoint_at(task, "")) for task in (short, long))
    assert less and more and more - less == pytest.approx(1_880 * 1e-5)
    unknown = replace(endpoint_at(short, ""), input_price=None)
    assert rationale_cost(short, documents, unknown) is None
