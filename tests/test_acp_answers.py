"""An agent's updates over the Agent Client Protocol become pieces of an answer."""

from __future__ import annotations

import json

import pytest

from tests.acp import Reading, agents_in, ask, is_status, text_of
from tests.reading import until
from webchat.backends import Event
from webchat.chat.parts import (
    Diff,
    Option,
    Output,
    Permission,
    Picture,
    Plan,
    PlanEntry,
    Terminal,
    ToolCall,
    Usage,
)
from webchat.errors import BackendUnavailable, InvalidInput


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


@pytest.fixture
def backend(agents):
    return agents.backend()


@pytest.fixture
def session_id(backend):
    return backend.create_session("~", "").session_id


@pytest.fixture
def say(backend, session_id):
    return lambda message: ask(backend, session_id, message)


@pytest.fixture
def asked(backend, session_id):
    """Begins an answer; returns it with its question once that has arrived."""

    def begin(message: str) -> tuple[Reading, Permission]:
        reading = Reading(backend, session_id, message)
        return reading, reading.until(lambda piece: isinstance(piece, Permission))

    return begin


def latest(pieces, kind=ToolCall):
    """The latest version of each part of a kind, by its id."""
    return {piece.id: piece for piece in pieces if isinstance(piece, kind)}


def test_text_and_reasoning_come_as_they_are(say):
    pieces = say("think about it")
    assert "".join(piece.text for piece in pieces if isinstance(piece, Event)) == "Let me see."
    assert text_of(pieces) == "Done."


def test_the_first_answer_says_that_the_agent_is_being_started(backend, session_id):
    statuses = [piece.text for piece in backend.send_message(session_id, "hello") if is_status(piece)]
    assert statuses[0].startswith("Starting ")
    assert not any(map(is_status, backend.send_message(session_id, "hello")))


def test_a_tool_call_is_one_part_that_grows(say):
    pieces = say("tool")
    calls = [piece for piece in pieces if isinstance(piece, ToolCall)]
    assert {call.id for call in calls} == {"t1"}
    last = calls[-1]
    assert (last.title, last.kind, last.status, last.input) == ("List files", "execute", "done", "ls -l")
    assert last.output == (Terminal("a\nb\n"),)
    assert last.seconds is not None
    assert text_of(pieces) == "I look.Two files."
    assert pieces.index("Two files.") > pieces.index(last) > pieces.index("I look.")


def test_what_a_tool_gave_is_kept_by_its_kind(say):
    calls = latest(say("blocks"))
    first = calls["t1"].output
    assert first[:2] == (Diff("/x.py", "a", "b"), Diff("/new.py", None, "c"))
    assert (type(first[2]), first[2].media_type) == (Picture, "image/png")
    assert first[3:] == (Output("plain"),)


def test_without_content_the_tools_own_result_is_shown(say):
    calls = latest(say("blocks"))
    assert (calls["t2"].output, calls["t2"].status, calls["t2"].kind) == ((Output("raw text"),), "failed", "other")
    assert json.loads(calls["t3"].output[0].text) == {"n": 2}
    assert json.loads(calls["t3"].input) == {"n": 1}


def test_a_plan_and_the_usage_are_replaced(say):
    pieces = say("plan")
    assert [piece for piece in pieces if isinstance(piece, Plan)][-1].entries == (
        PlanEntry("Read", "done", "high"),
        PlanEntry("Write", "pending", ""),
    )
    assert [piece for piece in pieces if isinstance(piece, Usage)][-1] == Usage(20, 100)


def test_another_message_begins_a_paragraph_but_not_behind_a_part(say):
    pieces = say("messages")
    call = next(piece for piece in pieces if isinstance(piece, ToolCall))
    before, after = pieces[: pieces.index(call)], pieces[pieces.index(call) :]
    assert text_of(before) == "One and a half.\n\nTwo.\n\nThree."
    assert text_of(after) == "Four."


def test_a_resource_in_a_message_is_a_link_or_its_text(say):
    assert text_of(say("linked")) == "[a.txt](file:///a.txt) inside"


