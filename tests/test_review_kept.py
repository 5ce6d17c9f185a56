"""Kept columns as metadata to filter and sort by, and the link to the file: pure, and on the real Argilla."""

from pathlib import Path
from typing import Any

import pytest
from fixtures_argilla import RunningArgilla
from hypothesis import given
from hypothesis import strategies as st
from task_folders import make_task, write_task
from test_review_desk import FORM, LABELS, TEXTS, answer, everything_on, record

from flows.arrivals import read_source
from flows.boards import about, columns
from flows.context import Context, find_task
from flows.desk import OnDesk
from prompts.sources import read_documents
from prompts.task import load_task, restore_task
from records.errors import InputError
from review import kept, layout, links, moving, plain
from review.about import About
from review.board import Board
from review.desk import Desk
from review.form import choice_form
from review.kept import Column, values
from review.move import Api

COLUMNS = [Column("sender"), Column("received", "date"), Column("amount", "number")]
OWN = {"reason", "round", "confidence", "worth", "expected_accuracy", "source"}
LINK = "https://files.example/letters/{path}?page=1&x=2"


# --- names and values


def test_a_propertys_name_is_safe_its_own_and_the_same_wherever_its_column_stands():
    many = [*OWN, "Sender", "sender", "SENDER", "von/an", "von an", "日付", "a.b", "x" * 100]
    columns = [Column(name, kind) for name in many for kind in ("text", "number", "date")]
    names = [kept.name(column) for column in columns]
    assert len(set(names)) == len(columns) and not set(names) & OWN
    assert all(name.isascii() and name.replace("_", "").isalnum() and name == name.lower() for name in names)
    assert all(len(name) < 200 for name in names)
    assert kept.name(Column("sender")) == "text_sender" and kept.name(Column("received", "date")) == "date_received"


@pytest.mark.parametrize(
    ("given", "day"),
    [
        ("2024-02-29", 20240229),
        (" 2024-02-29T23:30:00-05:00 ", 20240229),
        ("2024-02-29 08:00", 20240229),
        (20240229, 20240229),
        ("2023-02-29", None),
        ("29.02.2024", None),
        ("02/03/2024", None),
        (2024, None),
        (True, None),
        ("", None),
    ],
)
def test_a_date_is_a_number_that_sorts_and_what_is_none_is_left_out(given: Any, day: int | None):
    assert values([Column("d", "date")], {"d": given}, "").get("date_d") == day


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (5, 5.0),
        ("12500.50", 12500.5),
        ("-1e3", -1000.0),
        ("1e999", None),
        ("nan", None),
        ("1_000", None),
        ("12,50", None),
        ("٣", None),
        (True, None),
    ],
)
def test_a_number_is_a_float_as_argilla_wants_and_what_is_none_is_left_out(given: Any, number: float | None):
    found = values([Column("n", "number")], {"n": given}, "").get("number_n")
    assert found == number and (found is None or type(found) is float)


def test_a_text_is_one_short_harmless_line():
    found = values([Column("s")], {"s": "<img src=x>\n Bo " + "x" * 200}, "<b>letters</b>")
    assert found["text_s"] == plain.shown("<img src=x> Bo " + "x" * 85 + "...") and len(str(found["text_s"])) < 110
    assert found["source"] == plain.shown("<b>letters</b>")
    assert values([Column("s"), Column("t")], {"s": " \n"}, "") == {}


# --- links


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("a.pdf", "a.pdf"),
        ("2024/März 1.pdf", "2024/M%C3%A4rz%201.pdf"),
        ('"><img src=x>.pdf', "%22%3E%3Cimg%20src%3Dx%3E.pdf"),
        ("a?b#c&d\\e%2e.pdf", "a%3Fb%23c%26d%5Ce%252e.pdf"),
        ("...pdf", "...pdf"),
    ],
)
def test_all_of_a_name_is_quoted(path: str, end: str):
    assert links.address(LINK, path, None) == f"https://files.example/letters/{end}?page=1&x=2"


