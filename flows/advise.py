"""advise: should this task be prompted or fine-tuned? The six steps and the economics, on what the store knows.

The form is for what nobody measured; what is given there is remembered for the next time. Monthly, over every task that
was ever advised on (off until switched on): it says when the answer is another than the last time, and tells the other
deployments by an event. A task that has no folder yet can be advised on by the form alone.

Run as:  retort advise --task legal_intake        or from the Prefect UI: deployment `advise`
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from prefect import flow
from pydantic import BaseModel, Field

from advice import page
from advice.decision import Advice
from advice.economics import assess
from advice.figures import Economics
from advice.form import Answers, applied, reviewer_hour
from advice.payoff import payoffs
from advice.prices import Rates, TokenPrices, load
from advice.recommend import advise as decide
from advice.situation import Situation
from flows.context import Context, Runner, call, find_task
from flows.reporting import ADVICE_CHANGED, announce, as_task, publish, reported_workplace
from flows.settings import PROJECT
from flows.situation import situation_of
from prompts.task import Task
from records import advised, taskbook
from records.advised import Advised
from records.errors import InputError

HOSTED_MODEL = "ft:gpt-4.1-mini-2025-04-14"
"""What a hosted fine-tuned model is reckoned with where none is named: one that LiteLLM's table has a price of."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


class Told(BaseModel):
    """The answer to one task. `before`: the last recommendation, where it was another."""

    task: str
    advice: Advice
    economics: Economics
    summary: str
    page: str
    before: str = ""

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        changed = f"**The answer changed: it was `{self.before}`.**\n\n" if self.before else ""
        return f"{changed}{self.summary}"


class AllTold(BaseModel):
    """One run. `faults`: why a task could not be advised on."""

    tasks: list[Told] = []
    faults: list[str] = []

    @property
    def text(self) -> str:
        """For people (Markdown)."""
        told = [one.text for one in self.tasks] + [f"- {fault}" for fault in self.faults]
        return "\n\n".join(told) or "No task was ever advised on: name one."


@flow(name="advise")
def advise(task: str = "", answers: Annotated[Answers, Field()] = Answers()) -> AllTold:  # noqa: B008
    """Say whether a task should be prompted or fine-tuned.

    Args:
        task: A task by name or folder, or the name of one that is not there yet. Empty: all that were advised on.
        answers: What nobody measured, or what if. Empty fields are taken from the store, or assumed.
    """
    with reported_workplace() as context:
        result = advise_all(context, task, answers, run=as_task)
    for one in result.tasks:
        publish("advise", one.task, one.text)
        if one.before:
            announce(ADVICE_CHANGED, one.task, before=one.before, now=one.advice.recommendation.value)
    publish("advise", "all", result.text)
    return result


def advise_all(context: Context, task: str = "", answers: Answers | None = None, run: Runner = call) -> AllTold:
    """The flow's work. With a task, its faults are raised; over all, one with faults is named and the rest go on."""
    if task:
        return AllTold(tasks=[run(advise_task)(context, task, answers)])
    if answers not in (None, Answers()):
        raise InputError("a form is one task's: name the task, or leave the form empty to look at all of them again.")
    result = AllTold()
    for name in advised.advised_tasks(context.store):
        try:
            result.tasks.append(run(advise_task)(context, name))
        except InputError as fault:
            result.faults.append(f"{name}: {fault}")
    return result


def advise_task(context: Context, task: str, answers: Answers | None = None) -> Told:
    """Gather, decide, write the page, keep the answer. Raises InputError for a task of which nothing is known."""
    found, name = _task(context, task)
    last = advised.newest_advice(context.store, name)
    said = answers if answers not in (None, Answers()) else _remembered(last)
    if found is None and said == Answers():
        raise InputError(
            f"nothing is known of {name!r}: it has no task.yaml, and no form was filled in. Give --answers FILE, "
            "or a task by name or folder."
        )
    known = situation_of(context, found, reviewer_hour(said)) if found else Situation(task=name)
    advice, economics = answer(applied(known, said), said)
    title = found.title if found else name
    path = context.settings.folder("reports", name).absolute() / f"{name}-advice-{datetime.now(UTC):%Y-%m-%d}.html"
    page.write(page.html(advice, economics, title), path)
    before = last.recommendation if last and last.recommendation != advice.recommendation else ""
    summary = page.markdown(advice, economics, title, str(path))
    advised.keep_advice(context.store, _row(name, advice, economics, said, str(path)))
    return Told(task=name, advice=advice, economics=economics, summary=summary, page=str(path), before=before)


def answer(situation: Situation, answers: Answers) -> tuple[Advice, Economics]:
    """The decision and the economics of a situation. Asks nobody and keeps nothing."""
    prices, rates = load(), _rates(situation)
    economics = assess(situation, prices, rates)
    limits = answers.thresholds
    advice = decide(
        situation,
        payoffs(prices, rates, horizon_months=limits.horizon_months),
        limits,
        {one.name: one.quantity for one in economics.assumptions},
        [swing.name for swing in economics.swings],
    )
    return advice, economics


def _task(context: Context, task: str) -> tuple[Task | None, str]:
    """The task and its name; a name that fits but is none yet is a name only."""
    try:
        found = find_task(context, task)
        return found, found.name
    except InputError:
        there = task in taskbook.names(context.store) or (PROJECT / "prompts" / task / "task.yaml").is_file()
        if there or not _NAME.fullmatch(task):
            raise  # its task.yaml has faults, which a form must not hide
        return None, task


def _remembered(last: Advised | None) -> Answers:
    """What a person said the last time."""
    try:
        return Answers.model_validate(last.answers) if last else Answers()
    except ValueError:  # of another version of the form
        return Answers()


def _rates(situation: Situation) -> Rates:
    """List prices of the teacher and of a hosted fine-tuned model, from LiteLLM's local table, where tokens are known.

    The teacher's counts only where nobody knows what a request costs.
    """
    if situation.prompt_tokens is None or situation.completion_tokens is None:
        return Rates()
    from prompts.litellm_door import token_prices

    def listed(model: str | None) -> TokenPrices | None:
        found = token_prices(model) if model else None
        return TokenPrices.model_validate({"model": model, **found}) if found else None

    return Rates(teacher=listed(situation.teacher_model), tuned=listed(situation.tuned_model or HOSTED_MODEL))


def _row(name: str, advice: Advice, economics: Economics, said: Answers, path: str) -> Advised:
    held: dict[str, Any] = page.as_dict(advice, economics)
    return Advised(
        task=name,
        recommendation=advice.recommendation.value,
        sentence=advice.sentence,
        answers=said.model_dump(mode="json"),
        advice=held,
        report_path=path,
    )
