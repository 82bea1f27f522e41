"""Pictures in messages: seen by the model, shown on the page, stored with the session, private to its owner."""

from __future__ import annotations

import io
import json
import threading
from base64 import b64encode

import pytest

from tests.conftest import HTMX
from tests.pictures import chunk, png
from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.chat.queued import QueuedMessage
from webchat.errors import InvalidInput, NoRoom
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager

CAT, DOG = png(3, 2), png(2, 3, colour=b"\x10\x20\xc0")
JSON, TEXT = {"Accept": "application/json"}, {"Accept": "text/plain"}


class Blind(ScriptedBackend):
    """A backend without support for pictures."""

    @property
    def sees(self):
        raise AttributeError


@pytest.fixture
def posted(client):
    """Posts a message with files as a new conversation's first; the answer's response."""

    def post(message, *files, **headers):
        data = {"message": message, "file": [(io.BytesIO(content), name) for name, content in files]}
        return client.post("/messages", data=data, content_type="multipart/form-data", headers=headers)

    return post


def question(manager):
    return manager.conversation(manager.active_session_id).messages[0]


def chat(backend, **more):
    """A chat in memory."""
    return WebChatSessionManager(backend, **more)


def test_a_picture_goes_to_the_model_and_onto_the_page(posted, manager, backend, page, client):
    assert posted("What is this?", ("cat.png", CAT)).status_code == 303
    session_id = manager.active_session_id
    until(lambda: backend.shown)
    assert (backend.asked, backend.shown) == ([(session_id, "What is this?")], [("cat.png", CAT)])
    shown = page(f"/sessions/{session_id}").soup.select_one("article .pictures a")
    assert (shown.img["alt"], shown.img["src"]) == ("cat.png", shown["href"])
    assert (shown.img["width"], shown.img["height"]) == ("3", "2")
    assert client.get(shown["href"]).data == CAT
    assert [*manager.storage.pictures.sizes(session_id).values()] == [len(CAT)]


def test_its_record_says_what_it_is_and_not_its_bytes(posted, manager):
    posted("Look", ("cat.png", CAT), ("notes.txt", b"hello"))
    record = json.loads(manager.storage.export(manager.active_session_id).splitlines()[0])
    sent = question(manager).pictures[0]
    about = {"name": "cat.png", "media_type": "image/png", "sha256": sent.sha256, "size": len(CAT)}
    assert record["pictures"] == [about | {"width": 3, "height": 2}]
    assert record["files"] == [{"name": "notes.txt", "content": "hello"}]


def test_it_is_served_so_that_it_can_do_nothing(posted, page, manager, client):
    posted("Look", ("cat.png", CAT))
    address = page(f"/sessions/{manager.active_session_id}").soup.select_one(".pictures a")["href"]
    answer = client.get(address)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    digest = question(manager).pictures[0].sha256
    assert answer.headers["Content-Disposition"] == f"inline; filename={digest[:12]}.png"
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_who_knows_its_address_and_not_its_owner_gets_nothing(home):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_AUTH_HEADER": "X-User"}, backend=ScriptedBackend())
    client, manager = app.test_client(), app.extensions["webchat"]
    ada, bob = {"X-User": "ada"}, {"X-User": "bob"}
    files = [{"name": "cat.png", "base64": b64encode(CAT).decode()}]
    client.post("/messages", json={"message": "Mine", "files": files}, headers=ada | JSON)
    client.post("/messages", json={"message": "Hello"}, headers=bob | JSON)
    mine, other = manager.active_session("ada").session_id, manager.active_session("bob").session_id
    key = manager.conversation(mine, "ada").messages[0].pictures[0].key
    assert client.get(f"/sessions/{mine}/pictures/{key}", headers=ada).data == CAT
    assert client.get(f"/sessions/{mine}/pictures/{key}", headers=bob).status_code == 404
    assert client.get(f"/sessions/{other}/pictures/{key}", headers=bob).status_code == 404
    for wrong in ("0" * 64 + ".png", "..", "x.png", key.replace(".png", ".svg")):
        assert client.get(f"/sessions/{mine}/pictures/{wrong}", headers=ada).status_code == 404
    manager.close()


def test_a_script_sends_it_as_a_form_or_as_json(posted, client, backend, manager):
    assert posted("Look", ("cat.png", CAT), **TEXT).text.startswith("You said: Look")
    files = [{"name": "dog.png", "base64": b64encode(DOG).decode()}, {"name": "a.txt", "content": "alpha"}]
    answer = client.post("/messages", json={"message": "And this", "files": files}, headers=JSON)
    assert answer.json["response"].startswith("You said: And this\n\na.txt:")
    assert backend.shown == [("cat.png", CAT), ("dog.png", DOG)]
    found = client.get(f"/sessions/{manager.active_session_id}", headers=JSON).json["messages"][0]
    assert [part["type"] for part in found["parts"]] == ["text", "file", "picture"]
    assert found["pictures"][0]["name"] == "dog.png"
    wrong = [{"name": "dog.png", "base64": "%%%"}]
    assert client.post("/messages", json={"message": "x", "files": wrong}, headers=JSON).status_code == 400


