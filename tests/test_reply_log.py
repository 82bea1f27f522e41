"""A reply in flight: one writer per session, a log that any process can follow, what a dead writer leaves behind."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.memory_folder import MemoryFolder
from tests.processes import another_process, says, tell
from tests.reading import until
from tests.scripted import ScriptedBackend
from tests.stored import Stored
from webchat.chat.message import Message
from webchat.errors import SessionBusy, StorageError
from webchat.fileutil import DiskFolder, jsonlines
from webchat.manager import WebChatSessionManager
from webchat.replies.follow import Conversations
from webchat.storage.wakeups import POLL_INTERVAL

HEADER = {"id": "answer-1", "parent": "question-1", "started_at": "2026-01-01T00:00:00+00:00", "model": "m"}


class Files(Stored):
    """One folder as one process sees it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.conversations = Conversations(self, lambda session_id: None)

    def read(self):
        return self.conversations.read("s")

    def settle(self):
        release = self.leases.acquire("s")
        self.replies.settle("s")
        release()

    def leave_behind(self, *records, header=HEADER):
        """Create what a dead writer leaves behind: a question, and a log without an owner."""
        if not self.transcripts.read("s").messages:
            self.transcripts.append("s", Message("question-1", "user", "question"))
        self.log = self.replies.begin("s", header)
        for record in records:
            self.log.write(record)


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    return DiskFolder(tmp_path / "transcripts") if request.param == "disk" else MemoryFolder()


@pytest.fixture
def files(folder):
    return Files(folder)


def shown(conversation):
    return [(message.id, message.content, message.status) for message in conversation.messages]


class TestOneWriter:
    def test_a_second_writer_is_told_that_the_session_is_busy(self, files):
        release = files.leases.acquire("s")
        assert files.leases.is_held("s")
        with pytest.raises(SessionBusy):
            Stored(files.folder).leases.acquire("s")
        release()
        assert not files.leases.is_held("s")
        files.leases.acquire("s")()

    def test_another_session_has_a_writer_of_its_own(self, files):
        files.leases.acquire("s")
        files.leases.acquire("t")()
        assert not files.leases.is_held("t")

    def test_a_reader_that_looks_turns_no_writer_away(self, files):
        files.leases.acquire("s")()
        over = threading.Event()

        def look():
            while not over.is_set():
                files.leases.is_held("s")

        reader = threading.Thread(target=look)
        reader.start()
        try:
            for _ in range(100):
                files.leases.acquire("s")()
        finally:
            over.set()
            reader.join()

    def test_a_writer_in_another_process_is_the_only_one(self, tmp_path):
        path = tmp_path / "sessions.json"
        with WriterElsewhere(path) as elsewhere:
            manager = WebChatSessionManager(ScriptedBackend(), path)
            with pytest.raises(SessionBusy):
                manager.post_message(elsewhere.session_id, "me too")
            assert [message.role for message in manager.conversation(elsewhere.session_id).messages] == [
                "user",
                "assistant",
            ]
            elsewhere.finish()
            assert manager.send_message("me too", elsewhere.session_id) == "You said: me too"

    def test_a_lock_that_cannot_be_made_is_an_error_of_storage(self, tmp_path):
        (tmp_path / "s.lock").mkdir()
        with pytest.raises(StorageError):
            Stored(DiskFolder(tmp_path)).leases.acquire("s")


