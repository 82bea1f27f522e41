"""A command refuses a wrong flag by its name, before it begins anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from webchat.cli import main
from webchat.config import SETTINGS

WRONG = {
    "home": "",
    "database": "mysql://there",
    "agent": "'agent acp",
    "folders": "relative",
    "header": "no header",
    "temperature": "5",
    "memory_context": "perhaps",
    "titles": "perhaps",
    "sources": "elsewhere",
    "title": " ",
    "theme": "purple",
    "allow_host": "https://chat.example.org/",
    "auth_header": "a b",
    "trusted_proxies": "nowhere",
    "log_format": "xml",
    "log_level": "loud",
    "metrics": "perhaps",
    "port": "99999",
}
NUMBERS = [each.name for each in SETTINGS if type(each.default) in (int, float)]


def run(*arguments):
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.stderr


@pytest.mark.parametrize(("name", "text"), [*WRONG.items(), *((name, "x") for name in NUMBERS)])
def test_a_wrong_value_is_refused_under_the_name_that_was_written(name, text):
    flag = f"--{name.replace('_', '-')}"
    code, said = run("serve", flag, text)
    assert code == 2
    assert f"Invalid value for '{flag}': " in said
    if any(setting.name == name and setting.secret for setting in SETTINGS):
        assert text not in said


@pytest.mark.parametrize("command", [["ask", "hi"], ["sessions", "list"], ["export"], ["doctor"], ["people", "list"]])
def test_so_is_one_of_the_place(command):
    for flag, text in (("--home", ""), ("--database", "nonsense")):
        code, said = run(*command, flag, text)
        assert (code, f"Invalid value for '{flag}': " in said) == (2, True)


@pytest.mark.parametrize("flag", ["--token", "--auth-header"])
def test_an_empty_flag_that_would_let_everybody_in_is_refused(flag):
    code, said = run("serve", "--backend", "mock", flag, "")
    assert (code, f"{flag} is empty, so nobody would have to sign in." in said) == (2, True)


@pytest.mark.parametrize("inside", ["", "below"])
def test_a_home_that_can_be_no_folder_is_refused_at_the_start(tmp_path, inside):
    (tmp_path / "file").write_text("mine")
    home = tmp_path / "file" / inside
    code, said = run("serve", "--backend", "mock", "--home", str(home))
    why = f"{home} cannot be used: {tmp_path / 'file' if inside else 'it'} is not a folder. Choose another home."
    assert (code, said) == (1, f"Error: {why}\n")
    code, said = run("ask", "hi", "--backend", "mock", "--home", str(home))
    assert (code, said) == (2, f"Error: {why}\n")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_question_without_words_starts_no_model(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code, said = run("ask", "  ", "--backend", "local", "--home", str(tmp_path / "home"))
    assert (code, said) == (2, "Error: Write a message first.\n")
    assert list(tmp_path.iterdir()) == []


def test_the_help_shows_defaults_as_one_writes_them():
    text = CliRunner().invoke(main, ["serve", "--help"]).output
    assert "default 30]" in " ".join(text.split())
    assert ".0]" not in text


@pytest.mark.parametrize("text", ["", "chat.example.org, 192.0.2.7", "::1", "[2001:db8::1]", "büro", "a_b-c.local"])
def test_host_names_are_names_and_addresses(text):
    parse = next(setting.parse for setting in SETTINGS if setting.name == "allow_host")
    assert parse(text) == tuple(name.strip(" []") for name in text.split(",") if name)


@pytest.mark.parametrize("text", ["chat.example.org:8443", "https://chat.example.org", "chat.example.org/", "a b"])
def test_what_would_never_be_a_host_is_refused(text):
    parse = next(setting.parse for setting in SETTINGS if setting.name == "allow_host")
    with pytest.raises(ValueError, match="without scheme, port and path"):
        parse(text)
