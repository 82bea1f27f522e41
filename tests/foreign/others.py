"""Exports of programs that need one file each, in their real formats."""

from __future__ import annotations

import json
from typing import Any


def lines(*values: Any) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def llama(key: str, parent: str | None, role: str, content: str, **more: Any) -> dict[str, Any]:
    message = {"convId": "l-1", "id": key, "parent": parent, "children": [], "role": role, "content": content}
    return {"type": "message", "message": message | {"type": "text", "timestamp": 1_780_000_000_000} | more}


LLAMA_CPP = [
    {"harness": "llama.app", "type": "session", "id": "l-1", "name": "Llamas", "lastModified": 1, "currNode": "a2"}
    | {"pinned": True, "cwd": "/srv/llamas"},
    llama("root", None, "system", "", type="root"),
    llama("s1", "root", "system", "Be a llama."),
    llama("q1", "s1", "user", "Wool?", extra=[{"type": "TEXT", "name": "wool.txt", "content": "soft"}]),
    llama("a1", "q1", "assistant", "Yes.", model="qwen"),
    llama(
        "a2",
        "q1",
        "assistant",
        "",
        reasoningContent="Hm, wool.",
        toolCalls=json.dumps([{"id": "t1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}]),
    ),
    llama("t1", "a2", "tool", "found", toolCallId="t1"),
    llama("a3", "t1", "assistant", "Lots."),
    {"harness": "llama.app", "type": "session", "id": "l-2", "name": "Second", "lastModified": 1, "currNode": "b"},
    llama("b", None, "user", "Hi", extra=[{"type": "IMAGE", "name": "a.png", "base64Url": "data:"}]),
]
LLAMA_CPP_OLDER = {
    "conv": {"id": "l-3", "name": "Old", "currNode": "x"},
    "messages": [llama("x", None, "user", "Old one")["message"]],
}


def fragment(key: str, parent: str, *fragments: tuple[str, str], **more: Any) -> dict[str, Any]:
    message = {"model": "deepseek-chat", "inserted_at": "2026-10-01T10:00:00+08:00", "files": []}
    message |= {"fragments": [{"type": kind, "content": content} for kind, content in fragments]} | more
    return {"id": key, "parent": parent, "children": [], "message": message}


FOUND = {"url": "https://sea.example", "title": "Sea", "cite_index": 3}
DEEPSEEK_CITED = [
    {
        "id": "d-2",
        "title": "Cited",
        "inserted_at": "2026-10-01T10:00:00.000000+08:00",
        "mapping": {
            "root": {"id": "root", "parent": None, "children": ["1"], "message": None},
            "1": fragment("1", "root", ("REQUEST", "How deep?")) | {"children": ["2"]},
            "2": fragment(
                "2",
                "1",
                fragments=[
                    {"type": "SEARCH", "content": "sea depth", "results": [FOUND]},
                    {"type": "RESPONSE", "content": "Very [citation:3], or not [citation:9]."},
                ],
            ),
        },
    }
]
DEEPSEEK = [
    {
        "id": "d-1",
        "title": "Depth",
        "inserted_at": "2026-10-01T10:00:00.000000+08:00",
        "updated_at": "2026-10-01T10:01:00.000000+08:00",
        "mapping": {
            "root": {"id": "root", "parent": None, "children": ["1"], "message": None},
            "1": fragment("1", "root", ("REQUEST", "How deep?"), files=[{"file_name": "sea.pdf"}])
            | {"children": ["2", "3"]},
            "2": fragment("2", "1", ("RESPONSE", "Old answer")),
            "3": fragment("3", "1", ("THINK", "The sea."), ("SEARCH", "sea depth"), ("RESPONSE", "Very.")),
        },
    }
]


def code(kind: str, key: str, parent: str | None, message: dict[str, Any], **more: Any) -> dict[str, Any]:
    line = {"type": kind, "uuid": key, "parentUuid": parent, "sessionId": "cc-1", "isSidechain": False, "cwd": "/src"}
    return line | {"timestamp": "2026-10-01T10:00:00.000Z", "message": message} | more


USE = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "Edit",
    "input": {"file_path": "a.py", "old_string": "1", "new_string": "2"},
}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "edited"}]}
CLAUDE_CODE = [
    {"type": "file-history-snapshot", "messageId": "x", "snapshot": {}, "isSnapshotUpdate": False},
    code("user", "u0", None, {"role": "user", "content": "Caveat: hidden"}, isMeta=True),
    code("user", "u1", "u0", {"role": "user", "content": "<command-name>/clear</command-name>"}),
    code("user", "u2", "u1", {"role": "user", "content": "Change it"}),
    code(
        "assistant",
        "a1",
        "u2",
        {
            "id": "msg_1",
            "role": "assistant",
            "model": "claude-opus",
            "content": [{"type": "thinking", "thinking": "Two."}],
        },
    ),
    code(
        "assistant",
        "a2",
        "a1",
        {
            "id": "msg_1",
            "role": "assistant",
            "model": "claude-opus",
            "content": [{"type": "text", "text": "Changing."}],
        },
    ),
    code("assistant", "a3", "a2", {"id": "msg_1", "role": "assistant", "model": "claude-opus", "content": [USE]}),
    code("user", "r1", "a3", {"role": "user", "content": [RESULT]}, toolUseResult={}),
    code("user", "side", None, {"role": "user", "content": "For a subagent"}, isSidechain=True),
    code(
        "assistant",
        "a4",
        "r1",
        {"id": "msg_2", "role": "assistant", "model": "claude-opus", "content": [{"type": "text", "text": "Done."}]},
    ),
    {"type": "ai-title", "aiTitle": "Change a number", "sessionId": "cc-1"},
    {"type": "custom-title", "customTitle": "My change", "sessionId": "cc-1"},
]


