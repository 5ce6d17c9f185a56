"""The form on a terminal: the questions that decide most, one by one. Enter leaves one open.

The rest of the form (`advice/form.py`) is for a YAML file. Questions go to stderr: stdout holds the result only.
"""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from advice.form import Answers

_FACTS = ("data_may_not_leave", "offline", "needs_current_facts", "output_varies", "multi_step_reasoning", "exploring")
_AMOUNTS = {
    "numbers": (
        "monthly_requests",
        "example_pairs",
        "changes",
        "latency_budget_s",
        "labelled_examples",
        "teacher_accuracy",
    ),
    "money": ("teacher_cost", "machine_price", "engineering_cost", "monitoring_cost"),
}


def ask_all(said: "Answers") -> "Answers":
    """The form with what a person types; what was said already stands as the default."""
    from advice.form import Answers, Facts, Money, Numbers

    held = said.model_dump()
    typer.echo("Enter leaves a question open. Amounts: 30000, 20000 to 40000, 88 %, 180 ms.", err=True)
    sections = {"numbers": Numbers.model_fields, "money": Money.model_fields}
    for section, names in _AMOUNTS.items():
        for name in names:
            held[section][name] = _amount(str(sections[section][name].description), held[section][name])
    for name in _FACTS:
        question = str(Facts.model_fields[name].description).rstrip(".")
        held["facts"][name] = typer.confirm(f"{question}?", default=held["facts"][name], err=True)
    return Answers.model_validate(held)


def _amount(question: str, default: str) -> str:
    """Asked again until it can be read."""
    from advice.amounts import read

    while True:
        typed = str(typer.prompt(question.rstrip("."), default=default, show_default=bool(default), err=True))
        try:
            read(typed)
        except ValueError as fault:
            typer.echo(f"  {fault}", err=True)
            continue
        return typed
