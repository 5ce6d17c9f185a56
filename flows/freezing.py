"""From answers to a frozen dataset version: rows, the look for leaks, the card. A step of `train`, and of others.

The same rows are the same version. What a dataset says of itself (card, manifest) is written with it, once.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from evaluation.agreement import agreement
from evaluation.people_agreement import units
from flows.calibrating import rules_of
from flows.context import Context
from prompts.pool import teacher_prompt
from prompts.render import answer_text, prompt_fingerprint, render
from prompts.task import Task
from records import corrections, desk_log, ledger, library, registry
from records.errors import InputError
from records.types import Answer, Correction, DatasetVersion, Document, Role, Split
from review.reasons import HELD_BACK, accepted
from training import card, dataset, leaks
from training.dataset import Row
from training.difference import label_counts

_LICENCE = ("license", "licence", "licenses", "licences")


def freeze(context: Context, task: Task) -> DatasetVersion:
    """Freeze all corrections and trusted labels as a dataset version; the same rows again are the same version.

    Raises InputError where a training row is nearly the same as a document that is held out (`training.leaks`).
    """
    gold = corrections.settled(context.store, task.name).gold
    all_documents = library.documents(context.store, task.name)
    documents = [d for d in all_documents if d.split in (Split.train, Split.validation)]
    rows = [_row(task, d, gold[d.id], "correction") for d in documents if d.id in gold]
    trusted = _trusted(context, task)
    rows += [_row(task, d, trusted[d.id], "trusted label") for d in documents if d.id in trusted]
    rows, left_out = _without_leaks(context, task, rows, all_documents)
    digest, known = dataset.content_hash(rows), registry.dataset_versions(context.store, task.name)
    same = next((version for version in known if version.hash == digest), None)
    if same:
        return same
    folder = _free_folder(context, task, 1 + max((v.version for v in known), default=0), digest)
    prompt = prompt_fingerprint(task, teaching=False)
    facts = _facts(context, task, rows, documents, int(folder.name), prompt, left_out)
    manifest = dataset.build(task.name, rows, folder, prompt, card.card(facts))
    learnt = {d.id: gold[d.id] for d in documents if d.id in gold}
    version = DatasetVersion(
        task=task.name,
        version=int(folder.name),
        hash=digest,
        path=str(folder),
        rows=manifest["rows"],
        manifest={**manifest, "corrected": corrections.digests(learnt)},
    )
    registry.add_dataset(context.store, version)
    return version


def _without_leaks(
    context: Context, task: Task, rows: list[Row], documents: list[Document]
) -> tuple[list[Row], list[str]]:
    """The rows that may be trained on, and the ids of those left out. Raises InputError where leaks are refused."""
    if not rows:
        return rows, []
    used = {row.document_id: row.split for row in rows}
    texts: dict[Split, dict[str, str]] = {split: {} for split in (Split.train, Split.validation, Split.test)}
    for document in documents:
        if document.split in texts and (document.split is Split.test or document.id in used):
            texts[document.split][document.id] = document.text
    context.progress("looking for leaks", 0, 1, f"{len(rows)} rows against {len(texts[Split.test])} test documents")
    held = {split.value: texts[split] for split in (Split.validation, Split.test)}
    found = leaks.find(texts[Split.train], held)
    # A validation row that a test document is like chooses the settings by what the test asks: it goes too.
    found += leaks.find(texts[Split.validation], {Split.test.value: texts[Split.test]})
    context.progress("looking for leaks", 1, 1, f"{len(found)} found")
    if task.training.leaks == "refuse":
        leaks.refuse(task.name, found)
    dropped = {one.trained for one in found}
    return [row for row in rows if row.document_id not in dropped], sorted(dropped)


def _facts(
    context: Context,
    task: Task,
    rows: list[Row],
    documents: list[Document],
    version: int,
    prompt: str,
    left_out: list[str],
) -> card.Facts:
    """What the card tells."""
    by_id = {d.id: d for d in documents}
    said = corrections.all(context.store, task.name)
    between = agreement(units(said))
    used = [by_id[row.document_id] for row in rows]
    return card.Facts(
        task=task.name,
        title=task.title,
        version=version,
        hash=dataset.content_hash(rows),
        prompt=prompt,
        rows={s.value: sum(row.split is s for row in rows) for s in (Split.train, Split.validation)},
        labels=label_counts(
            ((row.split.value, row.messages[-1]["content"]) for row in rows), {v: k for k, v in task.said.items()}
        ),
        answered_by=dict(Counter(row.source for row in rows)),
        origins=dict(Counter(d.source.partition("#")[0] for d in used)),
        reviewers=_reviewers(said, {row.document_id for row in rows}),
        teacher=task.teacher.model,
        licences=dict(Counter(_licence(d) for d in used)),
        compared=between.units,
        agreed=between.agreed,
        alpha=between.alpha.value,
        left_out=len(left_out),
    )


def _reviewers(said: list[Correction], used: set[str]) -> dict[str, int]:
    return dict(Counter(row.reviewer for row in said if row.document_id in used and not row.discarded))


def _licence(document: Document) -> str:
    stated = (str(value) for key, value in document.metadata.items() if key.lower() in _LICENCE)
    return next((value for value in stated if value.strip()), "not stated")


def _trusted(context: Context, task: Task) -> dict[str, Answer]:
    """The teacher's answers that nobody needs to check: accepted, seen by no person, not waiting for one as doubted.

    Random checks that wait are trained on: they are drawn from the accepted labels, and no worse than these.
    """
    prompt = teacher_prompt(context.store, task)
    labels = ledger.newest(context.store, task.name, Role.teacher, task.teacher.model, prompt)
    seen = {correction.document_id for correction in corrections.all(context.store, task.name)}
    sent = desk_log.sent(context.store, task.name)
    elsewhere = seen | {i for i, record in sent.items() if record.reason in HELD_BACK}
    rules = rules_of(context, task)
    return {
        i: label.value
        for i, label in labels.items()
        if label.value is not None and accepted(label, rules) and i not in elsewhere
    }


def _row(task: Task, document: Document, answer: Answer, source: Any) -> Row:
    try:
        said = {"role": "assistant", "content": answer_text(task, answer)}
    except KeyError:
        raise InputError(
            f"document {document.id} was answered {answer!r}, which is no label of {task.name} any more: "
            f"say in task.yaml what became of it: `was: [{answer}]` at the label (or the labels) that took its place."
        ) from None
    return Row(
        document_id=document.id,
        cluster=document.cluster,
        split=document.split,
        messages=[*render(task, document.text), said],
        source=source,
    )


def _free_folder(context: Context, task: Task, number: int, digest: str) -> Path:
    """The next version's folder. One that a kill left unregistered is taken over if it holds these rows."""
    root = context.settings.folder("datasets", task.name).absolute()
    while (root / str(number)).exists() and dataset.read_manifest(root / str(number))["hash"] != digest:
        number += 1
    return root / str(number)
