"""The stand-in's batch routes in OpenAI's shape: files, and batches of them (Anthropic's: `standin_messages`).

    POST /v1/files                          multipart: purpose, file (named *.jsonl, as OpenAI insists)
    GET  /v1/files/{id}/content             the lines of an output or error file; DELETE /v1/files/{id}
    POST /v1/batches                        {"input_file_id", "endpoint", "completion_window", "metadata"}
    GET  /v1/batches, /v1/batches/{id}      newest first, by pages; one of them

A batch is worked on as it is looked at: each GET of it, alone or in a list, takes it a step on, `steps` steps until it
is done (validating, in_progress, completed). `faults` is {kind: share of the requests}, drawn by hash of request and
attempt: expired, missing (no line in any file), a HTTP status, or a fault that the live route knows too (garbage,
refusal, content_filter, not_json). `refuse`: what the next batches meet, in turn: `invalid` (it fails validation), a
HTTP status (no batch is made), `lost answer` (it is made, and the connection breaks before the answer is sent), `never`
(none is made, and no answer comes).
"""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from records.split import document_id

Answer = Callable[[dict[str, Any], str | None], dict[str, Any]]
"""A chat completion's request and the fault it meets -> its response."""
Handler = Callable[[web.Request], Awaitable[web.Response]]
_FOR_EVER_S = 3_600.0
ANSWERED = ("garbage", "refusal", "content_filter", "not_json")


@dataclass
class BatchMade:
    """One batch in either shape: its result lines are ready at once, and shown at the end."""

    id: str
    created: float
    head: dict[str, Any]
    good: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0
    invalid: bool = False


Shown = Callable[[BatchMade], dict[str, Any]]


