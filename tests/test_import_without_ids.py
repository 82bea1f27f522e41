"""A newer export of a conversation without ids is recognised by its beginning, and adds what is new."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from base64 import b64encode
from itertools import zip_longest

import pytest

from tests.pictures import png
from webchat.archive.brought import Brought, Report
from webchat.archive.earlier import MOST_ALIKE, EarlierImports
from webchat.archive.foreign import Beginnings
from webchat.archive.foreign_node import ForeignNode

MORE = ("Which herbs?", "Thyme.")
HELLO = ("Hello", "Hi!")


def plain(*texts):
    """Messages as models take them, alternating."""
    return [{"role": "assistant" if number % 2 else "user", "content": text} for number, text in enumerate(texts)]


def in_list(*texts):
    return json.dumps(plain(*texts)).encode()


def in_object(*texts):
    return json.dumps({"messages": plain(*texts)}).encode()


def in_lines(*texts):
    return b"".join(json.dumps(message).encode() + b"\n" for message in plain(*texts))


def of_ai_studio(*texts):
    chunks = [{"role": "model" if number % 2 else "user", "text": text} for number, text in enumerate(texts)]
    return json.dumps({"chunkedPrompt": {"chunks": chunks}}).encode()


def in_a_row_of_open_webui(*texts):
    return json.dumps({"title": "Talk", "chat": {"messages": plain(*texts)}}).encode()


def of_codex(*texts):
    """A session whose first line, which has its id, is missing."""
    asked = ({"type": "event_msg", "payload": {"type": "user_message", "message": text}} for text in texts[::2])
    answers = (
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
        for text in texts[1::2]
    )
    answered = ({"type": "response_item", "payload": answer} for answer in answers)
    rows = [row for pair in zip_longest(asked, answered) for row in pair if row]
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def of_codex_with_its_id(*texts):
    return json.dumps({"type": "session_meta", "payload": {"id": "x"}}).encode() + b"\n" + of_codex(*texts)


def of_copilot(*texts):
    file = io.StringIO()
    rows = [("Talk", f"2026-01-01T10:0{n}:00", "AI" if n % 2 else "Human", text) for n, text in enumerate(texts)]
    csv.writer(file).writerows([("Conversation", "Time", "Author", "Message"), *reversed(rows)])
    return file.getvalue().encode()


def with_id(*texts):
    return json.dumps({"id": "x", "messages": plain(*texts)}).encode()


def our_markdown(*texts):
    said = "".join(f"## {'Assistant' if number % 2 else 'You'}\n\n{text}\n\n" for number, text in enumerate(texts))
    return f"# T\n\n2026-01-01 · abc\n\n{said}".encode()


def of_lm_studio(*texts):
    def version(number, text):
        content = [{"type": "text", "text": text}]
        step = {"type": "contentBlock", "content": content}
        return {"role": "assistant", "steps": [step]} if number % 2 else {"role": "user", "content": content}

    messages = [{"versions": [version(number, text)], "currentlySelected": 0} for number, text in enumerate(texts)]
    return json.dumps({"name": "Talk", "createdAt": 1_760_000_000_000, "messages": messages}).encode()


def of_open_webui(*texts):
    return json.dumps([{"id": "w", "title": "Talk", "chat": {"messages": plain(*texts)}}]).encode()


def of_claude(*texts):
    rows = [{"sender": "assistant" if n % 2 else "human", "text": text} for n, text in enumerate(texts)]
    return json.dumps([{"uuid": "c", "name": "Talk", "chat_messages": rows}]).encode()


def of_grok(*texts):
    rows = [{"sender": "assistant" if n % 2 else "human", "message": text} for n, text in enumerate(texts)]
    return json.dumps({"conversations": [{"conversation": {"id": "g"}, "responses": rows}]}).encode()


KNOWN_BY_CONTENT = [in_list, in_object, in_lines, of_ai_studio, in_a_row_of_open_webui, of_codex]
KNOWN_BY_NAME = [of_copilot, of_codex_with_its_id, with_id, our_markdown, of_lm_studio]
KNOWN_BY_NAME += [of_open_webui, of_claude, of_grok]
each_kind = pytest.mark.parametrize("kind", [*KNOWN_BY_CONTENT, *KNOWN_BY_NAME])
known_by_content = pytest.mark.parametrize("kind", KNOWN_BY_CONTENT)
known_by_name = pytest.mark.parametrize("kind", KNOWN_BY_NAME)


@pytest.fixture
def bring_in(manager):
    return lambda data, owner=None: manager.archive.bring_in(io.BytesIO(data), owner)


def said(manager, session_id):
    return tuple(message.content for message in manager.conversation(session_id).messages)


def in_zip(*files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(f"{number}.json", file)
    return data.getvalue()


@each_kind
def test_a_longer_one_adds_what_is_new_once(manager, bring_in, kind):
    (session_id,) = bring_in(kind(*HELLO)).imported
    for texts in ((*HELLO, *MORE), (*HELLO, *MORE, "And more?"), (*HELLO, *MORE, "And more?", "Sage.")):
        report = bring_in(kind(*texts))
        assert (report.imported, report.grown, report.problems) == ([], [session_id], [])
        assert said(manager, session_id) == texts
    for texts in ((*HELLO, *MORE, "And more?", "Sage."), (*HELLO, *MORE), HELLO):
        again = bring_in(kind(*texts))
        assert (again.imported, again.grown, again.known) == ([], [], 1)


@each_kind
def test_what_was_said_here_since_stays_and_is_shown(manager, bring_in, kind):
    (session_id,) = bring_in(kind(*HELLO)).imported
    manager.send_message("mine", session_id)
    assert bring_in(kind(*HELLO, *MORE)).grown == [session_id]
    assert said(manager, session_id) == (*HELLO, "mine", "You said: mine")
    _, other = manager.conversation(session_id).messages[2].siblings
    manager.select(session_id, other)
    assert said(manager, session_id) == (*HELLO, *MORE)
    assert bring_in(kind(*HELLO, *MORE)).known == 1


@known_by_content
def test_two_that_only_begin_alike_stay_apart(manager, bring_in, kind):
    weather, garden = (*HELLO, "Will it rain?", "No."), (*HELLO, *MORE)
    (first,) = bring_in(kind(*weather)).imported
    (second,) = bring_in(kind(*garden)).imported
    assert bring_in(kind(*garden, "Thanks", "Welcome.")).grown == [second]
    assert bring_in(kind(*weather, "Sure?", "Yes.")).grown == [first]
    assert said(manager, first) == (*weather, "Sure?", "Yes.")
    assert said(manager, second) == (*garden, "Thanks", "Welcome.")
    assert bring_in(kind(*weather)).known == bring_in(kind(*garden)).known == 1


@known_by_content
def test_a_session_that_has_grown_is_not_the_beginning_of_another(manager, bring_in, kind):
    (first,) = bring_in(kind(*HELLO)).imported
    assert bring_in(kind(*HELLO, *MORE)).grown == [first]
    (second,) = bring_in(kind(*HELLO, "Will it rain?", "No.")).imported
    assert (said(manager, first), said(manager, second)) == ((*HELLO, *MORE), (*HELLO, "Will it rain?", "No."))


@known_by_content
def test_a_question_without_an_answer_is_no_beginning(manager, bring_in, kind):
    (first,) = bring_in(kind("Hello")).imported
    (second,) = bring_in(kind(*HELLO)).imported
    assert (said(manager, first), said(manager, second)) == (("Hello",), HELLO)
    assert bring_in(kind("Hello")).known == 1


@known_by_content
@pytest.mark.parametrize("files", [(HELLO, (*HELLO, *MORE)), ((*HELLO, *MORE), HELLO)], ids=["older first", "newer"])
def test_an_older_and_a_newer_one_in_one_zip_are_one(manager, bring_in, kind, files):
    (session_id,) = bring_in(in_zip(*(kind(*texts) for texts in files))).imported
    assert said(manager, session_id) == (*HELLO, *MORE)


@known_by_content
def test_many_that_begin_alike_in_one_zip_are_one_each(manager, bring_in, kind):
    talks = [(*HELLO, f"Question {number}", "Answer") for number in range(2 * MOST_ALIKE)]
    data = in_zip(*(kind(*texts) for texts in talks))
    report = bring_in(data)
    assert sorted(said(manager, each) for each in report.imported) == sorted(talks)
    assert bring_in(data).known == len(talks)
    assert len(bring_in(in_zip(*(kind(*texts, *MORE) for texts in talks))).grown) == len(talks)


@known_by_content
def test_one_in_the_trash_stays_there(manager, bring_in, kind):
    (session_id,) = bring_in(kind(*HELLO)).imported
    manager.housekeeping.delete([session_id])
    report = bring_in(kind(*HELLO, *MORE))
    assert (report.imported, report.in_trash) == ([], [session_id])
    assert len(bring_in(kind(*HELLO[:1], "Another", *MORE)).imported) == 1
    manager.housekeeping.restore([session_id])
    assert bring_in(kind(*HELLO, *MORE)).grown == [session_id]


@each_kind
def test_each_person_has_their_own(manager, bring_in, kind):
    (first,) = bring_in(kind(*HELLO), "ada").imported
    (second,) = bring_in(kind(*HELLO), "bob").imported
    assert bring_in(kind(*HELLO, *MORE), "bob").grown == [second]
    assert [len(manager.conversation(name, who).messages) for name, who in ((first, "ada"), (second, "bob"))] == [2, 4]


@known_by_name
def test_another_version_is_a_branch(manager, bring_in, kind):
    (session_id,) = bring_in(kind(*HELLO, *MORE)).imported
    other = (*HELLO, "Will it rain?", "No.")
    assert bring_in(kind(*other)).grown == [session_id]
    assert said(manager, session_id) == other
    assert bring_in(kind(*other, "Sure?", "Yes.")).grown == [session_id]
    assert said(manager, session_id) == (*other, "Sure?", "Yes.")
    first, _ = manager.conversation(session_id).messages[2].siblings
    manager.select(session_id, first)
    assert said(manager, session_id) == (*HELLO, *MORE)
    assert bring_in(kind(*other)).known == bring_in(kind(*HELLO, *MORE)).known == 1


@each_kind
def test_another_import_may_add_messages_right_before_this_one_does(manager, bring_in, kind, monkeypatch):
    (session_id,) = bring_in(kind(*HELLO)).imported
    acquire, others = manager.storage.leases.acquire, [(*HELLO, *MORE)]

    def late(name):
        while others:
            bring_in(kind(*others.pop()))
        return acquire(name)

    monkeypatch.setattr(manager.storage.leases, "acquire", late)
    rain = (*HELLO, "Will it rain?", "No.")
    assert bring_in(kind(*rain)).grown == [session_id]
    assert said(manager, session_id) == rain
    first, _ = manager.conversation(session_id).messages[2].siblings
    manager.select(session_id, first)
    assert said(manager, session_id) == (*HELLO, *MORE)


TAX = (*HELLO, "My tax?", "Form 1040.")
BREAD = (*HELLO, "Bake bread", "Take flour.")


@known_by_name
def test_a_session_that_cannot_be_read_is_reported(manager, bring_in, kind, monkeypatch):
    bring_in(kind(*BREAD))
    monkeypatch.setattr(manager.storage, "export", fails)
    (problem,) = bring_in(kind(*BREAD, *MORE)).problems
    assert "nothing was added to it. It could not be changed: Input/output error" in problem


def fails(session_id):
    raise OSError(5, "Input/output error")


@known_by_content
def test_a_session_that_cannot_be_read_keeps_no_conversation_out(manager, bring_in, kind, monkeypatch):
    (first,) = bring_in(kind(*BREAD)).imported
    export = manager.storage.export

    def damaged(session_id):
        return fails(session_id) if session_id == first else export(session_id)

    monkeypatch.setattr(manager.storage, "export", damaged)
    report = bring_in(in_zip(kind(*TAX), kind("Third", "Three"), kind(*BREAD, *MORE)))
    assert {said(manager, each) for each in report.imported} == {TAX, ("Third", "Three"), (*BREAD, *MORE)}
    (problem,) = report.problems
    assert problem == f"session {first} could not be compared with others like it: Input/output error."
    again = bring_in(in_zip(kind(*TAX), kind(*BREAD, *MORE)))
    assert (again.imported, again.known) == ([], 2)


@known_by_content
@pytest.mark.parametrize("at_once", [1, 100], ids=["between batches", "within a batch"])
@pytest.mark.parametrize("other", [BREAD, TAX, HELLO, (*TAX, *MORE)], ids=["another", "same", "older", "newer"])
def test_another_import_may_add_one_that_begins_alike_meanwhile(manager, bring_in, kind, at_once, other):
    bring_in(kind("First", "One"))
    manager.archive.at_once = at_once
    add, others = manager.archive.importer.add, [kind(*other)]

    def late(*batch):
        while others:
            bring_in(others.pop())
        return add(*batch)

    manager.archive.importer.add = late
    report = bring_in(in_zip(kind("Third", "Three"), kind(*TAX)))
    talks = {said(manager, session.session_id) for session in manager.list_sessions()}
    own = {BREAD, TAX} if other == BREAD else {max(TAX, other, key=len)}
    assert talks == {("First", "One"), ("Third", "Three"), *own}
    assert (len(report.imported), len(report.grown), report.known) == {BREAD: (2, 0, 0), HELLO: (1, 1, 0)}.get(
        other, (1, 0, 1)
    )


def with_picture(data):
    url = f"data:image/png;base64,{b64encode(data).decode()}"
    asked = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": "A cat."}]


def with_tool(given):
    call = {"id": "c", "function": {"name": "read", "arguments": given}}
    asked = {"role": "user", "content": "Is it there?"}
    return [asked, {"role": "assistant", "content": "Yes.", "tool_calls": [call]}]


@pytest.mark.parametrize(
    "talks",
    [[with_picture(png(1, 1)), with_picture(png(2, 2))], [with_tool("a.txt"), with_tool("b.txt")]],
    ids=["picture", "tool's input"],
)
def test_two_that_differ_only_in_what_is_no_text_stay_apart(manager, bring_in, talks):
    first, second = (json.dumps(talk).encode() for talk in talks)
    assert len(bring_in(in_zip(first, second)).imported) == 2
    assert bring_in(first).known == bring_in(second).known == 1
    (longer,) = bring_in(json.dumps([*talks[1], *plain(*MORE)]).encode()).grown
    assert bring_in(in_zip(second, first)).known == 2
    assert said(manager, longer)[2:] == MORE


def in_a_tree(current, *messages):
    """An Open WebUI chat without its own id; each message is its id, its parent's, and its text."""
    rows = {
        key: {"parentId": parent, "role": "user" if key.startswith("u") else "assistant", "content": text}
        for key, parent, text in messages
    }
    return json.dumps({"chat": {"history": {"currentId": current, "messages": rows}, "messages": []}}).encode()


