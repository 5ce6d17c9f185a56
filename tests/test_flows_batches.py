"""The steps of `label --batch` and of the deployment that polls, as the command line calls them, without a desk."""

import asyncio

import pytest
from fixtures_flows import ANSWERS, arrive, context_at, texts
from task_folders import make_task, write_task

from flows.asking import ask_teacher
from flows.batches import ask_in_batches, tasks_that_wait
from flows.context import find_task
from flows.poll import poll_all
from flows.teacher import preview
from prompts.standin import Standin
from records import batches, ledger
from records.batches import BatchState
from records.errors import InputError, ServiceError
from records.types import Split
from retort.overview import overview

PRICES = {"mode": "generate", "input_price": 2.0, "output_price": 10.0}


@pytest.fixture
def task_at(tmp_path, context):
    """A task whose teacher is at this address, known to the store."""

    def made(url, **sections):
        teacher = {"api_base": url, **PRICES, **sections.pop("teacher", {})}
        return find_task(context, str(write_task(tmp_path / "mail", teacher=teacher, **sections)))

    return made


async def step(function, *args):
    """A step runs an event loop of its own."""
    return await asyncio.to_thread(function, *args)


async def test_the_same_command_hands_in_waits_and_collects_over_restarts(context, task_at, litellm_closed):
    async with Standin(ANSWERS) as server:
        task = task_at(server.url)
        arrive(context, task, *texts(Split.train, 12))
        first = await step(ask_in_batches, context, task)
        assert (first.submitted, first.waiting, first.answered, first.left) == (12, 12, 0, 0)
        assert "12 wait in all, for $0.0" in "\n".join(first.lines) and "run it again with --batch" in first.lines[-1]
        assert "12 wait in batches" in overview(context.settings).text and tasks_that_wait(context) == ["mail"]
        context.store.close()
        again = context_at(context.settings.home)
        second = await step(ask_in_batches, again, task)
        assert (second.submitted, second.waiting, second.elsewhere) == (0, 12, 12)
        third = await step(ask_in_batches, again, task)
        assert (third.answered, third.waiting, third.waiting_usd) == (12, 0, 0.0)
        assert third.cost_usd == pytest.approx(ledger.spent(again.store, "mail"))
        live = await step(ask_teacher, again, task)
        again.store.close()
    assert (live.known, live.answered, server.requests) == (12, 0, 0)
    assert set(server.answered.values()) == {1}


async def test_answers_are_read_by_the_version_of_the_task_that_asked(context, task_at, litellm_closed):
    async with Standin(["alpha", "beta"]) as server:
        labels = [{"name": "lease", "answer": "alpha"}, {"name": "debt", "answer": "beta"}]
        examples = [{"document": "The landlord.", "answer": "lease"}]
        task = task_at(server.url, answer={"kind": "choice", "labels": labels}, examples=examples)
        arrive(context, task, *texts(Split.train, 6))
        await step(ask_in_batches, context, task)
        server.batches.steps = 0
        swapped = [{"name": "lease", "answer": "beta"}, {"name": "debt", "answer": "alpha"}]
        edited = task_at(server.url, answer={"kind": "choice", "labels": swapped}, examples=examples)
        await step(ask_in_batches, context, edited)
        done = ledger.labels(context.store, "mail")
    said = {"alpha": "lease", "beta": "debt"}
    assert len(done) == 6 and all(label.value == said[label.raw] for label in done)
    assert len(tasks_that_wait(context)) == 1, "the edited task asks anew"


async def test_a_poll_hands_in_again_what_came_back_unasked_and_nothing_else(context, task_at, litellm_closed):
    async with Standin(ANSWERS) as server:
        task = task_at(server.url)
        assert poll_all(context).text == "Nothing waits in a batch." and server.requests == 0
        arrive(context, task, *texts(Split.train, 5))
        server.batches.faults, server.batches.steps = {"expired": 1.0}, 1
        await step(ask_in_batches, context, task)
        arrive(context, task, *texts(Split.test, 4))
        server.batches.faults = {"500": 1.0}
        told = (await step(poll_all, context)).tasks["mail"]
        assert (told.reopened, told.submitted, told.waiting) == (5, 5, 5)
        last = await step(poll_all, context)
    assert last.tasks["mail"].failed == 5 and tasks_that_wait(context) == [], "what failed is left to a person"
    assert set(server.batches.requests.values()) == {2} and len(server.batches.requests) == 5


async def test_a_batch_that_fails_validation_is_one_error_and_does_not_repeat_itself(context, task_at, litellm_closed):
    async with Standin(ANSWERS) as server:
        task = task_at(server.url)
        arrive(context, task, *texts(Split.train, 3))
        server.batches.refuse = ["invalid"]
        await step(ask_in_batches, context, task)
        with pytest.raises(ServiceError, match=r"refused a batch as a whole: 3 documents: line 1 .* open again"):
            await step(ask_in_batches, context, task)
        assert len(server.batches.batches) == 1 and tasks_that_wait(context) == []
        assert [b.state for b in batches.batches(context.store, "mail", list(BatchState))] == [BatchState.refused]
        assert (await step(ask_in_batches, context, task)).submitted == 3


async def test_a_limit_and_both_budgets_bound_what_is_handed_in(context, task_at, litellm_closed):
    async with Standin(ANSWERS) as server:
        task = task_at(server.url, teacher={"budget_usd": 0.002})
        arrive(context, task, *texts(Split.train, 60))
        few = await step(ask_in_batches, context, task, None, 2)
        assert (few.submitted, few.stopped) == (2, None)
        bounded = await step(ask_in_batches, context, task, None, 0, 0.0005)
        assert bounded.submitted > 0 and bounded.stopped == "budget of $0.0005 for this run used up"
        rest = await step(ask_in_batches, context, task)
        assert rest.stopped == "budget of $0.002 used up" and rest.waiting_usd <= 0.002
        live = await step(ask_teacher, context, task)
    assert live.answered == 0 and live.stopped == "budget of $0.002 used up"


async def test_a_preview_for_a_batch_shows_half_of_the_price(context, task_at, tmp_path):
    task = task_at("http://127.0.0.1:9/v1")
    arrive(context, task, *texts(Split.train, 10))
    live, half = (preview(context, "mail", batch=batch) for batch in (False, True))
    assert half.cost_usd == pytest.approx(live.cost_usd / 2)
    cheap = task_at("http://127.0.0.1:9/v1", teacher={"batch_price_ratio": 0.25})
    assert preview(context, cheap.name, batch=True).cost_usd == pytest.approx(live.cost_usd / 4)


def test_a_local_teacher_is_refused_before_anything_is_asked(context, tmp_path):
    local = find_task(context, str(write_task(tmp_path / "local", name="local")))
    arrive(context, local, *texts(Split.train, 1))
    for asking in (lambda: preview(context, "local", batch=True), lambda: ask_in_batches(context, local)):
        with pytest.raises(InputError, match=r"Retort's own model server has no batch API .* Label without --batch"):
            asking()


def test_a_price_ratio_is_a_share(tmp_path):
    with pytest.raises(InputError, match=r"teacher.batch_price_ratio: 2: .*less than or equal to 1"):
        make_task(tmp_path / "mail", teacher={"batch_price_ratio": 2})
