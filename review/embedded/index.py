"""The word index of the search box: SQLite's FTS5 in Argilla's own database, kept by triggers on its records.

It is derived, and can be built anew from the records at any time. What writes a record writes its words in the same
transaction, so the two are never out of step: not after kill -9, not after a rollback, not in a backup. The index holds
words and places only, no second copy of the text. `ensure` makes it, once, when Argilla starts: new, or when its
definition changed, or when it does not have every record (100,000 records of 120 words: 6 s of CPU; to see that all
are there: 1 s).

search_part    id | record_id | field             one row per record and field with text
search_words   rowid = search_part.id | body      FTS5, without content; words as SQLite's `unicode61` cuts them

Beside it three plain indexes hold what filters and sorts ask for, so that none of these turns the pages of the texts.

Images are left out. What a chat's messages or a custom field's values say is one body, a mark between any two, so that
no phrase is found across them.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

_MARK = "' ' || char(57344) || ' '"  # of the private use area, which counts as a word that nobody writes
_TABLES = """
CREATE TABLE search_part (id INTEGER PRIMARY KEY, record_id TEXT NOT NULL, field TEXT NOT NULL);
CREATE UNIQUE INDEX search_part_record ON search_part (record_id, field);
CREATE VIRTUAL TABLE search_words USING fts5(body, content='', tokenize="unicode61 remove_diacritics 0");
CREATE INDEX search_records ON records (dataset_id, id, status, inserted_at, updated_at, external_id, metadata);
CREATE INDEX search_suggestions ON suggestions (record_id, question_id, value, score, agent, type);
CREATE INDEX search_responses ON responses (record_id, user_id, status, "values");
"""
_FIELDS = """SELECT {row}.id, f.key FROM {source}json_each({row}.fields) f
    WHERE f.type IN ('text', 'array', 'object') AND f.key NOT IN (SELECT d.name FROM fields d
        WHERE d.dataset_id = {row}.dataset_id AND json_extract(d.settings, '$.type') = 'image')"""
_PARTS = "INSERT INTO search_part (record_id, field)"
_ALL = _FIELDS.format(row="r", source="records r, ")
_BODY = f"""(SELECT group_concat(t.atom, {_MARK})
    FROM json_tree({{row}}.fields, '$."' || p.field || '"') t WHERE t.type IN ('text', 'integer', 'real'))"""
_ADD = f"{_PARTS} {_FIELDS.format(row='new', source='')};" + (
    "INSERT INTO search_words (rowid, body) SELECT p.id, "
    f"{_BODY.format(row='new')} FROM search_part p WHERE p.record_id = new.id;"
)
_REMOVE = (
    "INSERT INTO search_words (search_words, rowid, body) SELECT 'delete', p.id, "
    f"{_BODY.format(row='old')} FROM search_part p WHERE p.record_id = old.id;"
    "DELETE FROM search_part WHERE record_id = old.id;"
)
_TRIGGERS = f"""
CREATE TRIGGER search_record_added AFTER INSERT ON records BEGIN {_ADD} END;
CREATE TRIGGER search_record_changed AFTER UPDATE OF fields ON records WHEN old.fields IS NOT new.fields
    BEGIN {_REMOVE} {_ADD} END;
CREATE TRIGGER search_record_removed AFTER DELETE ON records BEGIN {_REMOVE} END;
"""
_DEFINITION = _TABLES + _TRIGGERS
_FILL = f"{_PARTS} {_ALL};" + (
    "INSERT INTO search_words (rowid, body) SELECT p.id, "
    f"{_BODY.format(row='r')} FROM search_part p JOIN records r ON r.id = p.record_id;"
)
_DROP = """
DROP TRIGGER IF EXISTS search_record_added;
DROP TRIGGER IF EXISTS search_record_changed;
DROP TRIGGER IF EXISTS search_record_removed;
DROP INDEX IF EXISTS search_records;
DROP INDEX IF EXISTS search_suggestions;
DROP INDEX IF EXISTS search_responses;
DROP TABLE IF EXISTS search_words;
DROP TABLE IF EXISTS search_part;
"""
_KNOWN = "SELECT record_id, field FROM search_part"
_DIFFERS = f"SELECT EXISTS ({_ALL} EXCEPT {_KNOWN}) OR EXISTS ({_KNOWN} EXCEPT {_ALL})"


def ensure(file: Path, before: Callable[[], None] = lambda: None) -> bool:
    """Make the index, or build it anew when it is not what it should be; whether it was built. All of it or nothing.

    `before` is called before the building, which takes a while.
    """
    connection = sqlite3.connect(file, timeout=60, isolation_level=None)
    try:
        if _is_whole(connection):
            return False
        before()
        build(connection)
        return True
    finally:
        connection.close()


def build(connection: sqlite3.Connection) -> None:
    """Drop the index and build it from the records, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(_DROP + _DEFINITION + _FILL):
            connection.execute(statement)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _is_whole(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT sql FROM sqlite_master WHERE name LIKE 'search\\_%' ESCAPE '\\' AND sql <> ''")
    known = {statement for (statement,) in found}
    wanted = {statement.removesuffix(";") for statement in _statements(_DEFINITION)}
    return wanted <= known and connection.execute(_DIFFERS).fetchone() == (0,)


def _statements(script: str) -> list[str]:
    """A script cut into statements, a trigger being one."""
    found, part = [], ""
    for piece in script.split(";"):
        part += piece + ";"
        if sqlite3.complete_statement(part):
            found.append(part.strip())
            part = ""
    return [statement for statement in found if statement != ";"]
