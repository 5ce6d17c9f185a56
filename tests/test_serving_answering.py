"""Who answers a request, and what is recorded of it: without the proxy, in this process."""

import logging
import time

import pytest
import sqlalchemy as sa
from fixtures_serving import SERVED_HASH, release, remember

from prompts.litellm_door import close
from prompts.standin import Standin
from records import registry, tables, traffic
from records.errors import InputError, ServiceError
from records.store import Store
from records.types import Outcome, Request
from serving.answering import Answering, NoAnswer
from serving.journal import Journal
from serving.provider import document_of
from serving.taskshelf import TaskShelf

ANSWERS = ["lease", "debt", "data"]
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
def store(tmp_path):
    opened = Store.open(f"sqlite:///{tmp_path}/retort.db")
    yield opened
    opened.close()


@pytest.fixture
def journal(store):
    return Journal(store)


@pytest.fixture(autouse=True)
async def closed_afterwards():
    yield
    await close()


def mail(store, tmp_path, teacher_url, student_url=NOWHERE, **sections):
    teacher = {"model": "openai/big", "api_base": teacher_url, "retries": 0, "input_price": 1.0, "output_price": 1.0}
    return remember(
        store,
        tmp_path / "mail",
        teacher={**teacher, **sections.pop("teacher", {})},
        student={"api_base": student_url},
        **sections,
    )


async def test_before_a_release_the_teacher_answers_by_the_labels_name(store, journal, tmp_path):
    async with Standin(ANSWERS) as teacher:
        mail(store, tmp_path, teacher.url)
        answering = Answering(store, NOWHERE, {}, journal)
        served = await answering.answer(await answering.task("mail"), "what data do you have on me?")
    assert (served.content, served.source, served.fallback) == ("privacy", "mail@teacher openai/big", False)
    journal.close()
    [row] = traffic.requests(store, "mail")
    assert (row.id, row.value, row.release, row.fallback) == (served.id, "privacy", None, False)
    assert row.cost_usd > 0 and row.latency_s > 0


async def test_an_edited_prompt_does_not_reach_a_student_that_was_trained_with_another(store, journal, tmp_path):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        trained = mail(store, tmp_path, teacher.url, student.url)
        release(store, "mail", training={"task": trained.fingerprint})
        edited = mail(store, tmp_path, teacher.url, student.url, instructions="Say what it is.")
        answering = Answering(store, NOWHERE, {}, journal)
        served = await answering.answer(await answering.task("mail"), "a debt")
    assert edited.fingerprint != trained.fingerprint
    assert served.source == "mail@1 student-5e5e5e5e5e5e"
    assert student.bodies[-1]["messages"][0]["content"] == "Sort the mail. Answer with one word."


async def test_the_student_is_asked_without_the_teachers_examples(store, journal, tmp_path):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        mail(store, tmp_path, teacher.url, student.url)
        release(store, "mail")
        answering = Answering(store, NOWHERE, {}, journal)
        served = await answering.answer(await answering.task("mail"), " a debt ")
        body = student.bodies[-1]
    assert served.source == "mail@1 student-5e5e5e5e5e5e"
    assert body["model"] == "student-5e5e5e5e5e5e"
    assert body["messages"] == [
        {"role": "system", "content": "Sort the mail. Answer with one word."},
        {"role": "user", "content": "a debt"},
    ]
    assert teacher.requests == 0


@pytest.mark.parametrize("fault", ["500", "garbage", "refusal"])
async def test_where_the_student_fails_the_teacher_answers_and_it_is_recorded(store, journal, tmp_path, fault):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS, faults={fault: 1.0}) as student:
        mail(store, tmp_path, teacher.url, student.url)
        release(store, "mail")
        answering = Answering(store, NOWHERE, {}, journal)
        served = await answering.answer(await answering.task("mail"), "a debt")
    assert (served.content, served.fallback, served.source) == ("debt", True, "mail@teacher openai/big")
    journal.close()
    [row] = traffic.requests(store, "mail")
    assert (row.release, row.fallback, row.model) == (1, True, "openai/big")


async def test_when_nobody_can_answer_that_is_an_error_and_recorded(store, journal, tmp_path):
    mail(store, tmp_path, NOWHERE)
    release(store, "mail")
    answering = Answering(store, NOWHERE, {}, journal)
    with pytest.raises(ServiceError, match="nobody could answer"):
        await answering.answer(await answering.task("mail"), "a debt")
    journal.close()
    assert [(r.outcome, r.value) for r in traffic.requests(store, "mail")] == [(Outcome.failed, None)]