def test_the_echo_of_the_prompt_is_dropped(say):
    assert text_of(say("repeat this")) == "Echoed."


def test_a_retry_is_a_status(backend, session_id):
    statuses = [piece.text for piece in backend.send_message(session_id, "retry") if is_status(piece)]
    assert "retrying" in statuses[-1]


def test_the_agent_names_its_session(backend, session_id, say):
    assert backend.own_title(session_id) is None
    say("title Sums\nand more")
    assert backend.own_title(session_id) == "Sums and more"


# Ends


@pytest.mark.parametrize(("scene", "word"), [("limit", "length limit"), ("turns", "cut off")])
def test_an_answer_that_was_cut_off_says_so(say, scene, word):
    [note] = [piece for piece in say(scene) if isinstance(piece, Event)]
    assert (note.kind, word in note.text) == ("note", True)


def test_an_unknown_reason_for_the_end_is_an_end(say):
    assert say("odd") == []


def test_a_refusal_is_a_failure_and_hides_keys(say):
    with pytest.raises(BackendUnavailable, match="The agent refused: “API error: 401 bad key ") as problem:
        say("refuse")
    assert "sk-verysecretkey" not in str(problem.value)


@pytest.mark.parametrize(
    ("error", "quoted"),
    [
        (
            {"code": -32603, "message": "Internal error", "data": {"details": "model\nis gone"}},
            "“Internal error: model is gone”",
        ),
        ({"code": 401, "message": "No", "data": {"message": "expired"}}, "“No: expired”"),
        ({"code": -31002, "message": "Busy", "data": "too many"}, "“Busy: too many”"),
        ({"code": "x", "message": 5, "data": [1]}, None),
        ({"code": -32603, "message": "<html><body>504</body></html>"}, None),
        ("just words", "“just words”"),
        ({"message": "key is sk-verysecretkey1"}, "“key is [key]”"),
    ],
)
def test_an_error_is_told_in_a_sentence_with_what_the_agent_says(say, error, quoted):
    with pytest.raises(BackendUnavailable) as problem:
        say(f"fail {json.dumps(error)}")
    text = str(problem.value)
    assert text.startswith("Scripted failed to answer.")
    assert text.endswith(quoted) if quoted else "says" not in text


def test_an_agent_that_wants_a_login_says_what_to_do(say):
    with pytest.raises(BackendUnavailable, match="sign in there"):
        say('fail {"code": -32000, "message": "Authentication required"}')


def test_a_secret_of_the_agents_command_or_environment_is_not_quoted(agents):
    command = [*agents.command(), "--api-key", "first-secret", "--the-token=second-secret"]
    backend = agents.over([command], environ={"SOME_API_KEY": "third-secret"})
    session_id = backend.create_session("~", "").session_id
    said = "first-secret second-secret third-secret"
    with pytest.raises(BackendUnavailable) as problem:
        ask(backend, session_id, f"fail {json.dumps({'message': said})}")
    assert "“[key] [key] [key]”" in str(problem.value)


# Questions


def test_a_question_has_all_options_in_their_order_and_waits_for_the_person(backend, session_id, asked):
    reading, question = asked("ask")
    assert question.options == (
        Option("yes", "Allow once", "allow_once"),
        Option("yes-all", "Allow once, for this folder", "allow_once"),
        Option("no", "Reject", "reject_once"),
    )
    assert (question.title, question.tool_call, question.is_open) == ("Run make", "t1", True)
    backend.answer_permission(session_id, question.id, "yes-all")
    assert reading.ended.wait(30)
    assert reading.text == 'Outcome: {"outcome": "selected", "optionId": "yes-all"}'
    call = latest(reading.pieces)["t1"]
    assert (call.status, call.input, call.output) == ("done", "make", (Terminal("made"),))


def test_a_question_makes_the_call_that_was_never_announced(backend, session_id, asked):
    reading, question = asked("ask unannounced")
    call = latest(reading.pieces)["t1"]
    assert (call.title, call.kind, call.input) == ("Run make", "execute", "make")
    assert reading.pieces.index(call) < reading.pieces.index(question)
    backend.answer_permission(session_id, question.id, "no")
    assert reading.ended.wait(30)


