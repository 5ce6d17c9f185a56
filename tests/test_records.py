"""The store: each invariant that a table or a transaction holds."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from records import corrections, ledger, library, loads, registry, split, tables, taskbook, traffic
from records import store as store_module
from records.errors import EnvironmentFault, InputError, NotApproved, StoreError
from records.store import Store, row_of
from records.types import (
    Correction,
    DatasetVersion,
    Decision,
    Label,
    Outcome,
    Release,
    Request,
    Role,
    Split,
    Student,
    Verdict,
    now,
)


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(f"sqlite:///{tmp_path}/deep/retort.db")
    yield opened
    opened.close()


def label(key: str = "k1", outcome: Outcome = Outcome.answered, value: object = "lease") -> Label:
    return Label(
        key=key, task="t", document_id="d1", role=Role.teacher, model="m", prompt="p", outcome=outcome, value=value
    )


def correction(reviewer: str, value: object, minutes: int = 0, discarded: bool = False) -> Correction:
    at = now() + timedelta(minutes=minutes)
    return Correction(task="t", document_id="d1", reviewer=reviewer, value=value, answered_at=at, discarded=discarded)


def student(hash_: str = "a" * 64) -> Student:
    return Student(hash=hash_, task="t", dataset_version=1, base_model="b", recipe="r", path="/p", served_file="/f")


def verdict(id_: str, decision: Decision = Decision.approved, student_hash: str = "a" * 64) -> Verdict:
    return Verdict(
        id=id_,
        task="t",
        student_hash=student_hash,
        test_set_hash="x",
        rule_hash="y",
        decision=decision,
        reasons=["because"],
        report={},
    )


def test_migrations_and_tables_describe_the_same_schema(store):
    with store.read() as db:
        assert compare_metadata(MigrationContext.configure(db), tables.metadata) == []


def test_a_store_that_cannot_be_opened_says_which_and_hides_the_password(tmp_path):
    with pytest.raises(EnvironmentFault) as caught:
        Store.open("sqlite:////proc/nowhere/retort.db")
    assert "/proc/nowhere" in str(caught.value)
    with pytest.raises(EnvironmentFault) as caught:
        Store.open("postgresql+psycopg://u:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


def test_a_store_of_a_newer_retort_is_refused(store, tmp_path):
    with store.begin() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer"):
        Store.open(f"sqlite:///{tmp_path}/deep/retort.db")


def test_the_same_document_twice_is_kept_once(store):
    first = library.add(store, [library.document("t", "Hello there", "a.jsonl")])
    again = library.add(store, [library.document("t", "Hello there ", "b.jsonl")])
    assert (first.added, again.added, again.known) == (1, 0, 1)
    assert library.documents(store, "t")[0].source == "a.jsonl"


@given(st.text(alphabet=st.characters(codec="utf-8")), st.integers(0, 9999))
def test_near_duplicates_share_a_split(text, number):
    words = f"{text} on page {number}"
    shouted = f"  {words.upper().lower()}!! {number + 1}"
    assert split.canonical(words) == split.canonical(words + "...")
    assert split.split_of(split.cluster_of(shouted)) == split.split_of(split.cluster_of(shouted + " 7"))


def test_the_split_of_a_text_is_the_same_for_ever():
    texts = {
        "Please review the NDA.": Split.train,
        "The tenant has not paid rent since May.": Split.train,
        "Beta": Split.test,
    }
    assert {t: split.split_of(split.cluster_of(t)) for t in texts} == texts


def test_splits_have_about_the_stated_shares():
    drawn = [split.split_of(split.cluster_of("word " + "x" * n + " end")) for n in range(3000)]
    assert 0.17 < drawn.count(Split.test) / 3000 < 0.23
    assert 0.08 < drawn.count(Split.validation) / 3000 < 0.12


def test_an_answer_is_never_overwritten_but_a_failure_gives_way(store):
    ledger.save(store, [label(outcome=Outcome.failed, value=None)])
    assert ledger.answered_keys(store, ["k1", "k2"]) == set()
    ledger.save(store, [label(value="lease")])
    ledger.save(store, [label(value="nda")])
    assert [x.value for x in ledger.labels(store, "t")] == ["lease"]
    assert ledger.answered_keys(store, ["k1", "k2"]) == {"k1"}


def test_json_answers_and_unicode_survive_the_store(store):
    value = {"party": "Müller & Söhne 株式会社", "amount": 3.5, "tags": ["a", None]}
    ledger.save(store, [label(value=value)])
    assert ledger.labels(store, "t", Role.teacher)[0].value == value


def test_two_reviewers_who_differ_make_a_dispute_not_gold(store):
    corrections.save(store, [correction("ann", "lease"), correction("bob", "debt")])
    found = corrections.settled(store, "t")
    assert found.gold == {}
    assert {c.reviewer for c in found.disputed["d1"]} == {"ann", "bob"}


def test_saving_corrections_twice_changes_nothing_and_the_newer_answer_wins(store):
    first = correction("ann", "lease")
    assert corrections.save(store, [first]) == 1
    assert corrections.save(store, [first]) == 0
    assert corrections.save(store, [correction("ann", "debt", minutes=5)]) == 1
    assert corrections.save(store, [first]) == 0
    assert corrections.settled(store, "t").gold == {"d1": "debt"}


def test_a_discarded_answer_is_kept_but_is_no_gold(store):
    corrections.save(store, [correction("ann", None, discarded=True)])
    assert corrections.settled(store, "t")[:2] == ({}, {})
    assert len(corrections.all(store, "t")) == 1


def test_no_release_without_an_approving_verdict_that_names_the_student(store):
    registry.add_student(store, student())
    registry.add_verdict(store, verdict("v-no", Decision.rejected))
    registry.add_verdict(store, verdict("v-open", Decision.inconclusive))
    registry.add_verdict(store, verdict("v-other", student_hash="b" * 64))
    for id_ in ("v-missing", "v-no", "v-open", "v-other"):
        with pytest.raises(NotApproved):
            registry.release(store, "t", "a" * 64, id_)
    assert registry.live(store, "t") is None
    assert registry.releases(store, "t") == []


def test_rollback_goes_back_to_the_release_before_and_then_to_the_teacher(store):
    registry.add_verdict(store, verdict("v1"))
    registry.add_verdict(store, verdict("v2", student_hash="b" * 64))
    registry.release(store, "t", "a" * 64, "v1")
    second = registry.release(store, "t", "b" * 64, "v2")
    assert (second.number, registry.live(store, "t").name) == (2, "t@2")
    assert registry.rollback(store, "t").student_hash == "a" * 64
    assert registry.rollback(store, "t") is None
    with pytest.raises(StoreError, match="nothing to roll back"):
        registry.rollback(store, "t")


def test_a_release_that_was_taken_back_is_not_rolled_back_to(store):
    hashes = ("a" * 64, "b" * 64, "c" * 64)
    for number, hash_ in enumerate(hashes):
        registry.add_verdict(store, verdict(f"v{number}", student_hash=hash_))
    for number in (0, 1):
        registry.release(store, "t", hashes[number], f"v{number}")
    registry.rollback(store, "t")
    third = registry.release(store, "t", hashes[2], "v2")
    assert (third.number, third.replaced) == (3, 1)
    assert [one.number for one in registry.lived(store, "t")] == [3, 1]
    assert registry.rollback(store, "t").number == 1 and registry.rollback(store, "t") is None
    assert registry.lived(store, "t") == []
    assert registry.release(store, "t", hashes[0], "v0").replaced is None
    assert registry.rollback(store, "t") is None


def test_what_verdicts_held_of_measurements_and_the_order_of_releases_are_taken_over(tmp_path):
    url = f"sqlite:///{tmp_path}/old.db"
    config = Config()
    config.set_main_option("script_location", str(Path(store_module.__file__).parent / "migrations"))
    before = ScriptDirectory.from_config(config).get_revision("0014").down_revision
    engine = sa.create_engine(url)
    began = now()
    reports = [{}, *({"load": [{"in_flight": n}], "measured_as": "alone"} for n in (1, 2))]
    with engine.begin() as db:
        config.attributes["connection"] = db
        command.upgrade(config, before)
        for number, report in enumerate(reports):
            row = verdict(f"v{number}").model_copy(
                update={"report": report, "created_at": began + timedelta(days=number)}
            )
            db.execute(tables.verdicts.insert(), [row_of(row)])
            release = Release(task="t", number=number + 1, student_hash="a" * 64, verdict_id=f"v{number}")
            db.execute(tables.releases.insert(), [release.model_dump(exclude={"replaced"})])
    engine.dispose()
    store = Store.open(url)
    [kept] = loads.measured(store, "a" * 64, "alone")
    assert (kept.load, kept.reason, kept.created_at, kept.task) == (
        [{"in_flight": 1}],
        "",
        began + timedelta(days=1),
        "t",
    )
    assert [one.replaced for one in registry.releases(store, "t")] == [None, 1, 2]
    store.close()


def test_a_release_after_a_rollback_gets_a_new_number(store):
    registry.add_verdict(store, verdict("v1"))
    registry.release(store, "t", "a" * 64, "v1")
    registry.rollback(store, "t")
    assert registry.release(store, "t", "a" * 64, "v1").number == 2


def test_a_dataset_version_is_never_given_another_content(store):
    version = DatasetVersion(task="t", version=1, hash="h", path="/p", rows={"train": 3}, manifest={})
    registry.add_dataset(store, version)
    registry.add_dataset(store, version)
    with pytest.raises(StoreError, match="another content"):
        registry.add_dataset(store, version.model_copy(update={"hash": "other"}))


def test_an_ambiguous_student_hash_is_refused(store):
    registry.add_student(store, student("abc1" + "0" * 60))
    registry.add_student(store, student("abc2" + "0" * 60))
    assert registry.student(store, "abc1").hash.startswith("abc1")
    with pytest.raises(StoreError, match="2 students"):
        registry.student(store, "abc")
    with pytest.raises(StoreError, match="0 students"):
        registry.student(store, "%")


def test_an_unknown_task_names_the_known_ones(store, tmp_path):
    taskbook.remember(store, "intake", "f1", tmp_path, {})
    assert taskbook.folder(store, "intake") == tmp_path
    with pytest.raises(InputError, match="intake"):
        taskbook.folder(store, "nope")


def test_traffic_is_harvested_once(store):
    row = Request(id="r1", task="t", text="hi", value="lease", outcome=Outcome.answered, model="m", release=None)
    assert traffic.record(store, [row, row]) == 1
    assert [r.id for r in traffic.unharvested(store, "t")] == ["r1"]
    traffic.mark_harvested(store, ["r1"])
    assert traffic.unharvested(store, "t") == []


def test_kill_9_in_the_middle_of_a_transaction_leaves_all_or_nothing(tmp_path):
    url = f"sqlite:///{tmp_path}/retort.db"
    code = f"""
import os, signal
from records.store import Store
from records import library, tables
from records.store import row_of
store = Store.open({url!r})
library.add(store, [library.document("t", "first", "s")])
with store.begin() as db:
    store.add_one(db, tables.documents, row_of(library.document("t", "second", "s")))
    os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[1]
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    assert ended.returncode == -signal.SIGKILL
    store = Store.open(url)
    assert [d.text for d in library.documents(store, "t")] == ["first"]
    store.close()


def test_two_processes_may_open_a_new_store_at_once(tmp_path):
    code = f"from records.store import Store; Store.open('sqlite:///{tmp_path}/new.db').close()"
    root = Path(__file__).parents[1]
    runs = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(3)]
    assert [r.wait(60) for r in runs] == [0, 0, 0]
