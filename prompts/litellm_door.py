"""The one place that imports LiteLLM: lazily (it takes four seconds), with its telemetry and price download off.

`LITELLM_LOCAL_MODEL_COST_MAP` must be in the environment before the import, or LiteLLM fetches a price list over the
network; so this function, and no import of ours, sets it, with its kin (`records.telemetry`).

LiteLLM's own HTTP clients follow redirects, to any host, with the document in the body; `direct_client` does not.
"""

import asyncio
import functools
import os
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from records.errors import InputError
from records.telemetry import OFF

_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, Any]" = WeakKeyDictionary()


@functools.cache
def vendor() -> ModuleType:
    """LiteLLM, quiet and offline but for the calls that are asked of it."""
    for name in (name for name in OFF if name.startswith("LITELLM_")):
        os.environ.setdefault(name, OFF[name])
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    module: ModuleType = litellm
    return module


async def close() -> None:
    """Close the connections that LiteLLM keeps open; call it before the event loop ends."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.close()
    await vendor().close_litellm_async_clients()


def direct_client() -> Any:
    """This event loop's HTTP client for servers by address: a redirect is an error there, not a way elsewhere."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        vendor()
        from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

        _clients[loop] = AsyncHTTPHandler(follow_redirects=False)
    return _clients[loop]


def table_prices(model: str) -> tuple[float, float] | None:
    """LiteLLM's local prices of a model, US dollars per million tokens in and out; None if it does not know it."""
    table: dict[str, dict[str, Any]] = vendor().model_cost
    entry = table.get(model) or table.get(model.partition("/")[2]) or {}
    given, said = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    return None if given is None or said is None else (float(given) * 1e6, float(said) * 1e6)


def gives_logprobs(model: str) -> bool:
    """Whether LiteLLM would pass `top_logprobs` to this model."""
    return "top_logprobs" in (vendor().get_supported_openai_params(model=model) or [])


def takes_schema(model: str) -> bool:
    """Whether the model is known to answer by a JSON Schema."""
    return bool(vendor().supports_response_schema(model=model))


def count_tokens(text: str) -> int:
    """Tokens of a text by cl100k, which comes with LiteLLM (no download)."""
    return int(vendor().token_counter(model="gpt-4", text=text))


def provider_of(model: str) -> str:
    """The provider that LiteLLM takes a model for (`openai`, `anthropic`, ...); empty if it knows none."""
    try:
        return str(vendor().get_llm_provider(model)[1])
    except vendor().exceptions.BadRequestError:
        return ""


def anthropic_access(api_base: str | None, api_key: str | None) -> tuple[str, dict[str, str]]:
    """Anthropic's address, without a path, and the headers that let one in, as LiteLLM takes both for a live call."""
    info = vendor().llms.anthropic.common_utils.AnthropicModelInfo()
    root = str(info.get_api_base(api_base)).rstrip("/").removesuffix("/messages").removesuffix("/v1")
    key = api_key or ("none" if api_base else None)
    access = info.get_auth_header(key, api_base)
    if access is None:
        raise InputError("there is no key for Anthropic: set ANTHROPIC_API_KEY, or name one in teacher.api_key_env.")
    return root, {"anthropic-version": "2023-06-01", **access}
