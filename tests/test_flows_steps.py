"""The steps of the circle, called as the command line calls them: directly, on a store in a temporary folder.

No Prefect server, no desk, no Axolotl: what a step decides and writes is tested here, the services in their own files.
"""

import asyncio
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_flows import (
    ANSWERS,
    HASH,
    arrive,
    ids,
    people_say,
    student_of,
    teacher_says,
    texts,
)
from fixtures_serving import teacher, verdict
from task_folders import make_task, write_task

from flows.arrivals import Arrived, read_source
from flows.asking import Asked, ask_teacher
from flows.collect import _counted, collect_answers
from flows.context import find_task
from flows.harvest import bring_back, harvest_traffic
from flows.label import Labelled
from flows.release import release_student
from flows.teacher import preview
from flows.train import freeze, train_student
from flows.trial import rule_of
from prompts.standin import Standin
from records import corrections, library, registry, taskbook, traffic
from records.errors import EnvironmentFault, InputError, StoreError
from records.types import Correction, Outcome, Request, Split, now
from retort.moves import roll_back_task


@pytest.fixture
def task(tmp_path, context):
    """A task of its own, known to the store."""
    return find_task(
        context, str(write_task(tmp_path / "mail", training={"min_corrections": 4, "min_new_corrections": 2}))
    )


def rows_of(version):
    lines = (Path(version.path) / "train.jsonl").read_text().split("\n")
    return {row["document_id"]: row for line in lines if line for row in [json.loads(line)]}


# --- which task


def test_a_task_is_found_by_its_folder_and_from_then_on_by_its_name(context, tmp_path):
    folder = write_task(tmp_path / "elsewhere" / "letters", name="letters")
    by_folder = find_task(context, str(folder))
    assert (by_folder.name, by_folder.folder) == ("letters", folder)
    assert find_task(context, "letters") == by_folder
    assert taskbook.names(context.store) == ["letters"]


def test_a_shipped_task_is_found_by_its_name(context):
    assert find_task(context, "legal_intake").labels[0] == "nda"
    assert taskbook.folder(context.store, "legal_intake").name == "legal_intake"


def test_a_folder_that_moved_is_followed(context, tmp_path):
    old = write_task(tmp_path / "old")
    find_task(context, str(old))
    new = old.rename(tmp_path / "new")
    find_task(context, str(new))
    assert find_task(context, "mail").folder == new


def test_an_unknown_task_is_named_with_those_that_are_known_and_where_to_put_one(context, task):
    with pytest.raises(InputError, match=r"no task named 'mial' is known \(known: mail\)\. Give the path of a folder"):
        find_task(context, "mial")


def test_a_folder_without_a_task_and_a_task_with_faults_are_refused_and_not_remembered(context, tmp_path):
    with pytest.raises(InputError, match=r"no task\.yaml in there"):
        find_task(context, str(tmp_path))
    with pytest.raises(InputError, match=r"2 faults"):
        find_task(context, str(write_task(tmp_path / "bad", title="", gates={})))
    assert taskbook.names(context.store) == []


# --- label


def test_a_source_is_read_once_and_what_cannot_be_read_is_told(context, task, tmp_path):
    lines = [json.dumps({"text": text}) for text in [*texts(Split.train, 3), texts(Split.train, 1)[0]]]
    (tmp_path / "mails.jsonl").write_text("\n".join([*lines, "{broken", '{"text": " "}']))
    first = read_source(context, task, str(tmp_path / "mails.jsonl"))
    again = read_source(context, task, str(tmp_path / "mails.jsonl"))
    assert (first.added, first.known, first.duplicates, first.unreadable) == (3, 0, 1, 2)
    assert (again.added, again.known) == (0, 3)
    assert first.faults[0].startswith("line 5: not JSON") and first.faults[1] == "line 6: the text is empty"
    assert set(first.ids) == ids(library.documents(context.store, "mail"))


