"""The shell completes commands, options and sessions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from tests.processes import ROOT
from webchat import create_app
from webchat.backends.mock import MockBackend

TITLES = ["Kettles, and what they cost: all", "Teapots $HOME `id` 'x' \"y\""]


@pytest.fixture
def environment(home):
    """A shell's environment: the installed command requests its completion by its own name."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "AMPLIFIER_HOME": str(home)}


@pytest.fixture
def completed(environment):
    """What bash offers for a line that ends with the word being typed."""
    taught = subprocess.run(
        ["bash", "-c", "_WEBCHAT_COMPLETE=bash_source webchat"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
    ).stdout

    def complete(line: str) -> list[str]:
        words = line.split(" ")
        script = f"""
            {taught}
            COMP_WORDS=({" ".join(words[:-1])} "{words[-1]}") COMP_CWORD={len(words) - 1}
            _webchat_completion webchat
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
        )
        return done.stdout.split()

    return complete


@pytest.fixture
def titled(home):
    """Two sessions with titles that could confuse a shell, by their ids."""
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=MockBackend())
    manager = app.extensions["webchat"]
    ids = [manager.start_conversation("hello").session.session_id for _ in TITLES]
    for session_id, title in zip(ids, TITLES, strict=True):
        manager.housekeeping.rename(session_id, title)
    manager.close()
    return dict(zip(ids, TITLES, strict=True))


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed: apt-get install fish")
def test_fish_shows_descriptions_and_titles_beside(environment, titled):
    def complete(line):
        script = f"_WEBCHAT_COMPLETE=fish_source webchat | source; complete -C '{line}'"
        command = ["fish", "--no-config", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
        return dict(row.split("\t") for row in done.stdout.splitlines())

    assert complete("webchat s")["sessions"].startswith("List, show, search, rename")
    assert "--session" in complete("webchat ask --se")
    assert complete("webchat sessions show ") == titled


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed: apt-get install zsh")
def test_zsh_shows_descriptions_and_titles_beside(environment, titled):
    pytest.importorskip("pyte")
    from tests.pseudo_terminal import Typing

    typing = Typing(["zsh", "-f"], columns=160, **environment | {"PS1": "% ", "LISTMAX": "100"})
    typing.says('autoload -U compinit; compinit -D -u; eval "$(_WEBCHAT_COMPLETE=zsh_source webchat)"; echo re""ady')
    typing.until("ready")
    typing.types("webchat s\t")
    typing.until("webchat se")
    typing.types("\t")
    typing.until("serve", "Serve the chat on this machine.", "List, show, search, rename")
    typing.types("ss\t")
    typing.until("webchat sessions")
    typing.types("show \t")
    typing.until("webchat sessions show mock-session-")
    typing.types("\t")
    for session_id, title in titled.items():
        typing.until(session_id, title)
    first = next(iter(titled))
    typed = len([*takewhile(lambda characters: len({*characters}) == 1, zip(*titled, strict=False))])  # by the shell
    typing.types(f"{first[typed : typed + 12]}\t")
    typing.until(f"webchat sessions show {first}")
    typing.close()


def test_commands_and_options_are_completed(completed):
    assert completed("webchat s") == ["serve", "sessions"]
    assert {"ask", "chat", "serve", "sessions", "people"} <= {*completed("webchat ")}
    assert {"list", "show", "restore"} <= {*completed("webchat sessions ")}
    assert completed("webchat ask --se") == ["--session"]
    assert completed("webchat serve --max-st") == ["--max-streams", "--max-streams-per-client"]


def test_sessions_are_completed_by_their_ids(completed, home):
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=MockBackend())
    manager = app.extensions["webchat"]
    ids = [manager.start_conversation(text).session.session_id for text in ("about kettles", "about teapots")]
    manager.housekeeping.delete(ids[1:])
    manager.close()
    assert completed("webchat sessions show ") == [ids[0]]
    assert completed(f"webchat ask --session {ids[0][:15]}") == [ids[0]]
    assert completed(f"webchat export --format md {ids[0][:15]}") == [ids[0]]
    assert completed("webchat sessions restore ") == [ids[1]]
    short = ids[0].removeprefix("mock-session-")
    assert completed(f"webchat sessions show {short[:4]}") == [short]
    assert completed("webchat sessions show session") == []


@pytest.mark.files
def test_sessions_of_another_folder_are_not_completed(completed, home):
    app = create_app({"AMPLIFIER_HOME": str(home)}, backend=MockBackend())
    app.extensions["webchat"].start_conversation("about kettles")
    app.extensions["webchat"].close()
    assert completed(f"webchat sessions show --home {home}/elsewhere ") == []
