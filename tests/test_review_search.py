"""The search box's language, times in filters, the word index: without a server, on SQLite's own tables."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review.embedded import index, moments, text
from review.embedded.text import Every, Node, Not, Some, Words

SCHEMA = """
CREATE TABLE fields (id TEXT, dataset_id TEXT, name TEXT, settings TEXT);
CREATE TABLE records (id TEXT PRIMARY KEY, dataset_id TEXT, fields TEXT, status TEXT, inserted_at TEXT, updated_at TEXT,
    external_id TEXT, metadata TEXT);
CREATE TABLE suggestions (record_id TEXT, question_id TEXT, value TEXT, score TEXT, agent TEXT, type TEXT);
CREATE TABLE responses (record_id TEXT, user_id TEXT, status TEXT, "values" TEXT);
INSERT INTO fields VALUES ('f1', 'd', 'document', '{"type": "text"}'), ('f2', 'd', 'scan', '{"type": "image"}');
"""
A, B, C = Words("a"), Words("b"), Words("c")


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("a b", Every((A, B))),
        ("a b | c", Some((Every((A, B)), C))),
        ("a | b c", Every((Some((A, B)), C))),
        ("a | b | c", Some((A, B, C))),
        ("a (b | c)", Every((A, Some((B, C))))),
        ("a + b -c", Every((A, B, Not(C)))),
        ("-a", Not(A)),
        ("--a - b", Every((A, B))),
        ("-(a | b)", Not(Some((A, B)))),
        ('"a b" c*', Every((Words("a b"), Words("c", prefix=True)))),
        (r"a\-b \(c", Every((Words("a-b"), Words("(c")))),
        ("(a b", Every((A, B))),
        ('a) "b', Every((A, B))),
        ("| a |", A),
        ("a - ! b", Every((A, B))),
        ("!!! ()", None),
        ("", None),
    ],
)
def test_a_query_is_read_as_argillas_own_search_reads_it(query: str, tree: Node | None):
    assert text.parse(query) == tree


@pytest.mark.parametrize("query", ["leese~1", '"notice period"~3', "word " * 101])
def test_what_a_query_may_not_ask_is_refused_in_a_sentence(query: str):
    with pytest.raises(ValueError, match=r"is not offered here|100 words"):
        text.parse(query)


@given(st.text('ab "|+-()*~\\!é保'))
@settings(max_examples=300)
def test_no_query_is_anything_but_a_tree_or_a_sentence(query: str):
    try:
        assert text.parse(query) is None or all(words.text for words in text.leaves(text.parse(query) or A))
    except ValueError as error:
        assert "~" in str(error)


@pytest.mark.parametrize(
    ("time", "first", "last"),
    [
        ("2026", "2026-01-01 00:00:00.000000", "2026-12-31 23:59:59.999999"),
        ("2026-02", "2026-02-01 00:00:00.000000", "2026-02-28 23:59:59.999999"),
        ("2026-11-25", "2026-11-25 00:00:00.000000", "2026-11-25 23:59:59.999999"),
        ("2026-11-25T10:30", "2026-11-25 10:30:00.000000", "2026-11-25 10:30:59.999999"),
        ("2026-11-25T10:30:05.25Z", "2026-11-25 10:30:05.250000", "2026-11-25 10:30:05.250000"),
        ("2026-11-25T10:30:05+02:00", "2026-11-25 08:30:05.000000", "2026-11-25 08:30:05.999999"),
        (0, "1970-01-01 00:00:00.000000", "1970-01-01 00:00:00.000000"),
        ("1764066600000", "2025-11-25 10:30:00.000000", "2025-11-25 10:30:00.000000"),
    ],
)
def test_a_time_that_stops_early_means_all_that_it_names(time: str | int, first: str, last: str):
    assert moments.bounds(time) == (first, last)


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "25.11.2026"])
def test_what_is_no_time_is_refused(time: str):
    with pytest.raises(ValueError, match=r"no time|month"):
        moments.bounds(time)


class Table:
    """A table of records as Argilla's, with the index on it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.db = sqlite3.connect(file)
        self.db.executescript(SCHEMA)
        self.db.commit()

    def add(self, id_: str, fields: object) -> None:
        self.db.execute("INSERT INTO records (id, dataset_id, fields) VALUES (?, 'd', ?)", (id_, json.dumps(fields)))

    def has(self, phrase: str) -> set[str]:
        found = "SELECT p.record_id FROM search_words JOIN search_part p ON p.id = search_words.rowid"
        return {id_ for (id_,) in self.db.execute(f"{found} WHERE search_words MATCH ?", (phrase,))}

    def is_sound(self) -> bool:
        """Whether the index is what a new one would be: its parts, and its words with their places."""
        now = self._all()
        index.build(self.db)
        return now == self._all()

    def _all(self) -> tuple[list[object], list[object]]:
        self.db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.v USING fts5vocab(main, search_words, instance)")
        found = self.db.execute(
            "SELECT p.record_id, p.field, v.term, v.offset FROM v JOIN search_part p ON p.id = v.doc"
        )
        rows = sorted(found.fetchall())
        self.db.execute("DROP TABLE temp.v")
        return rows, sorted(self.db.execute("SELECT record_id, field FROM search_part").fetchall())


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table(tmp_path / "argilla.db")
    yield made
    made.db.close()


