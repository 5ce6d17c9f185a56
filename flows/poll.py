"""poll: what waits in the providers' batch APIs -> answers in the store -> what needs a person goes to the desk.

A poll, since no provider calls us: nothing waits, nothing is done. What expired unasked is handed in again, within the
budget; what failed is left to a person. Started by its schedule, off until switched on.

Run as:  retort label --task legal_intake --batch        or from the Prefect UI: deployment `batches`
"""

from prefect import flow
from pydantic import BaseModel

from flows.batches import InBatches, poll_batches, tasks_that_wait
from flows.context import Context, Runner, call, find_task
from flows.desk import send_to_desk
from flows.reporting import as_task, publish, reported_workplace
from records.errors import RetortError, ServiceError


class Polled(BaseModel):
    """One poll. `tasks`: those that had something waiting; `faults`: why one could not be looked after."""

    tasks: dict[str, InBatches] = {}
    faults: list[str] = []

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        lines = ["\n".join([f"**{name}**", *found.lines, *found.table]) for name, found in self.tasks.items()]
        return "\n\n".join([*lines, *(f"- {fault}" for fault in self.faults)]) or "Nothing waits in a batch."


@flow(name="poll")
def poll(task: str = "") -> Polled:
    """Look after the batches that were handed in.

    Args:
        task: A task by name or folder. Empty: every task that has something waiting.
    """
    with reported_workplace() as context:
        result = poll_all(context, task, run=as_task)
    publish("batches", task or "all", result.text)
    if result.faults:
        raise ServiceError("; ".join(result.faults))
    return result


def poll_all(context: Context, task: str = "", run: Runner = call) -> Polled:
    """The flow's work; one task's fault does not keep the others waiting."""
    result = Polled()
    for name in [task] if task else tasks_that_wait(context):
        try:
            found = find_task(context, name)
            told = result.tasks[found.name] = run(poll_batches)(context, found)
            if told.answered + told.no_answer:
                run(send_to_desk)(context, found)
        except RetortError as fault:
            result.faults.append(f"{name}: {fault}")
    return result
