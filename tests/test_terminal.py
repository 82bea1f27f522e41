"""Text from elsewhere cannot control a terminal, neither through commands' output nor through the log."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import zipfile

import pytest

from tests import test_attacks
from tests.attacks import CORPUS, ESC
from tests.processes import ROOT
from tests.reading import until
from webchat.serving.logs import HumanLines, JsonLines

ACTING = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F))]


def acts(text: str) -> list[str]:
    """The characters in a text that would affect a terminal; tab and newline do not count."""
    return [char for char in ACTING if char in text]


def webchat(*arguments: str) -> tuple[str, str]:
    """What the command prints, on standard output and on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "webchat", *arguments], capture_output=True, cwd=ROOT, timeout=60, check=False
    )
    return done.stdout.decode(), done.stderr.decode()


def test_the_check_sees_what_acts():
    assert acts("\x1b[2J")
    assert acts("\x9b2J")
    assert acts("\r")
    assert not acts("one\ttwo\nthree – 日本")


def logged(form: logging.Formatter, message: object, *arguments: object, error: Exception | None = None) -> str:
    return form.format(
        logging.LogRecord("webchat", logging.ERROR, __file__, 1, message, arguments, error and raised(error))
    )


def raised(error: Exception):
    try:
        raise error
    except type(error):
        return sys.exc_info()


@pytest.mark.parametrize("form", [HumanLines(), JsonLines()])
def test_nothing_in_the_log_acts_or_poses_as_an_entry(form):
    for attack in CORPUS:
        texts = [
            logged(form, attack),
            logged(form, "%s of %r", attack, attack),
            logged(form, "x", error=ValueError(attack)),
        ]
        for text in texts:
            assert not acts(text), attack
            assert "webchat" in text.split("\n")[0], attack
            assert all(line.startswith("    ") for line in text.split("\n")[1:]), attack


def hostile_files(folder):
    """Files to import, each with something that is reported as a problem."""
    bad = f"{ESC}]0;x\x07\u202e\x9b2J"
    files = {
        "broken.json": f'[{{"title": "{bad}", {bad}'.encode(),
        "unknown.json": json.dumps([{"title": bad}]).encode(),
        "cut.jsonl": test_attacks.as_titles()[:-30],
        f"{ESC}[31m\rname.json": b"{",
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(f"{bad}/conversations.json", f"[{bad}")
    for name, data in (files | {"all.zip": archive.getvalue()}).items():
        (folder / name).write_bytes(data)
        yield folder / name


def test_an_import_tells_its_problems_without_acting(tmp_path, home):
    for file in hostile_files(tmp_path):
        output, errors = webchat("import", "--home", str(home), str(file))
        assert errors.count("\n") >= 1, file
        assert not acts(output + errors), file


def test_an_error_names_what_was_asked_for_without_acting(home):
    _, errors = webchat("export", "--home", str(home), f"{ESC}[2J\r\u202e")
    assert "not found" in errors
    assert not acts(errors)


def test_a_folder_is_named_without_acting(tmp_path, serve):
    server = serve("--backend", "mock", "--home", str(tmp_path / f"{ESC}[2Jhome"))
    until(lambda: len(server.output) > 1)
    server.terminate()
    assert "home" in "".join(server.output)
    assert not acts("".join(server.output + server.errors))