def test_the_index_follows_every_write_and_a_rollback(table: Table):
    index.ensure(table.file)
    table.add("r1", {"document": "The landlord's lease"})
    table.add("r2", {"document": "a claim"})
    table.db.commit()
    assert (table.has("lease"), table.has("claim")) == ({"r1"}, {"r2"})
    table.db.execute("UPDATE records SET fields = ? WHERE id = 'r1'", (json.dumps({"document": "an NDA"}),))
    assert (table.has("lease"), table.has("nda")) == (set(), {"r1"})
    table.db.rollback()
    assert (table.has("lease"), table.has("nda")) == ({"r1"}, set())
    table.db.execute("DELETE FROM records WHERE id = 'r2'")
    table.db.commit()
    assert table.has("claim") == set() and table.is_sound()


def test_an_index_that_is_missing_stale_or_incomplete_is_built_anew(table: Table):
    table.add("r1", {"document": "lease"})
    table.add("r2", {})
    table.db.commit()
    assert [index.ensure(table.file), index.ensure(table.file)] == [True, False]
    table.db.execute("DROP TRIGGER search_record_added")
    table.add("r3", {"document": "written while nobody looked"})
    table.db.commit()
    assert [index.ensure(table.file), index.ensure(table.file)] == [True, False]
    assert table.has("nobody") == {"r3"}
    table.db.execute("DELETE FROM search_part WHERE record_id = 'r1'")
    table.db.commit()
    assert index.ensure(table.file) and table.has("lease") == {"r1"}


def test_a_killed_build_leaves_the_old_index_whole(table: Table):
    table.add("r1", {"document": "lease"})
    table.db.commit()
    index.ensure(table.file)
    table.db.execute("DROP TRIGGER search_record_added")
    table.db.execute("INSERT INTO records (id, dataset_id, fields) VALUES ('bad', 'd', 'no JSON')")
    table.db.commit()
    with pytest.raises(sqlite3.OperationalError, match="malformed JSON"):
        index.build(table.db)
    assert table.has("lease") == {"r1"}


def test_images_are_no_text_and_no_phrase_goes_from_one_message_to_the_next(table: Table):
    index.ensure(table.file)
    chat = [{"role": "user", "content": "Where is my lease"}, {"role": "assistant", "content": "office lease"}]
    table.add(
        "r1", {"document": "words", "scan": "https://pictures.example/cat.png", "chat": chat, "custom": {"n": 12.5}}
    )
    assert table.has("pictures") == set()
    assert table.has('"my lease"') == table.has('"12.5"') == {"r1"}
    assert table.has('"lease office"') == table.has('"lease assistant"') == set()


@given(
    st.lists(
        st.tuples(
            st.sampled_from("rstu"), st.none() | st.dictionaries(st.sampled_from(["document", "x-y_1"]), st.text())
        ),
        max_size=25,
    )
)
@settings(max_examples=20, deadline=None)
def test_after_any_writes_the_index_is_what_a_new_one_would_be(tmp_path_factory: pytest.TempPathFactory, writes):
    table = Table(tmp_path_factory.mktemp("table") / "argilla.db")
    index.ensure(table.file)
    for id_, fields in writes:
        if fields is None:
            table.db.execute("DELETE FROM records WHERE id = ?", (id_,))
            continue
        upsert = "ON CONFLICT (id) DO UPDATE SET fields = excluded.fields"
        values = (id_, json.dumps(fields))
        table.db.execute(f"INSERT INTO records (id, dataset_id, fields) VALUES (?, 'd', ?) {upsert}", values)
    table.db.commit()
    assert table.is_sound()
    table.db.close()
