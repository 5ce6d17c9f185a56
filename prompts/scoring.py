"""From the log-probabilities of the answer's first token to scores over the labels, and a confidence.

A label's score is the log-probability of its answer's first token, where the server's tokeniser says which that is.
Elsewhere it is the mass of all tokens that begin this label's answer and no other's ("le" and "lease" both count for
lease; "c", which begins customer and corporate, counts for neither). The first is better where it can be had: stray
pieces such as "le" begin many other words. A label that is not among the tokens given scores as the least of them.

Calibration (Zhao et al. 2021, "Calibrate Before Use"): the scores of documents without content show what the prompt
alone makes the model say, and are subtracted (`prompts.footing` finds them). Confidence is the softmax over the labels
of what remains. From stored scores it can be had again, with another baseline or temperature (`prompts.calibration`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Tokens = Sequence[tuple[str, float]]
"""Candidates for the first token, with their natural log-probabilities."""


class Scored(NamedTuple):
    """Raw scores a label; `seen`: labels with a token of their own; `shared`: tokens that begin several labels."""

    scores: dict[str, float]
    seen: set[str]
    shared: dict[str, list[str]]


def score_labels(tokens: Tokens, said: Mapping[str, str], first: Mapping[str, str] | None = None) -> Scored:
    """Scores of the labels `said` ({name: what the model says}); `first`: their exact first tokens, where known."""
    floor = min((p for _, p in tokens), default=-100.0)
    found: dict[str, list[float]] = {}
    shared: dict[str, list[str]] = {}
    for token, logprob in tokens:
        names = begun_by(token, said, first)
        if len(names) == 1:
            found.setdefault(names[0], []).append(logprob)
        elif names:
            shared[token] = names
    scores = {name: log_sum(found[name]) if name in found else floor for name in said}
    return Scored(scores, set(found), shared)


def begun_by(token: str, said: Mapping[str, str], first: Mapping[str, str] | None) -> list[str]:
    """The labels whose answer this token begins; leading white space (and its tokeniser marks) does not count."""
    piece = bare(token)
    if not piece:
        return []
    if first is not None:
        return [name for name, head in first.items() if head == piece]
    return [name for name, answer in said.items() if answer.startswith(piece)]


def bare(token: str) -> str:
    """A token without leading white space or the marks that tokenisers write for it."""
    return token.lstrip(" \n\t▁Ġ")


def collisions(scored: Scored) -> dict[str, list[str]]:
    """Tokens that begin several labels of which at least one has no token of its own: these cannot be told apart."""
    lost = {token: [n for n in names if n not in scored.seen] for token, names in scored.shared.items()}
    return {token: scored.shared[token] for token, names in lost.items() if names}


def choose(
    scores: Mapping[str, float], baseline: Mapping[str, float] | None, temperature: float = 1.0
) -> tuple[str, float]:
    """The likeliest label and its confidence (0..1), after calibration by `baseline` where given.

    `temperature` above 0: what the scores are divided by before the softmax; above 1 the confidence falls.
    """
    shifted = {name: (score - (baseline or {}).get(name, 0.0)) / temperature for name, score in scores.items()}
    best = max(shifted, key=lambda name: shifted[name])
    return best, math.exp(shifted[best] - log_sum(list(shifted.values())))


def log_sum(logs: Sequence[float]) -> float:
    """log(sum(exp(x))), without overflow."""
    top = max(logs)
    return top + math.log(sum(math.exp(x - top) for x in logs))
