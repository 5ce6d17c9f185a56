"""Labelling many: nothing twice, nothing lost, the budget holds, and a broken endpoint is one error."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from task_folders import make_task, write_task

from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.estimate import estimate
from prompts.standin import Standin
from prompts.supply import Terms
from records import ledger, library
from records.claims import Bounds
from records.errors import InputError, ServiceError
from records.store import Store
from records.types import Outcome, Role

ANSWERS = ["lease", "debt", "data"]
ROOT = Path(__file__).parents[1]


@pytest.fixture
def task(tmp_path):
    return make_task(tmp_path / "mail")


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path / 'retort.db'}")
    yield opened
    opened.close()


def documents_of(count):
    return [library.document("mail", f"Letter {n} about a {ANSWERS[n % 3]}", source="test") for n in range(count)]


def endpoint_of(task, standin, **changes):
    return replace(teacher_endpoint(task, standin.url, {}), mode="generate", **changes)


async def test_every_answer_is_stored_with_what_it_took(task, store):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin, input_price=2.0, output_price=10.0)
        summary = await label_many(store, task, documents_of(30), own, Role.teacher)
    labels = ledger.labels(store, "mail", role=Role.teacher)
    assert (summary.asked, summary.answered, summary.left, len(labels)) == (30, 30, 0, 30)
    assert sum(x.prompt_tokens for x in labels) == standin.prompt_tokens == summary.prompt_tokens
    spent = standin.prompt_tokens * 2e-6 + standin.completion_tokens * 1e-5
    assert ledger.spent(store, "mail") == pytest.approx(spent) == summary.cost_usd
    assert all(x.latency_s > 0 and x.model == "openai/tiny" and x.prompt for x in labels)
    assert summary.latency_ms(0.95) >= summary.latency_ms(0.5) > 0


async def test_what_is_answered_is_not_asked_again_and_what_failed_is(task, store):
    documents = documents_of(20)
    async with Standin(ANSWERS, faults={"400": 0.3, "garbage": 0.2, "content_filter": 0.2}) as standin:
        own = endpoint_of(task, standin)
        first = await label_many(store, task, documents, own, Role.teacher)
        second = await label_many(store, task, documents, own, Role.teacher)
        standin.faults = {}
        third = await label_many(store, task, documents, own, Role.teacher)
    assert first.failed > 0 and first.unreadable > 0 and first.refused > 0
    assert (second.known, second.asked) == (20 - first.failed, first.failed)
    assert (third.asked, third.failed) == (second.failed, 0)
    assert set(standin.answered.values()) == {1}
    labels = ledger.labels(store, "mail")
    assert len(labels) == 20 and Outcome.failed not in {x.outcome for x in labels}


async def test_a_changed_prompt_asks_again(tmp_path, task, store):
    async with Standin(ANSWERS) as standin:
        await label_many(store, task, documents_of(3), endpoint_of(task, standin), Role.teacher)
        other = make_task(tmp_path / "other", instructions="Sort with care.")
        summary = await label_many(store, other, documents_of(3), endpoint_of(other, standin), Role.teacher)
    assert summary.asked == 3


async def test_no_more_is_in_flight_than_allowed(task, store):
    async with Standin(ANSWERS, latency_s=0.02) as standin:
        await label_many(store, task, documents_of(24), endpoint_of(task, standin, max_in_flight=3), Role.teacher)
    assert 1 < standin.most_in_flight <= 3


async def test_the_budget_is_a_hard_stop_over_all_runs(task, store):
    documents = documents_of(40)
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin, input_price=1_000.0, output_price=0.0, repair=False)
        for _ in range(2):
            summary = await label_many(store, task, documents, own, Role.teacher, terms=Terms(Bounds(task_usd=1.0)))
    assert summary.stopped == "budget of $1 used up"
    assert 0.5 < ledger.spent(store, "mail") <= 1.0
    assert summary.left > 0


@pytest.mark.parametrize(
    ("standin", "reason"),
    [
        (Standin(ANSWERS, key="right"), "Incorrect API key"),
        (Standin(ANSWERS, faults={"404": 1.0}), "Check teacher.model"),
        (Standin(ANSWERS, faults={"400": 1.0}), "12 times in a row, the last one.*injected 400"),
    ],
)
async def test_an_endpoint_that_cannot_answer_is_one_error_after_few_requests(task, store, standin, reason):
    async with standin:
        with pytest.raises(ServiceError, match=reason):
            await label_many(store, task, documents_of(200), endpoint_of(task, standin), Role.teacher)
    assert standin.requests < 25


async def test_a_dead_endpoint_is_one_error(task, store):
    own = replace(teacher_endpoint(task, "http://127.0.0.1:9", {}), retries=0)
    for mode in ("score", "generate"):
        with pytest.raises(ServiceError, match=r"tiny.*(127\.0\.0\.1:9|Connect)") as caught:
            await label_many(store, task, documents_of(50), replace(own, mode=mode), Role.teacher)
        noise = ("<ssl.", "Hosted_vllm", "Error: InternalServerError:")
        assert not any(part in str(caught.value) for part in noise)


async def test_an_unknown_price_is_refused_before_any_call(task, store):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin, input_price=None, output_price=None)
        with pytest.raises(InputError, match="price"):
            await label_many(store, task, documents_of(3), own, Role.teacher)
    assert standin.requests == 0


async def test_an_estimate_makes_no_call_and_is_near_what_is_counted(task, store):
    async with Standin(ANSWERS) as standin:
        own = endpoint_of(task, standin, input_price=2.0, output_price=10.0)
        guess = estimate(task, documents_of(50), own)
        assert standin.requests == 0
    assert guess.documents == 50
    assert guess.cost_usd_low < guess.cost_usd < guess.cost_usd_high
    assert 50 * 40 < guess.prompt_tokens < 50 * 250
    assert guess.messages[-1]["content"] == "Letter 0 about a lease"


RUNNER = """
import asyncio, sys
from pathlib import Path
from prompts.endpoint import teacher_endpoint
from prompts.engine import label_many
from prompts.task import load_task
from records import library
from records.store import Store
from records.types import Role

