"""PDFs and Word files, written byte by byte: sound ones, and such as a stranger may send. Not a test itself."""

import io
import zipfile
from collections.abc import Sequence

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="{target}"/>'
    "</Relationships>"
)


def pdf(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalogue."""
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def pdf_of(pages: Sequence[str]) -> bytes:
    """A PDF with a line of ASCII text on each page; an empty one has a picture instead, as a scan has."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    dot = stream(
        b"\x80", b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8"
    )
    kids = b" ".join(b"%d 0 R" % (5 + 2 * n) for n in range(len(pages)))
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, len(pages))]
    objects += [font, dot]
    for n, text in enumerate(pages):
        shown = b"BT /F 12 Tf 10 10 Td (%b) Tj ET" % text.encode() if text else b"q 200 0 0 200 0 0 cm /I Do Q"
        has = b"/Resources << /Font << /F 3 0 R >> /XObject << /I 4 0 R >> >>"
        page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R %b >>" % (6 + 2 * n, has)
        objects += [page, stream(shown)]
    return pdf(objects)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A PDF's stream object."""
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (entries, len(content), content)


def encrypted_pdf() -> bytes:
    """A PDF that asks for a password: no password fits these keys."""
    keys = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O (%b) /U (%b) >>" % (b"o" * 32, b"u" * 32)
    empty = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>", keys]
    return pdf(empty, b"/Encrypt 3 0 R /ID [(0123456789abcdef)(0123456789abcdef)]")


def nested_pdf(levels: int, times: int) -> bytes:
    """A PDF of a few kilobytes whose one page is drawn times ** levels times over."""
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F %d 0 R >> >>"
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>"
    )
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page]
    objects += [stream(b"/F Do " * times)]
    objects += [stream(b"/F Do " * times, form % (6 + n)) for n in range(levels)]
    return pdf([*objects, stream(b"0 0 m", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]")])


def docx(
    body: str, target: str = "word/document.xml", before: str = "", compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A Word file with this body (WordprocessingML, prefix `w`); `before` stands before its root."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("_rels/.rels", _RELATIONSHIPS.format(target=target))
        part = f'<?xml version="1.0"?>{before}<w:document xmlns:w="{_W}"><w:body>{body}</w:body></w:document>'
        archive.writestr(target, part)
        archive.writestr("word/header1.xml", f'<w:hdr xmlns:w="{_W}"><w:p><w:r><w:t>HEADER</w:t></w:r></w:p></w:hdr>')
    return out.getvalue()


def paragraph(text: str) -> str:
    """A paragraph of a Word file."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
