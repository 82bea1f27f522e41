"""Temporary chats: nothing of them is written, and they end."""

from __future__ import annotations

import io
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import HTMX, Page
from tests.pictures import png
from tests.reading import snapshot, until
from webchat import WebChatSessionManager, create_app
from webchat.backends.chat_model import ChatModelBackend
from webchat.errors import InvalidInput, LimitReached, MemoryFull, SessionBusy, SessionNotFound, StorageError

pytestmark = pytest.mark.files  # several servers offer none
MARK = "xylophone"
JSON = {"Accept": "application/json"}


@pytest.fixture
def temporary(manager) -> str:
    """A temporary chat in which one message was answered; it is the current session."""
    session_id = manager.create_session(temporary=True).session_id
    manager.send_message(f"I play the {MARK}", session_id)
    return session_id


def post(client, path: str, **fields):
    return client.post(path, data=fields, headers=JSON)


# Never written


def test_the_page_says_that_chosen_temporary_chats_are_deleted_for_good(client, manager, temporary):
    said = "Temporary chats are deleted for good."
    assert said in client.get("/sessions").text
    manager.end_session(temporary)
    manager.send_message("hello", manager.create_session().session_id)
    assert said not in client.get("/sessions").text


def test_nothing_of_a_whole_conversation_is_written(client, manager, backend, home, caplog):
    ordinary = manager.create_session().session_id
    manager.send_message("an ordinary message", ordinary)
    client.get("/sessions?q=ordinary")  # the search has its file
    until(lambda: manager.directory.search("ordinary", 5).complete)
    client.get("/")
    before = snapshot(home)

    begun = post(client, "/sessions", temporary="1").json
    session_id, path = begun["session_id"], f"/sessions/{begun['session_id']}"
    assert begun["temporary"] is True
    picture = {"message": f"a {MARK}", "file": (io.BytesIO(png()), f"{MARK}.png")}
    assert client.post(f"{path}/messages", data=picture, headers=JSON).json["response"] == f"You said: a {MARK}"
    shown = client.get(path, headers=JSON).json["messages"][0]
    key = manager.conversation(session_id).messages[0].pictures[0].key
    assert client.get(f"{path}/pictures/{key}").headers["Cache-Control"] == "no-store"
    backend.plays(f"{MARK} one. ", threading.Event(), "never")
    client.post(f"{path}/messages", data={"message": f"long {MARK}"})
    client.post(f"{path}/messages", data={"message": f"waits {MARK}"})  # in the queue
    until(lambda: "one" in manager.conversation(session_id).last.content)
    assert post(client, f"{path}/stop").json["returned"][0]["text"] == f"waits {MARK}"
    asked = manager.conversation(session_id).messages[-2].id
    assert post(client, f"{path}/messages/{asked}/edit", message=f"edited {MARK}").json["response"]
    assert post(client, f"{path}/messages/{asked}/select").status_code == 200
    assert post(client, f"{path}/messages/{shown['id']}/fork").json["temporary"] is True
    assert client.get(f"/sessions?q={MARK}", headers=JSON).json["hits"] == []
    assert post(client, f"{path}/rename", title=f"My {MARK}").status_code == 200
    assert (
        post(client, f"{path}/messages", message=f"remember this: {MARK}").json["response"].startswith("This chat is")
    )
    assert client.get(path).status_code == 200
    assert MARK not in Page(client.get(path)).soup.title.get_text()
    assert MARK.encode() not in client.get("/sessions/export?format=jsonl").data
    manager.housekeeping.empty_expired()
    assert snapshot(home) == before, "while it lives"

    assert post(client, f"{path}/delete").json == {"done": "delete", "sessions": [session_id], "gone": [session_id]}
    assert client.get(path).status_code == 404
    assert client.get("/sessions?show=trash", headers=JSON).json["sessions"] == []
    assert snapshot(home) == before, "when it has gone"
    assert MARK not in caplog.text


