"""An extraction task whole: samples vote by field, people correct nested values on a real Argilla, a dataset, figures.

The schema has what contracts have: a list of objects, values that may be null, a date, an enumeration.
"""

import asyncio
import json
from pathlib import Path

import pytest
from fixtures_argilla import RunningArgilla
from fixtures_flows import texts
from task_folders import FIELDS, write_task

from evaluation.gate import Rule
from evaluation.judge import judge
from evaluation.score import candidate
from flows.collect import collect_answers
from flows.context import find_task, workplace
from flows.desk import form_of, open_desk
from flows.label import label_documents
from flows.settings import Settings
from flows.train import freeze
from prompts.litellm_door import close
from prompts.standin import Standin
from records import corrections, ledger, library
from records.progress import silent
from records.types import Answer, DeskRecord, Role, Split
from review import scripted
from review.board import Board
from review.desk import Desk

pytestmark = pytest.mark.real

PARTY = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "role": {"type": ["string", "null"]}},
    "required": ["name", "role"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "parties": {"type": "array", "items": PARTY},
        "signed": {"type": ["string", "null"], "format": "date"},
        "law": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "renews": {"enum": ["yes", "no", None]},
    },
    "required": ["parties", "signed", "law", "renews"],
    "additionalProperties": False,
}
ANNA = {"name": "Anna <b>", "role": None}
SAID: list[dict[str, object]] = [
    {"parties": [ANNA], "signed": "2024-02-29", "law": "Nevada", "renews": "yes"},
    {"parties": [ANNA], "signed": None, "law": "Nevada", "renews": "no"},
    {"parties": [], "signed": "2024-02-29", "law": "Nevada", "renews": "no"},
]
VOTED: Answer = {"parties": [ANNA], "signed": "2024-02-29", "law": "Nevada", "renews": "no"}
RIGHT: Answer = {"parties": [ANNA, {"name": "Ben", "role": "Seller"}], "signed": None, "law": None, "renews": "no"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    answer = {"kind": "json", "schema": SCHEMA}
    spec = {"samples": 3, "mode": "generate"}
    return write_task(tmp_path / "deeds", FIELDS, name="deeds", answer=answer, examples=[], teacher=spec)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    many = [*texts(Split.train, 6), *texts(Split.test, 3)]
    (tmp_path / "deeds.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in many))
    return tmp_path / "deeds.jsonl"


def suggestions_on(board: Board) -> list[dict[str, float]]:
    """How sure each field's suggestion is, of every record that has one."""
    names = {q["id"]: q["name"] for q in board.questions}
    found = board.desk.call("GET", f"/datasets/{board.id}/records", params={"include": ["suggestions"]})["items"]
    return [{names[s["question_id"]]: s["score"] for s in r["suggestions"]} for r in found if r["suggestions"]]


async def test_an_extraction_task_goes_from_samples_by_way_of_people_to_rows_and_figures(
    tmp_path: Path, folder: Path, documents: Path, argilla: RunningArgilla
):
    async with Standin([""], wavers=[json.dumps(one) for one in SAID]) as standin:
        chosen = Settings(
            home=tmp_path / "home", model_url=standin.url, argilla_url=argilla.url,
            argilla_api_key=argilla.key, store_url="", _env_file=None,
        )  # fmt: skip
        with workplace(silent, chosen) as context:
            labelled = await asyncio.to_thread(label_documents, context, str(folder), str(documents))
            await close()
            task = find_task(context, "deeds")
            gold = {d.id: RIGHT for d in library.documents(context.store, "deeds")}
            done = scripted.review(argilla.url, argilla.people.reviewers[0], "deeds", form_of(task), gold, 0.0)
            collected = collect_answers(context, "deeds", "never").tasks[0]
            labels = ledger.newest(context.store, "deeds", Role.teacher)
            with open_desk(context) as signed_in:
                suggested = suggestions_on(signed_in.find("deeds", form_of(task)))
            people = corrections.settled(context.store, "deeds").gold
            version = freeze(context, task)
    assert labelled.asked.answered == labelled.desk.sent == done.answered == 9
    assert {json.dumps(x.value, sort_keys=True) for x in labels.values()} == {json.dumps(VOTED, sort_keys=True)}
    third = pytest.approx(2 / 3)
    assert [x.confidence for x in labels.values()] == [third] * 9
    assert next(iter(labels.values())).scores == {"parties": third, "signed": third, "law": 1.0, "renews": third}
    assert suggested == [{"parties": third, "signed": third, "law": 1.0, "renews": third}] * 6  # none on test documents
    assert (people, collected.faults) == (gold, [])
    assert collected.kept == 0.0  # the suggestion came back as it was sent, so it is seen that nobody kept it
    rows = (Path(version.path) / "train.jsonl").read_text().splitlines()
    assert [json.loads(json.loads(r)["messages"][-1]["content"]) for r in rows] == [RIGHT] * 6
    who = candidate("big", "teacher", labels.values())
    fields = judge(people, who, candidate("small", "student", []), Rule()).teacher.fields
    shares = {name: estimate.value for name, estimate in fields.items()}
    assert shares == {"parties": 0.0, "signed": 0.0, "law": 0.0, "renews": 1.0}


def test_a_record_tells_how_often_answers_as_sure_were_right_also_on_a_board_from_before(desk: Desk):
    from test_review_desk import FORM, LABELS, everything_on

    board = desk.ensure("expected", FORM, "Read it.", LABELS)
    known = desk.call("GET", f"/me/datasets/{board.id}/metadata-properties")["items"]
    before = next(one["id"] for one in known if one["name"] == "expected_accuracy")
    desk.call("DELETE", f"/metadata-properties/{before}")
    board = desk.ensure("expected", FORM, "Read it.", LABELS)
    rows = [
        DeskRecord(
            task="expected", document_id=i, round=2, reason="model unsure", blind=blind, suggestion=said, score=s
        )
        for i, blind, said, s in (("d1", False, "nda", 0.41), ("d2", False, "nda", 0.9), ("d0", True, None, None))
    ]
    board.send(rows, {"d0": "a", "d1": "b", "d2": "c"}, expected={"d1": 0.55, "d0": 0.9})
    told = {r["external_id"]: r["metadata"].get("expected_accuracy") for r in everything_on(board)}
    assert told == {"d1": 0.55, "d2": None, "d0": None}
