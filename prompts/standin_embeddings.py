"""A stand-in for an embedding model: OpenAI's `/v1/embeddings`, counts what it is asked, answers alike each time.

A vector holds how often a text has the words of each of 64 buckets (by hash), so texts with the same words are near.
A server of its own beside `prompts.standin`, as embedding models mostly are.

    async with EmbeddingStandin() as server: ...        server.url, server.embedded, server.tokens
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

_SIZE = 64


@dataclass
class EmbeddingStandin:
    """The counts of one stand-in. `embedded`: {text: times}; `broken`: every call gets this HTTP status."""

    broken: int = 0
    requests: int = 0
    tokens: int = 0
    embedded: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> "EmbeddingStandin":
        """Listen on a free port of the loopback; `url` says which."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/embeddings", self._embed)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _embed(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.broken:
            error = {"message": "injected", "type": "injected", "code": str(self.broken)}
            return web.json_response({"error": error}, status=self.broken)
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.embedded.update(texts)
        tokens = sum(len(text) // 4 for text in texts)
        self.tokens += tokens
        data = [{"object": "embedding", "index": n, "embedding": vector(text)} for n, text in enumerate(texts)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return web.json_response({"object": "list", "model": body.get("model"), "data": data, "usage": usage})


def vector(text: str) -> list[float]:
    """How often the words of each bucket occur."""
    counts = [0.0] * _SIZE
    for word in text.casefold().split():
        counts[hashlib.blake2b(word.encode(), digest_size=2).digest()[0] % _SIZE] += 1.0
    return counts