class TestLog:
    def test_it_grows_and_every_reader_sees_it(self, files):
        other = Files(files.folder)
        release = files.leases.acquire("s")
        files.leave_behind()
        assert shown(other.read())[-1] == ("answer-1", "", "waiting")
        files.log.write({"s": "Loading", "p": 0.5})
        assert (other.read().status.text, other.read().status.progress) == ("Loading", 0.5)
        for text in ("Once", " upon", " a time"):
            files.log.write({"d": text})
        assert shown(other.read())[-1] == shown(files.read())[-1] == ("answer-1", "Once upon a time", "streaming")
        assert other.read().status is None
        files.log.write({"r": "thinking"})
        files.log.write({"n": "a note"})
        last = other.read().last
        assert (last.reasoning, last.notes, last.model, last.parent) == ("thinking", ("a note",), "m", "question-1")
        release()

    def test_an_ended_log_shows_its_end_before_it_is_in_the_transcript(self, files):
        release = files.leases.acquire("s")
        files.leave_behind({"d": "whole"}, {"end": "complete"})
        assert shown(Files(files.folder).read())[-1] == ("answer-1", "whole", "complete")
        release()
        assert shown(Files(files.folder).read())[-1] == ("answer-1", "whole", "complete")

    def test_a_log_whose_reply_is_in_the_transcript_is_not_shown_twice(self, files):
        files.leave_behind({"d": "whole"})
        files.transcripts.append("s", Message("answer-1", "assistant", "whole", parent="question-1"))
        assert shown(files.read())[-1] == ("answer-1", "whole", "complete")
        assert len(files.read().messages) == 2

    def test_a_torn_last_piece_is_left_for_later(self, files):
        whole = jsonlines.dump(HEADER) + b'\n{"d":"one"}\n{"d":"two"}\n'
        files.transcripts.append("s", Message("question-1", "user", "question"))
        release = files.leases.acquire("s")
        for cut in range(len(whole) + 1):
            files.replies.logs.replace("s.reply", whole[:cut])
            records = (whole[:cut] + b"\n").count(b"}\n")
            pieces = max(0, records - 1)
            for reader in (files, Files(files.folder)):
                said = [message.content for message in reader.read().messages[1:]]
                assert said == (["".join(["one", "two"][:pieces])] if records else [])
        release()

    def test_the_next_reply_is_never_taken_for_the_one_before(self, files):
        """Even by a reader that did not look in between, if the new log has the old one's inode and text."""
        other = Files(files.folder)
        for number in range(5):
            header = {**HEADER, "id": f"a{number}", "parent": f"q{number}"}
            files.transcripts.append("s", Message(f"q{number}", "user", "question"))
            release = files.leases.acquire("s")
            pieces = 20 + number
            files.leave_behind(*[{"d": "the same answer "}] * pieces, header=header)
            assert shown(other.read())[-1] == (f"a{number}", "the same answer " * pieces, "streaming")
            files.transcripts.append("s", Message(f"a{number}", "assistant", "x", parent=f"q{number}"))
            files.log.discard()
            release()

    def test_the_next_reply_replaces_an_abandoned_one(self, files):
        files.leave_behind({"d": "old text"})
        other = Files(files.folder)
        assert shown(other.read())[-1] == ("answer-1", "old text", "interrupted")
        files.settle()
        release = files.leases.acquire("s")
        files.leave_behind(
            {"d": "new text"}, {"d": " and more of it"}, header={**HEADER, "id": "a2", "parent": "answer-1"}
        )
        assert [text for _, text, _ in shown(other.read())] == ["question", "old text", "new text and more of it"]
        release()


class TestLeftBehind:
    def test_it_is_shown_as_interrupted_and_stays_where_it_is(self, files):
        files.leave_behind({"d": "half an"})
        before = {name: files.folder.read(name) for name in files.folder.names()}
        for reader in (files, Files(files.folder)):
            assert shown(reader.read()) == [
                ("question-1", "question", "complete"),
                ("answer-1", "half an", "interrupted"),
            ]
            assert reader.read().status is None
        assert {name: files.folder.read(name) for name in files.folder.names()} == before

    def test_the_next_write_commits_it_once(self, files):
        files.leave_behind({"d": "half an"})
        files.settle()
        files.settle()
        Files(files.folder).settle()
        assert shown(files.read()) == [("question-1", "question", "complete"), ("answer-1", "half an", "interrupted")]
        assert "s.reply" not in files.replies.logs.names()
        assert files.folder.read("s.jsonl").count(b"half an") == 1

    def test_an_end_that_was_not_committed_is_kept(self, files):
        files.leave_behind({"d": "it is"}, {"end": "failed", "error": "It broke.", "code": "ended"})
        assert shown(files.read())[-1] == ("answer-1", "it is", "failed")
        files.settle()
        last = Files(files.folder).read().last
        assert (last.content, last.status, last.error, last.code) == ("it is", "failed", "It broke.", "ended")

    def test_one_that_was_committed_but_not_removed_is_only_removed(self, files):
        files.leave_behind({"d": "whole"}, {"end": "complete"})
        files.transcripts.append("s", Message("answer-1", "assistant", "whole", parent="question-1"))
        before = files.folder.read("s.jsonl")
        files.settle()
        assert files.folder.read("s.jsonl") == before
        assert "s.reply" not in files.replies.logs.names()

    def test_without_a_header_there_is_nothing_to_commit(self, files):
        files.transcripts.append("s", Message("question-1", "user", "question"))
        files.replies.logs.replace("s.reply", b'{"id": "answer-1"')
        assert shown(files.read()) == [("question-1", "question", "complete")]
        files.settle()
        assert shown(files.read()) == [("question-1", "question", "complete")]
        assert "s.reply" not in files.replies.logs.names()


LOG = jsonlines.dump(HEADER) + b"".join(jsonlines.dump({"d": f"Stück {number} 🌍"}) + b"\n" for number in range(5))
LOG = LOG.replace(b'"m"}', b'"m"}\n', 1) + b'{"s":"busy","p":0.5}\n{"end":"complete"}\n'


