"""The whole circle on the sample task, by itself: through Prefect, Argilla, Axolotl and the gateway, as in production.

    documents -> label -> (a scripted reviewer answers in Argilla) -> collect -> [event] train -> [event] release

Only the reviewer is a stand-in: people answer for days. Everything else is what `make up` runs. A second demo asks,
reviews and trains nothing anew: what is known is recognised, and shown again.

`ASKED` of the 630 documents are labelled, all test documents among them: the circle has to turn in a quarter of an
hour on two cores, and each further document costs the packaged teacher 0.6 s and the student's training 1.2 s.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flows.context import Context, find_task, workplace
from flows.desk import form_of
from flows.settings import Settings
from prompts.task import Task
from records import library
from records.progress import Progress
from records.types import Answer, now
from retort import running, stack
from retort.credentials import load_or_create
from retort.demo_summary import Summary, summary
from retort.gateway_client import Answered, ask
from review import scripted

TASK = "legal_intake"
ASKED = 330
MESSAGE = (
    "Our tenant on the second floor has not answered since spring and now a locksmith sent us the bill for the new "
    "door. The lease runs until 2028. Can we end it early, and who pays the door?"
)
"""A message that is in no file of the sample."""


class Demo:
    """The steps of one demo, each timed."""

    def __init__(self, context: Context, documents: int) -> None:
        """`documents`: how many the teacher is asked about at most."""
        self.context, self.documents = context, documents
        self.task: Task = find_task(context, TASK)
        self.seconds: dict[str, float] = {}
        self.reviewed = scripted.Reviewed(0, 0, 0)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step of the circle."""
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def turn(self) -> tuple[Answered, Answered]:
        """The circle; what the gateway answered before and after it."""
        from flows import runs

        progress = self.context.progress
        with self.step("documents"):
            self._read()
        with self.step("label"):
            runs.follow(runs.start("label/label", task=TASK, limit=self.documents), progress)
        before = ask(self.context.settings, TASK, MESSAGE)
        with self.step("review"):
            self._review()
        with self.step("collect"):
            then = now()
            runs.follow(runs.start("collect/collect", task=TASK, train="always"), progress)
        with self.step("train"):
            training = runs.next_run("train/train", since=then)
            runs.follow(training, progress)
        with self.step("release"):
            runs.follow(runs.next_run("release/release", since=then), progress)
        return before, ask(self.context.settings, TASK, MESSAGE)

    def _read(self) -> None:
        from flows.arrivals import read_source

        for source in ("documents.jsonl", "letters"):
            read_source(self.context, self.task, str(self.task.folder / "sample" / source))

    def _review(self) -> None:
        people = load_or_create(self.context.settings.home)
        self.reviewed = scripted.review(
            self.context.settings.desk,
            people.reviewers[0],
            TASK,
            form_of(self.task),
            self._gold(),
            progress=self.context.progress,
        )

    def _gold(self) -> dict[str, Answer]:
        """The sample's own labels, by document id."""
        lines = (self.task.folder / "sample" / "gold.jsonl").read_text("utf-8").splitlines()
        labels: dict[str, Any] = {row["id"]: row["label"] for row in map(json.loads, lines)}
        documents = library.documents(self.context.store, TASK)
        return {d.id: labels[d.external_id] for d in documents if d.external_id in labels}


def run(settings: Settings, progress: Progress, documents: int = ASKED) -> Summary:
    """Turn the circle once. Starts what does not run, and stops what it started, also when it fails."""
    started: list[str] = []
    try:
        started = running.start(settings, progress).started
        with workplace(progress, settings) as context:
            demo = Demo(context, documents)
            before, after = demo.turn()
            return summary(context, demo.task, demo.reviewed, demo.seconds, before, after)
    finally:
        if started:
            progress("stopping", 0, 1, "what the demo started")
            stack.stop(settings)
            progress("stopping", 1, 1, "")
