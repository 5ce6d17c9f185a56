"""Whom to ask, and how: a model behind an address, with its limits and prices. Built from a task, never by hand.

Three dialects of the same OpenAI-compatible call: `llama.cpp` (Retort's own model server), `vllm`, and `hosted`
(whatever else LiteLLM reaches). They differ in how an answer is constrained and how many log-probabilities are given:
llama.cpp gives as many as one asks for, vLLM and OpenAI 20, Anthropic none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from prompts.definition import ChoiceAnswer, Task, Teacher
from prompts.privacy import check_model, check_unmasked, masks
from records.errors import InputError
from records.types import Student

Dialect = Literal["llama.cpp", "vllm", "hosted"]
_LOCAL_LOGPROBS = 1_000
"""llama.cpp gives any number. An untuned model's labels are often beyond the first 400; 1,000 cost 15 ms a call."""
_STUDENT_LOGPROBS = 100
"""A tuned student's labels are among its likeliest tokens, and it waits for fewer."""
_OTHER_LOGPROBS = 20


@dataclass(frozen=True)
class Endpoint:
    """A model that can be asked. Prices: US dollars per million tokens; None = not known.

    `masks`: a digest of the rules by which documents are masked on their way to it; empty: they go as they are.
    """

    model: str
    api_base: str | None
    dialect: Dialect
    mode: Literal["auto", "score", "generate"]
    api_key: str | None = field(default=None, repr=False)
    calibrate: bool = False
    top_logprobs: int = _OTHER_LOGPROBS
    max_tokens: int = 32
    input_price: float | None = None
    output_price: float | None = None
    max_in_flight: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout_s: float = 60.0
    retries: int = 5
    masks: str = ""
    samples: int = 1
    sample_temperature: float = 0.7
    repair: bool = False

    @property
    def sampled(self) -> bool:
        """Whether an answer that is generated is asked for several times."""
        return self.samples > 1 and self.mode != "score"

    @property
    def times(self) -> int:
        """How many calls an answer takes, a repair aside."""
        return self.samples if self.sampled else 1

    @property
    def documents_per_minute(self) -> float | None:
        """How many documents a minute keep their calls within `requests_per_minute`."""
        return self.requests_per_minute and self.requests_per_minute / self.times

    @property
    def documents_in_flight(self) -> int:
        """How many documents can be asked about at a time, so that their samples stay within `max_in_flight`."""
        return max(1, self.max_in_flight // self.times)

    @property
    def host(self) -> str:
        """Where it is asked, without the port (which changes when a local server restarts)."""
        return (urlsplit(self.api_base).hostname or "") if self.api_base else ""

    @property
    def wire_model(self) -> str:
        """The LiteLLM string it is called by. An `openai/` model at an own address goes by LiteLLM's `hosted_vllm`:
        the same bytes on the wire, a third of the CPU, since it leaves the OpenAI SDK out.
        """
        provider, _, name = self.model.partition("/")
        return f"hosted_vllm/{name}" if self.api_base and provider == "openai" else self.model

    @property
    def parameters(self) -> dict[str, Any]:
        """All that shapes an answer besides prompt, model and document."""
        calibrate = "domain-context" if self.calibrate else None
        shape = {"mode": self.mode, "calibrate": calibrate, "max_tokens": self.max_tokens}
        often: dict[str, Any] = (
            {"samples": self.samples, "sample_temperature": self.sample_temperature} if self.sampled else {}
        )
        shape |= {"temperature": 0, "top_logprobs": self.top_logprobs, "dialect": self.dialect, **often}
        return {**shape, "masks": self.masks} if self.masks else shape

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """US dollars; an unknown price counts as 0 (labelling refuses to start with one)."""
        paid = prompt_tokens * (self.input_price or 0.0) + completion_tokens * (self.output_price or 0.0)
        return paid / 1e6

    def highest_cost(self, prompt_tokens: int, repair_tokens: int = 0) -> float:
        """What asking about one document can cost at most: all its samples, or an answer and its repair.

        `repair_tokens`: of the words with which an answer is sent back (`prompts.repair.most_tokens`).
        """
        once = self.cost(prompt_tokens, self.max_tokens)
        if self.sampled:
            return self.samples * once
        if not self.repair or self.mode == "score":
            return once
        return once + self.cost(prompt_tokens + self.max_tokens + repair_tokens, self.max_tokens)


def teacher_endpoint(task: Task, local_url: str, environ: Mapping[str, str]) -> Endpoint:
    """The task's teacher. `local_url`: the local model server; `environ`: where `api_key_env` is looked up.

    Raises InputError when the named key is not set, or the task's privacy forbids the address.
    """
    spec = task.teacher
    address = _address(spec.api_base, local_url)
    check_model(task, spec.model, address, "teacher")
    own = Endpoint(
        model=spec.model,
        api_base=address,
        dialect=_dialect(spec.model, spec.api_base),
        mode=spec.mode,
        api_key=_key(spec, environ),
        calibrate=spec.calibrate,
        max_tokens=spec.max_tokens or _enough_tokens(task),
        max_in_flight=spec.max_in_flight,
        requests_per_minute=spec.requests_per_minute,
        tokens_per_minute=spec.tokens_per_minute,
        timeout_s=spec.timeout_s,
        retries=spec.retries,
        masks=masks(task, address),
        samples=spec.samples,
        sample_temperature=spec.sample_temperature,
        repair=spec.repair,
    )
    free = 0.0 if spec.api_base == "local" else None
    prices = (_first(spec.input_price, free), _first(spec.output_price, free))
    # Our own server can always score. To insist tells at the first asking of labels that begin alike, instead of
    # giving answers without a confidence, which would all go to people. A student generates such labels instead.
    insist = own.dialect == "llama.cpp" and own.mode == "auto"
    own = replace(own, mode="score" if insist else own.mode, input_price=prices[0], output_price=prices[1])
    return _for_task(own, task, spec.top_logprobs)


def student_endpoint(task: Task, model_name: str, local_url: str) -> Endpoint:
    """A student by the name under which it is served. It costs by the hour, so its tokens are free.

    Raises InputError when the task's privacy forbids its address; it gets documents as they are.
    """
    spec = task.student
    address = _address(spec.api_base, local_url)
    check_model(task, f"openai/{model_name}", address, "student")
    check_unmasked(task, address, "student")
    own = Endpoint(
        model=f"openai/{model_name}",
        api_base=address,
        dialect="llama.cpp" if spec.api_base == "local" else "vllm",
        mode="auto",
        max_tokens=_enough_tokens(task),
        input_price=0.0,
        output_price=0.0,
        timeout_s=spec.timeout_s,
    )
    return _for_task(own, task, _STUDENT_LOGPROBS if own.dialect == "llama.cpp" else None)


def endpoint_of(task: Task, student: Student, local_url: str, environ: Mapping[str, str]) -> Endpoint:
    """Where a student is asked: one's own server, or LiteLLM's way to the provider of it. Raises InputError when the
    task's privacy forbids it or the key is not set.
    """
    own, spec = student_endpoint(task, student.model_name, local_url), task.training.hosted
    if student.model is None:
        return own
    address, key = (spec.asked_at, environ.get(spec.api_key_env)) if spec else (None, None)
    check_model(task, student.model, address, "student")
    check_unmasked(task, address, "student")
    prices = (spec.input_price, spec.output_price) if spec else (None, None)
    shape = replace(own, dialect="hosted", top_logprobs=_OTHER_LOGPROBS, input_price=prices[0], output_price=prices[1])
    return replace(shape, model=student.model, api_base=address, api_key=key)


def base_endpoint(task: Task, local_url: str) -> Endpoint:
    """The student's base model before any training, asked as the student is, but for more log-probabilities."""
    return _for_task(student_endpoint(task, task.student.base_model, local_url), task, None)


def priced(endpoint: Endpoint) -> Endpoint:
    """The endpoint with prices: its own, else LiteLLM's table. Raises InputError when neither knows them."""
    from prompts.litellm_door import table_prices

    if endpoint.input_price is not None and endpoint.output_price is not None:
        return endpoint
    found = table_prices(endpoint.model)
    if found is None:
        raise InputError(
            f"the price of {endpoint.model!r} is not known. Give teacher.input_price and teacher.output_price "
            "(a hosted student's: of training.hosted) in task.yaml (US dollars per million tokens; 0 if it is free)."
        )
    given, said = _first(endpoint.input_price, found[0]), _first(endpoint.output_price, found[1])
    return replace(endpoint, input_price=given, output_price=said)


def _for_task(endpoint: Endpoint, task: Task, top_logprobs: int | None) -> Endpoint:
    """Settle what depends on the answer's kind: an own llama.cpp scores labels, JSON is always generated."""
    local = endpoint.dialect == "llama.cpp"
    count = top_logprobs or (_LOCAL_LOGPROBS if local else _OTHER_LOGPROBS)
    if not isinstance(task.answer, ChoiceAnswer):
        return replace(endpoint, mode="generate", calibrate=False, top_logprobs=count)
    return replace(endpoint, top_logprobs=count)


def _address(api_base: str | None, local_url: str) -> str | None:
    if api_base != "local":
        return api_base
    url = local_url.rstrip("/")
    return url if url.endswith("/v1") else f"{url}/v1"


def _dialect(model: str, api_base: str | None) -> Dialect:
    if api_base == "local":
        return "llama.cpp"
    return "vllm" if model.startswith(("hosted_vllm/", "vllm/")) else "hosted"


def _key(spec: Teacher, environ: Mapping[str, str]) -> str | None:
    if spec.api_key_env is None:
        return None
    key = environ.get(spec.api_key_env)
    if not key:
        raise InputError(
            f"the environment variable {spec.api_key_env} (teacher.api_key_env in task.yaml) is not set. "
            "Set it to the key, for example in .env."
        )
    return key


def _enough_tokens(task: Task) -> int:
    """Room for the longest label (a token has at least one byte), or for an object."""
    if not isinstance(task.answer, ChoiceAnswer):
        return 1_024
    return min(64, max(len(said.encode()) for said in task.said.values()) + 4)


def _first(*values: float | None) -> float | None:
    return next((v for v in values if v is not None), None)
