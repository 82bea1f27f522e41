"""An answer that is more than text: tool calls, questions and a plan appear where they came, and are stored."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat.backends import Event
from webchat.chat.message import Message, message_of
from webchat.chat.part_records import changed_record, changes_of, fields_of, parts_of, placed_of, records_of
from webchat.chat.parts import (
    LONGEST_OUTPUT,
    MOST_PARTS,
    Diff,
    Note,
    Option,
    Output,
    Permission,
    Picture,
    Plan,
    PlanEntry,
    Reasoning,
    Terminal,
    Text,
    ToolCall,
    Usage,
)
from webchat.chat.reply import ReplyView
from webchat.chat.session import short_id
from webchat.errors import InvalidInput, QuestionClosed, SessionNotFound
from webchat.manager import WebChatSessionManager
from webchat.replies.meter import ReplyMeter
from webchat.replies.part_room import LEFT_OUT, MAX_PARTS
from webchat.replies.recorder import ReplyRecorder
from webchat.replies.runner import NOT_HANDED_ON
from webchat.replies.write_pace import ReplyTimes
from webchat.storage import storage_at
from webchat.storage.files.reply_logs import FileReplyLog

OPTIONS = (Option("yes", "Allow", "allow_once"), Option("no", "Reject", "reject_once"))
HEADER = {"id": "answer", "parent": None, "started_at": "2026-01-01T00:00:00+00:00"}
ASKED = Permission("p1", "Run ls?", OPTIONS, "call-1")
RUNNING = ToolCall("call-1", "ls", "execute", "running", "ls -l")
DONE = ToolCall("call-1", "ls", "execute", "done", "ls -l", (Terminal("total 0\n"),), 0.5)
EVERY_BLOCK = (
    Output("found"),
    Terminal("\x1b[31mred\x1b[0m"),
    Diff("a.py", None, "x = 1\n"),
    Diff("b.py", "x = 1\n", "x = 2\n"),
    Picture("image/png", "aGk="),
)


def answer(manager, session_id):
    return manager.conversation(session_id).last


def ask(manager, session_id):
    """Post a message; returns it once the agent asks something."""
    posted = manager.post_message(session_id, "do it")
    until(lambda: answer(manager, session_id).questions)
    return posted


def on_disk(home: Path, session_id: str) -> str:
    return (home / "web-chat-transcripts" / f"{session_id}.jsonl").read_text("utf-8")


@pytest.fixture
def manager(backend, home):
    manager = WebChatSessionManager(backend, home / "web-chat-sessions.json")
    yield manager
    manager.close()


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


@pytest.fixture
def asking(backend):
    """The backend asks before it continues."""
    backend.plays("Let me look.", RUNNING, ASKED, backend.has_chosen, DONE, "It is empty.")
    return backend


def test_parts_stand_where_they_came_and_survive_a_restart(manager, backend, session_id, home):
    plan = Plan((PlanEntry("look", "done", "high"),))
    backend.plays(Event("reasoning", "hm"), "Let me look.", plan, RUNNING, DONE, "It is ", "empty.", Usage(10, 100))
    manager.post_message(session_id, "is it empty?").wait()
    expected = (
        Reasoning("hm"),
        Text("Let me look."),
        plan,
        DONE,
        Text("\n\nIt is empty."),
        Usage(10, 100),
    )
    assert answer(manager, session_id).parts == expected
    afresh = WebChatSessionManager(ScriptedBackend(), home / "web-chat-sessions.json")
    again = answer(afresh, session_id)
    assert again.parts == expected
    assert again.content == "Let me look.\n\nIt is empty.", "which a plain model is told, and what search finds"
    line = json.loads(on_disk(home, session_id).splitlines()[-1])
    assert line["content"] == again.content
    assert [part["type"] for part in line["parts"]] == ["reasoning", "text", "plan", "tool_call", "text", "usage"]
    assert on_disk(home, session_id).count("Let me look.") == 1, "text is kept once"


def test_an_answer_without_parts_is_kept_as_ever(manager, backend, session_id, home):
    backend.plays(Event("reasoning", "hm"), "text", Event("note", "cut"), Event("usage", data={"n": 1}))
    manager.post_message(session_id, "hello").wait()
    line = json.loads(on_disk(home, session_id).splitlines()[-1])
    assert "parts" not in line
    assert list(line) == [
        "type", "id", "parent", "role", "content", "status", "created_at", "model", "reasoning", "notes",
    ]  # fmt: skip


def test_what_an_answer_took_is_kept_beside_its_text(manager, backend, session_id, home):
    counted = {"prompt_tokens": 12, "completion_tokens": 5, "context": 4096}
    backend.plays("text", Event("usage", data=counted))
    manager.post_message(session_id, "hello").wait()
    line = json.loads(on_disk(home, session_id).splitlines()[-1])
    assert "parts" not in line
    assert line["usage"] == {"type": "usage", "used": 17, "size": 4096, "read": 12, "written": 5}
    assert answer(manager, session_id).usage == Usage(17, 4096, 12, 5)
    assert answer(manager, session_id).parts == ()


@pytest.mark.parametrize("data", [{}, {"total_tokens": 7}, {"prompt_tokens": "7"}, {"prompt_tokens": -1}, {"n": 1}])
def test_nothing_is_made_up_of_what_an_answer_took(manager, backend, session_id, data):
    backend.plays("text", Event("usage", data=data))
    manager.post_message(session_id, "hello").wait()
    assert answer(manager, session_id).usage is None


@pytest.mark.parametrize("usage", [7, [], {"used": "x", "size": 1}, {"used": -1, "size": 0}, None])
def test_a_damaged_note_of_it_is_let_go(usage):
    record = {"role": "assistant", "content": "text", "usage": usage}
    assert message_of(record, None, "a", 1).usage is None


def test_text_after_a_tool_begins_a_paragraph_and_other_text_does_not(manager, backend, session_id):
    backend.plays("one ", Usage(1, 2), "word", RUNNING, "next\n", RUNNING, "line", ToolCall("2"), "\n\nlast")
    manager.post_message(session_id, "hello").wait()
    assert answer(manager, session_id).content == "one word\n\nnext\nline\n\n\n\nlast"


def test_a_tool_that_reports_often_is_one_part_with_its_last_state(manager, backend, session_id):
    lines = [f"line {number}\n" for number in range(200)]
    calls = [
        ToolCall("c", "make", "execute", "running", "make", (Terminal("".join(lines[: number + 1])),))
        for number in range(200)
    ]
    backend.plays(*calls, ToolCall("c", "make", "execute", "done", "make", (Terminal("".join(lines)),), 2.0))
    manager.post_message(session_id, "build").wait()
    assert [part.output[0].text for part in answer(manager, session_id).parts] == ["".join(lines)]


def test_what_is_open_when_an_answer_ends_is_closed(manager, backend, session_id):
    backend.plays(ToolCall("r", status="running"), ToolCall("p"), ASKED, "done")
    manager.post_message(session_id, "go").wait()
    running, pending, asked, _ = answer(manager, session_id).parts
    assert (running.status, pending.status, asked.status) == ("done", "failed", "cancelled")


def test_a_question_waits_and_its_answer_goes_to_the_backend(manager, asking, session_id):
    posted = ask(manager, session_id)
    assert manager.waiting_for_answers([session_id]) == {session_id}
    manager.answer_permission(session_id, "p1", "yes")
    posted.wait()
    assert asking.chosen == [(session_id, "p1", "yes")]
    said = answer(manager, session_id)
    assert [type(part).__name__ for part in said.parts] == ["Text", "ToolCall", "Permission", "Text"]
    assert said.parts[2].chosen.name == "Allow"
    assert manager.waiting_for_answers([session_id]) == frozenset()


def test_only_the_sessions_asked_about_are_looked_at_for_questions(manager, asking, session_id, monkeypatch):
    posted, other = ask(manager, session_id), manager.create_session().session_id
    looked, is_held = [], manager.storage.leases.is_held
    monkeypatch.setattr(manager.storage.replies, "view", looked.append)
    monkeypatch.setattr(manager.storage.leases, "is_held", lambda key: looked.append(key) or is_held(key))
    assert manager.waiting_for_answers([other]) == frozenset()
    assert looked == []
    monkeypatch.undo()
    manager.answer_permission(session_id, "p1", "yes")
    posted.wait()


def test_an_answer_that_cannot_be_handed_on_ends_as_failed(manager, asking, session_id, monkeypatch, caplog):
    def broken(*_answer):
        raise ValueError("surrogates not allowed")

    monkeypatch.setattr(asking, "answer_permission", broken)
    ask(manager, session_id)
    manager.answer_permission(session_id, "p1", "yes")
    until(lambda: not answer(manager, session_id).in_flight)
    said = answer(manager, session_id)
    assert (said.status, said.error) == ("failed", NOT_HANDED_ON)
    assert f"the answer to a question could not be passed on in session {short_id(session_id)}" in caplog.text


def test_a_question_is_answered_once(manager, asking, session_id):
    posted = ask(manager, session_id)
    results: list[object] = []

    def choose(option):
        try:
            manager.answer_permission(session_id, "p1", option)
        except QuestionClosed as error:
            results.append(error)
        else:
            results.append(option)

    threads = [threading.Thread(target=choose, args=[option]) for option in ("yes", "no") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    posted.wait()
    ((*_, first),) = asking.chosen
    assert {result for result in results if isinstance(result, str)} == {first}
    assert len(results) == 8
    with pytest.raises(QuestionClosed):
        manager.answer_permission(session_id, "p1", "no" if first == "yes" else "yes")


def test_the_same_answer_again_changes_nothing(manager, asking, session_id):
    posted = ask(manager, session_id)
    manager.answer_permission(session_id, "p1", "yes")
    manager.answer_permission(session_id, "p1", "yes")
    posted.wait()
    manager.answer_permission(session_id, "p1", "yes")
    assert asking.chosen == [(session_id, "p1", "yes")]


def test_what_was_not_offered_or_asked_is_refused(manager, asking, session_id):
    posted = ask(manager, session_id)
    with pytest.raises(InvalidInput):
        manager.answer_permission(session_id, "p1", "maybe")
    with pytest.raises(QuestionClosed):
        manager.answer_permission(session_id, "p2", "yes")
    with pytest.raises(SessionNotFound):
        manager.answer_permission(session_id, "p1", "yes", "somebody else")
    assert answer(manager, session_id).questions
    manager.stop(session_id)
    posted.wait()
    assert answer(manager, session_id).parts[2].status == "cancelled"
    assert asking.chosen == []


def test_another_process_answers(manager, asking, session_id, home):
    posted = ask(manager, session_id)
    other = WebChatSessionManager(ScriptedBackend(), home / "web-chat-sessions.json")
    assert other.waiting_for_answers([session_id]) == {session_id}
    other.answer_permission(session_id, "p1", "no")
    posted.wait()
    assert asking.chosen == [(session_id, "p1", "no")]


def test_a_question_is_answered_before_the_end_or_not_at_all():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            for _ in range(300):
                storage = storage_at(None)
                begin = partial(storage.replies.begin, "s", HEADER)
                recorder = ReplyRecorder(HEADER, begin, lambda urgent: None, ReplyTimes())
                recorder.begin()
                recorder.take(ASKED)
                recorder.flush()
                chosen = pool.submit(recorder.choose, "p1", "yes", "")
                recorder.end({"end": "complete"})
                recorder.commit(recorder.view.message(alive=False))
                (asked,) = storage.transcripts.read("s").leaf.parts
                assert asked.status == ("answered" if chosen.result() else "cancelled")
    finally:
        sys.setswitchinterval(interval)


def test_an_answer_that_only_the_log_cannot_take_is_passed_on_when_it_can(manager, asking, session_id, monkeypatch):
    posted = ask(manager, session_id)
    with monkeypatch.context() as patched:
        patched.setattr(FileReplyLog, "write", full)
        manager.answer_permission(session_id, "p1", "yes")
        assert asking.chosen == []
    posted.wait()
    assert asking.chosen == [(session_id, "p1", "yes")], "nobody was told otherwise"


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_second_of_two_questions_is_answered_first(manager, backend, session_id, home):
    backend.plays(ASKED, replace(ASKED, id="p2"), backend.has_chosen, "thanks")
    posted = manager.post_message(session_id, "do it")
    until(lambda: len(answer(manager, session_id).questions) == 2)
    other = WebChatSessionManager(ScriptedBackend(), home / "web-chat-sessions.json")
    other.answer_permission(session_id, "p2", "no")
    posted.wait()
    assert backend.chosen == [(session_id, "p2", "no")]


def test_an_answer_that_is_read_from_the_storage_first_is_the_persons_all_the_same(
    manager, asking, session_id, monkeypatch
):
    posted = ask(manager, session_id)
    read = manager.storage.replies.requests

    def read_by_who_looks_after_the_run(session_id):
        posted.run.heed(read(session_id))
        return read(session_id)

    monkeypatch.setattr(manager.storage.replies, "requests", read_by_who_looks_after_the_run)
    manager.answer_permission(session_id, "p1", "yes")
    posted.wait()
    assert asking.chosen == [(session_id, "p1", "yes")]


@pytest.mark.parametrize("before", [None, "yes"], ids=["unanswered", "answered otherwise"])
def test_an_answer_that_comes_just_after_the_end_is_refused(manager, asking, session_id, home, monkeypatch, before):
    posted = ask(manager, session_id)
    other = WebChatSessionManager(ScriptedBackend(), home / "web-chat-sessions.json")
    request = other.storage.replies.request

    def request_late(*what):
        if before:
            manager.answer_permission(session_id, "p1", before)
        else:
            manager.stop(session_id)
        posted.wait()
        request(*what)

    monkeypatch.setattr(other.storage.replies, "request", request_late)
    with pytest.raises(QuestionClosed):
        other.answer_permission(session_id, "p1", "no")
    assert asking.chosen == ([(session_id, "p1", before)] if before else [])


def test_a_question_that_a_dead_server_left_is_kept_without_buttons(manager, asking, session_id, home, tmp_path):
    ask(manager, session_id)
    shutil.copytree(home, tmp_path / "later")  # as it is when the server is killed
    later = WebChatSessionManager(ScriptedBackend(), tmp_path / "later" / "web-chat-sessions.json")
    for _ in ("as it was left", "taken in"):
        left = answer(later, session_id)
        assert (left.status, left.questions) == ("interrupted", ())
        assert left.parts[2].status == "cancelled"
        assert later.waiting_for_answers([session_id]) == frozenset()
        later.housekeeping.settle(session_id)
    with pytest.raises(QuestionClosed):
        later.answer_permission(session_id, "p1", "yes")
    manager.stop(session_id)


def test_time_spent_waiting_for_the_person_does_not_count_as_work():
    now = [0.0]
    meter = ReplyMeter(lambda: now[0])
    now[0] += 3
    assert meter.working_seconds(is_asking=False) == 3
    now[0] += 1000
    assert meter.working_seconds(is_asking=True) == 3
    now[0] += 4
    assert meter.working_seconds(is_asking=False) == 7
    assert meter.seconds == 1007


def test_an_answer_that_waits_for_the_person_is_not_ended_for_its_time(manager, session_id, backend):
    backend.plays(ASKED, backend.has_chosen, "thanks")
    began = time.monotonic()
    posted = ask(manager, session_id)
    posted.run.tend(longest=3600)
    worked = time.monotonic() - began
    assert not posted.wait(0.6)
    posted.run.tend(longest=worked + 0.5)
    manager.answer_permission(session_id, "p1", "yes")
    posted.wait()
    assert answer(manager, session_id).status == "complete"


@pytest.mark.parametrize(
    "part",
    [
        ToolCall("c", "t", "edit", "done", "in", EVERY_BLOCK, 1.5),
        Permission("p", "t", OPTIONS, "c", "answered", "yes", "ada"),
        Plan((PlanEntry("a", "running", "high"), PlanEntry("b"))),
        Usage(5, 10),
    ],
)
def test_a_part_is_read_as_it_was_written(part):
    assert placed_of(json.loads(json.dumps(part.record()))) == part


def test_parts_follow_a_text_that_was_edited_by_hand():
    parts = (Text("one "), DONE, Text("two"), Note("n"))
    rows = records_of(parts)
    assert parts_of(rows, "one two", "", ["n"]) == parts
    assert parts_of(rows, "one", "", ["n"]) == (Text("one"), DONE, Note("n"))
    assert parts_of(rows, "one two three", "why", ["n", "m"]) == (*parts, Reasoning("why"), Text(" three"), Note("m"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["type", "id", "title", "status", "output", "options", "entries", "text", "chars", "more"])
TYPES = st.sampled_from(["tool_call", "permission", "plan", "usage", "text", "note"])
ROWS = st.lists(st.dictionaries(FIELDS, JSON | TYPES))


@given(ROWS)
def test_records_of_any_kind_are_read_without_harm(rows):
    record = {"role": "assistant", "content": "abc", "parts": rows}
    message = message_of(record, None, "name", 1)
    assert message is not None
    assert "".join(part.text for part in message.ordered if isinstance(part, Text)) == "abc"
    for part in message.ordered:
        json.dumps(fields_of(part))
    for row in rows:
        changed_record(row, row)


@given(st.text(max_size=6), st.text(max_size=6), st.booleans())
def test_what_changed_makes_the_new_of_the_old(old, new, grows):
    before = ToolCall("c", output=(Output("x"), Terminal(old))).record()
    after = ToolCall("c", status="done", output=(Output("x"), Terminal(old + new if grows else new))).record()
    changes = changes_of(before, after)
    assert changed_record(before, changes) == after
    if grows and new:
        assert "output" not in changes, "what was there already is not written again"


@pytest.mark.parametrize("line", ["{}\n", "the same\n"])
def test_of_a_long_terminal_only_what_is_new_is_written(line):
    shown = "".join(line.format(number) for number in range(200_000))[: LONGEST_OUTPUT - 10]
    for new in ("a few", " words more\n", "and\n", "x" * 1000):
        before, shown = ToolCall("c", output=(Terminal(shown),)).record(), shown + new
        after = ToolCall("c", output=(Terminal(shown),)).record()
        changes = changes_of(before, after)
        assert changes["more"] == new
        assert changed_record(before, changes) == after
        shown = after["output"][0]["text"]
    other = ToolCall("c", output=(Terminal("y" * LONGEST_OUTPUT),)).record()
    assert changed_record(after, changes_of(after, other)) == other


def read_of(number, output, status="done"):
    return ToolCall(f"c{number}", f"Read {number}", "read", status, output=output)


def test_long_work_goes_on_without_the_oldest_outputs(manager, backend, session_id):
    text = "word " * 50_000
    backend.plays(*(read_of(number, (Output(f"{number} {text}"),)) for number in range(60)), "All read.")
    manager.post_message(session_id, "go").wait()
    said = answer(manager, session_id)
    assert (said.status, said.content) == ("complete", "All read.")
    *calls, _ = said.parts
    assert calls[0].output == (Output(LEFT_OUT),)
    assert calls[-1].output[0].text.startswith("59 word"), "the newest are kept"
    assert sum(len(call.output[0].text) for call in calls) <= MAX_PARTS


def test_pictures_of_the_largest_size_do_not_end_the_answer(manager, backend, session_id):
    picture = Picture("image/png", "A" * 4 * 2**20)
    backend.plays(*(read_of(number, (picture,)) for number in range(3)), "Seen.")
    manager.post_message(session_id, "go").wait()
    said = answer(manager, session_id)
    assert (said.status, said.content) == ("complete", "Seen.")
    assert [call.output for call in said.parts[:3]][1:] == [(Output(LEFT_OUT),), (picture,)]


def test_one_call_that_is_too_long_alone_is_shortened(manager, backend, session_id):
    output = tuple(Output(f"{number}" + "x" * (LONGEST_OUTPUT - 10)) for number in range(12))
    backend.plays(read_of(1, output, "running"), read_of(1, output), "Done.")
    manager.post_message(session_id, "go").wait()
    said = answer(manager, session_id)
    assert (said.status, said.content) == ("complete", "Done.")
    assert said.parts[0].output == (Output(LEFT_OUT),)


def test_an_answer_that_goes_on_keeps_the_parts_of_both():
    first = Message("a", "assistant", "one", parts=(Text("one"), DONE))
    assert first.extended_by(Message("a", "assistant", " two")).parts == (Text("one"), DONE, Text(" two"))
    assert Message("a", "assistant", "one").extended_by(Message("a", "assistant", " two")).parts == ()


def test_a_part_with_fields_of_wrong_types_is_a_failed_answer(manager, backend, session_id):
    backend.plays("before", ToolCall("c", title=None))
    manager.post_message(session_id, "go").wait()
    said = answer(manager, session_id)
    assert (said.status, said.content) == ("failed", "before")


def test_a_question_is_shown_however_many_tools_came_before_it():
    view = ReplyView({"id": "answer"})
    for number in range(MOST_PARTS + 1):
        view.take({"part": ToolCall(str(number)).record()})
    view.take({"part": ASKED.record()})
    assert [*view.questions] == [ASKED]
    parts = view.message(alive=True).parts
    assert len(parts) == MOST_PARTS + 1
    spread = tuple(part for call in parts for part in (Text("x"), call))
    assert parts_of(records_of(spread), "x" * len(parts), "", ()) == spread
