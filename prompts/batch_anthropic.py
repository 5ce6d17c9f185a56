"""Anthropic's message batches: one request holds them all, one stream gives the results.

LiteLLM 1.106 cannot make one: its `AnthropicBatchesConfig` says "Batch creation not yet implemented", and it can list
none. It can look at one and fetch results, but the look drops how many expired, and the fetch holds all results in
memory three times and words an expired request as a bad one. So these five routes (documented at
https://docs.claude.com/en/api/creating-message-batches) are called here with aiohttp; what is in a request, which
headers it needs and what a message says stays LiteLLM's work (`prompts.batch_wire`).

Vendor traps: a batch takes no name and no metadata, so one whose making was cut off is known again only by its results
(`find`); results come in any order, and stay for 29 days; a batch has `ended` whether its requests succeeded or not.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from prompts.batch_provider import (
    NotThere,
    Refused,
    Result,
    Standing,
    Unsure,
    expired,
    failed,
    heard,
    no_batches,
    objects_of,
    read,
)
from prompts.batch_wire import Wire
from prompts.endpoint import Endpoint
from prompts.litellm_door import anthropic_access
from prompts.render import Messages
from records.batches import Batch
from records.errors import ServiceError

_CHUNK = 256 * 1024
_UPLOAD_S = 900.0
_SLACK = timedelta(minutes=10)
_STATUS = {"invalid_request_error": 400, "rate_limit_error": 429, "api_error": 500, "overloaded_error": 529}


class AnthropicBatches:
    """`prompts.batch_provider.Provider` over `/v1/messages/batches`."""

    most_requests = 100_000
    most_bytes = 256 * 10**6

    def __init__(self, endpoint: Endpoint, options: dict[str, Any]) -> None:
        """`options`: further arguments of each request, as of a live call."""
        self._endpoint = endpoint
        self._wire = Wire(endpoint, options)
        root, self._headers = anthropic_access(endpoint.api_base, endpoint.api_key)
        self._url = f"{root}/v1/messages/batches"

    def line(self, key: str, messages: Messages) -> bytes:
        """`{"custom_id", "params"}`."""
        request = {"custom_id": key, "params": self._wire.body(messages)}
        return json.dumps(request, ensure_ascii=False).encode() + b"\n"

    async def upload(self, name: str, lines: Path) -> str | None:
        """There are no files: the requests go with `create`."""
        return None

    async def create(self, name: str, file: str | None, lines: Path) -> str:
        """Sent as it is read from the disk."""
        headers = {**self._headers, **self._wire.headers, "content-type": "application/json"}
        try:
            async with (
                self._session(_UPLOAD_S) as session,
                session.post(self._url, data=_as_one(lines), headers=headers, allow_redirects=False) as answer,
            ):
                await _check(answer)
                return str((await answer.json())["id"])
        except Refused as fault:
            if fault.status_code == 404:
                raise no_batches(self._endpoint) from None
            if fault.status_code >= 500 or fault.status_code == 408:
                raise Unsure(str(fault)) from fault
            raise
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError) as fault:
            raise Unsure(repr(fault)) from fault

    async def find(self, batch: Batch, keys: set[str], known: set[str]) -> str | None:
        """By its results: a batch of as many requests, made since, that is none of ours, and holds one of the keys."""
        undecided = False
        async for made in self._made_since(batch.submitted_at - _SLACK):
            if made["id"] in known or sum(made["request_counts"].values()) != batch.requests:
                continue
            if made["processing_status"] != "ended":
                undecided = True
                continue
            async with aclosing(self.results(made["id"], Standing("done", "ended"))) as results:
                first = await anext(results, None)
            if first is not None and first.key in keys:
                return str(made["id"])
        if undecided:
            raise Unsure("a batch of as many requests is being worked on, and only its results will tell whose it is")
        return None

    async def standing(self, id_: str) -> Standing:
        """A batch ends, and what became of its requests is seen in the results."""
        try:
            batch = await self._get(f"{self._url}/{quote(id_, safe='')}")
        except NotThere:
            raise ServiceError(f"the provider knows no batch {id_}: was it made with another account's key?") from None
        said = str(batch["processing_status"])
        return Standing("done" if said == "ended" else "working", said, (), batch["request_counts"]["succeeded"])

    async def results(self, id_: str, standing: Standing) -> AsyncGenerator[Result, None]:
        """One line a request."""
        url = f"{self._url}/{quote(id_, safe='')}/results"
        async with self._session(None) as session, session.get(url, allow_redirects=False) as answer:
            try:
                await _check(answer)
            except Refused as fault:
                raise ServiceError(f"{self._endpoint.model}: no results of batch {id_}: {fault}") from fault
            async for line in objects_of(answer.content.iter_chunked(_CHUNK)):
                yield self._result(line)

    async def clear(self, files: Iterable[str]) -> None:
        """Nothing lies there but the results, which Anthropic deletes by itself."""

    async def aclose(self) -> None:
        """Each call has connections of its own."""

    def _result(self, line: dict[str, Any]) -> Result:
        key, result = str(line.get("custom_id")), line.get("result") or {}
        kind = str(result.get("type"))
        if kind == "succeeded":
            return heard(key, self._wire.said_in_message, result["message"])
        if kind in ("expired", "canceled"):
            return expired(key, f"the request {kind} before it was worked on")
        error = (result.get("error") or {}).get("error") or {}
        code = str(error.get("type") or "")
        return failed(key, _STATUS.get(code, 400), code, str(error.get("message") or ""))

    async def _made_since(self, oldest: datetime) -> AsyncIterator[dict[str, Any]]:
        """The workspace's batches, the newest first."""
        after = ""
        while True:
            page = await self._get(f"{self._url}?limit=100{after}")
            for made in page["data"]:
                if datetime.fromisoformat(made["created_at"]) < oldest:
                    return
                yield made
            if not page.get("has_more"):
                return
            after = f"&after_id={quote(page['last_id'], safe='')}"

    async def _get(self, url: str) -> Any:
        async def attempt() -> Any:
            async with (
                self._session(self._endpoint.timeout_s) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                await _check(answer)
                return await answer.json()

        return await read(self._endpoint, attempt)

    def _session(self, seconds: float | None) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=60, sock_read=_UPLOAD_S)
        return aiohttp.ClientSession(headers=self._headers, timeout=timeout, trust_env=True)


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status >= 300:  # a redirect would carry the documents elsewhere
        text = (await answer.text())[:300]
        raise Refused(answer.status, f"HTTP {answer.status}: {text}")


async def _as_one(lines: Path) -> AsyncIterator[bytes]:
    """The lines as one JSON object."""
    yield b'{"requests":['
    with lines.open("rb") as file:
        for number, line in enumerate(file):
            yield (b"," if number else b"") + line.rstrip(b"\n")
    yield b"]}"