def test_the_test_split_is_asked_first(context, task):
    train, test = arrive(context, task, *texts(Split.train, 3)), arrive(context, task, *texts(Split.test, 2))
    stream = library.Stream(context.store, task.name)
    assert len(stream) == 5 and {document.id for document in list(stream)[:2]} == ids(test)
    assert [d.text for d in library.Stream(context.store, task.name, [train[1].id])] == [train[1].text]


async def test_a_limit_and_a_budget_bound_what_the_teacher_is_asked(context, tmp_path, litellm_closed):
    async with Standin(ANSWERS) as server:
        spec = {"api_base": server.url, "mode": "generate", "input_price": 1_000.0, "output_price": 0.0}
        own = make_task(tmp_path / "mail", teacher=spec)
        arrive(context, own, *texts(Split.train, 12))
        few = await asyncio.to_thread(ask_teacher, context, own, None, 2)
        bounded = await asyncio.to_thread(ask_teacher, context, own, None, 0, few.cost_usd * 1.5)
    assert (few.answered, few.left, few.stopped) == (2, 10, None)
    assert (bounded.known, bounded.stopped is not None, server.requests) == (2, True, 2 + bounded.answered)
    assert bounded.answered < 10 and bounded.left == 10 - bounded.answered


async def test_a_preview_shows_prompt_and_cost_and_neither_asks_nor_stores(context, tmp_path, litellm_closed):
    (tmp_path / "mails.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts(Split.train, 10)))
    async with Standin(ANSWERS) as server:
        spec = {"api_base": server.url, "input_price": 2.0, "output_price": 10.0}
        folder = write_task(tmp_path / "mail", teacher=spec)
        told = preview(context, str(folder), str(tmp_path / "mails.jsonl"), limit=8)
    assert server.requests == 0 and library.documents(context.store, "mail") == []
    assert told.documents == 8 and 0 < told.cost_usd_low < told.cost_usd < told.cost_usd_high
    assert told.messages[0] == {"role": "system", "content": "Sort the mail. Answer with one word."}
    assert told.messages[-1] == {"role": "user", "content": texts(Split.train, 1)[0]}
    for shown in ("The landlord wants more.", texts(Split.train, 1)[0], "8 documents", "Nothing was asked."):
        assert shown in told.text


def test_a_preview_without_documents_or_prices_says_what_is_missing(context, tmp_path):
    folder = write_task(tmp_path / "mail", teacher={"api_base": "http://127.0.0.1:9/v1"})
    assert "No document yet" in preview(context, str(folder)).text
    own = find_task(context, str(folder))
    arrive(context, own, *texts(Split.train, 2))
    told = preview(context, "mail")
    assert told.cost_usd is None and "unknown: give teacher.input_price" in told.text


# --- collect


def test_training_is_due_when_enough_is_corrected_and_enough_of_it_new(context, task):
    documents = arrive(context, task, *texts(Split.train, 6))
    people_say(context, task, {d.id: "debt" for d in documents[:3]})
    assert _counted(context, task, "when enough", 3, []).due == "nothing"
    people_say(context, task, {documents[3].id: "debt"})
    found = _counted(context, task, "when enough", 1, [])
    assert (found.due, found.corrected, found.new) == ("train", 4, 4)
    freeze(context, task)
    assert _counted(context, task, "when enough", 0, []).due == "train"  # a dataset without a student is not trained
    student_of(context, task, freeze(context, task))
    people_say(context, task, {documents[4].id: "debt"})
    found = _counted(context, task, "when enough", 1, [])
    assert (found.due, found.new) == ("nothing", 1)
    assert found.why == "1 of 5 corrected documents are new; training needs 4 and 2 new"
    people_say(context, task, {documents[0].id: "lease"}, minutes=1)  # an edited correction is new too
    assert _counted(context, task, "when enough", 1, []).due == "train"


def test_test_documents_and_disputed_ones_do_not_count_towards_training(context, task):
    train, test = arrive(context, task, *texts(Split.train, 4)), arrive(context, task, *texts(Split.test, 3))
    people_say(context, task, {d.id: "debt" for d in [*train, *test]})
    people_say(context, task, {train[0].id: "lease"}, who="bob")
    found = _counted(context, task, "when enough", 8, [])
    assert (found.corrected, found.test_answers, found.disputed, found.due) == (3, 3, 1, "nothing")
    assert found.agreed == 0.0


def test_a_student_without_a_verdict_is_due_for_release_once_there_is_gold(context, task):
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 4))})
    student_of(context, task, freeze(context, task))
    assert _counted(context, task, "when enough", 0, []).due == "nothing"
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.test, 1))})
    found = _counted(context, task, "when enough", 1, [])
    assert (found.due, found.student) == ("release", HASH)
    assert _counted(context, task, "never", 1, []).due == "nothing"
    registry.add_verdict(context.store, verdict("mail", "v", hash_=HASH))
    assert _counted(context, task, "when enough", 0, []).due == "nothing"