@pytest.mark.parametrize(
    "path", ["", "..", "../a.pdf", "a/../b.pdf", "a/./b", "/etc/a.pdf", "a//b", "a\nb", "a\x00", "\ud800"]
)
def test_a_name_that_could_lead_elsewhere_gives_no_link(path: str):
    assert links.address(LINK, path, path) == ""
    assert links.address("https://files.example/{id}", "a.pdf", path.partition("/")[0]) in (
        "", "https://files.example/a"
    )  # fmt: skip


def test_an_id_is_one_step_and_without_one_there_is_no_link():
    assert links.address("https://f.example/?id={id}", "", "a/b") == "https://f.example/?id=a%2Fb"
    assert links.address("https://f.example/{id}", "a.pdf", None) == links.anchor("") == ""
    assert links.address(None, "a.pdf", "1") == ""


@given(st.text())
def test_whatever_a_name_holds_the_link_stays_one_element_to_the_owners_host(name: str):
    html = links.anchor(links.address(LINK, name, None))
    start, end = (
        '<a href="https://files.example/letters/',
        '?page=1&amp;x=2" target="_blank" rel="noopener noreferrer">',
    )
    if html:
        middle = html.removeprefix(start).removesuffix(f"{end}Open the file</A>")
        assert len(middle) == len(html) - len(start) - len(end) - len("Open the file</A>")
        assert not set(middle) & set("\"'<>&\\ ?#:")


def test_what_is_told_is_harmless_below_the_link():
    told = About("<b>x</b>", {"a": "</A><script>"}, (), "https://f.example/?a=1&b=2").shown
    first, *rest = told.splitlines()
    assert first.startswith('<a href="https://f.example/?a=1&amp;b=2" ')
    assert rest == [plain.shown("Source: <b>x</b>"), plain.shown("a: </A><script>")]


# --- the task's file


@pytest.mark.parametrize(
    "link",
    [
        "ftp://f.example/{path}",
        "javascript:alert(1)//{path}",
        "file:///srv/{path}",
        "//f.example/{path}",
        "https://{path}",
        "https://{id}.f.example/a",
        "https://f.example{path}",
        "https://user@f.example/{path}",
        "https://f.example/",
        "https://f.example/{path}/{id}",
        "https://f.example/{path}{path}",
        "https://f.example/{name}",
        'https://f.example/"{path}',
        "https://f.example/<{path}",
        "https://f.example/a b/{path}",
        "https://f.example\\@g.example/{path}",
        "https://f.example/{path}\n",
    ],
)
def test_a_link_that_is_no_plain_address_with_one_place_for_a_name_is_a_fault(tmp_path: Path, link: str):
    with pytest.raises(InputError, match=r"document\.link: .*wanted http\(s\)://HOST"):
        load_task(write_task(tmp_path / "mail", document={"link": link}))


def test_faults_of_kept_columns_are_told_by_their_place(tmp_path: Path):
    keep = ["a", {"name": "a", "as": "date"}, {"name": "b", "as": "day"}, {"as": "date"}, 5]
    with pytest.raises(InputError) as caught:
        load_task(write_task(tmp_path / "mail", document={"keep": keep}))
    told = str(caught.value)
    assert "document.keep: 'a' is given 2 times; keep one" in told
    assert "document.keep[2].as: 'day': input should be 'text', 'number' or 'date'" in told
    assert "document.keep[3].name: missing" in told and "document.keep[4]: 5:" in told


def test_a_task_keeps_what_was_written_and_comes_back_from_its_definition(tmp_path: Path):
    keep = ["sender", {"name": "received", "as": "date"}]
    task = make_task(tmp_path / "mail", document={"keep": keep, "link": "http://[::1]:8080/{path}"})
    assert task.definition["document"]["keep"] == keep
    assert columns(restore_task(task.definition, task.folder)) == [Column("sender"), Column("received", "date")]


def test_a_self_hosted_task_links_to_its_own_hosts_only(tmp_path: Path, context: Context):
    own = {"privacy": "self_hosted", "allowed_hosts": ["files.internal"]}
    for host in ("files.internal", "127.0.0.1:8000"):
        find_task(context, str(write_task(tmp_path / host, **own, document={"link": f"http://{host}/{{path}}"})))
    away = write_task(tmp_path / "away", **own, document={"link": "https://files.internal.example/{path}"})
    with pytest.raises(InputError, match=r"link to the files .* is at 'files.internal.example'.* allowed_hosts"):
        find_task(context, str(away))


