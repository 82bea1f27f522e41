"""Messages that are sent while an answer is being written: they wait, and are sent when their turn comes."""

from __future__ import annotations

import io
import threading

import pytest

from tests.conftest import HTMX, Page
from tests.pictures import png
from tests.processes import another_process, says, tell
from tests.reading import chunks, read_until, until
from tests.scripted import ScriptedBackend
from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.errors import BackendUnavailable, Held, InvalidInput, LimitReached, NotWaiting, TooLarge
from webchat.limits import MOST_QUEUED, Limits
from webchat.manager import WebChatSessionManager
from webchat.replies.posted import Posted
from webchat.replies.queue_items import MOST
from webchat.storage import storage_at

PATIENCE = 30


@pytest.fixture
def path(home):
    return home / "server" / "sessions.json"


@pytest.fixture(params=["files", "memory"])
def manager(request, path, backend):
    manager = WebChatSessionManager(backend, path if request.param == "files" else None)
    yield manager
    manager.close()


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def busy(manager, backend, gate):
    """The id of a session in which an answer is in flight until the gate is opened."""
    return begin(manager, backend, gate)


def begin(manager, backend, gate, *more):
    backend.plays("first", gate, *more)
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "one")
    until(lambda: said(manager, session_id)[-1] == ("first", "streaming"))
    return session_id


def said(manager, session_id):
    return [(message.content, message.status) for message in manager.conversation(session_id).messages]


def waiting(manager, session_id):
    return [item.text for item in manager.queue.items(session_id)]


def when_one_waits(manager, session_id, then):
    """Call `then` in another thread once a message waits."""
    threading.Thread(target=lambda: (until(lambda: waiting(manager, session_id)), then()), daemon=True).start()


def until_answered(manager, session_id, text):
    until(lambda: said(manager, session_id)[-1] == (f"You said: {text}", "complete"))
    until(lambda: text not in waiting(manager, session_id))


class TestSending:
    def test_what_is_sent_meanwhile_waits_and_is_sent_in_order(self, manager, backend, busy, gate):
        for text in ("two", "three", "four"):
            queued = manager.queue.send(busy, text, seen="out-of-date")
            assert isinstance(queued, QueuedMessage)
        assert waiting(manager, busy) == ["two", "three", "four"]
        assert said(manager, busy) == [("one", "complete"), ("first", "streaming")]
        gate.set()
        until_answered(manager, busy, "four")
        assert [text for text, _ in said(manager, busy)][::2] == ["one", "two", "three", "four"]
        assert [text for _, text in backend.asked] == ["one", "two", "three", "four"]
        assert waiting(manager, busy) == []

    def test_without_an_answer_in_flight_it_is_sent_at_once(self, manager):
        session_id = manager.create_session().session_id
        posted = manager.queue.send(session_id, "hello")
        assert isinstance(posted, Posted)
        assert posted.wait(PATIENCE)
        assert said(manager, session_id)[-1] == ("You said: hello", "complete")

    def test_of_one_that_is_refused_no_picture_is_kept(self, manager, busy):
        for number in range(MOST):
            manager.queue.send(busy, str(number))
        with pytest.raises(LimitReached):
            manager.queue.send(busy, "look", files=[("a.png", png())])
        assert manager.storage.pictures.sizes(busy) == {}

    def test_its_files_come_with_it(self, manager, backend, busy, gate):
        manager.queue.send(busy, "look", files=[("notes.txt", "né")])
        gate.set()
        until(lambda: len(backend.asked) == 2)
        until(lambda: not manager.storage.leases.is_held(busy))
        asked = manager.conversation(busy).messages[-2]
        assert [(file.name, file.content) for file in asked.files] == [("notes.txt", "né")]
        assert "né" in backend.asked[-1][1]

    @pytest.mark.parametrize(("text", "error"), [("", InvalidInput), ("x" * 11, TooLarge), ("a\0", InvalidInput)])
    def test_what_could_not_be_sent_does_not_wait(self, backend, gate, text, error):
        manager = WebChatSessionManager(backend, limits=Limits(message=10))
        session_id = begin(manager, backend, gate)
        with pytest.raises(error):
            manager.queue.send(session_id, text)
        assert waiting(manager, session_id) == []
        manager.close()

    def test_so_many_wait_and_no_more(self, manager, busy):
        for number in range(MOST):
            manager.queue.send(busy, f"{number}")
        with pytest.raises(LimitReached, match="20 messages waiting"):
            manager.queue.send(busy, "one more")
        assert len(waiting(manager, busy)) == MOST

    def test_so_many_are_taken_back_and_no_more(self, manager, busy):
        for number in range(MOST_QUEUED):
            manager.queue.send(busy, f"{number}", key=f"k{number}")
            manager.queue.take_all_back(busy)
        with pytest.raises(LimitReached, match="100 messages waiting or taken back"):
            manager.queue.send(busy, "one more")
        manager.queue.send(busy, "one more", back=["k0", "k1"])
        assert (len(manager.queue.returned(busy)), len(waiting(manager, busy))) == (MOST_QUEUED - 2, 1)

    def test_where_messages_wait_the_next_does_not_overtake_them(self, manager, backend, busy, gate):
        later = threading.Event()
        backend.plays(later, "second")
        manager.queue.send(busy, "two")
        gate.set()
        until(lambda: len(backend.asked) == 2)
        manager.queue.send(busy, "three")
        assert isinstance(manager.queue.send(busy, "four"), QueuedMessage)
        later.set()
        until_answered(manager, busy, "four")
        assert [text for _, text in backend.asked] == ["one", "two", "three", "four"]

    def test_of_many_that_send_at_once_each_is_answered_once(self, manager, backend, busy, gate):
        texts = [f"text {number}" for number in range(8)]
        threads = [threading.Thread(target=manager.queue.send, args=(busy, text)) for text in texts]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join(PATIENCE)
        until(lambda: len(said(manager, busy)) == 18 and said(manager, busy)[-1][1] == "complete")
        assert sorted(text for text, _ in said(manager, busy)[2::2]) == texts
        until(lambda: waiting(manager, busy) == [])  # the last one leaves the queue once it is sent


