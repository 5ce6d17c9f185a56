"""What must be known of an endpoint before its answers to a task can be scored. Found out once, kept for the process.

- Whether it gives log-probabilities at all (else the answer is generated and read).
- The first token of each label's answer, from the server's own tokeniser (llama.cpp and vLLM have `/tokenize`). Two
  labels that share it cannot be told apart by one token.
- The mean scores of documents without content, for calibration. They are made of the examples' words, shuffled: what
  the prompt and the words of the trade alone make the model say ("domain-context calibration", Fei et al. 2023,
  "Mitigating Label Biases for In-context Learning"); without examples, of "N/A" (Zhao et al. 2021). On the sample
  task's training split the shuffled words made the packaged teacher better than "N/A" did (see its task.yaml).
"""

import hashlib
from functools import partial
from typing import Any, Literal, NamedTuple

import aiohttp

from prompts.call import call, persist
from prompts.definition import ChoiceAnswer, Task
from prompts.endpoint import Endpoint
from prompts.litellm_door import gives_logprobs
from prompts.redaction import outgoing_task
from prompts.render import prompt_fingerprint, render
from prompts.scoring import bare, collisions, score_labels
from records.errors import InputError, ServiceError

CALIBRATION_DOCUMENTS = 8
_BUSY = {429, 500, 502, 503, 504}
_CURE = "Give the labels `answer:` codes in task.yaml that begin differently, such as A, B, C."


class Footing(NamedTuple):
    """How to ask. `first`: {label: its first token}; `baseline`: {label: mean score without content}.

    The tokens are those that finding it out took.
    """

    mode: Literal["score", "generate"]
    first: dict[str, str] | None = None
    baseline: dict[str, float] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0


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


def is_known(endpoint: Endpoint, task: Task, teaching: bool) -> bool:
    """Whether it was found out before, so that asking for it takes no call."""
    return (endpoint, prompt_fingerprint(task, teaching)) in _known


def content_free(task: Task) -> list[str]:
    """Documents that say nothing: the examples' words in an order that follows from a hash, as long as an example."""
    words = [word for example in task.examples for word in example.document.split()]
    if len(task.examples) < 2:
        return ["N/A"]
    length = max(1, len(words) // len(task.examples))
    return [" ".join(_shuffled(words, n)[:length]) for n in range(CALIBRATION_DOCUMENTS)]


def _shuffled(words: list[str], turn: int) -> list[str]:
    keyed = [(hashlib.blake2b(f"{turn} {n} {w}".encode(), digest_size=8).digest(), w) for n, w in enumerate(words)]
    return [word for _, word in sorted(keyed)]


def score_options(endpoint: Endpoint) -> dict[str, Any]:
    """The arguments of a scoring call: one token, with its candidates."""
    return {"max_tokens": 1, "logprobs": True, "top_logprobs": endpoint.top_logprobs}


async def _find(endpoint: Endpoint, task: Task, teaching: bool) -> Footing:
    task = outgoing_task(task, endpoint)  # documents without content are made of the examples' words
    if not isinstance(task.answer, ChoiceAnswer) or endpoint.mode == "generate":
        return Footing("generate")
    if endpoint.mode == "auto" and not gives_logprobs(endpoint.wire_model):
        return Footing("generate")
    first = await _first_tokens(endpoint, task)
    clash = _same(first or {})
    texts = [] if clash else content_free(task) if endpoint.calibrate else [] if first else ["N/A"]
    options = score_options(endpoint)
    spoken = [await call(endpoint, render(task, text, teaching), options) for text in texts]
    if not all(s.first for s in spoken):
        return _without_logprobs(endpoint)
    scored = [score_labels(s.first, task.said, first) for s in spoken]
    if first is None:
        clash = {token: names for s in scored for token, names in collisions(s).items()}
    if clash:
        return _without_difference(endpoint, task, clash)
    baseline = {name: sum(s.scores[name] for s in scored) / len(scored) for name in task.labels} if scored else None
    took = (sum(s.prompt_tokens for s in spoken), sum(s.completion_tokens for s in spoken))
    return Footing("score", first, baseline if endpoint.calibrate else None, *took)


def _without_difference(endpoint: Endpoint, task: Task, clash: dict[str, list[str]]) -> Footing:
    if endpoint.mode == "score":
        shared = "; ".join(f"{token!r} begins {', '.join(names)}" for token, names in clash.items())
        raise InputError(f"{task.name}: labels cannot be scored apart by {endpoint.model}: {shared}. {_CURE}")
    return Footing("generate")


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
    found: dict[str, str] = {}
    for name, said in task.said.items():
        token = await persist(endpoint, partial(_ask_token, endpoint, url, said))
        if token is None:
            return None
        found[name] = token
    return found


async def _ask_token(endpoint: Endpoint, url: str, said: str) -> str | None:
    """The first token of a text; None where the server has no tokeniser to ask, or none that shows its pieces."""
    timeout = aiohttp.ClientTimeout(total=endpoint.timeout_s)
    headers = {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
        session.post(url, json=_question(endpoint, said), allow_redirects=False) as answer,
    ):
        if answer.status in _BUSY:
            answer.raise_for_status()
        return _token(await answer.json(content_type=None)) if answer.status == 200 else None


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
