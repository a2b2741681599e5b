"""Small PDF and Word files, made by hand for tests."""

from __future__ import annotations

from pathlib import Path

import docx
from docx.enum.text import WD_BREAK


def pdf(path: Path, *pages: str) -> Path:
    """One line of Latin text on each page; "" is a page without text."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    font = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    for text in pages:
        words = text.replace("(", r"\(").replace(")", r"\)")
        drawn = f"BT /F1 12 Tf 72 700 Td ({words}) Tj ET".encode() if text else b""
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]"
            b" /Resources %s /Contents %d 0 R >>" % (font, len(objects) + 2)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
    listed = " ".join(kids).encode()
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (listed, len(kids))
    whole, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    path.write_bytes(whole + head + table + end % (len(objects) + 1, len(whole)))
    return path


def word(path: Path) -> Path:
    """A heading, a list, a table and a second page."""
    made = docx.Document()
    made.add_heading("Minutes", level=1)
    made.add_paragraph("The meeting is on Tuesday.")
    made.add_paragraph("Bring the plans", style="List Bullet")
    table = made.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Boats", "12"
    made.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    made.add_paragraph("On the second page.")
    made.save(str(path))
    return path
