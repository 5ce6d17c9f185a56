"""The nine invariants of the design, each held where it could break: real store, real steps, a stand-in for the models.

Nothing of ours is patched. A crash is made in the database (a trigger that refuses the write), not in our code.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures_flows import (
    ANSWERS,
    HASH,
    NOWHERE,
    arrive,
    context_at,
    ids,
    people_say,
    power_cut,
    student_of,
    teacher_says,
    texts,
)
from fixtures_serving import verdict
from task_folders import CHOICE, FIELDS, make_task

from evaluation.gate import gold_hash, rule_hash
from flows.harvest import bring_back
from flows.label import ask_teacher
from flows.release import release_student
from flows.train import freeze
from flows.trial import measure, rule_of
from prompts.endpoint import student_endpoint
from prompts.engine import label_many
from prompts.render import teaching_turns
from prompts.standin import Standin
from records import corrections, ledger, library, registry, taskbook, traffic
from records.errors import InputError, NotApproved
from records.split import cluster_of, split_of
from records.types import Decision, Outcome, Request, Role, Split
from review.routing import Reason, route
from serving.answering import Answering, NoAnswer
from serving.journal import Journal

pytestmark = pytest.mark.usefixtures("litellm_closed")
ROOT = Path(__file__).parents[1]
LETTERS = str.maketrans("0123456789", "abcdefghij")
OPEN_GATE = {
    "margin": 0.99,
    "label_margin": 0.99,
    "min_test_documents": 1,
    "max_unreadable_rate": 0.5,
    "load": {"in_flight": [1], "answers": 5},
}


def asked_about(standin, text):
    """The messages of the requests that were about this text."""
    return [body["messages"] for body in standin.bodies if body["messages"][-1]["content"] == text]


def task_at(folder, teacher_url, student_url=NOWHERE, definition=CHOICE, **sections):
    teacher = {"api_base": teacher_url, "mode": "generate", "input_price": 1.0, "output_price": 2.0, "retries": 0}
    spec = {"teacher": {**teacher, **sections.pop("teacher", {})}, "student": {"api_base": student_url}, **sections}
    return make_task(folder, definition, **spec)


def trained(context, task):
    """A student that came from what people corrected in the store."""
    return student_of(context, task, freeze(context, task))


def rows_of(version):
    """The rows of a frozen dataset, by document id."""
    lines = [(Path(version.path) / name).read_text().split("\n") for name in ("train.jsonl", "validation.jsonl")]
    return {row["document_id"]: row for file in lines for line in file if line for row in [json.loads(line)]}


# --- 1


@pytest.mark.parametrize(
    ("definition", "answer", "said"),
    [(CHOICE, "privacy", "data"), (FIELDS, {"party": "Anna", "amount": 5}, '{"amount": 5, "party": "Anna"}')],
)
async def test_1_one_prompt_is_trained_asked_gated_and_served(tmp_path, context, definition, answer, said):
    [text] = texts(Split.train, 1, about="data")
    text = f" \n{text} {'It is a long story. ' * 9}\n"  # with an outer margin, and longer than the task takes
    async with Standin([said]) as teacher, Standin([said]) as student:
        task = task_at(tmp_path / "t", teacher.url, student.url, definition, document={"max_characters": 80})
        taskbook.remember(context.store, task.name, task.fingerprint, task.folder, task.definition)
        [document] = arrive(context, task, text)
        people_say(context, task, {document.id: answer})
        made = trained(context, task)
        endpoint = student_endpoint(task, made.model_name, NOWHERE)
        await label_many(context.store, task, [document], endpoint, Role.student)
        await asyncio.to_thread(ask_teacher, context, task)
        registry.add_verdict(context.store, verdict(task.name, "v", hash_=HASH))
        journal = Journal(context.store)
        answering = Answering(context.store, NOWHERE, {}, journal)
        before = await answering.answer(task, text)
        registry.release(context.store, task.name, HASH, "v")
        after = await answering.answer(task, text)
        journal.close()
    [row] = rows_of(registry.dataset(context.store, task.name, 1)).values()
    *prompt, learnt = row["messages"]
    shown = text.strip()[:80]
    assert prompt == [{"role": "system", "content": task.instructions}, {"role": "user", "content": shown}]
    assert learnt == {"role": "assistant", "content": said}
    assert asked_about(student, shown) == [prompt, prompt]  # by the trial's way, and by the gateway
    system, *turns, user = (both := asked_about(teacher, shown))[0]
    assert both == [[system, *turns, user]] * 2 and turns == teaching_turns(task) and len(turns) > 1
    assert [system, user] == prompt
    assert (after.source, before.source) == (f"{task.name}@1 {made.model_name}", f"{task.name}@teacher openai/tiny")


async def test_1_a_long_document_is_cut_to_the_same_bytes_for_training_teacher_gate_and_gateway(tmp_path, context):
    [text] = texts(Split.train, 1, about="data")
    long = f"\n{text} {' '.join(f'On day {n} somebody wrote.' for n in range(300))} Signed: Anna\n"
    async with Standin(["data"]) as teacher, Standin(["data"]) as student:
        rules = {"max_tokens": 120, "keep_tail": 0.3}
        task = task_at(tmp_path / "t", teacher.url, student.url, document=rules)
        taskbook.remember(context.store, task.name, task.fingerprint, task.folder, task.definition)
        [document] = arrive(context, task, long)
        people_say(context, task, {document.id: "privacy"})
        made = trained(context, task)
        await label_many(
            context.store, task, [document], student_endpoint(task, made.model_name, NOWHERE), Role.student
        )
        await asyncio.to_thread(ask_teacher, context, task)
        registry.add_verdict(context.store, verdict(task.name, "v", hash_=HASH))
        registry.release(context.store, task.name, HASH, "v")
        journal = Journal(context.store)
        await Answering(context.store, NOWHERE, {}, journal).answer(task, long)
        journal.close()
    [row] = rows_of(registry.dataset(context.store, task.name, 1)).values()
    shown = row["messages"][1]["content"]
    assert shown.startswith(text) and shown.endswith("Signed: Anna") and "\n[...]\n" in shown
    assert len(asked_about(student, shown)) == 2 and len(asked_about(teacher, shown)) == 1
    sent = {message["content"] for body in (*student.bodies, *teacher.bodies) for message in body["messages"]}
    assert {content for content in sent if "somebody wrote" in content} == {shown}
    elsewhere = (
        "import sys; from pathlib import Path; from prompts.task import load_task; from prompts.render import render"
    )
    code = f"{elsewhere}; print(render(load_task(Path(sys.argv[1])), sys.stdin.read())[-1]['content'], end='')"
    command = [sys.executable, "-c", code, str(task.folder)]
    other = subprocess.run(command, input=long, capture_output=True, text=True, check=True, cwd=ROOT)
    assert other.stdout == shown


# --- 2


def test_2_a_test_document_is_never_trained_on_nor_is_one_much_like_it(tmp_path, context):
    task = make_task(tmp_path / "mail")
    test = texts(Split.test, 4)
    alike = [f"  {text.upper()} (0{n}/05/2031)!" for n, text in enumerate(test)]
    training = arrive(context, task, *texts(Split.train, 3), *texts(Split.validation, 2))
    held_out = arrive(context, task, *test, *alike)
    assert len(ids(held_out)) == 8
    people_say(context, task, {d.id: "lease" for d in [*training, *held_out]})
    teacher_says(context, task, arrive(context, task, test[0] + "?")[0], "lease", 1.0)
    assert rows_of(freeze(context, task)).keys() == ids(training)


def test_2_a_test_document_that_comes_back_with_traffic_a_year_later_stays_one(tmp_path, context):
    task = make_task(tmp_path / "mail")
    [old], [new] = texts(Split.test, 1), texts(Split.train, 1)
    arrive(context, task, old)
    asked = [old.replace("A ", "a "), f"{old} 2027-01-01", f"{new}"]
    said = {"value": "debt", "outcome": Outcome.answered, "model": "m", "release": 1}
    traffic.record(context.store, [Request(id=t, task=task.name, text=t, **said) for t in asked])
    assert bring_back(context, task.name).added == 3
    people_say(context, task, {d.id: "debt" for d in library.documents(context.store, task.name)})
    assert [row["messages"][1]["content"] for row in rows_of(freeze(context, task)).values()] == [new]


def test_2_the_order_of_arrival_changes_neither_split_nor_dataset(tmp_path):
    everything = [*texts(Split.test, 3), *texts(Split.validation, 2), *texts(Split.train, 5)]
    found = []
    for name, order in (("a", everything), ("b", everything[::-1])):
        context = context_at(tmp_path / name)
        task = make_task(tmp_path / f"mail-{name}")
        for some in (order[:4], order[4:]):
            documents = arrive(context, task, *some)
            people_say(context, task, {d.id: "debt" for d in documents})
        splits = {d.text: d.split for d in library.documents(context.store, task.name)}
        found.append((splits, freeze(context, task).hash))
        context.store.close()
    assert found[0] == found[1]
    assert sorted(found[0][0].values()) == ["test"] * 3 + ["train"] * 5 + ["validation"] * 2


def test_2_near_duplicates_share_a_split_and_one_between_two_splits_is_in_neither(tmp_path, context):
    task = make_task(tmp_path / "mail")
    endings = ("alo", "eri", "ima", "uno", "oto", "ise", "ana", "ulo")
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in endings for c in "st"]

    def side(split, places):
        for n in itertools.count():
            other = str(n).translate(LETTERS)
            text = " ".join(f"{word}{other}" if at in places else word for at, word in enumerate(words))
            if split_of(cluster_of(text)) is split:
                return text

    sides = {Split.test: side(Split.test, range(7)), Split.train: side(Split.train, range(73, 80))}
    between = " ".join(words)
    near_test = sides[Split.test] + " addendum"
    for text in (*sides.values(), between, near_test):
        arrive(context, task, text)
    splits = {d.text: d.split for d in library.documents(context.store, task.name)}
    assert splits == {
        sides[Split.test]: Split.test,
        sides[Split.train]: Split.train,
        between: Split.withheld,
        near_test: Split.test,
    }
    people_say(context, task, {d.id: "debt" for d in library.documents(context.store, task.name)})
    assert {row["messages"][1]["content"] for row in rows_of(freeze(context, task)).values()} == {sides[Split.train]}


# --- 3


@pytest.mark.parametrize(
    ("student_says", "right"), [(ANSWERS, 0.5), (["lease"], 1.0)], ids=["like the teacher", "like people"]
)
async def test_3_gold_is_what_people_said_and_the_teacher_is_measured_by_it_too(tmp_path, context, student_says, right):
    async with Standin(ANSWERS) as teacher, Standin(student_says) as student:
        task = task_at(tmp_path / "mail", teacher.url, student.url)
        documents = arrive(context, task, *texts(Split.test, 3, "lease"), *texts(Split.test, 3, "debt"))
        people_say(context, task, {d.id: "lease" for d in documents})  # of which the teacher calls one half debts
        people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 2))})
        made = trained(context, task)
        report = (await asyncio.to_thread(measure, context, task, made)).report
    assert (report["documents"], report["teacher"]["accuracy"]["value"]) == (6, 0.5)
    assert report["student"]["accuracy"]["value"] == right


async def test_3_test_documents_go_to_people_blind_however_sure_the_teacher_is(tmp_path, context):
    async with Standin(ANSWERS) as teacher:
        task = task_at(tmp_path / "mail", teacher.url, teacher={"mode": "auto"})
        test = arrive(context, task, *texts(Split.test, 3))
        arrive(context, task, *texts(Split.train, 3))
        await asyncio.to_thread(ask_teacher, context, task)
    labels = ledger.newest(context.store, task.name, Role.teacher)
    assert len(labels) == 6 and all(label.confidence > 0.9 for label in labels.values())
    sent = route(library.documents(context.store, task.name), labels, {}, 0.9, None, 1)
    assert ids(sent) == ids(test)
    assert {(r.blind, r.suggestion, r.score) for r in sent} == {(True, None, None)}


# --- 4


def test_4_no_release_without_an_approved_verdict_that_names_this_student(tmp_path, context):
    task, store = make_task(tmp_path / "mail"), context.store
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 2))})
    version = freeze(context, task)
    for hash_ in (HASH, "cd" * 32):
        student_of(context, task, version, hash_)
    registry.add_verdict(store, verdict("mail", "rejected", Decision.rejected, HASH))
    registry.add_verdict(store, verdict("mail", "unsure", Decision.inconclusive, HASH))
    registry.add_verdict(store, verdict("mail", "of another student", hash_="cd" * 32))
    registry.add_verdict(store, verdict("letters", "of another task", hash_=HASH))
    for id_ in ("none", "rejected", "unsure", "of another student", "of another task"):
        with pytest.raises(NotApproved):
            registry.release(store, "mail", HASH, id_)
    assert (registry.live(store, "mail"), registry.releases(store, "mail")) == (None, [])
    registry.add_verdict(store, verdict("mail", "approved", hash_=HASH))
    assert registry.release(store, "mail", HASH, "approved") == registry.live(store, "mail")


@pytest.mark.parametrize(("gate", "decision"), [(OPEN_GATE, Decision.approved), ({}, Decision.inconclusive)])
async def test_4_a_verdict_names_student_test_set_and_rule_and_is_not_asked_for_twice(
    tmp_path, context, gate, decision
):
    async with Standin(ANSWERS) as server:
        task = task_at(tmp_path / "mail", server.url, server.url, gate=gate)
        checked = ids(arrive(context, task, *texts(Split.test, 4)))
        people_say(context, task, dict.fromkeys(checked, "lease"))
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.train, 2))})
        made = trained(context, task)
        judged = await asyncio.to_thread(release_student, context, str(task.folder))
        requests = server.requests
        again = await asyncio.to_thread(release_student, context, str(task.folder))
        assert (again.verdict, again.released, server.requests) == (judged.verdict, judged.released, requests)
        live = registry.live(context.store, task.name)
        people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.test, 5)[4:])})
        await asyncio.to_thread(release_student, context, str(task.folder), "", False)
    first, second = registry.task_verdicts(context.store, task.name)
    assert (first.id, first.decision, first.student_hash) == (judged.verdict, decision, made.hash)
    assert first.test_set_hash == gold_hash(dict.fromkeys(checked, "lease"))
    assert first.rule_hash == second.rule_hash == rule_hash(rule_of(task))
    assert first.test_set_hash != second.test_set_hash and server.requests > requests
    assert (live.verdict_id if live else None) == (first.id if decision is Decision.approved else None)
    assert judged.released == (live.name if live else None)


async def test_4_a_verdict_in_which_calls_failed_gives_way_once_they_are_answered(tmp_path, context):
    async with Standin(ANSWERS, faults={"400": 0.5}) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher.url, student.url, gate=OPEN_GATE)
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.test, 8))})
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.train, 2))})
        trained(context, task)
        first = await asyncio.to_thread(release_student, context, str(task.folder), "", False)
        teacher.faults, asked = {}, student.requests
        second = await asyncio.to_thread(release_student, context, str(task.folder), "", False)
    failed = [v.report["teacher"]["failed"]["value"] for v in registry.task_verdicts(context.store, task.name)]
    assert first.verdict != second.verdict and failed[0] > 0 and failed[1] == 0
    assert student.requests == asked and set(teacher.answered.values()) == {1}


# --- 5


async def test_5_unreadable_is_an_outcome_counted_and_shown_never_a_silent_value(tmp_path, context):
    async with Standin(ANSWERS, faults={"garbage": 1.0}) as server, Standin(ANSWERS) as well:
        task = task_at(tmp_path / "mail", server.url, server.url)
        documents = arrive(context, task, *texts(Split.train, 3))
        asked = await asyncio.to_thread(ask_teacher, context, task)
        labels = ledger.newest(context.store, task.name, Role.teacher)
        assert (asked.answered, asked.no_answer, asked.failed) == (0, 3, 0)
        assert asked.reasons == {"unreadable: not_a_label": (3, "not a label: 'Well, that depends!'")}
        assert {(x.outcome, x.value, x.raw) for x in labels.values()} == {
            (Outcome.unreadable, None, "Well, that depends!")
        }
        assert {r.reason for r in route(documents, labels, {}, 0.0, None, 1)} == {Reason.unreadable}
        with pytest.raises(InputError, match="no row to train on"):
            freeze(context, task)
        journal = Journal(context.store)
        with pytest.raises(NoAnswer, match="unreadable"):
            await Answering(context.store, NOWHERE, {}, journal).answer(task, documents[0].text)
        journal.close()
        [request] = traffic.requests(context.store, task.name)
        assert (request.outcome, request.value) == (Outcome.unreadable, None)
        people_say(context, task, {d.id: "lease" for d in documents})
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.test, 4))})
        made = trained(context, task)
        fine = task_at(tmp_path / "mail", well.url, server.url)
        judged = await asyncio.to_thread(measure, context, fine, made)
    student = judged.report["student"]
    assert (student["accuracy"]["value"], student["unreadable"]["value"], student["failed"]["value"]) == (0, 1, 0)
    assert judged.decision is Decision.rejected
    assert any("no readable answer on 100" in reason for reason in judged.reasons)
    assert "no readable answer on 100" in Path(judged.report_path).read_text()


# --- 6


async def test_6_money_is_asked_for_once_from_labelling_to_the_gate(tmp_path, context):
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher.url, student.url)
        arrive(context, task, *texts(Split.train, 4), *texts(Split.test, 4))
        first = await asyncio.to_thread(ask_teacher, context, task)
        spent = ledger.spent(context.store, task.name)
        second = await asyncio.to_thread(ask_teacher, context, task)
        assert (first.answered, second.known, second.answered, second.cost_usd) == (8, 8, 0, 0)
        people_say(context, task, {d.id: "lease" for d in library.documents(context.store, task.name)})
        await asyncio.to_thread(measure, context, task, trained(context, task))
        assert teacher.requests == 8 and set(teacher.answered.values()) == {1}
        assert ledger.spent(context.store, task.name) == spent > 0
        other = task_at(tmp_path / "mail", teacher.url, student.url, instructions="Sort it with care.")
        third = await asyncio.to_thread(ask_teacher, context, other)
    assert (third.known, third.answered, teacher.requests) == (0, 8, 16)
    assert ledger.spent(context.store, task.name) > spent


# --- 7


def test_7_a_dataset_folder_that_a_crash_left_unregistered_is_taken_over(tmp_path, context):
    task = make_task(tmp_path / "mail")
    people_say(context, task, {d.id: "debt" for d in arrive(context, task, *texts(Split.train, 3))})
    with power_cut(context, "datasets"):
        freeze(context, task)
    folder = context.settings.home / "datasets" / "mail"
    left = (folder / "1" / "train.jsonl").stat()
    assert registry.dataset_versions(context.store, task.name) == []
    version = freeze(context, task)
    assert [p.name for p in folder.iterdir()] == ["1"] == [str(version.version)]
    assert (Path(version.path) / "train.jsonl").stat() == left


def test_7_a_folder_left_by_a_crash_whose_rows_have_changed_since_is_passed_by(tmp_path, context):
    task = make_task(tmp_path / "mail")
    documents = arrive(context, task, *texts(Split.train, 3))
    people_say(context, task, {d.id: "debt" for d in documents})
    with power_cut(context, "datasets"):
        freeze(context, task)
    people_say(context, task, {documents[0].id: "lease"}, minutes=1)
    version = freeze(context, task)
    assert (version.version, len(registry.dataset_versions(context.store, task.name))) == (2, 1)
    assert rows_of(version)[documents[0].id]["messages"][-1]["content"] == "lease"


async def test_7_the_report_is_whole_before_the_verdict_and_the_pointer_moves_with_its_release(tmp_path, context):
    async with Standin(ANSWERS) as server:
        task = task_at(tmp_path / "mail", server.url, server.url, gate=OPEN_GATE)
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.test, 4))})
        people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.train, 2))})
        made = trained(context, task)
        reports = context.settings.home / "reports"
        reports.write_text("no folder can be made here")
        with pytest.raises(OSError):
            await asyncio.to_thread(measure, context, task, made)
        assert registry.task_verdicts(context.store, task.name) == []
        reports.unlink()
        with power_cut(context, "verdicts"):
            await asyncio.to_thread(measure, context, task, made)
        assert [p.suffix for p in (reports / "mail").iterdir()] == [".html"]
        with power_cut(context, "live"):
            await asyncio.to_thread(release_student, context, str(task.folder))
        assert (registry.releases(context.store, "mail"), registry.live(context.store, "mail")) == ([], None)
        judged = await asyncio.to_thread(release_student, context, str(task.folder))
    assert judged.released == "mail@1" and Path(judged.report).is_file()
    assert [p.name for p in (reports / "mail").iterdir()] == [Path(judged.report).name]


def test_7_a_harvest_that_a_crash_stopped_brings_every_request_once(tmp_path, context):
    said = {"task": "mail", "value": "debt", "outcome": Outcome.answered, "model": "m", "release": None}
    traffic.record(context.store, [Request(id=t, text=t, **said) for t in texts(Split.train, 3)])
    with power_cut(context, "requests", "UPDATE"):
        bring_back(context, "mail")
    again = bring_back(context, "mail")
    assert (again.requests, again.added, again.known) == (3, 0, 3)
    assert traffic.unharvested(context.store, "mail") == []
    assert len(library.documents(context.store, "mail")) == 3


# --- 8

IMPORTER = """
import importlib, json, os, sys
written, seen = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, []
does = {"socket.connect", "socket.getaddrinfo", "os.putenv", "os.unsetenv", "os.mkdir", "os.rename", "os.remove",
        "os.rmdir", "os.chmod", "subprocess.Popen", "os.posix_spawn", "os.fork", "os.system", "sqlite3.connect"}

