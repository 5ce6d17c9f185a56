"""Rounds on a real Argilla: only what is new is sent, suggestions follow the newer model, labels change in between."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fixtures_argilla import RunningArgilla
from fixtures_flows import people_say, student_of, texts
from fixtures_serving import verdict
from task_folders import write_task
from test_flows_calibrating import made
from test_review_desk import answer, everything_on

from flows.boards import bring_up_to_date
from flows.collect import collect_answers
from flows.context import Context, find_task, workplace
from flows.desk import form_of, open_desk
from flows.history import document_history
from flows.label import label_documents
from flows.settings import Settings
from flows.train import freeze
from prompts.litellm_door import close
from prompts.standin import Standin
from records import corrections, registry
from records.progress import silent
from records.types import Split
from review.desk import Desk

pytestmark = pytest.mark.real

BOTH = "lease and the debt"
SPEC = {"mode": "generate", "list_labels": True}
REVIEW = {"trust_above": 1.0}


def labels(*specs: Any) -> dict[str, Any]:
    return {"kind": "choice", "labels": [s if isinstance(s, dict) else {"name": s} for s in specs]}


def task_in(tmp_path: Path, name: str, **changes: Any) -> str:
    answer_ = changes.pop("answer", labels("lease", "debt", "privacy"))
    document = {"keep": ["date"]}
    folder = write_task(
        tmp_path / name, name=name, answer=answer_, examples=[], document=document,
        teacher={**SPEC, **changes.pop("teacher", {})},
        review={**REVIEW, **changes.pop("review", {})}, **changes,
    )  # fmt: skip
    return str(folder)


def file_of(tmp_path: Path, many: list[str]) -> str:
    rows = [json.dumps({"text": text, "id": f"M-{n}", "date": "2024-02-29"}) for n, text in enumerate(many)]
    (tmp_path / "mail.jsonl").write_text("\n".join(rows))
    return str(tmp_path / "mail.jsonl")


def settings_of(tmp_path: Path, argilla: RunningArgilla, models: str) -> Settings:
    return Settings(
        home=tmp_path / "home", model_url=models, argilla_url=argilla.url,
        argilla_api_key=argilla.key, store_url="", _env_file=None,
    )  # fmt: skip


async def step(work: Callable[..., Any], *given: Any) -> Any:
    """A step as the command line runs it: in a thread without an event loop."""
    result = await asyncio.to_thread(work, *given)
    await close()
    return result


def suggested(context: Context, name: str) -> dict[str, tuple[Any, str]]:
    """What the desk shows beside each document: the suggestion, and whose it is."""
    task = find_task(context, name)
    with open_desk(context) as desk:
        board = desk.find(task.name, form_of(task))
        assert board is not None
        return {
            r["external_id"]: (s["value"], s["agent"]) for r in everything_on(board) for s in r["suggestions"]
        }  # fmt: skip


def say(context: Context, argilla: RunningArgilla, name: str, given: dict[str, str], who: int = 0) -> None:
    task = find_task(context, name)
    with open_desk(context) as desk:
        board = desk.find(task.name, form_of(task))
        assert board is not None
        answer(argilla, board, who, {i: {"answer": label} for i, label in given.items()})


async def test_a_second_round_sends_what_is_new_and_refreshes_what_nobody_answered(
    tmp_path: Path, argilla: RunningArgilla
):
    many, test = texts(Split.train, 4, BOTH), texts(Split.test, 1, BOTH)
    folder = task_in(tmp_path, "rounds")
    async with Standin(["lease", "debt", "privacy"]) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            first = await step(label_documents, context, folder, file_of(tmp_path, [*many[:3], *test]))
            ids = sorted(suggested(context, "rounds"))
            assert (first.desk.sent, first.desk.refreshed, len(ids)) == (4, 0, 3)
            say(context, argilla, "rounds", {ids[0]: "lease"})
            again = await step(label_documents, context, folder)
            assert (again.desk.sent, again.desk.refreshed) == (0, 0)

            standin.answers[:] = ["debt", "lease", "privacy"]
            task_in(tmp_path, "rounds", instructions="Think again. Answer with one word.")
            second = await step(label_documents, context, folder, file_of(tmp_path, [*many, *test]))
            assert (second.desk.sent, second.desk.refreshed, second.desk.round) == (1, 2, 2)
            shown = suggested(context, "rounds")
            assert [shown[i][0] for i in ids] == ["lease", "debt", "debt"]
            assert len(shown) == 4  # the test document has none, as before
            assert "- suggestions: 2 on the desk are newer now" in second.text
            say(context, argilla, "rounds", {ids[1]: "debt"})
            say(context, argilla, "rounds", {ids[1]: "lease"})
            collected = collect_answers(context, "rounds", "never").tasks[0]
            told = document_history(context, "rounds", ids[1])
    assert collected.corrected == 2
    assert [e.kind for e in told.events] == ["arrived", "model", "desk", "model", "suggestion", "person"]
    assert "showed a newer suggestion, by openai/tiny: debt" in told.text and told.gold == "lease"


async def test_labels_are_renamed_and_split_in_the_middle_of_a_campaign_and_no_answer_is_lost(
    tmp_path: Path, argilla: RunningArgilla
):
    folder = task_in(tmp_path, "relabelled")
    async with Standin(["lease", "debt", "privacy"]) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            await step(label_documents, context, folder, file_of(tmp_path, texts(Split.train, 3)))
            first, second, third = sorted(suggested(context, "relabelled"))
            say(context, argilla, "relabelled", {first: "lease", second: "debt", third: "privacy"})
            office, depot = ({"name": name, "was": ["lease"]} for name in ("office", "depot"))
            money = {"name": "money", "was": ["debt"]}
            task_in(tmp_path, "relabelled", answer=labels(office, depot, money, "privacy", "tax"))
            collected = collect_answers(context, "relabelled", "never").tasks[0]
            assert (collected.corrected, collected.disputed, collected.faults) == (2, 0, [])
            assert corrections.settled(context.store, "relabelled").gold == {second: "money", third: "privacy"}
            with open_desk(context) as desk:
                board = desk.find("relabelled", form_of(find_task(context, "relabelled")))
                records = {r["external_id"]: r for r in everything_on(board)}
            assert records[first]["status"] == "pending"
            assert records[first]["fields"]["About"].startswith(
                "Answered before: lease, by reviewer-1; this label was split since"
            )
            assert "\nSource: M-" in records[first]["fields"]["About"]
            assert records[second]["fields"]["About"].endswith("\ndate: 2024-02-29")
            say(context, argilla, "relabelled", {first: "depot"})
            assert collect_answers(context, "relabelled", "never").tasks[0].corrected == 3
            told = document_history(context, "relabelled", first).text
    assert "answered lease" in told and "answered depot, before: lease" in told


class Looking(Desk):
    """A desk that notes what is asked of it."""

    def call(self, method: str, path: str, *more: Any, **named: Any) -> Any:
        self.asked = [*getattr(self, "asked", ()), path]
        return super().call(method, path, *more, **named)


def test_boards_that_are_not_there_cost_one_look_and_a_move_that_was_cut_off_is_ended(
    tmp_path: Path, argilla: RunningArgilla
):
    folder = task_in(tmp_path, "looked")
    with workplace(silent, settings_of(tmp_path, argilla, "http://127.0.0.1:9/v1")) as context:
        task = find_task(context, folder)
        with open_desk(context) as opened:
            desk = Looking(opened.url, opened.client, opened.workspace)
            bring_up_to_date(context, desk, task, form_of(task))
            assert desk.asked == ["/me/datasets"]
            board = desk.ensure("looked", form_of(task), "Read it.")
            desk.call("PATCH", f"/datasets/{board.id}", {"name": "looked-before"})
            bring_up_to_date(context, desk, task, form_of(task))
            assert "looked" in desk.names() and "looked-before" not in desk.names()


async def test_the_live_students_answers_are_shown_where_the_task_wants_them(tmp_path: Path, argilla: RunningArgilla):
    folder = task_in(tmp_path, "studious", review={"refresh_with": "student"})
    async with Standin(["lease", "debt", "privacy"]) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            labelled = await step(label_documents, context, folder, file_of(tmp_path, texts(Split.train, 3, BOTH)))
            assert "- suggestions are the teacher's: no student is live" in labelled.text
            first, *rest = sorted(suggested(context, "studious"))
            task = find_task(context, "studious")
            people_say(context, task, {first: "lease"})
            made = student_of(context, task, freeze(context, task))
            registry.add_verdict(context.store, verdict("studious", "v1", hash_=made.hash))
            registry.release(context.store, "studious", made.hash, "v1")
            standin.answers[:] = ["debt", "lease", "privacy"]
            second = await step(label_documents, context, folder)
            shown = suggested(context, "studious")
    assert second.desk.refreshed == 2 and second.desk.note == ""
    assert {shown[i] for i in rest} == {("debt", made.model_name)} and shown[first] == ("lease", "teacher")


async def test_label_reads_the_teachers_confidence_by_people_once_they_answered_enough_and_anew_when_asked(
    tmp_path: Path, argilla: RunningArgilla
):
    folder = task_in(tmp_path, "calibrated", review={"max_per_round": 1}, teacher={"samples": 2})
    async with Standin(["lease", "debt", "privacy"]) as standin:
        with workplace(silent, settings_of(tmp_path, argilla, standin.url)) as context:
            task = find_task(context, folder)
            test = [d.id for d in made(context, task, Split.test, 110, "the lease")]
            first = await step(label_documents, context, folder)
            people_say(context, task, {i: "debt" if n % 4 == 0 else "lease" for n, i in enumerate(test[:100])})
            second = await step(label_documents, context, folder)
            people_say(context, task, {i: "debt" for i in test[100:]})
            third = await step(label_documents, context, folder)
            fourth = await step(partial(label_documents, recalibrate=True), context, folder)
    assert "- confidence counts as the teacher states it: 0 test documents" in first.text
    assert "- confidence calibrated on 100 test answers" in second.text
    assert third.desk.confidence == second.desk.confidence
    assert "- confidence calibrated on 110 test answers" in fourth.text
