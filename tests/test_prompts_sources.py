"""Documents come in from every format; what cannot be read is reported and the rest goes on."""

import json
import tracemalloc
from pathlib import Path

import pytest

from prompts.sources import Counts, read_documents, stream_documents
from records.errors import InputError
from records.split import document_id

LETTERS = Path(__file__).parents[1] / "prompts" / "legal_intake" / "sample" / "letters"


def write_lines(path, *rows):
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n", encoding="utf-8")
    return str(path)


def texts(loaded):
    return [d.text for d in loaded.documents]


def test_json_lines_are_read_with_ids_and_wanted_metadata(tmp_path):
    source = write_lines(tmp_path / "a.jsonl", {"id": 7, "text": "One.", "label": "x"}, {"id": 8, "text": "Two."})
    loaded = read_documents(source, "mail", keep=["label"])
    first, second = loaded.documents
    assert (first.text, first.external_id, first.metadata) == ("One.", "7", {"label": "x"})
    assert (first.id, first.task, first.source) == (document_id("One."), "mail", f"{source}#line 1")
    assert second.metadata == {}


def test_broken_lines_are_faults_with_place_and_reason_and_the_rest_goes_on(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [b'{"text": "good"}', b"not json", b'{"text": "  "}', b"", b'{"text": 5}', b"[1]", b'{"other": "x"}',
             b'{"text": "caf\xff"}', b'{"text": "' + b"[" * 20 + b'"}', b"[" * 100_000]  # fmt: skip
    path.write_bytes(b"\n".join(lines))
    loaded = read_documents(str(path), "mail")
    assert texts(loaded) == ["good", "caf\ufffd", "[" * 20]
    places = {f.place: f.reason for f in loaded.faults}
    assert list(places) == ["line 2", "line 3", "line 5", "line 6", "line 7", "line 10"]
    assert "not JSON" in places["line 2"]
    assert places["line 3"] == "the text is empty"
    assert "holds int, not text" in places["line 5"]
    assert places["line 7"] == "the column 'text' is missing"


def test_exact_duplicates_are_dropped_and_counted(tmp_path):
    source = write_lines(tmp_path / "a.jsonl", *({"text": t} for t in ("Same", " Same ", "same", "Other")))
    loaded = read_documents(source, "mail")
    assert (texts(loaded), loaded.duplicates) == (["Same", "same", "Other"], 1)


def test_csv_keeps_text_as_it_is_written(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('\ufeffid;Message;n\n007;"two\nlines; one cell";1\n8;NA;2\n9;a;b;c;d\n10;42;3\n', encoding="utf-8")
    loaded = read_documents(str(path), "mail", keep=["n"])
    assert texts(loaded) == ["two\nlines; one cell", "NA", "42"]
    assert [d.external_id for d in loaded.documents] == ["007", "8", "10"]
    assert [(f.place, f.reason) for f in loaded.faults] == [("line 5", "5 cells, the header has 3")]


def test_parquet_is_read(tmp_path):
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"doc_id": ["a", "b"], "body": ["One.", None], "score": [0.5, 0.1]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    loaded = read_documents(str(tmp_path / "a.parquet"), "mail", keep=["score"])
    assert [(d.text, d.external_id, d.metadata) for d in loaded.documents] == [("One.", "a", {"score": 0.5})]
    assert loaded.faults[0].place == "row 2"
    (tmp_path / "b.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"b\.parquet: cannot be read as Parquet"):
        read_documents(str(tmp_path / "b.parquet"), "mail")


def test_a_folder_gives_its_texts_and_pdfs_and_reports_the_unreadable(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("\ufeffPlain.", encoding="utf-8")
    (tmp_path / "deep" / "b.md").write_text("# Marked")
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (tmp_path / "d.pdf").write_bytes(b"")
    (tmp_path / "e.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "f.docx").write_bytes(b"PK")
    write_pdf(tmp_path / "scan.pdf")
    loaded = read_documents(str(tmp_path), "mail")
    assert [(d.text, d.external_id) for d in loaded.documents] == [("Plain.", "a.txt"), ("# Marked", "deep/b.md")]
    reasons = {f.place: f.reason for f in loaded.faults}
    assert set(reasons) == {"c.pdf", "d.pdf", "e.txt", "f.docx", "scan.pdf"}
    assert all("corrupt" in reasons[name] for name in ("c.pdf", "d.pdf", "f.docx"))
    assert "not UTF-8" in reasons["e.txt"]
    assert "no text" in reasons["scan.pdf"]


def write_pdf(path):
    """One empty page, as a scan looks to a reader of text."""
    import pypdfium2

    pdf = pypdfium2.PdfDocument.new()
    pdf.new_page(200, 200).close()
    pdf.save(path)
    pdf.close()


def test_the_sample_letters_are_read():
    loaded = read_documents(str(LETTERS), "legal_intake")
    assert len(loaded.documents) == len(list(LETTERS.glob("*.pdf"))) and not loaded.faults


def test_a_text_column_is_guessed_or_named_or_asked_for(tmp_path):
    only = write_lines(tmp_path / "only.jsonl", {"id": "a", "utterance": "Hello", "n": 3})
    assert texts(read_documents(only, "mail")) == ["Hello"]
    several = write_lines(tmp_path / "several.jsonl", {"question_nl": "Q", "answer_nl": "A"})
    with pytest.raises(InputError, match=r"which column holds the text.*question_nl, answer_nl"):
        read_documents(several, "mail")
    assert texts(read_documents(several, "mail", text_column="answer_nl")) == ["A"]
    with pytest.raises(InputError, match=r"no column 'answr'.*question_nl, answer_nl"):
        read_documents(several, "mail", text_column="answr")
    assert read_documents(only, "mail", id_column="n").documents[0].external_id == "3"


def test_a_limit_stops_the_reading(tmp_path):
    source = write_lines(tmp_path / "a.jsonl", *({"text": f"Number {n}"} for n in range(50)))
    assert len(read_documents(source, "mail", limit=7).documents) == 7


def test_documents_are_streamed_one_by_one_with_their_faults_in_between_and_counted_along(tmp_path):
    source = write_lines(tmp_path / "a.jsonl", {"text": "One."}, "no json", {"text": "One."}, {"text": "Two."}, "[")
    counts = Counts()
    stream = stream_documents(source, "mail", counts=counts)
    assert (next(stream).document.text, counts.documents) == ("One.", 1)
    assert [getattr(found, "place", None) for found in stream] == ["line 2", None, "line 5"]
    assert (counts.documents, counts.duplicates, counts.unreadable) == (2, 1, 2)


def test_the_memory_that_streaming_takes_does_not_grow_with_the_source(tmp_path):
    def most_bytes(rows):
        path = tmp_path / f"{rows}.jsonl"
        path.write_text("".join(json.dumps({"text": f"{n} {'x' * 2_000}"}) + "\n" for n in range(rows)))
        tracemalloc.start()
        count = sum(1 for _ in stream_documents(str(path), "mail"))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return most

    most_bytes(10)  # what is loaded once
    assert most_bytes(6_000) - most_bytes(1_000) < 5_000 * 300  # the ids alone; the texts are 10 MB


def test_a_json_file_holds_an_array_or_the_list_of_an_api(tmp_path):
    for held in ([{"text": "One."}, 7], {"object": "list", "data": [{"text": "One."}, 7]}):
        (tmp_path / "a.json").write_text(json.dumps(held))
        loaded = read_documents(str(tmp_path / "a.json"), "mail")
        assert (texts(loaded), [f.place for f in loaded.faults]) == (["One."], ["row 2"])
    for held, reason in (("7", "neither an array"), ("{", "not JSON")):
        (tmp_path / "a.json").write_text(held)
        with pytest.raises(InputError, match=reason):
            read_documents(str(tmp_path / "a.json"), "mail")


def test_an_empty_file_is_not_told_what_a_folder_is_read_for(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"empty\.jsonl: no documents in it\. Give a source that holds some\.$"):
        read_documents(str(tmp_path / "empty.jsonl"), "mail")
    with pytest.raises(InputError, match=r"folder: no documents in it\. A folder is read for \.doc"):
        read_documents(str(tmp_path / "folder"), "mail")


@pytest.mark.parametrize(
    "name", ["letters/mails", "mails", "letters/deep/mails", "letters/mails.docx", "./mails", "owner/mails.v2"]
)
def test_a_mistyped_path_is_told_as_one_and_no_hub_is_asked(tmp_path, monkeypatch, name):
    (tmp_path / "letters").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{name}: no such file or folder"):
        read_documents(name, "mail")


@pytest.mark.parametrize("name", ["missing.jsonl", "./nowhere", "a.docx", "empty.jsonl", "bad.jsonl", "folder"])
def test_a_source_without_documents_is_refused_with_the_cure(tmp_path, name):
    (tmp_path / "a.docx").write_bytes(b"PK")
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "bad.jsonl").write_text("no json\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=name.strip("./")) as caught:
        read_documents(str(tmp_path / name), "mail")
    assert len(str(caught.value).split(". ")) >= 1 and "Traceback" not in str(caught.value)


def test_text_that_a_database_cannot_keep_is_made_keepable(tmp_path):
    source = write_lines(tmp_path / "a.jsonl", '{"text": "nul \\u0000 and half \\ud800 a pair"}')
    assert texts(read_documents(source, "mail")) == ["nul   and half ? a pair"]