def test_always_trains_on_little_but_not_on_nothing(context, task):
    assert _counted(context, task, "always", 0, []).due == "nothing"
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 1))})
    assert _counted(context, task, "always", 0, []).due == "train"
    assert _counted(context, task, "never", 0, []).due == "nothing"


def test_collecting_needs_the_desks_key_and_says_how_to_get_it(context, task):
    with pytest.raises(EnvironmentFault, match=r"no key for the review desk .*make up.*RETORT_ARGILLA_API_KEY"):
        collect_answers(context, "mail")


def test_over_all_tasks_one_with_faults_is_skipped_and_named(context, task):
    (task.folder / "task.yaml").write_text("name: [")
    found = collect_answers(context)
    assert found.tasks == [] and len(found.skipped) == 1
    assert found.skipped[0].startswith("mail: ") and "not valid YAML" in found.skipped[0]
    with pytest.raises(InputError, match="not valid YAML"):
        collect_answers(context, "mail")


# --- train


def test_the_same_rows_are_the_same_version_and_an_edited_correction_is_a_new_one(context, task):
    documents = arrive(context, task, *texts(Split.train, 3))
    people_say(context, task, {d.id: "debt" for d in documents})
    first = freeze(context, task)
    people_say(context, task, {documents[0].id: "debt"}, minutes=1)  # said again
    assert freeze(context, task) == first
    people_say(context, task, {documents[0].id: "privacy"}, minutes=2)
    second = freeze(context, task)
    assert (first.version, second.version) == (1, 2) and first.hash != second.hash
    assert rows_of(second)[documents[0].id]["messages"][-1]["content"] == "data"
    assert rows_of(first)[documents[0].id]["messages"][-1]["content"] == "debt"  # what was frozen stays
    people_say(context, task, {documents[0].id: "debt"}, minutes=3)
    assert freeze(context, task) == first
    assert len(registry.dataset_versions(context.store, "mail")) == 2


def test_a_teachers_answer_is_trained_on_only_when_it_is_sure_and_nobody_saw_it(context, task):
    sure, unsure, silent, seen, thrown, spoken = arrive(context, task, *texts(Split.train, 6))
    for document, confidence in ((sure, 0.9), (unsure, 0.89), (silent, None), (seen, 1.0), (thrown, 1.0)):
        teacher_says(context, task, document, "lease", confidence)
    people_say(context, task, {seen.id: "debt", spoken.id: "debt"})
    discarded = Correction(
        task="mail", document_id=thrown.id, reviewer="ann", value=None, discarded=True, answered_at=now()
    )
    corrections.save(context.store, [discarded])
    rows = rows_of(freeze(context, task))
    sources = {i: (row["source"], row["messages"][-1]["content"]) for i, row in rows.items()}
    corrected = ("correction", "debt")
    assert sources == {sure.id: ("trusted label", "lease"), seen.id: corrected, spoken.id: corrected}


def test_an_answer_to_an_older_prompt_is_not_trusted(context, task, tmp_path):
    old, new = arrive(context, task, *texts(Split.train, 2))
    teacher_says(context, task, old, "lease", 1.0)
    edited = make_task(tmp_path / "mail", instructions="Sort it anew.")
    teacher_says(context, edited, new, "debt", 1.0)
    assert rows_of(freeze(context, edited)).keys() == {new.id}