class TestAgain:
    def test_a_retry_with_the_same_key_is_the_same_message(self, manager, backend, busy, gate):
        first = manager.queue.send(busy, "two", key="k")
        assert manager.queue.send(busy, "two", key="k") == first
        assert waiting(manager, busy) == ["two"]
        gate.set()
        until_answered(manager, busy, "two")
        again = manager.queue.send(busy, "two", key="k")
        assert (again.question.content, again.answer.content) == ("two", "You said: two")
        assert len(backend.asked) == 2

    def test_it_is_the_same_while_the_next_answer_is_written(self, manager, backend, busy, gate):
        later = threading.Event()
        manager.queue.send(busy, "two", key="k")
        backend.plays("second", later)
        gate.set()
        until(lambda: len(backend.asked) == 2 and not waiting(manager, busy))
        assert isinstance(manager.queue.send(busy, "two", key="k"), Posted)
        assert waiting(manager, busy) == []
        later.set()

    def test_it_is_the_same_after_a_change(self, manager, busy):
        manager.queue.send(busy, "two", key="k")
        manager.queue.change(busy, "k", "deux")
        assert manager.queue.send(busy, "two", key="k").text == "deux"
        assert waiting(manager, busy) == ["deux"]

    def test_another_text_with_the_key_is_another_message(self, manager, busy, gate):
        for _ in range(2):
            for text in ("two", "three"):
                manager.queue.send(busy, text, key="k")
        assert waiting(manager, busy) == ["two", "three"]
        assert len({item.key for item in manager.queue.items(busy)}) == 2
        gate.set()
        until_answered(manager, busy, "three")


