"""What a provider's batch API must do for us, whichever its shape: take a file of requests, say how it stands, answer.

Two shapes: OpenAI's (files and batches, `prompts.batch_openai`) and Anthropic's (message batches,
`prompts.batch_anthropic`). Providers and servers that copy OpenAI's shape are reached by `openai/` and `api_base`.

    lines on disk -> upload -> create -> (hours) standing: working ... done -> results: one per request, any order

Handing in is not repeatable: neither provider knows an idempotency key, so a `create` that was cut off may have made a
batch that will be paid. It is tried once; `Unsure` leaves the batch to `find`, which looks for it at the provider.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from prompts.call import CallFailed, Spoken, persist
from prompts.endpoint import Endpoint
from prompts.render import Messages
from records.batches import Batch
from records.errors import InputError, ServiceError
from records.types import Outcome, Reason

T = TypeVar("T")


class Standing(NamedTuple):
    """How a batch stands. `said`: the provider's own word; `files`: where results and errors lie, by the provider's
    ids; `error`: why it was refused as a whole.
    """

    state: Literal["working", "done", "refused"]
    said: str
    files: tuple[str, ...] = ()
    done: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Result:
    """What came of one request: `spoken`, or why there is nothing. `expired`: it was never worked on, and not paid."""

    key: str
    spoken: Spoken | None = None
    outcome: Outcome = Outcome.failed
    reason: Reason | None = None
    error: str | None = None
    expired: bool = False


class Refused(Exception):
    """The provider said no: nothing was made, and nothing will be paid."""

    def __init__(self, status: int, text: str) -> None:
        """`status`: of the HTTP answer."""
        super().__init__(text)
        self.status_code = status


class Unsure(Exception):
    """The connection broke, or the server failed: the batch may have been made."""


class Provider(Protocol):
    """The batch API of one endpoint. All its methods may raise ServiceError, and CallFailed when it stays away."""

    most_requests: int
    most_bytes: int

    def line(self, key: str, messages: Messages) -> bytes:
        """One request as a line of the file, with its line end."""

    async def upload(self, name: str, lines: Path) -> str | None:
        """Hand over the file; its id there. None where the file goes with `create`."""

    async def create(self, name: str, file: str | None, lines: Path) -> str:
        """Make the batch; its id there. Raises Refused (it was not made) or Unsure (it may have been)."""

    async def find(self, batch: Batch, keys: set[str], known: set[str]) -> str | None:
        """The provider's id of a batch whose `create` was cut off; None if it was never made.

        `keys`: those in it; `known`: ids of other batches of ours. Raises Unsure when it cannot be told yet.
        """

    async def standing(self, id_: str) -> Standing:
        """How the batch stands."""

    def results(self, id_: str, standing: Standing) -> AsyncIterator[Result]:
        """What came of the requests, as it is downloaded."""

    async def clear(self, files: Iterable[str]) -> None:
        """Delete the files at the provider, where it keeps any."""

    async def aclose(self) -> None:
        """Close its connections."""


class NotThere(ServiceError):
    """A route or a batch that the address does not know (HTTP 404)."""


def no_batches(endpoint: Endpoint) -> InputError:
    """The error for an address that knows no batch routes."""
    where = endpoint.api_base or "its provider"
    return InputError(f"{endpoint.model}: {where} has no batch API (HTTP 404). Label without --batch.")


async def read(endpoint: Endpoint, attempt: Callable[[], Awaitable[T]]) -> T:
    """What a call gives that can be repeated, tried again while its failure can pass. Raises ServiceError."""
    try:
        return await persist(endpoint, attempt)
    except CallFailed as failure:
        raise ServiceError(f"{endpoint.model}: its batch API failed: {failure}. Run it again later.") from None
    except ServiceError as fault:
        if getattr(fault.__cause__, "status_code", None) == 404:
            raise NotThere(str(fault)) from fault
        raise


def heard(key: str, said: Callable[[dict[str, Any]], Spoken], body: dict[str, Any]) -> Result:
    """A request that was answered; a body that cannot be read is no answer."""
    try:
        return Result(key, said(body))
    except Exception as fault:  # a vendor's reading of what a server sent: it raises whatever it meets
        return Result(key, reason=Reason.not_protocol, error=f"not a completion: {fault!r}"[:300])


def failed(key: str, status: int, code: str, text: str) -> Result:
    """A request that the provider answered with an error."""
    error = f"{text or code or 'no reason given'} (HTTP {status})" if status else text or code
    if "content_filter" in code or "content_policy" in code:
        return Result(key, outcome=Outcome.refused, reason=Reason.content_filter, error=error)
    reason = Reason.rate_limited if status == 429 else Reason.server_error if status >= 500 else Reason.bad_request
    return Result(key, reason=reason, error=error)


def expired(key: str, said: str) -> Result:
    """A request that the provider did not get to."""
    return Result(key, reason=Reason.timeout, error=said, expired=True)


async def objects_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The objects of a JSONL download; no more than one chunk and one line are held. Raises ServiceError if it breaks.

    A line that is no object is left out: its request is then one without an answer.
    """
    rest = b""
    try:
        async for chunk in chunks:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if (found := _object(line)) is not None:
                    yield found
    except Exception as fault:  # whatever the vendor's transport raises
        raise ServiceError(f"the results broke off ({fault!r}); what came is kept. Run it again.") from fault
    if (found := _object(rest)) is not None:
        yield found


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
