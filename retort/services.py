"""The services of the local stack: how each one is called, started and known to be ready, and what it may see.

| name | what | starts after |
|---|---|---|
| prefect | Prefect's server and UI, on SQLite in the home folder | |
| worker | Prefect's process worker for the pool `retort`: runs the flows | prefect |
| argilla | the review desk: Argilla embedded, in its own environment | |
| models | the local model server (llama.cpp), OpenAI-compatible | |
| gateway | the LiteLLM gateway that applications call | |

A service that the settings place elsewhere (RETORT_ARGILLA_URL, RETORT_MODEL_URL) is not started. All of them listen on
127.0.0.1. A service sees the plain variables of the environment and its own secrets; only the worker and the gateway,
which call the teacher, see everything else, such as the teacher's API key.
"""

import json
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.settings import PROJECT, Settings
from records import cutoff
from records.telemetry import OFF
from retort.credentials import load_or_create
from retort.ports import dotenv
from review.people import owner_environment

POOL = "retort"
WORKSPACE = "retort"
_PLAIN = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "CUDA_",
    "OMP_",
    "SSL_CERT",
    "PYTHON",
)


@dataclass(frozen=True)
class Program:
    """One supervised service. `argv` stands in the supervisor's config, so it holds no secret."""

    name: str
    title: str
    argv: tuple[str, ...]
    url: str = ""
    port: int | None = None
    variable: str = ""
    ready: Callable[[], bool] = lambda: True


def programs(settings: Settings) -> list[Program]:
    """The services that these settings want on this machine, in the order of their start."""
    pool = f"{settings.prefect_api}/work_pools/{POOL}/workers/filter"
    desk, models, gateway = settings.desk, settings.models.removesuffix("/v1"), settings.gateway.removesuffix("/v1")
    prefect = settings.prefect_api.removesuffix("/api")
    found = [
        _program("prefect", "Prefect", prefect, settings.prefect_port, lambda: answers(f"{prefect}/api/health")),
        _program("worker", "Prefect's worker", "", None, lambda: _worker_is_online(pool)),
    ]
    if not settings.argilla_url:
        found.append(
            _program("argilla", "Argilla", desk, settings.argilla_port, lambda: answers(f"{desk}/api/v1/status"))
        )
    if not settings.model_url:
        found.append(
            _program("models", "the model server", models, settings.model_port, lambda: answers(f"{models}/health"))
        )
    alive = f"{gateway}/health/liveliness"
    found.append(_program("gateway", "the gateway", gateway, settings.gateway_port, lambda: answers(alive)))
    return found


def command(settings: Settings, name: str) -> list[str]:
    """What `retort.launch` turns into: the service's own command line."""
    home = settings.home
    port = {"prefect": settings.prefect_port, "argilla": settings.argilla_port, "models": settings.model_port}
    if name == "prefect":
        return [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port[name])]
    if name == "worker":
        asked = ["--pool", POOL, "--type", "process", "--name", "retort", "--install-policy", "never"]
        return [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start", *asked]
    if name == "argilla":
        python = str(settings.argilla_python)
        return [python, "-m", "review.embedded.launch", "--home", str(home / "argilla"), "--port", str(port[name])]
    if name == "models":
        folder = str(settings.folder("models"))
        threads = ["--threads", str(settings.threads)] if settings.threads else []
        return [sys.executable, "-m", "serving.model_server", "--port", str(port[name]), "--models", folder, *threads]
    if name == "gateway":
        asked = ["--port", str(settings.gateway_port), "--model-url", settings.models]
        return [sys.executable, "-m", "serving.gateway", *asked]  # the store's URL, which can hold a password: below
    raise ValueError(f"No service is called {name!r}.")


def environment(settings: Settings, name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of one service: nothing secret but what it needs itself."""
    secrets = load_or_create(settings.home)
    own = {
        "argilla": owner_environment(secrets.owner, WORKSPACE),
        "gateway": {"RETORT_GATEWAY_KEY": _key(settings) or secrets.gateway_key, "RETORT_STORE_URL": settings.store},
    }
    sees_all = name in ("worker", "gateway")
    base = {key: value for key, value in environ.items() if sees_all or key.startswith(_PLAIN)}
    if sees_all:
        base = {**dotenv(PROJECT / ".env"), **base, **as_environment(settings)}
    if name in ("prefect", "worker"):
        base |= prefect_environment(settings)
    direct = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    guard = guard_environment(settings)
    path = cutoff.python_path(PROJECT, guard)
    return {**base, **direct, **OFF, **guard, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **own.get(name, {})}


def guard_environment(settings: Settings) -> dict[str, str]:
    """What keeps a process to the hosts that RETORT_ALLOWED_HOSTS lists; empty where it lists none.

    Raises EnvironmentFault for an entry that is no host.
    """
    hosts = cutoff.listed(settings.allowed_hosts)
    return cutoff.environment(hosts, settings.folder("logs") / "refused.jsonl") if hosts else {}


def prefect_environment(settings: Settings) -> dict[str, str]:
    """What every process that talks to Prefect needs: its home, its API, no telemetry, no other website's requests."""
    pages = ",".join(f"http://{host}:{settings.prefect_port}" for host in ("127.0.0.1", "localhost"))
    return {
        **OFF,
        "PREFECT_HOME": str(settings.folder("prefect")),
        "PREFECT_API_URL": settings.prefect_api,
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": pages,
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    }


def as_environment(settings: Settings, with_secrets: bool = True) -> dict[str, str]:
    """These settings as RETORT_* variables, so that a child process reads the same ones."""
    found = {}
    for key, value in settings:
        secret = hasattr(value, "get_secret_value")
        if value is None or (secret and not with_secrets):
            continue
        plain = value.absolute() if isinstance(value, Path) else value  # services start in a folder of their own
        found[f"RETORT_{key.upper()}"] = value.get_secret_value() if secret else str(plain)
    return found


def answers(url: str, body: Mapping[str, object] | None = None) -> bool:
    """Whether this address answers 2xx within two seconds."""
    return _ask(url, body) is not None


def _program(name: str, title: str, url: str, port: int | None, ready: Callable[[], bool]) -> Program:
    variable = {"models": "RETORT_MODEL_PORT"}.get(name, f"RETORT_{name.upper()}_PORT")
    return Program(name, title, (sys.executable, "-m", "retort.launch", name), url, port, variable, ready)


def _key(settings: Settings) -> str:
    return settings.gateway_key.get_secret_value() if settings.gateway_key else ""


def _worker_is_online(url: str) -> bool:
    said = _ask(url, {})
    return said is not None and any(worker.get("status") == "ONLINE" for worker in json.loads(said))


def _ask(url: str, body: Mapping[str, object] | None = None) -> bytes | None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, never by a proxy
        with opener.open(request, timeout=2) as reply:
            return bytes(reply.read())
    except OSError:
        return None
