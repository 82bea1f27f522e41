"""Files in UTF-16, as PowerShell writes what a program prints, are imported like others."""

from __future__ import annotations

import codecs
import io
import json
import zipfile

import pytest

from tests.foreign import claude
from webchat.archive.export import refuse

ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
TALK = [{"role": "user", "content": "Grüße, 京 😀"}, {"role": "assistant", "content": "Hello"}]


def said(manager):
    (session,) = manager.list_sessions()
    return [message.content for message in manager.conversation(session.session_id).messages]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TALK, ensure_ascii=False),
        "".join(f"{json.dumps(row)}\r\n" for row in TALK),
        f"\r\n {json.dumps(TALK, ensure_ascii=False, indent=2)}",
    ],
    ids=["list", "lines", "blanks"],
)
def test_json_in_another_encoding_is_read(manager, encoding, text):
    report = manager.archive.bring_in(io.BytesIO(text.encode(encoding)))
    assert (len(report.imported), report.problems) == (1, [])
    assert said(manager) == ["Grüße, 京 😀", "Hello"]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_what_is_not_json_is_read_too(manager, mark):
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    table = "Conversation,Time,Author,Message\r\nTea,2026-01-01T00:00:00,Human,Hi 😀\r\n"
    assert manager.archive.bring_in(io.BytesIO(mark + table.encode(encoding))).problems == []
    assert said(manager) == ["Hi 😀"]


def test_a_file_in_a_zip_and_our_own_export_are_read_too(manager):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("conversations.json", json.dumps(claude.EXPORT).encode("utf-16"))
    report = manager.archive.bring_in(data)
    assert (bool(report.imported), report.problems) == (True, [])
    ours = b"".join(manager.archive.export(manager.list_sessions(), refuse))
    again = manager.archive.bring_in(io.BytesIO(ours.decode().encode("utf-16")))
    assert (again.known, again.problems) == (len(manager.list_sessions()), [])


def test_one_that_is_damaged_is_told(manager):
    report = manager.archive.bring_in(io.BytesIO(json.dumps(TALK).encode("utf-16")[:-31]))
    assert len(report.problems) == 1
    assert "damaged" in report.problems[0]
