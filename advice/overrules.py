"""What overrules the six steps: facts of a task that settle the question whatever its numbers say.

They are listed strongest first. Privacy and a missing network settle where the model runs; a need for current facts
settles that it must be given them; the rest keep the task with a large prompted model for now.

    overrules(situation)    # seven `Overrule`s, each with `holds` and what follows from it
"""

from advice.decision import Overrule, Recommendation
from advice.situation import Situation

_FACTS = (
    (
        "data_may_not_leave",
        "data may not leave",
        "Privacy settles it, whatever the cost: the model must run on own machines, so a small one is trained.",
    ),
    (
        "offline",
        "air-gapped or on-device",
        "Without a network there is no provider to prompt: a small model of one's own is needed.",
    ),
    (
        "needs_current_facts",
        "needs current facts",
        "What was learned in training goes stale: retrieval gives a large model the facts of the day (RAG).",
    ),
    (
        "exploring",
        "still exploring",
        "The task is not settled yet: a prompt is changed in a minute, and what is collected now trains later.",
    ),
    (
        "output_varies",
        "output format varies",
        "A small model learns one form of answer; a large one follows a form that is said with each request.",
    ),
    (
        "multi_step_reasoning",
        "multi-step reasoning",
        "Reasoning over several steps is what small models lose first.",
    ),
)
PRIVATE = ("data_may_not_leave", "offline")
TO_PROMPT = ("exploring", "output_varies", "multi_step_reasoning")


def overrules(situation: Situation) -> list[Overrule]:
    """All of them, strongest first; at most one `decides`."""
    holding = [field for field, _, _ in _FACTS if getattr(situation, field)]
    return [
        Overrule(field=field, name=name, holds=field in holding, reason=reason, decides=field == deciding(holding))
        for field, name, reason in _FACTS
    ]


def deciding(holding: list[str]) -> str | None:
    """The one that settles it: current facts come before privacy, which then says where the retrieval runs."""
    if "needs_current_facts" in holding:
        return "needs_current_facts"
    return holding[0] if holding else None


def settled(situation: Situation, own: Recommendation) -> Recommendation | None:
    """What the overrules recommend; None where none holds. `own`: the way to a model of one's own that fits."""
    field = deciding([field for field, _, _ in _FACTS if getattr(situation, field)])
    if field is None:
        return None
    if field == "needs_current_facts":
        return Recommendation.rag
    return Recommendation.keep_prompting if field in TO_PROMPT else own


def reason_of(situation: Situation) -> tuple[str, str] | None:
    """Name and sentence of the one that settles it."""
    found = next((one for one in overrules(situation) if one.decides), None)
    return (found.name, found.reason) if found else None