class TestChanging:
    def test_it_can_be_changed_and_taken_back(self, manager, busy, gate):
        for text in ("two", "three", "four"):
            manager.queue.send(busy, text, key=text)
        manager.queue.change(busy, "three", "drei")
        assert manager.queue.take_back(busy, "two", keep=False).text == "two"
        assert waiting(manager, busy) == ["drei", "four"]
        gate.set()
        until_answered(manager, busy, "four")
        assert [text for text, _ in said(manager, busy)[::2]] == ["one", "drei", "four"]

    def test_what_is_gone_can_be_neither(self, manager, busy, gate):
        manager.queue.send(busy, "two", key="k")
        gate.set()
        until_answered(manager, busy, "two")
        for call in (
            lambda key: manager.queue.change(busy, key, "else"),
            lambda key: manager.queue.take_back(busy, key, keep=True),
            lambda key: manager.queue.send_now(busy, key),
        ):
            for key in ("k", "never there"):
                with pytest.raises(NotWaiting):
                    call(key)

    def test_what_was_sent_and_is_still_noted_cannot_be_changed(self, manager, busy, gate):
        manager.queue.send(busy, "two", key="k")
        [item] = manager.queue.items(busy)
        gate.set()
        until_answered(manager, busy, "two")
        with manager.storage.queue.changing(busy) as items:
            items.append(item)
        with pytest.raises(NotWaiting):
            manager.queue.change(busy, "k", "else")
        until(lambda: not manager.storage.leases.is_held(busy))
        manager.queue.send_left()
        assert (waiting(manager, busy), len(said(manager, busy))) == ([], 4)

    def test_what_is_kept_for_the_field_is_not_sent_and_goes_with_the_next_message(self, manager, backend, busy, gate):
        manager.queue.send(busy, "two", key="k")
        manager.queue.take_back(busy, "k", keep=True)
        assert [item.text for item in manager.queue.returned(busy)] == ["two"]
        gate.set()
        until(lambda: not manager.storage.leases.is_held(busy))
        manager.queue.send_left()
        assert len(backend.asked) == 1
        manager.queue.drop_returned(busy, ["k"])
        assert manager.queue.returned(busy) == ()


def count_reads(manager, monkeypatch):
    """The sessions whose answer, lease or record is looked up from now on, not counting their queues' versions."""
    read, storage = [], manager.storage
    for looked_up in (storage.replies.view, storage.leases.is_held, storage.sessions.get):

        def look(session_id, *more, looked_up=looked_up):
            read.append(session_id)
            return looked_up(session_id, *more)

        monkeypatch.setattr(looked_up.__self__, looked_up.__name__, look)
    return read


