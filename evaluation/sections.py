"""What other rooms put into the report: a section of plain text, a table, a picture; and the learning curve's points.

    Section(title="How far reviewers agree", text=["Krippendorff's alpha is 0.81 (0.74 to 0.87)."],
            head=["Label", "alpha"], rows=[["lease", "0.84"]])

All of it is text and is escaped; a picture is a data URI of SVG, as `evaluation.plots` draws it. A flow makes sections
from what a room found (`flows.trial`), because rooms do not know each other.
"""

from pydantic import Field

from evaluation import plots
from evaluation.interval import Estimate
from records.types import Record


class Section(Record):
    """One section of the report. `rows` have as many cells as `head`; `picture` must be a data URI."""

    title: str
    text: list[str] = Field(default_factory=list)
    head: list[str] = Field(default_factory=list)
    rows: list[list[str]] = Field(default_factory=list)
    picture: str = Field(default="", pattern=r"^(data:image/svg\+xml;base64,[A-Za-z0-9+/=]+)?$")


class CurvePoint(Record):
    """One point of a learning curve. `rows`: corrected documents trained on; `fitted`: said ahead, not measured."""

    rows: int
    accuracy: Estimate
    fitted: bool = False


def learning_curve(points: list[CurvePoint], text: list[str]) -> Section:
    """The learning curve as a section. `text`: what more corrections would probably bring, in sentences."""
    measured = [(p.rows, p.accuracy) for p in points if not p.fitted]
    ahead = [(p.rows, p.accuracy) for p in points if p.fitted]
    return Section(title="What more corrections would bring", text=text, picture=plots.learning_curve(measured, ahead))
