"""How an answer that is generated is held to the task, by what the endpoint can do. Reading stays strict in any case.

| endpoint                                   | choice                        | json                              |
|--------------------------------------------|-------------------------------|-----------------------------------|
| llama.cpp (own model server)               | `grammar` of the labels       | `response_format` json_schema     |
| vLLM                                       | `structured_outputs.choice`   | `response_format` json_schema     |
| OpenAI and Azure models known to take one  | json_schema, the labels an enum | json_schema, `strict` where it can |
| other models known to take a schema        | -                             | json_schema, as LiteLLM passes it |
| anything else                              | -                             | -                                 |

OpenAI holds an answer to a schema only with `strict`, and takes that only for schemas in which every object lists all
its properties as required and allows no others. Others (Anthropic among them) are given a schema by LiteLLM as a tool
or as an output format: worth its tokens for an object, not for a label, which they rarely miss and can repair.
"""

import json
from typing import Any

from prompts.definition import ChoiceAnswer, JsonAnswer, Task
from prompts.endpoint import Endpoint
from prompts.litellm_door import takes_schema

_NATIVE = ("openai", "azure")
_KEY = "answer"
_NOT_STRICT = {"allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"} | {
    "patternProperties", "prefixItems", "contains", "uniqueItems", "minProperties", "maxProperties", "propertyNames"
}  # fmt: skip
"""Keywords that OpenAI's strict schemas do not know (Structured Outputs guide, "Supported schemas")."""


def generate_options(endpoint: Endpoint, task: Task) -> dict[str, Any]:
    """The arguments of a generating call: the answer held to the labels or the schema, as the endpoint can."""
    options: dict[str, Any] = {"max_tokens": endpoint.max_tokens}
    if isinstance(task.answer, ChoiceAnswer):
        return {**options, **_held_to_labels(endpoint, task, list(task.said.values()))}
    if endpoint.dialect != "hosted" or takes_schema(endpoint.model):
        options["response_format"] = _response_format(endpoint, task.name, task.answer)
    return options


def said_plainly(task: Task, text: str) -> str:
    """The label out of the object that a schema made of it; any other text as it is."""
    if not isinstance(task.answer, ChoiceAnswer) or not text.lstrip().startswith("{"):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return str(value[_KEY]) if isinstance(value, dict) and list(value) == [_KEY] else text


def strict(schema: Any) -> bool:
    """Whether OpenAI takes this schema with `strict`."""
    if not isinstance(schema, dict):
        return True
    if _NOT_STRICT & schema.keys():
        return False
    properties = schema.get("properties", {})
    if "properties" in schema or schema.get("type") == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(properties):
            return False
    inner = [*properties.values(), schema.get("items"), *schema.get("anyOf", ())]
    return all(strict(one) for one in inner)


def _held_to_labels(endpoint: Endpoint, task: Task, said: list[str]) -> dict[str, Any]:
    if endpoint.dialect == "llama.cpp":
        return {"extra_body": {"grammar": "root ::= " + " | ".join(json.dumps(s) for s in said)}}
    if endpoint.dialect == "vllm":
        return {"extra_body": {"structured_outputs": {"choice": said}}}
    if endpoint.model.partition("/")[0] not in _NATIVE or not takes_schema(endpoint.model):
        return {}
    schema = {"type": "object", "properties": {_KEY: {"type": "string", "enum": said}}, "required": [_KEY]}
    held = {"name": task.name, "schema": {**schema, "additionalProperties": False}, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": held}}


def _response_format(endpoint: Endpoint, name: str, answer: JsonAnswer) -> dict[str, Any]:
    held: dict[str, Any] = {"name": name, "schema": answer.schema_}
    if endpoint.dialect == "hosted" and strict(answer.schema_):
        held["strict"] = True
    return {"type": "json_schema", "json_schema": held}
