"""The gateway's door, in front of LiteLLM's proxy: who may come in, and by which way.

    POST /v1/chat/completions    (also without /v1)  with the key; goes on to the proxy
    GET  /v1/models              (also without /v1)  with the key; the tasks that can be asked for
    GET  /health/liveliness      without a key; goes on to the proxy

The proxy has some hundred routes more (key management, MCP, pass-through, a user interface): none of them is needed
here, several had holes, so nothing else gets past this door. Answers are in OpenAI's shape.
"""

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 8 * 2**20
_HEALTH = "/health/liveliness"


class Door:
    """An ASGI application around another one."""

    def __init__(self, app: App, key: str, models: Callable[[], list[str]]) -> None:
        """`models` lists what may be asked for; it may block for a moment."""
        self._app, self._models = app, models
        self._expected = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry: start-up and shutdown pass, requests are looked at, anything else is turned away."""
        if scope["type"] == "lifespan" or (scope["type"], scope.get("method"), scope.get("path")) == (
            "http",
            "GET",
            _HEALTH,
        ):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        way = (scope["method"], scope["path"].removeprefix("/v1"))
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            fault = "wrong or missing key: send the gateway's key as a Bearer token (`retort status` says where it is)."
            await _refuse(send, 401, fault, "authentication_error", "invalid_api_key")
        elif way == ("GET", "/models"):
            data = [{"id": name, "object": "model", "created": 0, "owned_by": "retort"} for name in self._models()]
            await _answer(send, 200, {"object": "list", "data": data})
        elif way != ("POST", "/chat/completions"):
            fault = f"{scope['method']} {scope['path'][:80]} is not offered here: use POST /v1/chat/completions."
            await _refuse(send, 404, fault, "invalid_request_error", "unknown_url")
        elif _length(headers) is None:
            await _refuse(send, 411, "the request needs a Content-Length.", "invalid_request_error", None)
        elif (_length(headers) or 0) > MAX_BODY_BYTES:
            fault = f"the request is larger than {MAX_BODY_BYTES} bytes: send a shorter document."
            await _refuse(send, 413, fault, "invalid_request_error", "request_too_large")
        else:
            await self._app(scope, receive, send)


def _length(headers: dict[bytes, bytes]) -> int | None:
    given = headers.get(b"content-length", b"")
    return int(given) if given.isdigit() else None


async def _refuse(send: Send, status: int, message: str, kind: str, code: str | None) -> None:
    await _answer(send, status, {"error": {"message": message, "type": kind, "param": None, "code": code}})


async def _answer(send: Send, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