def test_a_question_that_names_only_its_call_has_the_calls_title(asked):
    _, question = asked("ask bare")
    assert question.title == "Run make"


def test_options_whose_ids_are_numbers_go_back_as_numbers(backend, session_id, asked):
    reading, question = asked("ask numbers")
    assert [option.id for option in question.options] == ["0", "1", "2"]
    backend.answer_permission(session_id, question.id, "1")
    assert reading.ended.wait(30)
    assert reading.text == 'Outcome: {"outcome": "selected", "optionId": 1}'


def test_the_ids_of_questions_are_random(asked, backend, session_id):
    ids = set()
    for _ in range(2):
        reading, question = asked("ask")
        ids.add(question.id)
        backend.answer_permission(session_id, question.id, "yes")
        assert reading.ended.wait(30)
    assert len(ids) == 2
    assert all(len(name) >= 32 for name in ids)


def test_every_option_is_offered_and_goes_back_whatever_its_id(backend, session_id, asked):
    reading, question = asked("ask-oddly")
    assert [option.name for option in question.options][-1] == "None of these"
    assert len(question.record()["options"]) == 25
    question.options[-1].id.encode()
    backend.answer_permission(session_id, question.id, question.options[-1].id)
    assert reading.ended.wait(30)
    assert json.loads(reading.text) == {"outcome": "selected", "optionId": "no\ud83d"}


def test_a_question_ends_with_the_tool_that_it_is_about(say):
    pieces = say("ask-too-late")
    statuses = [piece.status for piece in pieces if isinstance(piece, Permission)]
    assert statuses[-1] == "cancelled"
    assert text_of(pieces) == '[{"outcome": "cancelled"}]'


def test_a_call_with_the_id_of_an_earlier_one_is_another_call(say):
    calls = list(latest(say("twice")).values())
    assert [(call.input, call.output) for call in calls] == [("one", (Terminal("one"),)), ("two", (Terminal("two"),))]


def test_the_question_about_such_a_call_is_about_the_newest(backend, session_id, asked):
    reading, first = asked("twice and ask")
    backend.answer_permission(session_id, first.id, "yes")
    second = reading.until(lambda piece: isinstance(piece, Permission) and piece.id != first.id)
    assert (first.title, second.title) == ("Step one", "Step two")
    assert first.tool_call != second.tool_call
    backend.answer_permission(session_id, second.id, "yes")
    assert reading.ended.wait(30)


def test_what_is_not_offered_is_refused_and_the_question_stays(backend, session_id, asked):
    reading, question = asked("ask")
    with pytest.raises(InvalidInput):
        backend.answer_permission(session_id, question.id, "whatever")
    backend.answer_permission(session_id, question.id, "yes")
    assert reading.ended.wait(30)
    backend.answer_permission(session_id, question.id, "yes")
    backend.answer_permission(session_id, "unknown", "yes")
    backend.answer_permission("nobody", question.id, "yes")


def test_a_question_without_an_answer_to_choose_is_cancelled(say):
    assert text_of(say("ask-without-options")) == '{"outcome": "cancelled"}'


# Stop


def test_stop_ends_the_answer_at_once_and_the_session_goes_on(agents, backend, session_id):
    reading = Reading(backend, session_id, "endless")
    reading.until(lambda piece: isinstance(piece, str))
    reading.answer.cancel()
    assert reading.ended.wait(30)
    assert reading.error is None
    assert text_of(ask(backend, session_id, "hello")) == "You said: hello"
    assert len(agents.received("session/new")) == 1


def test_stop_cancels_the_open_question_before_the_prompt(agents, backend, session_id, asked):
    reading, question = asked("ask")
    reading.answer.cancel()
    assert reading.ended.wait(30)
    assert text_of(ask(backend, session_id, "hello")) == "You said: hello"
    lines = [json.loads(line) for line in (agents.folder / "received.jsonl").read_text().splitlines()]
    answered = next(number for number, line in enumerate(lines) if "result" in line)
    cancelled = next(number for number, line in enumerate(lines) if line.get("method") == "session/cancel")
    assert lines[answered]["result"] == {"outcome": {"outcome": "cancelled"}}
    assert answered < cancelled
    backend.answer_permission(session_id, question.id, "yes")