async def run(folder, url, database):
    task, store = load_task(Path(folder)), Store.open(database)
    documents = [library.document("mail", f"Letter {n} about a debt", source="test") for n in range(90)]
    summary = await label_many(store, task, documents, teacher_endpoint(task, url, {}), Role.teacher)
    print(summary.known, summary.answered, summary.stopped, summary.left)

asyncio.run(run(*sys.argv[1:]))
"""


@pytest.fixture
def served(tmp_path):
    """A stand-in in a process of its own, its task, and how to start a labelling process against it."""
    write_task(tmp_path / "mail", teacher={"mode": "generate"})
    command = [sys.executable, "-m", "prompts.standin", "--answers", "lease,debt,data", "--latency-s", "0.05"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        url = json.loads(server.stdout.readline())["url"]
        database = f"sqlite:///{tmp_path / 'retort.db'}"

        def start():
            line = [sys.executable, "-c", RUNNER, str(tmp_path / "mail"), url, database]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
            return subprocess.Popen(line, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)

        yield url, database, start
        server.terminate()


def answered(url):
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/counts") as response:
        return json.load(response)["answered"]


def wait_for(url, count):
    deadline = time.monotonic() + 60
    while len(answered(url)) < count:
        assert time.monotonic() < deadline, "the labelling process does not get on"
        time.sleep(0.02)


def test_after_kill_9_and_ctrl_c_only_what_was_in_flight_is_asked_again(served):
    url, database, start = served
    with start() as victim:
        wait_for(url, 20)
        victim.kill()
    store = Store.open(database)
    kept = {x.document_id for x in ledger.labels(store, "mail")}
    assert len(kept) >= 12
    with start() as polite:
        wait_for(url, len(kept) + 20)
        polite.send_signal(signal.SIGINT)
        known, done, stopped, left = polite.stdout.read().split()
    assert (int(known), stopped) == (len(kept), "interrupted")
    assert polite.returncode == 0 and int(left) == 90 - len(kept) - int(done)
    with start() as last:
        assert last.stdout.read().split()[2:] == ["None", "0"]
    times = answered(url)
    twice = {name for name, n in times.items() if n > 1}
    assert len(times) == 90 and max(times.values()) <= 2
    assert not twice & kept
    assert len(twice) <= 4  # max_in_flight: what the killed process had asked and could not store
    assert len(ledger.labels(store, "mail")) == 90
    store.close()


def test_labelling_can_run_twice_in_one_process(task, store):
    async def once(count):
        async with Standin(ANSWERS) as standin:
            return await label_many(store, task, documents_of(count), endpoint_of(task, standin), Role.teacher)

    assert [asyncio.run(once(n)).asked for n in (3, 5)] == [3, 2]