def test_messages_with_ids_tell_whether_two_that_begin_alike_are_one(manager, bring_in):
    hello = [("u-1", None, "Hello"), ("a-1", "u-1", "Hi!")]
    rain = [("u-2", "a-1", "Rain?"), ("a-2", "u-2", "No.")]
    herbs = [("u-3", "a-1", "Herbs?"), ("a-3", "u-3", "Thyme.")]
    (session_id,) = bring_in(in_a_tree("a-2", *hello, *rain)).imported
    assert bring_in(in_a_tree("a-3", *hello, *rain, *herbs)).grown == [session_id]
    assert said(manager, session_id) == ("Hello", "Hi!", "Herbs?", "Thyme.")
    assert len(manager.conversation(session_id).messages[2].siblings) == 2
    other = [("u-9", None, "Hello"), ("a-9", "u-9", "Hi!")]
    assert len(bring_in(in_a_tree("a-9", *other)).imported) == 1
    assert bring_in(in_a_tree("a-9", *other)).known == 1


def test_answers_that_llm_has_logged_in_no_conversation_stay_apart(manager, bring_in):
    def logged(key, prompt, response):
        row = {"id": key, "conversation_id": None, "model": "m", "datetime_utc": "2026-10-01T10:00:00"}
        return row | {"prompt": prompt, "response": response}

    tea, coffee = logged("r1", "Tea?", "Yes."), logged("r2", "Coffee?", "No.")
    for rows in ([tea], [coffee]):
        assert len(bring_in(json.dumps(rows).encode()).imported) == 1
    assert bring_in(json.dumps([coffee, tea]).encode()).known == 2
    talks = {said(manager, each.session_id) for each in manager.list_sessions()}
    assert talks == {("Tea?", "Yes."), ("Coffee?", "No.")}


