"""Near-duplicates labelled once (`document.label_near_duplicates_once`): one is asked about, the others get its answer.

Which documents are near-duplicates is their cluster, which the store settled when they arrived. A copy has the key
that the document's own answer would have, so it is not asked for again; it cost nothing, and `copied_from` names whose
answer it is. The test split is always asked in full: the gate measures the teacher by its own answers.

    ask about to_be_asked(store, task, endpoint, ids), then copy_answers(store, task, endpoint, ids)
"""

from collections.abc import Mapping, Sequence

from prompts.definition import Task
from prompts.endpoint import Endpoint
from prompts.fingerprint import answer_key
from prompts.pool import teacher_prompt
from records import kindred, ledger
from records.kindred import Place
from records.store import Store
from records.types import Label, Split


def to_be_asked(store: Store, task: Task, endpoint: Endpoint, ids: Sequence[str]) -> list[str]:
    """The documents less those that a near-duplicate's answer is or will be copied to: of each cluster the first."""
    if not task.document.label_near_duplicates_once:
        return list(ids)
    places, done = kindred.places(store, task.name, ids), _done(store, task, endpoint, ids)
    chosen, provided = list[str](), set(_answers(store, task, endpoint, places))
    for i in ids:
        if places[i].split is Split.test or i in done:
            chosen.append(i)
        elif places[i].cluster not in provided:
            provided.add(places[i].cluster)
            chosen.append(i)
    return chosen


def copy_answers(store: Store, task: Task, endpoint: Endpoint, ids: Sequence[str]) -> int:
    """Give each document without an answer that of a near-duplicate that was asked about; how many copies were new."""
    if not task.document.label_near_duplicates_once:
        return 0
    places, done = kindred.places(store, task.name, ids), _done(store, task, endpoint, ids)
    answers = _answers(store, task, endpoint, places)
    open_ = [i for i in ids if i not in done and places[i].split is not Split.test and places[i].cluster in answers]
    return ledger.add(store, [_copy(task, endpoint, i, answers[places[i].cluster]) for i in open_])


def _answers(store: Store, task: Task, endpoint: Endpoint, places: Mapping[str, Place]) -> dict[str, Label]:
    """By cluster."""
    prompt = teacher_prompt(store, task)
    return kindred.of_clusters(store, task.name, endpoint.model, prompt, [p.cluster for p in places.values()])


def _done(store: Store, task: Task, endpoint: Endpoint, ids: Sequence[str]) -> set[str]:
    """Those that have an answer of their own, or a copy."""
    prompt, page, done = teacher_prompt(store, task), 500, set[str]()
    for start in range(0, len(ids), page):
        keys = {answer_key(task.name, prompt, endpoint, i): i for i in ids[start : start + page]}
        done |= {keys[key] for key in ledger.answered_keys(store, keys)}
    return done


def _copy(task: Task, endpoint: Endpoint, document_id: str, answer: Label) -> Label:
    return Label(
        key=answer_key(task.name, answer.prompt, endpoint, document_id),
        task=task.name,
        document_id=document_id,
        role=answer.role,
        model=answer.model,
        prompt=answer.prompt,
        outcome=answer.outcome,
        value=answer.value,
        confidence=answer.confidence,
        scores=answer.scores,
        raw=answer.raw,
        copied_from=answer.document_id,
    )
