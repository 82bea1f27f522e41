"""Memory commands: what counts as one, what is saved and found, and what happens to the file meanwhile."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.memory_folder import MemoryFolder
from tests.reading import until
from tests.stored import documents_in
from webchat.errors import InvalidInput, LimitReached, StorageError, TooLarge
from webchat.fileutil import DiskFolder, locked
from webchat.memory import MemoryStore, answer, categorise, check_memory_intent, tags_of
from webchat.storage import storage_at
from webchat.storage.protocols.documents import MEMORIES

JSON = {"Accept": "application/json"}
NAME = "memory-store.yaml"
LINE_ENDS = "a '\"\n\r\t\x85\u2028\u2029\ufeff:#-|>%\\\x01\x1b\x7f😀é&*!\uffff"
TEXTS = st.text() | st.text(LINE_ENDS, max_size=200) | st.text("ab \n\u2028\x85\\\"'", min_size=60, max_size=300)
HOSTILE = {
    "yaml": "memories:\n- {id: mem-001}\n---\n!!python/object:os.system {}",
    "only a number": "007",
    "only a date": "2024-01-01",
    "nothing to YAML": "~",
    "control characters": "".join(map(chr, range(1, 0xA0))),
    "line ends": "\n a\r\nb\x85c \u2028 d\u2029\n\n  e\t\n",
    "alias": "*all & <<: x",
    "long": "0123456789abcde\n" * 625,
    "long line": "x" * 10_000,
}


@pytest.fixture
def folder(tmp_path):
    return DiskFolder(tmp_path / "home")


@pytest.fixture
def store(folder):
    return MemoryStore(documents_in(folder), clock=lambda: "2026-03-01T10:00:00+00:00")


def write(folder, text):
    folder.replace(NAME, text.encode())


def on_disk(folder):
    return yaml.safe_load(folder.read(NAME))


def contents(memories):
    return [memory["content"] for memory in memories]


def copies(folder):
    return [name for name in folder.names() if ".corrupt-" in name]


# The commands


@pytest.mark.parametrize(
    ("message", "intent"),
    [
        ("remember this: I like tea", ("remember", "I like tea")),
        ("Remember this : x", ("remember", "x")),
        ("remember this：茶が好き", ("remember", "茶が好き")),
        ("REMEMBER: x?", ("remember", "x?")),
        ("remember:x", ("remember", "x")),
        ("  remember\tthat my name is Ada \n", ("remember", "my name is Ada")),
        ("remember that: x", ("remember", "x")),
        ("remember this:\nfirst\n\n  second", ("remember", "first\n\n  second")),
        ("remember: remember that x", ("remember", "remember that x")),
        ("What do you remember about my name?", ("recall", "my name")),
        ("what do you remember about: tea ??", ("recall", "tea")),
        ("what do you remember about 茶？", ("recall", "茶")),
        ("recall tea\nand milk", ("recall", "tea\nand milk")),
        ("Recall: what is C++?", ("recall", "what is C++")),
        ("search memory tea", ("recall", "tea")),
        ("Search Memory for tea", ("recall", "tea")),
        ("search memory for: tea", ("recall", "tea")),
        ("search memory forests", ("recall", "forests")),
    ],
)
def test_a_command_is_understood(message, intent):
    assert check_memory_intent(message) == intent


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "I remember that day",
        "do you remember: it rained?",
        "He said\nremember: x",
        "recalled the parts",
        "recalling x",
        "Remember me?",
        "remember this day",
        "remember this",
        "remember",
        "remember that's all",
        "rememberthat x",
        "what do you remember?",
        "what do you remember about",
        "what do you remember about ?",
        "remember this:",
        "remember this: \n ",
        "remember:",
        "remember that",
        "remember that:",
        "remember that : ",
        "recall",
        "recall ?",
        "search memory",
        "search memory for",
        "search memory for ?",
        "search memoryfor x",
        "search memories x",
    ],
)
def test_anything_else_is_no_command(message):
    assert check_memory_intent(message) is None


# What is saved


def test_a_memory_has_an_id_a_time_a_category_and_tags(store):
    stored = store.remember("I like green tea and Bach's music")
    assert stored == {
        "id": "mem-001",
        "timestamp": "2026-03-01T10:00:00+00:00",
        "category": "preference",
        "content": "I like green tea and Bach's music",
        "tags": ["like", "green", "tea", "bach", "music"],
    }
    assert store.list() == [stored]


def test_the_file_has_the_agreed_shape(store, folder):
    stored = store.remember("Zoë lives\nin Köln")
    assert on_disk(folder) == {"memories": [stored], "next_id": 2}
    assert "Zoë lives" in folder.read(NAME).decode()


@pytest.mark.parametrize(
    ("content", "category"),
    [
        ("My favorite colour is blue", "preference"),
        ("I HATE Mondays", "preference"),
        ("I need to buy milk", "task"),
        ("the project deadline", "task"),
        ("the project meeting", "work"),
        ("my name is Ada", "personal"),
        ("I’m from Köln", "personal"),
        ("water is wet", "fact"),
        ("alikeness", "general"),
        ("", "general"),
    ],
)
def test_the_category_comes_from_the_words(content, category):
    assert categorise(content) == category


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        ("one two three four five six", ["one", "two", "three", "four", "five"]),
        ("The TEA, the tea and O'Brien's tea!", ["tea", "brien"]),
        ("茶", ["茶"]),
        ("it is what it is", ["memory"]),
        ("!!", ["memory"]),
        ("x" * 1000, ["memory"]),
    ],
)
def test_tags_are_the_first_significant_words(content, tags):
    assert tags_of(content) == tags


@given(TEXTS)
@settings(max_examples=150)
def test_any_text_is_recalled_by_itself_and_survives_a_reopen(text):
    folder = MemoryFolder()
    MemoryStore(documents_in(folder)).remember("something else")
    stored = MemoryStore(documents_in(folder)).remember(text)
    assert stored in MemoryStore(documents_in(folder)).recall(text)
    assert contents(MemoryStore(documents_in(folder)).list()) == ["something else", text]
    assert on_disk(folder)["memories"][1] == stored


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_comes_back_exactly(store, folder, text):
    store.remember(text)
    store.remember("the next one")
    assert contents(MemoryStore(documents_in(folder)).list()) == [text, "the next one"]


def test_hostile_text_comes_back_exactly_where_yaml_has_no_c_library():
    code = (
        "import yaml; del yaml.CSafeLoader, yaml.CSafeDumper\n"
        "from webchat.storage import storage_at; from webchat.memory import MemoryStore\n"
        "texts = ['\\x85', 'a\\u2028b', '\\ufeff', ' \\n\\r\\x01', '007']\n"
        "store = MemoryStore(storage_at(None).documents)\n"
        "for text in texts: store.remember(text)\n"
        "assert [memory['content'] for memory in store.list()] == texts\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0


def test_half_a_character_is_refused_and_nothing_written(store, folder):
    with pytest.raises(InvalidInput, match="half a character"):
        store.remember("\ud83d")
    assert folder.read(NAME) is None


# What is found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("GREEN", ["I like green tea", "Green field"]),
        ("reen te", ["I like green tea"]),
        ("the tea that I like", ["I like green tea"]),
        ("green coffee", []),
        ("preference", ["I like green tea"]),
        ("STRASSE", ["Hauptstraße"]),
        ("this", []),
    ],
)
def test_recall_looks_in_content_tags_and_category(store, query, found):
    for content in ("I like green tea", "Green field", "Hauptstraße"):
        store.remember(content)
    assert contents(store.recall(query)) == found


def test_recall_finds_tags_that_a_person_added(store, folder):
    write(folder, "memories:\n- {id: mem-001, content: a, tags: [Garden]}\n")
    assert contents(store.recall("garden")) == ["a"]


def test_each_owner_has_their_own_memories(store, folder):
    ada, nobody = store.remember("tea", owner="ada"), store.remember("tea")
    assert ada["id"] != nobody["id"]
    assert store.recall("tea", owner="ada") == store.list(owner="ada") == [ada]
    assert store.recall("tea") == store.list() == [nobody]
    assert store.recall("tea", owner="bob") == []
    assert [row.get("owner") for row in on_disk(folder)["memories"]] == ["ada", None]
    assert "owner" not in on_disk(folder)["memories"][1]
    assert not store.delete(ada["id"])
    assert store.delete(ada["id"], owner="ada")


def test_nobody_shares_a_document_where_each_person_has_their_own():
    now, documents = ["2026-03-01T00:00:00+00:00"], storage_at(None).documents
    store = MemoryStore(documents, clock=lambda: now[0])
    for owner in ("ada", "bob", None):
        store.remember(f"tea of {owner}", owner)
    assert len(documents.names("memories")) == 3
    assert [contents(store.list(owner)) for owner in ("ada", None)] == [["tea of ada"], ["tea of None"]]
    assert not store.delete("mem-001", "eve")
    assert store.delete("mem-001", "ada")
    assert contents(store.list("bob")) == ["tea of bob"]
    now[0] = "2026-04-01T00:00:01+00:00"
    store.empty_expired()
    assert not any(b"tea of ada" in documents.read(name) for name in documents.names("memories"))
    with documents.changing(documents.of("memories", "bob")) as draft:
        draft.data += b"["
    assert not store.is_whole()
    store.mend()
    assert (store.is_whole(), store.list("bob"), contents(store.list())) == (True, [], ["tea of None"])


# Ids


def test_an_id_is_not_used_again_after_deletion_and_reopening(store, folder):
    store.remember("a")
    assert store.delete("mem-001")
    assert not store.delete("mem-001")
    assert MemoryStore(documents_in(folder)).remember("b")["id"] == "mem-002"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("memories: [{id: mem-041, content: see mem-900}]", "mem-042"),
        ("memories: [{id: mem-041, content: a}]\nnext_id: 7", "mem-042"),
        ("memories: [{id: mem-041, content: a}]\nnext_id: soon", "mem-042"),
        ("memories: []\nnext_id: 999", "mem-999"),
        ("memories: []\nnext_id: 1000", "mem-1000"),
        ("memories: [{id: tea, content: a}]", "mem-001"),
        ("memories: [{id: mem-041, content: a}, {id: mem-050}]", "mem-051"),
        ("memories: [{id: mem-041, content: 'a", "mem-042"),
    ],
)
def test_the_next_id_is_free_whatever_the_file_says(store, folder, file, expected):
    write(folder, file)
    assert store.remember("x")["id"] == expected


# The file


def test_a_missing_file_is_empty_and_reading_does_not_make_it(store, folder):
    assert store.list() == store.recall("x") == []
    assert not store.delete("mem-001")
    assert folder.read(NAME) is None


def test_unknown_keys_survive(store, folder):
    write(folder, "version: 3\nmemories:\n- {id: mem-001, content: a, rank: 7, seen: 2024-01-01}\nother: [1, ~]\n")
    store.remember("b")
    file = on_disk(folder)
    assert (file["version"], file["other"]) == (3, [1, None])
    assert file["memories"][0] == {"id": "mem-001", "content": "a", "rank": 7, "seen": "2024-01-01"}
    assert copies(folder) == []


def test_a_file_written_by_hand_is_json_all_the_same(store, folder):
    write(
        folder,
        "memories:\n"
        "- {id: mem-001, timestamp: 2024-01-01T10:00:00Z, content: 2024-05-05, tags: [2024-01-01, 1, ~]}\n"
        "- {id: 2, content: 42, category: 2024-01-01, tags: tea}\n",
    )
    first, second = json.loads(json.dumps(store.list()))
    assert (first["timestamp"], first["content"]) == ("2024-01-01T10:00:00Z", "2024-05-05")
    assert (first["category"], first["tags"][0]) == ("general", "2024-01-01")
    assert (second["id"], second["content"], second["category"], second["tags"]) == ("2", "42", "2024-01-01", ["tea"])
    assert store.delete("2")


@pytest.mark.parametrize(
    "file",
    [
        b"memories: [{id: mem-001",
        b"\xff\xfe\x00",
        b"just text",
        b"- a\n- b\n",
        b"memories: text",
        b"memories: {id: mem-001}",
        b"a: 1\n---\nb: 2\n",
        b"!!python/object/apply:os.getcwd []",
        b"memories: [" + b"[" * 5000,
        b"next_id: " + b"9" * 5000,
    ],
)
def test_a_damaged_file_is_kept_aside_before_the_first_write(store, folder, file):
    folder.replace(NAME, file)
    assert store.list() == []
    assert copies(folder) == []
    store.remember("a")
    store.remember("b")
    (copy,) = copies(folder)
    assert folder.read(copy) == file
    assert contents(store.list()) == ["a", "b"]


@pytest.mark.parametrize(
    "row", ["text", "~", "{id: mem-009}", "{content: x}", "{id: [], content: x}", "{id: 1, content: {}}"]
)
def test_a_bad_row_costs_only_itself(store, folder, row):
    write(folder, f"top: 1\nmemories: [{{id: mem-001, content: good}}, {row}]\n")
    before = folder.read(NAME)
    assert contents(store.list()) == ["good"]
    assert not store.delete("mem-777")
    assert copies(folder) == []
    store.remember("new")
    assert contents(store.list()) == ["good", "new"]
    assert on_disk(folder)["top"] == 1
    assert [folder.read(copy) for copy in copies(folder)] == [before]


@pytest.mark.parametrize(
    "act", [lambda s: s.list(), lambda s: s.recall("x"), lambda s: s.remember("x"), lambda s: s.delete("x")]
)
def test_a_file_that_cannot_be_read_is_an_error_not_an_empty_store(store, folder, act):
    (folder.path / NAME).mkdir(parents=True)
    with pytest.raises(StorageError):
        act(store)
    assert (folder.path / NAME).is_dir()


def test_a_write_that_fails_changes_nothing(store, folder, monkeypatch):
    store.remember("a")
    before = folder.read(NAME)

    def full(fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        for act in (lambda: store.remember("b"), lambda: store.delete("mem-001")):
            with pytest.raises(StorageError, match="No space left"):
                act()
    assert folder.read(NAME) == before
    assert store.remember("c")["id"] == "mem-002"


def test_a_damaged_file_that_cannot_be_kept_aside_is_not_overwritten(store, folder, monkeypatch):
    write(folder, "memories: [")
    monkeypatch.setattr(folder, "copy", lambda name, to: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(StorageError):
        store.remember("a")
    assert folder.read(NAME) == b"memories: ["


def test_reading_waits_for_nobody(store, folder):
    store.remember("a")
    with locked(folder, NAME):
        assert contents(store.list()) == contents(store.recall("a")) == ["a"]


def _remember_many(path, who):
    store = MemoryStore(documents_in(DiskFolder(path)))
    for number in range(25):
        store.remember(f"{who} {number}")


def test_two_processes_lose_nothing_and_share_no_id(folder):
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_remember_many, args=(folder.path, who)) for who in ("ada", "bob")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    memories = MemoryStore(documents_in(folder)).list()
    assert sorted(contents(memories)) == sorted(f"{who} {number}" for who in ("ada", "bob") for number in range(25))
    assert len({memory["id"] for memory in memories}) == 50


def test_yaml_is_not_loaded_before_the_first_memory():
    code = "import sys, webchat.memory; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0


# The answers


def test_remember_says_what_was_stored(store):
    said = answer(store, "remember", "I like green tea")
    assert said.text == "Remembered! Stored as mem-001 (category: preference, tags: like, green, tea)"
    assert (said.action, said.result) == ("remember", store.list()[0])


def test_recall_lists_what_was_found(store):
    for content in ("I like green tea", "green\nfield"):
        store.remember(content)
    said = answer(store, "recall", "green")
    assert said.text == (
        "Found 2 memory(ies):\n\n- [mem-001] (preference) I like green tea\n- [mem-002] (general) green\nfield"
    )
    assert (said.action, said.result) == ("recall", store.list())


def test_recall_says_when_there_is_nothing(store):
    store.remember("tea", owner="bob")
    said = answer(store, "recall", "tea", owner="ada")
    assert (said.text, said.result) == ("No memories found matching 'tea'.", [])


# The trash


def test_a_deleted_memory_can_be_brought_back_to_its_place(tmp_path):
    store = MemoryStore(documents_in(DiskFolder(tmp_path)))
    for text in ("one", "two", "three"):
        store.remember(text)
    assert store.delete("mem-002")
    assert [memory["content"] for memory in store.list()] == ["one", "three"]
    assert store.recall("two") == []
    assert [memory["content"] for memory in store.trash()] == ["two"]
    assert store.restore("mem-002")
    assert [memory["content"] for memory in store.list()] == ["one", "two", "three"]
    assert store.trash() == []
    assert not store.restore("mem-002")
    assert store.remember("four")["id"] == "mem-004"


def test_one_in_the_trash_goes_for_good_at_once_or_after_its_time(tmp_path):
    now = ["2026-03-01T00:00:00+00:00"]
    store = MemoryStore(documents_in(DiskFolder(tmp_path)), clock=lambda: now[0], trash_days=30)
    for text in ("apples", "pears", "plums"):
        store.remember(text)
    store.delete("mem-001")
    assert not store.purge("mem-002")
    assert store.purge("mem-001")
    assert "apples" not in (tmp_path / "memory-store.yaml").read_text()
    store.delete("mem-002")
    now[0] = "2026-03-30T00:00:00+00:00"
    store.delete("mem-003")
    now[0] = "2026-03-31T00:00:01+00:00"
    assert [memory["content"] for memory in store.trash()] == ["plums"]
    assert "pears" in (tmp_path / "memory-store.yaml").read_text()
    store.empty_expired()
    assert "pears" not in (tmp_path / "memory-store.yaml").read_text()
    assert store.restore("mem-003")


def test_nobody_brings_back_what_another_deleted(tmp_path):
    store = MemoryStore(documents_in(DiskFolder(tmp_path)))
    store.remember("a secret", "ada")
    store.delete("mem-001", "ada")
    assert store.trash() == []
    assert not store.restore("mem-001")
    assert not store.purge("mem-001")
    assert store.restore("mem-001", "ada")


# Limits


def memories_file(count, content="tea", **more):
    rows = [{"id": f"mem-{number:03}", "timestamp": "", "content": content, **more} for number in range(1, count + 1)]
    return json.dumps({"memories": rows, "next_id": count + 1}).encode()


def test_a_text_that_is_too_long_is_not_remembered(folder):
    store = MemoryStore(documents_in(folder))
    with pytest.raises(TooLarge, match="10,000 characters at most"):
        store.remember("x" * 10_001)
    assert store.list() == []
    assert store.remember("x" * 10_000)["id"] == "mem-001"


def test_one_person_has_2000_memories_at_most_with_those_in_the_trash(folder):
    folder.replace(NAME, memories_file(1999))
    store = MemoryStore(documents_in(folder))
    store.remember("the last")
    store.delete("mem-001")
    with pytest.raises(LimitReached, match="There are already 2,000 memories, which is the limit"):
        store.remember("one more")
    store.remember("somebody else's", "ada")
    store.purge("mem-001")
    assert store.remember("one more")["content"] == "one more"


def test_all_of_one_persons_memories_have_a_million_characters_at_most(folder):
    folder.replace(NAME, memories_file(100, "x" * 10_000))
    store = MemoryStore(documents_in(folder))
    with pytest.raises(LimitReached, match="1,000,000 characters in memories"):
        store.remember("y")
    store.remember("y", "ada")


def test_of_many_that_match_the_newest_are_listed_and_the_others_counted(folder):
    folder.replace(NAME, memories_file(300))
    said = answer(MemoryStore(documents_in(folder)), "recall", "tea")
    assert said.text.startswith("Found 300 memory(ies):\n\n- [mem-251]")
    assert said.text.endswith(
        "- [mem-300] (general) tea\n\nThese are the newest; 250 more match. Use more words to narrow the search."
    )
    assert len(said.result) == 300


def test_what_cannot_be_remembered_stays_in_the_field(client, page):
    text = "remember: " + "x" * 10_001
    refused = client.post("/messages", data={"message": text})
    assert refused.status_code == 413
    assert page(refused).field == text
    assert client.post("/api/chat", json={"message": text}).status_code == 413


@pytest.mark.parametrize("path", ["/messages", "/sessions/ID/messages", "/api/chat"])
@pytest.mark.parametrize("text", ["remember this: the plan", "recall the plan"])
def test_a_message_with_a_file_is_no_command(client, manager, backend, path, text):
    session_id = manager.create_session().session_id
    path = path.replace("ID", session_id)
    form = {"message": text, "file": (io.BytesIO(b"by noon"), "plan.txt")}
    fields = {"message": text, "files": [{"name": "plan.txt", "content": "by noon"}]}
    for told in (client.post(path, data=form, headers=JSON), client.post(path, json=fields, headers=JSON)):
        assert told.json["response"].startswith(f"You said: {text}")
        question = manager.conversation(told.json["session_id"]).messages[-2]
        assert (question.content, [file.content for file in question.files]) == (text, ["by noon"])
    assert [("by noon" in asked) for _, asked in backend.asked] == [True, True]
    assert client.post(path, data={"message": text}, headers=JSON).json["response"].startswith(("Remembered", "No mem"))


def test_nor_is_one_with_the_file_of_a_message_that_was_taken_back(client, manager, backend):
    gate = threading.Event()
    backend.plays("first", gate)
    posted = manager.start_conversation("hi")
    session_id = posted.session.session_id
    waits = manager.queue.send(session_id, "look", key="k", files=[("plan.txt", b"by noon")])
    manager.queue.take_back(session_id, waits.key, keep=True)
    gate.set()
    posted.wait()
    form = {"message": "remember this: the plan", "back": waits.key, "keep": waits.key}
    client.post(f"/sessions/{session_id}/messages", data=form, headers={"HX-Request": "true"})
    until(lambda: not manager.answers_in_flight)
    assert [file.content for file in manager.conversation(session_id).messages[-2].files] == ["by noon"]
    assert manager.queue.returned(session_id) == ()


def test_the_settings_page_shows_a_hundred_at_a_time(page, manager):
    with manager.storage.documents.changing(MEMORIES) as draft:
        draft.data = memories_file(250)
    address, sizes = "/apps/settings/", []
    while address:
        soup = page(address).soup
        sizes.append(len(soup.select("#memories .plain")))
        link = soup.find("a", string=lambda text: text and text.startswith("Show older memories"))
        address = link and link["href"].partition("#")[0]
    assert sizes == [100, 100, 50]
    assert "Show the newest memories" in page("/apps/settings/?memories=9").soup.get_text()
