"""Trainings at a provider: started once, waited for over restarts, refused where rows may not leave, asked."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_flows import arrive, people_say, texts
from task_folders import CHOICE, make_task, write_task

from flows.context import Context
from flows.freezing import freeze
from flows.release import release_student
from flows.train import train_student
from prompts.ask import ask
from prompts.endpoint import endpoint_of
from prompts.litellm_door import close
from records import ledger, registry, training_jobs
from records.errors import InputError, ServiceError
from records.training_jobs import JobState
from records.types import Decision, Outcome, Role, Split
from serving.answering import Answering
from serving.journal import Journal
from training import recipe
from training.hosted import train_hosted
from training.hosted_wire import Wire
from training.providers import Fireworks, Together
from training.standin_hosted import StandinTrainer

KEY = "hush-hush"
PROVIDERS = ["together", "fireworks"]


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinTrainer]:
    monkeypatch.setenv("TRAINER_KEY", KEY)
    with StandinTrainer(KEY, answers=["lease", "debt", "data"]) as started:
        yield started


def hosted(standin: StandinTrainer, provider: str, **more: object) -> dict:
    base = f"{standin.url}/v1" if provider == "together" else standin.url
    spec = {"provider": provider, "api_key_env": "TRAINER_KEY", "account": "acme", "api_base": base, "poll_s": 0.01}
    return {"hosted": spec | {"input_price": 0.2, "output_price": 0.2} | more}


def corrected(context: Context, folder: Path, training: dict, **sections: object):
    student = {"base_model": "meta-llama/Llama-3.2-3B-Instruct", "recipe": "gpu-7b-qlora"}
    task = make_task(folder, CHOICE, training=training, student=student, **sections)
    documents = arrive(context, task, *texts(Split.train, 4), *texts(Split.validation, 2))
    people_say(context, task, {d.id: "lease" for d in documents})
    return task


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_trains_a_student_that_is_a_litellm_string(
    context: Context, tmp_path: Path, standin: StandinTrainer, provider: str
):
    task = corrected(context, tmp_path / "mail", hosted(standin, provider))
    trained = train_student(context, str(task.folder))
    [student] = registry.task_students(context.store, task.name)
    [job] = training_jobs.of_task(context.store, task.name)
    prefix = {"together": "together_ai/acme/Llama-3.2-3B-Instruct-", "fireworks": "fireworks_ai/accounts/acme/models/"}
    assert student.model == trained.model == f"{prefix[provider]}{job.name}"
    assert (student.served_file, student.training["cost_usd"], job.state) == ("", 1.25, JobState.trained)
    assert "cost $1.25" in trained.text and f"served from {student.model}" in trained.text
    assert standin.counts == {"upload": 2, "start": 1}
    assert train_student(context, str(task.folder)).student == trained.student
    assert standin.counts == {"upload": 2, "start": 1}
    [asked] = standin.jobs.values()
    rows = asked.get("batch_size") or asked.get("batchSizeSamples")
    assert rows == 16 and (asked.get("n_epochs") or asked.get("epochs")) == 3
    lines = [json.loads(line) for file in standin.files.values() for line in file["lines"]]
    assert len(lines) == 6 and all(set(line) == {"messages"} for line in lines)
    kept = "".join(p.read_text(errors="replace") for p in (tmp_path / "home").rglob("*") if p.is_file())
    assert KEY not in kept


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("lost", ["upload", "start"])
def test_a_lost_answer_uploads_and_starts_nothing_twice(
    context: Context, tmp_path: Path, standin: StandinTrainer, provider: str, lost: str
):
    task = corrected(context, tmp_path / "mail", hosted(standin, provider))
    standin.lose = [lost]
    with pytest.raises(ServiceError, match="the connection failed"):
        train_student(context, str(task.folder))
    train_student(context, str(task.folder))
    assert standin.counts == {"upload": 2, "start": 1}


def test_killed_with_9_while_it_waits_the_same_command_goes_on_waiting(
    context: Context, tmp_path: Path, standin: StandinTrainer
):
    task = corrected(context, tmp_path / "mail", hosted(standin, "together"))
    standin.steps = 10**6
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3]); from fixtures_flows import context_at\n"
        "from flows.train import train_student\n"
        "train_student(context_at(Path(sys.argv[1])), sys.argv[2])"
    )
    home, here = str(tmp_path / "home"), str(Path(__file__).parent)
    command = [sys.executable, "-c", code, home, str(task.folder), here]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], env=dict(os.environ))
    deadline = time.monotonic() + 60
    while not sum(standin.looks.values()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    [job] = training_jobs.of_task(context.store, task.name)
    assert job.state is JobState.waiting
    standin.steps = 0
    train_student(context, str(task.folder))
    assert standin.counts == {"upload": 2, "start": 1}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_training_that_failed_is_said_and_can_be_started_anew(
    context: Context, tmp_path: Path, standin: StandinTrainer, provider: str
):
    task = corrected(context, tmp_path / "mail", hosted(standin, provider))
    standin.fail = True
    with pytest.raises(ServiceError, match="failed: the training file was refused"):
        train_student(context, str(task.folder))
    [job] = training_jobs.of_task(context.store, task.name)
    assert (job.state, job.error) == (JobState.failed, "the training file was refused")
    assert registry.task_students(context.store, task.name) == []
    standin.fail = False
    assert train_student(context, str(task.folder)).model.endswith(f"{job.name}-2")
    assert standin.counts == {"upload": 2, "start": 2}


def test_a_price_above_the_budget_starts_nothing(context: Context, tmp_path: Path, standin: StandinTrainer):
    task = corrected(context, tmp_path / "mail", hosted(standin, "together", budget_usd=1.0))
    with pytest.raises(InputError, match=r"would cost \$1\.25, more than training\.hosted\.budget_usd \(\$1\.00\)"):
        train_student(context, str(task.folder))
    assert standin.counts == {"upload": 2}
    other = make_task(tmp_path / "other", CHOICE, training=hosted(standin, "fireworks", budget_usd=1.0))
    with pytest.raises(InputError, match="names no price before a job starts"):
        train_student(context, str(other.folder))
    assert "start" not in standin.counts


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"privacy": "self_hosted"}, "privacy: self_hosted, but the hosted trainer is at 'api.together.xyz'"),
        ({"redact": [{"name": "EMAIL", "pattern": r"\S+@\S+"}]}, "the hosted trainer at .* gets documents as they are"),
    ],
)
def test_rows_that_may_not_leave_are_never_sent(
    context: Context, tmp_path: Path, standin: StandinTrainer, sections: dict, said: str
):
    away = hosted(standin, "together", api_base="https://api.together.xyz/v1")
    folder = write_task(tmp_path / "mail", CHOICE, training=away, **sections)
    with pytest.raises(InputError, match=said):
        train_student(context, str(folder))
    assert registry.dataset_versions(context.store, "mail") == []


def test_a_missing_or_wrong_key_is_said_and_never_shown(
    context: Context, tmp_path: Path, standin: StandinTrainer, monkeypatch: pytest.MonkeyPatch
):
    task = corrected(context, tmp_path / "mail", hosted(standin, "together"))
    monkeypatch.setenv("TRAINER_KEY", "not-this-one")
    with pytest.raises(ServiceError, match=r"401: .*invalid key") as refused:
        train_student(context, str(task.folder))
    assert "not-this-one" not in str(refused.value)
    monkeypatch.delenv("TRAINER_KEY")
    with pytest.raises(InputError, match="environment variable TRAINER_KEY"):
        train_student(context, str(task.folder))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_hosted_student_is_asked_at_its_provider_by_its_name_and_key(
    context: Context, tmp_path: Path, standin: StandinTrainer, provider: str
):
    task = corrected(context, tmp_path / "mail", hosted(standin, provider))
    version = freeze(context, task)
    base = str(task.training.hosted.api_base)  # type: ignore[union-attr]
    wire = Wire(base, KEY)
    maker = Together(wire) if provider == "together" else Fireworks(wire, "acme")
    runs, chosen = tmp_path / "runs", recipe.load("gpu-7b-qlora")
    job = train_hosted(
        context.store, task.name, Path(version.path), chosen, "meta-llama/x", provider, maker, runs, poll_s=0.01
    )
    wire.close()
    student = registry_student(context, task, version, job.model)
    endpoint = endpoint_of(task, student, "http://127.0.0.1:9/v1", os.environ)
    assert (endpoint.model, endpoint.dialect, endpoint.input_price) == (job.model, "hosted", 0.2)
    assert KEY not in repr(endpoint)
    try:
        reply = await ask(endpoint, task, "A roof, it is about the lease.", teaching=False)
    finally:
        await close()
    assert (reply.outcome, reply.value) == (Outcome.answered, "lease")
    assert standin.counts["asked"] >= 1


def test_a_hosted_student_is_judged_by_its_calls_and_answers_in_production(
    context: Context, tmp_path: Path, standin: StandinTrainer
):
    base = f"{standin.url}/v1"
    teacher = {"api_base": base, "api_key_env": "TRAINER_KEY", "input_price": 1, "output_price": 1, "mode": "generate"}
    rule = {"gate": {"min_test_documents": 3}}
    task = corrected(context, tmp_path / "mail", hosted(standin, "together"), teacher=teacher, **rule)
    people_say(context, task, {d.id: "lease" for d in arrive(context, task, *texts(Split.test, 4))})
    trained = train_student(context, str(task.folder))
    judged = release_student(context, str(task.folder))
    student = registry.student(context.store, trained.student)
    prompt = student.training["prompt"]
    labels = ledger.labels(context.store, task.name, Role.student, str(student.model), prompt)
    assert [label.value for label in labels] == ["lease"] * 4
    assert all(label.cost_usd == pytest.approx(22 * 0.2e-6) for label in labels)
    asked = standin.counts["asked"]
    with pytest.raises(InputError, match=r"billed by the token.*gate\.load\.hosted"):
        release_student(context, str(task.folder), remeasure="The line was slow.", by="Ana")
    assert standin.counts["asked"] == asked
    assert judged.student == student.hash and ledger.labels(context.store, task.name, Role.base, "x", prompt) == []
    verdict = next(v for v in registry.task_verdicts(context.store, task.name) if v.id == judged.verdict)
    registry.add_verdict(context.store, verdict.model_copy(update={"id": "yes", "decision": Decision.approved}))
    registry.release(context.store, task.name, student.hash, "yes")
    served = asyncio.run(served_by(context, task))
    assert (served.content, served.fallback, served.source) == ("lease", False, f"{task.name}@1 {student.model}")


async def served_by(context: Context, task):
    journal = Journal(context.store)
    answering = Answering(context.store, "http://127.0.0.1:9/v1", os.environ, journal)
    try:
        return await answering.answer(task, "A garden, it is about the lease.")
    finally:
        journal.close()
        await close()


def registry_student(context: Context, task, version, model: str | None):
    from fixtures_flows import student_of

    return student_of(context, task, version).model_copy(update={"model": model})
