"""Sessions are renamed, pinned, archived, deleted and restored: by the manager, forms and scripts."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import HTMX
from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.stored import place_of
from webchat.errors import InvalidInput, SessionNotFound
from webchat.manager import WebChatSessionManager

JSON = {"Accept": "application/json"}


@pytest.fixture
def sessions(manager) -> list[str]:
    """Three sessions with a message each, "one" to "three", the oldest first."""
    ids = []
    for text in ("one", "two", "three"):
        ids.append(manager.create_session().session_id)
        manager.send_message(text)
    return ids


def titles(page, address="/sessions"):
    return [row.title for row in page(address).rows]


def transcript(home, session_id):
    return home / "server" / "web-chat-transcripts" / f"{session_id}.jsonl"


# Names


def test_a_session_has_the_name_that_a_person_gives_it(client, page, sessions):
    answer = client.post(f"/sessions/{sessions[0]}/rename", data={"title": "  A better\nname "})
    assert answer.status_code == 303
    assert titles(page) == ["three", "two", "A better name"]


@pytest.mark.parametrize("title", ["", "  \n", "\u202e", "x" * 301])
def test_a_name_that_is_none_is_refused(client, page, sessions, title):
    answer = client.post(f"/sessions/{sessions[0]}/rename", data={"title": title})
    assert answer.status_code == 422
    assert titles(page) == ["three", "two", "one"]


def test_a_name_is_shown_as_it_is(client, page, sessions):
    client.post(f"/sessions/{sessions[0]}/rename", data={"title": "<b>bold</b>"})
    assert titles(page)[-1] == "<b>bold</b>"


def test_all_this_is_a_page_and_a_menu_with_a_form_for_the_title(client, page, sessions):
    shown = page(f"/sessions/{sessions[0]}/manage")
    assert shown.soup.select_one("input[name=title]")["value"] == "one"
    assert {form["action"].rpartition("/")[2] for form in shown.soup.select("main form")} == {
        "rename",
        "pin",
        "archive",
        "delete",
    }
    menu = page(client.get(f"/sessions/{sessions[0]}/manage", headers=HTMX))
    assert not menu.soup.select("html")
    assert [item.get_text() for item in menu.soup.select("[role=menuitem]")][:2] == ["Rename", "Pin"]
    for path in ("rename", "title?edit=yes"):
        assert page(f"/sessions/{sessions[0]}/{path}").soup.select_one("html input[name=title]")["value"] == "one"
        form = page(client.get(f"/sessions/{sessions[0]}/{path}", headers=HTMX))
        assert not form.soup.select("html")
        assert form.soup.select_one("input[name=title]")["value"] == "one"


def test_the_title_stands_in_the_header_until_it_is_changed_there(client, page, sessions):
    link = page(f"/sessions/{sessions[0]}").soup.select_one("#badge a")
    assert link.get_text() == "one"
    assert page(link["href"]).soup.select_one("input[name=title]")["value"] == "one"
    shown = page(client.get(link["hx-get"].partition("?")[0], headers=HTMX))
    assert shown.soup.select_one("#badge a").get_text() == "one"
    form = {"title": "First", "in": "header"}
    changed = page(client.post(f"/sessions/{sessions[0]}/rename", data=form, headers=HTMX))
    assert changed.soup.select_one("[hx-target='#titleForm'][hx-swap=delete]")
    assert changed.soup.select_one("[hx-target='#badge'] a").get_text() == "First"


# Order


def test_what_is_pinned_stands_above_all(client, page, sessions):
    client.post(f"/sessions/{sessions[0]}/pin")
    assert titles(page) == ["one", "three", "two"]
    assert page("/sessions").soup.select_one(".group h2").get_text() == "Pinned"
    client.post(f"/sessions/{sessions[0]}/unpin")
    assert titles(page) == ["three", "two", "one"]


def test_what_is_archived_has_a_list_of_its_own(client, page, manager, sessions):
    client.post(f"/sessions/{sessions[2]}/archive")
    assert titles(page) == ["two", "one"]
    assert titles(page, "/sessions?show=archived") == ["three"]
    assert manager.active_session_id is None
    client.post(f"/sessions/{sessions[2]}/unarchive")
    assert titles(page) == ["three", "two", "one"]


def test_writing_in_an_archived_session_brings_it_back(client, page, manager, sessions):
    client.post(f"/sessions/{sessions[0]}/archive")
    manager.send_message("again", sessions[0])
    assert titles(page) == ["one", "three", "two"]


# The trash


def test_a_deleted_session_is_gone_and_can_be_brought_back(client, page, manager, sessions):
    answer = client.post(f"/sessions/{sessions[2]}/delete")
    assert titles(page) == ["two", "one"]
    assert client.get(f"/sessions/{sessions[2]}").status_code == 404
    assert manager.active_session_id is None
    assert sessions[2] not in [row["session_id"] for row in client.get("/api/sessions").json["sessions"]]
    undo = page(answer.location).soup.select_one(".undo")
    assert "Session deleted." in undo.get_text()
    client.post(undo.form["action"], data={undo.button["name"]: undo.button["value"]})
    assert titles(page) == ["three", "two", "one"]
    assert manager.send_message("and on", sessions[2]) == "You said: and on"
    assert manager.storage.has(sessions[2])


def test_a_deletion_stops_the_answer(client, backend, manager, sessions):
    gate = threading.Event()
    backend.plays("half an", gate, " answer")
    manager.post_message(sessions[0], "long")
    client.post(f"/sessions/{sessions[0]}/delete")
    assert manager.answers_in_flight == 0
    assert not gate.is_set()


def test_several_are_deleted_together_and_brought_back_together(client, page, sessions):
    answer = client.post("/sessions/delete", data={"id": sessions[:2]})
    assert titles(page) == ["three"]
    client.post(f"/sessions/{sessions[2]}/delete")
    undo = page(answer.location).soup.select_one(".undo")
    assert "2 sessions deleted." in undo.get_text()
    client.post("/sessions/restore", data={"deleted": undo.button["value"]})
    assert titles(page) == ["two", "one"]


def test_all_or_none_of_several_are_deleted(client, page, sessions):
    answer = client.post("/sessions/delete", data={"id": [sessions[0], "unknown"]})
    assert answer.status_code == 404
    assert titles(page) == ["three", "two", "one"]


def test_without_a_choice_nothing_is_deleted(client, page, sessions):
    assert client.post("/sessions/delete", data={}).status_code == 422
    assert titles(page) == ["three", "two", "one"]


def test_all_are_deleted_and_the_trash_is_emptied(client, page, manager, sessions):
    client.post(f"/sessions/{sessions[0]}/archive")
    client.post("/sessions/delete", data={"all": "yes"})
    assert titles(page) == []
    assert titles(page, "/sessions?show=archived") == ["one"]
    assert sorted(titles(page, "/sessions?show=trash")) == ["three", "two"]
    client.post("/sessions/purge", data={"all": "yes"})
    assert titles(page, "/sessions?show=trash") == []
    assert [session_id for session_id in sessions if manager.storage.has(session_id)] == sessions[:1]


def test_only_what_is_in_the_trash_goes_for_good(client, manager, sessions):
    assert client.post(f"/sessions/{sessions[0]}/purge").status_code == 404
    assert manager.storage.has(sessions[0])
    client.post(f"/sessions/{sessions[0]}/delete")
    client.post(f"/sessions/{sessions[0]}/purge")
    assert not manager.storage.has(sessions[0])
    assert client.post(f"/sessions/{sessions[0]}/restore").status_code == 404


def test_undo_is_offered_for_ten_seconds_only(client, page, sessions):
    client.post(f"/sessions/{sessions[0]}/delete")
    long_ago = (datetime.now(UTC) - timedelta(seconds=11)).isoformat()
    for other in (long_ago, "nonsense", "2026-01-01", "", "9999-12-31T23:59:59+00:00"):
        assert not page(f"/sessions?deleted={other}").soup.select(".undo")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> str:
        self.now += timedelta(microseconds=1)
        return self.now.isoformat(timespec="microseconds")


def test_what_has_lain_in_the_trash_for_its_time_is_gone(home):
    clock = Clock()
    manager = WebChatSessionManager(ScriptedBackend(), place_of(home), clock=clock, trash_days=30)
    house, ids = manager.housekeeping, []
    for text in ("one", "two"):
        ids.append(manager.create_session().session_id)
        manager.send_message(text)
    house.delete(ids[:1])
    clock.now += timedelta(days=29)
    house.delete(ids[1:])
    house.empty_expired()
    assert [session.session_id for session in house.trash()] == [ids[1], ids[0]]
    clock.now += timedelta(days=1, seconds=1)
    assert [session.session_id for session in house.trash()] == [ids[1]]  # also before it has been emptied
    new = manager.create_session().session_id
    house.delete([new])
    assert manager.storage.has(ids[0])  # deleting something else does not wait for that
    house.empty_expired()
    assert [session.session_id for session in house.trash()] == [new, ids[1]]
    assert not manager.storage.has(ids[0])
    assert manager.storage.has(ids[1])
    with pytest.raises(SessionNotFound):
        house.restore([ids[0]])
    house.restore([ids[1]])
    assert manager.send_message("still here", ids[1]) == "You said: still here"
    manager.close()


def test_another_owner_touches_nothing(manager, sessions):
    house = manager.housekeeping
    for call in (house.delete, house.archive, house.pin):
        with pytest.raises(SessionNotFound):
            call([sessions[0]], "somebody")
    with pytest.raises(SessionNotFound):
        house.rename(sessions[0], "x", "somebody")
    house.delete([sessions[0]])
    assert house.trash("somebody") == []
    for call in (house.restore, house.purge):
        with pytest.raises(SessionNotFound):
            call([sessions[0]], "somebody")


def test_nothing_to_sort_is_said(manager):
    with pytest.raises(InvalidInput):
        manager.housekeeping.pin([])


# From scripts and with htmx


def test_a_script_does_it_all(client, sessions):
    renamed = client.post(f"/sessions/{sessions[0]}/rename", json={"title": "First"}, headers=JSON).json
    assert renamed["description"] == "First"
    deleted = client.post("/sessions/delete", json={"id": sessions[:2]}, headers=JSON).json
    assert deleted["done"] == "delete"
    assert deleted["sessions"] == sessions[:2]
    trash = client.get("/sessions?show=trash", headers=JSON).json["sessions"]
    assert {row["session_id"] for row in trash} == {*sessions[:2]}
    assert {row["deleted_at"] for row in trash} == {deleted["deleted"]}
    assert client.post("/sessions/restore", json={"deleted": deleted["deleted"]}, headers=JSON).status_code == 200
    assert client.get("/sessions?show=nowhere", headers=JSON).status_code == 400
    assert client.post("/sessions/delete", json={"id": [1]}, headers=JSON).status_code == 400


def test_a_page_whose_session_is_deleted_shows_the_welcome(client, page, sessions):
    here = {**HTMX, "HX-Current-URL": f"http://localhost/sessions/{sessions[0]}"}
    answer = client.post(f"/sessions/{sessions[0]}/delete", headers=here)
    assert answer.headers["HX-Push-Url"] == "/"
    assert page(answer).soup.select("#chatArea .welcome")
    assert page(answer).soup.select_one(".undo")
    elsewhere = client.post(f"/sessions/{sessions[1]}/delete", headers=here)
    assert "HX-Push-Url" not in elsewhere.headers
    assert not page(elsewhere).soup.select("#chatArea")


def test_an_undo_restores_the_others_if_the_one_on_the_page_is_gone_for_good(client, page, sessions):
    answer = client.post("/sessions/delete", json={"id": sessions[:2]}, headers=JSON)
    client.post("/sessions/purge", json={"id": sessions[:1]}, headers=JSON)
    here = {**HTMX, "HX-Current-URL": "http://localhost/"}
    undone = {"deleted": answer.json["deleted"], "left": sessions[0]}
    answer = client.post("/sessions/restore", data=undone, headers=here)
    assert answer.status_code == 200
    assert sessions[1] in answer.text
    assert "HX-Push-Url" not in answer.headers


def test_a_second_click_deletes_and_undoes_no_more(client, page, sessions):
    first, again = (client.post(f"/sessions/{sessions[0]}/delete") for _ in range(2))
    assert first.location == again.location
    assert page(again.location).soup.select_one(".undo")
    deleted = client.get("/sessions?show=trash", headers=JSON).json["sessions"][0]["deleted_at"]
    for _ in range(2):
        assert client.post("/sessions/restore", data={"deleted": deleted}).status_code == 303
        assert client.post("/sessions/restore", data={"id": sessions[0]}).status_code == 303
    assert len(page("/sessions").rows) == len(sessions)


def test_all_of_what_was_searched_for_is_not_all(page, sessions):
    assert page("/sessions").soup.select_one("button[name=all]")
    assert page("/sessions?q=one").rows
    assert not page("/sessions?q=one").soup.select_one("button[name=all]")


# Files that others put into the folder


def drop(home, name, *lines, age=10):
    """Put a transcript into the folder, as another program would."""
    folder = home / "server" / "web-chat-transcripts"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    long_ago = time.time() - age
    os.utime(path, (long_ago, long_ago))
    return path


QUESTION = {"role": "user", "content": "Dropped here\nand more"}
ANSWER = {"role": "assistant", "content": "Found."}


@pytest.mark.files
def test_a_transcript_put_into_the_folder_is_listed(manager, page, home):
    drop(home, "from-elsewhere.jsonl", QUESTION, ANSWER)
    drop(home, "not a session.jsonl", QUESTION)
    drop(home, "notes.txt", QUESTION)
    assert manager.housekeeping.adopt() == ["from-elsewhere"]
    assert titles(page) == ["Dropped here"]
    assert manager.housekeeping.adopt() == []
    assert manager.send_message("go on", "from-elsewhere") == "You said: go on"
    assert [item["content"] for item in manager.backend.histories[-1]] == ["Dropped here\nand more", "Found."]


@pytest.mark.files
def test_an_answer_has_no_transcript_looked_for(manager, home, sessions, monkeypatch):
    """If nothing was put into the folder, a check is one `stat`, however many answers come and go."""
    until(lambda: not manager.answers_in_flight)
    manager.housekeeping.adopt()
    looked_at, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked_at.append(path) or scandir(path))
    for number in range(3):
        manager.send_message(f"again {number}", sessions[number])
        until(lambda: not manager.answers_in_flight)
        assert manager.housekeeping.adopt() == []
    assert looked_at == []
    drop(home, "from-elsewhere.jsonl", QUESTION, ANSWER)
    assert manager.housekeeping.adopt() == ["from-elsewhere"]
    assert len(looked_at) == 1


@pytest.mark.files
def test_known_transcripts_are_not_examined_again(manager, home, sessions, monkeypatch):
    until(lambda: not manager.answers_in_flight)
    drop(home, "from-elsewhere.jsonl", QUESTION, ANSWER)
    examined, stat = [], os.stat
    monkeypatch.setattr(os, "stat", lambda path, **options: examined.append(str(path)) or stat(path, **options))
    assert manager.housekeeping.adopt() == ["from-elsewhere"]
    monkeypatch.undo()
    assert not [path for path in examined for name in sessions if f"{name}.jsonl" in path]


@pytest.mark.files
def test_an_answer_that_an_earlier_version_left_is_taken_in(manager, home, sessions):
    log = transcript(home, sessions[0]).with_suffix(".reply")
    header = {
        "id": "left",
        "parent": manager.conversation(sessions[0]).last.id,
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    log.write_text("".join(json.dumps(line) + "\n" for line in (header, {"d": "half an"})))
    manager.housekeeping.take_in()
    last = manager.conversation(sessions[0]).last
    assert (last.content, last.status) == ("half an", "interrupted")
    assert not log.exists()


@pytest.mark.files
def test_one_that_is_on_its_way_still_is_waited_for(manager, home):
    path = drop(home, "from-elsewhere.jsonl", QUESTION, age=0)
    assert manager.housekeeping.adopt() == []
    os.utime(path, (1, 1))
    assert manager.housekeeping.adopt() == ["from-elsewhere"]


@pytest.mark.files
def test_a_file_that_lacks_its_last_newline_is_whole(manager, page, home):
    path = drop(home, "by-hand.jsonl", QUESTION, ANSWER)
    path.write_bytes(path.read_bytes().rstrip())
    os.utime(path, (1, 1))
    manager.housekeeping.adopt()
    shown = page("/sessions/by-hand")
    assert [message.text for message in shown.messages] == ["Dropped here\nand more", "Found."]
    assert "could not be read" not in shown.soup.get_text()
    manager.send_message("go on", "by-hand")
    assert [message.text for message in page("/sessions/by-hand").messages][1:3] == ["Found.", "go on"]


@pytest.mark.files
@pytest.mark.parametrize(
    "data", [b'{"role":"user","content":"one"}\n{"role":"assis', b'{"role":"us', b"\xff\xfe no words\n at all"]
)
def test_a_damaged_file_is_listed_and_says_so(manager, page, home, data):
    path = drop(home, "damaged.jsonl")
    path.write_bytes(data)
    os.utime(path, (1, 1))
    manager.housekeeping.adopt()
    assert len(titles(page)) == 1
    assert "could not be read" in page("/sessions/damaged").soup.get_text()


@pytest.mark.files
def test_a_file_from_a_machine_whose_clock_is_ahead_is_listed(manager, home):
    drop(home, "ahead.jsonl", QUESTION, age=-3600)
    assert manager.housekeeping.adopt() == ["ahead"]


@pytest.mark.files
def test_what_is_in_the_trash_is_not_listed_again(client, manager, home, sessions):
    client.post("/sessions/delete", data={"all": "yes"})
    for session_id in sessions:
        os.utime(transcript(home, session_id), (1, 1))
    assert manager.housekeeping.adopt() == []


@pytest.mark.files
def test_the_house_is_kept_by_a_thread_of_its_own(home):
    """It goes on after a failure."""
    drop(home, "from-elsewhere.jsonl", QUESTION, ANSWER)
    failed = threading.Event()

    def chore():
        failed.set()
        raise RuntimeError("a chore that fails")

    registry = home / "server" / "web-chat-sessions.json"
    manager = WebChatSessionManager(ScriptedBackend(), registry, chores=(chore,))
    manager.housekeeping.look_interval = manager.housekeeping.after_trouble = 0.01
    manager.keep_house()
    assert failed.wait(10)
    drop(home, "another.jsonl", QUESTION)
    until(lambda: len(manager.list_sessions()) == 2)
    manager.close()


# Later versions


@pytest.mark.files
def test_a_transcript_of_a_later_version_is_shown_and_not_changed(client, manager, page, home):
    path = drop(home, "later.jsonl", {"type": "format", "version": 2}, QUESTION, {"type": "picture", "id": "x"}, ANSWER)
    manager.housekeeping.adopt()
    before = path.read_bytes()
    shown = page("/sessions/later")
    assert [message.text for message in shown.messages] == ["Dropped here\nand more", "Found."]
    assert "later version" in shown.soup.get_text()
    answer = client.post("/sessions/later/messages", data={"message": "hi"})
    assert answer.status_code == 422
    assert "later version" in answer.text
    assert path.read_bytes() == before


@pytest.mark.files
def test_a_list_of_a_later_version_is_shown_and_not_changed(home, page, client):
    path = home / "server" / "web-chat-sessions.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"session_id": "s1", "description": "From the future", "begun": True}]
    path.write_text(json.dumps({"format": 2, "sessions": rows}))
    before = path.read_bytes()
    assert titles(page) == ["From the future"]
    assert "later version" in page("/sessions").soup.get_text()
    assert client.post("/sessions/s1/pin").status_code == 422
    assert client.post("/messages", data={"message": "hi"}).status_code == 422
    assert client.post("/sessions/s1/messages", data={"message": "hi"}).status_code == 422
    assert client.post("/sessions/s1/messages", data={"message": "remember: it"}).status_code == 422
    assert not transcript(home, "s1").exists()
    drop(home, "dropped.jsonl", QUESTION)
    assert client.application.extensions["webchat"].housekeeping.adopt() == []
    assert path.read_bytes() == before


@pytest.mark.files
def test_nothing_goes_for_good_from_a_list_of_a_later_version(home, manager):
    path = drop(home, "s1.jsonl", QUESTION).parent.parent / "web-chat-sessions.json"
    rows = [{"session_id": "s1", "description": "Old", "begun": True, "deleted_at": "2000-01-01T00:00:00+00:00"}]
    path.write_text(json.dumps({"format": 2, "sessions": rows}))
    manager.housekeeping.empty_expired()
    with pytest.raises(InvalidInput):
        manager.housekeeping.purge(["s1"])
    assert transcript(home, "s1").exists()


@pytest.mark.parametrize("path", ["/sessions/archive", "/sessions/import"])
def test_an_error_in_the_list_leads_back_to_it(client, page, path):
    shown = page(client.post(path, headers={"Accept": "text/html"}))
    [way] = shown.soup.select("main > p > a")
    assert (way["href"], way.get_text()) == ("/sessions", "Back to all sessions")
