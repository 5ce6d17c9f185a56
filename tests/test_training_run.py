"""The run: watched, resumable, ended with its parent; and the real one, once a session, on SmolLM2."""

import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from fixtures_training import ROOT, TEXTS, SmallTraining, _alive, small_rows
from training_standin import make_standin

from prompts.tokenizer import tokenizer_of
from records.errors import InputError, ServiceError
from training import base, dataset, export, measure, recipe, run
from training.environment import run_in_training


@pytest.fixture
def data(tmp_path: Path) -> Path:
    dataset.build("small", small_rows(), tmp_path / "1", prompt="small")
    return tmp_path / "1"


def train(data: Path, python: Path, **more) -> run.TrainResult:
    return run.train(data, recipe.load("cpu-135m"), "org/model", data.parent / "runs", python, **more)


def test_steps_and_losses_are_told_as_they_come(tmp_path: Path, data: Path):
    said = []
    result = train(data, make_standin(tmp_path, "trains"), progress=lambda *told: said.append(told))
    assert said[-1] == ("training", 4, 4, "loss 0.25 epoch 1.00")
    assert [told[1] for told in said if told[2] == 4] == [1, 2, 3, 4]
    assert (result.steps, result.epochs, result.axolotl) == (4, 1.0, "stand-in")
    assert result.loss == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, abs=1e-3)


def test_a_finished_job_is_recognised_and_not_trained_again(tmp_path: Path, data: Path):
    first = train(data, make_standin(tmp_path, "trains"))
    assert train(data, make_standin(tmp_path, "fails")) == first
    assert (first.run / "calls").read_text() == "x"


def test_the_run_folder_follows_from_dataset_recipe_and_base(tmp_path: Path):
    cpu, gpu = recipe.load("cpu-135m"), recipe.load("gpu-7b-qlora")
    folders = {
        run.run_folder(tmp_path, "a" * 64, cpu, "x"),
        run.run_folder(tmp_path, "b" * 64, cpu, "x"),
        run.run_folder(tmp_path, "a" * 64, gpu, "x"),
        run.run_folder(tmp_path, "a" * 64, cpu, "y"),
    }
    assert len(folders) == 4
    assert run.run_folder(tmp_path, "a" * 64, cpu, "x") in folders


def test_a_failure_is_one_sentence_with_the_error_and_the_log(tmp_path: Path, data: Path):
    with pytest.raises(ServiceError) as failed:
        train(data, make_standin(tmp_path, "fails"))
    assert "exit code 1: RuntimeError: mat1 and mat2 cannot be multiplied" in str(failed.value)
    assert "log.txt" in str(failed.value)
    assert train(data, make_standin(tmp_path, "trains")).steps == 4