@settings(max_examples=60)
@given(cut=st.integers(0, len(LOG)), flips=st.lists(st.tuples(st.integers(0, len(LOG) - 1), st.integers(0, 255))))
def test_a_damaged_log_can_be_shown_and_committed(cut, flips):
    data = bytearray(LOG)
    for place, value in flips:
        data[place] = value
    files = Files(MemoryFolder())
    files.transcripts.append("s", Message("question-1", "user", "question"))
    files.replies.logs.replace("s.reply", bytes(data[:cut]))
    before = files.read()
    header, newline, _ = bytes(data[:cut]).partition(b"\n")
    whole = bool(newline) or jsonlines.parse_line(header) is not None
    assert len(before.messages) == 1 + whole
    assert not before.last.in_flight
    files.settle()
    assert [message.content for message in Files(files.folder).read().messages] == [m.content for m in before.messages]
    assert "s.reply" not in files.replies.logs.names()


WRITER = """
    import sys
    from tests.scripted import ScriptedBackend
    from webchat.manager import WebChatSessionManager
    backend = ScriptedBackend()
    manager = WebChatSessionManager(backend, sys.argv[1])
    def pieces():
        while piece := sys.stdin.readline().strip():
            yield piece
    backend.send_message = lambda session_id, message: pieces()
    session_id = manager.create_session().session_id
    posted = manager.post_message(session_id, "question")
    print(session_id)
    posted.run.wait()
    print("finished")
"""


class WriterElsewhere:
    """A chat in another process that writes an answer; each `says` is one piece of it."""

    def __init__(self, path):
        self._process = another_process(WRITER, path)

    def __enter__(self):
        self.process = self._process.__enter__()
        self.session_id = says(self.process)
        return self

    def __exit__(self, *error):
        self._process.__exit__(*error)

    def says(self, piece):
        tell(self.process, piece)

    def finish(self):
        tell(self.process, "")
        assert says(self.process) == "finished"


class TestFromAnotherProcess:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "sessions.json"

    def test_what_is_written_there_is_read_here_at_the_next_look(self, path):
        with WriterElsewhere(path) as elsewhere:
            manager = WebChatSessionManager(ScriptedBackend(), path)
            answer = manager.conversation(elsewhere.session_id).last
            assert answer.status == "waiting"
            log = path.parent / "web-chat-transcripts" / "replies" / f"{elsewhere.session_id}.reply"
            looks = []

            def follow():
                for text, message in manager.pieces(elsewhere.session_id, answer.id):
                    looks.append((text, message.status))

            reader = threading.Thread(target=follow, daemon=True)
            reader.start()
            for piece in ("one", "two", "three"):
                elsewhere.says(piece)
                until(lambda piece=piece: piece in log.read_text())
                before = len(looks)
                until(lambda piece=piece: (piece, "streaming") in looks)
                assert looks.index((piece, "streaming")) - before <= 1, "one look may have begun before"
            elsewhere.finish()
            reader.join(30)
            seen = [(text, status) for text, status in looks if text or status == "complete"]
            assert seen == [("one", "streaming"), ("two", "streaming"), ("three", "streaming"), ("", "complete")]
            assert POLL_INTERVAL < 0.5

    def test_when_that_process_is_killed_its_reply_is_interrupted_here(self, path):
        with WriterElsewhere(path) as elsewhere:
            manager = WebChatSessionManager(ScriptedBackend(), path)
            answer = manager.conversation(elsewhere.session_id).last
            pieces = manager.pieces(elsewhere.session_id, answer.id)
            elsewhere.says("half an")
            assert next(text for text, _ in pieces if text) == "half an"
            elsewhere.process.kill()
            assert [message.status for _, message in pieces][-1] == "interrupted"
            assert manager.send_message("and then?", elsewhere.session_id) == "You said: and then?"
            messages = manager.conversation(elsewhere.session_id).messages
            assert [(message.content, message.status) for message in messages] == [
                ("question", "complete"),
                ("half an", "interrupted"),
                ("and then?", "complete"),
                ("You said: and then?", "complete"),
            ]

    def test_two_processes_that_send_at_once_keep_one_conversation(self, path):
        sending = """
            import sys
            from webchat.backends import MockBackend
            from webchat.errors import SessionBusy
            from webchat.manager import WebChatSessionManager
            manager = WebChatSessionManager(MockBackend(), sys.argv[1])
            print("ready")
            sys.stdin.readline()
            sent = 0
            while sent < 15:
                try:
                    manager.send_message(f"{sys.argv[3]} {sent}", sys.argv[2])
                    sent += 1
                except SessionBusy:
                    pass
            print("done")
        """
        manager = WebChatSessionManager(ScriptedBackend(), path)
        session_id = manager.create_session().session_id
        with (
            another_process(sending, path, session_id, "a") as first,
            another_process(sending, path, session_id, "b") as second,
        ):
            both = (first, second)
            assert [says(process) for process in both] == ["ready"] * 2
            for process in both:
                tell(process)
            assert [says(process) for process in both] == ["done"] * 2
        messages = manager.conversation(session_id).messages
        asked, answers = messages[::2], messages[1::2]
        assert sorted(message.content for message in asked) == sorted(f"{n} {i}" for n in "ab" for i in range(15))
        assert [message.content for message in answers] == [f"Mock response to: {m.content}" for m in asked]
        assert not manager.conversation(session_id).damaged
