"""Which batch API an endpoint has: OpenAI's shape, Anthropic's, or none that we know."""

from typing import Any, Literal

from prompts.batch_anthropic import AnthropicBatches
from prompts.batch_openai import OpenAIBatches
from prompts.batch_provider import Provider
from prompts.endpoint import Endpoint
from prompts.litellm_door import provider_of
from records.errors import InputError


def shape(endpoint: Endpoint) -> Literal["openai", "anthropic"]:
    """Which batch API an endpoint has. Raises InputError where there is none that we know."""
    provider = "" if endpoint.dialect != "hosted" else provider_of(endpoint.model)
    if provider == "openai":
        return "openai"
    if provider == "anthropic":
        return "anthropic"
    where = {"llama.cpp": "Retort's own model server", "vllm": "a vLLM server"}.get(endpoint.dialect, provider)
    raise InputError(
        f"{endpoint.model} cannot be asked in batches: {where or 'its provider'} has no batch API that Retort knows "
        "(it knows those of `openai/` and `anthropic/` models). Label without --batch."
    )


def batch_provider(endpoint: Endpoint, options: dict[str, Any]) -> Provider:
    """The batch API of an endpoint. `options`: as of a live call. Raises InputError where there is none."""
    return OpenAIBatches(endpoint, options) if shape(endpoint) == "openai" else AnthropicBatches(endpoint, options)
