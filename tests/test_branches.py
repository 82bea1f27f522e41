"""A conversation is a tree: retry, edit, continue and fork overwrite nothing, and what is shown can be chosen."""

from __future__ import annotations

import threading

import pytest

from webchat.errors import InvalidInput, StaleView

JSON = {"Accept": "application/json"}


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


def texts(manager, session_id):
    return [message.content for message in manager.conversation(session_id).messages]


def stopped(manager, backend, session_id, said="half an ans"):
    """An answer that was stopped halfway."""
    backend.plays(said, threading.Event())
    posted = manager.post_message(session_id, "question")
    for text, _ in manager.pieces(session_id, posted.reply.id):
        if text:
            break
    manager.stop(session_id)
    return manager.conversation(session_id).last


def test_an_answer_tried_again_stands_beside_the_first(manager, backend, session_id):
    backend.plays("first")
    manager.send_message("question")
    first = manager.conversation(session_id).last
    backend.plays("second")
    manager.retry(session_id, first.id).wait()
    last = manager.conversation(session_id).last
    assert texts(manager, session_id) == ["question", "second"]
    assert last.siblings == (first.id, last.id)
    manager.select(session_id, first.id)
    assert texts(manager, session_id) == ["question", "first"]


def test_the_model_is_told_the_branch_that_is_shown(manager, backend, session_id):
    backend.plays("first")
    manager.send_message("question")
    first = manager.conversation(session_id).last
    backend.plays("second")
    manager.retry(session_id, first.id).wait()
    manager.select(session_id, first.id)
    manager.send_message("and then?")
    assert [item["content"] for item in backend.histories[-1]] == ["question", "first"]


def test_an_edited_message_begins_a_branch_with_all_before_it(manager, session_id):
    manager.send_message("one")
    manager.send_message("two")
    two = manager.conversation(session_id).messages[2]
    manager.edit(session_id, two.id, "other").wait()
    assert texts(manager, session_id) == ["one", "You said: one", "other", "You said: other"]
    manager.select(session_id, two.id)
    assert texts(manager, session_id) == ["one", "You said: one", "two", "You said: two"]


def test_the_first_message_can_be_edited(manager, session_id):
    manager.send_message("one")
    first = manager.conversation(session_id).messages[0]
    manager.edit(session_id, first.id, "other").wait()
    assert texts(manager, session_id) == ["other", "You said: other"]
    assert len(manager.conversation(session_id).messages[0].siblings) == 2


def test_only_ones_own_message_can_be_edited(manager, session_id):
    manager.send_message("one")
    answer = manager.conversation(session_id).last
    for message_id in (answer.id, "no-such"):
        with pytest.raises(InvalidInput):
            manager.edit(session_id, message_id, "other")
    assert texts(manager, session_id) == ["one", "You said: one"]


def test_a_stopped_answer_goes_on_in_the_same_message(manager, backend, session_id):
    broken = stopped(manager, backend, session_id)
    backend.plays("wer, whole")
    manager.continue_reply(session_id, broken.id).wait()
    last = manager.conversation(session_id).last
    assert (last.id, last.content, last.status) == (broken.id, "half an answer, whole", "complete")
    assert [item["content"] for item in backend.histories[-1]] == ["question", "half an ans"]


def test_what_is_asked_to_go_on_is_no_part_of_the_conversation(manager, backend, session_id):
    broken = stopped(manager, backend, session_id)
    backend.plays("wer")
    manager.continue_reply(session_id, broken.id).wait()
    manager.send_message("next")
    assert [item["content"] for item in backend.histories[-1]] == ["question", "half an answer"]


def test_while_it_goes_on_the_whole_message_is_shown(manager, backend, session_id):
    broken = stopped(manager, backend, session_id)
    gate = threading.Event()
    backend.plays("wer", gate)
    posted = manager.continue_reply(session_id, broken.id)
    for _, message in manager.pieces(session_id, broken.id):
        if message.content == "half an answer":
            break
    assert manager.conversation(session_id).last.in_flight
    gate.set()
    posted.wait()


