"""`webchat sessions`: what the page's list does, at a terminal, in a folder and at a server."""

from __future__ import annotations

import itertools
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from click.testing import CliRunner

from tests.attacks import CORPUS
from tests.test_terminal import acts
from webchat import create_app
from webchat.backends.mock import MockBackend
from webchat.cli import main
from webchat.terminal.safe import SafePieces, json_text, safe, safe_line

JSON = {"Accept": "application/json"}
TOKEN = "a token that is long enough"
EMPTY = "There are no sessions here.\n"


@pytest.fixture
def server(serve):
    with httpx.Client(base_url=serve("--backend", "mock", "--mock-delay", "0").url) as client:
        yield client


@pytest.fixture(params=["folder", "server"])
def sessions(request, home, server):
    """Runs `webchat sessions …` on the folder that a server uses, or over its address."""
    where = ["--home", str(home)] if request.param == "folder" else ["--url", str(server.base_url)]

    def run(*arguments, code=0):
        result = CliRunner().invoke(main, ["sessions", arguments[0], *where, *arguments[1:]])
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    return run


def says(server, message):
    """Start a session with this message: its id."""
    return server.post("/messages", data={"message": message}, headers=JSON).json()["session_id"]


def test_sessions_are_listed_and_shown_as_on_the_page(server, sessions):
    first, second = says(server, "about kettles"), says(server, "about teapots")
    server.post(f"/sessions/{first}/pin", headers=JSON)
    lines = sessions("list").splitlines()
    assert [re.split(r"  +", line)[2] for line in lines] == ["about kettles", "about teapots"]
    assert "(pinned)" in lines[0]
    rows = json.loads(sessions("list", "--json"))["sessions"]
    assert rows == server.get("/sessions", headers=JSON).json()["sessions"]
    shown = sessions("show", second)
    assert re.fullmatch(
        r"## You · [\d: -]+\n\nabout teapots\n\n## Answer · [\d: -]+\n\nMock response to: about teapots\n\n", shown
    )
    files = {"file": ("list.txt", b"bread")}
    with_file = server.post("/messages", data={"message": "what is missing?"}, files=files, headers=JSON).json()
    assert "\n[file] list.txt, 5 bytes\n" in sessions("show", with_file["session_id"])
    assert json.loads(sessions("show", second, "--json")) == server.get(f"/sessions/{second}", headers=JSON).json()


@pytest.mark.files
def test_a_temporary_one_is_marked(server):
    says(server, "about kettles")
    server.post("/messages", data={"message": "about teapots", "temporary": "1"}, headers=JSON)
    listed = CliRunner().invoke(main, ["sessions", "--url", str(server.base_url)]).stdout.splitlines()
    assert [re.split(r"  +", line)[2:] for line in listed] == [["Temporary chat", "(temporary)"], ["about kettles"]]


def test_a_long_list_is_cut_unless_all_is_asked_for(server, sessions):
    for number in range(52):
        made = server.post("/api/session", json={"description": f"session {number}"}).json()["session_id"]
        server.post(f"/sessions/{made}/messages", data={"message": "hi"}, headers=JSON)
    listed = json.loads(sessions("list", "--json"))
    assert (len(listed["sessions"]), listed["has_more"]) == (50, True)
    listed = json.loads(sessions("list", "--all", "--json"))
    assert ({row["description"] for row in listed["sessions"]}, listed["has_more"]) == (
        {f"session {number}" for number in range(52)},
        False,
    )


def test_sessions_are_found_by_title_and_by_what_was_said(server, sessions):
    made = says(server, "about kettles\n\nand a samovar besides")
    assert "about kettles" in sessions("search", "kettles")
    found = json.loads(sessions("search", "samovar", "--json"))
    assert [hit["session_id"] for hit in found["hits"]] == [made]
    title, excerpt = sessions("search", "samo").splitlines()
    assert re.split(r"  +", title)[2] == "about kettles"
    assert re.fullmatch(r" {10}\S.*and a samovar besides", excerpt)
    assert sessions("search", "nosuchword") == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list"], "There are no sessions here."),
        (["list", "--trash"], "There are no sessions here."),
        (["search", "kettle"], "Nothing found."),
    ],
)
def test_that_there_is_nothing_is_said_to_people_and_not_in_the_output(home, arguments, said):
    place = ["--home", str(home), "--database", ""]
    done = CliRunner().invoke(main, ["sessions", *arguments, *place])
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{said}\n")
    assert CliRunner().invoke(main, ["sessions", *arguments, *place, "--json"]).stderr == ""


