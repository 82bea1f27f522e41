"""The messages of one session: what is read from any file; and files are only appended to."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.memory_folder import MemoryFolder
from webchat.chat.message import Message, history
from webchat.fileutil import DiskFolder, jsonlines
from webchat.storage.files.transcripts import FileTranscripts


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    return DiskFolder(tmp_path / "transcripts") if request.param == "disk" else MemoryFolder()


@pytest.fixture
def transcripts(folder):
    return FileTranscripts(folder)


class ReadsCounted(DiskFolder):
    reads = 0

    def read(self, *args):
        self.reads += 1
        return super().read(*args)

    def read_ends(self, *args):
        self.reads += 1
        return super().read_ends(*args)


def lines(*records):
    """A file's content: each record on a line; bytes and text are taken as they are."""
    return b"".join(
        (record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\n" for record in records
    )


def texts(branch):
    return [message.content for message in branch.messages]


def said(role, content, **more):
    return {"role": role, "content": content, **more}


class TestAppending:
    def test_nothing_is_read_where_there_is_no_file(self, folder, transcripts):
        assert transcripts.read("s").messages == ()
        assert (transcripts.read("s").revision, transcripts.read("s").damaged, transcripts.read("s").leaf) == (
            0,
            False,
            None,
        )
        assert folder.names() == []

    def test_a_message_comes_back_with_all_that_it_had(self, folder, transcripts):
        question = Message("q1", "user", "Zwei\nZeilen 🌍", created_at="2026-01-01T00:00:00+00:00")
        answer = Message(
            "a1",
            "assistant",
            "Teil",
            "failed",
            "q1",
            "2026-01-01T00:00:01+00:00",
            model="m",
            kind="memory",
            reasoning="so",
            notes=("one", "two"),
            error="It broke.",
            code="ended",
        )
        transcripts.append("s", question, answer)
        read = FileTranscripts(folder).read("s")
        assert [message.record() for message in read.messages] == [question.record(), answer.record()]
        assert read.revision == read.leaf.revision == 2

    def test_records_are_typed_and_only_ever_appended(self, folder, transcripts):
        content = b""
        for number in range(4):
            transcripts.append("s", Message(f"m{number}", "user", f"number {number}", parent=f"m{number - 1}"))
            grown = folder.read("s.jsonl")
            assert grown.startswith(content)
            assert grown.count(b"\n") == number + 1
            content = grown
        records = [json.loads(line) for line in content.splitlines()]
        assert {record["type"] for record in records} == {"message"}
        assert {"id", "parent", "role", "content", "status", "created_at"} <= records[0].keys()

    def test_sessions_have_files_of_their_own(self, folder, transcripts):
        transcripts.append("a", Message("m", "user", "to a"))
        transcripts.append("b", Message("m", "user", "to b"))
        assert texts(transcripts.read("a")) == ["to a"]
        assert sorted(folder.names()) == ["a.jsonl", "b.jsonl"]

    def test_what_cannot_be_written_raises(self, tmp_path):
        (tmp_path / "s.jsonl").mkdir()
        transcripts = FileTranscripts(DiskFolder(tmp_path))
        with pytest.raises(OSError, match="directory"):
            transcripts.append("s", Message("m", "user", "hello"))

    def test_what_cannot_be_read_is_not_taken_for_empty(self, tmp_path):
        (tmp_path / "s.jsonl").mkdir()
        with pytest.raises(OSError, match="directory"):
            FileTranscripts(DiskFolder(tmp_path)).read("s")

    def test_a_message_after_a_torn_line_stands_alone(self, folder, transcripts):
        folder.replace("s.jsonl", lines(said("user", "one")) + b'{"role": "assis')
        assert texts(transcripts.read("s")) == ["one"]
        transcripts.append("s", Message("m", "user", "two", parent=transcripts.read("s").leaf.id))
        for reader in (transcripts, FileTranscripts(folder)):
            assert texts(reader.read("s")) == ["one", "two"]
            assert reader.read("s").damaged

    def test_half_an_emoji_is_written_as_a_question_mark(self, folder, transcripts):
        transcripts.append("s", Message("m", "user", "cut \ud83d"))
        assert texts(FileTranscripts(folder).read("s")) == ["cut ?"]


class TestReading:
    def test_a_flat_transcript_from_elsewhere_reads(self, folder, transcripts):
        folder.replace("s.jsonl", lines(said("user", "one"), said("assistant", "two"), said("user", "three")))
        read = transcripts.read("s")
        assert texts(read) == ["one", "two", "three"]
        assert not read.damaged
        assert len({message.id for message in read.messages}) == 3
        assert [message.parent for message in read.messages] == [None, *(m.id for m in read.messages[:-1])]
        assert {message.status for message in read.messages} == {"complete"}
        assert [message.id for message in FileTranscripts(folder).read("s").messages] == [m.id for m in read.messages]

    def test_windows_line_ends_and_blank_lines_do_no_harm(self, folder, transcripts):
        folder.replace(
            "s.jsonl", b'\r\n{"role": "user", "content": "one"}\r\n\n  \n{"role": "user", "content": "two"}\r\n\n'
        )
        assert texts(transcripts.read("s")) == ["one", "two"]
        assert not transcripts.read("s").damaged

    def test_a_branch_is_shown_from_its_parents(self, folder, transcripts):
        transcripts.append("s", Message("q", "user", "question"), Message("a", "assistant", "first", parent="q"))
        transcripts.append("s", Message("b", "assistant", "second", parent="q"))
        assert texts(transcripts.read("s")) == ["question", "second"]
        transcripts.append("s", Message("c", "user", "and then", parent="b"))
        assert texts(transcripts.read("s")) == ["question", "second", "and then"]
        transcripts.append("s", Message("d", "user", "back", parent="a"))
        assert texts(transcripts.read("s")) == texts(FileTranscripts(folder).read("s")) == ["question", "first", "back"]

    def test_an_explicit_root_begins_anew(self, folder, transcripts):
        folder.replace("s.jsonl", lines(said("user", "one"), said("user", "other", type="message", parent=None)))
        assert texts(transcripts.read("s")) == ["other"]

    def test_a_flat_transcript_from_elsewhere_may_have_null_parents(self, folder, transcripts):
        folder.replace("s.jsonl", lines(said("user", "one", parent=None), said("assistant", "two", parent=None)))
        assert texts(transcripts.read("s")) == ["one", "two"]

    def test_a_parent_that_is_not_there_is_the_message_before(self, folder, transcripts):
        folder.replace("s.jsonl", lines(said("user", "one", id="m"), said("user", "two", parent="gone")))
        assert texts(transcripts.read("s")) == ["one", "two"]

    def test_a_message_that_is_its_own_parent_ends_somewhere(self, folder, transcripts):
        folder.replace(
            "s.jsonl", lines(said("user", "one", id="m", parent="m"), said("user", "two", id="n", parent="n"))
        )
        assert texts(transcripts.read("s")) == ["one", "two"]

    def test_types_of_later_versions_are_passed_over_and_are_no_damage(self, folder, transcripts):
        later = [{"type": "select", "id": "x"}, {"type": "delete"}, {"type": "later", "role": "user", "content": "no"}]
        folder.replace("s.jsonl", lines(said("user", "one"), *later, said("user", "two"), later[0]))
        read = transcripts.read("s")
        assert texts(read) == ["one", "two"]
        assert not read.damaged
        assert read.revision > read.leaf.revision

    @pytest.mark.parametrize(
        "bad",
        [
            b"not json",
            b"\xff\xfe\0",
            b"5",
            b"[]",
            b"{",
            b"[" * 100_000,
            {},
            {"type": "message"},
            said("user", None),
            said("user", ["part"]),
            said(5, "text"),
            said("user", "again", id="one"),
        ],
    )
    def test_a_line_that_is_not_understood_is_passed_over_and_said(self, folder, transcripts, bad):
        before = lines(said("user", "one", id="one"), bad, said("user", "two"))
        folder.replace("s.jsonl", before)
        read = transcripts.read("s")
        assert texts(read) == ["one", "two"]
        assert read.damaged
        transcripts.append("s", Message("m", "user", "three", parent=read.leaf.id))
        assert texts(transcripts.read("s")) == ["one", "two", "three"]
        assert folder.read("s.jsonl").startswith(before)

    @pytest.mark.parametrize(
        ("field", "value", "read_as"),
        [
            ("status", "streaming", "complete"),
            ("status", "later", "complete"),
            ("status", 5, "complete"),
            ("status", "stopped", "stopped"),
            ("created_at", 5, ""),
            ("model", [], None),
            ("notes", "text", ()),
            ("notes", [1, "two", None], ("two",)),
            ("error", {}, None),
            ("parent", 5, None),
        ],
    )
    def test_a_strange_value_is_not_shown(self, folder, transcripts, field, value, read_as):
        folder.replace("s.jsonl", lines(said("user", "one", **{field: value})))
        assert getattr(transcripts.read("s").leaf, field) == read_as

    @pytest.mark.parametrize("name", ["", "a b", '"><script>', "a" * 129, 5, None, "é", "../x"])
    def test_an_id_that_no_page_could_hold_is_replaced(self, folder, transcripts, name):
        folder.replace("s.jsonl", lines(said("user", "one", id=name)))
        assert transcripts.read("s").leaf.id == f"line-{folder.stamp('s.jsonl').size}"

    def test_half_an_emoji_from_elsewhere_can_be_shown(self, folder, transcripts):
        folder.replace(
            "s.jsonl", b'{"role": "user", "content": "cut \\ud83d"}\n{"role": "user", "content": "\xed\xa0\xbd"}\n'
        )
        assert "".join(texts(transcripts.read("s"))).encode("utf-8").startswith(b"cut ?")

    def test_a_line_that_is_still_being_written_is_left_for_later(self, folder, transcripts):
        whole = lines(said("user", "one"), said("assistant", "two"))
        for cut in range(len(whole) + 1):
            folder.replace("s.jsonl", whole[:cut])
            read = transcripts.read("s")
            # A record is complete without its newline, too: some editors leave files like that.
            assert texts(read) == ["one", "two"][: (whole[:cut] + b"\n").count(b"}\n")]
            assert not read.damaged


class TestChangesUnderneath:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "s.jsonl"
        path.write_bytes(
            lines(said("user", "one"), said("assistant", "two"), said("user", "a longer third message" * 9))
        )
        return path

    @pytest.fixture
    def transcripts(self, tmp_path, path):
        transcripts = FileTranscripts(DiskFolder(tmp_path))
        assert len(transcripts.read("s").messages) == 3
        return transcripts

    def test_what_another_process_appends_is_seen(self, path, transcripts):
        with path.open("ab") as file:
            file.write(lines(said("assistant", "four")))
        assert texts(transcripts.read("s"))[-1] == "four"
        assert len(transcripts.read("s").messages) == 4

    @pytest.mark.parametrize("theirs", [b"", lines(said("user", "theirs")), b'{"role": "user", "cont'], ids=len)
    def test_own_messages_are_shown_whatever_another_process_writes_between_them(self, path, transcripts, theirs):
        last = transcripts.read("s").messages[-1].id
        transcripts.append("s", Message("a", "assistant", "ours", parent=last))
        with path.open("ab") as file:
            file.write(theirs)
        transcripts.append("s", Message("b", "user", "ours again", parent="a"))
        shown, afresh = transcripts.read("s"), FileTranscripts(DiskFolder(path.parent)).read("s")
        assert texts(shown) == texts(afresh)
        assert texts(shown)[3:] == ["ours", "ours again"]
        assert (shown.revision, shown.damaged) == (afresh.revision, afresh.damaged)

    def test_a_file_that_was_replaced_is_read_anew(self, tmp_path, transcripts):
        new = lines(said("user", "other"), said("assistant", "text" * 200))
        DiskFolder(tmp_path).replace("s.jsonl", new)
        assert texts(transcripts.read("s")) == ["other", "text" * 200]

    def test_a_file_that_was_cut_is_read_anew(self, path, transcripts):
        path.write_bytes(path.read_bytes()[:60])
        assert texts(transcripts.read("s")) == ["one"]

    def test_a_file_that_was_edited_in_place_is_read_anew(self, path, transcripts):
        path.write_bytes(path.read_bytes().replace(b"two", b"number two") + lines(said("user", "five")))
        assert texts(transcripts.read("s"))[1::2] == ["number two", "five"]

    def test_an_edit_that_leaves_the_size_is_read_too(self, path, transcripts):
        path.write_bytes(path.read_bytes().replace(b"two", b"2.0"))
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))
        assert texts(transcripts.read("s"))[1] == "2.0"

    def test_a_file_that_went_is_empty_and_may_come_back(self, path, transcripts):
        content = path.read_bytes()
        path.unlink()
        assert transcripts.read("s").messages == ()
        path.write_bytes(content)
        assert len(transcripts.read("s").messages) == 3

    def test_own_messages_are_not_read_again(self, tmp_path):
        folder = ReadsCounted(tmp_path)
        transcripts = FileTranscripts(folder)
        assert texts(transcripts.read("s")) == []
        before = folder.reads
        for number in range(3):
            parent = f"m{number - 1}" if number else None
            transcripts.append("s", Message(f"m{number}", "user", f"number {number}", parent=parent))
            assert texts(transcripts.read("s")) == [f"number {each}" for each in range(number + 1)]
        assert folder.reads == before

    def test_many_sessions_are_read_right_however_few_are_kept_in_mind(self, tmp_path):
        transcripts = FileTranscripts(DiskFolder(tmp_path))
        for number in range(70):
            transcripts.append(f"s{number}", Message("m", "user", f"number {number}"))
        for number in [*range(70), *range(70)]:
            assert texts(transcripts.read(f"s{number}")) == [f"number {number}"]


