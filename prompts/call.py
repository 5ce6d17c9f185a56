"""One call of a model through LiteLLM: messages in, text and first-token candidates out, with retries.

Own retry loop, not LiteLLM's: it honours `Retry-After`, measures the latency of the attempt that answered, and tells
apart what a caller must know apart:

    Spoken          an answer came
    ServiceError    nothing will ever come: wrong key, no such model, no quota. Raised at once
    CallFailed      this one did not come: a refusal by policy, a bad request, or retries used up
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from prompts.endpoint import Endpoint
from prompts.litellm_door import direct_client, vendor
from prompts.render import Messages
from prompts.scoring import Tokens
from records.errors import ServiceError
from records.types import Outcome

T = TypeVar("T")
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_HOPELESS = {401, 403, 404}
_LITELLM_PREFIX = re.compile(r"^(?:litellm\.)?(?:(\w+): (?:litellm\.)?(?=\1: ))?")
"""LiteLLM names the class of an error twice: `litellm.NotFoundError: NotFoundError: ...`."""
_NOISE = re.compile(r"Hosted_vllmException - | ssl:<[^>]*>")
"""The route that LiteLLM takes to an own address, and an object of this process in a failed connection's message."""


@dataclass(frozen=True)
class Spoken:
    """What came back. `first`: candidates for the first token, empty where the endpoint gives none."""

    text: str
    first: Tokens
    finish: str
    refusal: str | None
    prompt_tokens: int
    completion_tokens: int
    latency_s: float


class CallFailed(Exception):
    """No answer to this call. `outcome`: refused or failed; `unreachable`: nobody was there to answer."""

    def __init__(self, outcome: Outcome, reason: str, unreachable: bool = False) -> None:
        """`reason` is kept with the label."""
        super().__init__(reason)
        self.outcome = outcome
        self.unreachable = unreachable


async def call(
    endpoint: Endpoint,
    messages: Messages,
    options: dict[str, Any],
    on_pushback: Callable[[float], None] | None = None,
) -> Spoken:
    """Ask once, retrying what can pass. `options`: further arguments of the completion.

    Raises CallFailed, or ServiceError when asking again or asking another document would be in vain.
    """
    return await persist(endpoint, lambda: _attempt(endpoint, messages, options), on_pushback)


async def persist(
    endpoint: Endpoint, attempt: Callable[[], Awaitable[T]], on_pushback: Callable[[float], None] | None = None
) -> T:
    """What `attempt` gives, tried again while its failure can pass. Raises as `call` does."""
    for turn in range(endpoint.retries + 1):
        try:
            return await attempt()
        except Exception as fault:
            failure = _judge(endpoint, fault)
            if failure is not None:
                raise failure from fault
            if turn == endpoint.retries:
                raise _used_up(endpoint, fault) from fault
            wait_s = _wait_s(fault, turn)
            if on_pushback is not None and getattr(fault, "status_code", None) in (429, 503, 529):
                on_pushback(wait_s)
            await asyncio.sleep(wait_s)
    raise AssertionError("the loop returns or raises")


async def _attempt(endpoint: Endpoint, messages: Messages, options: dict[str, Any]) -> Spoken:
    own = {"client": direct_client()} if endpoint.wire_model.startswith("hosted_vllm/") else {}
    began = time.perf_counter()
    async with asyncio.timeout(endpoint.timeout_s + 1):
        response = await vendor().acompletion(
            model=endpoint.wire_model,
            messages=messages,
            api_base=endpoint.api_base,
            api_key=endpoint.api_key or ("none" if endpoint.api_base else None),
            timeout=endpoint.timeout_s,
            max_retries=0,
            **{"temperature": 0, **own, **options},
        )
    return _spoken(response, time.perf_counter() - began)


def _spoken(response: Any, latency_s: float) -> Spoken:
    choice = response.choices[0]
    usage = getattr(response, "usage", None)
    refusal = getattr(choice.message, "refusal", None) or (choice.message.get("provider_specific_fields") or {}).get(
        "refusal"
    )
    return Spoken(
        text=choice.message.content or "",
        first=_first_tokens(getattr(choice, "logprobs", None)),
        finish=choice.finish_reason or "",
        refusal=refusal,
        prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
        completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
        latency_s=latency_s,
    )


def _first_tokens(logprobs: Any) -> Tokens:
    content = getattr(logprobs, "content", None)
    if not content:
        return []
    return [(t.token, t.logprob) for t in content[0].top_logprobs or []]


def _judge(endpoint: Endpoint, fault: Exception) -> Exception | None:
    """What to raise for a fault, or None when it is worth another try."""
    kinds = vendor().exceptions
    status, text = getattr(fault, "status_code", None), _text(endpoint, fault)
    if isinstance(fault, kinds.ContentPolicyViolationError):
        return CallFailed(Outcome.refused, text)
    if status in _HOPELESS:
        cures = {404: "Check teacher.model and api_base, and that the server has this model."}
        cure = cures.get(status, "Check the key that teacher.api_key_env names.")
        return ServiceError(f"{endpoint.model} at {endpoint.api_base or 'its provider'}: {text}. {cure}")
    if status == 429 and "insufficient_quota" in text:
        return ServiceError(f"{endpoint.model}: {text}. The account has no credit left: top it up.")
    passing = (TimeoutError, ConnectionError, aiohttp.ClientError, kinds.APIConnectionError)
    if isinstance(fault, passing) or status in _RETRIED:
        return None
    return CallFailed(Outcome.failed, text)


def _used_up(endpoint: Endpoint, fault: Exception) -> CallFailed:
    tried = f"after {endpoint.retries + 1} tries: {_text(endpoint, fault)}"
    return CallFailed(Outcome.failed, tried, unreachable=_is_unreachable(fault))


def _is_unreachable(fault: BaseException) -> bool:
    """Whether no connection could be made; LiteLLM calls that a 500, the cause says it."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, ConnectionError | OSError) or "Connect" in type(seen).__name__:
            return not isinstance(seen, TimeoutError)
        seen = seen.__cause__ or seen.__context__
    return "onnection error" in str(fault) or "Cannot connect" in str(fault)


def _wait_s(fault: Exception, turn: int) -> float:
    """As long as the server says, else twice as long each time, with jitter so that callers spread."""
    headers = getattr(getattr(fault, "response", None), "headers", None)
    headers = headers or getattr(fault, "litellm_response_headers", None) or {}
    try:
        return min(float(headers.get("retry-after", "")), _LONGEST_WAIT_S)
    except ValueError:
        return min(_FIRST_WAIT_S * 2.0**turn, _LONGEST_WAIT_S) * random.uniform(0.5, 1.0)


def _text(endpoint: Endpoint, fault: Exception) -> str:
    """The fault in one line, without the key."""
    line = _LITELLM_PREFIX.sub("", " ".join((str(fault) or type(fault).__name__).split()))
    line = _NOISE.sub("", line)
    if isinstance(fault, TimeoutError | vendor().exceptions.Timeout):
        line = f"no answer within {endpoint.timeout_s:g} s"
    return (line.replace(endpoint.api_key, "***") if endpoint.api_key else line)[:300]