EARLIER = {
    in_list: ("plain", "8cf2130543c4425190215f36a059eadd1d2a94d135fd372eda6ca44503a8941c", "message-{}"),
    of_ai_studio: ("ai-studio", "adc8c887ab986fabe17df1e01b75f37a", ""),
}
"""The names that earlier versions gave to the conversation HELLO and MORE, and the ids of its messages."""


@pytest.mark.parametrize("kind", EARLIER)
def test_a_session_that_an_earlier_version_has_imported_is_recognised(manager, bring_in, kind):
    source, name, numbered = EARLIER[kind]
    (session_id,) = bring_in(kind(*HELLO, *MORE)).imported
    exported = b"".join(manager.archive.export([manager.get_session(session_id)], lambda left_out: None))
    manager.housekeeping.purge_all(None)
    head, *messages = map(json.loads, exported.splitlines())
    head["session"] |= {"session_id": "earlier", "extra": {"imported": {"from": source, "id": name}}}
    assert not numbered or [row["id"] for row in messages] == [numbered.format(number) for number in range(4)]
    bring_in(b"".join(json.dumps(row).encode() + b"\n" for row in (head, *messages)))
    assert bring_in(kind(*HELLO, *MORE)).known == 1
    assert len(bring_in(kind(*HELLO, "Will it rain?", "No.")).imported) == 1
    assert bring_in(kind(*HELLO, *MORE, "Thanks", "Welcome.")).grown == ["earlier"]
    assert said(manager, "earlier") == (*HELLO, *MORE, "Thanks", "Welcome.")