class TestHeld:
    def test_a_stop_takes_all_back(self, manager, backend, busy):
        for text in ("two", "three"):
            manager.queue.send(busy, text)
        assert manager.stop(busy)
        assert said(manager, busy)[-1] == ("first", "stopped")
        assert waiting(manager, busy) == []
        assert [item.text for item in manager.queue.returned(busy)] == ["two", "three"]
        manager.queue.send_left()
        assert len(backend.asked) == 1

    def test_after_a_failure_it_is_kept_and_sent_only_by_hand(self, manager, backend, gate, monkeypatch):
        session_id = begin(manager, backend, gate, BackendUnavailable())
        for text in ("two", "three"):
            manager.queue.send(session_id, text, key=text)
        gate.set()
        until(lambda: manager.queue.is_held(session_id))
        manager.queue.send_left()
        read = count_reads(manager, monkeypatch)
        manager.queue.send_left()
        assert (waiting(manager, session_id), read) == (["two", "three"], [])  # until something has changed
        posted = manager.queue.send_now(session_id, "two")
        assert posted.question.content == "two"
        until_answered(manager, session_id, "three")
        assert [text for text, _ in said(manager, session_id)[2::2]] == ["two", "three"]

    def test_a_new_message_is_not_held_up_by_what_is(self, manager, backend, gate):
        session_id = begin(manager, backend, gate, BackendUnavailable())
        manager.queue.send(session_id, "two", key="k")
        gate.set()
        until(lambda: manager.queue.is_held(session_id))
        assert isinstance(manager.queue.send(session_id, "two", key="k"), QueuedMessage), "it is the one that is held"
        assert isinstance(manager.queue.send(session_id, "hello?"), Posted)
        until_answered(manager, session_id, "two")

    @pytest.mark.parametrize("how", ["a memory", "an edit", "an older version", "a memory, then an edit"])
    def test_what_a_person_does_without_the_model_does_not_send_it(self, manager, backend, gate, how):
        session_id = manager.start_conversation("zero").session.session_id
        until(lambda: not manager.answers_in_flight)
        whole = manager.conversation(session_id).last
        backend.plays("so far", gate, BackendUnavailable())
        manager.retry(session_id, whole.id)
        manager.queue.send(session_id, "two", key="k")
        gate.set()
        until(lambda: manager.queue.is_held(session_id))
        failed = manager.conversation(session_id).last
        if "memory" in how:
            manager.add_exchange(session_id, "recall it", lambda: "It is blue.", "memory")
            manager.queue.send_left()
        if "edit" in how:
            manager.edit_answer(session_id, failed.id, "in my words")
        if "older" in how:
            manager.select(session_id, whole.id)
        manager.queue.send_left()
        assert (waiting(manager, session_id), manager.queue.is_held(session_id)) == (["two"], True)
        with pytest.raises(Held):
            manager.queue.wait(session_id, "k", None, lambda: False)
        assert manager.queue.send_now(session_id, "k").question.content == "two"
        until_answered(manager, session_id, "two")

    @pytest.mark.parametrize("how", ["another version", "a new message"])
    def test_after_that_a_whole_answer_of_the_model_does(self, manager, backend, gate, how):
        session_id = begin(manager, backend, gate, BackendUnavailable())
        manager.queue.send(session_id, "two", key="k")
        gate.set()
        until(lambda: manager.queue.is_held(session_id))
        manager.edit_answer(session_id, manager.conversation(session_id).last.id, "in my words")
        if how == "another version":
            manager.retry(session_id, manager.conversation(session_id).last.id)
        else:
            manager.post_message(session_id, "and now?")
        until_answered(manager, session_id, "two")

    def test_who_waits_for_an_answer_is_told(self, manager, backend, gate):
        session_id = begin(manager, backend, gate, BackendUnavailable())
        manager.queue.send(session_id, "two", key="k")
        manager.queue.send(session_id, "three", key="l")
        manager.queue.take_back(session_id, "l", keep=False)
        with pytest.raises(NotWaiting):
            manager.queue.wait(session_id, "l", None, lambda: False)
        gate.set()
        with pytest.raises(Held):
            manager.queue.wait(session_id, "k", None, lambda: False)
        assert waiting(manager, session_id) == ["two"]

    def test_who_waits_gets_the_answer(self, manager, busy, gate):
        manager.queue.send(busy, "two", key="k")
        threading.Timer(0.05, gate.set).start()
        posted = manager.queue.wait(busy, "k", None, lambda: False)
        assert posted.wait(PATIENCE)
        assert posted.answer.content == "You said: two"

    def test_what_a_process_sent_and_died_before_it_was_answered_is_answered_once(self, manager, backend, busy, gate):
        manager.queue.send(busy, "two", key="k")
        with manager.storage.queue.changing(busy) as items:  # so nobody sends it yet
            gate.set()
            until(lambda: not manager.storage.leases.is_held(busy))
            last = manager.conversation(busy).messages[-1].id
            manager.storage.transcripts.append(busy, Message("q", "user", "two", parent=last, key=items[0].key))
        until_answered(manager, busy, "two")
        assert [text for text, _ in said(manager, busy)] == ["one", "first", "two", "You said: two"]
        assert waiting(manager, busy) == []

    def test_in_the_trash_nothing_is_sent(self, manager, backend, busy, gate):
        manager.queue.send(busy, "two")
        backend.cancelled.clear()
        manager.housekeeping.delete([busy])
        manager.queue.send_left()
        assert len(backend.asked) == 1


class TestPlaces:
    def test_where_no_place_is_free_it_is_tried_again_when_one_is(self, path, backend, gate):
        manager = WebChatSessionManager(backend, path, limits=Limits(replies_per_client=1))
        session_id = begin(manager, backend, gate)
        hold = threading.Event()
        backend.plays("elsewhere", hold)
        manager.post_message(manager.create_session().session_id, "mine too", client="ada")
        manager.queue.send(session_id, "two", client="ada")
        gate.set()
        until(lambda: not manager.storage.leases.is_held(session_id))
        manager.queue.send_left()
        assert waiting(manager, session_id) == ["two"]
        hold.set()
        until_answered(manager, session_id, "two")
        manager.close()

    def test_it_waits_also_where_all_places_are_taken(self, backend, gate):
        manager = WebChatSessionManager(backend, limits=Limits(replies=1))
        session_id = begin(manager, backend, gate)
        manager.queue.send(session_id, "two")
        assert waiting(manager, session_id) == ["two"]
        gate.set()
        until_answered(manager, session_id, "two")
        manager.close()


