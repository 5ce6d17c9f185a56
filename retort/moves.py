"""Two commands that are more than one step: take a release back; collect, train and release in one go."""

from pydantic import BaseModel

from flows.collect import AllCollected, collect_answers
from flows.context import Context, task_name
from flows.release import Judged, release_student
from flows.train import Trained, train_student
from serving.release import roll_back


class RolledBack(BaseModel):
    """The live pointer after a rollback; None: the teacher answers."""

    task: str
    before: str | None
    after: str | None
    text: str


class Retrained(BaseModel):
    """The three steps' results."""

    collected: AllCollected
    trained: Trained
    judged: Judged

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        return "\n\n".join((self.collected.text, self.trained.text, self.judged.text))


def roll_back_task(context: Context, task: str) -> RolledBack:
    """Point to the release before. Raises StoreError when nothing is live, InputError for an unknown task."""
    name = task_name(context, task)
    move = roll_back(context.store, name)
    return RolledBack(
        task=name,
        before=move.before.name if move.before else None,
        after=move.after.name if move.after else None,
        text=move.sentence,
    )


def retrain_task(context: Context, task: str) -> Retrained:
    """Collect, train and release."""
    collected = collect_answers(context, task, "always")
    trained = train_student(context, task)
    return Retrained(collected=collected, trained=trained, judged=release_student(context, task, trained.student))
