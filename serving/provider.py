"""Our provider for the LiteLLM proxy: a chat completion comes in, `serving.answering` answers, the answer goes out.

In:   model = the task's name, one user message = the document. What else an application may send (temperature,
      max_tokens, response_format...) is ignored: how a task is asked is decided in its folder, not by its callers.
      Messages of other roles are refused rather than ignored: an instruction that does nothing would mislead.
Out:  content = the answer; `id` = the request's id in the store; `system_fingerprint` = the release that answered
      ("legal_intake@3 student-9f2c41d0c7a2"); the header x-retort-release says the same.

LiteLLM is imported when `provider` is called, and not before: it takes four seconds.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from records.errors import InputError, ServiceError
from serving.answering import Answering, NoAnswer, Served

PROVIDER = "retort"
_log = logging.getLogger("retort.gateway")
RELEASE_HEADER = "x-retort-release"


def provider(answering: Answering) -> Any:
    """The `litellm.CustomLLM` that answers through `answering`."""
    from litellm.llms.custom_llm import CustomLLM

    class Retort(CustomLLM):
        """Answers a chat completion with the answer of a task."""

        async def acompletion(self, *_: Any, **given: Any) -> Any:
            """LiteLLM's entry. Raises LiteLLM's own errors, which the proxy gives out in OpenAI's shape."""
            model = given["model"]
            with _as_litellm(model):
                task = await _task(answering, model)
                served = await answering.answer(task, document_of(given["messages"]))
            return _filled(given["model_response"], model, served)

        async def astreaming(self, *_: Any, **given: Any) -> Any:
            """Refused: an answer is a few tokens, and it is checked before it goes out."""
            with _as_litellm(given["model"]):
                raise InputError("streaming is not offered: an answer comes whole. Leave `stream` out.")
            yield

    return Retort()


def headers() -> Any:
    """The `CustomLogger` that names the release in a header of the answer."""
    from litellm.integrations.custom_logger import CustomLogger

    class ReleaseHeader(CustomLogger):
        """Adds one header to each answer."""

        async def async_post_call_response_headers_hook(self, *_: Any, **given: Any) -> dict[str, str] | None:
            """LiteLLM's entry."""
            source = getattr(given.get("response"), "system_fingerprint", None)
            return {RELEASE_HEADER: str(source).encode("ascii", "replace").decode()} if source else None

    return ReleaseHeader()


def document_of(messages: list[Any]) -> str:
    """The document in the messages of a chat completion. Raises InputError unless it is one user message of text."""
    roles = [message.get("role") for message in messages]
    if roles != ["user"]:
        raise InputError(
            f"send the document as one user message; got the roles {roles}. The instructions are the task's own."
        )
    content = messages[0].get("content")
    if isinstance(content, list):
        texts = [part["text"] for part in content if part.get("type") == "text"]
        content = "\n".join(texts) if len(texts) == len(content) else None
    if not isinstance(content, str):
        raise InputError("the document must be text: images and files are not read here.")
    return content


class _Unknown(Exception):
    """A model that is not a task of the store."""


async def _task(answering: Answering, name: str) -> Any:
    try:
        return await answering.task(name)
    except InputError as fault:
        raise _Unknown(str(fault)) from fault


@contextlib.contextmanager
def _as_litellm(model: str) -> Iterator[None]:
    """Our errors as LiteLLM's: the caller's fault 400, no such task 404, no usable answer 422, nobody there 503."""
    import httpx
    from litellm import exceptions as kinds

    try:
        yield
    except _Unknown as fault:
        raise kinds.NotFoundError(str(fault), model=model, llm_provider=PROVIDER) from None
    except InputError as fault:
        raise kinds.BadRequestError(str(fault), model=model, llm_provider=PROVIDER) from None
    except NoAnswer as fault:
        reply = httpx.Response(422, request=httpx.Request("POST", "http://retort/v1/chat/completions"))
        raise kinds.UnprocessableEntityError(str(fault), model, PROVIDER, reply) from None
    except ServiceError as fault:
        raise kinds.ServiceUnavailableError(str(fault), model=model, llm_provider=PROVIDER) from None
    except Exception as fault:  # the store is down, say: the application learns that it failed, the log learns why
        _log.exception("a request for %s failed", model[:80])
        raise kinds.InternalServerError(f"the gateway failed: {type(fault).__name__}", PROVIDER, model) from None


def _filled(response: Any, model: str, served: Served) -> Any:
    from litellm.types.utils import Choices, Message, Usage

    extra = {"confidence": served.confidence, "fallback": served.fallback}
    message = Message(role="assistant", content=served.content, provider_specific_fields=extra)
    response.id = served.id
    response.model = model
    response.system_fingerprint = served.source
    response.choices = [Choices(index=0, finish_reason="stop", message=message)]
    total = served.prompt_tokens + served.completion_tokens
    response.usage = Usage(
        prompt_tokens=served.prompt_tokens, completion_tokens=served.completion_tokens, total_tokens=total
    )
    return response
