"""What labelling would cost and take, without a call: tokens counted on a sample of the documents, times their price.

The range has two sources: the sample (twice the standard error of its mean), and the tokeniser. Tokens are counted with
OpenAI's cl100k, which LiteLLM carries along; other models' give up to a quarter more or less. The answer is counted at
its longest label, or at half of `max_tokens` for an object. The time follows from how long answers took before, or
where there are none from what hosted models usually take (`ASSUMED_LATENCY_S`), and from what may be in flight.
Examples that are chosen for each document are counted as those nearest by words, whatever finds them later: to ask an
embedding model costs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from prompts.definition import ChoiceAnswer, Example, Task
from prompts.endpoint import Endpoint
from prompts.litellm_door import count_tokens
from prompts.rationale import QUESTION
from prompts.rationale import most_tokens as tokens_of_reason
from prompts.redaction import MaskingFailed, outgoing, outgoing_example, outgoing_task
from prompts.render import Messages, render
from prompts.repair import most_tokens
from records.types import Document

SAMPLE = 200
"""Documents that are counted at most."""
ASSUMED_LATENCY_S = (0.3, 5.0)
_OFF = 0.25
_TOKENS_A_TURN = 4


@dataclass(frozen=True)
class Estimate:
    """Tokens, US dollars and seconds for `documents` documents; costs are None when the price is not known."""

    documents: int
    prompt_tokens: int
    prompt_tokens_low: int
    prompt_tokens_high: int
    completion_tokens: int
    cost_usd: float | None
    cost_usd_low: float | None
    cost_usd_high: float | None
    seconds_low: float
    seconds_high: float
    messages: Messages
    """The rendered prompt of the first document."""


def estimate(
    task: Task,
    sample: Sequence[Document],
    endpoint: Endpoint,
    documents: int | None = None,
    latency_s: tuple[float, float] = ASSUMED_LATENCY_S,
    examples: Callable[[str], Sequence[Example]] | None = None,
) -> Estimate:
    """Count a sample of the teacher's documents, and scale it to `documents` (None: the sample is all).

    `latency_s`: how long an answer takes, at least and at most. Costs need prices (`prompts.endpoint.priced`).
    `examples`: those of a text (`prompts.pool.Chooser.by_words`); None: the task's own.
    """
    count = len(sample) if documents is None else documents
    prompt, error = _prompt_tokens(task, sample, endpoint, count == len(sample), examples)
    prompt, error = prompt * endpoint.times, error * endpoint.times
    said = _answer_tokens(task, endpoint) * endpoint.times * count
    low, high = (1 - _OFF) * (prompt - error), (1 + _OFF) * (prompt + error)
    costs = [
        _cost(endpoint, tokens * count, off * said) for tokens, off in ((low, 1 - _OFF), (prompt, 1), (high, 1 + _OFF))
    ]
    seconds = [_seconds(endpoint, count, x, tokens) for x, tokens in zip(latency_s, (low, high), strict=True)]
    first = sample[0].text if sample else ""
    return Estimate(
        documents=count,
        prompt_tokens=round(prompt * count),
        prompt_tokens_low=round(low * count),
        prompt_tokens_high=round(high * count),
        completion_tokens=said,
        cost_usd_low=costs[0],
        cost_usd=costs[1],
        cost_usd_high=costs[2],
        seconds_low=seconds[0],
        seconds_high=seconds[1],
        messages=_messages(task, endpoint, first, True, examples and examples(first)),
    )


def rationale_cost(task: Task, sample: Sequence[Document], endpoint: Endpoint) -> float | None:
    """US dollars of one of the teacher's reasons (`prompts.rationale`), if it takes all the tokens that it may have;
    None when the price is not known.
    """
    prompts = [_tokens(_messages(task, endpoint, d.text, True, [])) for d in sample]
    rest = _answer_tokens(task, endpoint) + count_tokens(QUESTION) + 2 * _TOKENS_A_TURN
    return _cost(endpoint, fmean(prompts) + rest if prompts else 0.0, tokens_of_reason(task))


def highest_cost(
    endpoint: Endpoint, task: Task, text: str, teaching: bool, longest: Sequence[Example] | None = None
) -> float:
    """US dollars that asking about a text can cost at most: a token has two bytes or more, on the whole; the answer is
    bounded. A retry after a timeout may be billed by the provider without our knowing: that is not in it.
    `longest`: the longest examples that may be chosen; None: the task's own are shown.
    """
    if not endpoint.input_price and not endpoint.output_price:
        return 0.0
    messages = _messages(task, endpoint, text, teaching, longest)
    return endpoint.highest_cost(tokens_at_most(messages), most_tokens(task))


def tokens_at_most(messages: Messages) -> int:
    """Tokens of messages, at most: two bytes each, on the whole."""
    return sum(len(m["content"].encode()) for m in messages) // 2 + 8 * len(messages)


def tokens_about(text: str) -> int:
    """Tokens of a text, roughly and at once: four characters each (OpenAI's rule of thumb for English)."""
    return len(text) // 4 + 1


def _messages(
    task: Task, endpoint: Endpoint, text: str, teaching: bool, examples: Sequence[Example] | None = None
) -> Messages:
    """The prompt as it would leave."""
    try:
        masked = outgoing(task, endpoint, text).text
        shown = None if examples is None else [outgoing_example(task, endpoint, one) for one in examples]
    except MaskingFailed as failure:
        masked, shown = f"({failure})", []
    return render(outgoing_task(task, endpoint), masked, teaching, shown)


def _prompt_tokens(
    task: Task,
    sample: Sequence[Document],
    endpoint: Endpoint,
    whole: bool,
    examples: Callable[[str], Sequence[Example]] | None,
) -> tuple[float, float]:
    """Mean tokens of a prompt, and how far the mean of a sample may be off (twice its standard error)."""
    empty = _messages(task, endpoint, "", True, [] if examples else None)
    fixed = _tokens(empty)
    # What stands before the document and the examples chosen for it is counted once.
    prompts = [_messages(task, endpoint, d.text, True, examples and examples(d.text)) for d in sample]
    counts = [_tokens(messages[len(empty) - 1 :]) - _TOKENS_A_TURN for messages in prompts]
    if not counts:
        return float(fixed), 0.0
    error = 0.0 if whole or len(counts) < 2 else 2 * stdev(counts) / math.sqrt(len(counts))
    return fixed + fmean(counts), error


def _tokens(messages: Messages) -> int:
    return sum(count_tokens(m["content"]) + _TOKENS_A_TURN for m in messages)


def _cost(endpoint: Endpoint, prompt_tokens: float, completion_tokens: float) -> float | None:
    known = endpoint.input_price is not None and endpoint.output_price is not None
    return endpoint.cost(round(prompt_tokens), round(completion_tokens)) if known else None


def _seconds(endpoint: Endpoint, count: int, latency_s: float, tokens: float) -> float:
    """All slots busy, or as fast as the rates a minute allow."""
    found = [math.ceil(count / endpoint.documents_in_flight) * latency_s]
    found += [60 * count / endpoint.documents_per_minute] if endpoint.documents_per_minute else []
    found += [60 * count * tokens / endpoint.tokens_per_minute] if endpoint.tokens_per_minute else []
    return max(found)


def _answer_tokens(task: Task, endpoint: Endpoint) -> int:
    if not isinstance(task.answer, ChoiceAnswer):
        return endpoint.max_tokens // 2
    return 1 if endpoint.mode == "score" else max(count_tokens(said) for said in task.said.values())
