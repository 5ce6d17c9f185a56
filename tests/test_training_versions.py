"""What a dataset version is beside its rows: its difference to another, its card, its leaks, its parts, its balance."""

import json
from pathlib import Path

import pytest
from fixtures_flows import arrive, people_say, texts
from fixtures_training import small_rows
from task_folders import make_task

from flows.context import Context
from flows.freezing import freeze
from flows.versions import dataset_card, dataset_difference
from records import library
from records.errors import InputError
from records.split import cluster_of, document_id
from records.types import Split
from training import balance, dataset, leaks
from training.difference import compare
from training.part import part

LETTER = (
    "Dear Sir, the heating in our office on the second floor has been broken since Monday of last week and nobody of "
    "your company has come to look at it, although we have called four times and written twice; please repair it or "
    "let us pay less rent until you do. Yours faithfully, {name}"
)


def changed(rows: list[dataset.Row], number: int, answer: str) -> list[dataset.Row]:
    said = {"role": "assistant", "content": answer}
    row = rows[number].model_copy(update={"messages": [*rows[number].messages[:-1], said]})
    return [*rows[:number], row, *rows[number + 1 :]]


def test_a_difference_counts_what_was_added_removed_and_answered_otherwise_by_split_and_label(tmp_path: Path):
    rows = small_rows()
    was = rows[1].messages[-1]["content"]
    dataset.build("t", rows[:-1], tmp_path / "1", prompt="p")
    dataset.build("t", changed(rows, 1, "data")[1:], tmp_path / "2", prompt="q")
    found = compare(tmp_path / "1", tmp_path / "2", {"data": "privacy"})
    assert found.added == {rows[-1].split.value: {rows[-1].messages[-1]["content"]: 1}}
    assert found.removed == {rows[0].split.value: {rows[0].messages[-1]["content"]: 1}}
    assert found.changed == {rows[1].split.value: {f"{was} -> privacy": 1}}
    assert (found.kept, found.prompt_changed) == (len(rows) - 3, True)
    assert found.documents["changed"] == [rows[1].document_id]
    assert f"1 answered otherwise\n  - {rows[1].split}: {was} -> privacy 1" in found.text


def test_of_json_answers_the_fields_that_changed_are_counted(tmp_path: Path):
    rows = small_rows()
    first = changed(rows, 0, json.dumps({"party": "Anna", "amount": 5}))
    dataset.build("t", first, tmp_path / "1", prompt="p")
    dataset.build("t", changed(rows, 0, json.dumps({"party": "Anna", "amount": 6})), tmp_path / "2", prompt="p")
    found = compare(tmp_path / "1", tmp_path / "2")
    assert found.changed == {rows[0].split.value: {"field amount": 1}}