def test_a_session_is_renamed_deleted_and_restored_as_on_the_page(server, sessions):
    made, other = says(server, "about kettles"), says(server, "about teapots")
    assert "Kettles of old" in sessions("rename", made, "Kettles\n of old")
    assert "Kettles of old" in server.get(f"/sessions/{made}").text
    assert "is too long" in sessions("rename", made, "x" * 301, code=2)
    assert "Write a title first." in sessions("rename", made, " ", code=2)
    assert "in the trash" in sessions("delete", made, other)
    assert sessions("list") == ""
    assert (
        sessions("show", made, code=3)
        == f"Error: Session '{made}' not found. It may have been deleted, or have been a temporary chat.\n"
    )
    assert len(sessions("list", "--trash").splitlines()) == 2
    assert sessions("restore", made) == f"{made} is back.\n"
    assert [row["session_id"] for row in json.loads(sessions("list", "--json"))["sessions"]] == [made]
    assert server.get(f"/sessions/{made}").status_code == 200
    assert "not found" in sessions("restore", "nosuchsession", code=3)


def test_an_id_may_be_cut_short_while_it_is_one_sessions_alone(server, sessions):
    ids = [says(server, "one")]
    while len({made.removeprefix("mock-session-")[0] for made in ids}) == len(ids):
        ids.append(says(server, "another"))
    [initial] = [
        made.removeprefix("mock-session-")[0]
        for made in ids[:-1]
        if made.removeprefix("mock-session-")[0] == ids[-1].removeprefix("mock-session-")[0]
    ]
    for made in ids:
        for given in (made, made.removeprefix("mock-session-")[:8], made[:-1]):
            assert json.loads(sessions("show", given, "--json"))["session_id"] == made
    assert f"Several sessions begin with '{initial}'" in sessions("show", initial, code=3)
    assert "not found" in sessions("show", "../sessions", code=3)


def test_what_is_hostile_acts_on_no_terminal(server, sessions):
    attacks = [attack for attack in CORPUS if "\0" not in attack]
    for start in range(0, len(attacks), 50):
        server.post("/messages", json={"message": "attack " + "\n".join(attacks[start : start + 50])}, headers=JSON)
    rows = json.loads(sessions("list", "--json"))["sessions"]
    printed = [sessions("list"), sessions("list", "--json"), sessions("search", "attack")]
    for row in rows:
        printed += [sessions("show", row["session_id"]), sessions("show", row["session_id"], "--json")]
    assert [acts(text) for text in printed if acts(text)] == []
    assert "\u241b" in "".join(printed), "an escape is shown as its sign"


