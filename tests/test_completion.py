"""The shell completes commands, options and sessions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT
from webchat import create_app
from webchat.backends.mock import MockBackend


@pytest.fixture
def completed(home):
    """What bash offers for a line that ends with the word that is being written."""
    # The command as it is installed: it asks for its completion by its own name.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "AMPLIFIER_HOME": str(home)}

    def complete(line: str) -> list[str]:
        words = line.split(" ")
        script = f"""
            eval "$(_WEBCHAT_COMPLETE=bash_source webchat)"
            COMP_WORDS=({" ".join(words[:-1])} "{words[-1]}") COMP_CWORD={len(words) - 1}
            _webchat_completion webchat
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
        )
        return done.stdout.split()

    return complete


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
    assert completed("webchat sessions restore ") == [ids[1]]
    assert completed(f"webchat sessions show --home {home}/elsewhere ") == []
