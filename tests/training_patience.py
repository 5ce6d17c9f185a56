"""Run in the training environment: early stopping with the plug-in's settings, killed at a checkpoint and resumed.

A model of a few weights; its validation loss is scripted by step, best at the second. Last line: for each checkpoint at
which it was killed (0: never), at which step the run ended and which checkpoint it kept.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch
from transformers import (
    EarlyStoppingCallback,
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from training.plugin import RetortPlugin

PATIENCE = 3
LOSSES = [9.0, 3.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]


class Killed(Exception):
    """In the place of kill -9: nothing is written after the checkpoint."""


class Kill(TrainerCallback):
    def __init__(self, at: int) -> None:
        self.at = at

    def on_save(self, args, state, control, **_):
        if state.global_step == self.at:
            raise Killed


class Scripted(Trainer):
    def evaluate(self, *_, **__):
        metrics = {"eval_loss": LOSSES[self.state.global_step]}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def trainer(folder: Path, kill_at: int = 0) -> Scripted:
    torch.manual_seed(0)
    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=10, **shape))
    rows = [{"input_ids": torch.tensor([1, 2, 3]), "labels": torch.tensor([1, 2, 3])}] * len(LOSSES)
    axolotls = {"eval_on_start": True, "eval_steps": 1, "save_steps": 1, "save_total_limit": 2}
    judged = {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "eval_strategy": "steps"}
    ours = RetortPlugin().get_training_args(SimpleNamespace(early_stopping_patience=PATIENCE))
    plain = {"report_to": "none", "use_cpu": True, "per_device_train_batch_size": 1, "max_steps": len(LOSSES) - 1}
    said = TrainingArguments(str(folder), disable_tqdm=True, **{**axolotls, **judged, **plain, **ours})
    stops = [EarlyStoppingCallback(PATIENCE), Kill(kill_at)]
    return Scripted(model, said, train_dataset=rows, eval_dataset=rows, callbacks=stops)


def ended(kill_at: int) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        if kill_at:
            with contextlib.suppress(Killed):
                trainer(Path(folder), kill_at).train()
        run = trainer(Path(folder))
        run.train(resume_from_checkpoint=bool(kill_at) or None)
        return run.state.global_step, os.path.basename(run.state.best_model_checkpoint)


if __name__ == "__main__":
    print(json.dumps([ended(kill_at) for kill_at in (0, 2, 3, 4)]))