def watch(event, given):
    if event == "open" and (set(given[1] or "") & set("wax+") or (given[2] or 0) & written) or event in does:
        seen.append([event, repr(given)])

before = dict(os.environ)
sys.addaudithook(watch)
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as fault:
        failed[name] = fault.name
changed = dict(os.environ) != before
print(json.dumps({"seen": seen, "failed": failed, "environment": changed, "modules": list(sys.modules)}))
"""
ELSEWHERE = {"review.embedded", "training.plugin", "training.merge", "training.dequantise", "training.gguf_fields"}
SLOW = {"litellm", "sklearn", "matplotlib", "scipy", "argilla", "datasets", "torch", "xllamacpp", "prefect", "jinja2"}


def import_in_a_process(names, home):
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home), "PREFECT_HOME": str(home)}
    line = [sys.executable, "-c", IMPORTER, *names]
    done = subprocess.run(line, cwd=ROOT, env={**environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def modules_of(*rooms):
    files = sorted(file.relative_to(ROOT).with_suffix("") for room in rooms for file in (ROOT / room).rglob("*.py"))
    names = [".".join(file.parts).removesuffix(".__init__") for file in files]
    return [n for n in names if "migrations" not in n and not n.startswith(tuple(ELSEWHERE))]


def test_8_importing_does_nothing_and_waits_for_no_slow_vendor(tmp_path):
    rooms = ("records", "prompts", "review", "training", "evaluation", "serving", "retort")
    names = [name for name in modules_of(*rooms) if name != "retort.moves"]  # it stands on the flows
    assert len(names) > 80
    found = import_in_a_process([*names, "flows.settings", "flows.context"], tmp_path)
    assert found["seen"] == []
    assert (found["failed"], found["environment"]) == ({}, False)
    assert SLOW & set(found["modules"]) == set()


def test_8_importing_the_flows_brings_prefect_and_nothing_else(tmp_path):
    found = import_in_a_process([*modules_of("flows"), "retort.moves"], tmp_path)
    assert found["seen"] == []
    assert (found["failed"], found["environment"]) == ({}, False)
    assert SLOW & set(found["modules"]) == {"prefect"}


@pytest.mark.parametrize(
    "does",
    ["open('x', 'a')", "import os; os.environ['X'] = '1'", "import socket; socket.create_connection(('127.0.0.1', 9))"],
)
def test_8_an_import_that_does_something_is_caught(tmp_path, does):
    (tmp_path / "doer.py").write_text(f"try:\n    {does}\nexcept OSError:\n    pass\n")
    line = [sys.executable, "-c", IMPORTER, "doer"]
    done = subprocess.run(line, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True)
    assert json.loads(done.stdout)["seen"]


# --- 9


async def test_9_from_an_answer_in_production_one_can_walk_back_to_teacher_and_people(tmp_path, context):
    store = context.store
    async with Standin(ANSWERS) as teacher, Standin(ANSWERS) as student:
        task = task_at(tmp_path / "mail", teacher.url, student.url, gate=OPEN_GATE, teacher={"mode": "auto"})
        documents = arrive(context, task, *texts(Split.train, 6), *texts(Split.test, 3))
        await asyncio.to_thread(ask_teacher, context, task)
        people_say(context, task, {d.id: "debt" for d in documents[3:]})  # the first three are trusted
        trained(context, task)
        await asyncio.to_thread(release_student, context, str(task.folder))
        journal = Journal(store)
        served = await Answering(store, NOWHERE, {}, journal).answer(task, "A new lease")
        journal.close()
    [request] = [r for r in traffic.requests(store, "mail") if r.id == served.id]
    [release] = [r for r in registry.releases(store, request.task) if r.number == request.release]
    [verdict] = [v for v in registry.task_verdicts(store, "mail") if v.id == release.verdict_id]
    assert verdict.student_hash == release.student_hash and verdict.decision is Decision.approved
    made = registry.student(store, verdict.student_hash)
    assert request.model == f"openai/{made.model_name}"
    version = registry.dataset(store, "mail", made.dataset_version)
    assert version.hash == made.training["dataset_hash"] == verdict.report["lineage"]["dataset_hash"]
    people = {c.document_id: c for c in corrections.all(store, "mail")}
    teachers = ledger.newest(store, "mail", Role.teacher, task.teacher.model)
    rows = rows_of(version)
    assert rows.keys() == ids(documents[:6])
    for document in documents[:6]:
        row = rows[document.id]
        assert row["messages"][1]["content"] == library.get(store, "mail", [document.id])[document.id].text
        assert teachers[document.id].value == "lease" and teachers[document.id].raw == "lease"
        assert row["source"] == ("correction" if document.id in people else "trusted label")
        origin = people.get(document.id) or teachers[document.id]
        assert row["messages"][-1]["content"] == origin.value
    assert [row["source"] for row in rows.values()].count("correction") == 3