def test_each_document_is_told_with_where_it_was_read_and_how_its_file_is_opened(tmp_path: Path, context: Context):
    rules = {"keep": ["sender", {"name": "received", "as": "date"}], "link": "https://f.example/{path}"}
    task = make_task(tmp_path / "mail", document=rules)
    (tmp_path / "in#box/2024").mkdir(parents=True)
    (tmp_path / "in#box/2024/a#1.txt").write_text("A letter about a roof.")
    (tmp_path / "rows.jsonl").write_text(
        '{"text": "A bill.", "id": "x.pdf", "sender": "B\\u0000\\ud800", "received": "soon"}'
    )
    box = f"{tmp_path}/in#box"
    sources = (box, f"{box}/2024/a#1.txt", f"{tmp_path}/rows.jsonl")
    documents = [read_documents(s, "mail", keep=["sender", "received"]).documents[0] for s in sources]
    [folder], [file], [row] = (about(context, task, [d]).values() for d in documents)
    assert (folder.source, folder.link) == (f"{box}/2024/a#1.txt", "https://f.example/2024/a%231.txt")
    assert folder.metadata == {"source": f"{box}/2024"}
    assert (file.source, file.link) == (f"{box}/2024/a#1.txt", "https://f.example/a%231.txt")
    assert (row.source, row.link) == ("x.pdf", "")  # a row of another file, whatever its id looks like
    assert row.metadata == {"source": f"{tmp_path}/rows.jsonl", "text_sender": "B ?"}
    assert row.facts["received"] == "soon"


def test_a_kept_column_that_no_row_has_is_told_and_a_folder_has_none(tmp_path: Path, context: Context):
    task = make_task(tmp_path / "mail", document={"keep": ["sender", "sendr"]})
    (tmp_path / "rows.jsonl").write_text('{"text": "A bill."}\n{"text": "A letter.", "sender": "Bo"}')
    (tmp_path / "box").mkdir()
    (tmp_path / "box/a.txt").write_text("A roof.")
    rows, box = (read_source(context, task, str(tmp_path / name)) for name in ("rows.jsonl", "box"))
    assert rows.absent == ["sendr"] and rows.text.endswith("; none has 'sendr', which document.keep names")
    assert box.absent == [] and "document.keep" not in box.text


def test_a_round_tells_how_many_records_go_without_the_link_and_why():
    sent = {"sent": 3, "round": 1, "blind": 0, "total": 3, "held_back": 0, "url": ""}
    assert OnDesk(**sent).links == ""
    assert OnDesk(**sent, unlinked=2).links.startswith(
        "2 of the 3 sent have none: for document.link, {path} is known of"
    )


# --- on the desk

SENDERS = ["Anna <anna@firm.example>", "Bo", "Bo", "Cy", "Anna <anna@firm.example>"]


def board_with(desk: Desk, task: str, columns: list[Column] = COLUMNS) -> Board:
    board = desk.ensure(task, FORM, "Read it.", LABELS, columns=columns)
    told = {
        id_: About(
            "", {}, (), "https://f.example/a.pdf",
            values(COLUMNS, {"sender": SENDERS[n], "received": f"202{n}-02-0{9 - n}", "amount": n * 1.5}, "letters"),
        )
        for n, id_ in enumerate(TEXTS)
    }  # fmt: skip
    board.send([record(task, id_) for id_ in TEXTS], TEXTS, about=told)
    return board


def search(
    board: Board, wanted: dict[str, Any] | None = None, sort: str = "number_amount", order: str = "asc"
) -> list[str]:
    """Ids of what the API finds, in its order."""
    scope = {"entity": "metadata", "metadata_property": sort}
    query: dict[str, Any] = {"sort": [{"scope": scope, "order": order}]}
    if wanted:
        scope = {"entity": "metadata", "metadata_property": wanted.pop("name")}
        query["filters"] = {"and": [{"scope": scope, **wanted}]}
    found = board.desk.call("POST", f"/datasets/{board.id}/records/search", query)
    return [item["record"]["external_id"] for item in found["items"]]