def test_an_edited_dataset_is_not_trained(tmp_path: Path, data: Path):
    (data / "train.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="changed after the dataset was frozen"):
        train(data, make_standin(tmp_path, "trains"))


def test_two_processes_do_not_train_the_same_job(tmp_path: Path, data: Path):
    found = dataset.read_manifest(data)["hash"]
    folder = run.run_folder(data.parent / "runs", found, recipe.load("cpu-135m"), "org/model")
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ServiceError, match="being trained by another process"):
            train(data, make_standin(tmp_path, "trains"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_whole_process_group(tmp_path: Path, data: Path, number: signal.Signals):
    """SIGTERM as a worker gets it: turned into an exception by the program."""
    code = (
        "import signal, sys; from pathlib import Path; from training import recipe, run\n"
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "data, python = map(Path, sys.argv[1:])\n"
        "run.train(data, recipe.load('cpu-135m'), 'org/model', data.parent / 'runs', python)"
    )
    python = make_standin(tmp_path, "hangs")
    command = [sys.executable, "-c", code, str(data), str(python)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (found := list(tmp_path.glob("runs/*/pids"))) or not found[0].read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    pids = [int(pid) for pid in found[0].read_text().split()]
    process.send_signal(number)
    process.wait(30)
    assert not any(map(_alive, pids))


def test_a_half_written_checkpoint_is_removed_and_the_newest_whole_one_found(tmp_path: Path):
    for step, state in ((4, '{"global_step": 4}'), (8, '{"global_step": 8}'), (12, '{"global_st'), (16, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert run.prune_checkpoints(tmp_path) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-4", "checkpoint-8"]


def test_steps_repeated_after_a_resume_count_once(tmp_path: Path):
    lines = [{"step": 1, "loss": 3}, {"step": 2, "loss": 2}, {"step": 2, "loss": 1}]
    (tmp_path / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 3')
    assert run.read_progress(tmp_path) == [lines[0], lines[2]]


def test_a_run_stopped_early_only_where_it_ended_before_its_last_step(tmp_path: Path):
    """Of a recipe that logs the loss at every third step."""
    for ended, early in ((10, False), (7, True)):
        lines = [{"step": n, "total": 10, "epoch": n / 10, "loss": 1.0} for n in range(3, ended + 1, 3)]
        lines += [{"step": ended, "total": 10, "epoch": ended / 10, "ended": True}]
        (tmp_path / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        found = run._last_steps(tmp_path)
        assert (found["steps"], found["epochs"], found["stopped_early"]) == (ended, ended / 10, early)


def test_an_unusable_base_model_is_refused_before_anything_starts(tmp_path: Path):
    with pytest.raises(InputError, match="neither 'smollm2-135m-instruct', nor a folder"):
        base.ensure_base("no such model", tmp_path, tmp_path / "python")
    assert base.ensure_base("org/model-7b", tmp_path, tmp_path / "python") == "org/model-7b"


@pytest.mark.real
def test_documents_are_cut_by_the_tokenizer_that_the_student_is_trained_with(base_model: str):
    packaged, trained = tokenizer_of(base.PACKAGED), tokenizer_of(base_model)
    texts = ["12345 and 6,789.50 EUR", "  two\n\n\ttab", "naïve – €", "日本語 🙂", "<|im_start|>user\nhi<|im_end|>\n"]
    texts += [path.read_text("utf-8") for path in sorted(Path(__file__).parents[1].glob("*.md"))]
    for text in texts:
        ours, theirs = (tokens.vendor.encode(text, add_special_tokens=False) for tokens in (packaged, trained))
        assert (ours.ids, ours.offsets) == (theirs.ids, theirs.offsets)


@pytest.mark.real
def test_the_base_models_tokenizer_is_llama_cpps(base_model: str, real_training_python: Path):
    import xllamacpp

    texts = [
        "12345 and 6,789.50 EUR",
        "  two  spaces\n\n\ttab",
        "naïve – “quoted” … €",
        "日本語 🙂",
        "I'll don't it's",
        "<|im_start|>user\nhi<|im_end|>\n",
        *TEXTS["debt"],
    ]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(base.packaged_gguf())
    parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads = 512, 1, 1
    server = xllamacpp.Server(parameters)
    asked = [{"content": text, "add_special": False, "parse_special": True} for text in texts]
    theirs = [post(server.listening_address + "/tokenize", body)["tokens"] for body in asked]
    code = (
        "import json, sys; from transformers import AutoTokenizer\n"
        "t = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "print(json.dumps([t(x, add_special_tokens=False).input_ids for x in json.load(sys.stdin)]"
        " + [[t.eos_token, t.pad_token]]))"
    )
    *ours, ends = json.loads(run_in_training(real_training_python, "-c", code, base_model, given=json.dumps(texts)))
    assert ours == theirs
    assert ends == ["<|im_end|>", "<|im_end|>"]


@pytest.mark.real
def test_the_plug_ins_savings_change_neither_loss_nor_gradients(real_training_python: Path):
    told = json.loads(run_in_training(real_training_python, "-m", "tests.training_gradients"))
    assert told["spared_loss"] == pytest.approx(told["loss"], rel=1e-5)
    assert told["difference"] < 1e-5 * max(1.0, told["largest"])
    assert told["largest"] > 1e-3
    assert (told["reached"], told["spared_reached"]) == (True, False)


@pytest.mark.real
def test_early_stopping_ends_where_it_would_have_ended_however_often_the_run_is_killed(real_training_python: Path):
    """A kill at any checkpoint: the evaluations that were no better are neither forgotten nor counted twice."""
    told = run_in_training(real_training_python, "-m", "tests.training_patience")
    assert json.loads(told.splitlines()[-1]) == [[5, "checkpoint-2"]] * 4


@pytest.mark.real
def test_killed_with_9_it_leaves_no_orphan_and_resumes_at_its_checkpoint(small_training: SmallTraining):
    assert small_training.orphans == []
    assert 4 <= small_training.result.resumed_from <= small_training.killed_at
    steps = [told[1] for told in small_training.said if told[0] == "training" and told[2] > 0]
    assert steps[0] == small_training.result.resumed_from + 1
    assert steps[-1] == small_training.result.steps == small_training.said[-1][2]


@pytest.mark.real
def test_the_loss_falls_and_a_finished_real_job_is_not_trained_again(small_training: SmallTraining):
    assert run.read_progress(small_training.result.run)[0]["loss"] > 5
    assert small_training.result.loss < 0.7
    started = time.monotonic()
    known = small_training
    assert run.train(known.data, known.recipe, known.base, known.runs, Path("none")) == known.result
    assert time.monotonic() - started < 2


@pytest.mark.real
def test_the_exported_file_is_named_by_its_hash_and_knows_its_tokenizer(
    small_training: SmallTraining, tmp_path: Path, real_training_python: Path
):
    exported = small_training.exported
    assert exported.served_file.name == f"student-{exported.hash[:12]}.gguf"
    assert (exported.merged / "model.safetensors").is_file()
    assert [path.name for path in exported.served_file.parent.iterdir()] == [exported.served_file.name]
    export.check_tokenizer(exported.served_file, base.PACKAGED, real_training_python)


@pytest.mark.real
def test_the_served_student_answers_with_what_it_learned(small_training: SmallTraining):
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(small_training.exported.served_file)
    parameters.n_ctx, parameters.n_parallel, parameters.cpuparams.n_threads = 512, 1, 1
    server = xllamacpp.Server(parameters)
    right = total = 0
    for row in small_rows():
        body = {"messages": row.messages[:2], "temperature": 0, "max_tokens": 6}
        said = post(server.listening_address + "/v1/chat/completions", body)["choices"][0]["message"]["content"]
        right, total = right + (said == row.messages[-1]["content"]), total + 1
    assert right >= 0.8 * total


@pytest.mark.real
def test_a_trained_run_is_asked_its_answers_and_how_likely_they_are(
    small_training: SmallTraining, tmp_path: Path, real_training_python: Path
):
    """On its own training rows, which it knows by heart."""
    shutil.copyfile(small_training.data / "train.jsonl", tmp_path / "validation.jsonl")
    result = small_training.result.model_copy(update={"run": tmp_path})
    (tmp_path / "output").symlink_to(small_training.result.output)
    found = measure.validated(result, tmp_path, real_training_python, ["debt", "lease"])
    assert len(found) == sum(row.split == "train" for row in small_rows())
    assert {row.said for row in found} <= {"debt", "lease"}
    assert sum(row.right for row in found) >= 0.8 * len(found)
    right, wrong = ([row.nats for row in found if row.right is kind] for kind in (True, False))
    assert 0 < sum(right) / len(right) < 1 and all(nats > 0.3 for nats in wrong)
    assert measure.validated(result, tmp_path, Path("none"), ["debt", "lease"]) == found


def post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
