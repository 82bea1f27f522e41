"""The contract of every storage engine."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from tests.searches import FOUND, NOT_FOUND
from webchat.chat.message import File, Message
from webchat.chat.picture import SentPicture
from webchat.chat.queued import QueuedMessage
from webchat.chat.search import title_query
from webchat.chat.session import session_of
from webchat.chat.times import seconds_of, utc_now
from webchat.errors import InvalidInput, LimitReached, SessionBusy, SessionExists
from webchat.fileutil import Locked
from webchat.storage.protocols.documents import KINDS

MANY = 8
HEADER = {"id": "answer", "parent": "m1", "started_at": "2026-01-01T00:00:00+00:00"}


@pytest.fixture
def sessions(storage):
    return storage.sessions


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}+00:00"


def row(name: str, second: int = 0, **more: object) -> dict[str, object]:
    made = {"session_id": name, "description": f"About {name}", "created_at": at(second), "last_active": at(second)}
    return made | {"is_active": True, "begun": True, "extra": {}} | more


def fill(sessions, *names: str, **more: object) -> None:
    for second, name in enumerate(names):
        sessions.insert(row(name, second, **more), 0)


def ids(found) -> list[str]:
    return [session.session_id for session in found]


def change(sessions, name: str, **changes: object) -> None:
    sessions.update([name], lambda _, known: {**known, **changes})


def said(storage, *texts: str) -> None:
    parents = [None, *(f"m{number}" for number in range(1, len(texts)))]
    messages = (Message(f"m{n}", "user", text, parent=parents[n - 1]) for n, text in enumerate(texts, 1))
    storage.transcripts.append("s", *messages)


class TestSessions:
    def test_an_inserted_one_is_found_and_current(self, sessions):
        sessions.insert(row("a", key="k", owner="ada", strange={"kept": 1}), 0)
        assert sessions.get("a").description == "About a"
        assert sessions.row("a")["strange"] == {"kept": 1}
        assert (sessions.with_key("ada", "k"), sessions.with_key(None, "k")) == ("a", None)
        assert sessions.current("ada").session_id == "a"
        assert (sessions.current(None), sessions.get("b"), sessions.row("b")) == (None, None, None)

    def test_one_session_of_each_person_is_current(self, sessions):
        fill(sessions, "a", "b")
        sessions.insert(row("c", owner="ada"), 0)
        assert [sessions.get(name).is_active for name in "abc"] == [False, True, True]
        sessions.update(["a"], lambda _, known: {**known, "is_active": True}, make_current=True)
        assert [sessions.get(name).is_active for name in "abc"] == [True, False, True]

    def test_an_id_and_a_key_are_there_once(self, sessions):
        sessions.insert(row("a", key="k"), 0)
        with pytest.raises(SessionExists):
            sessions.insert(row("a"), 0)
        with pytest.raises(SessionExists):
            sessions.insert(row("b", key="k"), 0)
        sessions.insert(row("c", key="k", owner="ada"), 0)
        assert sessions.get("b") is None

    def test_a_limit_is_each_persons_own_and_the_trash_does_not_count(self, sessions):
        fill(sessions, "a", "b")
        with pytest.raises(LimitReached):
            sessions.insert(row("c"), 2)
        with pytest.raises(LimitReached):
            sessions.require_room(None, 1, 2)
        change(sessions, "b", begun=False, is_active=False)
        with pytest.raises(LimitReached):
            sessions.require_room(None, 1, 2)
        sessions.insert(row("d", owner="ada"), 2)
        change(sessions, "a", deleted_at=at(9), is_active=False)
        sessions.insert(row("c"), 2)
        with pytest.raises(LimitReached):
            sessions.update(["a"], lambda _, known: {**known, "deleted_at": None}, more=1, most=2)
        assert sessions.get("a").deleted_at, "nothing has changed"

    def test_the_last_touched_come_first_and_the_pinned_before_all(self, sessions):
        fill(sessions, "a", "b", "c", "d")
        assert ids(sessions.page(None, "list")) == ["d", "c", "b", "a"]
        sessions.touch({"b": at(20)}, "message")
        change(sessions, "a", pinned=True)
        assert ids(sessions.page(None, "list")) == ["a", "b", "d", "c"]
        assert ids(sessions.all_of(None)) == ["b", "d", "c", "a"]
        assert sessions.get("b").last_active == at(20)
        sessions.touch({"c": at(10)}, "message")
        assert ids(sessions.all_of(None))[:2] == ["c", "b"], "what happened last, whatever its clock said"
        assert ids(sessions.page(None, "list", start=1, count=2)) == ["c", "b"]

    def test_an_import_stands_where_its_time_says(self, sessions):
        fill(sessions, "a", "b", "c")
        for second, name in enumerate("abc", 10):
            sessions.touch({name: at(second)}, "message")
        sessions.insert(row("old"), 0)
        sessions.touch({"old": at(11)}, "import")
        assert ids(sessions.all_of(None)) == ["c", "old", "b", "a"]

    def test_each_shelf_has_its_own(self, sessions):
        fill(sessions, "a", "b", "c", "d")
        sessions.insert(row("empty", begun=False), 0)
        sessions.insert(row("theirs", owner="ada"), 0)
        change(sessions, "a", archived=True)
        change(sessions, "b", deleted_at=at(30), is_active=False)
        change(sessions, "c", deleted_at=at(31), is_active=False)
        pages = {shelf: ids(sessions.page(None, shelf)) for shelf in ("list", "archive", "both", "trash")}
        assert pages["archive"] == ["a"]
        assert pages["trash"] == ["c", "b"]
        assert set(pages["list"]) == {"d", "empty"}, "a session without a message is in the list while it is current"
        assert set(pages["both"]) == {"a", "d", "empty"}
        sessions.insert(row("e"), 0)
        assert set(ids(sessions.page(None, "list"))) == {"d", "e"}

    def test_titles_are_found_by_their_words(self, sessions):
        fill(sessions, "a", "b")
        change(sessions, "b", description="Crème brûlée for two")
        assert ids(sessions.page(None, "list", title_query("creme"))) == ["b"]
        assert ids(sessions.page(None, "list", title_query("two bru"))) == ["b"]
        assert ids(sessions.page(None, "list", title_query("bout"))) == ["a"]

    def test_a_folder_has_its_own(self, sessions):
        for name, folder in (("a", "/x"), ("b", "/x/y"), ("c", "/x")):
            sessions.insert(row(name, extra={"working_dir": folder}), 0)
        sessions.insert(row("d", extra={}), 0)
        change(sessions, "b", deleted_at=at(30), is_active=False)
        change(sessions, "a", description="Crème brûlée")
        assert ids(sessions.page(None, "list", folder="/x")) == ["c", "a"]
        assert ids(sessions.page(None, "list", start=1, count=5, folder="/x")) == ["a"]
        assert ids(sessions.page(None, "list", title_query("creme"), folder="/x")) == ["a"]
        assert ids(sessions.page(None, "list", folder="~")) == ["d"], "where none is noted"
        assert ids(sessions.page(None, "list", folder="/x/")) == []
        assert ids(sessions.page(None, "trash", folder="/x/y")) == ["b"]

    def test_a_change_that_is_refused_changes_nothing(self, sessions):
        fill(sessions, "a", "b")
        before = sessions.version(None)

        def refuse(name, known):
            if name == "b":
                raise InvalidInput("no")
            return {**known, "pinned": True}

        with pytest.raises(InvalidInput):
            sessions.update(["a", "b"], refuse)
        assert not sessions.get("a").pinned
        with pytest.raises(InvalidInput):
            sessions.delete(["a", "b"], refuse)
        assert ids(sessions.page(None, "list")) == ["b", "a"]
        assert sessions.version(None) == before

    def test_what_was_deleted_counts_from_when_it_is_known_to_be(self, sessions):
        fill(sessions, "a", "b")
        change(sessions, "a", deleted_at=at(5), is_active=False)
        change(sessions, "b", deleted_at=at(5), kept_since=at(50), is_active=False)
        five, fifty = (session_of(row("x", second)).created_at for second in (6, 51))

        assert sessions.deleted_before(seconds_of(five)) == ["a"]
        assert set(sessions.deleted_before(seconds_of(fifty))) == {"a", "b"}
        assert sessions.newest_deleted() == seconds_of(at(50))

    def test_what_was_deleted_at_no_time_is_kept(self, sessions):
        fill(sessions, "a")
        change(sessions, "a", deleted_at="garbage", is_active=False)
        assert sessions.deleted_before(seconds_of(at(50))) == []

    def test_every_change_shows_in_the_version(self, sessions):
        versions = [sessions.version(None)]
        for step in (
            lambda: fill(sessions, "a"),
            lambda: sessions.touch({"a": at(3)}, "message"),
            lambda: change(sessions, "a", pinned=True),
            lambda: sessions.delete(["a"], lambda name, known: None),
        ):
            step()
            assert sessions.version(None) not in versions
            versions.append(sessions.version(None))
            assert sessions.version(None) == versions[-1]

    def test_a_change_shows_in_its_owners_version_alone(self, sessions):
        sessions.insert(row("a", owner="ada"), 0)
        sessions.insert(row("b", owner="bob"), 0)
        for step in (
            lambda: sessions.touch({"a": at(3)}, "message"),
            lambda: change(sessions, "a", pinned=True),
            lambda: sessions.insert(row("c", owner="ada"), 0),
            lambda: sessions.delete(["a"], lambda name, known: None),
        ):
            ada, bob = sessions.version("ada"), sessions.version("bob")
            step()
            assert (sessions.version("ada") != ada, sessions.version("bob") == bob) == (True, True)

    def test_writers_at_once_lose_nothing(self, sessions):
        names = [f"s{number}" for number in range(5 * MANY)]
        with ThreadPoolExecutor(MANY) as pool:
            list(pool.map(lambda name: sessions.insert(row(name), 0), names))
        assert {session.session_id for session in sessions.all_of(None)} == {*names}
        assert sum(session.is_active for session in sessions.all_of(None)) == 1

    def test_a_limit_holds_for_writers_at_once(self, sessions):
        def insert(number):
            try:
                sessions.insert(row(f"s{number}"), 3)
            except LimitReached:
                return 0
            return 1

        with ThreadPoolExecutor(MANY) as pool:
            assert sum(pool.map(insert, range(2 * MANY))) == 3

    def test_a_claim_is_nobodys_session_until_it_is_completed(self, sessions):
        fill(sessions, "a")
        asked = []

        def choose(lookup):
            asked.extend([lookup("a")["session_id"], lookup("b")])
            return ["b", "c"]

        sessions.claim(choose, None, 0)
        assert asked == ["a", None]
        assert (set(sessions.claimed()), sessions.get("b")) == ({"b", "c"}, None)
        assert ids(sessions.all_of(None)) == ["a"]
        sessions.complete([row("b", is_active=False)])
        sessions.drop_claims(["a", "b", "c"])
        assert sessions.claimed() == []
        assert (sessions.get("a") is None, sessions.get("b") is None, sessions.row("c")) == (False, False, None)
        with pytest.raises(LimitReached):
            sessions.claim(lambda lookup: ["x", "y"], None, 3)
        assert sessions.claimed() == []


class TestTranscripts:
    def test_what_was_appended_is_read_in_order(self, storage):
        said(storage, "one", "two", "three")
        branch = storage.transcripts.read("s")
        assert [message.content for message in branch.messages] == ["one", "two", "three"]
        assert [message.revision for message in branch.messages] == [1, 2, 3]
        assert (branch.revision, branch.damaged, branch.torn, branch.newer) == (3, False, False, False)
        assert storage.transcripts.read("nobody").messages == ()

    def test_branches_extensions_and_keys(self, storage):
        said(storage, "one", "two")
        storage.transcripts.append("s", Message("b", "user", "instead", parent="m1", key="k"))
        storage.transcripts.append("s", Message("c", "assistant", "so ", parent="b", status="stopped"))
        storage.transcripts.extend("s", Message("c", "assistant", "be it"))
        shown = storage.transcripts.read("s")
        assert [message.content for message in shown.messages] == ["one", "instead", "so be it"]
        assert (shown.messages[-1].revision, shown.revision) == (5, 5)
        assert storage.transcripts.leaf_below("s", "b") == "c"
        assert storage.transcripts.leaf_below("s", "x") is None
        [(question, answer)] = storage.transcripts.sent_with("s", "k")
        assert (question.id, answer.id) == ("b", "c")
        storage.transcripts.select("s", "m2")
        assert [message.id for message in storage.transcripts.read("s").messages] == ["m1", "m2"]
        assert {message.id for message in storage.transcripts.messages("s")} == {"m1", "m2", "b", "c"}

    def test_a_message_is_amended_in_its_place(self, storage):
        picture = SentPicture("a.png", "image/png", "0" * 64, 9, 1, 1)
        said(storage, "see [picture]", "two")
        storage.transcripts.append("s", Message("b", "user", "instead", parent=None))
        storage.transcripts.amend("s", Message("m1", "user", "see", pictures=(picture,)))
        assert [message.content for message in storage.transcripts.read("s").messages] == ["instead"]
        storage.transcripts.select("s", "m2")
        first, second = storage.transcripts.read("s").messages
        assert (first.content, first.pictures, first.siblings, first.revision) == ("see", (picture,), ("m1", "b"), 4)
        assert second.content == "two"
        storage.transcripts.put_all({"t": storage.export("s")})
        assert storage.transcripts.read("t") == storage.transcripts.read("s")

    def test_what_was_read_stays_as_it_was(self, storage):
        said(storage, "one")
        before = storage.transcripts.read("s").messages
        said_before = tuple(before)
        storage.transcripts.append("s", Message("x", "assistant", "more", parent="m1"))
        assert tuple(before) == said_before

    def test_versions_tell_states_apart(self, storage):
        assert storage.transcripts.version("s") is None
        said(storage, "one")
        first = storage.transcripts.version("s")
        assert storage.transcripts.version("s") == first
        storage.transcripts.select("s", "m1")
        assert storage.transcripts.version("s") not in (None, first)
        assert list(storage.transcripts.sessions()) == ["s"]

    def test_an_export_can_be_put_back(self, storage, tmp_path):
        said(storage, "one", "two")
        storage.transcripts.select("s", "m1")
        lines = storage.export("s")
        assert [json.loads(line)["type"] for line in lines.splitlines()] == ["message", "message", "select"]
        storage.transcripts.put_all({"t": lines, "u": lines})
        assert storage.transcripts.read("t") == storage.transcripts.read("s")
        with pytest.raises(FileExistsError):
            storage.transcripts.put_all({"v": lines, "t": lines})
        assert not storage.has("v")


class TestReplies:
    def test_a_reply_grows_and_is_committed(self, storage):
        said(storage, "question")
        log = storage.replies.begin("s", HEADER)
        assert (storage.has("s"), list(storage.replies.sessions())) == (True, ["s"])
        log.write({"d": "one "}, {"part": {"type": "tool_call", "id": "t", "status": "running"}})
        versions = [storage.replies.version("s")]
        log.write({"d": "two"}, {"part": {"type": "tool_call", "id": "t", "status": "done"}})
        assert storage.replies.version("s") not in (None, *versions)
        message = storage.replies.view("s").message(alive=True)
        assert (message.content, message.status, message.parts[1].status) == ("one two", "streaming", "done")
        assert b"one two" in storage.export("s")
        log.write({"end": "complete"})
        log.commit(storage.replies.view("s").message(alive=False), extends=False)
        assert (storage.replies.view("s"), storage.replies.version("s"), list(storage.replies.sessions())) == (
            None, None, [],
        )  # fmt: skip
        assert storage.transcripts.read("s").leaf.content == "one two"

    @pytest.mark.parametrize("cut", [1, 5])
    def test_an_export_has_the_answer_in_flight_after_a_last_line_that_does_not_end(self, storage, cut):
        said(storage, "question", "more")
        lines = storage.export("s")
        storage.transcripts.put_all({"t": lines[:-cut]})
        storage.replies.begin("t", {**HEADER, "parent": "m1"}).write({"d": "one two"})
        exported = storage.export("t")
        assert json.loads(exported.splitlines()[-1])["content"] == "one two"
        storage.transcripts.put_all({"u": exported})
        assert storage.transcripts.read("u").leaf.content == "one two"

    def test_what_a_writer_left_is_settled_once(self, storage):
        said(storage, "question")
        log = storage.replies.begin("s", HEADER)
        log.write({"d": "half"})
        log.leave()
        for _ in range(2):
            storage.replies.settle("s")
            shown = storage.transcripts.read("s").messages
            assert [(message.content, message.status) for message in shown] == [
                ("question", "complete"),
                ("half", "interrupted"),
            ]
        assert storage.replies.view("s") is None

    def test_a_reply_that_was_committed_and_not_yet_removed_is_not_there_twice(self, storage):
        said(storage, "question")
        log = storage.replies.begin("s", HEADER)
        log.write({"d": "whole"}, {"end": "complete"})
        storage.transcripts.append("s", storage.replies.view("s").message(alive=False))
        log.leave()
        storage.replies.settle("s")
        assert [message.content for message in storage.transcripts.read("s").messages] == ["question", "whole"]

    def test_what_could_not_be_written_is_settled_too(self, storage):
        said(storage, "question")
        log = storage.replies.begin("s", HEADER)
        log.write({"d": "kept"})
        view = storage.replies.view("s")
        log.discard()
        storage.replies.settle("s", view)
        assert storage.transcripts.read("s").leaf.content == "kept"

    def test_a_discarded_one_leaves_nothing(self, storage):
        said(storage, "question")
        storage.replies.begin("s", HEADER).discard()
        storage.replies.settle("s")
        assert len(storage.transcripts.read("s").messages) == 1

    def test_requests_reach_the_writer_in_order_and_go_with_the_reply(self, storage):
        log = storage.replies.begin("s", HEADER)
        assert storage.replies.requests("s") == []
        storage.replies.request("other", {"stop": True})
        storage.replies.request("s", {"permission": "p", "option": "a"})
        storage.replies.request("s", {"stop": True})
        assert storage.replies.requests("s") == [{"permission": "p", "option": "a"}, {"stop": True}]
        assert "s" in storage.replies.asked(["s", "t"])
        assert "other" not in storage.replies.asked(["s", "t"])
        log.discard()
        storage.replies.request("s", {"stop": True})
        storage.replies.begin("s", HEADER)
        assert storage.replies.requests("s") == [], "a request for the one before means nothing for this one"


def put(storage, *keys: str, session_id: str = "s") -> None:
    with storage.queue.changing(session_id) as items:
        items.extend(QueuedMessage(key, f"text of {key}") for key in keys)


def write(storage, name: str, data: bytes) -> None:
    with storage.documents.changing(name) as draft:
        draft.data = data


def queued(storage, session_id: str = "s") -> list[str]:
    return [item.key for item in storage.queue.items(session_id)]


class TestQueue:
    def test_the_queues_have_a_version_that_their_changes_and_those_of_their_conversations_change(self, storage):
        assert storage.queued() == {}
        put(storage, "a")
        put(storage, "a", session_id="t")
        known = storage.queued()
        assert {*known} == {"s", "t"}
        assert storage.queued() == known
        release = storage.leases.acquire("s")
        log = storage.replies.begin("s", HEADER)
        seen = [known["s"], storage.queued()["s"]]
        log.write({"d": "text"})
        seen.append(storage.queued()["s"])
        log.discard()
        release()
        storage.transcripts.append("s", Message("m", "user", "hello"))
        seen.append(storage.queued()["s"])
        put(storage, "b")
        seen.append(storage.queued()["s"])
        assert len({*seen}) == 5
        assert storage.queued()["t"] == known["t"]

    def test_what_waits_is_kept_in_order_with_all_that_it_has(self, storage):
        first = QueuedMessage("a", "one\ntwo", (File("n.txt", "né"),), "2026-01-01", "ada", "one", returned=True)
        with storage.queue.changing("s") as items:
            assert items == []
            items.append(first)
        put(storage, "b")
        assert storage.queue.items("s") == (first, QueuedMessage("b", "text of b"))
        assert (list(storage.queue.sessions()), queued(storage, "t")) == (["s"], [])

    def test_a_change_that_raises_changes_nothing(self, storage):
        put(storage, "a", "b")

        def refuse(items):
            items.clear()
            raise InvalidInput("no")

        with pytest.raises(InvalidInput), storage.queue.changing("s") as items:
            refuse(items)
        assert queued(storage) == ["a", "b"]
        with storage.queue.changing("s") as items:
            del items[0]
        assert queued(storage) == ["b"]

    def test_the_last_one_leaves_nothing(self, storage):
        put(storage, "a")
        with storage.queue.changing("s") as items:
            items.clear()
        assert (list(storage.queue.sessions()), storage.queue.version("s")) == ([], None)

    def test_every_change_shows_in_the_version(self, storage):
        versions = [storage.queue.version("s")]
        for key in "abc":
            put(storage, key)
            assert storage.queue.version("s") not in versions
            versions.append(storage.queue.version("s"))

    def test_changes_at_once_lose_nothing(self, storage):
        keys = [f"k{number}" for number in range(5 * MANY)]
        with ThreadPoolExecutor(MANY) as pool:
            list(pool.map(lambda key: put(storage, key), keys))
        assert {*queued(storage)} == {*keys}

    def test_it_goes_with_its_session_and_stays_if_that_does(self, storage):
        fill(storage.sessions, "s", "t")
        for name in ("s", "t", "u"):
            put(storage, "a", session_id=name)

        def refuse():
            raise InvalidInput("no")

        with pytest.raises(InvalidInput):
            storage.purge(["s"], refuse)
        assert queued(storage) == ["a"]
        storage.purge(["s"], lambda: storage.sessions.delete(["s"], lambda name, known: None))
        storage.discard(["u"])
        assert list(storage.queue.sessions()) == ["t"]


PICTURE = b"\x89PNG one\0\xff" * 1000


def delete(storage, *names: str) -> None:
    storage.purge(names, lambda: storage.sessions.delete(names, lambda name, known: None))


class TestPictures:
    def test_a_session_has_what_was_put_into_it_and_nothing_else(self, storage):
        key = storage.pictures.put("s", PICTURE, "png")
        assert key == f"{sha256(PICTURE).hexdigest()}.png"
        assert storage.pictures.read("s", key) == PICTURE
        assert storage.pictures.read("t", key) is None
        assert storage.pictures.read("s", "0" * 64 + ".png") is None
        assert storage.pictures.sizes("s") == {key: len(PICTURE)}
        assert storage.pictures.sizes("t") == {}

    def test_it_may_be_put_there_twice(self, storage):
        assert storage.pictures.put("s", PICTURE, "png") == storage.pictures.put("s", PICTURE, "png")
        storage.pictures.put("s", b"GIF", "gif")
        assert sorted(storage.pictures.sizes("s").values()) == [3, len(PICTURE)]

    def test_it_is_copied_to_another_session_by_its_own_alone(self, storage):
        key = storage.pictures.put("s", PICTURE, "png")
        storage.pictures.copy("nobody", "t", [key])
        assert storage.pictures.read("t", key) is None
        for _ in range(2):
            storage.pictures.copy("s", "t", [key, "0" * 64 + ".png"])
        assert storage.pictures.read("t", key) == PICTURE
        assert [*storage.pictures.sizes("t")] == [key]

    def test_it_goes_with_the_last_session_that_has_it(self, storage):
        fill(storage.sessions, "s", "t")
        key = storage.pictures.put("s", PICTURE, "png")
        storage.pictures.put("t", PICTURE, "png")
        delete(storage, "s")
        assert (storage.pictures.read("s", key), storage.pictures.read("t", key)) == (None, PICTURE)
        storage.discard(["t"])
        assert storage.pictures.read("t", key) is None
        assert storage.pictures.put("u", PICTURE, "png") == key
        assert storage.pictures.read("u", key) == PICTURE

    def test_it_stays_if_its_session_does(self, storage):
        fill(storage.sessions, "s")
        key = storage.pictures.put("s", PICTURE, "png")

        def refuse():
            raise InvalidInput("no")

        with pytest.raises(InvalidInput):
            storage.purge(["s"], refuse)
        assert storage.pictures.read("s", key) == PICTURE

    def test_it_counts_for_its_person(self, storage):
        fill(storage.sessions, "s", "t", owner="ada")
        said(storage, "one")
        storage.pictures.put("s", PICTURE, "png")
        storage.pictures.put("t", PICTURE, "png")
        assert storage.kept_by("ada").bytes == storage.transcripts.size("s") + 2 * len(PICTURE)
        assert [kept.bytes for kept in storage.people()] == [storage.kept_by("ada").bytes]

    def test_it_counts_at_once_also_if_nothing_else_happens_in_its_session(self, storage):
        fill(storage.sessions, "s", owner="ada")
        said(storage, "one")
        before = storage.kept_by("ada").bytes
        for number in (1, 2):
            storage.pictures.put("s", bytes(number) + PICTURE, "png")
            before += number + len(PICTURE)
            assert storage.kept_by("ada").bytes == before

    def test_who_puts_it_while_others_go_has_it(self, storage):
        names = [f"s{number}" for number in range(MANY)]
        fill(storage.sessions, *names)

        def come_and_go(name: str) -> bytes | None:
            for _ in range(5):
                key = storage.pictures.put(name, PICTURE, "png")
                storage.discard([name])
            key = storage.pictures.put(name, PICTURE, "png")
            return storage.pictures.read(name, key)

        with ThreadPoolExecutor(MANY) as pool:
            assert [*pool.map(come_and_go, names)] == [PICTURE] * MANY


class TestDocuments:
    @pytest.fixture(params=KINDS)
    def name(self, storage, request):
        return storage.documents.of(request.param, None)

    def test_what_was_written_is_read_as_it_was(self, storage, name):
        text = bytes(range(256))
        assert (storage.documents.read(name), storage.documents.version(name)) == (None, None)
        with storage.documents.changing(name) as draft:
            assert draft.data is None
            draft.data = text
        with storage.documents.changing(name) as draft:
            assert draft.data == text
        assert storage.documents.read(name) == text
        with storage.documents.changing(name) as draft:
            draft.data = None
        assert (storage.documents.read(name), storage.documents.version(name)) == (None, None)

    def test_every_change_shows_in_the_version_and_in_no_others(self, storage):
        one, other = (storage.documents.of(kind, None) for kind in KINDS[:2])
        write(storage, other, b"other")
        versions, before = [storage.documents.version(one)], storage.documents.version(other)
        for text in (b"a", b"b", b"a"):
            write(storage, one, text)
            assert storage.documents.version(one) not in versions
            versions.append(storage.documents.version(one))
            write(storage, one, text)
            assert storage.documents.version(one) == versions[-1]
        assert (storage.documents.read(other), storage.documents.version(other)) == (b"other", before)

    def test_a_change_that_raises_changes_nothing(self, storage, name):
        write(storage, name, b"kept")
        version = storage.documents.version(name)

        def refuse(draft):
            draft.data, draft.damaged = b"lost", True
            raise InvalidInput("no")

        with pytest.raises(InvalidInput), storage.documents.changing(name) as draft:
            refuse(draft)
        assert (storage.documents.read(name), storage.documents.version(name)) == (b"kept", version)

    def test_changes_at_once_lose_nothing(self, storage, name):
        def add(number):
            with storage.documents.changing(name) as draft:
                draft.data = (draft.data or b"") + b"%d " % number

        with ThreadPoolExecutor(MANY) as pool:
            list(pool.map(add, range(5 * MANY)))
        assert {*map(int, storage.documents.read(name).split())} == {*range(5 * MANY)}

    def test_one_persons_part_is_named_and_found_by_its_kind(self, storage):
        for kind in KINDS:
            names = {storage.documents.of(kind, owner) for owner in (None, "ada", "né/../x\n")}
            assert list(storage.documents.names(kind)) == []
            for name in names:
                write(storage, name, kind.encode())
        for kind in KINDS:
            assert {storage.documents.read(name) for name in storage.documents.names(kind)} == {kind.encode()}
            assert storage.documents.of(kind, "ada") in storage.documents.names(kind)

    def test_of_what_was_not_understood_only_the_new_is_found(self, storage, name):
        write(storage, name, b"damaged")
        with storage.documents.changing(name) as draft:
            draft.data, draft.damaged = b"mended", True
        assert storage.documents.read(name) == b"mended"
        assert [*storage.documents.names(name)] == [name]


class TestLeases:
    def test_one_writer_at_a_time(self, storage):
        release = storage.leases.acquire("s")
        assert (storage.leases.is_held("s"), storage.leases.is_held("t")) == (True, False)
        with pytest.raises(SessionBusy):
            storage.leases.acquire("s")
        storage.leases.acquire("t")()
        thread = threading.Thread(target=release)  # whoever has the answer releases it, in its own thread
        thread.start()
        thread.join()
        assert not storage.leases.is_held("s")
        storage.leases.acquire("s")()


class TestAllTogether:
    def test_a_purge_takes_everything(self, storage):
        fill(storage.sessions, "s", "t")
        said(storage, "gone")
        storage.transcripts.append("t", Message("x", "user", "stays"))
        storage.replies.begin("s", HEADER).leave()
        storage.purge(["s"], lambda: storage.sessions.delete(["s"], lambda name, known: None))
        assert (storage.has("s"), storage.sessions.row("s"), storage.has("t")) == (False, None, True)

    def test_nothing_that_is_purged_stays_in_this_process(self, storage):
        fill(storage.sessions, "s")
        said(storage, "gone")
        read = weakref.ref(storage.transcripts.read("s").leaf)
        storage.purge(["s"], lambda: storage.sessions.delete(["s"], lambda name, known: None))
        gc.collect()
        assert read() is None

    def test_a_purge_takes_all_or_nothing(self, storage):
        fill(storage.sessions, "s", "t")
        said(storage, "stays")
        release = storage.leases.acquire("t")
        with pytest.raises(SessionBusy):
            storage.purge(["s", "t"], lambda: pytest.fail("a session is written to"))
        release()

        def refuse():
            raise InvalidInput("no")

        with pytest.raises(InvalidInput):
            storage.purge(["s", "t"], refuse)
        assert storage.transcripts.read("s").leaf.content == "stays"
        storage.leases.acquire("s")()

    def test_what_each_person_has_is_counted(self, storage):
        assert list(storage.people()) == []
        fill(storage.sessions, "s", "t", owner="ada")
        fill(storage.sessions, "b", owner="bob")
        said(storage, "one", "two")
        change(storage.sessions, "t", deleted_at=at(5))
        storage.sessions.claim(lambda lookup: ["c"], "eve", 0)
        size = storage.transcripts.size("s")
        assert (len(storage.export("s")), storage.transcripts.size("t")) == (size, 0)
        ada = storage.kept_by("ada")
        assert (ada.owner, ada.sessions, ada.deleted, ada.bytes, ada.last_active) == ("ada", 2, 1, size, at(1))
        assert {kept.owner: kept.sessions for kept in storage.people()} == {"ada": 2, "bob": 1}
        assert storage.kept_by("eve").sessions == storage.kept_by(None).sessions == 0
        storage.transcripts.append("s", Message("x", "user", "more", parent="m2"))
        storage.sessions.touch({"s": at(9)}, "message")
        assert storage.kept_by("ada").bytes == storage.transcripts.size("s") > size
        assert storage.kept_by("ada").last_active == at(9)
        storage.purge(["t"], lambda: storage.sessions.delete(["t"], lambda name, known: None))
        assert storage.kept_by("ada").sessions == 1

    def test_words_that_are_gone_go_from_the_search_at_once_if_that_is_waited_for(self, storage):
        fill(storage.sessions, "s", "t")
        said(storage, "quinquereme")
        while not storage.search.find("quinq", None, lambda session_id: True, 10).hits:
            pass
        storage.purge(["s"], lambda: storage.sessions.delete(["s"], lambda name, known: None))
        storage.search.forget_gone(wait=True)
        assert storage.search.find("quinq", None, lambda session_id: True, 10).hits == []

    def test_imports_wait_for_each_other(self, storage):
        with storage.importing(1.0):
            assert storage.is_importing()
            with pytest.raises(Locked), storage.importing(0.0):
                pass
        assert not storage.is_importing()

    def test_what_is_discarded_is_gone(self, storage):
        said(storage, "one")
        assert storage.discard(["s", "nobody"]) == ["s", "nobody"]
        assert not storage.has("s")

    def test_a_reader_is_woken_by_what_is_published_and_by_the_list(self, storage):
        with storage.bus.follow("s", None, lambda: False) as waiter, storage.bus.listen("t") as other:
            storage.bus.publish("s", urgent=True)
            assert waiter.wait(5, urgent=True)
            waiter.clear()
            while waiter.wait(0.5):  # a watcher's first check wakes it once
                waiter.clear()
            other.clear()
            fill(storage.sessions, "new")
            assert waiter.wait(30)
            assert not other.wait(0.0)
            storage.bus.publish_all()
            assert other.wait(30)

    def test_words_are_found_in_what_was_said(self, storage):
        fill(storage.sessions, "s")
        said(storage, "Crème brûlée", "and tea")
        found = storage.search.find("creme", None, lambda session_id: True, 10)
        while not found.complete:
            found = storage.search.find("creme", None, lambda session_id: True, 10)
        assert [(hit.session_id, hit.message_id) for hit in found.hits] == [("s", "m1")]
        assert storage.search.find("creme", None, lambda session_id: False, 10).hits == []

    def test_every_engine_finds_the_same(self, storage):
        cases = [*FOUND, *NOT_FOUND]
        for number, (text, _) in enumerate(cases):
            storage.sessions.insert(row(f"s{number}", number % 60), 0)
            storage.transcripts.append(f"s{number}", Message(f"m{number}", "user", text))

        def is_found(number: int) -> bool:
            found = storage.search.find(cases[number][1], None, f"s{number}".__eq__, 10)
            while not found.complete:
                found = storage.search.find(cases[number][1], None, f"s{number}".__eq__, 10)
            return bool(found.hits)

        numbers = range(len(cases))
        assert [cases[number] for number in numbers if is_found(number) != (number < len(FOUND))] == []

    def test_it_can_be_written_to(self, storage):
        storage.probe()
        storage.recover()
        assert storage.adopt() == []
        assert storage.free() is None or storage.free() > 0

    def test_its_time_is_the_present_in_utc(self, storage):
        before, now, after = utc_now(), storage.now(), utc_now()
        assert now.endswith("+00:00")
        assert abs(seconds_of(now) - seconds_of(before)) < 60 > abs(seconds_of(after) - seconds_of(now))
