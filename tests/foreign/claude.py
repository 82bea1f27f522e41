"""Claude: tools, thinking, artifacts and their changes, a paste, and files without content."""

from __future__ import annotations

from typing import Any

ROOT = "00000000-0000-4000-8000-000000000000"


def message(key: str, parent: str, sender: str, content: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "uuid": key,
        "text": more.pop("text", "This block is not supported on your current device yet."),
        "content": content,
        "sender": sender,
        "created_at": "2026-10-01T10:00:00.000000Z",
        "updated_at": "2026-10-01T10:00:00.000000Z",
        "attachments": more.pop("attachments", []),
        "files": more.pop("files", []),
        "parent_message_uuid": parent,
    }


def block(kind: str, **more: Any) -> dict[str, Any]:
    return {"start_timestamp": None, "stop_timestamp": None, "flags": None, "type": kind, **more}


def artifact(command: str, **more: Any) -> dict[str, Any]:
    return block("tool_use", id=None, name="artifacts", input={"id": "clock", "command": command, **more}, message="")


DONE = block(
    "tool_result", tool_use_id=None, name="artifacts", content=[{"type": "text", "text": "OK"}], is_error=False
)
FOUND = [{"type": "knowledge", "title": "Clocks", "url": "https://clocks.example", "text": "Tick."}]
MADE = artifact("create", type="application/vnd.ant.code", language="python", title="Clock", content="tick = 1\n")
CITED = [{"uuid": "x", "start_index": 0, "end_index": 5, "details": {"type": "web", "url": "https://clocks.example"}}]
CONVERSATION = {
    "uuid": "c-clock",
    "name": "A clock",
    "model": "claude-opus-5",
    "is_starred": True,
    "created_at": "2026-10-01T09:59:00.000000Z",
    "account": {"uuid": "me"},
    "chat_messages": [
        message(
            "m1",
            ROOT,
            "human",
            [],
            text="",
            attachments=[{"file_name": "", "file_size": 5, "file_type": "txt", "extracted_content": "pasted tick"}],
            files=[{"file_uuid": "1", "file_name": "photo.png"}],
        ),
        message(
            "m2",
            "m1",
            "assistant",
            [
                block("thinking", thinking="", summaries=[{"summary": "Considered clocks."}]),
                block("tool_use", id="toolu_1", name="web_search", input={"query": "clocks"}),
                block("tool_result", tool_use_id="toolu_1", name="web_search", content=FOUND, is_error=False),
                block("text", text="Clock. ", citations=CITED),
                block("injected_prompt_block", text="SYSTEM REMINDER"),
                MADE,
                DONE,
                block("text", text="Made.", citations=[]),
            ],
        ),
        message("m3", "m2", "human", [block("text", text="Faster", citations=[])], text="Faster"),
        message("m4", "m3", "assistant", [artifact("update", old_str="1", new_str="2"), DONE]),
        message("m5", "m4", "human", [block("text", text="As a file")]),
        message(
            "m6",
            "m5",
            "assistant",
            [
                block(
                    "tool_use", id="t2", name="create_file", input={"path": "/mnt/out/a.sh", "file_text": "echo hi\n"}
                ),
                block("tool_result", tool_use_id="t2", name="create_file", content="no room", is_error=True),
            ],
        ),
    ],
}
EMPTY = {"uuid": "c-empty", "name": "", "created_at": "2026-10-01T09:59:00Z", "chat_messages": []}
EXPORT = [CONVERSATION, EMPTY]
