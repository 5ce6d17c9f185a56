"""What else stands in the report of a trial: the learning curve, labels that nobody checked, the people who answered.

Rooms do not know each other, so a flow makes sections of the report from what each of them found.
"""

from evaluation import people_page
from evaluation.people import people_report
from evaluation.sections import CurvePoint, Section, learning_curve
from flows.audit import audit_of, table
from flows.context import Context
from flows.curves import curve_of
from flows.reviewers import material
from prompts.task import Task
from records import registry
from records.types import Student


def sections(context: Context, task: Task, student: Student) -> list[Section]:
    """All that there is something to say of."""
    return [*_curve(context, task, student), *_audit(context, task), *_people(context, task)]


def _curve(context: Context, task: Task, student: Student) -> list[Section]:
    version = registry.dataset(context.store, task.name, student.dataset_version)
    found = curve_of(context, task.name, version.hash) if version else None
    if found is None:
        return []
    measured = [CurvePoint(rows=p.rows, accuracy=p.accuracy) for p in found.points]
    ahead = [CurvePoint(rows=f.rows, accuracy=f.accuracy, fitted=True) for f in found.forecasts]
    return [learning_curve([*measured, *ahead], [f.sentence for f in found.forecasts])]


def _audit(context: Context, task: Task) -> list[Section]:
    found = audit_of(context, task)
    (head, rows), said = table(found), found.sentence
    return [Section(title="Labels that nobody checked", text=[said[0].upper() + said[1:]], head=head, rows=rows)]


def _people(context: Context, task: Task) -> list[Section]:
    given = material(context, task)
    if not given.corrections:
        return []
    report = people_report(given)
    first = Section(title="The people who answered", text=people_page.sentences(report))
    tables = [
        Section(title=title, head=list(heads), rows=[list(row) for row in rows])
        for title, heads, rows in people_page.tables(report)
        if rows
    ]
    return [first, *tables]