OTHER = """
    import os, sys, threading
    from tests.scripted import ScriptedBackend
    from webchat.manager import WebChatSessionManager
    from webchat.replies.queue import MessageQueue
    from webchat.replies.rules import ConversationRules

    backend, gate = ScriptedBackend(), threading.Event()
    manager = WebChatSessionManager(backend, sys.argv[1])
    dies = sys.argv[2]
    if dies == "before the next is sent":
        MessageQueue.reply_is_over = lambda self, run: os._exit(0)
    if dies == "before it is noted that it was sent":
        send = ConversationRules.send_queued
        def sent(*args, **more):
            send(*args, **more).wait()
            os._exit(0)
        ConversationRules.send_queued = sent
    backend.plays("first", gate)
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "one")
    posted.wait_for_text(30)
    print(session_id)
    sys.stdin.readline()
    gate.set()
    sys.stdin.readline()
"""


class TestProcesses:
    def test_the_process_whose_answer_ends_sends_what_another_has_queued(self, path):
        with another_process(OTHER, path, "never") as other:
            session_id = says(other)
            manager = WebChatSessionManager(ScriptedBackend(), path)
            assert isinstance(manager.queue.send(session_id, "two"), QueuedMessage)
            tell(other)
            until_answered(manager, session_id, "two")
            assert (waiting(manager, session_id), manager.backend.asked) == ([], [])

    @pytest.mark.parametrize("dies", ["before the next is sent", "before it is noted that it was sent"])
    def test_what_a_process_that_dies_has_left_is_sent_once(self, path, dies):
        with another_process(OTHER, path, dies) as other:
            session_id = says(other)
            manager = WebChatSessionManager(ScriptedBackend(), path)
            manager.queue.send(session_id, "two", key="k")
            tell(other)
            assert other.wait(PATIENCE) == 0
        assert waiting(manager, session_id) == ["two"]
        manager.close()
        manager = WebChatSessionManager(ScriptedBackend(), path)
        manager.keep_house()
        until(lambda: not waiting(manager, session_id))
        until_answered(manager, session_id, "two")
        assert [text for text, _ in said(manager, session_id)] == ["one", "first", "two", "You said: two"]
        manager.close()

    def test_after_a_kill_in_mid_answer_it_is_kept_and_not_sent(self, path):
        with another_process(OTHER, path, "never") as other:
            session_id = says(other)
            manager = WebChatSessionManager(ScriptedBackend(), path)
            manager.queue.send(session_id, "two", key="k")
            other.kill()
            other.wait(PATIENCE)
        manager.housekeeping.take_in()
        manager.queue.send_left()
        assert said(manager, session_id)[-1] == ("first", "interrupted")
        assert (waiting(manager, session_id), manager.queue.is_held(session_id)) == (["two"], True)
        manager.queue.send_now(session_id, "k")
        until_answered(manager, session_id, "two")
        manager.close()


JSON = {"Accept": "application/json"}


@pytest.fixture
def asked(app, backend, gate):
    """The address of a session of the application in which an answer is in flight."""
    return f"/sessions/{begin(app.extensions['webchat'], backend, gate)}"


def texts(page, url):
    return [item.get_text() for item in page(url).soup.select(".queued .waiting-text")]


def queued(client, url):
    return client.get(url, headers=JSON).json["queued"]


