"""The examples in docs/scripting.md work as shown: each command, in order, on a real server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from webchat import create_app

PAGE = (Path(__file__).parent.parent / "docs" / "scripting.md").read_text("utf-8")
STEPS = re.findall(r"^```sh\n(.*?)^```\n```\n(.*?)^```\n(?=\n|\Z)", PAGE, re.DOTALL | re.MULTILINE)
END_OF_STEP = "-- end of step --"


def test_every_command_shows_what_comes_back():
    assert len(STEPS) == PAGE.count("```sh") >= 10


@pytest.mark.skipif(not shutil.which("curl") and not os.environ.get("CI"), reason="curl is not installed")
def test_every_command_does_what_the_page_says(serve, tmp_path):
    server = serve("--backend", "mock", "--mock-delay", "0.01", env={"WEBCHAT_MODELS": str(tmp_path / "models")})
    script = "".join(f"{commands}printf '%s\\n' '{END_OF_STEP}'\n" for commands, _ in STEPS)
    script = script.replace("localhost:8000", server.url.removeprefix("http://").rstrip("/"))
    shell = ["bash", "-u", "-o", "pipefail", "-c", script]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    said = done.stdout.split(f"{END_OF_STEP}\n")[:-1]
    assert len(said) == len(STEPS)
    for (commands, shown), output in zip(STEPS, said, strict=True):
        expected = re.escape(shown.rstrip("\n")).replace("…", ".+")
        assert re.fullmatch(expected, output.rstrip("\n")), f"{commands}\n{output}"


POSTS = re.compile(r"-X POST|-d |--data|--json|-F ")


def posted_to():
    """The paths that the page's commands post to, including each action of a loop."""
    for commands, _ in STEPS:
        actions = re.search(r"for action in (.*); do", commands)
        for part in re.split(r"[\n|]", commands):
            address = re.search(r"localhost:8000(/[^\s?'\";)]*)", part)
            if address and POSTS.search(part):
                each = actions[1].split() if actions else [""]
                yield from (address[1].replace("$action", action) for action in each)


def test_the_page_shows_every_route_that_takes_a_post(tmp_path):
    app = create_app({"AMPLIFIER_HOME": str(tmp_path), "WEBCHAT_BACKEND": "mock", "TESTING": True})
    routes = app.url_map.bind("localhost")
    shown = {routes.match(path.replace("$", ""), method="POST")[0] for path in posted_to()}
    assert shown == {rule.endpoint for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    app.extensions["webchat"].close()
