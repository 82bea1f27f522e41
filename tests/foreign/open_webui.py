"""Open WebUI 0.12: output items, older blocks in the text, lists as content, errors, files and sources."""

from __future__ import annotations

import html
import json
from typing import Any

ARGUMENTS = html.escape(json.dumps(json.dumps({"q": "tea"})))
RESULT = html.escape(json.dumps("Tea & <leaf>"))
OLDER = f"""<details type="reasoning" done="true" duration="5">
<summary>Thought for 5 seconds</summary>
&gt; It &lt;may&gt; be
&gt; tea.
</details>
Let me look.

<details type="tool_calls" done="true" id="call_1" name="search" arguments="{ARGUMENTS}" result="{RESULT}" files="">
<summary>Tool Executed</summary>
</details>

<details type="code_interpreter" done="true" output="{html.escape(json.dumps({"stdout": "3"}))}">
<summary>Analyzed</summary>
```python
1 + 2
```
</details>
It is **tea** [1]."""
OUTPUT = [
    {
        "type": "reasoning",
        "id": "r",
        "status": "completed",
        "summary": [],
        "content": [{"type": "output_text", "text": "Hm."}],
    },
    {
        "type": "function_call",
        "call_id": "call_9",
        "name": "weather",
        "arguments": '{"city": "Rome"}',
        "status": "completed",
    },
    {"type": "function_call_output", "call_id": "call_9", "output": [{"type": "input_text", "text": "Sunny"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It is sunny."}]},
]
FILE = {
    "type": "file",
    "name": "notes.md",
    "file": {"id": "f", "filename": "notes.md", "data": {"content": "# Notes\n"}},
}
SOURCES = [
    {"source": {"name": "Tea page", "url": "https://tea.example"}, "document": ["…"], "metadata": [{"source": "x"}]},
    {"source": {"name": "notes.md"}, "document": ["…"], "metadata": [{"name": "notes.md"}]},
]


def said(key: str, parent: str | None, role: str, content: Any, **more: Any) -> dict[str, Any]:
    message = {"id": key, "parentId": parent, "childrenIds": [], "role": role, "content": content}
    return message | {"timestamp": 1_780_000_000} | more


MESSAGES = [
    said("u1", None, "user", [{"type": "text", "text": "Tea?"}, {"type": "image_url", "image_url": {"url": "data:"}}]),
    said("a1", "u1", "assistant", OLDER, model="qwen3", done=True, sources=SOURCES),
    said("u2", "a1", "user", "And the weather?", files=[FILE, {"type": "image", "url": "data:image/png;base64,aGk="}]),
    said("a2", "u2", "assistant", "", model="qwen3", output=OUTPUT),
    said("u3", "a2", "user", "Again"),
    said("a3", "u3", "assistant", "", error={"content": "Model not found"}),
]
CHAT = {
    "id": "w-tea",
    "user_id": "me",
    "title": "Tea",
    "pinned": True,
    "archived": True,
    "created_at": 1_780_000_000,
    "updated_at": 1_780_000_001,
    "chat": {
        "title": "Tea",
        "models": ["qwen3"],
        "params": {"system": "Be brief."},
        "history": {"currentId": "a3", "messages": {message["id"]: message for message in MESSAGES}},
        "messages": MESSAGES,
    },
}
FLAT = {
    "title": "Flat",
    "chat": {
        "title": "Flat",
        "messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}],
    },
}
BARE = {"title": "Bare", "models": [], "history": {"messages": {"m": said("m", None, "user", "only me")}}}
EXPORT = [CHAT, FLAT]
