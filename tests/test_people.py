"""Several people, signed in by a proxy: each sees and changes only their own data, on every route."""

from __future__ import annotations

import io
import re

import pytest

from tests.reading import snapshot, until
from tests.scripted import ScriptedBackend
from tests.scripted_server import ScriptedServer
from tests.stored import documents_in
from webchat import create_app
from webchat.fileutil import DiskFolder
from webchat.memory import MemoryStore
from webchat.web.new_session import NOT_YOURS

HEADER = "X-Remote-User"
ADA, BOB = {HEADER: "ada"}, {HEADER: "bob"}
WORD = "quinquereme"
"""Occurs in all of Ada's data, and nowhere else."""


def opened(home):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER}, backend=ScriptedBackend())
    return app


@pytest.fixture
def app(home):
    app = opened(home)
    yield app
    app.extensions["webchat"].close()


@pytest.fixture
def model_server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def adas(app, manager):
    return possessions(app, manager)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One application for all of Bob's failing attempts, and Ada's data in it."""
    app = opened(tmp_path_factory.mktemp("shared"))
    yield app, possessions(app, app.extensions["webchat"])
    app.extensions["webchat"].close()


def possessions(app, manager):
    """Ada's data: a session with a file, one in the trash, a memory; and the ids of all of it."""
    client = app.test_client()
    files = {"message": f"the {WORD}", "file": (io.BytesIO(WORD.encode()), f"{WORD}.txt")}
    assert client.post("/messages", data=files, headers=ADA).status_code == 303
    session = manager.active_session("ada")
    until(lambda: not manager.answers_in_flight)
    client.post("/sessions", headers=ADA)
    client.post("/messages", data={"message": f"gone {WORD}"}, headers=ADA | {"Accept": "application/json"})
    gone = manager.active_session("ada").session_id
    deleted = client.post(f"/sessions/{gone}/delete", headers=ADA | {"Accept": "application/json"}).json["deleted"]
    assert client.post("/api/chat", json={"message": f"remember: the {WORD}"}, headers=ADA).status_code == 200
    client.post(f"/sessions/{session.session_id}/resume", headers=ADA)
    question, answer = manager.conversation(session.session_id, "ada").messages
    return {"s": session.session_id, "q": question.id, "a": answer.id, "gone": gone, "deleted": deleted}


