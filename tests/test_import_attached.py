"""A file whose text is not in an export is named in its message, whichever program exported it."""

from __future__ import annotations

import io
import json

import pytest

from tests.foreign import open_webui
from tests.foreign.others import LM_STUDIO, lines
from tests.foreign.others import llama as llama_message


@pytest.fixture
def said(manager):
    def said(data):
        (session_id,) = manager.archive.bring_in(io.BytesIO(data)).imported
        return [message.content for message in manager.conversation(session_id).messages]

    return said


def of_open_webui():
    files = [
        {"type": "file", "name": "a.pdf", "file": {"filename": "a.pdf", "data": {}}},
        {"type": "collection", "id": "k", "name": "b.pdf"},
    ]
    asked = open_webui.said("u", None, "user", "See", files=files)
    answer = open_webui.said("a", "u", "assistant", "Seen", files=[{"type": "file", "name": "c.pdf"}])
    return [{"id": "w", "chat": {"history": {"currentId": "a", "messages": {"u": asked, "a": answer}}}}]


def of_plain_messages():
    asked = [
        {"type": "text", "text": "See"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:"}},
        {"type": "input_file", "filename": "b.pdf"},
    ]
    answer = [{"type": "text", "text": "Seen"}, {"type": "document", "title": "c.pdf", "source": {}}]
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


def of_hugging_face():
    asked = {"id": "1", "from": "user", "content": "See", "files": [{"type": "hash", "name": "a.pdf", "value": "0"}]}
    asked["files"].append({"type": "hash", "name": "b.pdf", "mime": "application/pdf", "value": "1"})
    answer = {"id": "2", "from": "assistant", "content": "Seen", "files": [{"type": "hash", "name": "c.pdf"}]}
    return [{"_id": "h", "messages": [asked, answer]}]


def of_librechat():
    asked = {"messageId": "1", "isCreatedByUser": True, "text": "See"}
    asked["files"] = [{"filename": "a.pdf"}, {"filename": "b.pdf"}]
    answer = {"messageId": "2", "parentMessageId": "1", "text": "Seen", "attachments": [{"filename": "c.pdf"}]}
    return {"conversationId": "l", "messages": [asked, answer | {"files": [{"filename": "c.pdf"}]}]}


@pytest.mark.parametrize("export", [of_open_webui, of_plain_messages, of_hugging_face, of_librechat])
def test_it_is_named_in_a_line(said, export):
    asked, answer = said(json.dumps(export()).encode())
    assert asked == "See\n\n[file: a.pdf]\n\n[file: b.pdf]"
    assert answer == "Seen\n\n[file: c.pdf]"


def test_llm_names_it_by_its_path_or_address(said):
    row = {"id": "r", "conversation_id": "c", "prompt": "See", "response": "Seen", "datetime_utc": "2026-10-01"}
    attached = [
        {"id": "0", "type": "image/png", "path": "/home/me/cat.png", "url": None},
        {"id": "1", "type": "application/pdf", "path": None, "url": "https://x.example/y.pdf"},
        {"id": "2", "type": "image/png", "path": None, "url": None},
    ]
    asked, _ = said(json.dumps([row | {"attachments": attached}]).encode())
    assert asked == "See\n\n[picture: cat.png]\n\n[file: y.pdf]\n\n[picture]"


def test_each_is_named_once(said):
    assert said(json.dumps(LM_STUDIO).encode())[0].count("a.pdf") == 1
    extra = [{"type": "PDF", "name": "a.pdf", "content": "", "base64Data": "AA=="}]
    asked = llama_message("q", None, "user", "See", extra=extra)
    head = {"harness": "llama.app", "type": "session", "id": "l", "name": "L"}
    assert said(lines(head, asked)) == ["See\n\n[file: a.pdf]"]
