"""The gateway that applications call: LiteLLM's proxy, with our provider plugged in and a door in front of it.

    RETORT_GATEWAY_KEY=sk-... python -m serving.gateway --port 4000 --store sqlite:///.retort/retort.db \
        --model-url http://127.0.0.1:8081/v1

    client = OpenAI(base_url="http://127.0.0.1:4000/v1", api_key="sk-...")
    client.chat.completions.create(model="legal_intake", messages=[{"role": "user", "content": document}])

Ready when GET /health/liveliness answers 200 (about 15 s: LiteLLM is slow to import). The teacher's key is looked up in
this process's environment under the name that the task gives.

Why the proxy and not forty lines of our own: applications, keys, and tools that speak to LiteLLM work unchanged, and a
team that runs LiteLLM already can plug `serving.provider` into its own proxy.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import stat
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from records import taskbook
from records.errors import EnvironmentFault, InputError, RetortError
from records.store import Store
from records.telemetry import OFF
from serving.answering import Answering
from serving.door import Door
from serving.journal import Journal

KEY_VARIABLE = "RETORT_GATEWAY_KEY"
_CONFIG = Path(__file__).with_name("gateway.yaml")
_QUIET = {
    **OFF,
    "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
    "LITELLM_LOG": "CRITICAL",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "NO_OPENAPI": "True",
}
_OTHERS = ("DATABASE_URL", "WORKER_CONFIG", "REDIS_HOST", "REDIS_URL", "LITELLM_CONFIG_BUCKET_NAME", "LITELLM_SALT_KEY")
"""What would make the proxy look for a database, a cache or a configuration that is not the gateway's."""


def serve(listener: socket.socket, store: Store, model_url: str, key: str, environ: MutableMapping[str, str]) -> None:
    """Run the gateway on a bound socket until SIGINT or SIGTERM. `environ` is the process's own: LiteLLM reads it."""
    for name in _OTHERS:
        environ.pop(name, None)
    environ.update(_QUIET, LITELLM_MASTER_KEY=key, CONFIG_FILE_PATH=str(_CONFIG))
    # uvicorn raises SIGTERM again when it has shut down: as an exit, not as a death, so that the journal is written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    journal = Journal(store)
    try:
        asyncio.run(_run(listener, key, Answering(store, model_url, environ, journal), store))
    finally:
        journal.close()
        store.close()


def _listener(host: str, port: int) -> socket.socket:
    """The port, taken before the long start, so that one in use is said at once."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as fault:
        listener.close()
        raise EnvironmentFault(f"port {port} cannot be used ({fault.strerror}): set RETORT_GATEWAY_PORT.") from fault
    return listener


async def _run(listener: socket.socket, key: str, answering: Answering, store: Store) -> None:
    import uvicorn

    app = Door(_proxy(answering), key, lambda: taskbook.names(store))
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=30)
    await uvicorn.Server(config).serve(sockets=[listener])


def _proxy(answering: Answering) -> Any:
    """LiteLLM's proxy application, with our provider in its map."""
    import litellm
    from litellm.proxy.proxy_server import app
    from litellm.utils import custom_llm_setup

    from serving.provider import PROVIDER, headers, provider

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.expose_router_debug_in_errors = False
    litellm.custom_provider_map = [{"provider": PROVIDER, "custom_handler": provider(answering)}]
    custom_llm_setup()  # type: ignore[no-untyped-call]
    litellm.callbacks.append(headers())
    return app


def _key(file: Path | None, environ: MutableMapping[str, str]) -> str:
    """The key applications sign in with, from a private file or the environment."""
    if file is not None:
        if not file.is_file():
            raise InputError(f"--key-file {file}: there is no such file.")
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise EnvironmentFault(f"{file} can be read by others: chmod 600 {file}")
        key = file.read_text("utf-8").strip()
    else:
        key = environ.get(KEY_VARIABLE, "")
    if len(key) < 16 or not key.isascii():
        raise InputError(f"the gateway needs a key of at least 16 ASCII characters: set {KEY_VARIABLE} or --key-file.")
    return key


def _log_to_stderr() -> None:
    """Our own lines only: LiteLLM logs a page of stack for each wrong request, documents and all."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger("retort").addHandler(handler)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.gateway", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 inside a container only")
    parser.add_argument("--store", default=os.environ.get("RETORT_STORE_URL"), help="its URL; or RETORT_STORE_URL")
    parser.add_argument("--model-url", required=True, help="the local model server, e.g. http://127.0.0.1:8081/v1")
    parser.add_argument("--key-file", type=Path, help=f"private file that holds the key; else {KEY_VARIABLE}")
    return parser.parse_args()


def main() -> None:
    """Run; a fault of the start is one sentence and an exit code."""
    given = _arguments()
    _log_to_stderr()
    try:
        if not given.store:
            raise InputError("no store: give --store or set RETORT_STORE_URL.")
        key = _key(given.key_file, os.environ)
        with contextlib.suppress(KeyboardInterrupt):
            serve(_listener(given.host, given.port), Store.open(given.store), given.model_url, key, os.environ)
    except RetortError as fault:
        print(f"gateway: {fault}", file=sys.stderr)
        sys.exit(fault.exit_code)


if __name__ == "__main__":
    main()
