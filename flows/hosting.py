"""A student trained by a provider, as a step of `train`: the checks before the first byte leaves, and the record after.

Rows leave as they are, so a task that keeps its documents to itself, or masks what leaves, is refused. The student is a
LiteLLM model string instead of a file; serving it may need a deployment at the provider, which costs by the hour and is
theirs to start.
"""

import hashlib
import os
from pathlib import Path

from flows.context import Context
from prompts.privacy import check_unmasked, check_url
from prompts.task import Task
from prompts.training_rules import Hosted
from records.errors import InputError
from records.training_jobs import TrainingJob
from records.types import DatasetVersion, Student
from training import recipe as recipes
from training.hosted import train_hosted
from training.hosted_wire import Wire
from training.providers import ADDRESSES, Fireworks, Provider, Together


def check_hosted(task: Task, hosted: Hosted, sweep: bool) -> str:
    """The provider's address, if the task may use it. Raises InputError where its privacy or settings forbid it."""
    address = hosted.api_base or ADDRESSES[hosted.provider]
    check_url(task, address, "hosted trainer")
    check_unmasked(task, address, "hosted trainer")
    for name, wanted in (("balance", task.training.balance != "none"), ("patience", task.training.patience > 0)):
        if wanted:
            raise InputError(
                f"training.{name} is for trainings on machines of your own: {hosted.provider} has no such knob."
            )
    if sweep or task.training.tracking:
        what = "A sweep" if sweep else "training.tracking"
        raise InputError(f"{what} is for trainings on machines of your own: remove training.hosted from task.yaml.")
    if not os.environ.get(hosted.api_key_env):
        raise InputError(
            f"the environment variable {hosted.api_key_env} (training.hosted.api_key_env in task.yaml) is not set. "
            "Set it to the key, for example in .env."
        )
    return address


def train_at_provider(
    context: Context, task: Task, hosted: Hosted, version: DatasetVersion, recipe: recipes.Recipe
) -> tuple[TrainingJob, Student]:
    """Train, wait, and the student that came of it. Raises as `training.hosted.train_hosted` does."""
    wire = Wire(check_hosted(task, hosted, sweep=False), os.environ[hosted.api_key_env])
    provider: Provider = Together(wire) if hosted.provider == "together" else Fireworks(wire, hosted.account)
    try:
        job = train_hosted(
            context.store,
            task.name,
            Path(version.path),
            recipe,
            task.student.base_model,
            hosted.provider,
            provider,
            context.settings.folder("runs", task.name),
            hosted.poll_s,
            hosted.budget_usd,
            context.progress,
        )
    finally:
        wire.close()
    return job, _student(task, version, recipe, job)


def _student(task: Task, version: DatasetVersion, recipe: recipes.Recipe, job: TrainingJob) -> Student:
    seconds = (job.ended_at - job.started_at).total_seconds() if job.ended_at else None
    facts = {"provider": job.provider, "job": job.provider_id, "cost_usd": job.cost_usd, "seconds": seconds}
    origin = {"recipe_hash": recipe.hash, "dataset_hash": version.hash}
    return Student(
        hash=hashlib.sha256(f"{job.provider} {job.provider_id} {job.model}".encode()).hexdigest(),
        task=task.name,
        dataset_version=version.version,
        base_model=task.student.base_model,
        recipe=recipe.name,
        path="",
        served_file="",
        model=job.model,
        training={**facts, **origin, "prompt": version.manifest["prompt"], "task": task.fingerprint},
    )