def check_found(board: Board) -> None:
    anna = {"name": "text_sender", "type": "terms", "values": [plain.shown(SENDERS[0])]}
    assert search(board, anna) == ["d0", "d4"]
    days = {"name": "date_received", "type": "range", "ge": 20210101, "le": 20230206}
    assert search(board, days) == ["d1", "d2", "d3"]
    assert search(board, sort="date_received", order="desc") == ["d4", "d3", "d2", "d1", "d0"]
    assert len(search(board, {"name": "source", "type": "terms", "values": ["letters"]})) == 5
    known = board.desk.call("GET", f"/me/datasets/{board.id}/metadata-properties")["items"]
    assert all(one["visible_for_annotators"] for one in known)


@pytest.mark.real
def test_reviewers_filter_and_sort_by_what_was_kept_and_a_move_to_other_labels_takes_it_along(
    desk: Desk, argilla: RunningArgilla
):
    board = board_with(desk, "kept")
    check_found(board)
    menu = desk.call("GET", f"/me/datasets/{board.id}/metadata-properties")["items"]
    assert [one["title"] for one in menu[:5]] == ["Source", "sender", "received", "amount", "Confidence"]
    [blind] = [r for r in everything_on(board) if r["external_id"] == "d0"]
    assert blind["metadata"] == {
        "round": 1, "reason": "test set", "source": "letters", "text_sender": plain.shown(SENDERS[0]),
        "date_received": 20200209, "number_amount": 0.0,
    }  # fmt: skip
    answer(argilla, board, 0, {"d1": {"answer": "nda"}})
    other = choice_form({"lease": "", "secret": "", "claim": ""})
    moving.copy(desk, "kept", other, {"nda": "secret"}, "Read it anew.", 1)
    moving.finish(desk, "kept", {"nda": "secret"})
    moved = desk.find("kept", other)
    assert moved and moved.id != board.id
    check_found(moved)
    desk.ensure("kept", other, "Read it.", columns=[*COLUMNS, Column("sender", "date")])  # asks for no new board
    assert [r["metadata"]["source"] for r in everything_on(moved)] == ["letters"] * 5


@pytest.mark.real
def test_a_board_from_before_gets_the_properties_and_one_that_lacks_them_takes_the_records_without(desk: Desk):
    old = desk.ensure("kept-before", FORM, "Read it.", LABELS)
    for one in desk.call("GET", f"/me/datasets/{old.id}/metadata-properties")["items"]:
        if one["name"] == "source":
            desk.call("DELETE", f"/metadata-properties/{one['id']}")
    board = Board(desk, "kept-before", FORM, old.id)
    told = {"d1": About("", {}, (), "", values(COLUMNS, {"sender": "Bo", "amount": 2}, "letters"))}
    board.send([record("kept-before", "d1")], TEXTS, about=told)
    assert "source" not in everything_on(board)[0]["metadata"]
    board_with(desk, "kept-before")
    asked = desk.ensure("kept-before", FORM, "Read it.", LABELS, columns=COLUMNS)
    assert search(asked, sort="date_received") == ["d0", "d2", "d3", "d4", "d1"]  # the one from before has no date
    assert len(search(asked, {"name": "source", "type": "terms", "values": ["letters"]})) == 4


@pytest.mark.real
def test_a_desk_that_moved_before_columns_were_kept_gets_them_with_the_next_move(desk: Desk, argilla: RunningArgilla):
    first, second = (desk.ensure(name, FORM, "Read it.", LABELS) for name in ("kept-here", "kept-there"))
    desk.ensure("kept-here", FORM, "Read it.", LABELS, columns=COLUMNS)
    workspace = str(desk.client.workspaces("retort").id)
    dataset = desk.call("GET", f"/datasets/{first.id}") | {"name": "kept-there"}
    with Api(argilla.url, argilla.key) as api:
        assert layout.copy(api, api, dataset, workspace) == second.id
    there = Board(desk, "kept-there", FORM, second.id)
    assert {"source", "text_sender", "date_received", "number_amount"} <= there.properties