def test_a_first_message_can_begin_one_and_a_restart_ends_it(client, manager, home):
    sent = post(client, "/messages", message="hello", temporary="1", key="k" * 32).json
    assert post(client, "/messages", message="hello", temporary="1", key="k" * 32).json == sent, "once"
    after = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True})
    told = after.test_client().get(f"/sessions/{sent['session_id']}")
    assert told.status_code == 404
    assert "have been a temporary chat" in told.text
    after.extensions["webchat"].close()


@pytest.mark.parametrize("given", ["1", "on", "true", True])
def test_json_and_forms_say_so_alike(client, given):
    made = client.post("/api/session", json={"temporary": given}).json
    assert made["temporary"] is True
    assert "temporary" not in client.post("/api/session", json={"temporary": False}).json
    told = client.post("/api/session", json={"temporary": "perhaps"})
    assert (told.status_code, told.json) == (400, {"error": "temporary must be 1, or be left out."})


def test_no_model_names_it_and_no_memory_is_told(home):
    asked = []

    def model(messages):
        asked.append(messages)
        yield "Yes."

    manager = WebChatSessionManager(
        ChatModelBackend(model, titles=True), home / "server" / "s.json", context=lambda owner: "They like tea."
    )
    manager.send_message("Do you know me?", manager.create_session(temporary=True).session_id)
    until(lambda: manager.answers_in_flight == 0)
    assert asked == [[{"role": "user", "content": "Do you know me?"}]]
    assert not list(home.rglob("*.jsonl"))
    manager.close()


# Found again


def test_it_is_listed_marked_and_current_until_another_is(temporary, client, manager, page):
    ordinary = manager.create_session().session_id
    manager.send_message("an ordinary message", ordinary)
    assert manager.active_session_id == ordinary
    assert not manager.get_session(temporary).is_active
    manager.resume_session(temporary)
    assert (manager.active_session_id, manager.get_session(ordinary).is_active) == (temporary, False)
    panel = Page(client.get("/sessions", headers=HTMX))
    assert [heading.get_text() for heading in panel.soup.select("h2")] == ["Temporary", "Today"]
    assert [row.is_current for row in panel.rows] == [True, False]
    assert page("/").soup.select_one("#badge .chip").get_text() == "Temporary"
    assert page("/").soup.title.get_text() == "Temporary chat · Amplifier"
    assert [row["session_id"] for row in client.get("/api/sessions").json["sessions"]] == [temporary, ordinary]


def test_a_page_of_the_list_counts_it(temporary, manager):
    for number in range(4):
        manager.send_message(f"number {number}", manager.create_session().session_id)
    pages = [manager.directory.page("list", start=start, count=2) for start in (0, 2, 4)]
    titles = [[session.description for session in page] for page in pages]
    assert titles == [["Temporary chat", "number 3"], ["number 2", "number 1"], ["number 0"]]


def test_a_new_session_is_of_the_kind_that_was_asked_for(client):
    first = post(client, "/sessions", temporary="1").json["session_id"]
    assert post(client, "/sessions", temporary="1").json["session_id"] == first, "nothing was said in it"
    other = post(client, "/sessions").json
    assert (other["session_id"] != first, "temporary" in other) == (True, False)


# Without a script


def test_everything_is_a_form(client, page, manager):
    form = page("/sessions").soup.select_one(".panel-head form")
    button = form.select_one("button[name=temporary]")

    def pressed(action: str, **fields: str) -> Page:
        return Page(client.post(action, data=fields, follow_redirects=True))

    chat = pressed(form["action"], temporary=button["value"])
    assert "nothing is saved here" in chat.soup.select_one(".note.temporary").get_text()
    field = chat.soup.select_one("form.field")
    assert field.select_one("textarea")["autocomplete"] == "off"
    pressed(field["action"], message="hello", temporary="1")
    until(lambda: manager.answers_in_flight == 0)
    assert page("/").messages[-1].text == "You said: hello"
    keep, delete = page("/").soup.select(".note.temporary form")
    assert pressed(delete["action"]).response.request.path == "/sessions"
    assert pressed(keep["action"]).response.status_code == 404


