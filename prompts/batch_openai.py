"""OpenAI's batch API through LiteLLM: a file of requests, a batch of it, an output file and an error file.

LiteLLM's handlers (`OpenAIFilesAPI`, `OpenAIBatchesAPI`) are called with one client of theirs, not its functions
`acreate_file`, `acreate_batch`, ... around them. Vendor traps, seen in LiteLLM 1.106 and openai 2 (their sources, the
stand-in's counts, Python's warnings):

- The functions make a new OpenAI client for each call and leave it open to the garbage collector, connections and all.
- `aretrieve_batch` of a finished batch makes LiteLLM's logging download the whole output and error file in the
  background, to add up a cost, at each poll.
- The OpenAI client repeats a failed POST twice by itself, and OpenAI has no idempotency key: a batch could be made
  and paid three times over. `max_retries=0` stops it.
- Errors are the OpenAI client's own, not LiteLLM's: a broken connection is no `litellm.APIConnectionError`.
- The file's name must end in `.jsonl`. An open file is sent as it is read; bytes or a path are held in memory whole.
- A request that failed stands in the error file, one that expired too; some may appear in neither file.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

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
from prompts.litellm_door import vendor
from prompts.render import Messages
from records.batches import Batch
from records.errors import InputError, ServiceError

T = TypeVar("T")
_URL = "/v1/chat/completions"
_NAME = "retort_batch"
_CHUNK = 256 * 1024
_UPLOAD_S = 900.0
_SLACK = timedelta(minutes=10)
_NEVER_RAN = ("batch_expired", "batch_cancelled")
_OVER = ("completed", "expired", "cancelled")


class OpenAIBatches:
    """`prompts.batch_provider.Provider` over LiteLLM's files and batches."""

    most_requests = 50_000
    most_bytes = 200 * 10**6

    def __init__(self, endpoint: Endpoint, options: dict[str, Any]) -> None:
        """`options`: further arguments of each request, as of a live call."""
        self._endpoint = endpoint
        self._wire = Wire(endpoint, options)
        openai = vendor().llms.openai.openai
        self._files, self._jobs = openai.OpenAIFilesAPI(), openai.OpenAIBatchesAPI()
        try:
            self._client = self._jobs.get_openai_client(
                api_key=endpoint.api_key or ("none" if endpoint.api_base else None),
                api_base=endpoint.api_base,
                timeout=endpoint.timeout_s,
                max_retries=0,
                organization=None,
                _is_async=True,
            )
            self._client._client.follow_redirects = False  # one would carry the documents elsewhere
        except vendor().exceptions.openai.OpenAIError as fault:
            cure = "set OPENAI_API_KEY, or name the key's variable in teacher.api_key_env"
            raise InputError(f"{endpoint.model}: {fault}. In task.yaml's words: {cure}.") from fault

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.close()

    def line(self, key: str, messages: Messages) -> bytes:
        """`{"custom_id", "method", "url", "body"}`."""
        request = {"custom_id": key, "method": "POST", "url": _URL, "body": self._wire.body(messages)}
        return json.dumps(request, ensure_ascii=False).encode() + b"\n"

    async def upload(self, name: str, lines: Path) -> str | None:
        """Repeated while it can pass: a file too many costs nothing, and OpenAI deletes it after 30 days."""

        async def attempt() -> Any:
            with lines.open("rb") as file:
                sent = (f"retort-{name}.jsonl", file, "application/jsonl")
                request = {"file": sent, "purpose": "batch", "timeout": _UPLOAD_S}
                return await self._files.acreate_file(request, self._client)

        try:
            return str((await self._read(attempt)).id)
        except NotThere:
            raise no_batches(self._endpoint) from None

    async def create(self, name: str, file: str | None, lines: Path) -> str:
        """The batch carries our name in its metadata, by which `find` knows it again."""
        try:
            request = {"completion_window": "24h", "endpoint": _URL, "input_file_id": file, "metadata": {_NAME: name}}
            made = await self._jobs.acreate_batch(request, self._client)
        except Exception as fault:
            status = getattr(fault, "status_code", None)
            if status is not None and 400 <= status < 500 and status != 408:
                raise Refused(status, str(fault)) from fault
            raise Unsure(str(fault)) from fault
        return str(made.id)

    async def find(self, batch: Batch, keys: set[str], known: set[str]) -> str | None:
        """By our name, among the batches that were made since it was handed in."""
        oldest, after = batch.submitted_at - _SLACK, None
        while True:
            page = await self._read(partial(self._jobs.alist_batches, self._client, after, 100))
            for made in page.data:
                if (made.metadata or {}).get(_NAME) == batch.id:
                    return str(made.id)
            if not page.data or not page.has_more or _moment(page.data[-1].created_at) < oldest:
                return None
            after = page.data[-1].id

    async def standing(self, id_: str) -> Standing:
        """OpenAI's states; `failed` is a file that did not pass validation, or a limit of the account."""

        try:
            batch = await self._read(lambda: self._jobs.aretrieve_batch({"batch_id": id_}, self._client))
        except NotThere:
            raise ServiceError(f"the provider knows no batch {id_}: was it made with another account's key?") from None
        files = tuple(file for file in (batch.output_file_id, batch.error_file_id) if file)
        done = batch.request_counts.completed if batch.request_counts else 0
        if batch.status == "failed":
            return Standing("refused", batch.status, files, error=_errors(batch))
        return Standing("done" if batch.status in _OVER else "working", batch.status, files, done)

    async def results(self, id_: str, standing: Standing) -> AsyncIterator[Result]:
        """The lines of the output file, then of the error file."""
        for file in standing.files:
            async for line in objects_of(await self._download(file)):
                yield self._result(line)

    async def clear(self, files: Iterable[str]) -> None:
        """A file that is gone already is no fault."""
        for file in files:
            try:
                await self._files.adelete_file(file, self._client)
            except Exception as fault:
                if getattr(fault, "status_code", None) not in (404, 405):
                    raise

    async def _download(self, file: str) -> AsyncIterator[bytes]:
        asked = {"file_id": file}
        found = await self._read(lambda: self._files.afile_content_streaming(asked, self._client, _CHUNK))
        stream: AsyncIterator[bytes] = found.stream_iterator
        return stream

    def _result(self, line: dict[str, Any]) -> Result:
        key, response = str(line.get("custom_id")), line.get("response") or {}
        status, body = int(response.get("status_code") or 0), response.get("body") or {}
        if status == 200:
            return heard(key, self._wire.said, body)
        error = line.get("error") or body.get("error") or {}
        code, text = str(error.get("code") or error.get("type") or ""), str(error.get("message") or "")
        return expired(key, text) if code in _NEVER_RAN else failed(key, status, code, text)

    async def _read(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """A call that can be repeated, with the OpenAI client's faults as ours."""
        openai = vendor().exceptions.openai

        async def translated() -> T:
            try:
                return await attempt()
            except openai.APITimeoutError as fault:
                raise TimeoutError(str(fault)) from fault
            except openai.APIConnectionError as fault:
                raise ConnectionError(str(fault)) from fault

        return await read(self._endpoint, translated)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _errors(batch: Any) -> str:
    found = (batch.errors.data or []) if batch.errors else []
    return "; ".join(f"{e.message} (line {e.line})" if e.line else str(e.message) for e in found) or "no reason given"
