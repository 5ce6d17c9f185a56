"""Vectors of texts from an embedding model, through LiteLLM: in batches, with retries, each paid for once.

A vector is in the store, with its charge, before it is used, and a known one is never asked for again. Any LiteLLM
model string works; `api_base` reaches an own server with OpenAI's `/v1/embeddings` (vLLM, llama.cpp started with
`--embeddings`). Retort's own model server has no such route: the models that it serves were made to write, not to
compare texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prompts.call import persist
from prompts.definition import Task
from prompts.document_rules import Retrieval
from prompts.endpoint import Endpoint
from prompts.litellm_door import embed, input_price
from prompts.privacy import check_model, masks
from records import embeddings
from records.errors import InputError, ServiceError
from records.runs import Charge
from records.store import Store

_BATCH = 64
_LONGEST = 8_000
"""Characters of a text that are embedded, about 2,000 tokens: what most embedding models take."""


@dataclass(frozen=True)
class Embedder:
    """An embedding model that answers for one task; its vectors are little-endian 16-bit floats.

    `run`: on whose account; empty: production's.
    """

    store: Store
    task: str
    endpoint: Endpoint
    run: str = ""

    async def vectors(self, texts: Sequence[str]) -> list[bytes]:
        """The vector of each text, in order. Raises CallFailed and ServiceError as `prompts.call.call` does."""
        cut = [text.strip()[:_LONGEST] for text in texts]
        keys = [embeddings.key_of(self.endpoint.model, self.endpoint.host, text) for text in cut]
        known = embeddings.known(self.store, keys)
        missing = {key: text for key, text in zip(keys, cut, strict=True) if key not in known}
        todo = list(missing.items())
        for at in range(0, len(todo), _BATCH):
            known |= await self._ask(dict(todo[at : at + _BATCH]))
        return [known[key] for key in keys]

    async def _ask(self, texts: Mapping[str, str]) -> dict[str, bytes]:
        """One call for {key: text}; {key: vector}, which are in the store by then."""
        end, words = self.endpoint, list(texts.values())
        try:
            found, tokens = await persist(
                end, lambda: embed(end.wire_model, end.api_base, end.api_key, end.timeout_s, words)
            )
        except ServiceError as fault:
            raise ServiceError(f"no examples can be chosen (`retrieval` in task.yaml): {fault}") from fault
        if len(found) != len(texts) or len({len(vector) for vector in found}) > 1:
            raise ServiceError(f"{self.endpoint.model} gave {len(found)} vectors for {len(texts)} texts: use another.")
        packed = dict(zip(texts, map(_packed, found), strict=True))
        charge = Charge(
            task=self.task,
            run=self.run,
            purpose="embedding",
            model=self.endpoint.model,
            prompt_tokens=tokens,
            completion_tokens=0,
            cost_usd=self.endpoint.cost(tokens, 0),
        )
        embeddings.keep(self.store, packed, charge)
        return packed


def embedder_of(store: Store, task: Task, environ: Mapping[str, str]) -> Embedder | None:
    """The task's embedding model; None where examples are found by words.

    Raises InputError when its key is not set, its price is not known, or the task's privacy forbids its address.
    """
    rules = task.retrieval
    if rules is None or rules.by == "tfidf":
        return None
    check_model(task, rules.by, rules.api_base, "retrieval")
    endpoint = Endpoint(
        model=rules.by,
        api_base=rules.api_base,
        dialect="hosted",
        mode="generate",
        api_key=_key(rules, environ),
        input_price=_price(rules),
        output_price=0.0,
        timeout_s=task.teacher.timeout_s,
        retries=task.teacher.retries,
        masks=masks(task, rules.api_base),
    )
    return Embedder(store, task.name, endpoint)


def _key(rules: Retrieval, environ: Mapping[str, str]) -> str | None:
    key = environ.get(rules.api_key_env or "")
    if rules.api_key_env and not key:
        raise InputError(
            f"the environment variable {rules.api_key_env} (retrieval.api_key_env in task.yaml) is not set. "
            "Set it to the key, for example in .env."
        )
    return key


def _price(rules: Retrieval) -> float:
    price = rules.price if rules.price is not None else input_price(rules.by)
    if price is None:
        raise InputError(
            f"the price of {rules.by!r} is not known. Give retrieval.price in task.yaml "
            "(US dollars per million tokens; 0 if it is free)."
        )
    return price


def _packed(vector: Sequence[float]) -> bytes:
    import numpy as np

    packed: Any = np.asarray(vector, dtype="<f2")
    return bytes(packed.tobytes())