def test_one_conversation_is_compared_with_few_others(manager, bring_in):
    texts = [*HELLO, *(f"Message {number}" for number in range(2 * MOST_ALIKE))]
    for end in range(2, len(texts)):
        bring_in(in_list(*texts[:end], "and", "so on"))
    compared = []

    class Differing(EarlierImports):
        def is_same_conversation(self, session_id, found):
            compared.append(session_id)
            return False

    names = Beginnings()
    for number, text in enumerate(texts):
        role = "assistant" if number % 2 else "user"
        names.add([role, text], ForeignNode("", None, role, text))
    found = Brought({"extra": {"imported": {"from": "plain"}}}, b"", names=names.names)
    assert Differing(manager.storage, None).session_for(found, Report()).session_id not in compared
    assert len(set(compared)) == len(compared) == MOST_ALIKE
    (session_id,) = bring_in(in_list(*texts)).imported
    assert said(manager, session_id) == tuple(texts)


@known_by_content
@pytest.mark.parametrize("more", [(), ("thanks", "np")])
def test_an_answer_that_only_begins_like_another_is_another(manager, bring_in, kind, more):
    brief, long = (*HELLO, "Is it safe?", "No"), (*HELLO, "Is it safe?", "No problem at all, go ahead", *more)
    (first,) = bring_in(kind(*brief)).imported
    (second,) = bring_in(kind(*long)).imported
    assert (said(manager, first), said(manager, second)) == (brief, long)
    assert bring_in(kind(*brief)).known == bring_in(kind(*long)).known == 1


