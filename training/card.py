"""A dataset's card (README.md beside the rows): what is in it, where it comes from, who answered, how far they agreed.

Written once, when the version is frozen, from facts that are true then; people may add to it (it is not part of the
version's hash). The head is that of a Hugging Face dataset card, so a dataset that is published shows it there.

    Facts(task="legal_intake", title="Legal intake", version=3, rows={"train": 207, "validation": 22}, ...)
"""

import json
from collections.abc import Mapping

from records.types import Record
from training.difference import Counts

CARD = "README.md"


class Facts(Record):
    """What a card tells. Counts are of documents in this version. Grain: one per dataset version.

    `labels`: rows by split and label; `answered_by`: `correction` or `trusted label`; `origins`: by where documents
    came from; `reviewers`: by person; `licences`: by what documents carry, "not stated" where they carry none;
    `agreement`: share of documents with several answers on which people agreed, and Krippendorff's alpha, over the
    whole task.
    """

    task: str
    title: str
    version: int
    hash: str
    prompt: str
    rows: dict[str, int]
    labels: Counts
    answered_by: dict[str, int]
    origins: dict[str, int]
    reviewers: dict[str, int]
    teacher: str
    licences: dict[str, int]
    compared: int = 0
    agreed: int = 0
    alpha: float | None = None
    left_out: int = 0


def card(facts: Facts) -> str:
    """The card (Markdown)."""
    known = [name for name in facts.licences if name != "not stated"]
    head = {"pretty_name": f"{facts.title}, version {facts.version}", "tags": ["retort"]}
    if len(known) == len(facts.licences) == 1:
        head["license"] = known[0]
    parts = [
        "---\n" + "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in head.items()) + "---",
        f"# {_plain(facts.title)}, version {facts.version}",
        f"Task `{facts.task}`, {sum(facts.rows.values())} rows, one per document. Content hash `{facts.hash[:12]}`, "
        f"prompt `{facts.prompt}`. The test split is no part of it and is never trained on.",
        _labels(facts),
        _table("Answered by", facts.answered_by),
        _people(facts),
        _table("Documents come from", facts.origins),
        _table("Licence of the documents", facts.licences),
    ]
    if facts.left_out:
        parts.append(f"{facts.left_out} rows were left out: nearly the same as documents that are held out.")
    return "\n\n".join(parts) + "\n"


def _labels(facts: Facts) -> str:
    splits = list(facts.rows)
    names = sorted({name for split in facts.labels.values() for name in split})
    total = {name: sum(facts.labels.get(split, {}).get(name, 0) for split in splits) for name in names}
    names.sort(key=lambda name: (-total[name], name))
    body = [[name, *(str(facts.labels.get(split, {}).get(name, 0)) for split in splits)] for name in names]
    body.append(["all", *(str(facts.rows[split]) for split in splits)])
    return _grid("Answers", ["answer", *splits], body)


def _people(facts: Facts) -> str:
    if not facts.reviewers:
        return f"No person answered; the teacher is `{facts.teacher}`."
    agreed = "No document was answered by several people, so agreement is not known."
    if facts.compared:
        alpha = "not defined (all said the same)" if facts.alpha is None else f"{facts.alpha:.2f}"
        agreed = (
            f"Of {facts.compared} documents of the task that several people answered, they agreed on {facts.agreed} "
            f"({facts.agreed / facts.compared:.0%}); Krippendorff's alpha {alpha}. "
            "Disputed ones are not in the dataset."
        )
    return f"{_table('People', facts.reviewers)}\n\n{agreed} Trusted labels are by `{facts.teacher}`."


def _table(title: str, counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return _grid(title, ["", "documents"], [[name, str(n)] for name, n in ordered])


def _grid(title: str, head: list[str], body: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return f"## {title}\n\n" + "\n".join("| " + " | ".join(map(_plain, line)) + " |" for line in lines)


def _plain(text: str) -> str:
    """On one line of a table, whatever a document's source or a label holds."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