def test_a_message_that_comes_too_late_is_offered_to_a_temporary_chat(temporary, client, manager):
    manager.end_session(temporary)
    told = Page(client.post(f"/sessions/{temporary}/messages", data={"message": "more", "temporary": "1"}))
    form = told.soup.select_one("form.again")
    assert form["action"] == "/messages"
    assert form.select_one("input[name=temporary]")["value"] == "1"
    assert form.button.get_text() == "Send it in a new temporary chat"
    assert "This temporary chat has ended" in told.soup.select_one(".problem").get_text()
    assert "New session" not in told.soup.select_one("main").get_text(), "what is sent there is saved"


def test_a_change_or_file_that_comes_too_late_goes_to_a_temporary_chat_too(temporary, client, manager):
    asked = manager.conversation(temporary).messages[0].id
    change = Page(client.get(f"/sessions/{temporary}/messages/{asked}/edit")).soup.select_one("form.edit")
    manager.end_session(temporary)
    fields = {field["name"]: field.get("value", "") for field in change.select("input[name]")}
    told = Page(client.post(change["action"], data={**fields, "message": "changed"}))
    assert told.soup.select_one("form.again input[name=temporary]")["value"] == "1"
    data = {"message": "", "temporary": "1", "file": (io.BytesIO(b"a line"), "notes.txt")}
    form = Page(client.post(f"/sessions/{temporary}/messages", data=data)).soup.select_one("form.again")
    assert "Choose your files again" in form.get_text()
    assert (form["enctype"], form.select_one("input[type=file]")["name"]) == ("multipart/form-data", "file")


def test_an_action_that_comes_too_late_offers_a_temporary_chat_first(temporary, client, manager):
    manager.end_session(temporary)
    told = Page(client.post(f"/sessions/{temporary}/keep", data={"temporary": "1"}))
    offered = [button.get_text() for button in told.soup.select(".problem button")]
    assert offered == ["New temporary chat", "New session"]
    begun = client.post("/sessions", data={"temporary": "1"}, headers={"Accept": "application/json"})
    assert begun.json["temporary"] is True
    fragment = client.post(f"/sessions/{temporary}/messages", data={"message": "more", "temporary": "1"}, headers=HTMX)
    assert fragment.status_code == 404
    assert "Your message was not sent" in fragment.text


def test_a_page_that_comes_back_is_told_that_it_was_kept(temporary, client, manager):
    stream = Page(client.get(f"/sessions/{temporary}")).soup.select_one("#stream")["hx-sse:connect"]
    manager.temporary.keep(temporary, None)
    told = next(piece for piece in client.get(stream).response if "chatArea" in str(piece))
    assert "Kept as session" in str(told)


def test_browsers_restore_no_text_of_it(temporary, client, manager, backend):
    asked = manager.conversation(temporary).messages[0].id
    change = client.get(f"/sessions/{temporary}/messages/{asked}/edit")
    late = client.post("/sessions/none/messages", data={"message": "more", "temporary": "1"})
    goes_on = threading.Event()
    backend.plays("begun", goes_on)
    manager.post_message(temporary, "slowly")
    client.post(f"/sessions/{temporary}/messages", data={"message": "waits"})
    chat = client.get(f"/sessions/{temporary}")
    fields = [field for told in (change, late, chat) for field in Page(told).soup.select("textarea[name=message]")]
    assert [field.get("autocomplete") for field in fields] == ["off"] * 4
    goes_on.set()
    until(lambda: manager.answers_in_flight == 0)


# Ended


@pytest.mark.parametrize("way", ["/sessions/{}/delete", "/sessions/{}/end"])
def test_deleted_or_ended_it_is_gone(temporary, client, manager, backend, way):
    assert post(client, way.format(temporary)).status_code == 200
    assert "end_session" in backend.calls
    assert manager.reader.find(temporary) is None
    assert manager.housekeeping.trash() == []
    assert manager.storage.ended() == []
    with pytest.raises(SessionNotFound):
        manager.post_message(temporary, "anybody?")


