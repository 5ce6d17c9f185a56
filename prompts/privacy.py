"""Where a task's documents may go: the checks that run where an endpoint is made, before the first byte leaves.

`privacy: self_hosted` allows the loopback and the task's `allowed_hosts`, compared exactly (`records.hosts`), and
nothing else: no provider that LiteLLM would find by itself, no proxy of the environment in between, no hub. Only
servers of OpenAI's API are spoken to, since LiteLLM's other providers may call hosts that no `api_base` names.
Redirects are not followed anywhere (`prompts.litellm_door`, `prompts.footing`), so an allowed host cannot pass a
document on that way.

    check_model(task, "openai/llama", "http://10.1.2.3:8000/v1", "teacher")      # raises InputError, or nothing
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.request import proxy_bypass

from prompts.definition import Task
from records.errors import InputError
from records.hosts import host_of, is_allowed

_OPENAI_SHAPED = ("openai/", "hosted_vllm/")
_CURE = "Add the host to allowed_hosts in task.yaml, or use one that is there."


def is_closed(task: Task) -> bool:
    """Whether the task says `privacy: self_hosted`."""
    return task.privacy == "self_hosted"


def leaves(task: Task, url: str | None) -> bool:
    """Whether what is sent to this address leaves for a host that is not the task's own. None: LiteLLM's choice."""
    return url is None or not is_allowed(host_of(url), task.allowed_hosts)


def masks(task: Task, url: str | None) -> str:
    """A digest of the rules of masking where they act on what is sent to this address; empty where they do not."""
    if not (task.redact or task.presidio) or not leaves(task, url):
        return ""
    rules = [[rule.model_dump() for rule in task.redact], sorted(task.presidio)]
    return hashlib.blake2b(json.dumps(rules, sort_keys=True).encode(), digest_size=8).hexdigest()


def check_model(task: Task, model: str, url: str | None, who: str) -> None:
    """Refuse a model that the task's privacy forbids. `who`: teacher, student. Raises InputError."""
    if not is_closed(task):
        return
    if url is None:
        raise InputError(
            f"{task.name}: privacy: self_hosted, but the {who} {model!r} has no api_base, so LiteLLM would ask its "
            f"provider. Give {who}.api_base the address of a server of your own."
        )
    if not model.startswith(_OPENAI_SHAPED):
        raise InputError(
            f"{task.name}: privacy: self_hosted, but LiteLLM may call other hosts than {who}.api_base for {model!r}. "
            "Name the model openai/NAME or hosted_vllm/NAME; vLLM, llama.cpp, Ollama and others speak that API."
        )
    check_url(task, url, who)


def check_unmasked(task: Task, url: str | None, who: str) -> None:
    """Refuse an endpoint that gets whole documents (a student's) where the task masks what leaves."""
    if masks(task, url):
        raise InputError(
            f"{task.name}: what leaves is masked (redact, presidio), but the {who} at {url} gets documents as they "
            f"are. {_CURE}"
        )


def check_url(task: Task, url: str, what: str, environ: Mapping[str, str] | None = None) -> None:
    """Refuse an address outside of the allow-list, or one that is reached by a proxy outside of it. Raises InputError.

    `environ`: where proxies are looked up, by default this process's, which is where the HTTP clients look.
    """
    if not is_closed(task):
        return
    host = host_of(url)
    check_host(task, host, what)
    proxy = _proxy(url, host, os.environ if environ is None else environ)
    if proxy and not is_allowed(host_of(proxy), task.allowed_hosts):
        raise InputError(
            f"{task.name}: privacy: self_hosted, but the {what} at {host!r} would be reached by the proxy "
            f"{host_of(proxy)!r}. Add {host} to NO_PROXY in the environment."
        )


def check_host(task: Task, host: str, what: str) -> None:
    """Refuse a host outside of the allow-list. Raises InputError."""
    if is_closed(task) and not is_allowed(host, task.allowed_hosts):
        raise InputError(f"{task.name}: privacy: self_hosted, but the {what} is at {host!r}. {_CURE}")


def check_hub(task: Task, what: str, environ: Mapping[str, str] | None = None) -> None:
    """Refuse what would be fetched from a model hub (HF_ENDPOINT, by default huggingface.co). Raises InputError."""
    found = (os.environ if environ is None else environ).get("HF_ENDPOINT") or "https://huggingface.co"
    if is_closed(task) and not is_allowed(host_of(found), task.allowed_hosts):
        raise InputError(
            f"{task.name}: privacy: self_hosted, but {what} would be fetched from {host_of(found)}. Give the path of a "
            "local copy, or add the host to allowed_hosts in task.yaml."
        )


def check_source(task: Task, source: str) -> None:
    """Refuse documents that would be fetched from a hub: `owner/name`, where no such file or folder is here."""
    path = Path(source).expanduser()
    here = path.exists() or path.suffix or source.startswith((".", "/", "~")) or source.count("/") > 1
    if not here:
        check_hub(task, f"the data set {source!r}")


def _proxy(url: str, host: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment names for this address, as an URL without its user."""
    given = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy") and value}
    known = {name.removesuffix("_proxy"): value for name, value in given.items()}
    if proxy_bypass(host, known):
        return None
    found = known.get(url.partition("://")[0].lower()) or known.get("all")
    return found and f"http://{found.rpartition('://')[2].rpartition('@')[2]}"
