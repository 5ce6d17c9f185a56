"""The one place that imports LiteLLM: lazily (it takes four seconds), with its telemetry and price download off.

`LITELLM_LOCAL_MODEL_COST_MAP` must be in the environment before the import, or LiteLLM fetches a price list over the
network; so this function, and no import of ours, sets it, with its kin (`records.telemetry`).

LiteLLM's own HTTP clients follow redirects, to any host, with the document in the body; `direct_client` does not.

By default it keeps 500 connections open to one host, less than some run with: that limit is set here too.
"""

import asyncio
import functools
import os
import warnings
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from records.errors import InputError
from records.telemetry import OFF

_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, Any]" = WeakKeyDictionary()

_MOST_CONNECTIONS = "4096"


@functools.cache
def vendor() -> ModuleType:
    """LiteLLM, quiet and offline but for the calls that are asked of it."""
    for name in (name for name in OFF if name.startswith("LITELLM_")):
        os.environ.setdefault(name, OFF[name])
    for limit in ("AIOHTTP_CONNECTOR_LIMIT", "AIOHTTP_CONNECTOR_LIMIT_PER_HOST"):
        os.environ.setdefault(limit, _MOST_CONNECTIONS)
    import litellm

    # LiteLLM's own types, when the first answer by the OpenAI SDK is built: nothing that a user could act on.
    warnings.filterwarnings("ignore", message="Item '.*' on TypedDict class", category=UserWarning)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.drop_params = True
    module: ModuleType = litellm
    return module


class Transport:
    """LiteLLM's aiohttp transport (its TLS settings, proxies, pool), without the client that it puts on top."""

    def __init__(self) -> None:
        """Opens nothing yet."""
        from litellm.llms.custom_httpx import http_handler

        tls = http_handler.get_ssl_configuration()
        own = {"ssl_verify": tls} if isinstance(tls, bool) else {"ssl_context": tls}
        self._inner = http_handler.AsyncHTTPHandler.create_aiohttp_transport(**own)
        self._headers = {"Accept-Encoding": "gzip, deflate", **http_handler.get_default_headers()}

    async def post(self, url: str, headers: dict[str, str], body: str) -> Any:
        """Send a body; the answer as an `httpx.Response`, read to its end. Raises httpx's exceptions."""
        import httpx

        request = httpx.Request("POST", url, headers=self._headers | headers, content=body)
        response = await self._inner.handle_async_request(request)
        await response.aread()
        return response

    async def close(self) -> None:
        """Close its connections; the next request opens new ones."""
        await self._inner.aclose()


@functools.cache
def transport() -> Transport:
    """The one of this process; it follows the event loop that is running."""
    vendor()
    return Transport()


async def close() -> None:
    """Close the connections that are kept open; call it before the event loop ends."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.close()
    await vendor().close_litellm_async_clients()
    await transport().close()


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


def token_prices(model: str) -> dict[str, float] | None:
    """All of LiteLLM's local prices of a model, US dollars per million tokens: `input`, `output`, and of the provider's
    batch API `batch_input` and `batch_output`, where the table has them; None if it does not know the model.
    """
    both = table_prices(model)
    if both is None:
        return None
    table: dict[str, dict[str, Any]] = vendor().model_cost
    entry = table.get(model) or table.get(model.partition("/")[2]) or {}
    batch = {"batch_input": "input_cost_per_token_batches", "batch_output": "output_cost_per_token_batches"}
    told = {name: float(entry[key]) * 1e6 for name, key in batch.items() if entry.get(key) is not None}
    return {"input": both[0], "output": both[1], **told}


def gives_logprobs(model: str) -> bool:
    """Whether LiteLLM would pass `top_logprobs` to this model."""
    return "top_logprobs" in (vendor().get_supported_openai_params(model=model) or [])


def takes_schema(model: str) -> bool:
    """Whether the model is known to answer by a JSON Schema."""
    return bool(vendor().supports_response_schema(model=model))


def count_tokens(text: str) -> int:
    """Tokens of a text by cl100k, which comes with LiteLLM (no download)."""
    return int(vendor().token_counter(model="gpt-4", text=text))


def input_price(model: str) -> float | None:
    """LiteLLM's local price of what goes into a model, US dollars per million tokens; None if it does not know it."""
    table: dict[str, dict[str, Any]] = vendor().model_cost
    entry = table.get(model) or table.get(model.partition("/")[2]) or {}
    given = entry.get("input_cost_per_token")
    return None if given is None else float(given) * 1e6


async def embed(
    model: str, api_base: str | None, api_key: str | None, timeout_s: float, texts: list[str]
) -> tuple[list[list[float]], int]:
    """One call of an embedding model: a vector a text, in order, and the tokens that it took."""
    answer = await vendor().aembedding(
        model=model,
        input=texts,
        api_base=api_base,
        api_key=api_key or ("none" if api_base else None),
        timeout=timeout_s,
        max_retries=0,
    )
    rows = sorted(answer.data, key=lambda row: row["index"])
    return [row["embedding"] for row in rows], int(getattr(answer.usage, "prompt_tokens", 0) or 0)


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
