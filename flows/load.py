"""How fast the endpoint that would serve a student is: asked warm, one at a time and under load, for a bounded time.

Answers of a load test are thrown away: they are neither labels nor gold. Only an own endpoint is measured, which costs
by the hour; one that bills by the token only where the task says so (`gate.load.hosted`). Documents of the task are
asked in turn, each once before any comes again, so that a server's cache of whole prompts does not flatter it.

    loads = measure_load(context, task, student_endpoint(task, name, url))
"""

import asyncio
import itertools
import time
from collections.abc import Iterator

from evaluation.load import Load, StudentCost, load_of, student_cost
from flows.context import Context
from prompts.ask import ask
from prompts.endpoint import Endpoint
from prompts.litellm_door import close
from prompts.task import Task
from records import library, traffic
from records.types import Outcome

_MOST_TEXTS = 1_000
_DAYS, _REQUESTS = 7.0, 100
"""What recorded traffic must span at least to say what a month's is."""
_DAYS_A_MONTH = 30.44


def measure_load(context: Context, task: Task, endpoint: Endpoint) -> list[Load]:
    """One `Load` a level of `gate.load.in_flight`; none where nothing is to be measured.

    Raises ServiceError when the endpoint cannot be asked at all.
    """
    rules = task.gate.load
    if not rules.in_flight or not (is_own(endpoint) or rules.hosted):
        return []
    texts = [d.text for d in itertools.islice(library.Stream(context.store, task.name), _MOST_TEXTS)]
    return asyncio.run(_levels(context, task, endpoint, texts)) if texts else []


def measured_as(task: Task, endpoint: Endpoint) -> str:
    """How and where it is measured, in words: another way is another measurement."""
    rules, levels = task.gate.load, ", ".join(str(n) for n in task.gate.load.in_flight)
    return (
        f"{levels} in flight, {rules.seconds:g} s or {rules.answers} answers each, at {endpoint.host or 'its provider'}"
    )


def is_own(endpoint: Endpoint) -> bool:
    """Whether it costs by the hour: it has an address of its own, and its tokens are free."""
    return endpoint.api_base is not None and not endpoint.input_price and not endpoint.output_price


def cost_of(context: Context, task: Task, loads: list[Load]) -> StudentCost | None:
    """What the student costs, at the volume that the task expects or that traffic shows."""
    monthly, source = task.gate.monthly_requests, "given"
    if monthly is None:
        monthly, source = _from_traffic(context, task), "traffic"
    return student_cost(loads, task.student.price_per_hour, monthly, source)


def _from_traffic(context: Context, task: Task) -> float | None:
    count, days = traffic.volume(context.store, task.name)
    if days < _DAYS or count < _REQUESTS or not task.traffic.sample_rate:
        return None
    return count / task.traffic.sample_rate / days * _DAYS_A_MONTH


async def _levels(context: Context, task: Task, endpoint: Endpoint, texts: list[str]) -> list[Load]:
    turn, levels = itertools.cycle(texts), task.gate.load.in_flight
    found = []
    try:
        for done, in_flight in enumerate(levels):
            context.progress("measuring the endpoint", done, len(levels), f"{in_flight} in flight")
            found.append(await _level(task, endpoint, turn, in_flight))
    finally:
        await close()
    context.progress("measuring the endpoint", len(levels), len(levels), "")
    return found


async def _level(task: Task, endpoint: Endpoint, turn: Iterator[str], in_flight: int) -> Load:
    """Ask until the time is over or the answers suffice; the first answers, which warm the server, do not count."""
    rules = task.gate.load
    await asyncio.gather(*(ask(endpoint, task, next(turn), False) for _ in range(in_flight)))
    latencies: list[float] = []
    failed, began = 0, time.monotonic()

    async def worker() -> None:
        nonlocal failed
        while time.monotonic() - began < rules.seconds and len(latencies) + failed < rules.answers:
            sent = time.perf_counter()
            reply = await ask(endpoint, task, next(turn), False)
            if reply.outcome is Outcome.failed:
                failed += 1
            else:
                latencies.append(reply.latency_s or time.perf_counter() - sent)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return load_of(in_flight, latencies, failed, time.monotonic() - began, task.gate.confidence)
