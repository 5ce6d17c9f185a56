"""One document's request as the provider gets it, and a provider's answer as we read it, both by LiteLLM's own hands.

A live call's arguments pass through LiteLLM, which words them as the model wants (`max_completion_tokens`, a dropped
`temperature`, a JSON Schema as a tool). A line of a batch must be worded by the same code, or a batch would be another
asking under the same answer key. LiteLLM does not word batch lines, so the two halves of a call are used without the
call between them: `get_optional_params` and the model's `transform_request`; `convert_to_model_response_object`, and
for messages `transform_parsed_response`, which of the HTTP response reads the headers only.
"""

import copy
from types import SimpleNamespace
from typing import Any

from prompts.endpoint import Endpoint
from prompts.litellm_door import vendor
from prompts.render import Messages
from prompts.wire import Spoken, spoken_of


class Wire:
    """The wording of one endpoint and one set of options. `headers`: what must go with such requests."""

    def __init__(self, endpoint: Endpoint, options: dict[str, Any]) -> None:
        """`options`: further arguments of the completion, as of a live call."""
        litellm = vendor()
        self._model, provider, _, _ = litellm.get_llm_provider(endpoint.wire_model, api_base=endpoint.api_base)
        self._config = litellm.utils.ProviderConfigManager.get_provider_chat_config(
            model=self._model, provider=litellm.LlmProviders(provider)
        )
        params = litellm.get_optional_params(
            model=self._model, custom_llm_provider=provider, temperature=0, **copy.deepcopy(options)
        )
        self._json_mode = bool(params.pop("json_mode", False))
        self._extra = params.pop("extra_body", None) or {}
        params.pop("stream", None)
        self._params = params
        self.headers: dict[str, str] = {}

    def body(self, messages: Messages) -> dict[str, Any]:
        """The body of a request, as a live call would send it."""
        turns, params = copy.deepcopy(messages), copy.deepcopy(self._params)
        body = self._config.transform_request(self._model, turns, params, {}, self.headers)
        return {**body, **self._extra}

    def said(self, body: dict[str, Any]) -> Spoken:
        """A chat completion's body as what was said. It took no time that could be compared: a latency of 0."""
        litellm = vendor()
        made = litellm.utils.convert_to_model_response_object(
            response_object=body, model_response_object=litellm.ModelResponse()
        )
        return spoken_of(made, 0.0)

    def said_in_message(self, message: dict[str, Any]) -> Spoken:
        """An Anthropic message as what was said."""
        litellm = vendor()
        response = SimpleNamespace(headers={}, status_code=200)
        made = self._config.transform_parsed_response(
            message, response, litellm.ModelResponse(), json_mode=self._json_mode
        )
        return spoken_of(made, 0.0)
