"""Sweep, learning curve and forecast as steps, with a stand-in for Axolotl; they choose by the validation split."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures_flows import arrive, people_say, texts
from task_folders import make_task
from training_standin import make_standin

from flows.context import Context
from flows.curve import learning_curve
from flows.curves import curve_of
from flows.fitting import forecast
from flows.freezing import freeze
from flows.training import load_recipe, plan, train_run
from flows.trials import try_all
from prompts.task import Task
from records import corrections
from records.errors import EnvironmentFault, InputError
from records.types import Split

CONFIG = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "vocab_size": 1000,
}


@pytest.fixture
def trainer(context: Context, tmp_path: Path) -> Context:
    """The workplace with a stand-in for the training environment."""
    python = make_standin(tmp_path, "trains")
    return replace(context, settings=context.settings.model_copy(update={"training_python": python}))


def a_task(context: Context, tmp_path: Path, train: int = 8, validation: int = 6, **training: object) -> Task:
    base = tmp_path / "base"
    base.mkdir(exist_ok=True)
    (base / "config.json").write_text(json.dumps(CONFIG))
    task = make_task(tmp_path / "mail", student={"base_model": str(base)}, training=training)
    documents = arrive(context, task, *texts(Split.train, train), *texts(Split.validation, validation))
    people_say(context, task, {d.id: "lease" if n % 2 else "debt" for n, d in enumerate(documents)})
    return task


def calls(context: Context, task: Task) -> int:
    return sum(len(path.read_text()) for path in context.settings.folder("runs", task.name).glob("*/calls"))


def test_a_sweep_trains_every_trial_once_and_chooses_on_the_validation_split(trainer: Context, tmp_path: Path):
    task = a_task(trainer, tmp_path, sweep={"learning_rate": [0.01, 0.001, 0.0001]})
    people_say(trainer, task, {d.id: "lease" for d in arrive(trainer, task, *texts(Split.test, 3))})
    version = freeze(trainer, task)
    trial, planned, ranking = try_all(trainer, task, version, load_recipe(task, ""))
    assert trial.settings == {"learning_rate": 0.001} == ranking[0].settings
    assert planned.recipe.settings["learning_rate"] == 0.001
    assert [one.behind for one in ranking] == pytest.approx([0, 1, 1])
    assert ranking[0].documents == version.rows["validation"] == 6
    assert calls(trainer, task) == 3
    try_all(trainer, task, version, load_recipe(task, ""))
    assert calls(trainer, task) == 3


def test_without_validation_rows_nothing_is_chosen_or_measured(trainer: Context, tmp_path: Path):
    task = a_task(trainer, tmp_path, validation=0, sweep={"lora_r": [8, 16]})
    version = freeze(trainer, task)
    with pytest.raises(InputError, match="has no validation rows, and a sweep chooses by nothing else"):
        try_all(trainer, task, version, load_recipe(task, ""))
    with pytest.raises(InputError, match="has no validation rows to measure on"):
        learning_curve(trainer, str(task.folder))
    assert calls(trainer, task) == 0


def test_a_learning_curve_trains_on_parts_and_is_kept_where_the_report_finds_it(trainer: Context, tmp_path: Path):
    task = a_task(trainer, tmp_path)
    found = learning_curve(trainer, str(task.folder), more=[100])
    assert [(p.rows, p.accuracy.value) for p in found.points] == [(2, 2 / 6), (4, 4 / 6), (8, 1.0)]
    assert [p.rows for p in found.baseline] == [2, 4, 8] and found.documents == 6
    assert found.forecasts[0].rows == 8 + 70 and 0 <= found.forecasts[0].gain.value < 0.5  # type: ignore[operator]
    assert curve_of(trainer, task.name, found.dataset_hash) == found
    assert curve_of(trainer, task.name, "0" * 64) is None
    assert calls(trainer, task) == 3
    planned = plan(
        trainer, task, Path(freeze(trainer, task).path), load_recipe(task, ""), task.student.base_model, True
    )
    train_run(trainer, task, planned)
    assert calls(trainer, task) == 3  # all of the rows: the very run of `train`


def test_the_curve_never_looks_at_a_test_document(trainer: Context, tmp_path: Path):
    task = a_task(trainer, tmp_path)
    before = learning_curve(trainer, str(task.folder))
    people_say(trainer, task, {d.id: "privacy" for d in arrive(trainer, task, *texts(Split.test, 9))})
    assert learning_curve(trainer, str(task.folder)) == before
    assert len(corrections.settled(trainer.store, task.name).gold) == 8 + 6 + 9


@pytest.mark.parametrize("shares", [[25, 50], [100], [0, 100], [50, 100, 200]])
def test_shares_that_make_no_curve_are_refused(trainer: Context, tmp_path: Path, shares: list[int]):
    task = a_task(trainer, tmp_path)
    with pytest.raises(InputError, match="give 100 and at least one smaller percentage"):
        learning_curve(trainer, str(task.folder), shares=shares)


def test_a_dry_run_tells_memory_and_time_and_trains_nothing(trainer: Context, tmp_path: Path):
    task = a_task(trainer, tmp_path, sweep={"lora_r": [8, 16]}, balance="oversample")
    told = forecast(trainer, str(task.folder))
    assert told.fits and "memory of each: about 1." in told.text and "on 1 CPU" in told.text
    assert len(forecast(trainer, str(task.folder), swept=True).needs) == 2
    assert calls(trainer, task) == 0


def test_a_training_that_cannot_fit_is_refused_before_it_starts(trainer: Context, tmp_path: Path):
    task = a_task(trainer, tmp_path)
    (tmp_path / "base" / "config.json").write_text(
        json.dumps(CONFIG | {"hidden_size": 16384, "num_hidden_layers": 400})
    )
    version = freeze(trainer, task)
    planned = plan(trainer, task, Path(version.path), load_recipe(task, ""), task.student.base_model, ready=True)
    with pytest.raises(EnvironmentFault, match=r"Recipe cpu-135m needs about .* GB on each CPU"):
        train_run(trainer, task, planned)
    assert not forecast(trainer, str(task.folder)).fits
    assert calls(trainer, task) == 0


def test_repeats_reach_axolotl_and_the_frozen_rows_stay_as_they_are(trainer: Context, tmp_path: Path):
    task = a_task(trainer, tmp_path, balance="oversample", most_repeats=2)
    rare = arrive(trainer, task, *texts(Split.train, 9)[8:])
    people_say(trainer, task, {d.id: "privacy" for d in rare})
    version = freeze(trainer, task)
    planned = plan(trainer, task, Path(version.path), load_recipe(task, ""), task.student.base_model, ready=True)
    run = train_run(trainer, task, planned).run
    assert len((run / "train.jsonl").read_text().splitlines()) == 10
    assert len((Path(version.path) / "train.jsonl").read_text().splitlines()) == 9
    assert f"path: {run}/train.jsonl" in (run / "config.yaml").read_text()


def test_a_tracker_elsewhere_is_refused_where_the_task_is_closed_and_its_key_is_nowhere(
    trainer: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    spec = {"kind": "mlflow", "address": "http://127.0.0.1:9", "api_key_env": "TRACKER_KEY"}
    task = a_task(trainer, tmp_path, tracking=spec)
    version = freeze(trainer, task)
    planned = plan(trainer, task, Path(version.path), load_recipe(task, ""), task.student.base_model, ready=True)
    with pytest.raises(InputError, match=r"TRACKER_KEY .*is not set"):
        train_run(trainer, task, planned)
    monkeypatch.setenv("TRACKER_KEY", "hush-hush")
    run = train_run(trainer, task, planned).run
    assert "mlflow_tracking_uri: http://127.0.0.1:9" in (run / "config.yaml").read_text()
    assert not [p for p in run.rglob("*") if p.is_file() and "hush-hush" in p.read_text(errors="replace")]
    for away in ({"kind": "mlflow", "address": "https://mlflow.example.com"}, {"kind": "wandb"}):
        closed = make_task(tmp_path / away["kind"], privacy="self_hosted", training={"tracking": away})
        with pytest.raises(InputError, match="privacy: self_hosted"):
            train_run(trainer, closed, planned)
