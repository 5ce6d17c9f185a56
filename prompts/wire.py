"""One request and its answer through LiteLLM, without retries: messages in, what was said out.

Two ways, one translation:

- Every provider by `litellm.acompletion`.
- A server at an own address that speaks OpenAI's protocol (vLLM, llama.cpp, LiteLLM's `hosted_vllm`) without it: the
  provider's translation (LiteLLM's documented interface for providers, docs.litellm.ai/docs/provider_registration) is
  used around LiteLLM's own aiohttp transport. The bytes on the wire are the same (a test compares them). Left out is
  what `acompletion` does beside it for each call: logging objects, cost look-ups, a hop to a thread, a second client
  on top of aiohttp. One call takes a third to a quarter of the CPU (`benchmarks/labelling.py` measures it), and what a
  broken connection had sent is not sent again unseen, as LiteLLM's client would.

What is the same for all documents (the mapped parameters, headers, address) is found once for an endpoint and options.
"""

import asyncio
import copy
import functools
import json
import time
from dataclasses import dataclass
from typing import Any

from prompts.endpoint import Endpoint
from prompts.failures import NotProtocol
from prompts.litellm_door import direct_client, transport, vendor
from prompts.render import Messages
from prompts.scoring import Tokens

_DIRECT = "hosted_vllm/"
_SHOWN = 120


@dataclass(frozen=True)
class Spoken:
    """What came back. `first`: candidates for the first token, empty where the endpoint gives none."""

    text: str
    first: Tokens
    finish: str
    refusal: str | None
    prompt_tokens: int
    completion_tokens: int
    latency_s: float


async def attempt(endpoint: Endpoint, messages: Messages, options: dict[str, Any]) -> Spoken:
    """Ask once. `options`: further arguments of the completion, in LiteLLM's (OpenAI's) words.

    Raises LiteLLM's exceptions, NotProtocol, TimeoutError, or what the connection raised: see `prompts.failures`.
    """
    wire = {"temperature": 0, **options}
    line = _line(endpoint, json.dumps(wire)) if _is_direct(endpoint) else None  # the first time, imports LiteLLM
    began = time.perf_counter()
    async with asyncio.timeout(endpoint.timeout_s if line else endpoint.timeout_s + 1):
        response = await (line.ask(messages) if line else _complete(endpoint, messages, wire))
    return spoken_of(response, time.perf_counter() - began)


def _is_direct(endpoint: Endpoint) -> bool:
    vendor()
    return endpoint.api_base is not None and endpoint.wire_model.startswith(_DIRECT)


async def _complete(endpoint: Endpoint, messages: Messages, wire: dict[str, Any]) -> Any:
    own = {"client": direct_client()} if endpoint.wire_model.startswith(_DIRECT) else {}
    return await vendor().acompletion(
        model=endpoint.wire_model,
        messages=messages,
        api_base=endpoint.api_base,
        api_key=endpoint.api_key or ("none" if endpoint.api_base else None),
        timeout=endpoint.timeout_s,
        max_retries=0,
        **own,
        **wire,
    )


class _Line:
    """The way to one model with one set of parameters."""

    def __init__(self, endpoint: Endpoint, wire: dict[str, Any]) -> None:
        provider, _, self._model = endpoint.wire_model.partition("/")
        litellm = vendor()
        self._provider, self._key = provider, endpoint.api_key or "none"
        self._config = litellm.utils.ProviderConfigManager.get_provider_chat_config(
            model=self._model, provider=litellm.LlmProviders(provider)
        )
        self._options = litellm.get_optional_params(
            model=self._model, custom_llm_provider=provider, drop_params=True, stream=None, **wire
        )
        self._extra = self._options.pop("extra_body", None) or {}
        self._parameters = {"api_base": endpoint.api_base, "custom_llm_provider": provider}
        where: dict[str, Any] = {"model": self._model, "api_base": endpoint.api_base, "api_key": self._key}
        where |= {"optional_params": self._options, "litellm_params": self._parameters}
        self._headers = self._config.validate_environment(headers={}, messages=[], **where)
        self._url = self._config.get_complete_url(**where)

    async def ask(self, messages: Messages) -> Any:
        """LiteLLM's ModelResponse."""
        options = copy.deepcopy(self._options)
        shape = {"model": self._model, "optional_params": options, "litellm_params": self._parameters}
        messages = [dict(message) for message in messages]
        body = self._config.transform_request(messages=messages, headers=self._headers, **shape) | self._extra
        response = await transport().post(self._url, self._headers, json.dumps(body))
        if response.status_code >= 300:  # a redirect is an error: the document goes nowhere else
            raise self._error(response.status_code, response.text, response.headers)
        try:
            return self._config.transform_response(
                raw_response=response,
                model_response=vendor().ModelResponse(),
                logging_obj=_Unlogged(),
                request_data=body,
                messages=messages,
                encoding=None,
                api_key=self._key,
                **shape,
            )
        except Exception as fault:
            raise self._unreadable(response, fault) from fault

    def _unreadable(self, response: Any, fault: Exception) -> Exception:
        """Status 200, but no completion: an error that came as an answer, or something that is no model server."""
        try:
            found = response.json()
        except ValueError:
            found = None
        if isinstance(found, dict) and isinstance(error := found.get("error"), dict):
            status = int(str(error.get("code"))) if str(error.get("code")).isdigit() else 400
            return self._error(status, str(error.get("message")), response.headers)
        usage = found.get("usage") if isinstance(found, dict) else None
        return NotProtocol(f"status 200, but no chat completion: {response.text[:_SHOWN]!r}", usage)

    def _error(self, status: int, text: str, headers: Any) -> Exception:
        """The exception that LiteLLM maps this error to."""
        raised = self._config.get_error_class(error_message=text, status_code=status, headers=headers)
        try:
            vendor().exception_type(model=self._model, original_exception=raised, custom_llm_provider=self._provider)
        except Exception as mapped:
            return mapped
        return Exception(text)


class _Unlogged:
    """In the place of LiteLLM's record of one call, which nobody reads here."""

    def post_call(self, *_: Any, **__: Any) -> None:
        """Nothing is logged."""


@functools.lru_cache(maxsize=64)
def _line(endpoint: Endpoint, wire: str) -> _Line:
    return _Line(endpoint, json.loads(wire))


def spoken_of(response: Any, latency_s: float) -> Spoken:
    """What a response of LiteLLM's says, whether it came live or in a batch."""
    choice = response.choices[0]
    usage = getattr(response, "usage", None)
    refusal = getattr(choice.message, "refusal", None) or (choice.message.get("provider_specific_fields") or {}).get(
        "refusal"
    )
    return Spoken(
        text=choice.message.content or "",
        first=_first_tokens(getattr(choice, "logprobs", None)),
        finish=choice.finish_reason or "",
        refusal=refusal,
        prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
        completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
        latency_s=latency_s,
    )


def _first_tokens(logprobs: Any) -> Tokens:
    content = getattr(logprobs, "content", None)
    if not content:
        return []
    return [(t.token, t.logprob) for t in content[0].top_logprobs or []]