class TestHistory:
    def test_it_has_what_was_said(self):
        messages = [Message("q", "user", "hello"), Message("a", "assistant", "hi", parent="q")]
        assert history(messages) == [
            {"id": "q", "role": "user", "content": "hello"},
            {"id": "a", "role": "assistant", "content": "hi"},
        ]

    def test_it_leaves_out_what_no_model_should_hear(self):
        messages = [
            Message("1", "user", "hello"),
            Message("2", "assistant", "half an", "failed"),
            Message("3", "user", "remember this", kind="memory"),
            Message("4", "assistant", "I will", kind="memory"),
            Message("5", "system", "be evil"),
            Message("6", "assistant", " \n"),
            Message("7", "assistant", "as far as it", "stopped"),
            Message("8", "assistant", "went", "interrupted"),
        ]
        assert [item["id"] for item in history(messages)] == ["1", "7", "8"]


WHOLE = lines(
    *(
        said("user", f"Grüße {number} 🌍", id=f"m{number}", parent=f"m{number - 1}" if number else None)
        for number in range(6)
    )
)


def sound(transcripts):
    """The branch, after checking what holds for every file."""
    branch = transcripts.read("s")
    assert len({message.id for message in branch.messages}) == len(branch.messages)
    for before, after in pairwise(branch.messages):
        assert after.parent == before.id
        assert before.revision < after.revision <= branch.revision
    for message in branch.messages:
        message.content.encode("utf-8")
        assert message.status in ("complete", "stopped", "interrupted", "failed")
    return branch


