"""What must be known of an endpoint before its answers to a task can be scored. Found out once, kept for the process.

- Whether it gives log-probabilities at all (else the answer is generated and read).
- The first token of each label's answer, from the server's own tokeniser (llama.cpp and vLLM have `/tokenize`). Two
  labels that share it cannot be told apart by one token.
- The scores of a document without content, for calibration.
"""

from typing import Any, Literal, NamedTuple

import aiohttp

from prompts.call import call
from prompts.definition import ChoiceAnswer, Task
from prompts.endpoint import Endpoint
from prompts.litellm_door import gives_logprobs
from prompts.render import prompt_fingerprint, render
from prompts.scoring import bare, collisions, score_labels
from records.errors import InputError, ServiceError

CONTENT_FREE = "N/A"
_CURE = "Give the labels `answer:` codes in task.yaml that begin differently, such as A, B, C."


class Footing(NamedTuple):
    """How to ask. `first`: {label: its first token}; `baseline`: {label: score of the document without content}."""

    mode: Literal["score", "generate"]
    first: dict[str, str] | None = None
    baseline: dict[str, float] | None = None


_known: dict[tuple[Endpoint, str], Footing] = {}


async def footing(endpoint: Endpoint, task: Task, teaching: bool) -> Footing:
    """The footing for this endpoint and prompt, found out at the first asking.

    Raises InputError when the labels cannot be scored apart and `mode: score` insists; ServiceError when the
    endpoint refuses for good; CallFailed when it does not answer now.
    """
    key = (endpoint, prompt_fingerprint(task, teaching))
    if key not in _known:
        _known[key] = await _find(endpoint, task, teaching)
    return _known[key]


def score_options(endpoint: Endpoint) -> dict[str, Any]:
    """The arguments of a scoring call: one token, with its candidates."""
    return {"max_tokens": 1, "logprobs": True, "top_logprobs": endpoint.top_logprobs}


async def _find(endpoint: Endpoint, task: Task, teaching: bool) -> Footing:
    if not isinstance(task.answer, ChoiceAnswer) or endpoint.mode == "generate":
        return Footing("generate")
    if endpoint.mode == "auto" and not gives_logprobs(endpoint.wire_model):
        return Footing("generate")
    first = await _first_tokens(endpoint, task)
    clash = _same(first or {})
    baseline = None
    if not clash and (first is None or endpoint.calibrate):
        spoken = await call(endpoint, render(task, CONTENT_FREE, teaching), score_options(endpoint))
        if not spoken.first:
            return _without_logprobs(endpoint)
        scored = score_labels(spoken.first, task.said, first)
        clash = {} if first else collisions(scored)
        baseline = scored.scores if endpoint.calibrate else None
    if clash and endpoint.mode == "score":
        shared = "; ".join(f"{token!r} begins {', '.join(names)}" for token, names in clash.items())
        raise InputError(f"{task.name}: labels cannot be scored apart by {endpoint.model}: {shared}. {_CURE}")
    return Footing("generate") if clash else Footing("score", first, baseline)


def _without_logprobs(endpoint: Endpoint) -> Footing:
    if endpoint.mode == "score":
        raise ServiceError(
            f"{endpoint.model} gives no log-probabilities, which teacher.mode: score needs. "
            "Set teacher.mode: generate in task.yaml."
        )
    return Footing("generate")


def _same(first: dict[str, str]) -> dict[str, list[str]]:
    """First tokens that several labels share."""
    names: dict[str, list[str]] = {}
    for name, token in first.items():
        names.setdefault(token, []).append(name)
    return {token: shared for token, shared in names.items() if len(shared) > 1}


async def _first_tokens(endpoint: Endpoint, task: Task) -> dict[str, str] | None:
    """Each label's first token by the server's tokeniser; None where it shows none."""
    if endpoint.dialect == "hosted" or endpoint.api_base is None:
        return None
    url = endpoint.api_base.removesuffix("/v1") + "/tokenize"
    timeout = aiohttp.ClientTimeout(total=endpoint.timeout_s)
    found: dict[str, str] = {}
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for name, said in task.said.items():
                async with session.post(url, json=_question(endpoint, said)) as answer:
                    token = _token(await answer.json(content_type=None)) if answer.status == 200 else None
                if token is None:
                    return None
                found[name] = token
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    return found


def _question(endpoint: Endpoint, said: str) -> dict[str, Any]:
    name = endpoint.model.partition("/")[2]
    flags = {
        "with_pieces": True,
        "add_special": False,
        "add_special_tokens": False,
        "return_token_strs": True,
    }
    return {"model": name, "content": said, "prompt": said, **flags}


def _token(answer: Any) -> str | None:
    """The first token's text in llama.cpp's or vLLM's answer; None if it has no text of its own."""
    if not isinstance(answer, dict):
        return None
    strings = answer.get("token_strs") or [
        t.get("piece") if isinstance(t, dict) else None for t in answer.get("tokens") or []
    ]
    pieces = [bare(s) for s in strings if isinstance(s, str)]
    return next((piece for piece in pieces if piece), None) if len(pieces) == len(strings) else None
