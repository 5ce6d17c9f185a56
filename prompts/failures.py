"""What a failed call means: the word for it, whether another try may help, and how long to wait before it.

A fault comes from LiteLLM, as one of its exceptions with a status; from the connection below it (aiohttp, or httpx
under the OpenAI SDK); or from our own time limit. LiteLLM calls a connection that was never made, and one that broke,
a 500: so the causes are read before the status.

    ask again        rate_limited, server_error, unreachable, reset, timeout, truncated, not_protocol
    not this one     bad_request, content_filter
    nothing at all   wrong key, no such model, no credit: `Failure.cure` says what to do
"""

import json
import random
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import aiohttp

from prompts.endpoint import Endpoint
from prompts.litellm_door import vendor
from records.types import Reason

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 60.0
_PUSHBACK = {429, 503, 529}
_PASSING = {408: Reason.timeout, 409: Reason.server_error, 425: Reason.server_error, 429: Reason.rate_limited}
_CURES = {
    401: "Check the key that teacher.api_key_env names.",
    402: "The account has no credit left: top it up.",
    403: "Check the key that teacher.api_key_env names.",
    404: "Check teacher.model and api_base, and that the server has this model.",
}
_NO_CREDIT = ("insufficient_quota", "credit balance is too low")
_BROKEN: tuple[tuple[type[BaseException], Reason], ...] = (
    (aiohttp.ConnectionTimeoutError, Reason.unreachable),
    (TimeoutError, Reason.timeout),
    (aiohttp.ClientPayloadError, Reason.truncated),
    (aiohttp.ClientConnectorError, Reason.unreachable),
    (ConnectionRefusedError, Reason.unreachable),
    (socket.gaierror, Reason.unreachable),
    (aiohttp.ServerDisconnectedError, Reason.reset),
    (aiohttp.ClientOSError, Reason.reset),
    (ConnectionError, Reason.reset),
)
"""The first that a fault or a cause of it is an instance of says how the connection broke."""
_BROKEN_NAMES = {
    "ConnectError": Reason.unreachable,
    "ConnectTimeout": Reason.unreachable,
    "ReadError": Reason.reset,
    "RemoteProtocolError": Reason.reset,
    "WriteError": Reason.reset,
}
"""httpx's names for it, where no aiohttp lies below."""
_NO_COMPLETION = "Empty or invalid response from LLM endpoint"
"""LiteLLM's words where the OpenAI SDK met something else than a chat completion; it calls that a 500."""
_LITELLM_PREFIX = re.compile(r"^(?:litellm\.)?(?:(\w+): (?:litellm\.)?(?=\1: ))?")
"""LiteLLM names the class of an error twice: `litellm.NotFoundError: NotFoundError: ...`."""
_NOISE = re.compile(r"Hosted_vllmException - | ssl:<[^>]*>")
"""The route that LiteLLM takes to an own address, and an object of this process in a failed connection's message."""


class Failure(NamedTuple):
    """What one fault means. `passes`: another try may help; `pushback`: the endpoint is at its limit.

    `cure`: what the user must do before any document can be answered, None where only this call failed.
    """

    reason: Reason
    text: str
    passes: bool = False
    pushback: bool = False
    cure: str | None = None


class NotProtocol(Exception):
    """An answer with status 200 that is no chat completion. `usage`: the tokens that it says it took, if any."""

    def __init__(self, text: str, usage: Any = None) -> None:
        """`text` shows how the answer began."""
        super().__init__(text)
        self.usage: dict[str, Any] = usage if isinstance(usage, dict) else {}


def judge(endpoint: Endpoint, fault: Exception) -> Failure:
    """Read a fault of one attempt."""
    kinds = vendor().exceptions
    status = getattr(fault, "status_code", getattr(fault, "status", None))
    text = _text(endpoint, fault)
    if isinstance(fault, kinds.ContentPolicyViolationError):
        return Failure(Reason.content_filter, text)
    broken = _broken(fault)
    if broken is not None:
        return Failure(broken, text, passes=True, pushback=broken is Reason.timeout)
    if any(mark in text for mark in _NO_CREDIT):
        return Failure(Reason.bad_request, text, cure=_CURES[402])
    if status in _CURES:
        return Failure(Reason.bad_request, text, cure=_CURES[status])
    reason = _PASSING.get(status or 0) or (Reason.server_error if (status or 0) >= 500 else None)
    if reason is None:
        return Failure(Reason.bad_request, text)
    return Failure(reason, text, passes=True, pushback=status in _PUSHBACK or reason is Reason.timeout)


def wait_s(fault: Exception, turn: int) -> float:
    """As long as the server says, else up to twice as long each time, drawn evenly so that callers spread.

    Full jitter (Brooker 2015, "Exponential Backoff And Jitter", AWS Architecture Blog): few calls, and a soon end.
    """
    headers = getattr(getattr(fault, "response", None), "headers", None)
    headers = headers or getattr(fault, "litellm_response_headers", None) or getattr(fault, "headers", None) or {}
    asked = _asked_for(headers)
    if asked is None:
        return min(_FIRST_WAIT_S * 2.0**turn, _LONGEST_WAIT_S) * random.random()
    return min(max(asked, 0.0), _LONGEST_WAIT_S)


def _asked_for(headers: Mapping[str, Any]) -> float | None:
    """Seconds by `retry-after-ms` (OpenAI), or by `Retry-After` as seconds or as a date (RFC 9110, 10.2.3)."""
    for name, unit in (("retry-after-ms", 1_000.0), ("retry-after", 1.0)):
        said = str(headers.get(name, ""))
        try:
            return float(said) / unit
        except ValueError:
            continue
    try:
        return (parsedate_to_datetime(str(headers.get("retry-after"))) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None


def _broken(fault: Exception) -> Reason | None:
    """How the connection or the answer's form broke, from the fault and its causes; None if neither did."""
    chain = list(_causes(fault))
    if isinstance(fault, vendor().exceptions.Timeout):
        return Reason.timeout
    for cause in chain:
        found = next((reason for kind, reason in _BROKEN if isinstance(cause, kind)), None)
        if found is not None:
            return found
    if any(isinstance(cause, NotProtocol | json.JSONDecodeError) or _NO_COMPLETION in str(cause) for cause in chain):
        return Reason.not_protocol
    return next((_BROKEN_NAMES[n] for n in (type(c).__name__ for c in chain) if n in _BROKEN_NAMES), None)


def _causes(fault: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = fault
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def shows_key(endpoint: Endpoint, fault: Exception) -> bool:
    """Whether a fault or a cause of it would show the key in a traceback."""
    return bool(endpoint.api_key) and any(str(endpoint.api_key) in str(cause) for cause in _causes(fault))


def _text(endpoint: Endpoint, fault: Exception) -> str:
    """The fault in one line, without the key."""
    line = _LITELLM_PREFIX.sub("", " ".join((str(fault) or type(fault).__name__).split()))
    line = _NOISE.sub("", line)
    if isinstance(fault, TimeoutError | vendor().exceptions.Timeout):
        line = f"no answer within {endpoint.timeout_s:g} s"
    return (line.replace(endpoint.api_key, "***") if endpoint.api_key else line)[:300]
