"""What nobody knows yet, as the next things to measure: a sentence each, with the command or the person that tells.

Numbers of the six steps come first; then those of the economics, the one that moves the result most first.
"""

from collections.abc import Sequence

from advice.situation import Origin, Situation

HOW = {
    "monthly_requests": "Requests a month: retort measure LOGS counts them; the gateway does so by itself.",
    "teacher_accuracy": "The teacher's accuracy: have 100 test documents answered on the desk, then retort collect.",
    "teacher_p95_s": "The teacher's latency: retort measure LOGS, or label some documents.",
    "latency_budget_s": "How long an answer may take: ask whoever waits for it.",
    "changes": "How often the task changes: ask its owner; the store counts the versions of task.yaml.",
    "labelled_examples": "Labelled examples at hand: count answers that people gave or checked.",
    "example_pairs": "How many example pairs it takes to say the task: try with 5, 10 and 20.",
    "teacher_cost": "What a request costs now: retort measure LOGS, or the provider's bill.",
    "repeated_share": "The share of repeated requests, which a cache would save: retort measure LOGS.",
    "student_throughput": "What one machine answers in a second: train a student, and let the gate measure it.",
    "peak_to_mean": "The busiest hour against the mean one: retort measure LOGS.",
    "engineering_cost": "What the engineering costs, once: ask for an estimate.",
    "label_cost": "What a label costs: the desk's times tell the seconds; you know the rate.",
    "monitoring_cost": "What monitoring and the audit sample cost a month: ask for an estimate.",
    "machine_price": "What a machine costs an hour: your provider's price.",
    "growth": "Growth a month: retort measure LOGS over some weeks.",
    "batchable_share": "The share of requests that can wait for a batch: ask whoever waits for answers.",
    "labels_needed": "How many labels are wanted: a learning curve tells.",
    "training_cost": "What a training run costs: the first one tells.",
    "retrain_every_months": "How often the model must be trained again: watch its audit sample.",
}
_STEPS = ("monthly_requests", "teacher_accuracy", "latency_budget_s", "teacher_p95_s", "changes", "labelled_examples")


def missing(situation: Situation, moving: Sequence[str] = ()) -> list[str]:
    """The next things to measure. `moving`: numbers of the economics, the one that moves the result most first."""
    order = list(dict.fromkeys([*_STEPS, *moving, *HOW]))
    return [HOW[name] for name in order if name in HOW and _unknown(situation, name)]


def _unknown(situation: Situation, name: str) -> bool:
    found = getattr(situation, name)
    return found is None or found.origin is Origin.assumed
