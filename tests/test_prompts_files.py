"""Files as strangers send them: every PDF and Word file has an outcome, none crashes, hangs or fills the memory."""

import os
import random
import signal
import time

import pytest
from made_files import docx, encrypted_pdf, nested_pdf, paragraph, pdf_of

from prompts.pdf import PdfReader
from prompts.sources import Counts, read_documents, stream_documents
from prompts.word import word_text
from records.errors import InputError


@pytest.fixture
def pdfs():
    with PdfReader() as reader:
        yield reader


def reason(path, content, pdfs):
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        pdfs.text(path)
    return str(caught.value)


# --- PDF


def test_a_pdf_of_500_pages_is_read_to_its_last_page(tmp_path, pdfs):
    (tmp_path / "a.pdf").write_bytes(pdf_of([f"This is page {n}." for n in range(1, 501)]))
    text = pdfs.text(tmp_path / "a.pdf")
    assert text.startswith("This is page 1.") and text.endswith("This is page 500.")
    assert len(text.splitlines()) == 500


def test_every_pdf_that_cannot_be_read_says_why(tmp_path, pdfs):
    sound = pdf_of(["Some text."])
    assert reason(tmp_path / "a.pdf", encrypted_pdf(), pdfs) == "the PDF is encrypted"
    assert "corrupt" in reason(tmp_path / "a.pdf", b"%PDF-1.7\nnothing", pdfs)
    assert "corrupt" in reason(tmp_path / "a.pdf", b"", pdfs)
    assert "no text" in reason(tmp_path / "a.pdf", pdf_of([""]), pdfs)
    assert "2 of the PDF's 3 pages are pictures" in reason(tmp_path / "a.pdf", pdf_of(["Cover.", "", ""]), pdfs)
    assert "2001 pages; at most 2000" in reason(tmp_path / "a.pdf", pdf_of(["x"] * 2_001), pdfs)
    (tmp_path / "a.pdf").write_bytes(sound)
    assert pdfs.text(tmp_path / "a.pdf") == "Some text."


def test_a_page_that_is_a_picture_does_not_hide_the_text_of_the_others(tmp_path, pdfs):
    (tmp_path / "a.pdf").write_bytes(pdf_of(["First.", "", "Last."]))
    assert pdfs.text(tmp_path / "a.pdf").split() == ["First.", "Last."]


def test_a_pdf_that_would_be_drawn_for_years_is_given_up_and_the_next_one_is_read(tmp_path):
    (tmp_path / "good.pdf").write_bytes(pdf_of(["Some text."]))
    with PdfReader(seconds=1) as pdfs:
        began = time.monotonic()
        assert (
            reason(tmp_path / "a.pdf", nested_pdf(levels=12, times=10), pdfs) == "the PDF takes more than 1 s to read"
        )
        assert time.monotonic() - began < 20
        assert pdfs.text(tmp_path / "good.pdf") == "Some text."


def test_a_pdf_that_kills_its_reader_is_a_fault_and_the_next_one_is_read(tmp_path):
    (tmp_path / "good.pdf").write_bytes(pdf_of(["Some text."]))
    with PdfReader() as pdfs:
        assert pdfs.text(tmp_path / "good.pdf") == "Some text."
        os.kill(pdfs.process_id, signal.SIGSEGV)
        assert "crashes its reader" in reason(tmp_path / "a.pdf", pdf_of(["Some text."]), pdfs)
        assert pdfs.text(tmp_path / "good.pdf") == "Some text."


def test_a_pdf_that_wants_more_memory_than_there_is_for_it_is_a_fault(tmp_path):
    with PdfReader(memory=8 * 2**20) as pdfs:  # less than PDFium itself takes
        assert "memory" in reason(tmp_path / "a.pdf", pdf_of(["Some text."]), pdfs)


def test_damaged_pdfs_have_an_outcome_each(tmp_path, pdfs):
    sound, chance = pdf_of(["One.", "", "Three."]), random.Random(3)
    for n in range(150):
        damaged = bytearray(sound)
        for _ in range(chance.randint(1, 30)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / f"{n}.pdf").write_bytes(damaged[: chance.randrange(len(damaged))] if n % 3 == 0 else damaged)
    counts = Counts()
    assert sum(1 for _ in stream_documents(str(tmp_path), "mail", counts=counts)) + counts.duplicates == 150
    assert counts.documents and counts.unreadable


