"""What one run adds to its recipe: repeats, a pinned revision, a tracker, GPUs. A recipe says how, this says here.

`most_repeats` and `revision` change the student, so they are part of the run's name; where it is told of and on how
many GPUs it runs are not. Environment variables may hold a tracker's key: they are never written anywhere.
"""

import hashlib
from typing import Any, Literal

from pydantic import Field

from records.errors import InputError
from records.types import Record


class Options(Record):
    """Grain: one per run. `tracking`: Axolotl's own settings; `environment`: of the training process, on top."""

    most_repeats: int = 1
    revision: str | None = None
    tracking: dict[str, Any] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict, repr=False, exclude=True)
    gpus: int = 1

    @property
    def mark(self) -> str:
        """What these options add to the run's name; empty where they change nothing of the student."""
        if self.most_repeats == 1 and self.revision is None:
            return ""
        return hashlib.sha256(f"{self.most_repeats}\n{self.revision}".encode()).hexdigest()[:12]


def tracking(
    kind: Literal["tensorboard", "mlflow", "wandb"], address: str | None, project: str, run_name: str, key: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Axolotl's settings for a tracker, and the environment it reads. Raises InputError where MLflow has no address.

    TensorBoard's files lie in the run's output/runs; `tensorboard --logdir` on the runs folder shows all of a task's.
    """
    if kind == "tensorboard":
        return {"use_tensorboard": True}, {}
    if kind == "wandb":
        own = {"WANDB_BASE_URL": address} if address else {}
        own |= {"WANDB_API_KEY": key} if key else {}
        return {"use_wandb": True, "wandb_project": project, "wandb_name": run_name}, {"WANDB_MODE": "online", **own}
    if not address:
        raise InputError(
            "training.tracking is mlflow without an address: give the server's, e.g. http://10.1.2.3:5000."
        )
    settings = {"use_mlflow": True, "mlflow_tracking_uri": address, "mlflow_experiment_name": project}
    secret = {"MLFLOW_TRACKING_TOKEN": key} if key else {}
    return settings | {"mlflow_run_name": run_name}, {"MLFLOW_TRACKING_URI": address, **secret}