def test_the_page_that_ends_it_shows_the_welcome(temporary, client):
    at = {"HX-Current-URL": f"http://localhost/sessions/{temporary}"}
    told = client.post(f"/sessions/{temporary}/delete", headers={**HTMX, **at})
    assert 'class="welcome"' in told.text
    assert told.headers["HX-Push-Url"] == "/"
    assert "Undo" not in told.text


def test_a_page_that_comes_back_is_told_that_it_has_ended(temporary, client, manager):
    stream = Page(client.get(f"/sessions/{temporary}")).soup.select_one("#stream")["hx-sse:connect"]
    manager.end_session(temporary)
    told = client.get(stream)
    assert (told.status_code, told.mimetype) == (200, "text/event-stream")
    assert "This temporary chat has ended" in told.text
    assert 'name="temporary" value="1"' in told.text
    assert client.get("/events?session=&temporary=1").status_code == 200
    ordinary = manager.create_session().session_id
    stream = Page(client.get(f"/sessions/{ordinary}")).soup.select_one("#stream")["hx-sse:connect"]
    assert client.get(stream.replace(ordinary, "none")).status_code == 404


def test_an_answer_that_does_not_stop_holds_nothing_up(manager, backend):
    goes_on, session_id = threading.Event(), manager.create_session(temporary=True).session_id
    backend.plays("begun", goes_on, " and on")
    manager.post_message(session_id, "slowly")
    until(lambda: manager.conversation(session_id).last.content)
    manager.housekeeping.delete([session_id])
    assert manager.reader.find(session_id) is None
    goes_on.set()
    until(lambda: manager.answers_in_flight == 0)
    manager.temporary.end_left()
    assert manager.storage.ended() == []


def test_left_alone_it_ends_after_its_hours(home, backend):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    manager = WebChatSessionManager(backend, home / "server" / "s.json", clock=lambda: now.isoformat())
    session_id = manager.create_session(temporary=True).session_id
    now += timedelta(hours=11)
    manager.send_message("still there", session_id)
    now += timedelta(hours=11)
    manager.temporary.end_left()
    assert manager.reader.find(session_id)
    now += timedelta(hours=2)
    manager.temporary.end_left()
    assert manager.reader.find(session_id) is None
    manager.close()


def test_all_of_a_person_are_deleted_with_the_others(temporary, manager):
    manager.send_message("an ordinary message", manager.create_session().session_id)
    assert manager.housekeeping.purge_all(None) == 2
    assert manager.list_sessions() == []


# Kept after all


def test_kept_it_is_a_session_like_all_others(temporary, client, manager, home):
    picture = {"message": "look", "file": (io.BytesIO(png()), "a.png")}
    client.post(f"/sessions/{temporary}/messages", data=picture, headers=JSON)
    before = client.get(f"/sessions/{temporary}", headers=JSON).json
    assert post(client, f"/sessions/{temporary}/keep").json == {"done": "keep", "sessions": [temporary]}
    after = client.get(f"/sessions/{temporary}", headers=JSON).json
    assert after["messages"] == before["messages"]
    assert (manager.get_session(temporary).description, "temporary" in after) == (f"I play the {MARK}", False)
    assert manager.active_session_id == temporary
    key = manager.conversation(temporary).messages[2].pictures[0].key
    assert client.get(f"/sessions/{temporary}/pictures/{key}").data.startswith(b"\x89PNG")
    assert manager.send_message("go on", temporary) == "You said: go on"
    assert post(client, f"/sessions/{temporary}/keep").status_code == 200, "once more changes nothing"
    again = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True})
    assert len(again.test_client().get(f"/sessions/{temporary}", headers=JSON).json["messages"]) == 6
    again.extensions["webchat"].close()
    assert post(client, f"/sessions/{temporary}/delete").json["deleted"], "now it has a trash"