def test_a_continued_answer_can_be_stopped_and_continued_again(manager, backend, session_id):
    broken = stopped(manager, backend, session_id, "one ")
    backend.plays("two ", threading.Event())
    posted = manager.continue_reply(session_id, broken.id)
    while "two" not in posted.run.message.content:
        pass
    manager.stop(session_id)
    backend.plays("three")
    manager.continue_reply(session_id, broken.id).wait()
    last = manager.conversation(session_id).last
    assert (last.content, last.status) == ("one two three", "complete")


def test_a_whole_answer_is_not_continued(manager, session_id):
    manager.send_message("one")
    with pytest.raises(InvalidInput):
        manager.continue_reply(session_id, manager.conversation(session_id).last.id)


def test_a_fork_goes_its_own_way(manager, backend, session_id):
    manager.send_message("one")
    manager.send_message("two")
    answer = manager.conversation(session_id).messages[1]
    fork = manager.fork(session_id, answer.id)
    assert texts(manager, fork.session_id) == ["one", "You said: one"]
    manager.send_message("other", fork.session_id)
    assert [item["content"] for item in backend.histories[-1]] == ["one", "You said: one"]
    assert texts(manager, session_id) == ["one", "You said: one", "two", "You said: two"]
    assert (manager.active_session_id, fork.description) == (fork.session_id, "one")


def test_a_fork_is_answered_as_the_session_it_is_from(manager, session_id):
    manager.send_message("one")
    manager.store.annotate(session_id, {"model": "another", "system_prompt": "Be brief."})
    fork = manager.fork(session_id, manager.conversation(session_id).last.id)
    assert {name: fork.extra.get(name) for name in ("model", "system_prompt")} == {
        "model": "another",
        "system_prompt": "Be brief.",
    }


def test_a_message_sent_twice_with_one_key_is_one_message(manager, session_id):
    first = manager.post_message(session_id, "one", key="k1")
    first.wait()
    again = manager.post_message(session_id, "one", key="k1")
    assert (again.question.id, again.answer.content) == (first.question.id, "You said: one")
    assert len(manager.conversation(session_id).messages) == 2


def test_sent_twice_at_once_it_is_one_message_too(manager, backend, session_id):
    gate = threading.Event()
    backend.plays(gate, "done")
    first = manager.post_message(session_id, "one", key="k1")
    again = manager.post_message(session_id, "one", key="k1")
    gate.set()
    assert again.wait(30)
    assert (again.question.id, again.answer.content) == (first.question.id, "done")


def test_a_first_message_sent_twice_makes_one_session(manager):
    first = manager.start_conversation("one", key="k1")
    again = manager.start_conversation("one", key="k1")
    assert again.session.session_id == first.session.session_id
    assert len(manager.list_sessions()) == 1


def test_what_is_sent_from_a_stale_page_is_refused(manager, session_id):
    manager.send_message("one")
    seen = manager.conversation(session_id).last.id
    manager.send_message("two")
    with pytest.raises(StaleView):
        manager.post_message(session_id, "three", seen=seen)
    assert texts(manager, session_id) == ["one", "You said: one", "two", "You said: two"]
    now = manager.conversation(session_id).messages
    manager.post_message(session_id, "three", seen=now[-2].id).wait()  # the question was seen, not its answer


# Edited answers


def edited(manager, backend, session_id, **more):
    """An answer edited by a person."""
    backend.plays("first")
    manager.send_message("question")
    first = manager.conversation(session_id).last
    return first, manager.edit_answer(session_id, first.id, "what it should say", **more)


def test_an_answer_in_other_words_stands_beside_the_first_and_is_what_the_model_said(manager, backend, session_id):
    first, mine = edited(manager, backend, session_id)
    last = manager.conversation(session_id).last
    assert (last.content, last.kind, last.status, last.siblings) == (
        mine.content,
        "edited",
        "complete",
        (first.id, mine.id),
    )
    manager.send_message("and then?")
    assert [item["content"] for item in backend.histories[-1]] == ["question", "what it should say"]
    manager.select(session_id, first.id)
    assert texts(manager, session_id) == ["question", "first"]
    assert manager.conversation(session_id).last.kind is None


def test_an_earlier_answer_in_other_words_leaves_what_followed_on_its_branch(manager, backend, session_id):
    backend.plays("first")
    manager.send_message("question")
    first = manager.conversation(session_id).last
    manager.send_message("more")
    manager.edit_answer(session_id, first.id, "other")
    assert texts(manager, session_id) == ["question", "other"]
    manager.select(session_id, first.id)
    assert texts(manager, session_id)[1:3] == ["first", "more"]


