"""How a board looks: its fields, questions and metadata, as Argilla takes them when a board is made.

The document, and below it what is told about it. One question an answer or property; where there are many labels, the
first twenty and the suggested one are shown and the rest is found by typing. Where values are extracted, one more
question marks in the document where they stand (`review.evidence`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from review import about, evidence, kept
from review.board import EXPECTED, WORTH
from review.form import Form, Question

SHARES = {EXPECTED: "How often answers this sure were right", WORTH: "Order of the queue (1: first)"}
"""Metadata between 0 and 1, with their titles."""
_MANY = 24
_VISIBLE = 20


def properties(columns: Iterable[kept.Column]) -> list[dict[str, Any]]:
    """The metadata that a board from before may lack, as Argilla's API takes it."""
    shares = {"type": "float", "min": 0.0, "max": 1.0}
    own = [{"name": n, "title": t, "settings": shares, "visible_for_annotators": True} for n, t in SHARES.items()]
    return [*own, *kept.properties(columns)]


def settings(
    argilla: Any,
    client: Any,
    form: Form,
    guidelines: str,
    reviewers: int,
    above: Mapping[str, str],
    columns: Iterable[kept.Column] = (),
) -> Any:
    """The settings of a new board. `argilla`: the SDK; `reviewers`: how many answers complete a record; `above`: texts
    that stand above the document (name -> title); `columns`: what reviewers filter by, the first in the menu.
    """
    shown = {**above, "document": "Document"}
    return argilla.Settings(
        guidelines=guidelines,
        fields=[
            *(argilla.TextField(name=n, title=t, use_markdown=False, client=client) for n, t in shown.items()),
            argilla.TextField(name=about.FIELD, title=about.TITLE, use_markdown=False, required=False, client=client),
        ],
        questions=[*(_question(argilla, client, q) for q in form.questions), *_marking(argilla, client, form)],
        metadata=[
            *_known(argilla, client, columns),
            argilla.FloatMetadataProperty(name="confidence", title="Confidence", min=0.0, max=1.0, client=client),
            *(
                argilla.FloatMetadataProperty(name=n, title=t, min=0.0, max=1.0, client=client)
                for n, t in SHARES.items()
            ),
            argilla.IntegerMetadataProperty(name="round", title="Round", client=client),
            argilla.TermsMetadataProperty(name="reason", title="Why it is here", client=client),
        ],
        distribution=argilla.TaskDistribution(min_submitted=reviewers),
    )


def _known(argilla: Any, client: Any, columns: Iterable[kept.Column]) -> list[Any]:
    """Before the desk's own: Argilla's menus show six, and the rest only to who scrolls."""
    kinds = {
        "terms": argilla.TermsMetadataProperty,
        "float": argilla.FloatMetadataProperty,
        "integer": argilla.IntegerMetadataProperty,
    }
    wanted = kept.properties(columns)
    return [kinds[one["settings"]["type"]](name=one["name"], title=one["title"], client=client) for one in wanted]


def _question(argilla: Any, client: Any, question: Question) -> Any:
    wording = question.wording
    common = {
        "name": question.name,
        "title": question.title,
        "description": wording.hint or None,
        "required": question.required,
        "client": client,
    }
    if wording.options:
        kind = {"label": argilla.LabelQuestion, "labels": argilla.MultiLabelQuestion}[wording.kind]
        visible = _VISIBLE if len(wording.options) > _MANY else None
        return kind(labels=dict(wording.options), visible_labels=visible, **common)
    return argilla.TextQuestion(use_markdown=False, **common)


def _marking(argilla: Any, client: Any, form: Form) -> list[Any]:
    names = evidence.fields(form)
    if not names:
        return []
    return [
        argilla.SpanQuestion(
            name=evidence.NAME,
            title=evidence.TITLE,
            description=evidence.HINT,
            field="document",
            labels=names,
            required=False,
            client=client,
        )
    ]
