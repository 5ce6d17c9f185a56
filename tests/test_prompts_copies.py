"""Near-duplicates labelled once: one is asked about, the others get a copy that says so; the test split is asked."""

import asyncio
import json

import pytest
from fixtures_flows import arrive, context_at, teacher_says, texts
from task_folders import FIELDS, make_task

from flows.arrivals import read_source
from flows.asking import ask_teacher
from flows.desk import labels_of
from prompts.standin import Standin
from records import kindred, ledger, library
from records.errors import InputError
from records.split import canonical
from records.types import Outcome, Role, Split
from review.routing import Reason, route

pytestmark = pytest.mark.usefixtures("litellm_closed")


@pytest.fixture
def context(tmp_path):
    opened = context_at(tmp_path / "home")
    yield opened
    opened.store.close()


def task_at(folder, url, **sections):
    teacher = {"api_base": url, "mode": "generate", "input_price": 1.0, "output_price": 2.0, "retries": 0}
    return make_task(folder, teacher=teacher, **sections)


def alike(text, count):
    return [f"{text} {n}" for n in range(count)]


async def test_near_duplicates_are_asked_about_once_and_the_copies_say_so_and_cost_nothing(tmp_path, context):
    [first, other] = texts(Split.train, 2)
    async with Standin(["lease"]) as teacher:
        task = task_at(tmp_path / "t", teacher.url, document={"label_near_duplicates_once": True})
        arrive(context, task, *alike(first, 5), other)
        done = await asyncio.to_thread(ask_teacher, context, task)
        assert (done.answered, done.copied, len(teacher.bodies)) == (2, 4, 2)
        arrive(context, task, *alike(first, 7))
        again = await asyncio.to_thread(ask_teacher, context, task)
        assert (again.answered, again.copied, len(teacher.bodies)) == (0, 2, 2)
    labels = ledger.newest(context.store, task.name, Role.teacher)
    assert len(labels) == 8 and {label.value for label in labels.values()} == {"lease"}
    copies = [label for label in labels.values() if label.copied_from]
    assert len(copies) == 6 and {(c.cost_usd, c.prompt_tokens) for c in copies} == {(0.0, 0)}
    [source] = {c.copied_from for c in copies}
    assert labels[source].copied_from is None and labels[source].cost_usd > 0
    assert canonical(library.get(context.store, task.name, [source])[source].text) == canonical(first)


async def test_every_document_is_asked_about_where_the_task_does_not_say_so_and_of_the_test_split_in_any_case(
    tmp_path, context
):
    [first], [tested] = texts(Split.train, 1), texts(Split.test, 1)
    async with Standin(["lease"]) as teacher:
        plain = task_at(tmp_path / "a", teacher.url, name="plain")
        arrive(context, plain, *alike(first, 3))
        assert (await asyncio.to_thread(ask_teacher, context, plain)).answered == 3
        once = task_at(tmp_path / "b", teacher.url, document={"label_near_duplicates_once": True})
        arrive(context, once, *alike(tested, 3))
        done = await asyncio.to_thread(ask_teacher, context, once)
    assert (done.answered, done.copied) == (3, 0)


async def test_a_failed_first_asking_is_copied_to_nobody(tmp_path, context):
    [first] = texts(Split.train, 1)
    async with Standin(["nonsense"]) as teacher:
        task = task_at(tmp_path / "t", teacher.url, document={"label_near_duplicates_once": True})
        arrive(context, task, *alike(first, 3))
        done = await asyncio.to_thread(ask_teacher, context, task)
    assert (done.answered, done.copied, done.no_answer) == (0, 0, 1)
    assert {label.outcome for label in ledger.labels(context.store, task.name)} == {Outcome.unreadable}


def test_near_duplicates_of_an_extraction_differ_in_what_is_extracted_and_are_refused(tmp_path):
    with pytest.raises(InputError, match="label_near_duplicates_once: near-duplicates differ in what is extracted"):
        make_task(tmp_path / "t", FIELDS, document={"label_near_duplicates_once": True})


def log(path, *texts_):
    rows = [{"model": "old", "messages": [{"role": "user", "content": f"<{t}>"}, SAID]} for t in texts_]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


SAID = {"role": "assistant", "content": "lease"}


@pytest.mark.parametrize("again", [True, False])
async def test_logged_answers_are_labels_and_the_teacher_is_spared_where_the_task_says_so(tmp_path, context, again):
    training, tested = texts(Split.train, 2), texts(Split.test, 1)
    async with Standin(["debt"]) as teacher:
        logs = {"pattern": "<(.*)>", "answers_as_labels": True, "ask_teacher": again}
        task = task_at(tmp_path / "t", teacher.url, logs=logs)
        source = log(tmp_path / "log.jsonl", *training, *tested)
        arrived = [read_source(context, task, source) for _ in range(2)]
        assert [(a.added, a.known, a.logged) for a in arrived] == [(3, 0, 3), (0, 3, 0)]
        assert {label.model for label in kindred.logged(context.store, task.name).values()} == {"logged:old"}
        assert ledger.spent(context.store, task.name) == 0
        assert (await asyncio.to_thread(ask_teacher, context, task)).answered == (3 if again else 1)
    asked = {body["messages"][-1]["content"] for body in teacher.bodies}
    assert asked & {*training, *tested} == {*tested, *(training if again else [])}


def test_a_logged_answer_goes_to_review_until_the_teacher_has_answered_itself(tmp_path, context):
    first, second = texts(Split.train, 2)
    task = make_task(tmp_path / "t", logs={"pattern": "<(.*)>", "answers_as_labels": True})
    read_source(context, task, log(tmp_path / "log.jsonl", first, second))
    documents = {d.text: d for d in library.documents(context.store, task.name)}
    teacher_says(context, task, documents[first], "debt", 0.4)
    found = labels_of(context, task, [d.id for d in documents.values()])
    assert {text: found[d.id].value for text, d in documents.items()} == {first: "debt", second: "lease"}
    sent = route(list(documents.values()), found, {}, 0.9, None, 1)
    assert {(r.document_id, r.suggestion, r.reason) for r in sent} == {
        (documents[first].id, "debt", Reason.unsure),
        (documents[second].id, "lease", Reason.no_confidence),
    }