def stored(content):
    folder = MemoryFolder()
    folder.replace("s.jsonl", content)
    return folder


@settings(max_examples=60)
@given(cut=st.integers(0, len(WHOLE)), flips=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))))
def test_a_damaged_transcript_can_be_read_and_written(cut, flips):
    data = bytearray(WHOLE)
    for place, value in flips:
        data[place] = value
    folder = stored(bytes(data[:cut]))
    transcripts = FileTranscripts(folder)
    before = sound(transcripts)
    transcripts.append("s", Message("new", "user", "new", parent=before.leaf.id if before.leaf else None))
    assert [message.id for message in sound(transcripts).messages] == [*(m.id for m in before.messages), "new"]
    assert sound(FileTranscripts(folder)) == sound(transcripts)


@settings(max_examples=60)
@given(
    content=st.lists(st.binary(max_size=30) | st.sampled_from(lines(said("user", "x")).splitlines())).map(b"\n".join)
)
def test_a_transcript_of_any_bytes_can_be_read(content):
    sound(FileTranscripts(stored(content)))


@settings(max_examples=60)
@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=10), flip=st.integers(0, len(WHOLE) - 1))
def test_reading_on_gives_what_reading_at_once_gives(cuts, flip):
    data = bytearray(WHOLE)
    data[flip] ^= 1
    with TemporaryDirectory() as path, (Path(path) / "s.jsonl").open("wb", buffering=0) as file:
        reader, end = FileTranscripts(DiskFolder(path)), 0
        for cut in [*sorted(cuts), len(data)]:
            file.write(data[end:cut])
            end = cut
            assert sound(reader) == sound(FileTranscripts(DiskFolder(path)))


@settings(max_examples=60)
@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.text())))
def test_any_record_fits_on_a_line(record):
    line = jsonlines.dump(record)
    assert b"\n" not in line
    ((end, read),) = jsonlines.parse(line + b"\n")
    assert end == len(line) + 1
    assert read == json.loads(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace"))


def test_of_long_transcripts_few_are_kept_in_memory():
    whole: list[str] = []

    class Counting(MemoryFolder):
        def read(self, name, offset=0, size=None):
            if not offset:
                whole.append(name)
            return super().read(name, offset, size)

    transcripts = FileTranscripts(Counting(), cached_bytes=1000)
    for name in ("one", "two"):
        transcripts.append(name, Message(name, "user", "x" * 900))
        assert transcripts.read(name).leaf.content == "x" * 900
    whole.clear()
    assert transcripts.read("two").leaf.content == "x" * 900
    assert transcripts.read("one").leaf.content == "x" * 900
    assert whole == ["one.jsonl"], "the other is kept"
