"""A stand-in for a model server: OpenAI-compatible, counts what it is asked per document, injects faults.

Tests, the benchmarks and the demo of faults use it in place of a model: its answer to a document depends on the
document alone (the first answer word that occurs in it, else one drawn by its hash), so runs can be compared.

    python -m prompts.standin --port 8099 --answers lease,debt,privacy --fault 429=0.2 --fault 500=0.05

    POST /v1/chat/completions    answers, with `logprobs` when asked for and switched on
    POST /tokenize               pieces of a text, where a tokeniser is given
    GET  /counts                 {"requests": 12, "answered": {document id: times}, "faults": {"429": 3}, tokens...}

Faults: a HTTP status, or reset, slow, garbage, refusal, content_filter, not_json. Drawn by hash of document and
attempt, so that a retry may succeed. `--key K`: any other key gets 401. `--latency-s`: seconds each answer takes.
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

from prompts.repair import is_repair
from records.split import document_id

_SLOW_S = 3_600.0


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
    requests: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)
    faulted: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    url: str = ""

    async def __aenter__(self) -> "Standin":
        """Listen on a free port of the loopback; `url` says which."""
        await self.start(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self.stop()

    async def start(self, port: int) -> None:
        """Listen on `port` (0: any that is free)."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_get("/counts", self._counts)
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
            "faults": dict(self.faulted),
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
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
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return _error(401, "invalid_api_key", "Incorrect API key provided")
        body = await request.json()
        self.bodies.append(body)
        again = is_repair(body["messages"])
        text = body["messages"][-3 if again else -1]["content"]
        name = document_id(text)
        self.attempts[name] += not again  # the same attempt: what was garbage stays garbage, unless it mends
        kind = None if again and self.mends else self._fault(name)
        if kind is not None:
            self.faulted[kind] += 1
        if kind in ("slow", "reset") or (kind or "").isdigit():
            return await self._break(request, str(kind))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self.latency_s)
        self.in_flight -= 1
        (self.repaired if again else self.answered)[name] += 1
        return web.json_response(self._answer(body, text, kind))

    def _fault(self, name: str) -> str | None:
        """The fault of this attempt, if any: the shares are laid end to end along 0..1, the hash points into them."""
        point = _share(f"{name} {self.attempts[name]}")
        for kind, share in self.faults.items():
            if point < share:
                return kind
            point -= share
        return None

    async def _break(self, request: web.Request, kind: str) -> web.StreamResponse:
        if kind == "slow":
            await asyncio.sleep(_SLOW_S)
        if kind == "reset":
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        headers = {"Retry-After": str(self.retry_after_s)} if kind in ("429", "503") else {}
        return _error(int(kind), "injected", f"injected {kind}", headers)

    def _answer(self, body: dict[str, Any], text: str, kind: str | None) -> dict[str, Any]:
        said = self.say(text)
        content = {"garbage": "Well, that depends!", "not_json": '{"a": ', "content_filter": "", "refusal": ""}
        message: dict[str, Any] = {"role": "assistant", "content": content.get(kind or "", said)}
        if kind == "refusal":
            message["refusal"] = "I cannot help with that."
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
        if kind == "content_filter":
            choice["finish_reason"] = "content_filter"
        if body.get("logprobs") and self.logprobs and kind is None:
            choice["logprobs"] = {"content": [self._candidates(said, int(body.get("top_logprobs") or 1))]}
        prompt = sum(len(str(m["content"])) for m in body["messages"]) // 4
        self.prompt_tokens += prompt
        self.completion_tokens += 1
        usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
        return {"id": "standin", "object": "chat.completion", "created": 0, "model": body.get("model", ""),
                "choices": [choice], "usage": usage}  # fmt: skip

    def say(self, text: str) -> str:
        """The answer to a text; of a stand-in that wavers, the next one of its row at each asking of that text."""
        if self.wavers:
            return self.wavers[(self.answered[document_id(text)] - 1) % len(self.wavers)]
        folded = text.casefold()
        for answer in self.answers:
            if answer.casefold() in folded:
                return answer
        return self.answers[int(_share(text) * len(self.answers))]

    def _candidates(self, said: str, count: int) -> dict[str, Any]:
        """The answers as if each were one token: the one said likely, the others less so, in order."""
        others = [a for a in self.answers if a != said]
        tokens = [(said, -0.1), *((a, -3.0 - n) for n, a in enumerate(others))][:count]
        top = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in tokens]
        return {**top[0], "top_logprobs": top}


def _share(text: str) -> float:
    return int(document_id(text), 16) / 2**64


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": code, "code": code}}
    return web.json_response(body, status=status, headers=headers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m prompts.standin", description="A stand-in model server.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port (printed as the first line)")
    parser.add_argument("--answers", required=True, help="what it may answer, separated by commas")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND=SHARE", help="e.g. 429=0.2, slow=0.01")
    parser.add_argument("--latency-s", type=float, default=0.0, help="seconds each answer takes")
    parser.add_argument("--key", default=None, help="the only key it accepts")
    parser.add_argument("--no-logprobs", action="store_true", help="give no log-probabilities")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    faults = {kind: float(share) for kind, _, share in (f.partition("=") for f in arguments.fault)}
    answers = arguments.answers.split(",")
    standin = Standin(answers, faults, arguments.latency_s, arguments.key, not arguments.no_logprobs)
    await standin.start(arguments.port)
    print(json.dumps({"url": standin.url}), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_arguments()))


if __name__ == "__main__":
    main()