NOT_THERE, OWN = 404, 200
ROWS = {
    "webchat.index": ("GET", "/", OWN),
    "webchat.sessions": ("GET", f"/sessions?q={WORD[:5]}", OWN),
    "webchat.sessions trash": ("GET", "/sessions?show=trash", OWN),
    "webchat.sessions undo": ("GET", "/sessions?deleted={deleted}", OWN),
    "webchat.new": ("POST", "/sessions", 303),
    "webchat.session": ("GET", "/sessions/{s}", NOT_THERE),
    "webchat.session in the trash": ("GET", "/sessions/{gone}", NOT_THERE),
    "webchat.session earlier": ("GET", "/sessions/{s}?before={a}", NOT_THERE),
    "webchat.session at": ("GET", "/sessions/{s}?at={a}", NOT_THERE),
    "webchat.reply": ("GET", "/sessions/{s}/reply", NOT_THERE),
    "webchat.resume": ("POST", "/sessions/{s}/resume", NOT_THERE),
    "webchat.stop": ("POST", "/sessions/{s}/stop", NOT_THERE),
    "webchat.end": ("POST", "/sessions/{s}/end", NOT_THERE),
    "webchat.start": ("POST", "/messages", 303, {"message": "hello"}),
    "webchat.change_queued": ("POST", "/sessions/{s}/queue/k", NOT_THERE, {"message": "hello"}),
    "webchat.take_back": ("POST", "/sessions/{s}/queue/k/remove", NOT_THERE),
    "webchat.send_queued": ("POST", "/sessions/{s}/queue/k/send", NOT_THERE),
    "webchat.send": ("POST", "/sessions/{s}/messages", NOT_THERE, {"message": "hello"}),
    "webchat.send stale": ("POST", "/sessions/{s}/messages", NOT_THERE, {"message": "hello", "seen": "{q}"}),
    "webchat.send memory": ("POST", "/sessions/{s}/messages", NOT_THERE, {"message": f"recall {WORD[:5]}"}),
    "webchat.source": ("GET", "/sessions/{s}/messages/{q}", NOT_THERE),
    "webchat.file": ("GET", "/sessions/{s}/messages/{q}/files/0", NOT_THERE),
    "webchat.edit": ("GET", "/sessions/{s}/messages/{q}/edit", NOT_THERE),
    "webchat.retry": ("POST", "/sessions/{s}/messages/{a}/retry", NOT_THERE),
    "webchat.continue": ("POST", "/sessions/{s}/messages/{a}/continue", NOT_THERE),
    "webchat.change": ("POST", "/sessions/{s}/messages/{q}/edit", NOT_THERE, {"message": "hello"}),
    "webchat.select": ("POST", "/sessions/{s}/messages/{q}/select", NOT_THERE),
    "webchat.fork": ("POST", "/sessions/{s}/messages/{a}/fork", NOT_THERE),
    "webchat.copy": ("POST", "/sessions/{s}/copy", NOT_THERE),
    "webchat.picture": ("GET", "/sessions/{s}/pictures/" + "0" * 64 + ".png", NOT_THERE),
    "webchat.follow": ("GET", "/sessions/{s}/events", NOT_THERE),
    "webchat.rename_row": ("GET", "/sessions/{s}/rename", NOT_THERE),
    "webchat.title": ("GET", "/sessions/{s}/title", NOT_THERE),
    "webchat.ask": ("POST", "/sessions/{s}/messages/{q}/ask", NOT_THERE),
    "webchat.part_input": ("GET", "/sessions/{s}/messages/{a}/parts/0/input", NOT_THERE),
    "webchat.part_output": ("GET", "/sessions/{s}/messages/{a}/parts/0/output/0", NOT_THERE),
    "webchat.waiting": ("GET", "/sessions/{s}/waiting", NOT_THERE),
    "webchat.answer": ("POST", "/sessions/{s}/permissions/p", NOT_THERE, {"option": "yes"}),
    "webchat.events": ("GET", "/events?session={s}", NOT_THERE),
    "webchat.manage": ("GET", "/sessions/{s}/manage", NOT_THERE),
    "webchat.rename": ("POST", "/sessions/{s}/rename", NOT_THERE, {"title": "mine"}),
    "webchat.tidy": ("POST", "/sessions/{s}/pin", NOT_THERE),
    "webchat.tidy archive": ("POST", "/sessions/{s}/archive", NOT_THERE),
    "webchat.tidy delete": ("POST", "/sessions/{s}/delete", NOT_THERE),
    "webchat.tidy restore": ("POST", "/sessions/{gone}/restore", NOT_THERE),
    "webchat.tidy purge": ("POST", "/sessions/{gone}/purge", NOT_THERE),
    "webchat.tidy_several": ("POST", "/sessions/delete", NOT_THERE, {"id": "{s}"}),
    "webchat.tidy_several all": ("POST", "/sessions/delete", 303, {"all": "yes"}),
    "webchat.tidy_several together": ("POST", "/sessions/restore", 303, {"deleted": "{deleted}"}),
    "webchat.tidy_several purge": ("POST", "/sessions/purge", 303, {"all": "yes"}),
    "webchat.options": ("POST", "/sessions/{s}/options", NOT_THERE, {"model": "x"}),
    "webchat.controls": ("GET", "/sessions/{s}/controls", NOT_THERE),
    "webchat.control": ("POST", "/sessions/{s}/controls", NOT_THERE, {"control": "mode", "value": "plan"}),
    "webchat.own_sessions": ("GET", "/sessions/own", 403),
    "webchat.open_own": ("POST", "/sessions/own/x", 403),
    "webchat.models": ("GET", "/sessions/{s}/models", NOT_THERE),
    "webchat.export": ("GET", "/sessions/{s}/export", NOT_THERE),
    "webchat.export_all": ("GET", "/sessions/export", OWN),
    "webchat.import": ("POST", "/sessions/import", 422),
    "webchat.import_progress": ("GET", "/sessions/import/0123456789abcdef", OWN),
    "webchat.cancel_import": ("POST", "/sessions/import/0123456789abcdef/cancel", 303),
    "webchat.api_prompts": ("GET", "/api/prompts", OWN),
    "webchat.api_session": ("GET", "/api/session", OWN),
    "webchat.api_create": ("POST", "/api/session", OWN),
    "webchat.api_sessions": ("GET", "/api/sessions", OWN),
    "webchat.api_resume": ("POST", "/api/session/resume", NOT_THERE, {"session_id": "{s}"}),
    "webchat.api_chat": ("POST", "/api/chat", NOT_THERE, {"message": "hello", "session_id": "{s}"}),
    "webchat.api_chat current": ("POST", "/api/chat", 409, {"message": "hello"}),
    "webchat.api_chat memory": ("POST", "/api/chat", OWN, {"message": f"recall {WORD[:5]}"}),
    "webchat.api_end": ("POST", "/api/end", NOT_THERE, {"session_id": "{s}"}),
    "webchat.api_end current": ("POST", "/api/end", OWN),
    "settings.page": ("GET", "/apps/settings/", OWN),
    "settings.save": ("POST", "/apps/settings/", 422, {"theme": "dark"}),
    "settings.habits": ("POST", "/apps/settings/habits", 303, {"send": "control", "follow": "on"}),
    "settings.test": ("POST", "/apps/settings/test", 403),
    "settings.servers": ("GET", "/apps/settings/servers", 403),
    "settings.tidy_memory": ("POST", "/apps/settings/memories/mem-001/delete", NOT_THERE),
}