def test_a_version_that_was_edited_is_not_compared(tmp_path: Path):
    for name in "12":
        dataset.build("t", small_rows(), tmp_path / name, prompt="p")
    (tmp_path / "2" / "train.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="changed after the dataset was frozen"):
        compare(tmp_path / "1", tmp_path / "2")


def test_versions_of_a_task_can_be_compared_and_the_card_tells_where_they_come_from(context: Context, tmp_path: Path):
    task = make_task(tmp_path / "mail")
    documents = arrive(context, task, *texts(Split.train, 4), *texts(Split.validation, 1))
    licensed = library.document(task.name, texts(Split.train, 5)[4], "mails.jsonl#7", metadata={"license": "CC-BY-4.0"})
    library.add(context.store, [licensed])
    people_say(context, task, {d.id: "lease" for d in documents})
    freeze(context, task)
    people_say(context, task, {documents[0].id: "privacy", licensed.id: "debt"}, minutes=1)
    people_say(context, task, {documents[1].id: "lease"}, who="bob")
    freeze(context, task)
    found = dataset_difference(context, task.folder.as_posix(), 1, 2)
    assert found.added == {"train": {"debt": 1}} and found.changed == {"train": {"lease -> privacy": 1}}
    card = dataset_card(context, task.folder.as_posix(), 0)
    assert card.version == 2 and Path(card.path).parent.name == "2"
    for told in (
        "| lease | 3 | 1 |",
        "| ann | 6 |",
        "| bob | 1 |",
        "| mails.jsonl | 1 |",
        "| CC-BY-4.0 | 1 |",
        "| not stated | 5 |",
        "they agreed on 1 (100%)",
        "| correction | 6 |",
    ):
        assert told in card.text
    with pytest.raises(InputError, match="no dataset version 7: there are 1, 2"):
        dataset_difference(context, task.name, 1, 7)


def test_exact_and_near_duplicates_across_splits_are_found():
    trained = {"a": LETTER.format(name="Ann Smith"), "b": "The roof leaks."}
    held = {
        "test": {"c": LETTER.format(name="Bob Jones"), "d": "THE ROOF LEAKS!"},
        "validation": {"e": "Third reminder."},
    }
    found = leaks.find(trained, held)
    assert [(leak.trained, leak.held, leak.split) for leak in found] == [("a", "c", "test"), ("b", "d", "test")]
    assert 0.8 <= found[0].similarity < 1 and found[1].similarity == 1
    with pytest.raises(InputError, match=r"2 training rows of mail are nearly the same .*a in test's c \(0.9"):
        leaks.refuse("mail", found)


def leaking(context: Context, task, name: str) -> tuple[str, str]:
    """A training and a test document that are nearly the same, written past the library, as before it looked."""
    chosen = {}
    for n in range(200):
        text = LETTER.format(name=f"{name} {'x' * n}")
        document = library.document(task.name, text, source="test")
        chosen.setdefault(document.split, document)
    import sqlalchemy as sa

    from records.store import row_of
    from records.tables import documents as table

    with context.store.begin() as db:
        for split in (Split.train, Split.test):
            db.execute(sa.insert(table).values(row_of(chosen[split])))
    return chosen[Split.train].id, chosen[Split.test].id


def test_a_dataset_with_a_leak_is_refused_or_built_without_it(context: Context, tmp_path: Path):
    task = make_task(tmp_path / "mail")
    clean = arrive(context, task, *texts(Split.train, 3))
    trained, _ = leaking(context, task, "Ann")
    people_say(context, task, {i: "lease" for i in [*(d.id for d in clean), trained]})
    with pytest.raises(InputError, match=f"{trained} in test's"):
        freeze(context, task)
    tolerant = make_task(tmp_path / "tolerant", training={"leaks": "leave_out"})
    version = freeze(context, tolerant)
    assert version.rows == {"train": 3, "validation": 0}
    assert "1 rows were left out" in dataset_card(context, tolerant.folder.as_posix(), 1).text


def test_rare_labels_are_repeated_up_to_the_cap_and_the_dataset_stays_as_it_is(tmp_path: Path):
    assert balance.repeats_of(["a"] * 12 + ["b"] * 4 + ["c"], most=3) == {"a": 1, "b": 3, "c": 3}
    assert balance.repeats_of(["a"] * 12 + ["b"] * 7, most=3) == {"a": 1, "b": 1}
    rows = [row for row in small_rows() if row.split is Split.train]
    odd = changed(rows, 0, "rare")
    dataset.build("t", odd, tmp_path / "1", prompt="p")
    (tmp_path / "run").mkdir()
    made = balance.write(tmp_path / "1", tmp_path / "run", most=2)
    lines = made.path.read_text().splitlines()
    assert made.repeats["rare"] == 2 and len(lines) == made.rows
    assert sum("rare" in line for line in lines) == 2
    dataset.read_manifest(tmp_path / "1")


def test_parts_are_nested_datasets_with_the_whole_validation_split(tmp_path: Path):
    rows = [
        dataset.Row(
            document_id=document_id(t),
            cluster=cluster_of(t),
            split=split,
            source="correction",
            messages=[{"role": "user", "content": t}, {"role": "assistant", "content": "lease"}],
        )
        for split in (Split.train, Split.validation)
        for t in texts(split, 8 if split is Split.train else 2)
    ]
    dataset.build("t", rows, tmp_path / "1", prompt="p")
    quarter, half = (part(tmp_path / "1", share, tmp_path / f"1-{share}") for share in (0.25, 0.5))
    kept = [set((folder / "train.jsonl").read_text().splitlines()) for folder in (quarter, half)]
    assert (len(kept[0]), len(kept[1])) == (2, 4) and kept[0] < kept[1]
    for folder in (quarter, half):
        assert (folder / "validation.jsonl").read_text() == (tmp_path / "1" / "validation.jsonl").read_text()
    hashes = {dataset.read_manifest(folder)["hash"] for folder in (tmp_path / "1", quarter, half)}
    assert len(hashes) == 3
    assert part(tmp_path / "1", 1.0, tmp_path / "x") == tmp_path / "1"
    assert part(tmp_path / "1", 0.5, half) == half