def test_the_page_that_keeps_it_shows_it_as_kept(temporary, client):
    at = {"HX-Current-URL": f"http://localhost/sessions/{temporary}"}
    told = client.post(f"/sessions/{temporary}/keep", headers={**HTMX, **at}).text
    assert "Kept as session" in told
    assert "data-temporary" not in told


def test_what_cannot_be_kept_stays_temporary(manager, backend, monkeypatch):
    session_id = manager.create_session(temporary=True).session_id
    with pytest.raises(InvalidInput, match="There are no messages here yet"):
        manager.temporary.keep(session_id, None)
    goes_on = threading.Event()
    backend.plays("begun", goes_on)
    manager.post_message(session_id, "slowly")
    with pytest.raises(SessionBusy):
        manager.temporary.keep(session_id, None)
    goes_on.set()
    until(lambda: manager.answers_in_flight == 0)

    def no_room(*_):
        raise OSError(28, "full")

    with monkeypatch.context() as patch:
        patch.setattr(manager.storage.main.transcripts, "put_all", no_room)
        with pytest.raises(StorageError):
            manager.temporary.keep(session_id, None)
    assert manager.get_session(session_id).temporary
    assert manager.storage.main.sessions.claimed() == []
    assert not manager.temporary.keep(session_id, None).temporary


# Limits


def test_there_is_no_pin_and_no_archive_for_it(temporary, client):
    for action in ("pin", "archive"):
        told = post(client, f"/sessions/{temporary}/{action}")
        assert (told.status_code, told.json["error"]) == (
            400,
            "A temporary chat cannot be pinned or archived. Keep it first.",
        )


def test_a_person_has_twenty_at_most(manager):
    for _ in range(20):
        manager.send_message("hello", manager.create_session(temporary=True).session_id)
    with pytest.raises(LimitReached, match="20 temporary chats"):
        manager.create_session(temporary=True)
    manager.create_session()


def test_empty_ones_count_and_the_oldest_makes_room(manager, backend):
    said = manager.create_session(temporary=True).session_id
    manager.send_message("hello", said)
    made = [manager.create_session(temporary=True).session_id for _ in range(25)]
    known = [session.session_id for session in manager.storage.temporary_sessions()]
    assert {*known} == {said, *made[-19:]}
    assert backend.calls.count("end_session") == 6
    for session_id in made[-19:]:
        manager.send_message("hello", session_id)
    with pytest.raises(LimitReached, match="20 temporary chats"):
        manager.create_session(temporary=True)
    assert len(manager.storage.temporary_sessions()) == 20


def test_a_refused_one_leaves_nothing_behind(client, manager, backend, caplog):
    for _ in range(20):
        manager.send_message("hello", manager.create_session(temporary=True).session_id)
    before = backend.calls.count("create_session")
    told = post(client, "/sessions", temporary="1")
    assert (told.status_code, told.json["error"]) == (
        409,
        "There are already 20 temporary chats, which is the limit. Delete some first.",
    )
    assert backend.calls.count("create_session") == before
    assert "Traceback" not in caplog.text


def test_the_id_of_one_that_was_refused_is_not_kept(manager):
    row = {"session_id": "a" * 32, "temporary": True, "begun": True, "is_active": True}
    for number in range(20):
        manager.storage.sessions.insert({**row, "session_id": f"{number:032}"}, 0)
    with pytest.raises(LimitReached):
        manager.storage.sessions.insert(row, 0)
    manager.storage.sessions.insert({**row, "temporary": None}, 0)
    assert not manager.get_session("a" * 32).temporary


def test_all_together_take_no_more_than_their_memory(temporary, manager):
    manager.storage.engines.most_bytes = 3000
    with pytest.raises(StorageError, match="temporary chats have used up"):
        manager.send_message("x" * 3000, temporary)
    assert manager.send_message("short", temporary) == "You said: short"