def test_it_can_be_sent_without_a_text(posted, client, backend, manager, page):
    assert posted("", ("cat.png", CAT)).status_code == 303
    until(lambda: manager.answers_in_flight == 0)
    session_id = manager.active_session_id
    assert (backend.asked, backend.shown) == ([(session_id, "")], [("cat.png", CAT)])
    assert manager.get_session(session_id).description == "cat.png"
    assert question(manager).content == ""
    shown = page(f"/sessions/{session_id}")
    assert shown.soup.select_one("article .pictures a").img["alt"] == "cat.png"
    assert manager.send_message("And now?", session_id) == "You said: And now?"
    files = [{"name": "dog.png", "base64": b64encode(DOG).decode()}]
    answer = client.post(f"/sessions/{session_id}/messages", json={"files": files}, headers=JSON)
    assert answer.json["response"] == "You said: "
    assert client.post("/api/chat", json={"files": files}).status_code == 200
    assert [name for name, _ in backend.shown] == ["cat.png", "dog.png", "dog.png"]
    exported = client.get(f"/sessions/{session_id}/export?format=jsonl").data
    other = chat(ScriptedBackend())
    other.archive.bring_in(io.BytesIO(exported))
    assert other.conversation(session_id).messages[0].pictures[0].name == "cat.png"


def test_a_text_file_can_be_sent_without_a_text(posted, manager, backend):
    assert posted(" ", ("notes.txt", b"alpha")).status_code == 303
    until(lambda: backend.asked)
    assert backend.asked[0][1].startswith("notes.txt:\n\n")
    assert manager.active_session().description == "notes.txt"
    assert posted("").status_code == 422


def test_the_json_route_takes_it_too(client, backend):
    client.post("/api/session", json={})
    files = [{"name": "cat.png", "base64": b64encode(CAT).decode()}]
    assert client.post("/api/chat", json={"message": "Look", "files": files}).json["response"] == "You said: Look"
    data = {"message": "And this", "file": (io.BytesIO(DOG), "dog.png")}
    assert client.post("/api/chat", data=data, content_type="multipart/form-data").status_code == 200
    assert backend.shown == [("cat.png", CAT), ("dog.png", DOG)]


def test_what_is_no_whole_picture_is_refused_and_the_text_kept(posted, page, manager):
    answer = posted("Look at this", ("cat.png", CAT[:-9]))
    assert answer.status_code == 422
    shown = page(answer)
    assert "cat.png ends too early" in shown.problem
    assert shown.field == "Look at this"
    assert manager.list_sessions() == []


def test_ten_mib_are_taken_and_more_are_not(posted, manager):
    rest = bytes(10 * 2**20 - len(CAT) - 12)
    assert posted("Large", ("large.png", png(3, 2, chunk(b"IDAT", rest)))).status_code == 303
    assert question(manager).pictures[0].size == 10 * 2**20
    assert posted("Larger", ("larger.png", png(3, 2, chunk(b"IDAT", rest + b"\0")))).status_code == 422


def test_it_stays_with_a_second_try_a_change_a_fork_and_in_the_history(posted, manager, backend):
    posted("Look", ("cat.png", CAT))
    session_id = manager.active_session_id
    until(lambda: not manager.conversation(session_id).messages[-1].in_flight)
    first = manager.conversation(session_id).messages
    manager.retry(session_id, first[-1].id).wait()
    manager.edit(session_id, first[0].id, "Reload").wait()
    assert backend.shown == [("cat.png", CAT)] * 3
    fork = manager.fork(session_id, manager.conversation(session_id).messages[-1].id)
    manager.send_message("and now", fork.session_id)
    (picture,) = backend.histories[-1][0]["pictures"]
    assert (picture.name, picture.read()) == ("cat.png", CAT)
    assert backend.shown == [("cat.png", CAT)] * 3
    manager.housekeeping.delete([session_id])
    manager.housekeeping.purge([session_id])
    assert picture.read() == CAT


@pytest.mark.files
def test_its_file_goes_with_its_session(posted, manager, home):
    posted("Look", ("cat.png", CAT))
    session_id = manager.active_session_id
    until(lambda: not manager.answers_in_flight)
    manager.housekeeping.delete([session_id])
    folder = home / "server" / "web-chat-pictures"
    assert len(list(folder.rglob("*.png"))) == 2
    manager.housekeeping.purge([session_id])
    assert list(folder.rglob("*.png")) == []


