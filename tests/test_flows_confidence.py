"""The step that measures a teacher's confidence: on test documents, from what is stored, nothing asked."""

import math

import pytest
from fixtures_flows import arrive, people_say, teacher_says, texts
from task_folders import FIELDS, write_task

from flows.confidence import measure_confidence
from flows.context import find_task
from flows.desk import expected_accuracy
from flows.quality import accuracies
from prompts.render import prompt_fingerprint
from prompts.scoring import choose
from records import ledger
from records.errors import InputError
from records.types import DeskRecord, Label, Outcome, Role, Split


@pytest.fixture
def task(tmp_path, context):
    return find_task(context, str(write_task(tmp_path / "mail")))


def scored(context, task, document, scores):
    """An answer of the teacher that keeps its scores."""
    value, confidence = choose(scores, None)
    prompt = prompt_fingerprint(task, teaching=True)
    label = Label(
        key=document.id, task="mail", document_id=document.id, role=Role.teacher, model=task.teacher.model,
        prompt=prompt, outcome=Outcome.answered, value=value, confidence=confidence, scores=scores,
    )  # fmt: skip
    ledger.save(context.store, [label])
    return label


def far_too_sure(context, task):
    """8 test documents on which a teacher that is 98 % sure of `lease` is right on three of four."""
    documents = arrive(context, task, *texts(Split.test, 8), *texts(Split.train, 5))
    test = sorted((d for d in documents if d.split is Split.test), key=lambda d: d.id)
    labels = [scored(context, task, d, {"lease": 0.0, "debt": -4.0, "privacy": -9.0}) for d in documents]
    people_say(context, task, {d.id: "debt" if n < 2 else "lease" for n, d in enumerate(test)})
    people_say(context, task, {d.id: "privacy" for d in documents if d.split is Split.train})
    return labels


def test_an_overconfident_teacher_is_told_and_a_temperature_mends_it(context, task):
    far_too_sure(context, task)
    found = measure_confidence(context, "mail")
    stated, cooler, _ = found.readings
    assert found.documents == stated.reliability.answers == 8  # no train document: those were chosen by confidence
    assert stated.right.value == cooler.right.value == 0.75
    assert stated.reliability.error > 0.2 > cooler.reliability.error
    assert all(t > 2 for t in cooler.temperatures)
    assert "At no confidence are 95.0 % of its answers right" in found.text
    assert "| 0.9 to 1.0 | 8 | 98.2 % | 75.0 %" in found.text


def test_without_gold_and_confidence_it_says_what_to_do(context, task):
    with pytest.raises(InputError, match="have the records marked `test set` answered"):
        measure_confidence(context, "mail")


def test_the_desk_is_told_how_often_answers_as_sure_were_right_once_ten_were_measured(context, task):
    documents = arrive(context, task, *texts(Split.test, 12))
    labels = {d.id: scored(context, task, d, {"lease": 0.0, "debt": -4.0, "privacy": -9.0}) for d in documents}
    row = {"task": "mail", "round": 2, "reason": "model unsure", "blind": False, "suggestion": "lease"}
    records = [DeskRecord(document_id="new", score=0.95, **row), DeskRecord(document_id="low", score=0.2, **row)]
    people_say(context, task, {d.id: "lease" for d in documents[:9]})
    assert expected_accuracy(context, task, records) == {}
    people_say(context, task, {d.id: "debt" for d in documents[9:]})
    assert expected_accuracy(context, task, records) == {"new": 0.75}
    assert math.isclose(labels[documents[0].id].confidence, 0.982, abs_tol=1e-3)


def test_an_object_is_right_for_confidence_desk_and_advice_where_the_gate_would_call_it_so(context, tmp_path):
    task = find_task(context, str(write_task(tmp_path / "fields", FIELDS)))
    documents = arrive(context, task, *texts(Split.test, 12))
    for document in documents:
        teacher_says(context, task, document, {"party": "ACME Inc", "amount": 5}, 0.95)
    people_say(context, task, {d.id: {"party": "Acme inc.", "amount": 5.0} for d in documents})
    record = DeskRecord(
        task="fields", document_id="new", round=2, reason="model unsure", blind=False, suggestion={}, score=0.95
    )
    assert measure_confidence(context, "fields").readings[0].right.value == 1.0
    assert expected_accuracy(context, task, [record]) == {"new": 1.0}
    assert accuracies(context, task)["teacher_accuracy"].value == 1.0