def test_an_answer_that_has_only_called_a_tool_is_no_beginning_of_another(manager, bring_in):
    def calling(name):
        called = {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "function": {"name": name}}]}
        return [{"role": "user", "content": "Hello"}, called]

    talks = [
        calling("look"),
        calling("listen"),
        plain(*HELLO),
        [*calling("look"), {"role": "tool", "tool_call_id": "c", "content": "seen"}, *plain(*HELLO)[1:]],
    ]
    for talk in talks:
        assert len(bring_in(json.dumps(talk).encode()).imported) == 1
    for talk in talks:
        assert bring_in(json.dumps(talk).encode()).known == 1


def test_what_has_grown_in_the_same_file_is_compared_as_it_is_now(manager, bring_in):
    bring_in(in_list(*HELLO))
    talks = [(*HELLO, "Sure?", "No."), (*HELLO, *MORE), (*HELLO, *MORE, "More?", "No."), (*HELLO, "Sure?", "Yes.")]
    report = bring_in(in_zip(*(in_list(*texts) for texts in talks)))
    assert (len(report.grown), len(report.imported)) == (2, 2)


def test_a_message_with_very_many_pictures_is_compared_quickly(manager, bring_in):
    """If each line were searched for in the whole message, it would take minutes."""
    files = [{"type": "image", "name": f"{number}.png"} for number in range(100_000)]

    def export(text):
        asked = {"role": "user", "content": text, "files": files}
        return json.dumps(
            [{"id": "w", "chat": {"messages": [asked, {"role": "assistant", "content": "Hi!"}]}}]
        ).encode()

    (session_id,) = bring_in(export("See")).imported
    assert bring_in(export("Look")).grown == [session_id]
    assert len(manager.conversation(session_id).messages[0].siblings) == 2
