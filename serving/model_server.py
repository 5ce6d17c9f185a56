"""The local model server: one OpenAI-compatible address for all models of a folder.

    python -m serving.model_server --port 8081 --models .retort/models [--keep 3] [--threads N]

    GET  /health                  {"status": "ok", "loaded": [...]}; answers as soon as the server runs, loads nothing
    GET  /v1/models               what can be asked for
    POST /v1/chat/completions     also: /v1/completions, /tokenize, /apply-template (llama.cpp's own bodies and answers)

`model` in the body names the model; it is loaded when it is first asked for (about 1.5 s for 135M parameters). Bodies
and answers pass unchanged, so `logprobs`, `top_logprobs`, `grammar` and `response_format` are llama.cpp's.
Streaming is refused: an answer here is a few tokens. There is no key: it listens on the loopback.

Why not llama.cpp's own router mode: it starts a process a model, and needs an executable that no wheel brings.
"""

import argparse
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from records.errors import EnvironmentFault, InputError, ServiceError
from serving.llama import Engine, EngineSettings, load
from serving.shelf import Shelf

FORWARDED = ("/v1/chat/completions", "/v1/completions", "/tokenize", "/apply-template")
_MAX_BODY_BYTES = 8 * 2**20
_REQUEST_SECONDS = 600

_SHELF = web.AppKey("shelf", Shelf)
_CLIENT = web.AppKey("client", aiohttp.ClientSession)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(folder: Path, keep: int, settings: EngineSettings) -> web.Application:
    """The application; models are loaded when they are asked for, and unloaded when it stops."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[_openai_errors])
    app[_SHELF] = Shelf(folder, keep, lambda name, file: load(name, file, settings))
    app.cleanup_ctx.append(_open_client)
    app.router.add_get("/health", _health)
    app.router.add_get("/v1/models", _models)
    for path in FORWARDED:
        app.router.add_post(path, _forward)
    return app


async def _open_client(app: web.Application) -> Any:
    timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS, sock_connect=5)
    app[_CLIENT] = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
    yield
    await app[_CLIENT].close()
    await app[_SHELF].close()


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "loaded": request.app[_SHELF].loaded()})


async def _models(request: web.Request) -> web.Response:
    data = [{"id": name, "object": "model", "owned_by": "retort"} for name in request.app[_SHELF].names()]
    return web.json_response({"object": "list", "data": data})


async def _forward(request: web.Request) -> web.Response:
    body = await _body(request)
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise _BadRequest("`model` is missing: give the name of a model of /v1/models.", "model")
    if body.get("stream"):
        raise _BadRequest("streaming is not offered here: leave `stream` out.", "stream")
    async with request.app[_SHELF].engine(name) as engine:
        return await _ask(request, engine)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as fault:
        raise _BadRequest(f"the body is not JSON: {fault}.") from fault
    if not isinstance(body, dict):
        raise _BadRequest("the body must be a JSON object.")
    return body


async def _ask(request: web.Request, engine: Engine) -> web.Response:
    url = engine.address + request.path
    headers = {"Content-Type": "application/json"}
    try:
        async with request.app[_CLIENT].post(url, data=await request.read(), headers=headers) as answer:
            content = await answer.read()
            return web.Response(body=content, status=answer.status, content_type=answer.content_type)
    except aiohttp.ClientConnectorError as fault:
        request.app[_SHELF].forget(engine)
        raise ServiceError(f"the engine of {engine.name} is down and will be loaded anew: ask again.") from fault
    except (aiohttp.ClientError, TimeoutError) as fault:
        raise ServiceError(f"the engine of {engine.name} did not answer: {type(fault).__name__}: ask again.") from fault


class _BadRequest(Exception):
    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@web.middleware
async def _openai_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _BadRequest as fault:
        return _error(400, str(fault), "invalid_request_error", None, fault.param)
    except InputError as fault:
        return _error(404, str(fault), "invalid_request_error", "model_not_found", "model")
    except ServiceError as fault:
        return _error(503, str(fault), "server_error", "model_unavailable", None)
    except web.HTTPException as fault:
        return _error(fault.status, fault.reason, "invalid_request_error", None, None)


def _error(status: int, message: str, kind: str, code: str | None, param: str | None) -> web.Response:
    fault = {"message": message, "type": kind, "param": param, "code": code}
    return web.json_response({"error": fault}, status=status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.model_server", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 inside a container only: there is no key")
    parser.add_argument("--models", type=Path, required=True, help="folder of <name>.gguf files; may be empty")
    parser.add_argument("--keep", type=int, default=3, help="models kept in memory (3)")
    parser.add_argument("--threads", type=int, default=0, help="threads a model; default: all cores but one, or two")
    parser.add_argument("--slots", type=int, default=2, help="requests at the same time, a model (2)")
    parser.add_argument("--context", type=int, default=4096, help="tokens of prompt and answer, a request (4096)")
    return parser.parse_args()


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    given = _arguments()
    given.models.mkdir(parents=True, exist_ok=True)
    # llama.cpp's threads wait for each other by spinning, so one core is left to the rest of the stack. Not of two:
    # there an answer of the packaged teacher took 0.45 s with two threads and 0.7 s with one; beside a training that
    # uses both cores 1.8 s and 1.0 s, but training is rare.
    cores = os.cpu_count() or 2
    threads = given.threads or (cores - 1 if cores > 2 else cores)
    app = build(given.models, given.keep, EngineSettings(threads, given.slots, given.context))
    print(f"models of {given.models} on http://{given.host}:{given.port}/v1, {threads} threads each", flush=True)
    try:
        web.run_app(app, host=given.host, port=given.port, access_log=None, print=None)
    except OSError as fault:
        print(f"model server: port {given.port} cannot be used ({fault}): set RETORT_MODEL_PORT.", file=sys.stderr)
        sys.exit(EnvironmentFault.exit_code)


if __name__ == "__main__":
    main()