class BatchRoutes:
    """The routes over one `answer` function, and what both shapes share. `faults`, `refuse`, `steps`: see above."""

    def __init__(self, answer: Answer) -> None:
        """No faults, and two looks until a batch is done, unless told otherwise."""
        self.answer = answer
        self.faults: dict[str, float] = {}
        self.refuse: list[str] = []
        self.steps = 2
        self.requests: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, BatchMade] = {}
        self.bodies: list[dict[str, Any]] = []
        self.downloads: Counter[str] = Counter()
        self._file_numbers = itertools.count()

    def add_to(self, app: web.Application) -> None:
        """Put the routes on an application."""
        router = app.router
        router.add_post("/v1/files", self._upload)
        router.add_get("/v1/files/{id}/content", self._content)
        router.add_delete("/v1/files/{id}", self._delete)
        router.add_post("/v1/batches", self._create)
        router.add_get("/v1/batches", self.listing("batch", self._shown))
        router.add_get("/v1/batches/{id}", self.looking(self._shown))

    async def _upload(self, request: web.Request) -> web.Response:
        name, body = "", b""
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                name, body = part.filename or "", bytes(await part.read(decode=False))
        if not name.endswith(".jsonl"):
            return fault(400, "Invalid file format for Batch API. Must be .jsonl")
        return web.json_response({**self._keep(body), "filename": name, "purpose": "batch", "status": "processed"})

    def _keep(self, body: bytes) -> dict[str, Any]:
        id_ = f"file-{next(self._file_numbers)}"
        self.files[id_] = body
        return {"id": id_, "object": "file", "bytes": len(body), "created_at": int(time.time())}

    async def _content(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        self.downloads[id_] += 1
        return web.Response(body=self.files[id_]) if id_ in self.files else fault(404, f"No such file: {id_}")

    async def _delete(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        return web.json_response({"id": id_, "object": "file", "deleted": self.files.pop(id_, None) is not None})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        met = self.refuse.pop(0) if self.refuse else ""
        if met == "never":
            await asyncio.sleep(_FOR_EVER_S)
        if met.isdigit():
            return fault(int(met), f"injected {met}")
        batch = self.new("batch", {n: asked.get(n) for n in ("endpoint", "input_file_id", "metadata")})
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].decode().splitlines()]
        batch.invalid = met == "invalid" or len({x["custom_id"] for x in lines}) < len(lines)
        for line in [] if batch.invalid else lines:
            self._answer_line(batch, line["custom_id"], line["body"])
        batch.counts["total"] = len(lines)
        return broken(request) if met == "lost answer" else web.json_response(self._shown(batch))

    def _answer_line(self, batch: BatchMade, key: str, body: dict[str, Any]) -> None:
        kind = self.drawn(key, body)
        if kind == "missing":
            return
        line: dict[str, Any] = {"id": f"r-{key}", "custom_id": key, "response": None, "error": None}
        if kind is None or kind in ANSWERED:
            line["response"] = {"status_code": 200, "request_id": key, "body": self.answer(body, kind)}
        elif kind == "expired":
            line["error"] = {"code": "batch_expired", "message": "This request could not be executed in 24h."}
        else:
            wrong = {"error": {"message": f"injected {kind}", "type": "injected", "code": None}}
            line["response"] = {"status_code": int(kind), "request_id": key, "body": wrong}
        done = kind is None or kind in ANSWERED
        batch.counts["completed" if done else "expired" if kind == "expired" else "failed"] += 1
        (batch.good if done else batch.bad).append(json.dumps(line))

    def _shown(self, batch: BatchMade) -> dict[str, Any]:
        state = self._state(batch)
        over = state in ("completed", "expired")
        for name, lines in (("output_file_id", batch.good), ("error_file_id", batch.bad)):
            if over and lines and name not in batch.head:
                batch.head[name] = self._keep("\n".join(lines).encode() + b"\n")["id"]
        wrong = {"code": "invalid_json_line", "message": "line 1 is not valid", "line": 1, "param": None}
        counts = {name: batch.counts[name] if over else 0 for name in ("completed", "failed")}
        return {
            "id": batch.id, "object": "batch", "completion_window": "24h", "created_at": int(batch.created),
            "status": state, "request_counts": {"total": batch.counts["total"], **counts},
            "errors": {"object": "list", "data": [wrong]} if state == "failed" else None, **batch.head,
        }  # fmt: skip

    def _state(self, batch: BatchMade) -> str:
        if batch.invalid:
            return "failed" if batch.looked_at else "validating"
        if batch.looked_at < self.steps:
            return "in_progress" if batch.looked_at else "validating"
        return "expired" if batch.counts["expired"] else "completed"

    def new(self, kind: str, head: dict[str, Any]) -> BatchMade:
        """A batch that is made now, kept under an id that begins with its kind."""
        batch = BatchMade(f"{kind}_{len(self.batches)}", time.time(), head)
        self.batches[batch.id] = batch
        return batch

    def drawn(self, key: str, body: dict[str, Any]) -> str | None:
        """The fault of this request, if any, as the live route draws them."""
        self.bodies.append(body)
        self.requests[key] += 1
        point = int(document_id(f"{key} {self.requests[key]}"), 16) / 2**64
        for kind, share in self.faults.items():
            if point < share:
                return kind
            point -= share
        return None

    def listing(self, kind: str, shown: Shown) -> Handler:
        """A page of the batches of a kind, the newest first."""

        async def listing(request: web.Request) -> web.Response:
            newest = [b for b in reversed(self.batches.values()) if b.id.startswith(f"{kind}_")]
            after = request.query.get("after") or request.query.get("after_id")
            place = next((n + 1 for n, b in enumerate(newest) if b.id == after), 0)
            size = int(request.query.get("limit", 20))
            for batch in newest[place : place + size]:
                batch.looked_at += 1
            page = [shown(batch) for batch in newest[place : place + size]]
            ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
            more = place + size < len(newest)
            return web.json_response({"object": "list", "data": page, "has_more": more, **ends})

        return listing

    def looking(self, shown: Shown) -> Handler:
        """One batch, a step further than before."""

        async def looking(request: web.Request) -> web.Response:
            batch = self.batches.get(request.match_info["id"])
            if batch is None:
                return fault(404, "no such batch")
            batch.looked_at += 1
            return web.json_response(shown(batch))

        return looking


def broken(request: web.Request) -> web.Response:
    """No answer: the connection is cut."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def fault(status: int, message: str) -> web.Response:
    """An error as both providers word it."""
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)
