"""A stand-in for a model server: OpenAI-compatible, counts what it is asked per document, injects faults.

Tests, the benchmarks and the demo of faults use it in place of a model: its answer to a document depends on the
document alone (the first answer word that occurs in it, else one drawn by its hash), so runs can be compared.

    python -m prompts.standin --port 8099 --answers lease,debt,privacy --fault 429=0.2 --fault 500=0.05

    POST /v1/chat/completions    answers, with `logprobs` when asked for and switched on
    POST /tokenize               pieces of a text, where a tokeniser is given
    /v1/files, /v1/batches       OpenAI's batches; /v1/messages/batches: Anthropic's (`prompts.standin_batches`)
    GET  /counts                 {"requests": 12, "answered": {document id: times}, "faults": {"429": 3}, tokens...}

Faults, drawn by hash of document and attempt, so that a retry may succeed:

    429, 500, ...                this HTTP status; 429 and 503 with `Retry-After`
    reset, slow                  the connection is cut before the answer; the answer takes `--slow-s` (an hour)
    truncated, not_protocol      the body ends in the middle; a web page with status 200
    garbage, not_json, empty     an answer that is none
    cut                          half of an answer, stopped at max_tokens
    refusal, content_filter      no answer, by the model or by a filter

Tokens are counted as a provider bills them: of every answer that was made. Those of answers that did not arrive (cut
off, or nobody was there any more) are counted apart. `--key K`: any other key gets 401.
"""

import argparse
import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from prompts.rationale import is_rationale
from prompts.repair import is_repair
from prompts.standin_answers import PAGE, because, completion, error, half, share_of
from prompts.standin_batches import BatchRoutes
from prompts.standin_messages import MessageRoutes
from records.split import document_id