def test_it_goes_with_its_session(posted, manager):
    posted("Look", ("cat.png", CAT))
    session_id, key = manager.active_session_id, question(manager).pictures[0].key
    until(lambda: not manager.answers_in_flight)
    manager.housekeeping.delete([session_id])
    assert manager.storage.pictures.read(session_id, key) == CAT
    manager.housekeeping.purge([session_id])
    assert manager.storage.pictures.read(session_id, key) is None


def test_a_model_that_sees_nothing_says_so_before_anything_is_sent(posted, page, manager, backend):
    backend.eyes = False
    answer = posted("Look", ("cat.png", CAT))
    assert answer.status_code == 422
    assert "Scripted has no vision. Choose another model" in page(answer).problem
    assert page(answer).field == "Look"
    assert (manager.list_sessions(), backend.asked) == ([], [])


def test_a_model_that_sees_nothing_is_told_in_words_of_earlier_ones(backend):
    manager = chat(backend)
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "Look", files=[("cat.png", CAT)]).wait()
    blind = Blind()
    manager.use_backend(blind)
    manager.send_message("And now?", session_id)
    assert blind.histories[-1][0]["content"] == "Look\n\n(The picture cat.png is not shown to you.)"
    assert "pictures" not in blind.histories[-1][0]
    with pytest.raises(InvalidInput, match="has no vision"):
        manager.post_message(session_id, "x", files=[("cat.png", CAT)])
    manager.close()


def test_it_counts_for_what_a_person_may_keep(backend):
    manager = chat(backend, limits=Limits(kept=2000))
    session_id = manager.create_session(owner="ada").session_id
    manager.post_message(session_id, "Look", "ada", files=[("cat.png", CAT)]).wait()
    assert manager.storage.kept_by("ada").bytes > len(CAT)
    large = png(3, 2, chunk(b"IDAT", bytes(2000)))
    with pytest.raises(NoRoom):
        manager.post_message(session_id, "x", "ada", files=[("large.png", large)])
    manager.close()


def test_one_that_waits_is_shown_sent_in_its_turn_and_can_be_taken_back(manager, backend, client, page):
    gate = threading.Event()
    backend.plays("first", gate)
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "one")
    until(lambda: backend.asked)
    sent = manager.queue.send(session_id, "two", key="k2", files=[("cat.png", CAT)])
    manager.queue.send(session_id, "three", key="k3", files=[("dog.png", DOG)])
    assert isinstance(sent, QueuedMessage)
    waiting = page(f"/sessions/{session_id}").soup.select("#queue .pictures a")
    assert [client.get(link["href"]).data for link in waiting] == [CAT, DOG]
    manager.queue.take_back(session_id, "k3", keep=True)
    assert "dog.png" in page(f"/sessions/{session_id}").soup.select_one("#returned label").get_text()
    data = {"message": "three", "back": "k3", "keep": "k3", "key": "k4"}
    client.post(f"/sessions/{session_id}/messages", data=data, headers=HTMX)
    gate.set()
    until(lambda: len(backend.asked) == 3 and not manager.answers_in_flight)
    assert backend.shown == [("cat.png", CAT), ("dog.png", DOG)]


def test_a_record_that_is_no_picture_is_no_harm(manager, page, client):
    session_id = manager.create_session().session_id
    good = {"name": "<b>.png", "media_type": "image/png", "sha256": "a" * 64, "size": -1, "width": "x"}
    wrong = [{**good, "sha256": "../../x"}, {**good, "media_type": "image/svg+xml"}, {**good, "name": 3}, 1]
    record = {"role": "user", "content": "x", "pictures": [good, *wrong]}
    manager.storage.transcripts.put_all({session_id: json.dumps(record).encode() + b"\n"})
    (picture,) = question(manager).pictures
    assert (picture.size, picture.width, picture.height) == (0, 0, 0)
    shown = page(f"/sessions/{session_id}")
    assert shown.soup.select_one(".pictures a img")["alt"] == "<b>.png"
    assert client.get(shown.soup.select_one(".pictures a")["href"]).status_code == 404


def test_a_message_that_is_asked_again_brings_its_files_and_pictures(client, posted, manager, backend):
    posted("remember this: the cat", ("cat.png", CAT), ("plan.txt", b"by noon"), **JSON)
    session_id, asked = manager.active_session_id, question(manager)
    again = client.post(f"/sessions/{session_id}/messages/{asked.id}/ask", headers=JSON)
    assert again.status_code == 200
    assert backend.shown == [("cat.png", CAT)] * 2
    assert manager.conversation(session_id).messages[-2].pictures == asked.pictures
    assert manager.conversation(session_id).messages[-2].files == asked.files
