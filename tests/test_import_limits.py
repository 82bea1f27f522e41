"""Imports and files have the same limits as what people enter."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner

from tests.scripted import ScriptedBackend
from tests.stored import engine_of, place_of
from webchat.archive.fitting import LARGEST_RECORD
from webchat.chat.message import LONGEST_KEY, LONGEST_REASONING
from webchat.cli import main
from webchat.errors import InvalidInput, LimitReached
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager

BIG = "x" * 300_000
JSON = {"Accept": "application/json"}


def file_of(row, **message):
    row = {"session_id": "s", "description": "S", "begun": True, **row}
    said = {"type": "message", "id": "m", "parent": None, "role": "user", "content": "hello", **message}
    head = {"type": "session", "format": 1, "session": row, "lines": 1}
    return "".join(json.dumps(line) + "\n" for line in (head, said)).encode()


def brought_in(manager, data, owner=None):
    report = manager.archive.bring_in(io.BytesIO(data), owner)
    assert report.imported == ["s"]
    return report


@pytest.fixture(params=["9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59-14:00"])
def clock_ahead(request):
    return request.param


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"description": BIG}, "a part of the title"),
        ({"extra": {"model": BIG}}, "model"),
        ({"extra": {"system_prompt": BIG}}, "system prompt"),
        ({"extra": {"working_dir": BIG}}, "working dir"),
        ({"extra": {"project_id": BIG}}, "project id"),
        ({"extra": {"model": ["no", "text"]}}, "model"),
        ({"extra": {"imported": {"from": "x", "id": BIG}}}, "keys unknown to this version"),
        ({"extra": {"more": {"deep": [BIG]}}}, "keys unknown to this version"),
        ({"unknown": BIG}, "keys unknown to this version"),
        ({"created_at": BIG}, "created at"),
        ({"last_active": BIG}, "last active"),
        ({"key": BIG}, "key"),
    ],
)
def test_a_record_keeps_within_the_limits_and_what_had_to_go_is_said(manager, row, says):
    report = brought_in(manager, file_of(row))
    assert report.problems == [f"session s: left out, because it is too long or not text: {says}."]
    assert len(json.dumps(manager.storage.sessions.row("s"))) < LARGEST_RECORD
    assert [message.content for message in manager.conversation("s").messages] == ["hello"]
    assert len(manager.get_session("s").description) <= manager.limits.title


def test_what_is_within_the_limits_comes_as_it_is(manager):
    row = {"description": "t" * 300, "extra": {"model": "m" * 200, "system_prompt": "p" * 10_000}, "unknown": [1]}
    assert brought_in(manager, file_of(row)).problems == []
    kept = manager.storage.sessions.row("s")
    assert {name: kept[name] for name in row} == row


def test_a_file_chooses_no_mode_of_an_agent(manager):
    assert brought_in(manager, file_of({"extra": {"model": "m", "choices": {"mode": "never ask"}}})).problems == []
    assert manager.storage.sessions.row("s")["extra"] == {"model": "m"}


@pytest.mark.parametrize("field", ["model", "created_at", "error", "kind", "code", "status", "role"])
def test_of_what_stands_beside_a_message_no_more_is_shown_than_fits(client, manager, field):
    brought_in(manager, file_of({}, **{"role": "assistant", "status": "failed"} | {field: BIG}))
    assert len(client.get("/sessions/s").data) < 60_000


def test_a_key_and_reasoning_are_bounded_as_well(client, manager):
    long = "x" * 2 * LONGEST_REASONING
    brought_in(manager, file_of({}, role="assistant", key=long, reasoning=long))
    (message,) = manager.conversation("s").messages
    assert (message.key, len(message.reasoning)) == ("x" * LONGEST_KEY, LONGEST_REASONING)
    assert len(client.get("/sessions/s").data) < 1.2 * LONGEST_REASONING


@pytest.mark.parametrize("path", ["/messages", "/sessions/s/messages", "/api/chat"])
def test_a_key_that_is_too_long_to_be_known_again_is_refused(client, manager, path):
    brought_in(manager, file_of({}))
    sent = {"message": "hello", "session_id": "s", "key": "k" * (LONGEST_KEY + 1)}
    answer = client.post(path, json=sent, headers=JSON)
    assert (answer.status_code, answer.json["error"]) == (400, f"key has more than {LONGEST_KEY} characters.")
    assert len(manager.conversation("s").messages) == 1


@pytest.mark.parametrize("path", ["/sessions/s/messages", "/api/chat"])
def test_the_longest_key_is_known_again(client, manager, path):
    brought_in(manager, file_of({}))
    for _ in range(2):
        client.post(path, json={"message": "hello", "session_id": "s", "key": "k" * LONGEST_KEY}, headers=JSON)
    assert [message.role for message in manager.conversation("s").messages] == ["user", "user", "assistant"]


def test_an_imported_session_counts_in_the_limit_whatever_its_record_says(home):
    manager = WebChatSessionManager(ScriptedBackend(), place_of(home), limits=Limits(sessions=120))
    rows = ({"session_id": f"s{number}", "begun": False, "description": "Web chat session"} for number in range(130))
    file = io.BytesIO(b"".join(map(file_of, rows)))
    with pytest.raises(LimitReached, match="100 sessions were imported before that") as raised:
        manager.archive.bring_in(file)
    assert raised.value.__cause__ is None, "nothing for the log"
    assert [session.begun for session in manager.list_sessions()] == [True] * 100
    manager.close()


def test_a_session_with_nothing_in_it_is_left_out_and_named(manager):
    head = {"type": "session", "format": 1, "session": {"session_id": "s"}, "lines": 0}
    report = manager.archive.bring_in(io.BytesIO(json.dumps(head).encode()))
    assert (report.imported, report.problems) == ([], ["session s: it has no messages."])


def test_a_session_from_the_future_does_not_stop_the_trash(manager, clock_ahead):
    """Imports do not count as the latest known time: neither alone nor after the log was shortened."""
    brought_in(manager, file_of({"last_active": clock_ahead}))
    for _ in range(2):
        deleted = manager.housekeeping.delete(["s"])
        assert manager.store.row("s")["kept_since"] is None
        assert manager.housekeeping.deleted_together(deleted) == ["s"]
        manager.housekeeping.restore(["s"])
        if not engine_of(manager).is_for_several:
            engine_of(manager).activity.rewrite()


def test_notes_and_files_names_are_bounded_as_well(client, manager):
    brought_in(manager, file_of({}, notes=[BIG] * 60, files=[{"name": BIG, "content": "x"}]))
    assert len(client.get("/sessions/s").data) < 200_000


@pytest.mark.files
def test_a_transcript_put_into_the_folder_makes_a_record_within_the_limits(manager, home):
    manager.storage.main.adoption.settled = 0.0
    folder = home / "server" / "web-chat-transcripts"
    folder.mkdir(parents=True)
    line = {"role": "user", "content": BIG, "created_at": BIG}
    (folder / "put.jsonl").write_text(json.dumps(line) + "\n")
    assert manager.housekeeping.adopt() == ["put"]
    assert (home / "server" / "web-chat-sessions.json").stat().st_size < 2000


def test_the_command_line_ends_with_1_where_something_had_to_go(home, tmp_path):
    file = tmp_path / "one.jsonl"
    file.write_bytes(file_of({"description": BIG}))
    done = CliRunner().invoke(main, ["import", "--home", str(home), str(file)])
    assert done.exit_code == 1
    assert "a part of the title" in done.stderr


# The folder of a session


def test_a_session_whose_folder_is_not_here_cannot_be_forked(client, manager, backend, tmp_path):
    gone = str(tmp_path / "not-here")
    brought_in(manager, file_of({"extra": {"working_dir": gone}}))
    with pytest.raises(InvalidInput, match="There is no folder"):
        manager.fork("s", "m")
    answer = client.post("/sessions/s/messages/m/fork", headers=JSON)
    assert answer.status_code == 400
    assert "There is no folder" in answer.json["error"]
    assert [session.session_id for session in manager.list_sessions()] == ["s"]
    (tmp_path / "not-here").mkdir()
    assert manager.fork("s", "m").working_dir == gone


def test_who_signs_in_chooses_no_folder_by_an_import_either(manager, tmp_path):
    """Their new sessions start in the home folder, whatever they send."""
    brought_in(manager, file_of({"extra": {"working_dir": str(tmp_path), "project_id": "p", "more": 1}}), "ada")
    assert manager.get_session("s", "ada").extra == {"more": 1}
    assert manager.fork("s", "m", "ada").working_dir == "~"
