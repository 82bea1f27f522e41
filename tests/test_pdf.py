"""A PDF is attached as its text, page by page; one that cannot be read, or is hostile, is refused with a reason."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from types import SimpleNamespace

import pytest

from tests.reading import until
from webchat.attachments import attachments, pdf_text
from webchat.attachments import pdf as pdf_module
from webchat.attachments.broken import Broken
from webchat.attachments.pdf import PROGRAM
from webchat.errors import InvalidInput

pypdf = pytest.importorskip("pypdf")
DependencyError = pypdf.errors.DependencyError


def pdf(*pages: str, content: bytes | None = None) -> bytes:
    """A PDF with these texts on its pages; `content` is a page's stream in place of the first text."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        shown = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        packed = content if content is not None and number == 0 else zlib.compress(shown)
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 612 792]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * number} 0 R >>".encode())
        head = f"<< /Length {len(packed)} /Filter /FlateDecode >>".encode()
        objects.append(head + b"\nstream\n" + packed + b"\nendstream")
    data, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n"
    end += f"<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + end.encode()


def locked(data: bytes, password: str) -> bytes:
    """The same, encrypted."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    into = io.BytesIO()
    writer.write(into)
    return into.getvalue()


def text_of(data: bytes) -> str:
    (file,) = attachments([("paper.pdf", data)]).files
    assert file.name == "paper.pdf"
    return file.content


def complaint(data: bytes) -> str:
    with pytest.raises(InvalidInput) as raised:
        attachments([("paper.pdf", data)])
    return str(raised.value)


def test_its_pages_are_told_apart():
    assert text_of(pdf("First words", "", "Third words")) == "[Page 1]\n\nFirst words\n\n[Page 3]\n\nThird words"


def test_the_model_and_the_page_get_its_text(client, manager, backend, page):
    data = {"message": "Sum it up", "file": (io.BytesIO(pdf("Once upon a time")), "tale.pdf")}
    assert client.post("/messages", data=data, content_type="multipart/form-data").status_code == 303
    session_id = manager.active_session_id
    until(lambda: backend.asked)
    told = "Sum it up\n\ntale.pdf:\n\n```\n[Page 1]\n\nOnce upon a time\n```"
    assert backend.asked == [(session_id, told)]
    fold = page(f"/sessions/{session_id}").soup.select_one("details.file")
    assert "tale.pdf" in fold.summary.get_text()
    assert client.get(fold.a["href"]).text == "[Page 1]\n\nOnce upon a time"


@pytest.mark.parametrize(
    ("pages", "note"),
    [
        ([400_000] * 5, "[Page 3 is cut off here. Pages 4 to 5 are left out.]"),
        ([400_000, 400_000, 400_000, 1], "[Page 3 is cut off here. Page 4 is left out.]"),
        ([400_000, 0, 600_001], "[Page 3 is cut off here.]"),
        ([1_100_000], "[Page 1 is cut off here.]"),
        ([1_100_000, 10], "[Page 1 is cut off here. Page 2 is left out.]"),
    ],
)
def test_of_many_words_the_beginning_is_kept(pages, note):
    text = text_of(pdf(*["x" * length for length in pages]))
    assert text.endswith(f"x\n\n{note}")
    assert 999_000 < len(text) < 1_001_000


def test_of_many_pages_the_first_thousand_are_read():
    text = text_of(pdf(*["x"] * 1002))
    assert text.endswith("[Page 1000]\n\nx\n\n[Pages 1001 to 1002 are left out.]")


def test_a_page_is_not_cut_inside_a_character():
    reader = SimpleNamespace(pages=[SimpleNamespace(extract_text=lambda: "é" * 600_000)])
    (page, note) = pdf_text.pages_of(reader)
    assert page == "[Page 1]\n\n" + "é" * 500_000
    assert note == "[Page 1 is cut off here.]"


@pytest.mark.parametrize(
    "error", [NotImplementedError("no such filter"), ZeroDivisionError(), DependencyError("jbig2")]
)
def test_what_no_reader_can_read_is_damaged_and_not_locked(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(pypdf.PageObject, "extract_text", fail)
    assert pdf_text.text_of(pdf("x")) == {"why": "damaged"}
    monkeypatch.setattr(pypdf.PdfReader, "decrypt", fail)
    is_cipher = isinstance(error, DependencyError)  # an encryption that needs another package
    assert pdf_text.text_of(locked(pdf("x"), "key")) == {"why": "locked" if is_cipher else "damaged"}


def test_one_that_takes_too_much_memory_is_not_called_damaged(monkeypatch):
    def fail(self):
        raise MemoryError

    monkeypatch.setattr(pypdf.PageObject, "extract_text", fail)
    with pytest.raises(MemoryError):
        pdf_text.text_of(pdf("x"))


def test_what_cannot_be_read_is_said():
    assert complaint(pdf("", "")) == "paper.pdf is a PDF without text, perhaps a scan. Send pictures of its pages."
    assert complaint(b"%PDF-1.7\nnothing") == "paper.pdf is a PDF that cannot be read: it is damaged."
    words = "paper.pdf is a PDF that is locked with a password. Send it without."
    assert complaint(locked(pdf("secret"), "key")) == words
    assert text_of(locked(pdf("open to read"), "")) == "[Page 1]\n\nopen to read"
    assert "too large: 10 MiB at most" in complaint(pdf("x") + b"%" * 10 * 2**20)


def test_without_the_library_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdf", None)
    assert complaint(pdf("x")).endswith("needs one more package on the server: pip install 'webchat[pdf]'.")


def test_one_that_unpacks_to_more_than_memory_ends_in_words():
    many = zlib.compress(b"q " * 2**20 * 200, 9)
    assert len(many) < 2**20
    said = complaint(pdf("x", content=many))
    assert said.startswith("paper.pdf is a PDF ")


def test_nobody_waits_forever_for_those_of_others():
    with pdf_module.AT_ONCE, pdf_module.AT_ONCE, pytest.raises(Broken, match="the server is reading others"):
        pdf_module.pdf_text(pdf("x"), patience=0.01)
    assert text_of(pdf("x")) == "[Page 1]\n\nx"


def test_it_is_read_by_a_process_that_is_limited():
    limits = "import resource, runpy, sys; sys.argv = ['x']\n"
    limits += f"runpy.run_path({PROGRAM[-1]!r}, run_name='__main__')\n"
    limits += "print([resource.getrlimit(what)[0] for what in (resource.RLIMIT_AS, resource.RLIMIT_CPU)])"
    run = subprocess.run([sys.executable, "-c", limits], input=pdf("x"), capture_output=True, check=True)
    assert run.stdout.decode().splitlines()[-1] == "[1073741824, 20]"


def test_a_text_that_speaks_of_one_is_a_text():
    assert attachments([("a.txt", b"The header is %PDF-1.7")]).files[0].content == "The header is %PDF-1.7"
    assert attachments([("paper.pdf", b"plain words")]).files[0].content == "plain words"
