"""Before a training: the machine, the base model's size, what is needed and refused; launchers, trackers, stops."""

import json
from pathlib import Path

import pytest

from prompts.training_rules import Sweep
from records.errors import EnvironmentFault, InputError
from training import estimate, launcher, machine, options, recipe, run, sweep
from training.machine import Gpu, Machine
from training.measure import Validated
from training.shape import shape_of

SMOLLM = {
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}
RTX = Machine(memory_gb=64, cores=16, gpus=[Gpu(name="NVIDIA GeForce RTX 4090", memory_gb=25.8)])
CPU = Machine(memory_gb=20, cores=2, gpus=[])


@pytest.fixture
def smollm(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text(json.dumps(SMOLLM))
    return str(tmp_path)


def test_a_base_models_size_is_counted_from_its_config_or_read_from_its_name(smollm: str, tmp_path: Path):
    assert shape_of(smollm).parameters == 134_515_008  # type: ignore[union-attr]  # what the file holds
    named = shape_of("Qwen/Qwen2.5-7B-Instruct")
    assert named is not None and named.parameters == 7e9 and not named.stated
    assert shape_of("org/tiny-360M").parameters == 360e6  # type: ignore[union-attr]
    assert shape_of("org/model") is None
    (tmp_path / "config.json").write_text("{")
    assert shape_of(smollm) is None


def test_the_estimate_is_near_what_was_measured_on_a_cpu(smollm: str):
    """Measured with rows of about 100 tokens in batches of 8: 2.4 GB (LoRA), 3.5 GB (full), 8.8 and 12.3 ms a token."""
    common = {"micro_batch_size": 8, "num_epochs": 2, "sequence_len": 2048}
    rows = [350] * 176
    for more, gigabytes, seconds in (({"adapter": "lora", "lora_r": 16}, 2.4, 8.8e-3), ({}, 3.5, 12.3e-3)):
        need = estimate.estimate(common | more, shape_of(smollm), rows, CPU, gpus=0, threads=2)
        assert gigabytes <= need.memory_gb <= 1.3 * gigabytes  # type: ignore[operator]
        assert need.seconds == pytest.approx(40 + need.tokens * seconds, rel=0.25)
        assert need.steps == 44 and need.fits


def test_a_7b_fits_24_gb_in_4_bits_and_not_in_16(smollm: str):
    rows, size = [3_000] * 500, shape_of("Qwen/Qwen2.5-7B-Instruct")
    four = estimate.estimate(recipe.load("gpu-7b-qlora").settings, size, rows, RTX, gpus=1, threads=8)
    sixteen = estimate.estimate(recipe.load("gpu-80gb-lora").settings, size, rows, RTX, gpus=1, threads=8)
    assert four.fits and four.parts["weights"] < 7 and not sixteen.fits
    with pytest.raises(EnvironmentFault, match=r"needs about \d+.\d GB on each GPU \(weights 14.0.*there are 25.8 GB"):
        estimate.check_fits(sixteen, {}, "gpu-80gb-lora", RTX)


def test_shards_share_the_weights_and_a_gpu_recipe_is_refused_without_one():
    settings, size = recipe.load("gpus-fsdp").settings, shape_of("Qwen/Qwen2.5-32B-Instruct")
    four = RTX.model_copy(update={"gpus": RTX.gpus * 4})
    needs = [estimate.estimate(settings, size, [500] * 99, four, gpus=n, threads=8) for n in (1, 4)]
    assert needs[1].parts["weights"] == pytest.approx(needs[0].parts["weights"] / 4, abs=0.02)
    assert not needs[0].fits and needs[1].fits
    with pytest.raises(EnvironmentFault, match="Recipe gpus-fsdp needs a GPU and none is here"):
        estimate.check_fits(needs[1], settings, "gpus-fsdp", CPU)


def test_what_is_not_known_is_said_and_refuses_nothing():
    need = estimate.estimate(recipe.load("cpu-135m").settings, None, [400] * 9, CPU, gpus=0, threads=2)
    assert need.fits and "memory of each: not known" in need.text
    estimate.check_fits(need, recipe.load("cpu-135m").settings, "cpu-135m", CPU)


def test_the_machine_says_what_is_free_and_a_strange_nvidia_smi_gives_no_gpus():
    here = machine.this_machine()
    assert here.cores >= 1 and here.memory_gb is not None and here.memory_gb > 0
    assert machine.read_gpus("NVIDIA A100-SXM4-80GB, 81920\nNo devices were found\n, 5\n") == [
        Gpu(name="NVIDIA A100-SXM4-80GB", memory_gb=85.9)
    ]


def test_one_process_several_by_torchrun_or_ray_as_the_recipe_says(tmp_path: Path):
    plain, shards, ray = (recipe.load(name).settings for name in ("gpu-7b-qlora", "gpus-fsdp", "machines-ray"))
    assert [launcher.gpus_used(plain, 0, 4), launcher.gpus_used(plain, 4, 4), launcher.gpus_used(plain, 0, 0)] == [
        1,
        4,
        0,
    ]
    assert [launcher.gpus_used(shards, 0, 4), launcher.gpus_used(shards, 2, 4), launcher.gpus_used(ray, 0, 0)] == [
        4,
        2,
        8,
    ]
    python = tmp_path / "bin" / "python"
    assert launcher.command(python, tmp_path / "c.yaml", plain, 1)[-2:] == ["--launcher", "python"]
    assert launcher.command(python, tmp_path / "c.yaml", shards, 4)[-3:] == ["torchrun", "--", "--nproc_per_node=4"]
    assert launcher.command(python, tmp_path / "c.yaml", ray, 8)[-1] == "python"
    assert launcher.environment(python, plain, 1, {"PATH": "/bin"}) == {
        "PATH": f"{python.parent}:/bin",
        "CUDA_VISIBLE_DEVICES": "0",
    }
    assert "CUDA_VISIBLE_DEVICES" not in launcher.environment(python, shards, 4, {})


def test_early_stopping_is_axolotls_own_twice_an_epoch_and_gone_where_there_is_nothing_to_look_at(tmp_path: Path):
    stopping = recipe.stopping_early(recipe.load("cpu-135m"), rows=80, patience=3)
    said = {key: stopping.settings[key] for key in ("eval_steps", "save_steps", "early_stopping_patience")}
    assert said == {"eval_steps": 10, "save_steps": 10, "early_stopping_patience": 3}
    assert stopping.settings["load_best_model_at_end"] is True and stopping.hash != recipe.load("cpu-135m").hash
    assert recipe.stopping_early(recipe.load("cpu-135m"), rows=80, patience=0) == recipe.load("cpu-135m")
    (tmp_path / "validation.jsonl").write_text("")
    filled = recipe.fill_in(stopping, "base", tmp_path, tmp_path / "run")
    assert not {"early_stopping_patience", "load_best_model_at_end", "eval_steps", "test_datasets"} & filled.keys()


def test_a_tracker_is_axolotls_own_option_and_never_part_of_the_runs_name():
    assert options.tracking("tensorboard", None, "p", "n", None) == ({"use_tensorboard": True}, {})
    settings, secrets = options.tracking("mlflow", "http://10.1.2.3:5000", "retort", "mail 3f", "hush")
    assert settings["mlflow_tracking_uri"] == secrets["MLFLOW_TRACKING_URI"] == "http://10.1.2.3:5000"
    assert "hush" not in str(settings) and secrets["MLFLOW_TRACKING_TOKEN"] == "hush"
    watched = options.Options(tracking=settings, environment=secrets)
    assert watched.mark == "" and "hush" not in f"{watched!r}{watched.model_dump()}"
    with pytest.raises(InputError, match="mlflow without an address"):
        options.tracking("mlflow", None, "p", "n", None)


def test_repeats_and_a_pinned_revision_make_another_run(tmp_path: Path):
    same = [options.Options(), options.Options(gpus=4)]
    assert {one.mark for one in same} == {""}
    others = [options.Options(most_repeats=3), options.Options(revision="9217f5d"), options.Options(revision="main")]
    folders = {run.run_folder(tmp_path, "a" * 64, recipe.load("cpu-135m"), "x", one.mark) for one in (*same, *others)}
    assert len(folders) == 4
    assert run.run_folder(tmp_path, "a" * 64, recipe.load("cpu-135m"), "x") in folders


def test_a_sweep_is_every_combination_and_another_rank_keeps_alpha_over_rank():
    spec = Sweep(learning_rate=[0.001, 0.002], lora_r=[8, 32])
    found = sweep.trials({"learning_rate": spec.learning_rate, "lora_r": spec.lora_r}, ["a", "b"], 12)
    assert len(found) == 8 and found[0].settings == {"learning_rate": 0.001, "lora_r": 8}
    varied = sweep.recipe_of(recipe.load("cpu-135m"), found[1])
    assert (varied.settings["lora_r"], varied.settings["lora_alpha"]) == (32, 64)
    same = sweep.recipe_of(recipe.load("cpu-135m"), sweep.Trial(settings={"learning_rate": 0.001}, base_model="a"))
    assert same.hash == recipe.load("cpu-135m").hash  # the recipe's own value is the recipe's own run
    with pytest.raises(InputError, match=r"8 trials, more than training\.sweep\.most_trials"):
        sweep.trials({"learning_rate": spec.learning_rate, "lora_r": spec.lora_r}, ["a", "b"], 7)
    with pytest.raises(InputError, match="nothing to choose between"):
        sweep.trials({"lora_r": [8]}, ["a"], 12)


def test_the_best_trial_has_the_lowest_nats_and_those_like_it_are_said_to_be(tmp_path: Path):
    def outcome(name: str, nats: list[float]) -> tuple[sweep.Tried, list[Validated]]:
        rows = [Validated(document_id=str(n), nats=one, said="x", right=one < 1) for n, one in enumerate(nats)]
        trial = sweep.Trial(settings={"learning_rate": 0.001}, base_model=name)
        return sweep.tried(trial, tmp_path / name, 60, rows), rows

    ranking = sweep.ranked(
        [
            outcome("worse", [1.0, 2.0, 3.0, 2.0]),
            outcome("best", [0.1, 0.9, 0.3, 0.7]),
            outcome("close", [0.2, 0.5, 0.6, 0.8]),
        ]
    )
    assert [one.base_model for one in ranking] == ["best", "close", "worse"]
    assert ranking[0].behind == 0 and ranking[2].behind == pytest.approx(1.5)
    assert ranking[1].low < 0 < ranking[1].high and ranking[2].low > 0  # type: ignore[operator]
    assert "1 of the others cannot be told apart" in sweep.table(ranking)
