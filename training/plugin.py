"""What Retort adds to Axolotl's run, through Axolotl's own plug-in door. Loaded by it in the training environment.

- Progress as data: one JSON line a logged step in `progress.jsonl`, instead of numbers fished out of a log.
- Only the answers' logits: the loss is on the answer alone, so logits of the prompt's tokens are computed for nothing.
  The loss is the same to the digit; on a CPU a step of SmolLM2 costs about a quarter less (see recipes/cpu-135m.yaml).
- No gradients below the lowest adapter: Axolotl asks for the gradient of the embeddings' output, which only reentrant
  gradient checkpointing needs. Without it the backward pass ends where the adapters do (`peft_layers_to_transform`).
- Patience over a kill: how many evaluations were no better is in every checkpoint, and a resumed run counts on from it.
- No orphans: standard input is a pipe held by the process that started this one. When that one dies, by kill -9 too,
  the pipe closes and the whole process group ends, so that nobody trains on into a folder that was resumed.

One real line (grain: one per logged step):  {"step": 24, "total": 76, "epoch": 1.26, "loss": 0.2481}
and of an evaluation:                        {"step": 24, "total": 76, "epoch": 1.26, "validation_loss": 0.3172}
and of the end (before `total`: early):      {"step": 48, "total": 76, "epoch": 2.53, "ended": true}
"""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

from axolotl.integrations.base import BasePlugin
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

IGNORED = -100
"""The label of a token that is not trained."""


class ReportProgress(TrainerCallback):  # type: ignore[misc]
    """Appends a line to `path` whenever the trainer logs a loss."""

    def __init__(self, path: Path) -> None:
        """`path` is created with the first line."""
        self.path = path

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        """Write step, total, epoch and loss; logs without a loss (the closing summary) are left out."""
        told = next((key for key in ("loss", "eval_loss") if key in logs), None)
        if told is not None:
            self._write(state, {"loss" if told == "loss" else "validation_loss": round(float(logs[told]), 4)})

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write where it ended: a recipe may log a loss at every tenth step only."""
        self._write(state, {"ended": True})

    def _write(self, state: TrainerState, said: dict[str, Any]) -> None:
        if not state.is_world_process_zero:
            return
        line = {"step": state.global_step, "total": state.max_steps, "epoch": round(float(state.epoch or 0), 2)} | said
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class RetortPlugin(BasePlugin):  # type: ignore[misc]
    """Named in the filled-in recipe as `plugins: [training.plugin.RetortPlugin]`."""

    def register(self, cfg: Any) -> None:
        """Begin to watch the parent as early as Axolotl lets us."""
        if os.environ.get("RETORT_WATCH_PARENT") == "1":
            threading.Thread(target=_end_with_parent, daemon=True).start()

    def post_model_load(self, cfg: Any, model: Any) -> None:
        """Spare the forward pass the prompt's logits, and the backward pass the layers that learn nothing."""
        model.register_forward_pre_hook(only_answers, with_kwargs=True)
        embeddings = model.get_input_embeddings()
        frozen = not any(parameter.requires_grad for parameter in embeddings.parameters())
        if cfg.adapter and frozen and not cfg.gradient_checkpointing:
            embeddings.register_forward_hook(without_gradient)

    def get_training_args(self, cfg: Any) -> dict[str, Any]:
        """Read the state of early stopping from the checkpoint: by default the Trainer begins to count anew. And do not
        evaluate before the first step: a resumed run would count the evaluation of its checkpoint a second time.
        """
        kept = {"restore_callback_states_from_checkpoint": True, "eval_on_start": False}
        return kept if cfg.early_stopping_patience else {}

    def add_callbacks_pre_trainer(self, cfg: Any, model: Any) -> list[TrainerCallback]:
        """The progress report, beside the run's output folder."""
        return [ReportProgress(Path(cfg.output_dir).parent / "progress.jsonl")]


def only_answers(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
    """Cut labels (shape batch x tokens) and logits to the columns from the first trained token on.

    The column before it stays: its logits predict that token.
    """
    labels = kwargs.get("labels")
    if not module.training or labels is None or "logits_to_keep" in kwargs:
        return None
    trained = (labels != IGNORED).any(dim=0).nonzero()
    if len(trained) == 0:
        return None
    keep = labels.shape[1] - max(int(trained[0]) - 1, 0)
    return args, kwargs | {"labels": labels[:, -keep:], "logits_to_keep": keep}


def without_gradient(module: Any, args: tuple[Any, ...], output: Any) -> Any:
    """The embeddings' output, cut off from the hook that asked for its gradient (registered before, so run before)."""
    return output.detach()


def _end_with_parent() -> None:
    """Wait for the end of standard input. Not by `sys.stdin`: its lock would be held in every forked worker."""
    while os.read(0, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)