def test_an_agent_that_does_not_stop_is_ended_and_the_next_message_gets_another(agents, backend, session_id):
    backend.bounds.cancel_patience = 0.2
    reading = Reading(backend, session_id, "deaf")
    reading.until(lambda piece: isinstance(piece, str))
    reading.answer.cancel()
    assert reading.ended.wait(30)
    assert text_of(ask(backend, session_id, "hello")) == "You said: hello"
    first, second = agents.received("session/prompt")
    assert first["sessionId"] != second["sessionId"]
    assert "I hear nothing" in second["prompt"][0]["text"]


def test_a_hung_agent_does_not_block_the_message_that_waits_for_it(agents, backend, session_id):
    backend.bounds.cancel_patience = 0.3
    reading = Reading(backend, session_id, "hang")
    reading.until(lambda piece: isinstance(piece, str))
    reading.answer.cancel()
    following = Reading(backend, session_id, "hello")
    assert following.ended.wait(30)
    assert following.text == "You said: hello"


def test_answers_in_two_sessions_of_one_agent_do_not_wait_for_each_other(agents, backend, session_id):
    other = backend.create_session("~", "").session_id
    first = Reading(backend, session_id, "endless")
    first.until(lambda piece: isinstance(piece, str))
    assert text_of(ask(backend, other, "hello")) == "You said: hello"
    assert len(agents.received("initialize")) == 1
    first.answer.cancel()
    assert first.ended.wait(30)


# What no agent should send


def test_unknown_updates_are_ignored_and_unknown_requests_refused(say, caplog):
    assert text_of(say("strange")) == str([-32601] * 5)
    assert caplog.text == ""


def test_wrong_types_everywhere_do_no_harm(say, caplog):
    assert text_of(say("wrong")).endswith("Sane again.")
    assert caplog.text == ""
    assert text_of(say("hello")) == "You said: hello"


def test_a_line_that_is_too_long_is_passed_over_and_a_long_one_read(say):
    assert text_of(say("huge")) == "y" * 561_000


def test_a_flood_of_updates_blocks_no_other_session(backend, session_id):
    other = backend.create_session("~", "").session_id
    flood = Reading(backend, session_id, "flood")
    flood.until(lambda piece: isinstance(piece, Usage))
    assert text_of(ask(backend, other, "hello")) == "You said: hello"
    flood.answer.cancel()
    assert flood.ended.wait(30)


def test_more_text_than_anybody_reads_ends_the_answer(agents, backend, session_id):
    backend.bounds.most_unread = 2**20

    def read_slowly():
        for piece in backend.send_message(session_id, "unread"):
            if isinstance(piece, str):  # it may also be too much before the first is read
                until(lambda: agents.received("session/cancel"))  # nothing is read meanwhile

    with pytest.raises(BackendUnavailable, match="more data at once"):
        read_slowly()
    until(lambda: agents.received("session/cancel"))


@pytest.mark.parametrize("scene", ["tool", "ask unannounced"])
def test_more_tool_calls_than_are_kept_end_the_answer(agents, backend, say, scene):
    backend.bounds.most_calls = 0
    with pytest.raises(BackendUnavailable, match="more data at once"):
        say(scene)
    until(lambda: agents.received("session/cancel"))


def test_an_agent_that_prints_no_end_of_noise_is_answered(say):
    assert text_of(say("noisy")) == "Quiet."


def test_an_agent_that_sends_requests_without_reading_answers_is_borne(say):
    assert text_of(say("pestering 3000")) == "Enough."


def test_a_thousand_updates_of_one_call_cost_little(say):
    calls = [piece for piece in say("many 1000") if isinstance(piece, ToolCall)]
    assert calls[-1].status == "done"
    assert calls[-1].output == (Terminal("line 999\n" * 100),)
