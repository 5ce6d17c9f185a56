"""What labelling would cost, without a call: tokens counted on a sample of the documents, times their price.

Counted with OpenAI's cl100k tokeniser, which LiteLLM carries along; other models' tokenisers give up to a quarter
more or less, hence the range. The answer is counted at its longest label, or at half of `max_tokens` for an object.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prompts.definition import ChoiceAnswer, Task
from prompts.endpoint import Endpoint
from prompts.litellm_door import count_tokens
from prompts.render import Messages, document_text, render
from records.types import Document

_SAMPLE = 200
_OFF = 0.25
_TOKENS_A_TURN = 4


@dataclass(frozen=True)
class Estimate:
    """Tokens and US dollars for `documents` documents; costs are None when the price is not known."""

    documents: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    cost_usd_low: float | None
    cost_usd_high: float | None
    messages: Messages
    """The rendered prompt of the first document."""


def estimate(task: Task, documents: Sequence[Document], endpoint: Endpoint, teaching: bool = True) -> Estimate:
    """Count a sample of the documents, and scale. Costs need an endpoint with prices (`prompts.endpoint.priced`)."""
    sample = documents[:: max(1, len(documents) // _SAMPLE)]
    empty = render(task, "", teaching)
    fixed = sum(count_tokens(m["content"]) + _TOKENS_A_TURN for m in empty)
    varying = sum(count_tokens(document_text(task, d.text)) for d in sample) / max(1, len(sample))
    prompt = round((fixed + varying) * len(documents))
    completion = _answer_tokens(task, endpoint) * len(documents)
    cost = endpoint.cost(prompt, completion) if endpoint.input_price is not None else None
    return Estimate(
        documents=len(documents),
        prompt_tokens=prompt,
        completion_tokens=completion,
        cost_usd=cost,
        cost_usd_low=None if cost is None else cost * (1 - _OFF),
        cost_usd_high=None if cost is None else cost * (1 + _OFF),
        messages=render(task, documents[0].text, teaching) if documents else empty,
    )


def _answer_tokens(task: Task, endpoint: Endpoint) -> int:
    if not isinstance(task.answer, ChoiceAnswer):
        return endpoint.max_tokens // 2
    return 1 if endpoint.mode == "score" else max(count_tokens(said) for said in task.said.values())
