"""A training at a provider: upload, start, wait; over restarts, and never twice. The counterpart of `training.run`.

Before each thing is done again, it is looked for at the provider by the job's name (`records.training_jobs`), so
neither a kill between a request and its answer nor a lost answer uploads or starts, and pays, a second time. One
process a job: a lock in the job's folder. What is uploaded is the messages alone, not documents' ids or sources.
"""

import contextlib
import fcntl
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from records import training_jobs
from records.errors import InputError, ServiceError
from records.progress import Progress, silent
from records.store import Store
from records.training_jobs import JobState, TrainingJob
from records.types import now
from training.dataset import read_manifest
from training.providers import Look, Provider
from training.recipe import Recipe


def job_of(task: str, provider: str, dataset_hash: str, recipe: Recipe, base_model: str) -> TrainingJob:
    """The job of these; the same, the same id."""
    named = json.dumps([task, provider, dataset_hash, recipe.hash, base_model])
    return TrainingJob(
        id=hashlib.sha256(named.encode()).hexdigest()[:12],
        task=task,
        provider=provider,
        dataset_hash=dataset_hash,
        recipe_hash=recipe.hash,
        base_model=base_model,
    )


def train_hosted(
    store: Store,
    task: str,
    dataset: Path,
    recipe: Recipe,
    base_model: str,
    kind: str,
    provider: Provider,
    runs_dir: Path,
    poll_s: float,
    budget_usd: float | None = None,
    progress: Progress = silent,
) -> TrainingJob:
    """Train at a provider, and wait for it; the finished job. One that was finished before is found again.

    Raises InputError for a price above the budget, ServiceError where the provider fails. An interrupt leaves the job
    with the provider: the same command goes on waiting for it.
    """
    fresh = job_of(task, kind, read_manifest(dataset)["hash"], recipe, base_model)
    folder = runs_dir.absolute() / f"hosted-{fresh.id}"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        known = training_jobs.find(store, fresh.id)
        if known and known.state is JobState.trained:
            return known
        if known is None:
            known = training_jobs.save(store, fresh)
        elif known.state is JobState.failed:  # over at the provider; its files are still there
            again = {"attempt": known.attempt + 1, "files": known.files, "state": JobState.starting}
            known = _saved(store, fresh, **again)
        job = _uploaded(store, known, dataset, folder, provider, progress)
        job = _started(store, job, recipe, provider, budget_usd, progress)
        return _awaited(store, job, provider, poll_s, progress)


def _uploaded(
    store: Store, job: TrainingJob, dataset: Path, folder: Path, provider: Provider, progress: Progress
) -> TrainingJob:
    """The job with its files at the provider."""
    splits = [split for split in ("train", "validation") if (dataset / f"{split}.jsonl").stat().st_size]
    for n, split in enumerate(splits):
        if split in job.files:
            continue
        progress("uploading", n, len(splits), split)
        name = f"{job.name}-{split}.jsonl"
        path = _messages(dataset / f"{split}.jsonl", folder / name)
        id_ = provider.find_file(name) or provider.upload(name, path)
        job = _saved(store, job, files={**job.files, split: id_})
    progress("uploading", len(splits), len(splits), "")
    return job if job.state is not JobState.uploading else _saved(store, job, state=JobState.starting)


def _messages(rows: Path, path: Path) -> Path:
    lines = [json.loads(line) for line in rows.read_text(encoding="utf-8").split("\n") if line]
    text = "".join(json.dumps({"messages": row["messages"]}, ensure_ascii=False) + "\n" for row in lines)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _started(
    store: Store, job: TrainingJob, recipe: Recipe, provider: Provider, budget: float | None, progress: Progress
) -> TrainingJob:
    """The job under way at the provider."""
    if job.provider_id:
        return job
    id_ = provider.find_job(job.attempt_name)
    if id_ is None:
        _check_price(provider, job.files, recipe.settings, job.base_model, budget)
        progress("hosted training", 0, 0, f"starting at {job.provider}")
        id_ = provider.start(job.attempt_name, job.files, recipe.settings, job.base_model)
    return _saved(store, job, provider_id=id_, state=JobState.waiting)


def _check_price(
    provider: Provider, files: Mapping[str, str], settings: Mapping[str, Any], base_model: str, budget: float | None
) -> None:
    if budget is None:
        return
    price = provider.price(files, settings, base_model)
    if price is None:
        raise InputError(
            "training.hosted.budget_usd is set, but this provider names no price before a job starts: look the price "
            "up at the provider, and remove budget_usd to start."
        )
    if price > budget:
        raise InputError(
            f"The training would cost ${price:.2f}, more than training.hosted.budget_usd (${budget:.2f}): raise it, or "
            "train fewer epochs."
        )


def _awaited(store: Store, job: TrainingJob, provider: Provider, poll_s: float, progress: Progress) -> TrainingJob:
    """The job when it is over."""
    while True:
        seen = provider.look(str(job.provider_id))
        job = _noted(store, job, seen)
        progress("hosted training", seen.percent or 0, 100, f"{job.provider}: {seen.said}")
        if seen.done is False:
            raise ServiceError(f"The training {job.provider_id} at {job.provider} failed: {job.error}")
        if seen.done:
            return job
        time.sleep(poll_s)


def _noted(store: Store, job: TrainingJob, seen: Look) -> TrainingJob:
    changes: dict[str, Any] = {"said": seen.said, "checked_at": now(), "cost_usd": seen.cost_usd, "error": seen.error}
    if seen.done and not seen.model:
        raise ServiceError(f"{job.provider} says that {job.provider_id} is done, but names no model.")
    if seen.done is not None:
        changes |= {"state": JobState.trained if seen.done else JobState.failed, "ended_at": now(), "model": seen.model}
    return _saved(store, job, **changes)


def _saved(store: Store, job: TrainingJob, **changes: Any) -> TrainingJob:
    return training_jobs.save(store, job.model_copy(update=changes))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the job's lock; the system lets go of it when this process dies."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ServiceError(f"This training is being watched by another process ({folder}): wait for it.") from error
        yield