def test_no_answer_begins_when_their_memory_is_full(temporary, client, manager, backend, caplog):
    manager.storage.engines.most_bytes = 3000
    path, answer = f"/sessions/{temporary}/messages", manager.conversation(temporary).last.id
    backend.plays("y" * 3000)
    assert post(client, f"{path}/{answer}/retry").status_code == 200
    until(lambda: manager.answers_in_flight == 0)
    long = manager.conversation(temporary).last
    assert len(long.content) == 3000, "it had begun"
    refused = [f"{path}/{long.id}/retry", f"{path}/{long.parent}/edit", f"{path}/{answer}/select", path]
    for address in (*refused, f"{path}/{long.id}/fork", "/messages"):
        told = post(client, address, message="again", temporary="1")
        assert (told.status_code, "temporary chats have used up" in told.json["error"]) == (507, True), address
    assert len(list(manager.storage.transcripts.messages(temporary))) == 3
    assert len(manager.storage.temporary_sessions()) == 1, "no empty one is left"
    assert "Traceback" not in caplog.text
    manager.end_session(temporary)
    assert manager.send_message("hello", manager.create_session(temporary=True).session_id)


def test_what_waits_in_a_queue_takes_memory_until_it_is_taken_back(temporary, manager, backend):
    manager.storage.engines.most_bytes = 3000
    goes_on = threading.Event()
    backend.plays("begun", goes_on)
    manager.post_message(temporary, "slowly")
    first = manager.queue.send(temporary, "z" * 1500)
    with pytest.raises(StorageError, match="temporary chats have used up"):
        manager.queue.send(temporary, "z" * 1500)
    with pytest.raises(StorageError, match="temporary chats have used up"):
        manager.queue.change(temporary, first.key, "z" * 3000)
    manager.storage.engines.most_bytes = 0
    assert manager.queue.take_all_back(temporary) == (first,)
    manager.queue.drop_returned(temporary, [first.key])
    manager.storage.engines.most_bytes = 3000
    manager.queue.send(temporary, "z" * 1500)
    manager.queue.take_all_back(temporary)
    goes_on.set()
    until(lambda: manager.answers_in_flight == 0)


def test_what_an_ended_one_took_is_free_again(temporary, client, manager):
    for name in ("a.png", "b.png"):  # the same picture twice
        client.post(f"/sessions/{temporary}/messages", data={"message": name, "file": (io.BytesIO(png()), name)})
        until(lambda: manager.answers_in_flight == 0)
    manager.storage.engines.most_bytes = 0
    with pytest.raises(MemoryFull):
        manager.storage.require_memory(0)
    manager.end_session(temporary)
    manager.storage.require_memory(0)


def test_an_export_of_one_is_imported_as_a_session_like_others(temporary, client, manager, home, tmp_path):
    data = client.get(f"/sessions/{temporary}/export?format=jsonl").data
    assert MARK in data.decode()
    assert "temporary" not in json.loads(data.splitlines()[1])
    other = WebChatSessionManager(ChatModelBackend(lambda messages: "yes"), tmp_path / "other" / "s.json")
    other.archive.bring_in(io.BytesIO(data.replace(b'"description"', b'"temporary": true, "description"', 1)))
    assert not other.get_session(temporary).temporary
    other.close()


def test_an_export_of_an_ended_one_is_imported_under_another_id(temporary, client, manager):
    data = client.get(f"/sessions/{temporary}/export?format=jsonl").data
    assert manager.archive.bring_in(io.BytesIO(data)).known == 1, "while it lives"
    manager.end_session(temporary)
    (copy,) = manager.archive.bring_in(io.BytesIO(data)).imported
    assert copy != temporary
    assert manager.archive.bring_in(io.BytesIO(data)).known == 1, "and only once"
    assert client.get(f"/sessions/{copy}", headers=JSON).json["messages"][0]["content"] == f"I play the {MARK}"
    assert manager.send_message("go on", copy) == "You said: go on"
    assert post(client, f"/sessions/{copy}/delete").json["deleted"]
    manager.storage.replies.begin(temporary, {})
    assert manager.storage.ended() == [temporary], "a late writer still reaches memory alone"
    manager.temporary.end_left()
    assert manager.housekeeping.purge_all(None) == 1
    assert client.get(f"/sessions/{copy}").status_code == 404
