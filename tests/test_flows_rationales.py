"""The teacher's reasons on a real Argilla: beside its suggestions, and nowhere else."""

import json
from pathlib import Path
from typing import Any

import pytest
from fixtures_argilla import RunningArgilla
from fixtures_flows import arrive, people_say, teacher_says, texts
from task_folders import make_task, write_task
from test_flows_rounds import settings_of, step
from test_review_desk import everything_on

from flows.context import Context, find_task, workplace
from flows.desk import form_of, labels_of, open_desk, send_to_desk
from flows.history import document_history
from flows.label import label_documents
from flows.rationales import reasons_for
from flows.teacher import preview
from flows.train import freeze
from prompts.standin import Standin
from records import ledger, library, rationales, runs
from records.progress import silent
from records.types import DeskRecord, Split
from retort.overview import overview
from review.about import REASON

ANSWERS = ["lease", "debt", "privacy"]
PRICES = {"input_price": 2.0, "output_price": 10.0}
LABELS = {"kind": "choice", "labels": [{"name": name} for name in ANSWERS]}


def task_in(tmp_path: Path, name: str, review: dict[str, Any] | None = None, **changes: Any) -> str:
    teacher = {"mode": "generate", "rationale": True, **PRICES, **changes.pop("teacher", {})}
    rules = {"trust_above": 1.0, "unprompted_share": 0.0, **(review or {})}
    folder = write_task(
        tmp_path / name, name=name, answer=LABELS, examples=[], teacher=teacher, review=rules, **changes
    )
    return str(folder)