def codex(kind: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": "2026-10-01T10:00:00.000Z", "type": kind, "payload": payload}


CODEX = [
    codex("session_meta", id="cx-1", cwd="/src", timestamp="2026-10-01T09:59:00Z", cli_version="0.99"),
    codex(
        "response_item", type="message", role="user", content=[{"type": "input_text", "text": "<environment_context>"}]
    ),
    codex("turn_context", model="gpt-5-codex", cwd="/src"),
    codex("response_item", type="message", role="user", content=[{"type": "input_text", "text": "List files"}]),
    codex("event_msg", type="user_message", message="List files", images=[]),
    codex("event_msg", type="agent_message", message="Listing."),
    codex("response_item", type="reasoning", summary=[{"type": "summary_text", "text": "ls"}], encrypted_content="x"),
    codex("response_item", type="function_call", name="shell", arguments='{"command": ["ls", "-l"]}', call_id="c1"),
    codex(
        "response_item",
        type="function_call_output",
        call_id="c1",
        output='{"output": "a.py", "metadata": {"exit_code": 1}}',
    ),
    codex("response_item", type="message", role="assistant", content=[{"type": "output_text", "text": "One file."}]),
    codex("event_msg", type="token_count", info=None),
]
GROK = {
    "conversations": [
        {
            "conversation": {"id": "g-1", "title": "Stars", "create_time": "2026-10-01T10:00:00Z", "starred": True},
            "responses": [
                {
                    "response": {
                        "_id": "r1",
                        "sender": "human",
                        "message": "Which?",
                        "create_time": {"$date": {"$numberLong": "1780000000000"}},
                    }
                },
                {
                    "response": {
                        "_id": "r2",
                        "sender": "ASSISTANT",
                        "message": "Sirius.",
                        "model": "grok-5",
                        "parent_response_id": "r1",
                        "thinking_trace": "Bright.",
                        "web_search_results": [{"title": "Sirius", "url": "https://stars.example"}],
                    }
                },
            ],
        }
    ],
    "projects": [],
    "tasks": [],
}
RENDERED = (
    '<grok:render card_id="c1" card_type="citation_card" type="render_inline_citation">\n'
    '<argument name="citation_id">1</argument>\n</grok:render>'
)
GROK_MARKED = {
    "conversation": {"id": "g-2", "title": "Marks"},
    "responses": [
        {"response": {"_id": "m1", "sender": "human", "message": "Wet?", "file_attachments": ["0f-1"]}},
        {
            "response": {
                "_id": "m2",
                "sender": "assistant",
                "message": f"It rains.{RENDERED}{RENDERED.replace('c1', 'c9')} Then:\n\n"
                '<xaiArtifact artifact_id="1" artifact_version_id="2" title="rain.py" contentType="text/python">\n'
                'print(1)\n</xaiArtifact><xaiArtifact title="Notes" contentType="text/markdown"># Wet</xaiArtifact>\n\n'
                "Done.",
                "card_attachments_json": [
                    json.dumps({"id": "c1", "cardType": "citation_card", "url": "https://rain.example/a"}),
                    "{",
                ],
                "cited_web_search_results": [],
                "web_search_results": [{"title": "Rain", "url": "https://rain.example/a"}],
                "file_attachments": ["0f-2"],
            }
        },
    ],
}
LIBRECHAT = {
    "conversationId": "lc-1",
    "endpoint": "openAI",
    "title": "Libre",
    "exportAt": "now",
    "branches": True,
    "recursive": True,
    "options": {"promptPrefix": "Be free."},
    "messagesTree": [
        {
            "messageId": "m1",
            "parentMessageId": "00000000-0000-0000-0000-000000000000",
            "isCreatedByUser": True,
            "text": "Free?",
            "createdAt": "2026-10-01T10:00:00Z",
            "children": [
                {
                    "messageId": "m2",
                    "parentMessageId": "m1",
                    "isCreatedByUser": False,
                    "text": "",
                    "model": "gpt-5",
                    "content": [
                        {"type": "think", "think": "Freedom."},
                        {"type": "tool_call", "tool_call": {"id": "t", "name": "look", "args": "{}", "output": "seen"}},
                        {"type": "text", "text": {"value": "Yes."}},
                    ],
                    "children": [],
                },
                {
                    "messageId": "m3",
                    "parentMessageId": "m1",
                    "isCreatedByUser": False,
                    "text": "No luck",
                    "error": True,
                },
            ],
        }
    ],
}
HF_CHAT_UI = [
    {
        "_id": {"$oid": "64"},
        "title": "Hugs",
        "model": "org/model",
        "preprompt": "Hug.",
        "createdAt": {"$date": "2026-10-01T10:00:00Z"},
        "messages": [
            {"id": "h0", "from": "system", "content": "Hug.", "ancestors": []},
            {
                "id": "h1",
                "from": "user",
                "content": "Hug?",
                "ancestors": ["h0"],
                "files": [{"type": "base64", "name": "a.txt", "mime": "text/plain", "value": "aGk="}],
            },
            {"id": "h2", "from": "assistant", "content": "Hug.", "reasoning": "Arms.", "ancestors": ["h0", "h1"]},
            {"id": "h3", "from": "assistant", "content": "Other.", "ancestors": ["h0", "h1"]},
        ],
    }
]


def step(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "contentBlock", "content": [{"type": "text", "text": content}], **more}


LM_STUDIO = {
    "name": "Studio",
    "createdAt": 1_780_000_000_000,
    "pinned": True,
    "systemPrompt": "Paint.",
    "messages": [
        {
            "currentlySelected": 0,
            "versions": [
                {
                    "type": "singleStep",
                    "role": "user",
                    "content": [{"type": "text", "text": "Paint?"}, {"type": "file", "name": "a.pdf"}],
                }
            ],
        },
        {
            "currentlySelected": 1,
            "versions": [
                {"type": "multiStep", "role": "assistant", "steps": [step("First.")]},
                {
                    "type": "multiStep",
                    "role": "assistant",
                    "senderInfo": {"senderName": "qwen3"},
                    "steps": [
                        step("Colours.", style={"type": "thinking", "ended": True}),
                        {
                            "type": "contentBlock",
                            "content": [
                                {"type": "toolCallRequest", "callId": 7, "name": "mix", "parameters": {"a": 1}}
                            ],
                        },
                        {
                            "type": "contentBlock",
                            "content": [{"type": "toolCallResult", "toolCallRequestId": 7, "content": "green"}],
                        },
                        step("Second."),
                        {"type": "debugInfoBlock", "debugInfo": "x"},
                    ],
                },
            ],
        },
        {
            "currentlySelected": 0,
            "versions": [{"type": "singleStep", "role": "user", "content": [{"type": "text", "text": "More"}]}],
        },
    ],
}
MISTRAL = [
    {
        "id": "2",
        "chatId": "mi-1",
        "role": "assistant",
        "content": "Wind.",
        "createdAt": "2026-10-01T10:00:02Z",
        "contentChunks": None,
    },
    {
        "id": "1",
        "chatId": "mi-1",
        "role": "user",
        "content": "",
        "createdAt": "2026-10-01T10:00:01Z",
        "contentChunks": [{"type": "text", "text": "What blows?"}],
        "files": [{"name": "a.png"}],
    },
]
MISTRAL_TOOLS = [
    {"id": "1", "chatId": "mi-2", "role": "user", "content": "Search", "createdAt": "2026-10-01T10:00:01Z"}
    | {"files": [{"type": "image", "name": "a.png"}]},
    {
        "id": "2",
        "chatId": "mi-2",
        "role": "assistant",
        "content": "Let me see.Wind blows, says one. Drawn:",
        "createdAt": "2026-10-01T10:00:02Z",
        "contentChunks": [
            {"type": "text", "text": "Let me see."},
            {
                "type": "tool_call",
                "id": "t1",
                "name": "web_search",
                "publicArguments": "wind",
                "publicResult": {"results": [{"id": 1, "title": "Wind", "url": "https://wind.example"}]},
                "isDone": True,
                "success": True,
            },
            {"type": "text", "text": "Wind blows,"},
            {"type": "reference", "referenceIds": [1, 9]},
            {"type": "text", "text": " says one. Drawn:"},
            {"type": "custom_element", "id": "c"},
        ],
        "canvas": [
            {"type": "text/markdown", "title": "Summary", "content": "# Wind\n"},
            {"type": "slides", "title": "Talk", "content": "---\nmarp: true\n"},
        ],
        "files": [{"type": "image", "name": "drawn.png"}],
    },
]
LLM = [
    {
        "id": "r1",
        "conversation_id": "ll-1",
        "conversation_name": "Tea",
        "model": "m",
        "datetime_utc": "2026-10-01T10:00:00",
        "prompt": "Which tool?",
        "system": "Be brief.",
        "response": "Let me see.",
        "reasoning": "Hm.",
        "tool_calls": [{"name": "version", "arguments": {}, "tool_call_id": "c1"}],
    },
    {
        "id": "r2",
        "conversation_id": "ll-1",
        "conversation_name": "Tea",
        "model": "m",
        "datetime_utc": "2026-10-01T10:00:01",
        "prompt": "",
        "system": None,
        "response": "This one.",
        "tool_results": [{"name": "version", "output": "0.36", "tool_call_id": "c1"}],
    },
]
PLAIN = [
    {"role": "system", "content": "Be plain."},
    {
        "role": "user",
        "content": [{"type": "text", "text": "Plain?"}, {"type": "image_url", "image_url": {"url": "data:"}}],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "t", "function": {"name": "look", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "t", "content": "seen"},
    {"role": "assistant", "content": "Plain.", "reasoning_content": "Plainly."},
]


def activity(title: str, time: str, html: str, chat: str = "") -> dict[str, Any]:
    entry: dict[str, Any] = {"header": "Gemini Apps", "title": title, "time": time, "products": ["Gemini Apps"]}
    entry |= {"safeHtmlItem": [{"html": html}]} if html else {}
    return entry | ({"details": [{"name": "Chat", "url": f"https://gemini.google.com/app/{chat}"}]} if chat else {})


GEMINI = [
    activity("Eingabe: Und Tee?", "2026-10-01T10:00:02Z", "<p>Tee <b>auch</b>.</p>", "g1"),
    activity("Feedback gegeben", "2026-10-01T10:00:01Z", ""),
    activity(
        "Eingabe: Kaffee?",
        "2026-10-01T10:00:00Z",
        "<ul><li>Ja</li><li>Nein</li></ul><pre><code>x &lt; 1\n</code></pre>",
        "g1",
    ),
    activity("Eingabe: Etwas anderes", "2026-09-01T10:00:00Z", '<p>Ein <a href="https://a.example">Link</a></p>'),
]
AI_STUDIO = {
    "runSettings": {"model": "models/gemini-3-pro"},
    "systemInstruction": {"text": "Study."},
    "chunkedPrompt": {
        "chunks": [
            {"text": "Study?", "role": "user", "tokenCount": 2},
            {"driveImage": {"id": "x"}, "role": "user"},
            {"text": "Books.", "role": "model", "isThought": True},
            {"text": "Yes.", "role": "model", "finishReason": "STOP"},
        ],
        "pendingInputs": [],
    },
}
COPILOT = (
    "\ufeffConversation,Time,Author,Message\r\n"
    'Pilots,2026-10-01T10:00:02,AI,"They fly,\nhigh"\r\n'
    "Pilots,2026-10-01T10:00:01,Human,What do pilots do?\r\n"
    "Other,2026-09-01T10:00:00,Human,Hello\r\n"
).encode()
JSON = {
    "llama_cpp": LLAMA_CPP,
    "llama_cpp_older": [LLAMA_CPP_OLDER],
    "deepseek": DEEPSEEK,
    "claude_code": CLAUDE_CODE,
    "codex": CODEX,
    "grok": [*GROK["conversations"], GROK_MARKED],
    "librechat": [LIBRECHAT],
    "hf_chat_ui": HF_CHAT_UI,
    "lm_studio": [LM_STUDIO],
    "mistral": MISTRAL,
    "mistral_tools": MISTRAL_TOOLS,
    "llm": LLM,
    "plain": PLAIN,
    "gemini": GEMINI,
    "ai_studio": [AI_STUDIO],
}
"""Their values, in a list or one per line."""
