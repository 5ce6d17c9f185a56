"""How everything stands: the services, and of each task its documents, answers, corrections, students and releases."""

from pydantic import BaseModel

from flows.settings import Settings
from records import batches, corrections, desk_log, ledger, library, registry, taskbook
from records.overrides import override_of
from records.store import Store
from records.types import Outcome, Role
from retort import stack
from retort.stack import Service


class TaskOverview(BaseModel):
    """One task in numbers. `live`: the release that answers, or the teacher."""

    name: str
    documents: dict[str, int]
    labelled: int
    in_batches: int
    spent_usd: float
    on_desk: int
    corrected: int
    disputed: int
    datasets: int
    students: list[str]
    last_verdict: str | None
    live: str
    override: str | None = None


class Overview(BaseModel):
    """All of it."""

    home: str
    services: list[Service]
    tasks: list[TaskOverview]

    @property
    def text(self) -> str:
        """For people."""
        lines = [f"{s.title:<18}{s.state:<12}{s.url}" for s in self.services]
        lines += [f"{'home':<18}{'':<12}{self.home}"]
        lines += [f"{'gateway key':<18}{'':<12}{self.home}/gateway.key"]
        for broken in (s for s in self.services if s.state in ("failed", "exited")):
            lines += ["", f"{broken.title} crashed. The end of {broken.log}:", broken.log_tail]
        for task in self.tasks:
            counts = ", ".join(f"{n} {split}" for split, n in sorted(task.documents.items()))
            lines += [
                "",
                task.name,
                f"  documents    {counts or 'none'}",
                f"  teacher      {task.labelled} answers, ${task.spent_usd:.4f} spent"
                + (f", {task.in_batches} wait in batches" if task.in_batches else ""),
                f"  desk         {task.on_desk} sent, {task.corrected} settled, {task.disputed} disputed",
                f"  students     {', '.join(task.students) or 'none'} ({task.datasets} dataset versions)",
                f"  verdict      {task.last_verdict or 'none'}",
                f"  live         {task.live}",
                *([f"               {task.override}"] if task.override else []),
            ]
        return "\n".join(lines)


def overview(settings: Settings) -> Overview:
    """Ask every service and read the store."""
    settings.folder()
    store = Store.open(settings.store)
    try:
        tasks = [_task(store, name) for name in taskbook.names(store)]
    finally:
        store.close()
    return Overview(home=str(settings.home), services=stack.status(settings), tasks=tasks)


def _task(store: Store, name: str) -> TaskOverview:
    settled = corrections.settled(store, name)
    verdicts, live = registry.task_verdicts(store, name), registry.live(store, name)
    return TaskOverview(
        name=name,
        documents=library.counts(store, name),
        labelled=sum(a.outcome is not Outcome.failed for a in ledger.newest(store, name, Role.teacher).values()),
        in_batches=sum(len(batches.open_keys(store, batch)) for batch in batches.batches(store, name)),
        spent_usd=ledger.spent(store, name),
        on_desk=len(desk_log.sent(store, name)),
        corrected=len(settled.gold),
        disputed=len(settled.disputed),
        datasets=len(registry.dataset_versions(store, name)),
        students=[student.model_name for student in registry.task_students(store, name)],
        last_verdict=str(verdicts[-1].report.get("headline", verdicts[-1].decision)) if verdicts else None,
        live=f"{live.name} (student-{live.student_hash[:12]})" if live else "the teacher",
        override=decided.sentence if live and (decided := override_of(store, live)) else None,
    )


def override_behind(settings: Settings, task: str, answered_by: str) -> str:
    """A line on the override by which the release that answered went live; empty where its verdict approves it."""
    store = Store.open(settings.store)
    try:
        named = answered_by.split(" ")[0]
        release = next((r for r in registry.releases(store, task) if r.name == named), None)
        found = override_of(store, release) if release else None
    finally:
        store.close()
    return f"\n{found.sentence}" if found else ""
