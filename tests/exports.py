"""Exports in other programs' published formats, written by hand."""

from __future__ import annotations

from typing import Any


def chatgpt_node(key: str, parent: str | None, role: str = "", text: Any = "", **more: Any) -> dict[str, Any]:
    message = None
    if role:
        parts = text if isinstance(text, list) else [text]
        message = {
            "id": key,
            "author": {"role": role},
            "create_time": 1_700_000_000.25,
            "metadata": {},
            "recipient": "all",
        }
        message["content"] = {"content_type": "text", "parts": parts}
        message |= more
    return {"id": key, "message": message, "parent": parent}


CHATGPT = [
    {
        "title": "Tea and coffee",
        "create_time": 1_700_000_000.5,
        "conversation_id": "conv-1",
        "current_node": "a2",
        "mapping": {
            node["id"]: node
            for node in (
                chatgpt_node("root", None),
                chatgpt_node("sys", "root", "system", ""),
                chatgpt_node("q1", "sys", "user", "Which tea?"),
                chatgpt_node("a1", "q1", "assistant", "Green.", metadata={"model_slug": "gpt-4"}),
                chatgpt_node("a2", "q1", "assistant", ["Black,", {"content_type": "image_asset_pointer"}, "or white."]),
                chatgpt_node("tool", "a1", "tool", "searching"),
                chatgpt_node("a3", "tool", "assistant", "After a search: green."),
                chatgpt_node("hidden", "a1", "user", "x", metadata={"is_visually_hidden_from_conversation": True}),
            )
        },
    },
    {
        "title": None,
        "create_time": None,
        "id": "conv-2",
        "mapping": {"a": chatgpt_node("a", "gone", "user", "No title here\nand a second line")},
    },
]
CLAUDE = [
    {
        "uuid": "c-1",
        "name": "A plan",
        "created_at": "2026-03-01T10:00:00.000000Z",
        "chat_messages": [
            {"uuid": "m1", "sender": "human", "text": "Plan it", "content": [], "created_at": "2026-03-01T10:00:01Z"},
            {
                "uuid": "m2",
                "sender": "assistant",
                "text": "",
                "content": [
                    {"type": "text", "text": "First."},
                    {"type": "tool"},
                    {"type": "text", "text": "Then."},
                ],
                "created_at": "2026-03-01T10:00:02Z",
            },
            {"uuid": "m3", "sender": "human", "text": "Other plan", "parent_message_uuid": "m2"},
            {"uuid": "m4", "sender": "human", "text": "Better plan", "parent_message_uuid": "m2"},
        ],
    }
]
OPEN_WEBUI = [
    {
        "id": "w-1",
        "title": "Web",
        "created_at": 1_700_000_000,
        "chat": {
            "history": {
                "currentId": "n2",
                "messages": {
                    "n1": {
                        "parentId": None,
                        "childrenIds": ["n2", "n3"],
                        "role": "user",
                        "content": "Hi",
                        "timestamp": 1,
                    },
                    "n2": {
                        "parentId": "n1",
                        "role": "assistant",
                        "content": "Hello",
                        "timestamp": 2,
                        "model": "llama3",
                    },
                    "n3": {"parentId": "n1", "role": "assistant", "content": "Hey", "timestamp": 3},
                },
            }
        },
    }
]
