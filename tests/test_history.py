"""What is kept of the past: every edit of a person, labels that were renamed or split, one document's history."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from fixtures_flows import arrive, people_say, student_of, teacher_says, texts
from task_folders import CHOICE, make_task, write_task
from typer.testing import CliRunner

from flows.collect import _counted
from flows.context import find_task
from flows.history import document_history
from flows.train import freeze
from records import corrections, desk_log, history, label_names, library, second_looks, tables, traffic
from records import store as store_module
from records.errors import InputError
from records.second_looks import Queue, SecondAnswer, SecondLook
from records.store import Store
from records.types import Correction, DeskRecord, Outcome, Request, Split, now


def labels(*specs):
    return {"kind": "choice", "labels": [spec if isinstance(spec, dict) else {"name": spec} for spec in specs]}


@pytest.fixture
def mail(context, tmp_path):
    """A task with the labels lease, debt and privacy, and four training documents."""
    task = find_task(context, str(write_task(tmp_path / "mail", training={"min_corrections": 1})))
    return task, arrive(context, task, *texts(Split.train, 4))


def changed(context, tmp_path: Path, *specs):
    """The task with other labels."""
    return find_task(context, str(write_task(tmp_path / "mail", answer=labels(*specs), examples=[])))


# --- edits


def test_an_edited_answer_is_kept_beside_the_new_one(context, mail):
    task, (document, *_) = mail
    people_say(context, task, {document.id: "lease"}, who="ann")
    people_say(context, task, {document.id: "debt"}, who="ann", minutes=5)
    assert [c.value for c in corrections.all(context.store, task.name)] == ["debt"]
    kept = history.edits(context.store, task.name, document.id)
    assert [(e.reviewer, e.value) for e in kept] == [("ann", "lease"), ("ann", "debt")]


def test_an_answer_that_is_fetched_again_is_no_edit(context, mail):
    task, (document, *_) = mail
    people_say(context, task, {document.id: "lease"})
    people_say(context, task, {document.id: "lease"}, minutes=5)
    assert len(history.edits(context.store, task.name, document.id)) == 1


def test_answers_from_before_there_was_a_history_begin_it(tmp_path):
    url = f"sqlite:///{tmp_path}/retort.db"
    config = Config()
    config.set_main_option("script_location", str(Path(store_module.__file__).parent / "migrations"))
    before = ScriptDirectory.from_config(config).get_revision("0008").down_revision
    engine = sa.create_engine(url)
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, before)
        row = {"task": "t", "document_id": "d", "reviewer": "ann", "value": "lease", "discarded": False}
        db.execute(tables.corrections.insert(), [{**row, "answered_at": now()}])
    engine.dispose()
    store = Store.open(url)
    assert [(e.reviewer, e.value) for e in history.edits(store, "t", "d")] == [("ann", "lease")]
    store.close()


# --- labels that change


def test_an_answer_is_read_under_its_labels_name_of_today_and_kept_as_it_was_said(context, mail, tmp_path):
    task, (document, *_) = mail
    people_say(context, task, {document.id: "lease"})
    task = changed(context, tmp_path, {"name": "premises", "was": ["lease"]}, "debt", "privacy")
    assert corrections.settled(context.store, task.name).gold == {document.id: "premises"}
    assert history.edits(context.store, task.name, document.id)[0].value == "lease"
    assert freeze(context, task).rows["train"] == 1
    again = Correction(
        task="mail", document_id=document.id, reviewer="ann", value="premises", answered_at=now() + timedelta(hours=1)
    )
    assert corrections.save(context.store, [again]) == 0  # as it comes from a desk that was moved


def test_two_labels_that_became_one_are_read_as_it(context, mail, tmp_path):
    task, (first, second, *_) = mail
    people_say(context, task, {first.id: "lease", second.id: "debt"})
    task = changed(context, tmp_path, {"name": "money", "was": ["lease", "debt"]}, "privacy")
    assert set(corrections.settled(context.store, task.name).gold.values()) == {"money"}


def test_an_answer_with_a_label_that_was_split_is_no_gold_and_nobodys_dispute_but_is_kept(context, mail, tmp_path):
    task, (first, second, *_) = mail
    people_say(context, task, {first.id: "lease", second.id: "debt"})
    office, store = {"name": "office", "was": ["lease"]}, {"name": "store", "was": ["lease"]}
    task = changed(context, tmp_path, office, store, "debt", "privacy")
    assert corrections.settled(context.store, task.name)[:2] == ({second.id: "debt"}, {})
    assert [(c.document_id, c.value) for c in corrections.superseded(context.store, task.name)] == [(first.id, "lease")]
    people_say(context, task, {first.id: "office"}, minutes=5)
    assert corrections.settled(context.store, task.name).gold[first.id] == "office"
    assert corrections.superseded(context.store, task.name) == []


def test_a_split_that_is_taken_back_brings_its_answers_back(context, mail, tmp_path):
    task, (document, *_) = mail
    people_say(context, task, {document.id: "lease"})
    changed(context, tmp_path, {"name": "office", "was": ["lease"]}, {"name": "store", "was": ["lease"]}, "debt")
    task = changed(context, tmp_path, {"name": "lease", "was": ["office", "store"]}, "debt")
    assert corrections.settled(context.store, task.name).gold == {document.id: "lease"}


def test_names_are_followed_through_several_changes_and_stay_known_when_the_file_no_longer_says_so(context):
    store = context.store
    label_names.remember(store, "t", {"a": "b"}, ["b"])
    label_names.remember(store, "t", {"b": "c"}, ["c"])
    label_names.remember(store, "t", {}, ["c"])
    with store.read() as db:
        assert label_names.today(db, "t") == {"a": "c", "b": "c"}
    label_names.remember(store, "t", {"c": None}, ["d", "e"])
    with store.read() as db:
        assert label_names.today(db, "t") == {"a": None, "b": None, "c": None}


def test_a_label_that_is_gone_without_a_word_stops_training_with_the_cure(context, mail, tmp_path):
    task, (document, *_) = mail
    people_say(context, task, {document.id: "lease"})
    task = changed(context, tmp_path, "premises", "debt", "privacy")
    with pytest.raises(InputError, match=r"what became of it: `was: \[lease\]` at the label"):
        freeze(context, task)


def test_a_label_cannot_be_another_ones_past_while_it_is_there(tmp_path):
    wrong = {**CHOICE, "answer": labels("lease", {"name": "store", "was": ["lease"]}), "examples": []}
    with pytest.raises(InputError, match=r"'lease' is a label, and the past \(`was`\) of 'store'.*new name too"):
        make_task(tmp_path / "mail", wrong)


def test_a_renamed_label_is_nothing_new_to_collect_but_its_rows_are_trained_anew(context, mail, tmp_path):
    task, documents = mail
    people_say(context, task, {d.id: "lease" for d in documents})
    student_of(context, task, freeze(context, task))
    task = changed(context, tmp_path, {"name": "premises", "was": ["lease"], "answer": "lease"}, "debt", "privacy")
    collected = _counted(context, task, "when enough", 0, [])
    assert (collected.corrected, collected.disputed) == (4, 0)


# --- one document


@pytest.fixture
def told(context, mail):
    """A document that went round the whole circle."""
    task, (document, *_) = mail
    teacher_says(context, task, document, "lease", 0.61)
    sent = DeskRecord(
        task=task.name,
        document_id=document.id,
        round=1,
        reason="model unsure",
        blind=False,
        suggestion="lease",
        score=0.61,
    )
    desk_log.record(context.store, [sent])
    history.keep_shown(
        context.store,
        [history.Shown(task="mail", document_id=document.id, model="student-ab", value="debt", score=0.8)],
    )
    people_say(context, task, {document.id: "lease"}, who="ann", minutes=1)
    people_say(context, task, {document.id: "debt"}, who="ann", minutes=2)
    student_of(context, task, freeze(context, task))
    request = {"id": "r1", "task": task.name, "text": document.text, "value": "debt", "outcome": Outcome.answered}
    traffic.record(context.store, [Request(**request, model="student-abababababab", release=1, confidence=0.9)])
    return task, document


def test_a_documents_history_tells_who_and_what_said_what_and_where_it_went(context, told):
    task, document = told
    found = document_history(context, task.name, document.id[:10])
    kinds = [event.kind for event in found.events]
    assert sorted(kinds) == sorted(
        ["arrived", "model", "desk", "suggestion", "person", "person", "dataset", "student", "request"]
    )
    assert [event.at for event in found.events] == sorted(event.at for event in found.events)
    assert (found.gold, found.split, found.disputed) == ("debt", Split.train, False)
    for words in (
        "teacher: said lease, sure to 61 %, $0.000000",
        "sent in round 1 (model unsure), with the suggestion lease, sure to 61 %",
        "showed a newer suggestion, by student-ab: debt, sure to 80 %",
        "answered lease",
        "answered debt, before: lease",
        "frozen into it: train row, 'debt' by correction",
        "student-abababababab          trained on dataset 1",
        "asked in production, answered debt by mail@1, sure to 90 %",
        "people settled on debt",
    ):
        assert words in found.text
    assert json.loads(found.model_dump_json())["events"][0]["kind"] == "arrived"


def test_a_document_is_found_by_its_owners_id_and_by_a_piece_of_its_text(context, told):
    document = told[1]
    own = library.document("mail", "The owner calls this one by a number of his own.", source="x", external_id="M-77")
    library.add(context.store, [own])
    assert document_history(context, "mail", "M-77").document == own.id
    assert document_history(context, "mail", document.text[5:].upper()).document == document.id
    with pytest.raises(InputError, match="no document of mail is known by 'nowhere'"):
        document_history(context, "mail", "nowhere")
    with pytest.raises(InputError, match=f"names several documents of mail.*\n  {document.id}"):
        document_history(context, "mail", "it is about")
    with pytest.raises(InputError, match="no document of mail is known by ' '"):
        document_history(context, "mail", " ")


def test_a_leads_decision_and_second_readings_are_part_of_the_history(context, told):
    document = told[1]
    mine = {"task": "mail", "document_id": document.id}
    looks = [SecondLook(**mine, queue=queue, reason="reviewers differ") for queue in Queue]
    second_looks.record(context.store, looks)
    second_looks.save(
        context.store,
        [
            SecondAnswer(**mine, queue=Queue.adjudication, reviewer="lea", value="privacy", answered_at=now()),
            SecondAnswer(**mine, queue=Queue.reading, reviewer="ben", value=None, discarded=True, answered_at=now()),
        ],
    )
    found = document_history(context, "mail", document.id)
    assert found.gold == "privacy"
    assert [(e.who, e.did) for e in found.events if e.kind in ("lead", "reading")] == [
        ("lea", "decided: privacy"),
        ("ben", "read it once more: discarded it"),
    ]
    assert "sent before a lead (reviewers differ)" in found.text


def test_strangers_words_cannot_command_a_terminal(context, mail):
    task, _ = mail
    [document] = arrive(context, task, "A \x1b[31mred\x1b[0m letter\nabout \x07bells and the lease.")
    shown = document_history(context, "mail", document.id).text
    assert "\x1b" not in shown and "\x07" not in shown and "letter about" in shown


def test_the_command_prints_the_history(context, told, monkeypatch):
    from retort import cli, steps

    document = told[1]
    monkeypatch.setenv("RETORT_HOME", str(context.settings.home))
    if not any(c.name == "history" or c.callback.__name__ == "history" for c in cli.app.registered_commands):
        steps.add_to(cli.app)
    done = CliRunner().invoke(cli.app, ["history", document.id, "--task", "mail", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["gold"] == "debt"