@pytest.mark.parametrize("attack", CORPUS)
def test_no_text_acts_on_a_terminal_and_json_has_it_exactly(attack):
    halves = SafePieces()
    printed = [safe(attack), safe_line(attack), json_text(attack)]
    printed += [halves.take(attack[: len(attack) // 2]), halves.take(attack[len(attack) // 2 :]), halves.rest()]
    assert acts("".join(printed)) == []
    assert "".join(printed[3:]) == printed[0]
    assert "\n" not in printed[1] + printed[2]
    assert json.loads(printed[2]) == attack


def test_a_server_is_spoken_to_with_its_token_and_what_is_wrong_is_said(serve, home, monkeypatch):
    url = serve("--backend", "mock", "--token", TOKEN).url

    def run(*arguments):
        result = CliRunner().invoke(main, ["sessions", "list", *arguments])
        return result.exit_code, result.stderr

    assert run("--url", url) == (1, "Error: This chat requires a token: set it in WEBCHAT_TOKEN.\n")
    assert run("--url", url, "--token", "schlüssel") == (1, "Error: This token is wrong.\n")
    assert run("--url", url, "--token", "two\nlines") == (
        2,
        "Error: A token must be one line of printable characters.\n",
    )
    assert run("--url", url, "--token", TOKEN) == (0, EMPTY)
    assert run("--url", f"{url}/?token={TOKEN.replace(' ', '+')}") == (0, EMPTY)
    monkeypatch.setenv("WEBCHAT_URL", url)
    monkeypatch.setenv("WEBCHAT_TOKEN", TOKEN)
    assert run() == (0, EMPTY)
    assert run("--home", str(home)) == (0, EMPTY), "the folder is what was asked for"
    monkeypatch.setenv("WEBCHAT_TOKEN", "some other token of that kind")
    assert run() == (1, "Error: This token is wrong.\n")
    assert run("--url", "http://127.0.0.1:9")[1] == "Error: http://127.0.0.1:9 cannot be reached: Connection refused.\n"
    gone = "unix:/nonexistent/socket"
    assert run("--url", gone)[1] == f"Error: {gone} cannot be reached: No such file or directory.\n"
    assert run("--url", "ftp://127.0.0.1")[0] == 2
    assert run("--url", url, "--home", str(home))[0] == 2


def test_an_export_takes_the_beginning_of_an_id_too(server, home):
    def export(*ids):
        return CliRunner().invoke(main, ["export", "--home", str(home), *ids])

    first, second = says(server, "about kettles"), says(server, "about teapots")
    for given in (first, first[:-3], first.removeprefix("mock-session-")[:8]):
        assert json.loads(export(given).stdout.splitlines()[0])["session"]["session_id"] == first
    assert "Several sessions begin with" in export("mock-session-").stderr
    assert [export(given).exit_code for given in ("", "nope", second)] == [3, 3, 0]


@pytest.mark.parametrize(
    "command",
    [["export"], ["sessions", "show"], ["sessions", "delete"], ["sessions", "restore"], ["ask", "Hello?", "--session"]],
    ids=" ".join,
)
def test_a_session_that_is_unknown_or_ambiguous_has_one_exit_code(server, home, command):
    for text in ("about kettles", "about teapots"):
        session_id = says(server, text)
    if "restore" in command:
        server.post("/sessions/delete", data={"all": "yes"}, headers=JSON)
    for given in ("nope", session_id[:13]):
        result = CliRunner().invoke(main, [*command, given, "--home", str(home)])
        assert (result.exit_code, result.stderr.startswith("Error: ")) == (3, True), result.output


def test_a_session_is_looked_for_before_a_model_is_loaded_or_downloaded(home, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path / "models"))
    result = CliRunner().invoke(main, ["ask", "Hello?", "--session", "nope", "--home", str(home)])
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("Error: Session 'nope' not found.")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("url", ["http://ada:planted-pw@127.0.0.1:9", "http://ada:planted-pw@127.0.0.1:port"])
def test_a_password_in_the_address_is_not_told(url, monkeypatch):
    monkeypatch.setenv("WEBCHAT_URL", url)
    result = CliRunner().invoke(main, ["sessions"])
    assert result.exit_code in (1, 2)
    assert result.stderr.startswith("Error: ")
    assert "planted-pw" not in result.output


@pytest.mark.parametrize("command", [["sessions", "list"], ["ask", "hello"], ["ask", "--new", "hello"]])
@pytest.mark.parametrize("body", [b"<h1>Something else</h1>", b'{"sessions": 5}', b"[]"])
@pytest.mark.parametrize("status", [200, 404])
def test_what_is_no_chat_is_told_from_one(status, body, command):
    class Page(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}"
        result = CliRunner().invoke(main, [*command, "--url", url])
        other.shutdown()
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: There is no webchat at {url}: the response has status {status}.\n",
    )


@contextmanager
def indexing(searches):
    """A server whose search index is complete after so many searches; its address."""
    asked = itertools.count(1)

    class Page(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            found = {"sessions": [], "has_more": False, "hits": [], "partial": False}
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Webchat-Answer", "1")
            self.end_headers()
            self.wfile.write(json.dumps(found | {"complete": next(asked) > searches}).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_search_waits_for_the_index():
    with indexing(2) as url:
        result = CliRunner().invoke(main, ["sessions", "search", "--url", url, "kettles", "--json"])
    assert (result.exit_code, result.stderr, json.loads(result.stdout)["complete"]) == (0, "", True)


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_search_that_has_waited_long_enough_says_so_to_people_and_scripts(monkeypatch, more):
    monkeypatch.setattr("webchat.cli.session_commands.INDEX_PATIENCE", 0.2)
    with indexing(1000) as url:
        result = CliRunner().invoke(main, ["sessions", "search", "--url", url, "kettles", *more])
    assert (result.exit_code, result.stderr) == (7, "The search index is still being built; try again in a moment.\n")
    assert not more or json.loads(result.stdout)["complete"] is False


def test_each_person_has_their_own(serve, home):
    with httpx.Client(base_url=serve("--backend", "mock", "--auth-header", "X-User").url) as server:
        for name in ("adalove", "zoë"):
            server.post("/messages", data={"message": f"I am {name}"}, headers={"X-User": name.encode()} | JSON)
    for name in ("adalove", "zoë"):
        result = CliRunner().invoke(main, ["sessions", "list", "--home", str(home), "--owner", name])
        assert result.stdout.count("I am") == 1
        assert f"I am {name}" in result.stdout
    assert CliRunner().invoke(main, ["sessions", "--home", str(home)]).stdout == ""


def test_nobodys_trash_is_emptied_by_the_way(home):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_TRASH_DAYS": "900"}, backend=MockBackend(delay=0))
    manager = app.extensions["webchat"]
    old, young = (manager.start_conversation(text).session.session_id for text in ("old", "young"))
    manager.store.mark([old], {"deleted_at": "2025-01-01T00:00:00+00:00"})
    manager.close()
    assert CliRunner().invoke(main, ["sessions", "delete", young, "--home", str(home)]).exit_code == 0
    trash = CliRunner().invoke(main, ["sessions", "list", "--trash", "--home", str(home)]).stdout
    assert len(trash.splitlines()) == 2


@pytest.mark.files
def test_a_temporary_one_is_gone_when_it_is_deleted(home, server):
    sent = server.post("/messages", data={"message": "about kettles", "temporary": "1"}, headers=JSON).json()
    other = says(server, "about tea")
    at = ["--url", str(server.base_url)]
    result = CliRunner().invoke(main, ["sessions", "delete", *at, sent["session_id"], other])
    told = f"{sent['session_id']} is gone.\n{other} is in the trash. “webchat sessions restore” brings it back.\n"
    assert result.stdout == told
