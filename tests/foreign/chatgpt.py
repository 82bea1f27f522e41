"""ChatGPT: one conversation with a search, a drawn picture, a canvas, a spoken part and reasoning."""

from __future__ import annotations

import json
from typing import Any

CITE = "\ue200cite\ue202turn0search3\ue201"


def node(key: str, parent: str | None, role: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    message = {
        "id": key,
        "author": {"role": role, "name": more.pop("name", None), "metadata": {}},
        "create_time": 1_780_000_000.5,
        "content": content,
        "metadata": more.pop("metadata", {}),
        "recipient": more.pop("recipient", "all"),
        **more,
    }
    return {"id": key, "message": message, "parent": parent, "children": []}


def said(text: str) -> dict[str, Any]:
    return {"content_type": "text", "parts": [text]}


def picture(asset: str) -> dict[str, Any]:
    address = f"sediment://{asset}"
    return {"content_type": "image_asset_pointer", "asset_pointer": address, "width": 10, "height": 10}


PICTURE = picture("file_0001")
DRAWN = {
    "content_type": "image_asset_pointer",
    "asset_pointer": "sediment://file_0002",
    "metadata": {"dalle": {"prompt": "a red kite"}},
}
SEARCHED = {
    "content_references": [
        {
            "matched_text": CITE,
            "type": "grouped_webpages",
            "alt": None,
            "items": [{"title": "Kites [2026]", "url": "https://kites.example/a?b=1"}],
        },
        {"matched_text": " ", "type": "sources_footnote", "items": []},
    ]
}
DOCUMENT = json.dumps({"name": "kite_plan", "type": "code/python", "content": "print('kite')\n"})
CHANGED = json.dumps({"updates": [{"pattern": ".*", "multiple": True, "replacement": "print('red kite')\n"}]})
SPOKEN = [
    {"content_type": "audio_transcription", "text": "How high?", "direction": "in"},
    {"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_0003"},
    {"content_type": "real_time_user_audio_video_asset_pointer", "audio_asset_pointer": {}},
]
WRITING = ':::writing{variant="email" id="41"}\nDear kite,\n:::\nDone.'
NODES = [
    {"id": "root", "message": None, "parent": None, "children": ["sys"]},
    node("sys", "root", "system", said(""), metadata={"is_visually_hidden_from_conversation": True}),
    node(
        "ctx",
        "sys",
        "user",
        {"content_type": "user_editable_context", "user_profile": "secret", "user_instructions": ""},
    ),
    node(
        "q1",
        "ctx",
        "user",
        {"content_type": "multimodal_text", "parts": [PICTURE, "What is this?"]},
        metadata={
            "attachments": [{"id": "file_0001", "name": "kite.jpg"}, {"id": "file_0009", "name": "manual.pdf"}],
        },
    ),
    node(
        "t1",
        "q1",
        "assistant",
        {"content_type": "thoughts", "thoughts": [{"summary": "Looking", "content": "A kite?"}]},
    ),
    node("c1", "t1", "assistant", {"content_type": "code", "text": 'search("kite")'}, recipient="web.run"),
    node("r1", "c1", "tool", said("Kites are toys."), name="web.run"),
    node("r2", "r1", "tool", said(" And birds."), name="web.run"),
    node("k1", "r2", "assistant", {"content_type": "reasoning_recap", "content": "Thought for 5 seconds"}),
    node("a1", "k1", "assistant", said(f"A kite{CITE}."), metadata={**SEARCHED, "model_slug": "gpt-5"}),
    node("q2", "a1", "user", said("Draw one")),
    node("c2", "q2", "assistant", {"content_type": "code", "text": '{"size":"1x1"}'}, recipient="t2uay3k.sj1i4kz"),
    node("r3", "c2", "tool", {"content_type": "multimodal_text", "parts": [DRAWN]}, name="t2uay3k.sj1i4kz"),
    node("q3", "r3", "user", said("Plan it in a canvas")),
    node("c3", "q3", "assistant", said(DOCUMENT), recipient="canmore.create_textdoc"),
    node("r4", "c3", "tool", said("Successfully created text document"), name="canmore.create_textdoc"),
    node("a3", "r4", "assistant", said("Here it is.")),
    node("q4", "a3", "user", said("Redder")),
    node("c4", "q4", "assistant", said(CHANGED), recipient="canmore.update_textdoc"),
    node("r5", "c4", "tool", said("Successfully updated text document"), name="canmore.update_textdoc"),
    node("q5", "r5", "user", {"content_type": "multimodal_text", "parts": SPOKEN}),
    node("a5", "q5", "assistant", said(WRITING)),
]
CONVERSATION = {
    "title": "Kites",
    "create_time": 1_780_000_000.0,
    "update_time": 1_780_000_100.0,
    "conversation_id": "68a-kite",
    "current_node": "a5",
    "is_archived": True,
    "is_starred": None,
    "pinned_time": 1_780_000_050.0,
    "mapping": {node["id"]: node for node in NODES},
}
OLDER = {
    "title": "Older",
    "id": "older",
    "mapping": {
        "q": node("q", None, "user", said("Where?")),
        "a": node(
            "a",
            "q",
            "assistant",
            said('There【3†source】, see \ue200entity\ue202["city","Paris","capital"]\ue201.'),
            metadata={
                "citations": [
                    {"start_ix": 5, "end_ix": 15, "metadata": {"title": "Map", "url": "https://map.example/"}},
                    {"start_ix": -5, "end_ix": "x", "metadata": None},
                ]
            },
        ),
    },
}
EXPORT = [CONVERSATION, OLDER]
