"""How a teacher's confidence is read: a curve from what it states to how often it is right, kept once it was fitted.

Labels are accepted by it, and the audit's guarantee is for one set of accepted labels. So a curve does not follow every
answer: the first of a teacher and a prompt stays, until a person asks for a new one (`retort label --recalibrate`).
Old ones are kept. One real row:

    Calibration(task="mail", model="openai/gpt-4.1-mini", prompt="5b0c81f2...", number=1, slope=0.33, intercept=0.12,
                low=0.41, high=0.9998, answers=123, right=88)
"""

import math
from datetime import datetime

import sqlalchemy as sa
from pydantic import Field

from records.store import Store, row_of
from records.tables_people import calibrations as table
from records.types import Record, now

_SURE = 1e-6


class Curve(Record):
    """A logistic curve over the log-odds of a stated confidence (Platt 1999). It never falls.

    `low`, `high`: the least and the surest confidence it was fitted on; beyond them it is level. `answers`: how many it
    was fitted on; `right`: how many of these were.
    """

    slope: float = Field(ge=0)
    intercept: float
    low: float
    high: float
    answers: int
    right: int

    def of(self, stated: float) -> float:
        """How often answers that state this confidence are right, 0..1."""
        return 1 / (1 + math.exp(-self.intercept - self.slope * log_odds(min(self.high, max(self.low, stated)))))

    def reaches(self, share: float) -> float | None:
        """The lowest stated confidence that means this share or more; None where none does."""
        if self.of(self.high) < share:
            return None
        if self.of(self.low) >= share:
            return self.low
        return 1 / (1 + math.exp((self.intercept - log_odds(share)) / self.slope))


class Calibration(Curve):
    """A curve that is kept. Grain: one per task, teacher, prompt and number; the highest number counts."""

    task: str
    model: str
    prompt: str
    number: int
    made_at: datetime = Field(default_factory=now)


def log_odds(share: float) -> float:
    """From -13.8 to 13.8: whoever says 1.0 is taken to say 0.999999."""
    inside = min(1 - _SURE, max(_SURE, share))
    return math.log(inside / (1 - inside))


def newest(store: Store, task: str, model: str, prompt: str) -> Calibration | None:
    """The one that counts for this teacher and prompt; None before the first."""
    query = sa.select(table).where(table.c.task == task, table.c.model == model, table.c.prompt == prompt)
    with store.read() as db:
        found = db.execute(query.order_by(table.c.number.desc()).limit(1)).first()
    return Calibration.model_validate(dict(found._mapping)) if found else None


def add(store: Store, new: Calibration) -> None:
    """Keep one. Where another process has kept one of this number in the meantime, that one stays."""
    store.add(table, [row_of(new)])
