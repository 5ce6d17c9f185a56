"""One call of a model through LiteLLM: messages in, text and first-token candidates out, with retries.

Own retry loop, not LiteLLM's: it honours `Retry-After`, measures the latency of the attempt that answered, tells the
caller of each pushback while it waits, and tells apart what a caller must know apart:

    Spoken          an answer came
    ServiceError    nothing will ever come: wrong key, no such model, no quota. Raised at once
    CallFailed      this one did not come: a refusal by policy, a bad request, or retries used up
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from prompts.endpoint import Endpoint
from prompts.failures import Failure, NotProtocol, judge, shows_key, wait_s
from prompts.render import Messages
from prompts.wire import Spoken as Spoken
from prompts.wire import attempt
from records.errors import ServiceError
from records.types import Outcome, Reason

T = TypeVar("T")
OnPushback = Callable[[float], None]
"""Told of every 429, 503, 529 and timeout as it happens, with the seconds that this call waits for it."""


class CallFailed(Exception):
    """No answer to this call. `outcome`: refused or failed; `reason`: the word for why; the message is kept too.

    The tokens are those that the provider billed all the same, as far as it told.
    """

    def __init__(
        self, outcome: Outcome, text: str, reason: Reason, prompt_tokens: int = 0, completion_tokens: int = 0
    ) -> None:
        """`text` and `reason` are kept with the label."""
        super().__init__(text)
        self.outcome = outcome
        self.reason = reason
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = completion_tokens

    @property
    def unreachable(self) -> bool:
        """Whether nobody was there to answer."""
        return self.reason is Reason.unreachable


async def call(
    endpoint: Endpoint, messages: Messages, options: dict[str, Any], on_pushback: OnPushback | None = None
) -> Spoken:
    """Ask once, retrying what can pass. `options`: further arguments of the completion.

    Raises CallFailed, or ServiceError when asking again or asking another document would be in vain.
    """
    return await persist(endpoint, lambda: attempt(endpoint, messages, options), on_pushback)


async def persist(endpoint: Endpoint, attempt: Callable[[], Awaitable[T]], on_pushback: OnPushback | None = None) -> T:
    """What `attempt` gives, tried again while its failure can pass. Raises as `call` does."""
    billed = [0, 0]
    for turn in range(endpoint.retries + 1):
        try:
            return await attempt()
        except Exception as fault:
            failure, wait = judge(endpoint, fault), wait_s(fault, turn)
            _add_billed(billed, fault)
            if failure.pushback and on_pushback is not None:
                on_pushback(wait)
            if turn == endpoint.retries or not failure.passes:
                # A cause that shows the key would stand in every log that has a traceback.
                raise _final(endpoint, failure, billed) from (None if shows_key(endpoint, fault) else fault)
        await asyncio.sleep(wait)
    raise AssertionError("the loop returns or raises")


def _final(endpoint: Endpoint, failure: Failure, billed: list[int]) -> Exception:
    """What to raise for a fault after which nothing is tried any more."""
    if failure.cure is not None:
        where = endpoint.api_base or "its provider"
        return ServiceError(f"{endpoint.model} at {where}: {failure.text}. {failure.cure}")
    if failure.reason is Reason.content_filter:
        return CallFailed(Outcome.refused, failure.text, failure.reason, *billed)
    text = f"after {endpoint.retries + 1} tries: {failure.text}" if failure.passes else failure.text
    return CallFailed(Outcome.failed, text, failure.reason, *billed)


def _add_billed(billed: list[int], fault: Exception) -> None:
    if isinstance(fault, NotProtocol):
        for place, name in enumerate(("prompt_tokens", "completion_tokens")):
            billed[place] += int(fault.usage.get(name) or 0)