class TestRoutes:
    def test_a_form_is_led_to_the_page_on_which_it_waits(self, client, page, asked, gate):
        answer = client.post(f"{asked}/messages", data={"message": "two", "key": "k"})
        assert (answer.status_code, answer.location) == (303, f"{asked}#end")
        assert texts(page, asked) == ["two"]
        gate.set()
        until(lambda: [message.text for message in page(asked).messages][2:] == ["two", "You said: two"])
        assert texts(page, asked) == []

    def test_a_fragment_has_it(self, client, asked):
        answer = client.post(f"{asked}/messages", data={"message": "<two>", "key": "k"}, headers=HTMX)
        shown = Page(answer).soup.select_one('[hx-target="#queue"] .queued')
        assert (shown["data-key"], "Waiting" in shown.get_text()) == ("k", True)
        assert shown.select_one(".waiting-text").get_text() == "<two>"

    def test_a_script_sees_what_waits(self, client, asked):
        files = {"message": "two", "key": "k", "file": (io.BytesIO(b"abc"), "a.txt")}
        client.post(f"{asked}/messages", data=files)
        [item] = queued(client, asked)
        assert (item["key"], item["text"], item["files"]) == ("k", "two", [{"name": "a.txt", "size": 3}])
        assert item["created_at"]

    def test_it_is_changed_and_taken_back_by_a_script(self, client, asked):
        client.post(f"{asked}/messages", data={"message": "two", "key": "k"})
        changed = client.post(f"{asked}/queue/k", json={"message": "deux"}, headers=JSON)
        assert (changed.status_code, changed.json["text"]) == (200, "deux")
        assert [item["text"] for item in queued(client, asked)] == ["deux"]
        assert client.post(f"{asked}/queue/k/remove", headers=JSON).json["text"] == "deux"
        assert queued(client, asked) == []
        for path in ("queue/k", "queue/k/remove", "queue/k/send"):
            gone = client.post(f"{asked}/{path}", data={"message": "x"}, headers=JSON)
            assert (gone.status_code, "no longer in the queue" in gone.json["error"]) == (409, True)

    def test_what_a_form_takes_back_stands_in_the_field_until_it_is_sent(self, client, page, asked, gate):
        files = {"message": "two", "key": "k", "file": (io.BytesIO(b"abc"), "a.txt")}
        client.post(f"{asked}/messages", data=files)
        assert client.post(f"{asked}/queue/k/remove").status_code == 303
        for _ in range(2):
            shown = page(asked)
            assert (shown.field, texts(page, asked)) == ("two", [])
        fields = {(field["name"], field["value"]) for field in shown.soup.select("#returned input")}
        assert fields == {("back", "k"), ("keep", "k")}
        client.post(f"{asked}/messages", data={"message": "two, please", "back": "k", "keep": "k"})
        assert page(asked).field == ""
        [item] = queued(client, asked)
        assert (item["text"], item["files"]) == ("two, please", [{"name": "a.txt", "size": 3}])

    def test_a_stop_gives_it_back(self, client, page, asked):
        for text in ("two", "three"):
            client.post(f"{asked}/messages", data={"message": text})
        answer = client.post(f"{asked}/stop", headers=HTMX)
        back = Page(answer).soup.select('[hx-target="#returned"] [name=back]')
        assert [field["data-text"] for field in back] == ["two", "three"]
        assert Page(answer).soup.select(".queued") == []
        assert page(asked).field == "two\n\nthree"

    def test_a_script_that_stops_is_told_what_was_given_back(self, client, asked):
        files = {"message": "two", "key": "k", "file": (io.BytesIO(b"abc"), "a.txt")}
        client.post(f"{asked}/messages", data=files)
        client.post(f"{asked}/messages", data={"message": "three"})
        [two, three] = client.post(f"{asked}/stop", headers=JSON).json["returned"]
        assert (two["key"], two["text"], two["files"]) == ("k", "two", [{"name": "a.txt", "size": 3}])
        assert three["text"] == "three"
        shown = client.get(asked, headers=JSON).json
        assert (shown["returned"], shown["queued"]) == ([two, three], [])

    def test_without_a_script_a_stop_leads_to_the_page_that_has_it(self, client, page, asked):
        client.post(f"{asked}/messages", data={"message": "two"})
        assert client.post(f"{asked}/stop").status_code == 303
        assert page(asked).field == "two"

    def test_what_is_held_is_sent_by_a_button(self, client, page, backend, gate):
        url = f"/sessions/{begin(manager_of(client), backend, gate, BackendUnavailable())}"
        client.post(f"{url}/messages", data={"message": "two", "key": "k"})
        gate.set()
        until(lambda: page(url).messages[-1].status == "failed")
        assert client.post(f"{url}/queue/k/send", headers=JSON).json["response"] == "You said: two"
        assert queued(client, url) == []

    def test_a_script_is_refused_unless_it_waits(self, client, asked, gate):
        for path in (f"{asked}/messages", "/api/chat"):
            refused = client.post(path, data={"message": "two"}, headers=JSON)
            assert (refused.status_code, "Still answering" in refused.json["error"]) == (409, True)
        assert client.post(f"{asked}/messages", data={"message": "x", "queue": "no"}, headers=JSON).status_code == 400
        when_one_waits(manager_of(client), asked.rpartition("/")[2], gate.set)
        answer = client.post(f"{asked}/messages", data={"message": "two", "queue": "on"}, headers=JSON)
        assert (answer.status_code, answer.json["response"]) == (200, "You said: two")

    @pytest.mark.parametrize("face", ["text/plain", "text/event-stream"])
    def test_a_stream_comes_when_its_turn_does(self, client, asked, gate, face):
        when_one_waits(manager_of(client), asked.rpartition("/")[2], gate.set)
        fields = {"message": "two", "queue": "on"}
        answer = client.post(f"{asked}/messages", data=fields, headers={"Accept": face})
        assert (answer.status_code, "You said: two" in answer.text) == (200, True)

    def test_a_script_is_told_if_its_turn_does_not_come(self, client, backend, gate):
        session_id = begin(manager_of(client), backend, gate, BackendUnavailable())
        url = f"/sessions/{session_id}"
        when_one_waits(manager_of(client), session_id, gate.set)
        answer = client.post(f"{url}/messages", data={"message": "two", "queue": "on", "key": "k"}, headers=JSON)
        assert (answer.status_code, "was not sent" in answer.json["error"]) == (409, True)
        assert [item["key"] for item in queued(client, url)] == ["k"]

    def test_too_many_are_refused_with_a_sentence(self, client, page, asked):
        for number in range(MOST):
            client.post(f"{asked}/messages", data={"message": f"{number}"})
        refused = page(client.post(f"{asked}/messages", data={"message": "one more"}))
        assert (refused.response.status_code, refused.field) == (409, "one more")
        assert "20 messages waiting" in refused.problem

    def test_a_memory_command_is_refused_as_ever(self, client, asked):
        assert client.post(f"{asked}/messages", data={"message": "recall tea"}).status_code == 409
        assert queued(client, asked) == []

    def test_an_open_page_hears_of_it(self, client, asked):
        session_id = asked.rpartition("/")[2]
        with client.get(f"/events?session={session_id}") as stream:
            pieces = chunks(stream)
            client.application.test_client().post(f"{asked}/messages", data={"message": "two", "key": "k"})
            text = read_until(pieces, lambda text: 'data-key="k"' in text)
            assert 'hx-target="#queue"' in text
            client.application.test_client().post(f"{asked}/queue/k/remove")
            text = read_until(pieces, lambda text: 'hx-target="#returned"' in text and 'value="k"' in text)
            assert 'data-key="k"' not in text


def manager_of(client):
    return client.application.extensions["webchat"]


def test_a_line_of_the_file_that_is_not_understood_is_kept_aside(tmp_path):
    storage = storage_at(tmp_path / "sessions.json")
    with storage.queue.changing("s") as items:
        items.append(QueuedMessage("a", "one"))
    path = tmp_path / "web-chat-transcripts" / "queue" / "s.queue"
    damaged = b"damaged\n" + path.read_bytes()
    path.write_bytes(damaged)
    assert [item.key for item in storage.queue.items("s")] == ["a"]
    with storage.queue.changing("s") as items:
        items.append(QueuedMessage("b", "two"))
    assert [item.key for item in storage.queue.items("s")] == ["a", "b"]
    [kept] = path.parent.glob("s.queue.corrupt-*")
    assert kept.read_bytes() == damaged
    storage.discard(["s"])
    assert [*path.parent.iterdir()] == []