def test_every_route_has_a_row(app):
    known = {name.partition(" ")[0] for name in ROWS}
    without_people = {"webchat.static", "health.alive", "health.ready"}
    assert {rule.endpoint for rule in app.url_map.iter_rules()} - without_people == known


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize(
    "face", [{}, {"HX-Request": "true"}, {"Accept": "application/json"}], ids=["page", "htmx", "json"]
)
def test_nothing_of_somebody_else_is_shown_or_touched(shared, name, face):
    app, adas = shared
    manager = app.extensions["webchat"]
    method, path, expected, *rest = ROWS[name]
    data = {key: value.format(**adas) for key, value in (rest[0] if rest else {}).items()}
    client = app.test_client()
    client.post("/api/end", headers=BOB)  # whatever he began before this
    before = state(manager)
    answer = client.open(path.format(**adas), method=method, data=data or None, headers=BOB | face)
    if not face:
        assert answer.status_code == expected
    assert expected in (OWN, 303) or answer.status_code >= 400
    assert WORD not in answer.text
    assert adas["s"] not in answer.text.replace(path.format(**adas), "") or expected == NOT_THERE
    assert state(manager) == before


def state(manager):
    """All of Ada's data, as she sees it."""
    memory = MemoryStore(documents_in(DiskFolder(manager.storage.main.folder.path.parent)))
    sessions = [*manager.list_sessions("ada"), *manager.housekeeping.trash("ada")]
    texts = [manager.reader.conversation(session.session_id) for session in sessions]
    return sessions, texts, memory.list("ada")


def test_each_has_their_own_and_sees_it(app, adas):
    client = app.test_client()
    assert WORD in client.get("/", headers=ADA).text
    assert WORD in client.get(f"/sessions/{adas['s']}", headers=ADA).text
    assert WORD not in client.get("/", headers=BOB).text
    client.post("/messages", data={"message": "Bob was here"}, headers=BOB)
    assert "Bob was here" in client.get("/sessions", headers=BOB).text
    assert "Bob was here" not in client.get("/sessions", headers=ADA).text
    assert [item["is_active"] for item in client.get("/api/sessions", headers=ADA).json["sessions"]].count(True) == 1


def test_what_is_shared_is_nobodys_to_change(app, home):
    client = app.test_client()
    page = client.get("/apps/settings/", headers=BOB).text
    assert "bob" in page
    assert str(home) not in page
    before = snapshot(home)
    assert "who runs the server" in client.post("/apps/settings/", data={"theme": "dark"}, headers=BOB).text
    assert snapshot(home) == before


def test_without_a_name_nobody_is_let_in(app):
    client = app.test_client()
    for name in ({}, {HEADER: " "}, {HEADER: "\t"}, {HEADER: "x" * 201}):
        assert client.get("/", headers=name).status_code == 401
    assert "Sign in there" in client.get("/api/session").json["error"]