def test_changing_an_answer_twice_with_one_key_is_one_change(manager, backend, session_id):
    first, mine = edited(manager, backend, session_id, key="k")
    assert manager.edit_answer(session_id, first.id, "what it should say", key="k").id == mine.id
    assert len(manager.conversation(session_id).last.siblings) == 2


def test_a_change_that_a_script_sends_again_is_one_change(client, manager, backend, session_id):
    backend.plays("first")
    manager.send_message("question")
    first = manager.conversation(session_id).last
    address = f"/sessions/{session_id}/messages/{first.id}/edit"
    told = [client.post(address, data={"message": "mine", "key": "k"}, headers=JSON) for _ in range(2)]
    assert [(answer.status_code, answer.json) for answer in told] == [(200, told[0].json)] * 2
    assert told[0].json["siblings"] == [first.id, told[0].json["id"]]
    other = client.post(address, data={"message": "other words", "key": "k"}, headers=JSON)
    assert (other.status_code, other.json["content"]) == (200, "other words")
    assert texts(manager, session_id) == ["question", "other words"]
    assert len(manager.conversation(session_id).last.siblings) == 3
    gate = threading.Event()
    backend.plays("long", gate)
    posted = manager.post_message(session_id, "more")
    again = client.post(address, data={"message": "other words", "key": "k"}, headers=JSON)
    assert (again.status_code, again.json["id"]) == (200, other.json["id"])
    gate.set()
    posted.wait()


def test_so_is_a_change_of_a_question_that_is_not_shown_any_more(client, manager, session_id):
    manager.send_message("question")
    question = manager.conversation(session_id).messages[0]
    address = f"/sessions/{session_id}/messages/{question.id}/edit"
    told = [client.post(address, data={"message": "better", "key": "k"}, headers=JSON) for _ in range(2)]
    assert [(answer.status_code, answer.json) for answer in told] == [(200, told[0].json)] * 2
    assert len(manager.conversation(session_id).messages[0].siblings) == 2


def test_only_a_whole_answer_of_this_session_can_be_changed(manager, backend, session_id):
    manager.send_message("question")
    question, answer = manager.conversation(session_id).messages
    for message_id in (question.id, "nobody"):
        with pytest.raises(InvalidInput):
            manager.edit_answer(session_id, message_id, "x")
    with pytest.raises(StaleView):
        manager.edit_answer(session_id, answer.id, "x", seen="somebody")
    manager.add_exchange(session_id, "recall it", lambda: "It is blue.", "memory")
    with pytest.raises(InvalidInput):
        manager.edit_answer(session_id, manager.conversation(session_id).last.id, "x")


def test_an_edited_answer_can_be_tried_again(manager, backend, session_id):
    _, mine = edited(manager, backend, session_id)
    backend.plays("third")
    manager.retry(session_id, mine.id).wait()
    assert texts(manager, session_id) == ["question", "third"]
    assert len(manager.conversation(session_id).last.siblings) == 3


def test_an_answer_is_changed_on_the_page_and_marked_there_and_in_exports(client, page, manager, backend, session_id):
    backend.plays("first")
    manager.send_message("question")
    first = manager.conversation(session_id).last
    address = f"/sessions/{session_id}/messages/{first.id}/edit"
    assert address in client.get(f"/sessions/{session_id}").text
    form = page(address).soup.select_one("form.edit")
    assert form.select_one("textarea").get_text().strip() == "first"
    fields = {field["name"]: field["value"] for field in form.select("input")}
    assert client.post(address, data={**fields, "message": "second"}).status_code == 303
    shown = page(f"/sessions/{session_id}")
    assert shown.messages[-1].text == "second"
    assert "Edited by hand." in shown.soup.get_text()
    for kind in ("md", "html"):
        assert "Edited by hand." in client.get(f"/sessions/{session_id}/export?format={kind}").text
    exported = client.get(f"/sessions/{session_id}/export?format=jsonl").data
    assert b'"kind":"edited"' in exported
    address = f"/sessions/{session_id}/messages/{manager.conversation(session_id).last.id}/edit"
    told = client.post(address, json={"message": "third"}, headers={"Accept": "application/json"}).json
    assert (told["content"], told["kind"]) == ("third", "edited")