def test_what_reviewers_dispute_is_left_out_until_they_agree(context, task):
    agreed, disputed = arrive(context, task, *texts(Split.train, 2))
    teacher_says(context, task, disputed, "lease", 1.0)
    people_say(context, task, {agreed.id: "debt", disputed.id: "debt"})
    people_say(context, task, {disputed.id: "lease"}, who="bob")
    assert rows_of(freeze(context, task)).keys() == {agreed.id}
    people_say(context, task, {disputed.id: "debt"}, who="bob", minutes=1)
    assert rows_of(freeze(context, task)).keys() == {agreed.id, disputed.id}


def test_nothing_to_train_on_and_a_label_that_is_gone_are_said_in_a_sentence(context, task, tmp_path):
    with pytest.raises(InputError, match="no row to train on for task 'mail'"):
        freeze(context, task)
    [document] = arrive(context, task, *texts(Split.train, 1))
    people_say(context, task, {document.id: "tax"})
    with pytest.raises(InputError, match=f"{document.id} was answered 'tax', which is no label of mail any more"):
        freeze(context, task)


def test_an_unknown_recipe_is_refused_before_anything_is_frozen(context, task):
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 2))})
    with pytest.raises(InputError, match=r"no recipe 'gpu-900b': name one of cpu-135m"):
        train_student(context, "mail", "gpu-900b")
    assert registry.dataset_versions(context.store, "mail") == []


# --- release


@pytest.mark.parametrize("gate", [{"margin": 0.999}, {"max_unreadable_rate": 1.0}, {"confidence": 0.51}])
def test_what_a_task_may_say_of_its_gate_is_a_rule_and_a_margin_of_1_is_refused(tmp_path, gate):
    assert rule_of(make_task(tmp_path / "mail", gate=gate))
    with pytest.raises(InputError, match=r"gate\.margin: 1\.0: input should be less than 1"):
        make_task(tmp_path / "wide", gate={"margin": 1.0})


def test_a_labelling_that_a_person_stopped_says_so():
    counts = ("documents", "known", "elsewhere", "answered", "no_answer", "failed", "left")
    asked = {name: 0 for name in (*counts, "prompt_tokens", "completion_tokens")}
    asked |= {name: 0.0 for name in ("cost_usd", "seconds", "p50_ms", "p95_ms")}
    for stopped, expected in (("interrupted", True), ("budget of $1 used up", False), (None, False)):
        told = Labelled.model_construct(
            task="mail", arrived=Arrived(), asked=Asked(**asked, stopped=stopped), desk=None
        )
        assert told.interrupted is expected


def stopped_trial(context, folder, url, **spec):
    """A task with a student and six human-checked test documents that its teacher at `url` has not answered."""
    made = {"api_base": url, "mode": "generate", "input_price": 1.0, "output_price": 1.0, "max_in_flight": 1, **spec}
    task = find_task(context, str(write_task(folder, name="stopped", teacher=made, student={"api_base": url})))
    for split in (Split.train, Split.test):
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(split, 6))})
    student_of(context, task, freeze(context, task))
    return task


def test_an_interrupted_trial_judges_nothing_and_the_next_goes_on(context, tmp_path):
    def interrupt(stage, done, total, note):
        if stage == "asking teacher" and done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with teacher(tmp_path) as url:
        task = stopped_trial(context, tmp_path / "stopped", url)
        with pytest.raises(KeyboardInterrupt):
            release_student(replace(context, progress=interrupt), task.name)
        assert registry.task_verdicts(context.store, task.name) == []
        release_student(context, task.name)
    assert len(registry.task_verdicts(context.store, task.name)) == 1


