"""A task folder is loaded whole, or refused with all its faults in one message."""

from pathlib import Path

import pytest
from task_folders import FIELDS, make_task, write_task

from prompts.task import load_task
from records.errors import InputError

SHIPPED = Path(__file__).parents[1] / "prompts"


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_task(folder)
    return str(caught.value)


def broken_yaml(folder: Path, text: str) -> str:
    write_task(folder)
    (folder / "task.yaml").write_text(text, encoding="utf-8")
    return refusal(folder)


@pytest.mark.parametrize("folder", sorted(p.parent for p in SHIPPED.glob("*/task.yaml")), ids=lambda p: p.name)
def test_every_shipped_task_loads(folder):
    assert load_task(folder).guidelines


def test_what_the_model_says_is_the_answer_or_the_name(tmp_path):
    assert make_task(tmp_path).said == {"lease": "lease", "debt": "debt", "privacy": "data"}


def test_all_faults_come_in_one_message_with_path_value_and_cure(tmp_path):
    message = broken_yaml(
        tmp_path,
        "name: 1Mail\nanswr: 3\n"
        "answer: {kind: choice, labels: [{name: a, descripton: x}, {name: no}, {name: a}]}\n"
        "examples: [{document: x, answer: lease}]\n"
        "teacher: {model: openai/x, timeout_s: -1, max_in_flight: many}\ngate: {margin: 7}\n",
    )
    for wanted in (
        "name: '1Mail'",
        "title: missing; add it",
        "answr: unknown key (did you mean 'answer'?)",
        "answer.labels[0].descripton: unknown key (did you mean 'description'?)",
        "answer.labels[1].name: False: input should be a valid string; quote it",
        "the name 'a' is given 2 times",
        "examples[0].answer: 'lease': not a label; labels are a, a",
        "teacher.timeout_s: -1",
        "teacher.max_in_flight: 'many'",
        "gate.margin: 7",
    ):
        assert wanted in message
    assert str(tmp_path) in message


def test_a_gate_that_compares_what_no_answer_has_is_a_fault(tmp_path):
    gate = {"fields": {"sum": {"how": "number"}}}
    assert "gate.fields.sum: the schema has no such property; it has party, amount" in refusal(
        write_task(tmp_path / "a", FIELDS, gate=gate)
    )
    assert "gate.fields: a choice has no fields" in refusal(write_task(tmp_path / "b", gate=gate))


def test_missing_and_empty_guidelines_are_faults(tmp_path):
    write_task(tmp_path)
    (tmp_path / "guidelines.md").write_text(" \n")
    assert "guidelines.md: empty" in refusal(tmp_path)
    (tmp_path / "guidelines.md").unlink()
    assert "guidelines.md: cannot be read" in refusal(tmp_path)


def test_a_folder_without_task_yaml_is_refused(tmp_path):
    assert "no task.yaml" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name: [", "not valid YAML"),
        ("name: a\nname: b\n", "line 2: the key 'name' is given twice"),
        ("a: &x [1]\nb: *x\n", "line 2: aliases"),
        ("- a\n", "holds list"),
        ("", "is empty, wanted a mapping"),
        ("a: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
        ("a: " + "[" * 5_000, "task.yaml"),
        ("a: " + "x" * 1_000_001, "at most 1000000"),
    ],
)
def test_yaml_that_is_not_plain_data_is_refused(tmp_path, text, reason):
    assert reason in broken_yaml(tmp_path, text)


def test_yaml_that_is_not_utf8_is_refused(tmp_path):
    write_task(tmp_path)
    (tmp_path / "task.yaml").write_bytes(b"name: \xff")
    assert "not UTF-8" in refusal(tmp_path)


def test_labels_that_say_the_same_are_refused(tmp_path):
    labels = [{"name": "a", "answer": "x"}, {"name": "b", "answer": "x"}]
    write_task(tmp_path, answer={"labels": labels}, examples=[])
    assert "2 labels are answered with 'x'" in refusal(tmp_path)


def test_a_label_that_begins_another_is_refused_where_scoring_is_wanted(tmp_path):
    labels = [{"name": "car"}, {"name": "cargo"}]
    write_task(tmp_path, answer={"labels": labels}, examples=[], teacher={"mode": "score"})
    assert "'car' begins 'cargo'" in refusal(tmp_path)


def test_a_key_in_the_task_file_is_refused(tmp_path):
    write_task(tmp_path, teacher={"api_key_env": "sk-very-secret"})
    assert "teacher.api_key_env" in refusal(tmp_path)


def test_json_examples_and_schema_are_checked(tmp_path):
    write_task(tmp_path, FIELDS, examples=[{"document": "x", "answer": {"amount": "five"}}], teacher={"mode": "score"})
    message = refusal(tmp_path)
    assert "'party' is a required property" in message
    assert "examples[0].answer.amount" in message
    assert "only labels can be scored" in message
    write_task(tmp_path, FIELDS, answer={"schema": {"type": "objekt"}})
    assert "answer.schema.type" in refusal(tmp_path)


def test_the_fingerprint_follows_the_definition_not_the_place(tmp_path):
    one, two = make_task(tmp_path / "a"), make_task(tmp_path / "b")
    assert one.fingerprint == two.fingerprint
    assert make_task(tmp_path / "c", gate={"margin": 0.1}).fingerprint != one.fingerprint
