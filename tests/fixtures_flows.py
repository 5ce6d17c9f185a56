"""A step's workplace in a temporary folder, and what people and teachers leave in its store. Not a test itself.

The desk and Axolotl are not needed for what is tested with it: people's answers are written to the store as `collect`
writes them, and a student is a row that came from a real dataset version.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.context import Context, workplace
from flows.settings import Settings
from prompts.litellm_door import close
from prompts.render import prompt_fingerprint
from prompts.task import Task
from records import corrections, ledger, library, registry
from records.progress import silent
from records.split import cluster_of, split_of
from records.types import (
    Answer,
    Correction,
    DatasetVersion,
    DeskRecord,
    Document,
    Label,
    Outcome,
    Role,
    Split,
    Student,
    now,
)

ANSWERS = ["lease", "debt", "data"]
"""What models say for the labels of `task_folders.CHOICE`: lease, debt, privacy."""
NOWHERE = "http://127.0.0.1:9/v1"
HASH = "ab" * 32
_WORDS = ("roof", "heating", "van", "parking", "garden", "ladder", "kettle", "window", "bridge", "letter", "carpet")


def context_at(home: Path, models: str = NOWHERE) -> Context:
    """An open workplace that knows nothing of the machine's own settings. Close `context.store` afterwards."""
    chosen = Settings(home=home, model_url=models, store_url="", argilla_url="", argilla_api_key=None, _env_file=None)
    with workplace(silent, chosen) as context:
        return context


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    opened = context_at(tmp_path / "home")
    yield opened
    opened.store.close()


@pytest.fixture
async def litellm_closed() -> None:
    """Close what LiteLLM keeps open in this test's event loop."""
    yield
    await close()


def texts(split: Split, count: int, about: str = "lease") -> list[str]:
    """Different texts of one split, on which a stand-in says `about`."""
    said = (f"A {a} and a {b}, it is about the {about}." for a, b in itertools.permutations(_WORDS, 2))
    found = list(itertools.islice((text for text in said if split_of(cluster_of(text)) is split), count))
    assert len(found) == count
    return found


def arrive(context: Context, task: Task, *many: str) -> list[Document]:
    """Documents in the store, as `label` puts them there."""
    documents = [library.document(task.name, text, source="test") for text in many]
    library.add(context.store, documents)
    return documents


def people_say(context: Context, task: Task, said: Mapping[str, Answer], who: str = "ann", minutes: int = 0) -> None:
    """Corrections by document id, as `collect` keeps them."""
    at = now() + timedelta(minutes=minutes)
    rows = [
        Correction(task=task.name, document_id=i, reviewer=who, value=answer, answered_at=at)
        for i, answer in said.items()
    ]
    corrections.save(context.store, rows)


def teacher_says(
    context: Context,
    task: Task,
    document: Document,
    answer: Answer | None,
    confidence: float | None,
    outcome: Outcome = Outcome.answered,
) -> None:
    """One answer of the teacher to the task's present prompt."""
    prompt = prompt_fingerprint(task, teaching=True)
    ledger.save(
        context.store,
        [
            Label(
                key=f"{document.id}-{prompt}",
                task=task.name,
                document_id=document.id,
                role=Role.teacher,
                model=task.teacher.model,
                prompt=prompt,
                outcome=outcome,
                value=answer,
                confidence=confidence,
            )
        ],
    )


def student_of(context: Context, task: Task, version: DatasetVersion, hash_: str = HASH) -> Student:
    """A student in the store that came from this dataset version, as `fit` notes it."""
    made = Student(
        hash=hash_,
        task=task.name,
        dataset_version=version.version,
        base_model=task.student.base_model,
        recipe="cpu-135m",
        path="/merged",
        served_file="/student.gguf",
        training={"prompt": version.manifest["prompt"], "dataset_hash": version.hash},
    )
    registry.add_student(context.store, made)
    return made


@contextmanager
def power_cut(context: Context, table: str, doing: str = "INSERT") -> Iterator[None]:
    """Every write of this kind to this table fails, in the database itself."""
    cut = f"CREATE TRIGGER power_cut BEFORE {doing} ON {table} BEGIN SELECT RAISE(ABORT, 'power cut'); END"
    with context.store.begin() as db:
        db.execute(sa.text(cut))
    try:
        with pytest.raises(sa.exc.IntegrityError, match="power cut"):
            yield
    finally:
        with context.store.begin() as db:
            db.execute(sa.text("DROP TRIGGER power_cut"))


def ids(documents: Sequence[Document] | Sequence[DeskRecord]) -> set[str]:
    return {getattr(one, "id", None) or one.document_id for one in documents}