def test_a_name_is_believed_from_the_proxy_alone(app):
    answer = app.test_client().get("/", headers=ADA, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert answer.status_code == 403
    assert "through its proxy" in answer.text


def test_the_proxies_that_are_believed_can_be_told(home):
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER, "WEBCHAT_TRUSTED_PROXIES": "192.0.2.0/28"}
    app = create_app(values | {"WEBCHAT_PROXIES": "1"}, backend=ScriptedBackend())
    client = app.test_client()
    forwarded = ADA | {"X-Forwarded-For": "198.51.100.9"}
    assert client.get("/", headers=forwarded, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200
    assert client.get("/", headers=forwarded, environ_base={"REMOTE_ADDR": "192.0.2.77"}).status_code == 403
    app.extensions["webchat"].close()


def test_the_same_export_can_be_brought_in_by_each(app, adas):
    client = app.test_client()
    taken = client.get("/sessions/export", headers=ADA).data
    for _ in range(2):
        brought = client.post("/sessions/import", data={"file": (io.BytesIO(taken), "all.jsonl")}, headers=BOB)
        assert brought.status_code == 200
    mine = client.get("/api/sessions", headers=BOB).json["sessions"]
    assert len(mine) == 1
    assert mine[0]["session_id"] != adas["s"]
    assert WORD in client.get(f"/sessions/{mine[0]['session_id']}", headers=BOB).text
    assert re.search(
        "0 sessions imported, 1 here already",
        client.post("/sessions/import", data={"file": (io.BytesIO(taken), "a.jsonl")}, headers=BOB).text,
    )


def test_the_command_line_takes_along_whose_it_is_told(app, adas, home):
    from click.testing import CliRunner

    from webchat.cli import main

    def exported(*options: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(main, ["export", "--format", "jsonl", "--home", str(home), *options])
        return result.exit_code, result.stdout, result.stderr

    assert WORD in exported("--owner", "ada")[1]
    assert exported("--owner", "bob") == (0, "", "")
    code, nothing, said = exported()
    assert (code, nothing, "1 person has sessions" in said) == (1, "", True)
    assert CliRunner().invoke(main, ["export", "--home", str(home), "--owner", "bob", adas["s"]]).exit_code == 3


def on_the_wire(name: str) -> dict[str, str]:
    """A header as servers pass it on: its UTF-8 bytes as Latin-1."""
    return {HEADER: name.encode().decode("latin-1")}


@pytest.mark.parametrize("name", ["Müller", "Österreich", "É", "Иван", "ren à"])
def test_people_have_names_in_any_script(app, name):
    page = app.test_client().get("/apps/settings/", headers=on_the_wire(name))
    assert page.status_code == 200
    assert name in page.text


def test_names_that_end_alike_are_two_people(app):
    client = app.test_client()
    sent = client.post("/messages", data={"message": "mine"}, headers=on_the_wire("Renà"))
    assert client.get(sent.location, headers=on_the_wire("Renà")).status_code == 200
    assert client.get(sent.location, headers=on_the_wire("RenÅ")).status_code == 404


@pytest.mark.parametrize("peer", ["::ffff:127.0.0.1", "::1", "127.0.0.1"])
def test_the_proxy_on_this_machine_is_believed_however_it_comes(app, peer):
    assert app.test_client().get("/", headers=ADA, environ_base={"REMOTE_ADDR": peer}).status_code == 200


@pytest.mark.parametrize("peer", ["localhost", "", "192.0.2.1", "2001:db8::1"])
def test_who_is_no_address_is_no_proxy(app, peer):
    assert app.test_client().get("/", headers=ADA, environ_base={"REMOTE_ADDR": peer}).status_code == 403


@pytest.mark.parametrize("face", [{}, {"HX-Request": "true"}, {"Accept": "application/json"}])
def test_nobody_learns_of_the_server_s_network_from_the_settings_page(home, model_server, face):
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER, "WEBCHAT_BACKEND": "openai"}
    app = create_app({**values, "WEBCHAT_BASE_URL": model_server.url})
    asked = len(model_server.requests)
    for path, status in (("/apps/settings/test", 403), ("/apps/settings/", 422)):
        told = [
            app.test_client().post(path, data={"base_url": address}, headers=ADA | face)
            for address in (model_server.url, model_server.url.replace("/v1", "/v2"))
        ]
        assert {answer.status_code for answer in told} == {400 if status == 422 and "Accept" in face else status}
        assert told[0].text == told[1].text
        assert "who" in told[0].text
    servers = app.test_client().get("/apps/settings/servers", headers=ADA | face)
    assert servers.status_code == 403
    assert len(model_server.requests) == asked
    app.extensions["webchat"].close()


def test_nobody_is_told_how_the_server_is_run(app, home):
    client = app.test_client()
    told = client.get("/apps/settings/", headers=ADA | {"Accept": "application/json"}).json
    assert "home" not in told
    assert told["settings"].keys() == {"theme", "memory_context"}
    refused = [client.post("/api/session", json={"working_dir": path}, headers=ADA) for path in ("/nowhere", "/")]
    assert {(answer.status_code, answer.json["error"]) for answer in refused} == {(400, NOT_YOURS)}


def test_one_person_leaves_streams_to_the_others(home):
    values = {"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": HEADER, "WEBCHAT_MAX_STREAMS_PER_CLIENT": "1"}
    app = create_app(values, backend=ScriptedBackend())
    client = app.test_client()
    first = client.get("/events", headers=ADA)
    assert "retry:" in client.get("/events", headers=ADA).text
    second = client.get("/events", headers=BOB)
    assert b"retry:" not in next(iter(second.response))
    second.close()
    first.close()
    app.extensions["webchat"].close()


def test_answers_of_one_id_in_two_sessions_are_two_texts():
    from webchat.chat.message import Message
    from webchat.web.bodies import Renderings

    renderings = Renderings()
    for text in ("Ada's first.\n\nAda's second", "Bob's first.\n\nBob's second", "Ada's", "Bob's"):
        body = renderings.body(Message("a1", "assistant", text, status="streaming"))
        shown = str(body.finished) + str(body.tail)
        assert text[:5] in shown.replace("&#39;", "'")
        assert ("Ada" in shown) != ("Bob" in shown)
