"""How fast the endpoint that would serve a student is: asked warm, one at a time and under load, for a bounded time.

Answers of a load test are thrown away: they are neither labels nor gold. Only an own endpoint is measured, which costs
by the hour; one that bills by the token only where the task says so (`gate.load.hosted`). Documents of the task are
asked in turn, each once before any comes again, so that a server's cache of whole prompts does not flatter it.

A measurement is kept before it counts. A student is measured once in the same way; again only for a reason that is kept
beside it, and then all measurements stay and are told: asked again until the machine is quiet, a gate decides nothing.

    known = load_known(context, task, student)         the last is the one that counts; made now where there is none
    measure_again(context, task, student, "A training ran beside it.", "Ana")
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from uuid import uuid4

from evaluation.load import Load, StudentCost, load_of, student_cost
from flows.context import Context
from flows.student import student_of
from prompts.ask import ask
from prompts.endpoint import Endpoint
from prompts.litellm_door import close
from prompts.task import Task
from records import library, loads, traffic
from records.errors import InputError, ServiceError
from records.loads import LoadMeasurement
from records.types import Outcome, Student

_MOST_TEXTS = 1_000
_DAYS, _REQUESTS = 7.0, 100
"""What recorded traffic must span at least to say what a month's is."""
_DAYS_A_MONTH = 30.44


def load_known(context: Context, task: Task, student: Student) -> list[LoadMeasurement]:
    """All measurements of a student in today's way, oldest first; the first is made where there is none.

    Empty where nothing is to be measured. Raises ServiceError when the endpoint cannot be asked at all.
    """
    endpoint = student_of(context, task, student)
    way = measured_as(task, endpoint)
    if not loads.measured(context.store, student.hash, way) and (found := measure_load(context, task, endpoint)):
        _keep(context, student, way, found, loads.first_id(student.hash, way))
    return loads.measured(context.store, student.hash, way)


def measure_again(context: Context, task: Task, student: Student, reason: str, by: str) -> None:
    """One more measurement, for a reason and in a name that are kept; the next verdict rests on it.

    Raises InputError where the gate's latency does not come from such a measurement, ServiceError where the endpoint
    cannot be asked: what was measured before then goes on counting.
    """
    endpoint = student_of(context, task, student)
    if 1 not in task.gate.load.in_flight:
        raise InputError(
            f"gate.load.in_flight of {task.name} is {task.gate.load.in_flight}, without 1: the latency that the gate "
            "judges is then that of the trial's own answers, which are not asked for again. Add 1 to measure it."
        )
    if not _measures(task, endpoint):
        raise InputError(
            f"the student of {task.name} is billed by the token, so it is not put under load, and answers that were "
            "paid for are not asked for again: set gate.load.hosted to true to measure it all the same."
        )
    found = measure_load(context, task, endpoint)
    if not any(one.in_flight == 1 and one.answers for one in found):
        raise ServiceError(f"the student at {endpoint.host} answered no call: the measurement before goes on counting.")
    _keep(context, student, measured_as(task, endpoint), found, f"load-{uuid4().hex[:16]}", reason.strip(), by.strip())


def _keep(
    context: Context, student: Student, way: str, found: list[Load], id_: str, reason: str = "", by: str = ""
) -> None:
    new = LoadMeasurement(
        id=id_,
        task=student.task,
        student_hash=student.hash,
        measured_as=way,
        load=[one.model_dump(mode="json") for one in found],
        reason=reason,
        by=by,
    )
    loads.keep(context.store, new)


def measure_load(context: Context, task: Task, endpoint: Endpoint) -> list[Load]:
    """One `Load` a level of `gate.load.in_flight`; none where nothing is to be measured.

    Raises ServiceError when the endpoint cannot be asked at all.
    """
    if not _measures(task, endpoint):
        return []
    texts = [d.text for d in itertools.islice(library.Stream(context.store, task.name), _MOST_TEXTS)]
    return asyncio.run(_levels(context, task, endpoint, texts)) if texts else []


def _measures(task: Task, endpoint: Endpoint) -> bool:
    return bool(task.gate.load.in_flight) and (is_own(endpoint) or task.gate.load.hosted)


def measured_as(task: Task, endpoint: Endpoint) -> str:
    """How and where it is measured, in words: another way is another measurement."""
    rules, levels = task.gate.load, ", ".join(str(n) for n in task.gate.load.in_flight)
    return (
        f"{levels} in flight, {rules.seconds:g} s or {rules.answers} answers each, at {endpoint.host or 'its provider'}"
    )


def is_own(endpoint: Endpoint) -> bool:
    """Whether it costs by the hour: it has an address of its own, and its tokens are free."""
    return endpoint.api_base is not None and not endpoint.input_price and not endpoint.output_price


def cost_of(context: Context, task: Task, found: list[Load]) -> StudentCost | None:
    """What the student costs, at the volume that the task expects or that traffic shows."""
    monthly, source = task.gate.monthly_requests, "given"
    if monthly is None:
        monthly, source = _from_traffic(context, task), "traffic"
    return student_cost(found, task.student.price_per_hour, monthly, source)


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
