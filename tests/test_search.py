"""Messages are found, in any script, and the index is rebuilt whenever necessary."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace

import pytest

from tests.conftest import HTMX
from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.searches import FOUND, NOT_FOUND
from tests.stored import place_of
from webchat.chat.message import Message
from webchat.chat.search import needles_of
from webchat.manager import WebChatSessionManager
from webchat.storage.search import FRESH, SearchIndex
from webchat.storage.search_file import LookedAtPart, SearchFile

JSON = {"Accept": "application/json"}
PATIENCE = 30


def start(home):
    return WebChatSessionManager(ScriptedBackend(), place_of(home))


@pytest.fixture
def talk(manager):
    """Sends these texts in a new session; returns its id."""

    def talk(*texts):
        session_id = manager.create_session().session_id
        for text in texts:
            manager.send_message(text, session_id)
        return session_id

    return talk


def found(manager, query, limit=30):
    """The ids of the sessions found, once the index is up to date."""
    end = time.monotonic() + PATIENCE
    while True:
        hits, complete, _ = manager.directory.search(query, limit)
        if complete:
            return [hit.session_id for hit in hits]
        assert time.monotonic() < end
        time.sleep(0.02)


def soon(manager, query, ids):
    """The same, for messages of the last second."""
    until(lambda: found(manager, query) == ids)


def index_of(home):
    return home / "server" / "web-chat-search.sqlite"


@pytest.mark.parametrize(("said", "query"), FOUND)
def test_what_was_said_is_found(manager, talk, said, query):
    session_id = talk(said)
    talk("something else")
    assert found(manager, query) == [session_id]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "  ",
        "nothing",
        "fox cat",
        '"',
        "*",
        "AND",
        "NEAR(",
        "a:b",
        "'; DROP",
        "\0",
        "%",
        "_",
        "ow",
        "f",
        "\U0001f389",
    ],
)
def test_what_was_not_said_is_not_found(manager, talk, query):
    talk("the quick brown fox")
    assert found(manager, query) == []


@pytest.mark.parametrize("query", [":-)", "...", " ?! ", "\u2014", "=>", "\ufe0f"])
def test_a_search_for_punctuation_says_that_a_word_is_missing(client, talk, query):
    talk(f"so {query} it is")
    for headers in ({}, HTMX):
        page = client.get("/sessions", query_string={"q": query}, headers=headers).text
        assert "Punctuation alone is not searched. Add a word." in page
    assert "Punctuation alone" not in client.get("/sessions", query_string={"q": f"so {query}"}).text
    assert "Punctuation alone" not in client.get("/sessions", query_string={"q": "+"}).text


@pytest.mark.parametrize(("said", "query"), NOT_FOUND)
def test_what_only_looks_alike_is_not_found(manager, talk, said, query):
    session_id = talk(said, "it is read")
    soon(manager, "it is read", [session_id])
    assert found(manager, query) == []


def test_the_session_of_late_comes_first_with_its_latest_such_message(manager, talk):
    first = talk("tea one", "tea two")
    second = talk("tea three")
    assert found(manager, "tea") == [second, first]
    hits = manager.directory.search("tea", 10).hits
    assert "tea two" in hits[1].before + hits[1].match + hits[1].after
    assert found(manager, "tea", limit=1) == [second]


def test_the_hit_is_shown_where_it_stands(manager, talk):
    talk("word " * 100 + "Überraschung ist hier, " + "more " * 100)
    found(manager, "uberrasch")
    hit = manager.directory.search("uberrasch", 1)[0][0]
    assert hit.match == "Überrasch"
    assert hit.before.startswith("…")
    assert hit.after.startswith("ung ist hier")
    assert len(hit.before + hit.match + hit.after) < 200


def test_what_is_said_next_is_found_too(manager, talk):
    session_id = talk("apples")
    soon(manager, "apples", [session_id])
    manager.send_message("pears", session_id)
    soon(manager, "pears", [session_id])


def test_what_is_deleted_is_not_found_and_is_again_when_it_is_restored(manager, talk):
    session_id = talk("apples")
    soon(manager, "apples", [session_id])
    manager.housekeeping.delete([session_id])
    assert found(manager, "apples") == []
    manager.housekeeping.restore([session_id])
    assert found(manager, "apples") == [session_id]
    manager.housekeeping.delete([session_id])
    manager.housekeeping.purge([session_id])
    soon(manager, "apples", [])


def test_nobody_finds_what_another_owner_said(manager, talk):
    talk("a secret")
    found(manager, "secret")
    assert manager.directory.search("secret", 10, "somebody")[0] == []


@pytest.mark.files
def test_a_transcript_changed_by_hand_is_found_as_it_is_now(manager, talk, home):
    session_id = talk("apples", "pears")
    assert found(manager, "apples") == [session_id]
    path = home / "server" / "web-chat-transcripts" / f"{session_id}.jsonl"
    path.write_text(path.read_text().replace("apples", "cherries"))
    soon(manager, "cherries", [session_id])
    assert found(manager, "apples") == []
    assert found(manager, "pears") == [session_id]


# The index


def damage_by_bytes(path):
    path.write_bytes(b"no database at all" * 1000)


def damage_in_the_middle(path):
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


def delete(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def of_another_version(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 999")


def stale(path):
    with sqlite3.connect(path) as database:
        database.execute("UPDATE files SET stamp = 'old'")
        database.execute("DELETE FROM messages")


@pytest.mark.files
@pytest.mark.parametrize("harm", [damage_by_bytes, damage_in_the_middle, delete, empty, of_another_version, stale])
def test_a_lost_or_damaged_index_is_made_anew(home, harm):
    manager = start(home)
    session_id = manager.create_session().session_id
    manager.send_message("apples and pears", session_id)
    soon(manager, "pears", [session_id])
    manager.close()
    for suffix in ("-wal", "-shm"):
        index_of(home).with_name(index_of(home).name + suffix).unlink(missing_ok=True)
    harm(index_of(home))
    again = start(home)
    soon(again, "pears", [session_id])
    again.close()


@pytest.mark.files
def test_an_index_deleted_beneath_a_running_server_is_made_anew(manager, talk, home):
    session_id = talk("apples")
    soon(manager, "apples", [session_id])
    for suffix in ("", "-wal", "-shm"):
        index_of(home).with_name(index_of(home).name + suffix).unlink(missing_ok=True)
    soon(manager, "apples", [session_id])
    assert index_of(home).exists()


@pytest.mark.files
def test_an_index_that_another_process_made_anew_is_used_by_both(home):
    one, other = start(home), start(home)
    session_id = one.create_session().session_id
    one.send_message("apples", session_id)
    assert found(one, "apples") == found(other, "apples") == [session_id]
    SearchFile(index_of(home), lambda: None).throw_away()
    soon(one, "apples", [session_id])
    other.send_message("pears", session_id)
    soon(other, "pears", [session_id])
    one.close()
    other.close()


@pytest.mark.files
def test_an_index_that_cannot_be_written_is_kept_in_memory(home):
    index_of(home).mkdir(parents=True)
    manager = start(home)
    session_id = manager.create_session().session_id
    manager.send_message("apples", session_id)
    assert found(manager, "apples") == [session_id]
    manager.close()


@pytest.mark.files
def test_the_index_is_for_its_owner_alone(manager, talk, home):
    talk("apples")
    found(manager, "apples")
    assert index_of(home).stat().st_mode & 0o777 == 0o600


def test_two_processes_share_it(home):
    one, other = start(home), start(home)
    session_id = one.create_session().session_id
    one.send_message("apples", session_id)
    assert found(one, "apples") == [session_id]
    assert found(other, "apples") == [session_id]
    other.send_message("pears", session_id)
    soon(one, "pears", [session_id])
    one.close()
    other.close()


class Texts:
    """Texts to index, by session; `look` is called before they are listed."""

    def __init__(self, **said):
        self.said, self.look = said, lambda: None
        self.is_whole = True

    def sessions(self):
        self.look()
        return {name: len(text) for name, text in self.said.items()}

    def messages(self, session_id):
        return [Message(session_id, "user", self.said[session_id])]


def test_what_was_indexed_during_a_search_is_not_claimed_to_be_in_it(tmp_path):
    texts, gate = Texts(old="apples"), threading.Event()
    index = SearchIndex(texts, tmp_path / "search.sqlite")
    until(lambda: index.find("apples", None, lambda name: True, 9).complete)
    texts.said["new"], texts.look = "more apples", lambda: gate.wait(PATIENCE)
    index.forget_gone()

    def then_indexed(name):
        gate.set()
        until(lambda: index.find("more", None, lambda name: True, 9).complete)
        return True

    looked_at = index.find("apples", None, then_indexed, 9)
    assert ([hit.session_id for hit in looked_at.hits], looked_at.complete) == (["old"], False)
    again = index.find("apples", None, lambda name: True, 9)
    assert ([hit.session_id for hit in again.hits], again.complete) == (["new", "old"], True)
    index.close()


def test_an_index_that_could_not_be_updated_is_not_complete():
    def fails():
        raise OSError("not now")

    texts = Texts(old="apples")
    index, texts.look = SearchIndex(texts), fails
    for _ in range(3):
        assert index.find("apples", None, lambda name: True, 9) == ([], False, False)
    texts.look = lambda: None
    until(lambda: index.find("apples", None, lambda name: True, 9).complete)
    index.close()


def test_what_was_written_during_a_long_update_is_not_claimed_to_be_in_it(monkeypatch):
    texts, begun, first, second = Texts(old="apples"), *(threading.Event() for _ in range(3))
    later, messages = [0], texts.messages
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later[0])
    monkeypatch.setattr("webchat.storage.search.time", clock)

    def slow(session_id):
        begun.set()
        assert first.wait(PATIENCE)
        return messages(session_id)

    texts.messages = slow
    index = SearchIndex(texts)
    assert not index.find("apples", None, lambda name: True, 9).complete
    assert begun.wait(PATIENCE)
    texts.said["new"], later[0] = "more apples", 3600
    texts.look = lambda: second.wait(PATIENCE)
    first.set()
    until(lambda: index.find("apples", None, lambda name: True, 9).hits)
    assert not index.find("apples", None, lambda name: True, 9).complete
    second.set()
    until(lambda: index.find("apples", None, lambda name: True, 9).complete)
    assert [hit.session_id for hit in index.find("apples", None, lambda name: True, 9).hits] == ["new", "old"]
    index.close()


def test_an_index_that_cannot_be_updated_is_tried_seldom_and_said_once(caplog):
    tries, texts = [], Texts(old="apples")

    def fails():
        tries.append(time.monotonic())
        raise OSError("not now")

    texts.look = fails
    index = SearchIndex(texts)
    until(lambda: index.find("apples", None, lambda name: True, 9) and len(tries) == 3)
    assert tries[2] - tries[0] > 2 * FRESH - 0.5, "although there were many searches"
    assert caplog.text.count("could not be updated") == 1
    texts.look = lambda: None
    until(lambda: index.find("apples", None, lambda name: True, 9).complete)
    index.close()


def test_processes_that_index_at_once_do_so_once(tmp_path):
    texts = Texts(**{f"s{number}": f"apples {number}" for number in range(100)})
    path = tmp_path / "search.sqlite"
    indexes = [SearchIndex(texts, path) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(SearchIndex.update, indexes))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchone() == (100,)
        assert database.execute("SELECT count(*) FROM files").fetchone() == (100,)
    for index in indexes:
        index.close()


# On the page


def test_the_list_shows_titles_and_what_was_said(client, page, manager, talk):
    titled = talk("Tea in China")
    said = talk("Something else", "and now about TEA <b>")
    talk("no such word")
    found(manager, "tea")
    shown = page("/sessions?q=tea")
    assert [row.title for row in shown.rows] == ["Tea in China"]
    hit = shown.soup.select_one("a.row")
    assert "Something else" in hit.get_text()
    assert hit.select_one("mark").get_text() == "TEA"
    assert "<b>" in hit.select_one(".excerpt").get_text()
    target = hit["href"]
    opened = page(target.partition("#")[0])
    assert opened.soup.select_one("#" + target.partition("#")[2])
    fragment = page(client.get("/sessions?q=tea", headers=HTMX))
    assert [row.title for row in fragment.rows] == ["Tea in China"]
    answer = client.get("/sessions?q=tea", headers=JSON).json
    assert [item["session_id"] for item in answer["sessions"]] == [titled]
    # Where the title is the first message itself it is not shown twice; what is said further on is.
    assert [(item["session_id"], item["text"]) for item in answer["hits"][1:]] == [(titled, "You said: Tea in China")]
    assert answer["hits"][0]["session_id"] == said
    assert answer["complete"] is True


def test_a_title_is_found_whatever_its_accents_and_in_the_archive(page, manager, talk):
    session_id = talk("Über Äpfel")
    manager.housekeeping.archive([session_id])
    assert [row.title for row in page("/sessions?q=uber apfel").rows] == ["Über Äpfel"]


def test_a_hit_far_back_opens_the_session_at_that_message(page, manager):
    session_id = manager.create_session().session_id
    for number in range(40):
        manager.add_exchange(session_id, f"question {number}", lambda n=number: f"answer {n}", "import")
    found(manager, "question 3")
    hit = manager.directory.search("answer 3", 10)[0]
    assert hit
    message = next(m for m in manager.conversation(session_id).messages if m.content == "question 5")
    shown = page(f"/sessions/{session_id}?at={message.id}")
    texts = [message.text for message in shown.messages]
    assert texts[0] == "question 3"
    assert texts[-1] == "answer 39"
    assert len(page(f"/sessions/{session_id}?at=unknown").messages) == 20


@pytest.mark.files
def test_nothing_is_waited_for_while_the_index_is_made(home):
    transcripts = home / "server" / "web-chat-transcripts"
    transcripts.mkdir(parents=True)
    rows = []
    for number in range(300):
        lines = [{"role": "user", "content": f"word{number} {'text ' * 50}"} for _ in range(20)]
        (transcripts / f"s{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        rows.append({"session_id": f"s{number}", "description": f"S {number}"})
    (home / "server" / "web-chat-sessions.json").write_text(json.dumps(rows))
    manager = start(home)
    complete = manager.directory.search("word7", 10)[1]
    assert not complete
    soon(manager, "word299", ["s299"])
    manager.close()


def test_a_hit_in_another_version_of_the_conversation_leads_there(client, page, manager):
    session_id = manager.create_session().session_id
    manager.send_message("apples", session_id)
    first = manager.conversation(session_id).messages[0]
    manager.edit(session_id, first.id, "pears").wait()
    found(manager, "apples")
    shown = page(f"/sessions/{session_id}?at={first.id}")
    assert [message.text for message in shown.messages] == ["pears", "You said: pears"]
    note = shown.soup.find("div", class_="note")
    assert "another version" in note.get_text()
    back = client.post(note.form["action"])
    assert page(back.location.partition("#")[0]).messages[0].text == "apples"
    assert "another version" not in page(f"/sessions/{session_id}?at={first.id}").soup.get_text()
    assert "another version" not in page(f"/sessions/{session_id}?at=unknown").soup.get_text()


def test_what_is_in_a_file_that_went_with_a_message_is_found(manager):
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "Look", files=[("notes.txt", "a pineapple in it")]).wait()
    soon(manager, "pineapple", [session_id])


def test_a_title_is_found_by_its_words_in_any_order(page, manager):
    manager.create_session(description="Green tea in China")
    assert [row.title for row in page("/sessions?q=chin tea").rows] == ["Green tea in China"]
    assert not page("/sessions?q=chin coffee").rows


@pytest.mark.parametrize("filler", ["word ", "Wörter "])
def test_a_hit_deep_in_a_long_message_is_shown_where_it_stands(manager, filler):
    session_id = manager.create_session().session_id
    manager.post_message(session_id, filler * 20_000 + "the zebra at last").wait()
    soon(manager, "zebra", [session_id])
    hit = manager.directory.search("zebra", 1)[0][0]
    assert (hit.before[-4:], hit.match, hit.after) == ("the ", "zebra", " at last")


def test_what_lies_in_the_trash_does_not_stand_before_what_does_not(manager, talk):
    kept = talk("an old aardvark")
    gone = manager.create_session().session_id
    records = [Message(f"m{number}", "user", f"aardvark {number}") for number in range(1000)]
    manager.storage.transcripts.append(gone, *records)
    manager.post_message(gone, "the last aardvark").wait()
    soon(manager, "aardvark", [gone, kept])
    manager.housekeeping.delete([gone])
    assert found(manager, "aardvark") == [kept]


@pytest.mark.files
def test_an_answer_that_a_dead_server_left_behind_is_found(home):
    manager = start(home)
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "question").wait()
    asked = manager.conversation(session_id).messages[0].id
    header = {"id": "left", "parent": asked, "started_at": "2026-01-01T00:00:00+00:00"}
    left = home / "server" / "web-chat-transcripts" / "replies" / f"{session_id}.reply"
    left.write_text(json.dumps(header) + "\n" + json.dumps({"d": "a quokka"}) + "\n")
    manager.keep_house()
    soon(manager, "quokka", [session_id])
    assert not left.exists()
    manager.close()


@pytest.mark.files
def test_what_is_deleted_for_good_leaves_the_index_though_nobody_searches(manager, talk, home):
    kept, gone = talk("kept words"), talk("secret words")
    soon(manager, "words", [gone, kept])
    manager.housekeeping.delete([gone])
    manager.housekeeping.purge([gone])
    index = index_of(home)
    until(lambda: b"secret" not in b"".join(path.read_bytes() for path in index.parent.glob(f"{index.name}*")))
    manager.housekeeping.delete([kept])
    manager.housekeeping.purge([kept])
    until(lambda: not index.exists())


@pytest.mark.files
def test_nobody_makes_an_index_who_only_deletes(manager, talk, home):
    session_id = talk("words")
    manager.housekeeping.delete([session_id])
    manager.housekeeping.purge([session_id])
    assert not index_of(home).exists()


# What one search may cost


def test_each_word_is_looked_for_once_and_twenty_at_most():
    assert needles_of("Tea TEA  tea milk\n") == (["tea", "milk"], True)
    assert needles_of("xyz yyy " * 200) == (["xyz", "yyy"], True)
    many = [f"word{number}" for number in range(21)]
    assert needles_of(" ".join(many[:20])) == (many[:20], True)
    assert needles_of(" ".join(many)) == (many[:20], False)


@pytest.mark.parametrize("query", ["y" * 300, "tea " * 1000, " " * 5000 + "tea"])
def test_of_a_long_query_only_the_beginning_is_looked_at(query):
    words, is_all = needles_of(query)
    assert not is_all
    assert sum(map(len, words)) <= 200


def test_the_first_twenty_needles_of_a_long_query_are_searched_and_it_says_so(client, manager, talk):
    session_id = talk(" ".join(f"word{number}" for number in range(30)))
    query = " ".join(f"word{number}" for number in range(20)) + " nowhere"
    soon(manager, query, [session_id])
    given = client.get("/sessions", query_string={"q": query}, headers=JSON).get_json()
    assert (given["partial"], len(given["hits"])) == (True, 1)
    assert "The search was cut short" in client.get("/sessions", query_string={"q": query}).text
    assert "The search was cut short" in client.get("/sessions", query_string={"q": query}, headers=HTMX).text
    assert "The search was cut short" not in client.get("/sessions", query_string={"q": "word1"}).text


def test_a_search_that_has_taken_its_time_gives_what_it_has_and_says_so(client, manager, talk):
    session_id = talk("tea and milk")
    soon(manager, "tea", [session_id])
    manager.storage.search.longest_search = -1.0
    given = client.get("/sessions?q=tea", headers=JSON)
    assert (given.status_code, given.get_json()["partial"]) == (200, True)
    assert "The search was cut short" in client.get("/sessions?q=tea").text


@pytest.mark.files
def test_sqlite_itself_is_ended_when_the_time_is_over(tmp_path):
    file = SearchFile(tmp_path / "index", lambda: None)
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(LookedAtPart), file.reading(time.monotonic() + 0.05) as database:
        database.execute(endless).fetchone()
    file.close()


@pytest.mark.files
def test_a_search_waits_for_nobody_who_writes_the_index(home):
    writes, ends = threading.Event(), threading.Event()
    manager = start(home)
    manager.send_message("tea and milk", manager.create_session().session_id)
    [session_id] = found(manager, "tea")

    def write():
        with closing(sqlite3.connect(index_of(home))) as database, database:
            database.execute("DELETE FROM files")
            writes.set()
            ends.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert writes.wait(PATIENCE)
        assert [hit.session_id for hit in manager.directory.search("tea", 10).hits] == [session_id]
        ends.set()
        writing.result(PATIENCE)
    manager.close(grace=0)