@dataclass
class Standin:
    """The behaviour and the counts of one stand-in. `faults`: {kind: share of the attempts, 0..1}.

    `mends`: gives a right answer when an unreadable one is sent back (else the same again). `wavers`: what it says at
    the first, second, ... asking of a document, whatever the document.
    """

    answers: list[str]
    faults: dict[str, float] = field(default_factory=dict)
    latency_s: float = 0.0
    key: str | None = None
    logprobs: bool = True
    mends: bool = False
    wavers: Sequence[str] = ()
    tokenizer: dict[str, list[str]] | None = None
    retry_after_s: float = 0.05
    slow_s: float = 3_600.0
    keep_bodies: bool = True
    requests: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    faulted: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    undelivered: int = 0
    undelivered_prompt_tokens: int = 0
    undelivered_completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    url: str = ""

    def __post_init__(self) -> None:
        """A batched request is answered as a live one is."""
        self.batches = BatchRoutes(self._answer_batched)

    async def __aenter__(self) -> "Standin":
        """Listen on a free port of the loopback; `url` says which."""
        await self.start(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self.stop()

    async def start(self, port: int) -> None:
        """Listen on `port` (0: any that is free)."""
        app = web.Application(client_max_size=300 * 2**20)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_get("/counts", self._counts)
        self.batches.add_to(app)
        MessageRoutes(self.batches).add_to(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def counts(self) -> dict[str, Any]:
        """What was asked and answered so far; documents by `records.split.document_id`."""
        return {
            "requests": self.requests,
            "answered": dict(self.answered),
            "explained": dict(self.explained),
            "faults": dict(self.faulted),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "undelivered": self.undelivered,
            "undelivered_prompt_tokens": self.undelivered_prompt_tokens,
            "undelivered_completion_tokens": self.undelivered_completion_tokens,
            "most_in_flight": self.most_in_flight,
        }

    async def _counts(self, _: web.Request) -> web.Response:
        return web.json_response(self.counts)

    async def _tokenize(self, request: web.Request) -> web.Response:
        """As llama.cpp answers it: `tokenizer` says which pieces a text has; without one there is no such route."""
        if self.tokenizer is None:
            raise web.HTTPNotFound
        pieces = self.tokenizer[(await request.json())["content"]]
        return web.json_response({"tokens": [{"id": n, "piece": p} for n, p in enumerate(pieces)]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.key and given != self.key:
            return error(401, "invalid_api_key", f"Incorrect API key provided: {given}")
        body = await request.json()
        if self.keep_bodies:
            self.bodies.append(body)
        again, why = is_repair(body["messages"]), is_rationale(body["messages"])
        text = body["messages"][-3 if again or why else -1]["content"]
        name = document_id(text)
        self.attempts[name] += not again  # the same attempt: what was garbage stays garbage, unless it mends
        kind = None if again and self.mends else self._fault(name)
        if kind is not None:
            self.faulted[kind] += 1
        if kind in ("reset", "not_protocol") or (kind or "").isdigit():
            return self._break(request, str(kind))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.slow_s if kind == "slow" else self.latency_s)
        finally:
            self.in_flight -= 1
        (self.repaired if again else self.explained if why else self.answered)[name] += 1
        said = because(body["messages"]) if why else self._wavering(name)
        answer = completion(self.answers, body, text, kind, self.logprobs, said)
        transport = request.transport
        arrives = kind != "truncated" and transport is not None and not transport.is_closing()
        self._count(answer["usage"], arrives)
        return web.json_response(answer) if kind != "truncated" else await half(request, answer)

    def _wavering(self, name: str) -> str | None:
        """Of a stand-in that wavers, the next one of its row at each asking of that text."""
        return self.wavers[(self.answered[name] - 1) % len(self.wavers)] if self.wavers else None

    def _count(self, usage: dict[str, int], arrives: bool) -> None:
        given, said = usage["prompt_tokens"], usage["completion_tokens"]
        if arrives:
            self.prompt_tokens += given
            self.completion_tokens += said
        else:
            self.undelivered += 1
            self.undelivered_prompt_tokens += given
            self.undelivered_completion_tokens += said

    def _fault(self, name: str) -> str | None:
        """The fault of this attempt, if any: the shares are laid end to end along 0..1, the hash points into them."""
        point = share_of(f"{name} {self.attempts[name]}")
        for kind, share in self.faults.items():
            if point < share:
                return kind
            point -= share
        return None

    def _break(self, request: web.Request, kind: str) -> web.StreamResponse:
        if kind == "not_protocol":
            return web.Response(text=PAGE, content_type="text/html")
        if kind == "reset":
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        headers = {"Retry-After": str(self.retry_after_s)} if kind in ("429", "503") else {}
        return error(int(kind), "injected", f"injected {kind}", headers)

    def _answer_batched(self, body: dict[str, Any], kind: str | None) -> dict[str, Any]:
        text = body["messages"][-1]["content"]
        self.answered[document_id(text)] += 1
        answer = completion(self.answers, body, text, kind, self.logprobs)
        self._count(answer["usage"], arrives=True)
        return answer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m prompts.standin", description="A stand-in model server.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port (printed as the first line)")
    parser.add_argument("--answers", required=True, help="what it may answer, separated by commas")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND=SHARE", help="e.g. 429=0.2, slow=0.01")
    parser.add_argument("--latency-s", type=float, default=0.0, help="seconds each answer takes")
    parser.add_argument("--slow-s", type=float, default=3_600.0, help="seconds that the fault `slow` takes")
    parser.add_argument("--key", default=None, help="the only key it accepts")
    parser.add_argument("--no-logprobs", action="store_true", help="give no log-probabilities")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    faults = {kind: float(share) for kind, _, share in (f.partition("=") for f in arguments.fault)}
    answers = arguments.answers.split(",")
    standin = Standin(
        answers,
        faults,
        arguments.latency_s,
        arguments.key,
        not arguments.no_logprobs,
        slow_s=arguments.slow_s,
        keep_bodies=False,
    )
    await standin.start(arguments.port)
    print(json.dumps({"url": standin.url}), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_arguments()))


if __name__ == "__main__":
    main()
