"""The dataset room: what is frozen, what is refused, and that a crash leaves nothing half."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import InputError
from records.split import cluster_of, document_id, split_of
from records.types import Split
from training.dataset import Row, build, content_hash, load, read_manifest


def row(text: str, answer: str = "debt", source: str = "correction", **changes) -> Row:
    cluster = cluster_of(text)
    messages = [
        {"role": "system", "content": "Sort the message."},
        {"role": "user", "content": text},
        {"role": "assistant", "content": answer},
    ]
    fields = {
        "document_id": document_id(text),
        "cluster": cluster,
        "split": split_of(cluster),
        "messages": messages,
        "source": source,
    }
    return Row(**(fields | changes))


def texts(split: Split, count: int) -> list[str]:
    words = ("invoice", "rent", "patent", "board", "claim", "cookie", "tender", "bonus", "bribe", "audit")
    found = [f"{a} about {b}" for a in words for b in words if split_of(cluster_of(f"{a} about {b}")) is split]
    assert len(found) >= count
    return found[:count]


def rows() -> list[Row]:
    training = [row(text, answer="lease") for text in texts(Split.train, 6)]
    return training + [row(text, source="trusted label") for text in texts(Split.validation, 2)]


def test_the_manifest_counts_rows_sources_and_files(tmp_path: Path):
    manifest = build("legal_intake", rows(), tmp_path / "1", prompt="a81b")
    assert manifest == json.loads((tmp_path / "1" / "manifest.json").read_text())
    assert manifest["rows"] == {"train": 6, "validation": 2}
    assert manifest["sources"] == {"correction": 6, "trusted label": 2}
    assert (manifest["task"], manifest["prompt"]) == ("legal_intake", "a81b")
    first = json.loads((tmp_path / "1" / "train.jsonl").read_text().splitlines()[0])
    assert set(first) == {"messages", "document_id", "source"}
    assert first["messages"][-1] == {"role": "assistant", "content": "lease"}


@given(st.permutations(rows()))
@settings(max_examples=20, deadline=None)
def test_the_hash_does_not_depend_on_the_order_of_the_rows(shuffled: list[Row]):
    assert content_hash(shuffled) == content_hash(rows())


def test_the_hash_changes_with_an_answer():
    changed = [*rows()[:-1], row(texts(Split.validation, 2)[1], answer="nda", source="trusted label")]
    assert content_hash(changed) != content_hash(rows())


def test_the_same_rows_again_change_nothing_and_other_rows_are_refused(tmp_path: Path):
    first = build("t", rows(), tmp_path / "1", prompt="p")
    assert build("t", reversed(rows()), tmp_path / "1", prompt="p") == first
    with pytest.raises(InputError, match="already holds another dataset"):
        build("t", rows()[1:], tmp_path / "1", prompt="p")


def test_a_test_document_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="is a test document"):
        build("t", [*rows(), row(texts(Split.test, 1)[0])], tmp_path / "1", prompt="p")
    assert not list(tmp_path.iterdir())


def test_a_near_duplicate_of_a_test_document_is_refused_whatever_its_row_claims(tmp_path: Path):
    disguised = row(texts(Split.test, 1)[0].upper() + " 2024!", split=Split.train)
    with pytest.raises(InputError, match="is a test document"):
        build("t", [*rows(), disguised], tmp_path / "1", prompt="p")


def test_a_row_in_the_wrong_split_is_refused(tmp_path: Path):
    moved = row(texts(Split.validation, 1)[0], split=Split.train)
    with pytest.raises(InputError, match="its content says validation"):
        build("t", [moved], tmp_path / "1", prompt="p")


def test_an_empty_set_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no row to train on for task 't'"):
        build("t", [], tmp_path / "1", prompt="p")
    with pytest.raises(InputError, match="none in the train split"):
        build("t", rows()[6:], tmp_path / "1", prompt="p")


def test_an_empty_answer_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="has an empty answer"):
        build("t", [row(texts(Split.train, 1)[0], answer="  \n")], tmp_path / "1", prompt="p")


def test_a_row_without_an_answer_is_refused(tmp_path: Path):
    text = texts(Split.train, 1)[0]
    with pytest.raises(InputError, match="last message must be the assistant's"):
        build("t", [row(text, messages=[{"role": "user", "content": text}])], tmp_path / "1", prompt="p")


def test_a_document_given_twice_is_refused(tmp_path: Path):
    text = texts(Split.train, 1)[0]
    with pytest.raises(InputError, match="twice"):
        build("t", [row(text), row(text, answer="nda")], tmp_path / "1", prompt="p")


def test_a_broken_character_is_refused(tmp_path: Path):
    text = texts(Split.train, 1)[0]
    messages = [{"role": "user", "content": "half \ud800"}, {"role": "assistant", "content": "debt"}]
    with pytest.raises(InputError, match="broken character"):
        build("t", [row(text, messages=messages)], tmp_path / "1", prompt="p")


def test_a_dataset_edited_afterwards_is_noticed(tmp_path: Path):
    build("t", rows(), tmp_path / "1", prompt="p")
    with (tmp_path / "1" / "train.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(InputError, match="changed after the dataset was frozen"):
        read_manifest(tmp_path / "1")


def test_killed_between_the_files_and_the_manifest_leaves_no_dataset(tmp_path: Path):
    script = (
        "import os, training.dataset as d, tests.test_training_dataset as t, pathlib\n"
        "d._manifest = lambda *a: os._exit(9)\n"
        f"d.build('t', t.rows(), pathlib.Path({str(tmp_path / '1')!r}), prompt='p')\n"
    )
    root = Path(__file__).parent.parent
    died = subprocess.run([sys.executable, "-c", script], cwd=root, env=os.environ | {"PYTHONPATH": str(root)})
    assert died.returncode == 9
    assert not (tmp_path / "1").exists()
    with pytest.raises(InputError, match="is no dataset"):
        read_manifest(tmp_path / "1")
    assert build("t", rows(), tmp_path / "1", prompt="p")["rows"]["train"] == 6
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_the_dataset_loads_through_datasets(tmp_path: Path):
    build("t", rows(), tmp_path / "1", prompt="p")
    loaded = load(tmp_path / "1")
    assert loaded["train"].num_rows == 6
    assert loaded["validation"].num_rows == 2
    assert loaded["train"][0]["messages"][-1]["content"] == "lease"