def file_of(tmp_path: Path, many: list[str]) -> str:
    (tmp_path / "mail.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in many))
    return str(tmp_path / "mail.jsonl")


def beside(context: Context, name: str) -> dict[str, str]:
    """What stands beside each document on the desk."""
    task = find_task(context, name)
    with open_desk(context) as desk:
        board = desk.find(task.name, form_of(task))
        assert board is not None
        return {r["external_id"]: r["fields"].get("About") or "" for r in everything_on(board)}


@pytest.mark.real
async def test_a_reviewer_is_told_the_teachers_reason_beside_its_suggestion_and_nowhere_else(
    tmp_path: Path, argilla: RunningArgilla
):
    marked = "<img src=x> " + texts(Split.train, 1, "debt")[0]
    many, test = [marked, *texts(Split.train, 4)[1:]], texts(Split.test, 2)
    folder = task_in(tmp_path, "reasoned", training={"min_corrections": 1})
    async with Standin(ANSWERS) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            first = await step(label_documents, context, folder, file_of(tmp_path, [*many, *test]))
            shown = beside(context, "reasoned")
            by_text = {d.text: d.id for d in library.documents(context.store, "reasoned")}
            asked = set(standin.explained)
            assert (len(shown), standin.explained.total()) == (6, 4)
            assert {i for i, told in shown.items() if told} == {by_text[text] for text in many} == asked
            assert shown[by_text[many[1]]].startswith(f'{REASON} It says "A roof and a ')
            assert f'{REASON} It says "<\u2060img src=x>' in shown[by_text[marked]]  # harmless
            assert "- reasons: 4 suggestions have the teacher's; 4 asked for now, for $0.00" in first.text

            again = await step(label_documents, context, folder)
            assert (again.desk.sent, standin.explained.total()) == (0, 4)
            assert "- reasons: none was asked for, as nothing was sent" in again.text
            told = preview(context, folder)
            assert told.rationales == 0 and "Nothing is left to ask: the teacher answered 6 documents" in told.text
            counts = standin.counts
            spent = counts["prompt_tokens"] * 2e-6 + counts["completion_tokens"] * 1e-5
            charged = runs.charges(context.store, "reasoned")
            assert ledger.spent(context.store, "reasoned") == pytest.approx(spent)
            assert first.desk.rationales and first.desk.rationales.cost_usd == sum(c.cost_usd for c in charged) > 0
            [status] = [one for one in overview(context.settings).tasks if one.name == "reasoned"]
            assert status.spent_usd == pytest.approx(spent)

            told = document_history(context, "reasoned", by_text[many[1]])
            [why] = [event for event in told.events if event.kind == "rationale"]
            assert why.cost_usd and f", ${why.cost_usd:.6f}" in why.did
            assert 'teacher, asked why it said lease: It says "A roof and a ' in told.text

            task = find_task(context, "reasoned")
            people_say(context, task, {by_text[text]: "lease" for text in many})
            frozen = freeze(context, task)
            rows = "".join(file.read_text() for file in Path(frozen.path).iterdir() if file.is_file())
            assert many[1] in rows and "so it is" not in rows and "reason (may be wrong)" not in rows


@pytest.mark.real
async def test_what_goes_blind_has_no_reason_even_where_there_is_one(tmp_path: Path, argilla: RunningArgilla):
    many = texts(Split.train, 6)
    folder = task_in(tmp_path, "blind", review={"unprompted_share": 0.5})
    async with Standin(ANSWERS) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            task = find_task(context, folder)
            documents = {document.id: document for document in arrive(context, task, *many)}
            for document in documents.values():
                teacher_says(context, task, document, "lease", 0.2)
            labels = labels_of(context, task, documents)
            seen = [
                DeskRecord(task="blind", document_id=i, round=1, reason="", blind=False, suggestion="lease")
                for i in documents
            ]
            known, _ = await step(reasons_for, context, task, seen, labels, documents)
            done = await step(send_to_desk, context, task)
            shown = beside(context, "blind")
    assert len(known) == standin.explained.total() == 6
    assert 0 < done.blind < 6 and done.reasons["asked without a suggestion"] == done.blind
    assert sum(bool(told) for told in shown.values()) == 6 - done.blind


@pytest.mark.real
async def test_a_round_goes_out_though_no_reason_comes_and_says_so(tmp_path: Path, argilla: RunningArgilla):
    many = texts(Split.train, 3)
    folder = task_in(tmp_path, "silent", teacher={"retries": 0})
    async with Standin(ANSWERS, faults={"500": 1.0}) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            task = find_task(context, folder)
            for document in arrive(context, task, *many):
                teacher_says(context, task, document, "lease", 0.2)
            done = await step(send_to_desk, context, task)
            shown = beside(context, "silent")
    assert (done.sent, sorted(shown.values())) == (3, ["", "", ""])
    assert done.rationales and done.rationales.shown == 0
    assert sum(done.rationales.why.values()) == 3 and "injected 500" in done.rationales.line
    assert "3 suggestions go without (" in done.rationales.line


@pytest.mark.real
async def test_a_runs_budget_holds_for_the_reasons_too(tmp_path: Path, argilla: RunningArgilla):
    folder = task_in(
        tmp_path, "thrifty", teacher={"input_price": 1e3, "output_price": 0.0, "max_in_flight": 1, "repair": False}
    )
    async with Standin(ANSWERS) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            source = file_of(tmp_path, texts(Split.train, 6))
            done = await step(label_documents, context, folder, source, "", 0, 0.6)
            spent, shown = ledger.spent(context.store, "thrifty"), beside(context, "thrifty")
    assert done.asked.answered > 0 and spent <= 0.6
    assert done.desk.rationales and 0 < done.desk.rationales.shown < done.asked.answered == done.desk.sent
    assert any("for this run used up" in cause for cause in done.desk.rationales.why)
    assert sum(bool(told) for told in shown.values()) == done.desk.rationales.shown


@pytest.mark.real
async def test_a_reason_does_not_outlive_the_suggestion_that_it_is_for(tmp_path: Path, argilla: RunningArgilla):
    both = texts(Split.train, 1, "lease and the debt")[0]
    folder = task_in(tmp_path, "renewed", document={"keep": ["date"]})
    (tmp_path / "mail.jsonl").write_text(json.dumps({"text": both, "date": "2024-02-29"}))
    async with Standin(ANSWERS) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            await step(label_documents, context, folder, str(tmp_path / "mail.jsonl"))
            [first] = beside(context, "renewed").values()
            standin.answers[:] = ["debt", "lease", "privacy"]
            task_in(tmp_path, "renewed", document={"keep": ["date"]}, instructions="Think again. Answer with one word.")
            second = await step(label_documents, context, folder)
            [told] = beside(context, "renewed").values()
    assert first.endswith("so it is lease.\n\ndate: 2024-02-29") and first.startswith(REASON)
    assert (second.desk.refreshed, told) == (1, "date: 2024-02-29")


async def test_nothing_is_asked_of_blind_records_a_logs_answers_and_while_it_is_barred(
    tmp_path: Path, context: Context
):
    async with Standin(ANSWERS) as standin:
        task = make_task(tmp_path / "mail", teacher={"rationale": True, "api_base": standin.url, **PRICES})
        documents = arrive(context, task, *texts(Split.train, 3))
        for document in documents:
            teacher_says(context, task, document, "lease", 0.5)
        labels = ledger.newest(context.store, "mail", "teacher")  # type: ignore[arg-type]
        labels[documents[2].id] = labels[documents[2].id].model_copy(update={"model": "logged:gpt"})
        common = {"task": "mail", "round": 1, "reason": "model unsure"}
        records = [
            DeskRecord(**common, document_id=documents[0].id, blind=True, suggestion="lease"),
            DeskRecord(**common, document_id=documents[1].id, blind=False, suggestion="lease"),
            DeskRecord(**common, document_id=documents[2].id, blind=False, suggestion="lease"),
        ]
        by_id = {document.id: document for document in documents}
        barred = await step(reasons_for, context, task, records, labels, by_id, None, "interrupted")
        assert (barred[0], barred[1].why, standin.requests) == ({}, {"interrupted": 1}, 0)
        said, sums = await step(reasons_for, context, task, records, labels, by_id)
        assert (set(said), sums.asked, sums.why) == ({documents[1].id}, 1, {})
        assert standin.explained.total() == 1
        known, sums = await step(reasons_for, context, task, records, labels, by_id, None, "interrupted")
        assert (known, sums.asked, sums.shown) == (said, 0, 1)
    assert rationales.of_document(context.store, "mail", documents[0].id) == []


def test_a_preview_says_what_the_reasons_cost_on_top(tmp_path: Path, context: Context):
    (tmp_path / "mail.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts(Split.train, 8)))
    source = str(tmp_path / "mail.jsonl")
    off = preview(context, str(write_task(tmp_path / "off", teacher=PRICES)), source)
    on = preview(
        context,
        str(write_task(tmp_path / "on", teacher={**PRICES, "rationale": True}, review={"max_per_round": 5})),
        source,
    )
    assert (off.rationales, on.rationales, on.cost_usd) == (0, 5, off.cost_usd)
    assert on.rationales_usd and on.rationales_usd > 5 * 120 * 1e-5
    assert "Then it is asked why of up to 5 suggestions, for about $0.0" in on.text and "asked why" not in off.text
