"""One production request becomes one answer: by the student that is live, else by the teacher. Knows no proxy.

    live release?   who is asked                     release named in the answer
    none            the teacher                      legal_intake@teacher openai/smollm2-135m-instruct
    number 3        its student                      legal_intake@3 student-9f2c41d0c7a2
    number 3        the student fails: the teacher   legal_intake@teacher ...; recorded as a fallback from 3

The live pointer is read from the store on every request, so a release or a rollback counts from the next one on. The
prompt is rendered here, by the same `prompts.render` that made the training rows (invariant 1).
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from prompts.ask import Choose, ask
from prompts.endpoint import Endpoint, endpoint_of, priced, teacher_endpoint
from prompts.render import answer_text
from prompts.reply import Reply
from prompts.task import ChoiceAnswer, Task, restore_task
from records import registry, taskbook
from records.errors import InputError, ServiceError
from records.store import Store
from records.types import Answer, Outcome, Release, Request, Student
from serving.exampleshelf import ExampleShelf
from serving.journal import Journal
from serving.taskshelf import TaskShelf

_log = logging.getLogger("retort.gateway")
_TEACHER_RETRIES = 2
"""At most: an application waits for this answer, unlike a labelling run, which can afford the task's own patience."""


@dataclass(frozen=True)
class Served:
    """An answer for the application. `content` is a label's name, or canonical JSON; `source` names who gave it."""

    id: str
    content: str
    source: str
    confidence: float | None
    fallback: bool
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class _Asked:
    """How asking ended, and whom it was."""

    reply: Reply
    model: str
    source: str
    fallback: bool = False


class NoAnswer(ServiceError):
    """The model did answer, but refused or gave nothing that is an answer to the task: asking again is in vain."""


class Answering:
    """Answers the requests for all tasks of a store. `environ` is where the teacher's key is looked up."""

    def __init__(self, store: Store, model_url: str, environ: Mapping[str, str], journal: Journal) -> None:
        """`model_url`: the local model server, with or without `/v1`."""
        self._store, self._model_url, self._environ, self._journal = store, model_url, environ, journal
        self._tasks, self._examples = TaskShelf(store), ExampleShelf(store, environ)
        self._served: dict[str, tuple[Student, Task | None]] = {}

    async def task(self, name: str) -> Task:
        """The task as its folder has it now. Raises InputError when the store does not know it."""
        return await asyncio.to_thread(self._tasks.get, name)

    async def answer(self, task: Task, text: str) -> Served:
        """Answer one document.

        Raises InputError for an empty document, NoAnswer when it was refused or unreadable, ServiceError when nobody
        could be asked. What happened is handed to the journal in each case, and written after this returns.
        """
        if not text.strip():
            raise InputError("the document is empty: put its text into the user message.")
        began = time.perf_counter()
        release = await asyncio.to_thread(registry.live, self._store, task.name)
        asked = await self._ask(task, text, release)
        request = _request(task, text, release, asked, time.perf_counter() - began)
        if task.traffic.record:
            self._journal.note(request, task.traffic.sample_rate)
        return _served(task, request, asked)

    async def _ask(self, task: Task, text: str, release: Release | None) -> _Asked:
        if release is None:
            return await self._ask_teacher(task, text, fallback=False)
        student, taught = await asyncio.to_thread(self._student, release)
        name = student.model_name
        # One try: where the student does not answer at once, the teacher is the better second try.
        try:
            endpoint = _with_price(endpoint_of(task, student, self._model_url, self._environ))
            reply = await _try(replace(endpoint, retries=0), taught or task, text, teaching=False)
        except InputError as fault:  # the task's privacy forbids its address
            reply = Reply(Outcome.failed, error=str(fault))
        if reply.outcome is Outcome.answered:
            return _Asked(reply, endpoint.model, f"{release.name} {name}")
        _log.warning("%s: %s %s (%s): the teacher answers", release.name, name, reply.outcome.value, reply.error)
        return await self._ask_teacher(task, text, fallback=True)

    async def _ask_teacher(self, task: Task, text: str, fallback: bool) -> _Asked:
        try:
            endpoint = _with_price(teacher_endpoint(task, self._model_url, self._environ))
            endpoint = replace(endpoint, retries=min(endpoint.retries, _TEACHER_RETRIES))
            choose = await asyncio.to_thread(self._examples.get, task) if task.retrieval else None
        except InputError as fault:  # its key is not set, or the task's privacy forbids its address
            return _Asked(Reply(Outcome.failed, error=str(fault)), task.teacher.model, "", fallback)
        reply = await _try(endpoint, task, text, True, choose)
        return _Asked(reply, endpoint.model, f"{task.name}@teacher {endpoint.model}", fallback)

    def _student(self, release: Release) -> tuple[Student, Task | None]:
        """A release's student, and the task as it was when that student was trained.

        A prompt that is edited afterwards is the teacher's and the next student's; this one was judged with its own.
        A hash never changes its student: kept.
        """
        if release.student_hash not in self._served:
            student = registry.student(self._store, release.student_hash)
            found = taskbook.definition(self._store, release.task, str(student.training.get("task", "")))
            self._served[student.hash] = (student, restore_task(*found) if found else None)
        return self._served[release.student_hash]


async def _try(endpoint: Endpoint, task: Task, text: str, teaching: bool, choose: Choose | None = None) -> Reply:
    try:
        return await ask(endpoint, task, text, teaching, choose=choose)
    except (ServiceError, InputError) as fault:
        return Reply(Outcome.failed, error=str(fault))


def _with_price(endpoint: Endpoint) -> Endpoint:
    """Production does not stop for an unknown price; it counts as 0, and labelling asks for it."""
    try:
        return priced(endpoint)
    except InputError:
        return endpoint


def _request(task: Task, text: str, release: Release | None, asked: _Asked, latency_s: float) -> Request:
    reply = asked.reply
    return Request(
        id=f"req-{uuid4().hex}",
        task=task.name,
        text=text,
        value=reply.value,
        outcome=reply.outcome,
        confidence=reply.confidence,
        model=asked.model,
        release=release.number if release else None,
        fallback=asked.fallback,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        cost_usd=reply.cost_usd,
        latency_s=latency_s,
    )


def _served(task: Task, request: Request, asked: _Asked) -> Served:
    reply = asked.reply
    if reply.outcome is Outcome.failed:
        raise ServiceError(f"{task.name}: nobody could answer. {asked.model}: {reply.error}")
    if reply.value is None:
        raise NoAnswer(f"{task.name}: {asked.model} gave no usable answer ({reply.outcome.value}): {reply.error}")
    return Served(
        id=request.id,
        content=_content(task, reply.value),
        source=asked.source,
        confidence=reply.confidence,
        fallback=asked.fallback,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
    )


def _content(task: Task, value: Answer) -> str:
    """A label goes out by its name, whatever short code the model says for it; an object as canonical JSON."""
    return str(value) if isinstance(task.answer, ChoiceAnswer) else answer_text(task, value)