# --- Word


def test_word_gives_paragraphs_and_tables_in_their_order_and_no_headers(tmp_path):
    row = "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>"
    table = f"<w:tbl>{row.format(paragraph('Rent'), paragraph('900') + paragraph('euro'))}</w:tbl>"
    tabs = '<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t></w:r></w:p>'
    (tmp_path / "a.docx").write_bytes(docx(paragraph("Lease") + table + tabs + paragraph("Signed &amp; sealed")))
    assert word_text(tmp_path / "a.docx") == "Lease\nRent\t900 euro\na\tb\nSigned & sealed"


def test_word_gives_what_was_inserted_and_filled_in_and_not_what_was_deleted(tmp_path):
    run = "<w:r><w:t>{}</w:t></w:r>"
    changed = f"<w:ins>{run.format('two years')}</w:ins><w:del><w:r><w:delText>a year</w:delText></w:r></w:del>"
    moved = f"<w:moveFrom>{run.format('gone')}</w:moveFrom>"
    field = f"<w:sdt><w:sdtPr/><w:sdtContent>{run.format('Anna')}</w:sdtContent></w:sdt>"
    block = f"<w:sdt><w:sdtContent>{paragraph('A whole block.')}</w:sdtContent></w:sdt>"
    body = f"<w:p>{run.format('For ')}{changed}{moved}{run.format(' to ')}{field}</w:p>{block}"
    (tmp_path / "a.docx").write_bytes(docx(body, target="word/document2.xml"))
    assert word_text(tmp_path / "a.docx") == "For two years to Anna\nA whole block."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK", "corrupt"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "encrypted, or an old .doc"),
        (docx(""), "holds no text"),
        (docx(paragraph("x"))[:-40], "corrupt"),
        (docx(paragraph("x"), before='<!DOCTYPE a [<!ENTITY b "bb">]>'), "document type"),
        (docx("<w:p>" * 10), "corrupt"),
        (docx(paragraph("x" * 5_000_001)), "more than 5000000 characters"),
        (docx("<w:p/>" * 1_000_001), "more than 1000000 elements"),
        (docx("", before=f"<!--{'x' * 64_000_000}-->"), "unpacks to more than 64000000 bytes"),
    ],
    ids=["cut", "old", "empty", "no directory", "entities", "not closed", "long", "many", "bomb"],
)
def test_every_word_file_that_cannot_be_read_says_why(tmp_path, content, reason):
    (tmp_path / "a.docx").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        word_text(tmp_path / "a.docx")


# --- folders


def test_files_of_other_types_are_counted_by_type_and_those_that_ought_to_be_read_are_faults(tmp_path):
    for name in ("a.txt", "b.xlsx", "c.XLSX", "d.jpg", "e.doc", "f.rtf", "g", ".hidden", "~$a.docx"):
        (tmp_path / name).write_text(f"This is {name}.")
    (tmp_path / "h.docx").write_bytes(docx(paragraph("A letter.")))
    loaded = read_documents(str(tmp_path), "mail")
    assert [d.text for d in loaded.documents] == ["This is a.txt.", "A letter."]
    assert loaded.left_out == {".xlsx": 2, ".jpg": 1, "without a type": 1, "hidden files": 2}
    assert [(f.place, "save it as .docx" in f.reason) for f in loaded.faults] == [("e.doc", True), ("f.rtf", True)]


def test_a_folder_of_other_things_says_what_is_in_it(tmp_path):
    (tmp_path / "a.xlsx").write_text("")
    with pytest.raises(
        InputError, match=r"no documents in it \(1 of other kinds left out: 1 \.xlsx\)\. A folder is read"
    ):
        read_documents(str(tmp_path), "mail")


def test_one_file_is_a_source_too(tmp_path):
    (tmp_path / "a.docx").write_bytes(docx(paragraph("A letter.")))
    (tmp_path / "b.pdf").write_bytes(pdf_of(["Another."]))
    for name, text in (("a.docx", "A letter."), ("b.pdf", "Another.")):
        assert [d.text for d in read_documents(str(tmp_path / name), "mail").documents] == [text]
