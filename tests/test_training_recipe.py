"""Recipes: read strictly, checked by Axolotl's own schema, filled in by Retort."""

import json
from pathlib import Path

import pytest
from fixtures_training import small_rows

from records.errors import EnvironmentFault, InputError
from training import recipe
from training.dataset import build

SHIPPED = sorted(path.stem for path in recipe.FOLDER.glob("*.yaml"))


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_a_recipe_is_shipped_for_each_kind_of_machine():
    assert SHIPPED == ["cpu-135m", "gpu-7b-qlora", "gpu-80gb-lora", "gpus-fsdp", "machines-ray"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_recipe_is_a_document_and_every_knob_says_its_effect(name: str):
    text = (recipe.FOLDER / f"{name}.yaml").read_text()
    assert all(f"# {heading}" in text for heading in ("What", "First do", "Launch", "Not for", "Measured"))
    settings = recipe.load(name).settings
    assert len(settings) > 20
    said = sum("#" in line for line in text.splitlines() if line and not line.startswith("#"))
    assert said > 0.7 * len(settings)


@pytest.mark.real
@pytest.mark.parametrize("name", SHIPPED)
def test_axolotl_accepts_a_shipped_recipe(name: str, real_training_python: Path):
    assert recipe.check(recipe.load(name), real_training_python).startswith("0.")


@pytest.mark.real
def test_an_unknown_key_is_refused_in_one_sentence_that_names_the_right_one(tmp_path: Path, real_training_python: Path):
    settings = recipe.load("cpu-135m").settings | {"learning_rte": 0.1, "lora": {"r": 8}}
    with pytest.raises(InputError) as refused:
        recipe.check(recipe.load(write(tmp_path, json.dumps(settings))), real_training_python)
    assert "learning_rte: unknown key (did you mean 'learning_rate'?)" in str(refused.value)
    assert "lora: unknown key" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.real
def test_a_value_of_the_wrong_type_is_refused_in_one_sentence(tmp_path: Path, real_training_python: Path):
    settings = recipe.load("cpu-135m").settings | {"micro_batch_size": "many"}
    with pytest.raises(InputError) as refused:
        recipe.check(recipe.load(write(tmp_path, json.dumps(settings))), real_training_python)
    assert "micro_batch_size: Input should be a valid integer" in str(refused.value)
    assert "'many'" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(InputError, match="no recipe 'cpu': name one of cpu-135m, gpu-7b-qlora"):
        recipe.load("cpu")


def test_a_recipe_beside_the_task_is_found(tmp_path: Path):
    write(tmp_path, "adapter: lora\n")
    assert recipe.load("mine.yaml", folder=tmp_path).settings == {"adapter": "lora"}


def test_broken_yaml_says_where(tmp_path: Path):
    with pytest.raises(InputError, match=r"mine.yaml is no readable YAML: .*line 2"):
        recipe.load(write(tmp_path, "adapter: lora\n  lora_r: [\n"))


def test_yaml_cannot_run_code(tmp_path: Path):
    with pytest.raises(InputError, match="no readable YAML"):
        recipe.load(write(tmp_path, "adapter: !!python/object/apply:os.system ['true']\n"))


def test_a_key_given_twice_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="the key 'lora_r' is given twice"):
        recipe.load(write(tmp_path, "lora_r: 8\nlora_r: 16\n"))


def test_what_is_no_mapping_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="it holds list"):
        recipe.load(write(tmp_path, "- lora\n"))


@pytest.mark.parametrize("key", ["base_model", "datasets", "output_dir", "plugins", "resume_from_checkpoint"])
def test_what_retort_fills_in_is_refused_in_a_recipe(tmp_path: Path, key: str):
    with pytest.raises(InputError, match=f"sets {key}: Retort fills that in"):
        recipe.load(write(tmp_path, f"adapter: lora\n{key}: x\n"))


def test_the_hash_is_that_of_the_settings_not_of_the_comments(tmp_path: Path):
    first = recipe.load(write(tmp_path, "lora_r: 8 # low\nadapter: lora\n")).hash
    assert recipe.load(write(tmp_path, "adapter: lora\nlora_r: 8\n")).hash == first
    assert recipe.load(write(tmp_path, "adapter: lora\nlora_r: 9\n")).hash != first


def test_only_the_assistant_is_trained_and_runs_resume(tmp_path: Path):
    build("t", small_rows(), tmp_path / "1", prompt="p")
    filled = recipe.fill_in(recipe.load("cpu-135m"), "base", tmp_path / "1", tmp_path / "run")
    assert filled["datasets"][0]["roles_to_train"] == ["assistant"]
    assert filled["datasets"][0]["path"] == str(tmp_path / "1" / "train.jsonl")
    assert filled["auto_resume_from_checkpoints"] is True
    assert "test_datasets" not in filled


def test_validation_rows_are_used_where_a_recipe_evaluates_and_there_are_some(tmp_path: Path):
    (tmp_path / "validation.jsonl").write_text("{}\n")
    asks = recipe.load("gpu-7b-qlora")
    with_rows = recipe.fill_in(asks, "base", tmp_path, tmp_path / "run")
    assert with_rows["test_datasets"][0]["path"] == str(tmp_path / "validation.jsonl")
    (tmp_path / "validation.jsonl").write_text("")
    without = recipe.fill_in(asks, "base", tmp_path, tmp_path / "run")
    assert "test_datasets" not in without
    assert "evals_per_epoch" not in without


def test_a_missing_training_environment_is_said_plainly(tmp_path: Path):
    with pytest.raises(EnvironmentFault, match="training environment is missing or broken"):
        recipe.check(recipe.load("cpu-135m"), tmp_path / "no" / "python")
