"""A model's answer as the suggestions that Argilla shows: one a question, each with how sure it is, and the marks.

One of them (grain: one per record and question):

    {"question_id": "...", "value": "lease", "score": 0.41, "agent": "teacher", "type": "model"}
"""

from collections.abc import Mapping
from typing import Any

from records.types import DeskRecord
from review import evidence
from review.form import Form

TEACHER = "teacher"


def suggestions(
    form: Form,
    ids: Mapping[str, str],
    record: DeskRecord,
    shown: str,
    by_field: Mapping[str, float],
    agent: str = TEACHER,
) -> list[dict[str, Any]]:
    """All suggestions for a record that has one. `ids`: question name -> its id on the desk; `shown`: the document as
    the desk has it; `by_field`: how sure each property is, where they differ.
    """
    assert record.suggestion is not None
    sure = {q.name: by_field.get(q.key or "", record.score) for q in form.questions}
    common = {"agent": agent, "type": "model"}
    found = [
        {"question_id": ids[name], "value": value, "score": _score(sure[name], value), **common}
        for name, value in form.write(record.suggestion).items()
    ]
    marks = evidence.marks(form, record.suggestion, shown) if evidence.NAME in ids else []
    marks = [mark for mark in marks if mark.end <= len(shown)]  # Argilla counts characters where the browser does units
    if marks:
        value = [{"label": mark.name, "start": mark.start, "end": mark.end} for mark in marks]
        scores = [sure[mark.name] for mark in marks]
        score = None if None in scores else scores
        found.append({"question_id": ids[evidence.NAME], "value": value, "score": score, **common})
    return found


def _score(score: float | None, value: Any) -> Any:
    """Argilla takes one score for one value, and as many as there are values for several."""
    return [score] * len(value) if isinstance(value, list) and score is not None else score
