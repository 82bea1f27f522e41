"""Imports from the real llm: its database and its JSON give the same conversation. Needs llm."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from tests.pictures import png
from tests.scripted_server import ScriptedServer, calls, says
from webchat.chat.parts import Output, Text, ToolCall

pytest.importorskip("llm", reason="llm is not installed: make test EXTRA=frameworks")


@pytest.fixture
def llm(tmp_path):
    """Runs llm with a folder of its own; its model is a scripted server."""
    with ScriptedServer() as server:
        model = {"model_id": "scripted", "model_name": "scripted", "api_base": server.url}
        model |= {"supports_tools": True, "vision": True}
        (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([model]))

        def run(*arguments, answers=()):
            server.script(*answers)
            command = [sys.executable, "-m", "llm", *arguments]
            environ = {**os.environ, "LLM_USER_PATH": str(tmp_path), "OPENAI_API_KEY": "none"}
            return subprocess.run(command, check=True, capture_output=True, text=True, env=environ, timeout=100).stdout

        yield run


@pytest.fixture
def logged(llm, tmp_path):
    """Its database and its JSON after three conversations: of two turns, with a tool, and with a picture."""
    (tmp_path / "cat.png").write_bytes(png())
    llm("-m", "scripted", "-s", "Be brief.", "What is tea?", answers=[says("Leaves.")])
    llm("-m", "scripted", "-c", "And coffee?", answers=[says("Beans.")])
    llm(
        "-m",
        "scripted",
        "-T",
        "llm_time",
        "The time?",
        answers=[calls("c1", "llm_time", {}, "Let me see."), says("Late.")],
    )
    llm("-m", "scripted", "-a", str(tmp_path / "cat.png"), "Who is it?", answers=[says("A cat.")])
    return (tmp_path / "logs.db").read_bytes(), llm("logs", "-n", "0", "--json").encode()


@pytest.mark.parametrize("first", [0, 1], ids=["database", "json"])
def test_both_come_in_as_one(manager, logged, first):
    report = manager.archive.bring_in(io.BytesIO(logged[first]))
    assert report.problems == []
    found = {manager.get_session(name).description: name for name in report.imported}
    tea, time = found["What is tea?"], found["The time?"]
    assert [message.content for message in manager.conversation(tea).messages] == [
        "What is tea?",
        "Leaves.",
        "And coffee?",
        "Beans.",
    ]
    assert manager.get_session(tea).extra["system_prompt"] == "Be brief."
    question, answer = manager.conversation(time).messages
    assert (question.content, answer.model) == ("The time?", "scripted")
    (tool,) = [part for part in answer.parts if isinstance(part, ToolCall)]
    assert (tool.title, tool.status) == ("llm_time", "done")
    assert isinstance(tool.output[0], Output)
    assert [part.text.strip() for part in answer.parts if isinstance(part, Text)] == ["Let me see.", "Late."]
    asked, _ = manager.conversation(found["Who is it?"]).messages
    assert asked.content == "Who is it?\n\n[picture: cat.png]"
    other = manager.archive.bring_in(io.BytesIO(logged[1 - first]))
    assert (other.imported, other.grown, other.known, other.problems) == ([], [], 3, [])