async def test_an_unreadable_answer_of_the_teacher_is_no_answer(store, journal, tmp_path):
    async with Standin(ANSWERS, faults={"garbage": 1.0}) as teacher:
        mail(store, tmp_path, teacher.url, teacher={"mode": "generate"})
        answering = Answering(store, NOWHERE, {}, journal)
        with pytest.raises(NoAnswer, match="unreadable"):
            await answering.answer(await answering.task("mail"), "a debt")


async def test_a_key_that_is_not_set_is_named(store, journal, tmp_path):
    mail(store, tmp_path, NOWHERE, teacher={"api_key_env": "NO_SUCH_KEY"})
    answering = Answering(store, NOWHERE, {}, journal)
    with pytest.raises(ServiceError, match="NO_SUCH_KEY"):
        await answering.answer(await answering.task("mail"), "a debt")


async def test_recording_can_be_off_and_can_be_a_sample(store, journal, tmp_path):
    async with Standin(ANSWERS) as teacher:
        for count, rules in enumerate([{"record": False}, {"sample_rate": 0.0}]):
            mail(store, tmp_path, teacher.url, traffic=rules)
            answering = Answering(store, NOWHERE, {}, journal)
            await answering.answer(await answering.task("mail"), f"a debt {count}")
    journal.close()
    assert traffic.requests(store, "mail") == []


async def test_a_store_that_cannot_be_written_loses_no_answer(store, journal, tmp_path, caplog):
    async with Standin(ANSWERS) as teacher:
        mail(store, tmp_path, teacher.url)
        with store.begin() as db:
            db.execute(sa.text("DROP TABLE requests"))
        answering = Answering(store, NOWHERE, {}, journal)
        with caplog.at_level(logging.ERROR, "retort.gateway"):
            served = await answering.answer(await answering.task("mail"), "a debt")
            journal.close()
    assert served.content == "debt"
    assert journal.lost == 1
    assert "1 request(s) not recorded" in caplog.text


def test_a_full_queue_drops_requests_and_counts_them(store, caplog):
    journal = Journal(store, room=1)
    common = {"task": "mail", "text": "x", "value": "debt", "outcome": Outcome.answered, "model": "m", "release": None}
    with store.begin() as db, caplog.at_level(logging.ERROR, logger="retort.gateway"):
        db.execute(sa.delete(tables.requests))  # holds SQLite's write lock: the journal's writer waits
        for n in range(6):
            journal.note(Request(id=f"req-{n}", **common), 1.0)
            time.sleep(0.05)
    journal.close()
    assert (journal.lost, len(traffic.requests(store, "mail"))) == (4, 2)
    assert "too many wait to be written" in caplog.text


async def test_an_empty_document_is_refused_before_anybody_is_asked(store, journal, tmp_path):
    mail(store, tmp_path, NOWHERE)
    answering = Answering(store, NOWHERE, {}, journal)
    with pytest.raises(InputError, match="empty"):
        await answering.answer(await answering.task("mail"), " \n ")
    journal.close()
    assert traffic.requests(store, "mail") == []


def test_an_edit_of_a_task_counts_and_an_edit_that_breaks_it_does_not(store, tmp_path, caplog):
    mail(store, tmp_path, NOWHERE)
    shelf = TaskShelf(store)
    assert shelf.get("mail").title == "Mail"
    mail(store, tmp_path, NOWHERE, title="Letters")
    assert shelf.get("mail").title == "Letters"
    (tmp_path / "mail" / "task.yaml").write_text("name: [")
    assert shelf.get("mail").title == "Letters"
    assert "the version before goes on answering" in caplog.text


def test_a_task_that_never_could_be_read_is_a_fault_of_ours_not_of_the_caller(store, tmp_path):
    mail(store, tmp_path, NOWHERE)
    (tmp_path / "mail" / "task.yaml").write_text("name: [")
    with pytest.raises(ServiceError, match="cannot be read"):
        TaskShelf(store).get("mail")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "x"}],
        [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
    ],
)
def test_only_one_user_message_of_text_is_a_document(messages):
    with pytest.raises(InputError):
        document_of(messages)


def test_a_document_in_parts_is_one_text():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert document_of([{"role": "user", "content": parts}]) == "a\nb"


def test_a_rollback_is_seen_by_the_next_look(store, tmp_path):
    release(store, "mail")
    assert registry.live(store, "mail").student_hash == SERVED_HASH
    registry.rollback(store, "mail")
    assert registry.live(store, "mail") is None