def test_a_teacher_whose_budget_ends_in_the_trial_is_not_judged_by_what_it_was_not_asked(context, tmp_path):
    with teacher(tmp_path) as url:
        task = stopped_trial(context, tmp_path / "stopped", url, budget_usd=0.0)
        with pytest.raises(InputError, match=r"0 of 6 test documents only \(budget of \$0 used up\).*budget_usd"):
            release_student(context, task.name)
    assert registry.task_verdicts(context.store, task.name) == []


def test_release_refuses_what_it_cannot_judge_and_says_why(context, task, tmp_path):
    with pytest.raises(InputError, match="mail has no student yet: run `retort train --task mail`"):
        release_student(context, "mail")
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 2))})
    version = freeze(context, task)
    student_of(context, task, version)
    with pytest.raises(InputError, match="no test document of mail has an answer on which people agree"):
        release_student(context, "mail")
    with pytest.raises(InputError, match="0 students have a hash that begins with 'ffff'"):
        release_student(context, "mail", "ffff")
    letters = find_task(context, str(write_task(tmp_path / "letters", name="letters")))
    student_of(context, letters, version, "cd" * 32)
    with pytest.raises(InputError, match="student cdcdcdcdcdcd was trained for letters, not for mail"):
        release_student(context, "mail", "cd")


def test_release_refuses_a_student_that_was_trained_on_another_prompt(context, task, tmp_path):
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 2))})
    student_of(context, task, freeze(context, task))
    for changed in ({"instructions": "Sort it anew."}, {"document": {"max_characters": 60}}):
        write_task(tmp_path / "mail", **changed)
        with pytest.raises(InputError, match=r"prompt of mail was changed since student abababababab .*train again"):
            release_student(context, "mail")


# --- roll back


def test_a_rollback_needs_no_readable_task_but_a_known_one(context, task):
    store = context.store
    for number, hash_ in enumerate((HASH, "cd" * 32)):
        registry.add_verdict(store, verdict("mail", f"v{number}", hash_=hash_))
        registry.release(store, "mail", hash_, f"v{number}")
    by_folder = roll_back_task(context, str(task.folder))
    assert (by_folder.task, by_folder.before, by_folder.after) == ("mail", "mail@2", "mail@1")
    (task.folder / "task.yaml").write_text("name: [")
    assert roll_back_task(context, "mail").after is None and registry.live(store, "mail") is None
    with pytest.raises(StoreError, match="nothing to roll back"):
        roll_back_task(context, "mail")
    with pytest.raises(InputError, match="no task named 'mial'"):
        roll_back_task(context, "mial")


# --- harvest


def asked(*many):
    said = {"task": "mail", "value": "debt", "outcome": Outcome.answered, "model": "m", "release": None}
    return [Request(id=f"r{n}-{text}", text=text, **said) for n, text in enumerate(many)]


def test_a_harvest_brings_each_text_once_however_often_it_runs(context, task):
    [known, *new] = texts(Split.train, 3)
    arrive(context, task, known)
    traffic.record(context.store, asked(known, *new, new[0], "  "))
    first = harvest_traffic(context, "mail").tasks[0]
    again = harvest_traffic(context).tasks[0]
    assert (first.requests, first.added, first.known) == (5, 2, 1)
    assert (again.requests, again.added, again.known) == (0, 0, 0)
    assert first.unlabelled == again.unlabelled == 2  # an event that was lost is announced again
    documents = {d.text: d for d in library.documents(context.store, "mail")}
    assert documents.keys() == {known, *new}
    assert (documents[known].source, documents[new[0]].source) == ("test", "traffic")
    assert documents[new[0]].metadata == {"asked": 2}


def test_a_harvest_takes_the_oldest_requests_up_to_its_limit_and_goes_on_from_there(context, task):
    traffic.record(context.store, asked(*texts(Split.train, 5)))
    assert [bring_back(context, "mail", 2).added for _ in range(4)] == [2, 2, 1, 0]


def test_a_harvest_of_an_unknown_task_is_an_error_and_not_an_empty_harvest(context, task):
    with pytest.raises(InputError, match="no task named 'mial'"):
        harvest_traffic(context, "mial")
