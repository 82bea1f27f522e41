"""Agents are configured by flag, variable and Flask's config, and in no other way."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import httpx
import pytest

from tests.acp import agents_in, ask, has_ended, text_of
from tests.conftest import Page
from tests.reading import until
from tests.stored import documents_of, load
from webchat import create_app
from webchat.backends.acp import AcpBackend
from webchat.backends.acp.records import Record, Records
from webchat.errors import InvalidInput
from webchat.fileutil import DiskFolder
from webchat.storage.protocols.documents import SETTINGS


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


def loaded(home, value):
    return load({"AMPLIFIER_HOME": str(home)}, {"WEBCHAT_AGENT": value})[0].agent


def test_a_variable_has_a_command_in_each_line(home):
    assert loaded(home, " opencode acp \n\nnpx -y 'a b'") == (("opencode", "acp"), ("npx", "-y", "a b"))


@pytest.mark.parametrize("value", ["opencode 'acp", "''", "opencode\n'' acp"])
def test_what_is_no_command_is_refused(home, value):
    with pytest.raises(InvalidInput, match="WEBCHAT_AGENT"):
        loaded(home, value)


def test_the_settings_file_and_the_page_name_no_agents(home):
    with documents_of(home).changing(SETTINGS) as draft:
        draft.data = json.dumps({"backend": "acp", "agent": "touch /tmp/x"}).encode()
    app = create_app({"AMPLIFIER_HOME": str(home)})
    client = app.test_client()
    assert "No agent is set" in client.get("/").text
    page = Page(client.post("/apps/settings/", data={"agent": "touch /tmp/x", "theme": "dark"}, follow_redirects=True))
    assert page.soup.select_one("[name=agent]") is None
    assert load({"AMPLIFIER_HOME": str(home)}, {})[0].agent == ()
    app.extensions["webchat"].close()


def test_an_embedded_backend_takes_commands_as_they_are_typed(agents):
    backend = agents.over([shlex.join(agents.command())])
    assert text_of(ask(backend, backend.create_session("~", "").session_id, "hello")) == "You said: hello"


@pytest.mark.parametrize("commands", [[], [""], [[]], ["opencode 'acp"]])
def test_what_is_no_command_makes_no_backend(commands):
    with pytest.raises(InvalidInput, match="An agent must be a command"):
        AcpBackend(commands)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("opencode acp", "opencode"),
        ("/usr/bin/npx -y @zed-industries/codex-acp@1.2 --debug", "codex-acp"),
        ("npx --package @zed-industries/codex-acp codex-acp", "codex-acp"),
        ("uvx --from fast-agent-mcp fast-agent acp", "fast-agent"),
        ("uv tool run mistral-vibe==2.0", "mistral-vibe"),
        ("python3.12 -m agents.mine", "agents.mine"),
        ("node /opt/agent/main.js", "main.js"),
        ("npx", "npx"),
    ],
)
def test_an_agent_is_named_by_what_its_launcher_runs(command, name):
    assert AcpBackend([command]).agents == [name]


def test_agents_of_one_name_keep_theirs_in_another_order():
    commands = ["opencode acp", "opencode acp --pure", "npx b"]
    names, others = AcpBackend(commands).agents, AcpBackend(commands[::-1]).agents
    assert len(set(names)) == 3
    assert names == others[::-1]
    assert len(set(AcpBackend(["opencode acp", "opencode acp"]).agents)) == 2


def test_a_session_finds_its_agent_by_the_name_of_earlier_versions(agents):
    records = Records(DiskFolder(agents.records))
    records.put("one", Record(f"{Path(sys.executable).name}-2", "s", "/", "", is_finished=False))
    backend = agents.over([agents.command(), agents.command("--modes")])
    backend.resume_session("one", [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
    assert text_of(ask(backend, "one", "hello")) == "You said: hello"
    assert backend.controls("one").selects, "it is the second agent"


def test_a_server_answers_with_the_agents_of_its_flags_and_ends_them(serve, agents):
    commands = [shlex.join(agents.command(*switches)) for switches in ((), ("--gemini",))]
    server = serve("--backend", "acp", "--agent", commands[0], "--agent", commands[1], "--api-key", "sk-planted-key")
    httpx.post(f"{server.url}/api/session", json={})
    answers = [httpx.post(f"{server.url}/api/chat", json={"message": text}).json() for text in ("tool", "told")]
    assert answers[0]["response"] == "I look.\n\nTwo files."
    told = json.loads(answers[1]["response"])
    assert told["prompts"] == ["tool", "told"]
    assert "WEBCHAT_HANDED_ON" not in told["environ"]
    server.terminate()
    until(lambda: has_ended(told["pid"]))


def test_a_session_chooses_among_several_agents(home, agents):
    commands = "\n".join(shlex.join(agents.command(*switches)) for switches in ((), ("--nameless",)))
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_BACKEND": "acp", "WEBCHAT_AGENT": commands})
    manager = app.extensions["webchat"]
    first, second = manager.backend.agents
    pids = []
    for name in (second, first, second):
        session = manager.create_session(str(agents.folder))
        manager.set_options(session.session_id, {"agent": name})
        message = manager.post_message(session.session_id, "told").wait()
        assert message
        told = json.loads(manager.conversation(session.session_id).last.content)
        assert told["cwd"] == str(agents.folder)
        pids.append(told["pid"])
    assert pids[0] == pids[2] != pids[1]
    app.extensions["webchat"].close()
