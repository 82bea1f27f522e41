"""What every command does if its output cannot be written, or if it is interrupted: a sentence, or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tests.processes import ROOT
from tests.scripted import ScriptedBackend
from webchat.cli import main, program
from webchat.config import Settings
from webchat.manager import WebChatSessionManager

COMMANDS = [
    ["sessions"],
    ["sessions", "--json"],
    ["people"],
    ["export"],
    ["doctor"],
    ["people", "export", "ada", "-o", "-"],
]


@pytest.fixture
def run(home, preloaded):
    """Runs a command in a process of its own on this folder; returns its exit code and its standard error."""
    manager = WebChatSessionManager(ScriptedBackend(), Settings(home=home).storage)
    for owner in (None, "ada"):
        manager.send_message("hello", manager.create_session(owner=owner).session_id, owner)
    manager.close()

    def run(command, output):
        arguments = [*command, "--home", str(home)]
        process = preloaded.start(arguments, os.environ, stdout=output)
        with process.stderr as errors:
            said = errors.read()
        return process.wait(60), said

    return run


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_full_disk_is_told_in_a_sentence(run, command):
    with open("/dev/full", "wb") as full:
        code, said = run(command, full.fileno())
    assert (code, said.splitlines()[-1]) == (1, "Error: No space left on device.")
    assert "Traceback" not in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_is_no_error(run, command):
    reader, writer = os.pipe()
    os.close(reader)
    code, said = run(command, writer)
    os.close(writer)
    assert (code, said) == (141, "")


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_so_it_is_for_what_the_program_says_of_itself(flag):
    """In an interpreter of its own, which still writes what is left when it ends."""
    command, reading = [sys.executable, "-m", "webchat", flag], {"stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, check=False, **reading)
    assert (done.returncode, done.stderr) == (1, "Error: No space left on device.\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, check=False, **reading)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@click.group(cls=program.Program, default="wait")
def waiting():
    pass


@waiting.command()
def wait():
    raise KeyboardInterrupt


def test_an_interrupted_command_says_nothing():
    result = CliRunner().invoke(waiting, ["wait"])
    assert (result.exit_code, result.output) == (128 + signal.SIGINT, "")


LOADING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which may be ignored here

class Interrupting:
    def find_spec(self, name, *_):
        if name == "webchat.cli.people":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from webchat.__main__ import main
main()
"""


def test_one_that_is_interrupted_while_it_loads_says_nothing_either(tmp_path):
    command = [sys.executable, "-c", LOADING, "sessions", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("command", [["export"], ["people", "export", "ada"]], ids=" ".join)
def test_a_file_that_cannot_be_written_is_named(run, command):
    with open(os.devnull, "wb") as nowhere:
        said = run([*command, "-o", "/nonexistent/out"], nowhere.fileno())
    assert said == (1, "Error: /nonexistent/out: No such file or directory.\n")


@pytest.mark.parametrize("command", [["nonsense"], ["sessions", "nonsense"], ["people", "nonsense"]], ids=" ".join)
def test_a_command_that_there_is_not_is_named(command):
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, "No such command 'nonsense'" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        *(["people", each, ""] for each in ("export", "remove", "disable", "enable")),
        *([each, "--owner", " "] for each in ("export", "import", "ask", "sessions")),
    ],
    ids=" ".join,
)
def test_nobody_has_an_empty_name(home, command):
    result = CliRunner().invoke(main, [*command, "--home", str(home), *(["-o", "-"] * ("export" in command))])
    assert (result.exit_code, "a name is needed" in result.stderr, home.exists()) == (2, True, False)


@pytest.mark.parametrize("words", [[""], ["", " "]])
def test_a_search_for_nothing_is_wrong_usage(home, words):
    result = CliRunner().invoke(main, ["sessions", "search", "--home", str(home), *words])
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: Enter a word to search for.")


@pytest.mark.parametrize("words", [[":-)"], ["...", "?"]])
def test_a_search_for_punctuation_is_wrong_usage(home, words):
    result = CliRunner().invoke(main, ["sessions", "search", "--home", str(home), *words])
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: Punctuation alone is not searched. Add a word.\n")
