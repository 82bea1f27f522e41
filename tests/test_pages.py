"""The pages and their fragments: what a person sees, with htmx and without scripts."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from bs4 import BeautifulSoup

from tests.conftest import HTMX, Page
from tests.reading import snapshot, until
from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.backends import Event
from webchat.errors import BackendUnavailable, SessionEnded
from webchat.storage.protocols.documents import SETTINGS

SESSION_URL = re.compile(r"/sessions/([0-9a-f]{32})")


def say(client, message: str, session_id: str | None = None, **more):
    address = f"/sessions/{session_id}/messages" if session_id else "/messages"
    return client.post(address, data={"message": message}, **more)


def answered(manager, session_id: str | None = None):
    """The conversation once its answer has ended."""
    session_id = session_id or manager.active_session_id
    for _ in manager.pieces(session_id, manager.conversation(session_id).last.id):
        pass
    return manager.conversation(session_id)


def talk(manager, *messages: str) -> str:
    """A session with these messages and their answers; it is the current one."""
    session_id = manager.create_session().session_id
    for message in messages:
        manager.send_message(message, session_id)
    return session_id


def swaps(text: str) -> list[tuple[str, str]]:
    """Each partial of a response: its target and its swap."""
    found = BeautifulSoup(text, "html.parser").find_all("hx-partial")
    return [(tag["hx-target"], tag["hx-swap"]) for tag in found]


# Welcome


def test_a_new_home_shows_the_welcome_with_three_examples_to_press(page):
    welcome = page("/")
    assert welcome.response.status_code == 200
    buttons = welcome.soup.select("#chatArea .examples form[method=post] button[name=message]")
    assert len(buttons) == 3
    for button in buttons:
        assert button["value"] == button.get_text().strip() != ""
        assert button.find_parent("form")["action"] == "/messages"
    assert welcome.badge.endswith("no session")
    assert welcome.soup.select_one("title").get_text() == "Amplifier"


def test_an_example_starts_a_conversation(client, page, manager):
    example = page("/").soup.select_one(".examples button")
    client.post("/messages", data={example["name"]: example["value"]})
    assert answered(manager).messages[0].content == example["value"]


def test_the_page_says_which_model_answers(page, backend):
    assert backend.label in page("/").soup.select_one("#composer").get_text()


def test_what_keeps_the_model_from_answering_is_said_on_the_welcome(page, backend):
    backend.notice = "The model is not there. <b>Install</b> it."
    assert page("/").problem == backend.notice


def test_the_title_can_be_chosen_and_is_text(home):
    title = "<b>Ada & Co</b>"
    client = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_TITLE": title}, backend=ScriptedBackend()).test_client()
    page = Page(client.get("/"))
    assert page.soup.select_one("title").get_text() == title
    assert page.soup.select_one("header .home").get_text() == title
    assert not page.soup.select("header .home b")


def test_the_parts_have_the_names_that_scripts_rely_on(page, manager):
    talk(manager, "hello")
    soup = page("/").soup
    assert all(len(soup.select(f"#{name}")) == 1 for name in ("chatArea", "messageInput", "sessionList", "badge"))


@pytest.mark.parametrize("path", ["/", "/sessions", "/apps/settings/", "/no-such"])
def test_no_page_has_the_same_id_twice(client, manager, path):
    for begun in (False, True):
        if begun:
            talk(manager, "hello", "again")
        ids = re.findall(r'\sid="([^"]+)"', client.get(path).text)
        assert len(ids) == len(set(ids)), sorted(name for name in set(ids) if ids.count(name) > 1)


# The first message


def test_the_first_message_of_a_plain_form_leads_to_its_session(client, page, manager):
    answer = say(client, "hello")
    assert answer.status_code == 303
    session_id = SESSION_URL.fullmatch(answer.headers["Location"].removesuffix("#end"))[1]
    assert answer.headers["Location"].endswith("#end")
    answered(manager)
    shown = page(f"/sessions/{session_id}")
    assert [(message.role, message.text) for message in shown.messages] == [
        ("user", "hello"),
        ("assistant", "You said: hello"),
    ]
    assert shown.badge.endswith(session_id[:8])
    assert shown.soup.select_one("#end")


def test_the_first_message_with_htmx_brings_chat_badge_and_title_at_once(client, manager):
    answer = say(client, "hello", headers=HTMX)
    session_id = manager.active_session_id
    assert answer.status_code == 200
    assert answer.headers["HX-Push-Url"] == f"/sessions/{session_id}"
    soup = BeautifulSoup(answer.text, "html.parser")
    assert soup.find(True)["id"] == "chatArea"
    assert soup.select_one("title").get_text() == "hello · Amplifier"
    assert ("#badge", "outerMorph") in swaps(answer.text)
    assert f"New session started {session_id[:8]}" in soup.get_text()
    assert not soup.select("html, head, body")


def test_each_first_message_makes_a_session_of_its_own(client, manager):
    say(client, "one")
    say(client, "two")
    assert {session.description for session in manager.list_sessions()} == {"one", "two"}


def test_a_first_message_that_cannot_be_sent_makes_no_session(client, manager):
    assert say(client, " \n ").status_code == 422
    assert manager.list_sessions() == []


# A further message


def test_a_further_message_of_a_plain_form_leads_back(client, page, manager):
    session_id = talk(manager, "one")
    answer = say(client, "two", session_id)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sessions/{session_id}#end")
    answered(manager)
    assert [message.text for message in page("/").messages] == ["one", "You said: one", "two", "You said: two"]


def test_a_further_message_with_htmx_goes_to_the_anchor_that_the_last_one_left(client, backend, manager):
    session_id = talk(manager, "one")
    last = manager.conversation(session_id).last
    going_on = threading.Event()
    backend.plays(going_on, "answer")
    answer = say(client, "two", session_id, headers=HTMX)
    assert answer.text  # to its end, which comes before the model's first text
    going_on.set()
    question, reply = answered(manager, session_id).messages[-2:]
    targets = [target for target, _ in swaps(answer.text)]
    assert targets[0] == f"#after-{last.id}"
    assert targets[-1] == "#seen"
    assert all(swap == "outerHTML" for _, swap in swaps(answer.text))
    shown = Page(answer)
    assert [(message.role, message.article["id"]) for message in shown.messages] == [
        ("user", f"m-{question.id}"),
        ("assistant", f"m-{reply.id}"),
    ]
    assert shown.messages[1].status == "waiting"
    # The composer stays, and its next message counts as having seen these.
    assert shown.soup.select_one("#seen")["value"] == reply.id
    # The next message finds its anchor after the last of these.
    assert shown.soup.select_one(f"#after-{reply.id}")
    assert "HX-Push-Url" not in answer.headers


def test_a_further_message_is_on_its_way_to_the_page_while_the_model_is_at_work(client, backend, manager):
    client.application.extensions["webchat.chats"]["webchat"].times.first_text = 60
    session_id = talk(manager, "one")
    going_on = threading.Event()
    backend.plays(going_on, "the first text")
    parts = say(client, "two", session_id, headers=HTMX).iter_encoded()
    assert b"two" in next(parts)
    going_on.set()
    assert b"the first text" in b"".join(parts)


def test_the_line_below_the_composer_comes_where_the_page_shows_an_earlier_one(client, page, manager, backend):
    session_id = talk(manager, "one")
    shown = page(f"/sessions/{session_id}").soup.select_one("#composer [name=hint]")
    form = {"message": "two", "hint": shown["value"]}
    same = client.post(f"/sessions/{session_id}/messages", data=form, headers=HTMX)
    assert "#hint" not in [target for target, _ in swaps(same.text)]
    answered(manager, session_id)
    backend.label = "Another model"
    other = client.post(f"/sessions/{session_id}/messages", data=form | {"message": "three"}, headers=HTMX)
    hint = BeautifulSoup(other.text, "html.parser").select_one("[hx-target='#hint'] #hint")
    assert "Another model" in hint.get_text()
    assert hint.select_one("[name=hint]")["value"] != shown["value"]
    assert shown["form"] == page(f"/sessions/{session_id}").soup.select_one("#composer form.field")["id"]


def test_the_first_message_of_an_empty_session_finds_its_anchor_on_the_page(client, page, manager):
    session_id = manager.create_session().session_id
    anchors = {tag["id"] for tag in page(f"/sessions/{session_id}").soup.select("[id^=after-]")}
    answer = say(client, "hello", session_id, headers=HTMX)
    assert swaps(answer.text)[0][0].removeprefix("#") in anchors


def test_every_message_of_a_page_has_its_anchor_or_its_successor_behind_it(page, manager):
    session_id = talk(manager, "one", "two")
    last = manager.conversation(session_id).last
    anchors = page("/").soup.select("#messages [id^=after-]")
    assert [anchor["id"] for anchor in anchors] == [f"after-{last.id}"]


def test_a_message_from_a_second_tab_goes_to_the_session_of_its_page(client, page, manager):
    first = talk(manager, "one")
    form = page(f"/sessions/{first}").soup.select_one("form:has(#messageInput)")
    talk(manager, "other")
    client.post(form["action"], data={"message": "more"})
    assert answered(manager, first).messages[2].content == "more"
    assert manager.active_session_id == first


def test_what_is_on_its_way_is_told_where_the_answer_will_be(client, page, backend, manager):
    session_id = talk(manager, "one")
    going_on = threading.Event()
    backend.plays(Event("status", "Loading the <model>", 0.25), going_on, "answer")
    manager.post_message(session_id, "two")
    until(lambda: manager.conversation(session_id).status)
    article = page("/").messages[-1].article
    going_on.set()
    assert article["aria-busy"] == "true"
    assert "Loading the <model>" in article.get_text()
    assert article.select_one("progress")["value"] == "0.250"
    assert article.select_one("noscript iframe")["src"] == f"/sessions/{session_id}/reply"


def test_reasoning_is_folded_and_notes_stand_below(page, backend, manager):
    backend.plays(Event("reasoning", "<i>hm</i>"), "answer", Event("note", "Earlier messages were left out."))
    talk(manager, "hello")
    article = page("/").messages[-1].article
    assert article.select_one("details:not([open]) .plain").get_text() == "<i>hm</i>"
    assert article.select_one(".note").get_text() == "Earlier messages were left out."


def test_a_message_has_its_time_and_its_source(client, page, manager):
    talk(manager, "**hello**")
    for message in page("/").messages:
        assert datetime.fromisoformat(message.article.select_one("time")["datetime"]).tzinfo
        source = client.get(message.article.select_one("button.copy")["data-source"])
        assert source.mimetype == "text/plain"
        assert "**hello**" in source.text


def test_times_are_in_the_zone_that_the_browser_tells(client, page, manager):
    talk(manager, "hello")
    moment = datetime.fromisoformat(manager.conversation(manager.active_session_id).messages[0].created_at)
    for zone, hours in (("Etc/GMT-14", 14), ("UTC", 0)):
        client.set_cookie("webchat-timezone", zone)
        shown = page("/").messages[0].article.select_one("time").get_text()
        assert shown == (moment.astimezone(UTC) + timedelta(hours=hours)).strftime("%H:%M")


def test_a_message_of_another_day_has_its_date(client, page, manager):
    session_id = talk(manager, "hello")
    client.set_cookie("webchat-timezone", "UTC")
    made = manager.conversation(session_id).messages[0].created_at[:10]
    exported = client.get(f"/sessions/{session_id}/export?format=jsonl").text.replace(session_id, "long-ago")
    file = BytesIO(exported.replace(made, "2020-03-07").encode())
    client.post("/sessions/import", data={"file": (file, "chat.jsonl")})
    times = [message.article.select_one("time").get_text() for message in page("/sessions/long-ago").messages]
    assert all(re.fullmatch(r"7 Mar 2020, \d\d:\d\d", each) for each in times)


# Titles


TITLES = [
    ("hello", "hello"),
    ("  hello \n more", "hello"),
    ("\n\n first \nsecond", "first"),
    ("a\tb   c", "a b c"),
    ("<b>&amp;", "<b>&amp;"),
    ("x" * 80, "x" * 80),
    ("x" * 81, "x" * 79 + "…"),
    ("word " * 15 + "12345", "word " * 15 + "12345"),
    ("word " * 15 + "123456", ("word " * 15).strip() + "…"),
    ("evil\u202etxt", "evil txt"),
    ("\u200b", "Web chat session"),
]


def test_the_first_line_titles_the_session_in_whole_words(client, page, manager):
    for message, title in TITLES:
        say(client, message)
        until(lambda: not manager.answers_in_flight)  # whose end would put this session above the next one
        assert page("/sessions").rows[0].title == title
        assert len(title) <= 80
        assert page("/").soup.select_one("title").get_text() == f"{title} · Amplifier"


def test_a_description_of_its_own_stays_the_title(client, page, manager):
    session_id = manager.create_session("~", "My plan").session_id
    say(client, "hello", session_id)
    assert page("/sessions").rows[0].title == "My plan"


def test_a_further_message_changes_no_title(client, page, manager):
    talk(manager, "first", "second")
    assert page("/sessions").rows[0].title == "first"


# The list


def test_an_empty_list_says_how_to_fill_it(page, client):
    for answer in (client.get("/sessions"), client.get("/sessions", headers=HTMX)):
        assert "No sessions yet. Start chatting to create one." in page(answer).soup.get_text()


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_an_empty_list_does_not_say_that_there_never_was_anything(page, client, manager, action):
    session_id = talk(manager, "hello")
    client.post(f"/sessions/{session_id}/{action}")
    assert "No sessions here. Start chatting to create one." in page("/sessions").soup.get_text()
    client.post(f"/sessions/{session_id}/delete")
    client.post("/sessions/purge", data={"all": "yes"})
    assert "No sessions yet. Start chatting to create one." in page("/sessions").soup.get_text()


def test_the_list_is_a_page_and_to_htmx_the_partial(client, manager):
    talk(manager, "hello")
    assert client.get("/sessions").text.startswith("<!doctype html>")
    fragment = BeautifulSoup(client.get("/sessions", headers=HTMX).text, "html.parser")
    assert fragment.find(True)["id"] == "sessionList"
    assert not fragment.select("html, header")


def test_the_list_marks_the_current_session(page, manager):
    talk(manager, "one")
    second = talk(manager, "two")
    assert [(row.title, row.is_current) for row in page("/sessions").rows] == [("two", True), ("one", False)]
    assert page("/sessions").rows[0].short_id == second[:8]


def test_sessions_without_a_message_are_hidden_but_for_the_current_one(client, page, manager):
    ids = [manager.create_session().session_id for _ in range(3)]
    assert [row.short_id for row in page("/sessions").rows] == [ids[-1][:8]]
    talk(manager, "hello")
    assert [row.title for row in page("/sessions").rows] == ["hello"]
    assert len(client.get("/api/sessions").json["sessions"]) == 4


def remembered(manager, *days_ago: float, title: str = "at {}", times: Sequence[str] = ()) -> None:
    """Put begun sessions into the registry, last used that many days ago, or at these times."""
    now = datetime.now(UTC).replace(hour=12)
    rows = []
    for number, days in enumerate(days_ago):
        at = times[number] if times else (now - timedelta(days=days)).isoformat()
        rows.append(
            {"session_id": f"s{number}", "description": title.format(days), "created_at": at, "last_active": at}
            | {"is_active": False, "begun": True, "extra": {}}
        )
    registry = manager.storage.sessions
    registry.claim(lambda known: [row["session_id"] for row in rows], None, 0)
    registry.complete(rows)


def test_the_list_is_grouped_by_day(client, page, manager):
    remembered(manager, 0, 1, 2, 7, 8, 400)
    client.set_cookie("webchat-timezone", "UTC")
    groups = page("/sessions").soup.select("section.group")
    assert [
        (group.select_one("h2").get_text(), [row.get_text() for row in group.select(".title")]) for group in groups
    ] == [
        ("Today", ["at 0"]),
        ("Yesterday", ["at 1"]),
        ("Previous 7 days", ["at 2", "at 7"]),
        ("Older", ["at 8", "at 400"]),
    ]


def test_outside_the_days_a_row_has_its_date_or_the_time_of_today(client, page, manager):
    remembered(manager, 0, 1, 800)
    client.set_cookie("webchat-timezone", "UTC")
    manager.housekeeping.pin([f"s{number}" for number in range(3)], pinned=True)
    before = datetime.now(UTC) - timedelta(days=800)
    times = [time.get_text() for time in page("/sessions").soup.select(".row time")]
    assert re.fullmatch(r"12:\d\d", times[0])
    assert re.fullmatch(r"\d+ [A-Z][a-z]{2}( \d{4})?", times[1])
    assert times[2] == before.strftime("%-d %b %Y")


def test_a_session_with_an_odd_time_is_listed_too(client, page, manager):
    odd = ["", "yesterday", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00"]
    remembered(manager, *range(len(odd)), times=odd)
    for zone in ("Etc/GMT+12", "Etc/GMT-14"):
        client.set_cookie("webchat-timezone", zone)
        assert {row.title for row in page("/sessions").rows} == {f"at {number}" for number in range(len(odd))}


def test_the_list_comes_fifty_at_a_time(client, page, manager):
    remembered(manager, *range(120))
    seen, address = [], "/sessions"
    sizes = []
    while address:
        shown = page(client.get(address, headers=HTMX))
        assert len(shown.soup.select("#sessionList")) == (1 if address == "/sessions" else 0)
        seen += [row.title for row in shown.rows]
        sizes.append(len(shown.rows))
        more = shown.soup.select_one("a.more")
        address = more and more["hx-get"]
        assert not more or more["href"] == more["hx-get"]
    assert sizes == [50, 50, 20]
    assert seen == [f"at {day}" for day in range(120)]


def test_exactly_fifty_sessions_need_no_more(page, manager):
    remembered(manager, *range(50))
    shown = page("/sessions")
    assert len(shown.rows) == 50
    assert not shown.soup.select("a.more")


def test_more_works_without_a_script(client, page, manager):
    remembered(manager, *range(60))
    more = page("/sessions").soup.select_one("a.more")["href"]
    assert len(page(more).rows) == 10
    assert client.get(more).text.startswith("<!doctype html>")


def test_titles_can_be_searched_and_more_stays_with_the_search(client, page, manager):
    remembered(manager, *range(60), title="Größe {}")
    for query in ("größe 7", "GRÖSSE 7", " GröSSe 7 "):
        assert [row.title for row in page(f"/sessions?q={query}").rows] == ["Größe 7"]
    assert page("/sessions?q=nothing-like-it").soup.get_text().count("Nothing found.") == 1
    more = page("/sessions?q=größe").soup.select_one("a.more")["href"]
    assert len(page(more).rows) == 10
    assert page("/sessions?q=größe").soup.select_one("input[name=q]")["value"] == "größe"


# New, resume, end, stop


def test_new_gives_back_the_current_session_while_it_is_empty(client, manager):
    first = client.post("/sessions").headers["Location"]
    assert client.post("/sessions").headers["Location"] == first
    assert len(manager.list_sessions()) == 1


def test_new_makes_another_session_once_something_was_said(client, page, manager):
    first = talk(manager, "hello")
    answer = client.post("/sessions")
    assert answer.status_code == 303
    assert manager.active_session_id != first
    assert answer.headers["Location"] == f"/sessions/{manager.active_session_id}#end"
    assert page("/").messages == []


def test_new_with_htmx_brings_chat_list_badge_and_address(client, manager):
    talk(manager, "hello")
    answer = client.post("/sessions", headers=HTMX)
    session_id = manager.active_session_id
    assert answer.headers["HX-Push-Url"] == f"/sessions/{session_id}"
    assert {("#badge", "outerMorph"), ("#sessionList", "outerHTML")} <= set(swaps(answer.text))
    assert f"New session started {session_id[:8]}" in answer.text


def test_a_session_is_shown_without_becoming_the_current_one(client, page, manager):
    first = talk(manager, "one")
    second = talk(manager, "two")
    assert page(f"/sessions/{first}").messages[0].text == "one"
    assert manager.active_session_id == second
    assert page("/").messages[0].text == "two"


def test_a_session_with_htmx_is_the_chat_and_pushes_its_address(client, manager):
    session_id = talk(manager, "one")
    answer = client.get(f"/sessions/{session_id}", headers=HTMX)
    soup = BeautifulSoup(answer.text, "html.parser")
    assert soup.find(True)["id"] == "chatArea"
    assert answer.headers["HX-Push-Url"] == f"/sessions/{session_id}"
    assert ("#badge", "outerMorph") in swaps(answer.text)


@pytest.mark.parametrize("begun", [False, True])
def test_the_chat_with_htmx_is_a_fragment(client, manager, begun):
    if begun:
        talk(manager, "one")
    answer = client.get("/", headers=HTMX)
    assert BeautifulSoup(answer.text, "html.parser").find(True)["id"] == "chatArea"
    assert "&lt;" not in answer.text
    assert ("#badge", "outerMorph") in swaps(answer.text)


def test_going_back_in_the_history_brings_the_whole_page(client, manager):
    session_id = talk(manager, "one")
    answer = client.get(f"/sessions/{session_id}", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert answer.text.startswith("<!doctype html>")


def test_ending_leaves_the_conversation_and_no_current_session(client, page, manager):
    session_id = talk(manager, "hello")
    answer = client.post(f"/sessions/{session_id}/end")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sessions/{session_id}#end")
    assert page("/").soup.select_one(".welcome")
    ended = page(f"/sessions/{session_id}")
    assert ended.messages[0].text == "hello"
    assert ended.soup.select_one("#badge")["data-connected"] == "false"


def test_ending_with_htmx_says_so(client, manager):
    session_id = talk(manager, "hello")
    answer = client.post(f"/sessions/{session_id}/end", headers=HTMX)
    assert f"Ended session {session_id[:8]}" in answer.text
    assert 'data-connected="false"' in answer.text


def test_sending_to_an_ended_session_takes_it_up_again(client, page, manager):
    session_id = talk(manager, "hello")
    client.post(f"/sessions/{session_id}/end")
    say(client, "again", session_id)
    answered(manager, session_id)
    assert manager.active_session_id == session_id
    assert page("/").messages[-1].text == "You said: again"


def test_stopping_keeps_what_came_and_says_so(client, page, backend, manager):
    session_id = talk(manager, "one")
    backend.plays("half", threading.Event())
    say(client, "two", session_id)
    until(lambda: manager.conversation(session_id).last.content == "half")
    answer = client.post(f"/sessions/{session_id}/stop")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/sessions/{session_id}#end")
    last = page("/").messages[-1]
    assert (last.status, last.text) == ("stopped", "half")
    assert "Answer stopped." in last.article.get_text()
    assert backend.cancelled.is_set()


def test_stopping_nothing_is_no_error(client, manager):
    session_id = talk(manager, "one")
    assert client.post(f"/sessions/{session_id}/stop").status_code == 303
    assert client.post(f"/sessions/{session_id}/stop", headers=HTMX).status_code == 200


def test_a_page_with_an_answer_on_its_way_has_a_stop_button(page, backend, manager):
    session_id = talk(manager, "one")
    going_on = threading.Event()
    backend.plays(going_on)
    manager.post_message(session_id, "two")
    soup = page("/").soup
    going_on.set()
    button = soup.select_one("button.stop")
    assert soup.select_one(f"form#{button['form']}")["action"] == f"/sessions/{session_id}/stop"


# Long sessions


def many(manager, count: int) -> str:
    """A session of `count` messages, m0 the first."""
    session_id = manager.create_session().session_id
    for number in range(0, count, 2):
        manager.add_exchange(session_id, f"m{number}", lambda n=number: f"m{n + 1}", "import")
    return session_id


def test_a_long_session_shows_its_end(page, manager):
    session_id = many(manager, 120)
    shown = page(f"/sessions/{session_id}")
    assert [message.text for message in shown.messages] == [f"m{number}" for number in range(100, 120)]
    assert "(100)" in shown.soup.select_one("#earlier").get_text()


def test_earlier_messages_come_in_their_place_with_htmx(client, page, manager):
    session_id = many(manager, 120)
    link = page(f"/sessions/{session_id}").soup.select_one("#earlier")
    seen = []
    while link:
        assert link["hx-swap"] == "outerHTML"
        earlier = page(client.get(link["hx-get"], headers=HTMX))
        assert not earlier.soup.select("#chatArea, #messages, [id^=after-]")
        seen = [message.text for message in earlier.messages] + seen
        link = earlier.soup.select_one("#earlier")
    assert seen == [f"m{number}" for number in range(100)]


def test_earlier_messages_come_with_a_longer_page_without_a_script(page, manager):
    session_id = many(manager, 120)
    address, sizes = f"/sessions/{session_id}", []
    while address:
        shown = page(address)
        sizes.append(len(shown.messages))
        assert shown.messages[-1].text == "m119"
        link = shown.soup.select_one("#earlier")
        address = link and link["href"]
    assert sizes == [20, 70, 120]


def put_in(manager, count: int) -> str:
    """A session of `count` messages, m0 the first."""
    roles = ("user", "assistant")
    lines = [json.dumps({"id": f"m{n}", "role": roles[n % 2], "content": f"m{n}"}) for n in range(count)]
    data = b"\n".join(line.encode() for line in lines) + b"\n"
    session_id = manager.create_session().session_id
    manager.storage.transcripts.put_all({session_id: data})
    return session_id


@pytest.fixture
def very_long(manager):
    """A session of 3000 messages."""
    return put_in(manager, 3000)


def texts_of(page):
    return [message.text for message in page.messages]


def texts(first, end):
    return [f"m{number}" for number in range(first, end)]


@pytest.mark.parametrize("query", ["show=20000", "at=m0", "at=m2400&show=3000", "show=20000&at=m10"])
def test_no_address_brings_more_than_600_messages(page, very_long, query):
    shown = page(f"/sessions/{very_long}?{query}")
    assert len(shown.messages) <= 600
    assert shown.messages[-1].text == "m2999"
    assert shown.soup.select_one("#after-m2999")


def test_a_message_far_up_is_shown_with_what_is_around_it_and_the_end(page, very_long):
    shown = page(f"/sessions/{very_long}?at=m1000")
    assert texts_of(shown) == texts(996, 1046) + texts(2980, 3000)
    assert "(996)" in shown.soup.select_one("#earlier").get_text()
    between = shown.soup.select_one("#between")
    assert "(1934)" in between.get_text()
    assert between.find_previous("article")["id"] == "m-m1045"
    assert between.find_next("article")["id"] == "m-m2980"


def test_what_lies_between_comes_with_htmx_until_nothing_is_missing(client, page, very_long):
    link, seen = page(f"/sessions/{very_long}?at=m2350").soup.select_one("#between"), []
    assert "(584)" in link.get_text()
    while link:
        part = page(client.get(link["hx-get"], headers=HTMX))
        assert len(part.messages) <= 50
        assert not part.soup.select("#earlier")
        seen = texts_of(part) + seen
        link = part.soup.select_one("#between")
    assert seen == texts(2396, 2980)


@pytest.mark.parametrize(("link", "at"), [("#earlier", 1299), ("#between", 0)])
def test_without_a_script_links_lead_through_all_of_it(page, manager, link, at):
    """Up from the end to the first message, and down again, over twice as many as a page shows."""
    address, seen, pages = f"/sessions/{put_in(manager, 1300)}?at=m{at}", [], 0
    while address and pages < 100:
        shown = page(address)
        part = texts_of(shown)
        seen, pages = [*seen, *part], pages + 1
        more = shown.soup.select_one(link)
        address = more and more["href"]
        if address and "#" in address:
            assert shown.response.status_code == 200
            address = address.partition("#")[0]
    assert {*seen} == {*texts(0, 1300)}
    assert pages < 100


def test_twenty_messages_are_shown_at_once(page, manager):
    session_id = many(manager, 20)
    shown = page(f"/sessions/{session_id}")
    assert len(shown.messages) == 20
    assert not shown.soup.select("#earlier")


def test_before_an_unknown_message_there_is_nothing(client, manager):
    session_id = many(manager, 4)
    answer = client.get(f"/sessions/{session_id}?before=no-such", headers=HTMX)
    assert (answer.status_code, answer.text.strip()) == (200, "")


# Settings


def test_the_settings_show_what_it_runs_on(page, home, backend, client):
    client.post("/api/chat", json={"message": "remember: <i>green tea</i>"})
    shown = page("/apps/settings/")
    text = shown.soup.select_one("main.settings").get_text(" ", strip=True)
    for part in (backend.label, str(home), "mem-001", "<i>green tea</i>"):
        assert part in text
    assert [radio["value"] for radio in shown.soup.select("input[name=theme]")] == ["system", "light", "dark"]
    assert shown.soup.select_one("input[checked]")["value"] == "system"


def test_the_settings_with_htmx_are_a_fragment(client):
    soup = BeautifulSoup(client.get("/apps/settings/", headers=HTMX).text, "html.parser")
    assert soup.find(True)["id"] == "main"


def test_a_theme_is_saved_and_used_at_once(client, page):
    answer = client.post("/apps/settings/", data={"theme": "dark"})
    assert answer.status_code == 303
    saved = page(answer.headers["Location"])
    assert saved.soup.select_one("html")["data-theme"] == "dark"
    assert saved.soup.select_one("input[checked]")["value"] == "dark"
    assert "Saved." in saved.soup.get_text()
    assert page("/").soup.select_one("html")["data-theme"] == "dark"


def test_a_theme_is_there_after_a_restart_and_other_saved_keys_too(client, manager, home, backend):
    documents = manager.storage.documents
    with documents.changing(SETTINGS) as draft:
        draft.data = b'{"from_a_later_version": [1]}'
    client.post("/apps/settings/", data={"theme": "light"})
    again = create_app({"AMPLIFIER_HOME": str(home)}, backend=backend).test_client()
    assert Page(again.get("/")).soup.select_one("html")["data-theme"] == "light"
    assert json.loads(documents.read(SETTINGS))["from_a_later_version"] == [1]


def test_a_theme_saved_with_htmx_loads_the_page_anew(client, page):
    answer = client.post("/apps/settings/", data={"theme": "dark"}, headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (200, "true")
    assert page("/").soup.select_one("html")["data-theme"] == "dark"


@pytest.mark.parametrize("theme", ["pink", "dark\0", "<script>"])
def test_another_theme_is_refused(client, page, theme):
    answer = client.post("/apps/settings/", data={"theme": theme})
    assert answer.status_code == 422
    assert page(answer).problem
    assert page("/").soup.select_one("html")["data-theme"] == "system"


def test_a_theme_that_was_fixed_at_the_start_cannot_be_changed(home):
    app = create_app({"AMPLIFIER_HOME": str(home), "WEBCHAT_THEME": "dark"}, backend=ScriptedBackend())
    client = app.test_client()
    radios = Page(client.get("/apps/settings/")).soup.select("input[name=theme]")
    assert all(radio.has_attr("disabled") for radio in radios)
    assert client.post("/apps/settings/", data={"theme": "light"}).status_code == 422
    assert Page(client.get("/")).soup.select_one("html")["data-theme"] == "dark"


# Pages and fragments


@pytest.mark.parametrize("path", ["/", "/sessions", "/sessions/{}", "/apps/settings/", "/no-such"])
def test_both_faces_of_a_page_say_what_they_depend_on_and_are_not_kept(client, manager, path):
    path = path.format(talk(manager, "hello"))
    for headers in ({}, HTMX):
        answer = client.get(path, headers=headers)
        assert {"HX-Request", "Accept"} <= set(answer.vary)
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.files
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_reading_changes_nothing_on_the_disk(client, backend, home, manager, headers):
    first = talk(manager, "one", "remember: tea")
    backend.plays("half", RuntimeError("down"))
    say(client, "two", first)
    answered(manager, first)
    talk(manager, "three")
    last = manager.conversation(first).last.id
    before = snapshot(home)
    paths = ["/", "/sessions", "/sessions?q=one&page=1", f"/sessions/{first}", f"/sessions/{first}?before={last}"]
    paths += [f"/sessions/{first}/reply", f"/sessions/{first}/messages/{last}", "/apps/settings/?saved=", "/no-such"]
    paths += ["/sessions/no-such", "/static/app.css"]
    for path in paths:
        assert client.get(path, headers=headers).status_code in (200, 404)
        assert client.head(path, headers=headers).status_code in (200, 404)
        assert snapshot(home) == before, path


def test_reading_writes_nothing_into_a_new_home(client, home):
    for path in ("/", "/sessions", "/apps/settings/", "/sessions/no-such", "/api/session"):
        client.get(path)
    assert not home.exists() or snapshot(home) == {}


def test_what_a_dead_writer_left_is_shown_as_interrupted_and_not_touched(client, page, manager):
    session_id, storage = talk(manager, "one"), manager.storage
    question = manager.conversation(session_id).messages[0]
    release = storage.leases.acquire(session_id)
    log = storage.replies.begin(session_id, {"id": "abc", "parent": question.id, "started_at": "", "model": "m"})
    log.write({"d": "half"})
    log.leave()
    release()
    before = storage.transcripts.version(session_id), storage.replies.version(session_id)
    last = page(f"/sessions/{session_id}").messages[-1]
    assert (last.status, last.text) == ("interrupted", "half")
    assert (storage.transcripts.version(session_id), storage.replies.version(session_id)) == before
    manager.send_message("go on", session_id)
    until(lambda: session_id not in storage.replies.sessions())
    assert "half" in [message.text for message in page(f"/sessions/{session_id}").messages]


# No script: problems


def test_a_session_that_is_not_there_is_a_page_with_a_way_out(client, page):
    shown = page("/sessions/no-such")
    assert shown.response.status_code == 404
    assert "not found" in shown.problem
    assert "no-such" not in shown.problem
    assert shown.soup.select_one(".problem form[action='/sessions'] button")
    assert shown.soup.select_one("main a[href='/']")


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_session_that_was_deleted_in_another_window_is_named(client, page, manager, headers):
    session_id = manager.create_session().session_id
    manager.send_message("About <bees>", session_id)
    manager.housekeeping.delete([session_id])
    answer = client.post(f"/sessions/{session_id}/messages", data={"message": "x"}, headers=headers)
    assert answer.status_code == 404
    problem = Page(answer).problem
    assert "“About <bees>” has been deleted, and is in the trash." in problem
    assert session_id not in problem
    assert Page(answer).soup.select_one(".problem a")["href"] == "/sessions?show=trash"
    assert session_id in client.get(f"/sessions/{session_id}", headers={"Accept": "application/json"}).json["error"]
    manager.housekeeping.purge([session_id])
    answer = client.post(f"/sessions/{session_id}/messages", data={"message": "x"}, headers=headers)
    assert Page(answer).problem.startswith("This session was not found.")


def test_an_address_that_is_not_there_is_a_page_with_a_way_out(page):
    shown = page("/no/such/page")
    assert shown.response.status_code == 404
    assert shown.problem
    assert shown.soup.select_one("main a[href='/']")


def test_a_message_to_a_session_that_is_not_there_keeps_its_text(client, page):
    answer = say(client, "a long text\n<b>with</b> lines", "no-such")
    assert answer.status_code == 404
    assert page(answer).field == "a long text\n<b>with</b> lines"


@pytest.mark.parametrize("message", ["", " \n\t", "\u00a0", "a\0b"])
def test_a_message_that_cannot_be_sent_says_why(client, page, manager, message):
    session_id = talk(manager, "one")
    for address in ("/messages", f"/sessions/{session_id}/messages"):
        answer = client.post(address, data={"message": message})
        assert answer.status_code == 422
        assert page(answer).problem
    assert len(manager.conversation(session_id).messages) == 2


def test_a_refused_message_keeps_what_was_typed(client, page, manager):
    session_id = talk(manager, "one")
    assert "before" in page(say(client, "before\0after", session_id)).field


def test_a_problem_with_htmx_is_a_fragment(client, manager):
    session_id = talk(manager, "one")
    for answer in (say(client, " ", session_id, headers=HTMX), say(client, "hi", "no-such", headers=HTMX)):
        assert answer.status_code in (404, 422)
        soup = BeautifulSoup(answer.text, "html.parser")
        assert "problem" in soup.find(True)["class"]
        assert not soup.select("html, header, #messageInput")


def test_a_backend_that_is_down_when_a_session_starts_leads_to_the_settings(client, page, backend):
    backend.fail["create_session"] = RuntimeError("secret")
    answer = say(client, "hello")
    assert answer.status_code == 503
    shown = page(answer)
    assert "cannot be reached" in shown.problem
    assert shown.soup.select_one(".problem a[href='/apps/settings/']")
    assert shown.field == "hello"


def test_what_nobody_foresaw_is_a_page_with_a_reference(client, page, backend, caplog):
    backend.fail["create_session"] = KeyError("secret")
    answer = say(client, "hello")
    assert answer.status_code == 500
    shown = page(answer)
    assert re.search(r"reference ([0-9a-f]{8})", shown.problem)[1] in caplog.text
    assert shown.field == "hello"
    assert "secret" not in answer.text


def test_a_persons_mistake_is_no_warning_in_the_log(client, page, caplog):
    file = io.BytesIO(bytes(range(128, 256))), "a.bin"
    answer = client.post("/messages", data={"message": "see", "file": file}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "a.bin is neither" in page(answer).problem
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_message_that_is_too_large_is_told_so(client, page):
    answer = say(client, "x" * (1024 * 1024))
    assert answer.status_code == 413
    assert "1 MiB" in page(answer).problem


# Failed answers


def test_a_failed_answer_says_why_and_can_be_tried_again(client, page, backend, manager):
    backend.plays("half", BackendUnavailable("The model is being <b>repaired</b>."))
    say(client, "hello")
    session_id = manager.active_session_id
    answered(manager)
    failed = page("/").messages[-1]
    assert (failed.status, failed.text) == ("failed", "half")
    assert "The model is being <b>repaired</b>." in failed.article.select_one(".problem").get_text()
    form = failed.article.select_one(".problem form")
    answer = client.post(form["action"])
    assert answer.headers["Location"] == f"/sessions/{session_id}#end"
    answered(manager)
    assert [message.text for message in page("/").messages] == ["hello", "You said: hello"]


def test_trying_again_with_htmx_brings_the_chat(client, backend, manager):
    backend.plays("half", RuntimeError("down"))
    say(client, "hello")
    failed = answered(manager).last
    answer = client.post(f"/sessions/{manager.active_session_id}/messages/{failed.id}/retry", headers=HTMX)
    assert BeautifulSoup(answer.text, "html.parser").find(True)["id"] == "chatArea"


def test_only_the_last_answer_can_be_tried_again_on_the_page(client, page, backend, manager):
    backend.plays("half", RuntimeError("down"))
    say(client, "one")
    answered(manager)
    say(client, "two", manager.active_session_id)
    answered(manager)
    again = page("/").soup.select("form[action$='/retry']")
    assert [form.find_parent("article")["id"] for form in again] == [page("/").messages[-1].article["id"]]


def test_a_stopped_answer_can_be_tried_again(client, page, backend, manager):
    backend.plays("half", threading.Event())
    say(client, "hello")
    client.post(f"/sessions/{manager.active_session_id}/stop")
    form = page("/").messages[-1].article.select_one("form[action$='/retry']")
    client.post(form["action"])
    answered(manager)
    assert page("/").messages[-1].text == "You said: hello"


@pytest.mark.parametrize("which", ["question", "no-such"])
def test_only_an_answer_can_be_tried_again(client, page, manager, which):
    session_id = talk(manager, "hello")
    message_id = manager.conversation(session_id).messages[0].id if which == "question" else which
    answer = client.post(f"/sessions/{session_id}/messages/{message_id}/retry")
    assert answer.status_code == 422
    assert page(answer).problem


def test_an_ended_session_offers_to_resume_it(client, page, backend, manager):
    session_id = talk(manager, "hello")
    backend.plays(SessionEnded())
    say(client, "again", session_id)
    until(lambda: manager.active_session_id is None)
    shown = page(f"/sessions/{session_id}")
    assert "This session has ended." in shown.problem
    form = shown.messages[-1].article.select_one(".problem form")
    assert client.post(form["action"]).status_code == 303
    assert manager.active_session_id == session_id


# Memory


def test_a_memory_command_is_part_of_the_conversation_and_asks_no_model(client, page, backend, manager):
    say(client, "remember this: I like *tea*")
    question, answer = page("/").messages
    assert question.text == "remember this: I like *tea*"
    assert answer.text.startswith("Remembered! Stored as mem-001")
    assert backend.asked == []
    say(client, "recall tea", manager.active_session_id)
    # A memory is shown exactly as it was written.
    assert "I like *tea*" in page("/").messages[-1].text


def test_a_memory_command_with_htmx_goes_to_its_anchor(client, manager):
    session_id = talk(manager, "hello")
    last = manager.conversation(session_id).last
    answer = say(client, "recall tea", session_id, headers=HTMX)
    assert swaps(answer.text)[0][0] == f"#after-{last.id}"
    assert [message.text for message in Page(answer).messages][-1] == "No memories found matching 'tea'."


def test_the_model_can_be_asked_instead(client, page, backend, manager):
    session_id = talk(manager, "hello")
    say(client, "recall the battle of Hastings", session_id)
    [form] = page("/").soup.select("form[action$='/ask']")
    assert form.get_text().strip() == "Ask the model instead"
    assert client.post(form["action"]).headers["Location"] == f"/sessions/{session_id}#end"
    answered(manager)
    assert backend.asked[-1] == (session_id, "recall the battle of Hastings")
    assert page("/").messages[-1].text == "You said: recall the battle of Hastings"
    assert not page("/").soup.select("form[action$='/ask']")


def test_the_model_never_sees_a_memory_exchange(client, backend, manager):
    session_id = talk(manager, "hello")
    say(client, "remember: my secret", session_id)
    client.post(f"/sessions/{session_id}/resume")
    assert [item["content"] for item in backend.histories[-1]] == ["hello", "You said: hello"]


def test_a_memory_command_while_an_answer_is_written_is_refused(client, backend, manager):
    session_id = talk(manager, "hello")
    going_on = threading.Event()
    backend.plays(going_on)
    posted = manager.post_message(session_id, "more")
    assert say(client, "recall tea", session_id).status_code == 409
    going_on.set()
    posted.run.wait()


# Damage


def test_a_damaged_transcript_shows_what_can_be_read_and_says_so(page, manager):
    lines = manager.storage.export(talk(manager, "one", "two")).splitlines(keepends=True)
    session_id = manager.create_session().session_id
    manager.storage.transcripts.put_all({session_id: lines[0] + b"\xff not json {\n" + b"".join(lines[1:])})
    shown = page(f"/sessions/{session_id}")
    assert [message.text for message in shown.messages] == ["one", "You said: one", "two", "You said: two"]
    assert "could not be read" in shown.soup.select_one("#messages .note").get_text()


def test_a_whole_transcript_has_no_such_notice(page, manager):
    session_id = talk(manager, "one")
    assert "could not be read" not in page(f"/sessions/{session_id}").soup.get_text()


@pytest.mark.files
@pytest.mark.parametrize("damage", [b"{", b"", b"null", b"\xff\xfe", b'[{"session_id": 7}]'])
def test_a_damaged_registry_is_told_in_the_list_and_kept_aside_before_a_write(client, page, home, manager, damage):
    talk(manager, "one")
    file = home / "server" / "web-chat-sessions.json"
    file.write_bytes(damage)
    shown = page("/sessions")
    assert shown.response.status_code == 200
    assert "could not be read" in shown.soup.select_one("#sessionList .note").get_text()
    assert file.read_bytes() == damage
    say(client, "two")
    [kept] = file.parent.glob("web-chat-sessions.json.corrupt-*")
    assert kept.read_bytes() == damage
    assert kept.name in page("/sessions").soup.get_text()
    assert [row.title for row in page("/sessions").rows] == ["two"]


@pytest.mark.files
def test_one_bad_row_hides_no_other(page, home, manager):
    talk(manager, "one")
    file = home / "server" / "web-chat-sessions.json"
    rows = json.loads(file.read_text())
    file.write_text(json.dumps([{"session_id": "../x"}, *rows, "no row"]))
    shown = page("/sessions")
    assert [row.title for row in shown.rows] == ["one"]
    assert "could not be read" in shown.soup.get_text()


# The reply alone


def test_the_reply_page_grows_and_leads_back(client, backend, manager):
    session_id = talk(manager, "one")
    going_on = threading.Event()
    backend.plays("<b>half</b>", going_on, " whole")
    manager.post_message(session_id, "two")
    answer = client.get(f"/sessions/{session_id}/reply", buffered=False)
    pieces = (chunk.decode() for chunk in answer.iter_encoded())
    came = ""
    while "half" not in came:
        came += next(pieces)
    assert came.index("half") > 512, "WebKit shows none of a page's first 512 bytes until there are more"
    going_on.set()
    came += "".join(pieces)
    assert "&lt;b&gt;half&lt;/b&gt; whole" in came
    link = BeautifulSoup(came, "html.parser").select_one("a[target=_top]")
    assert re.fullmatch(rf"/sessions/{session_id}(\?[^#]*)?#end", link["href"])


def test_without_an_answer_on_its_way_the_reply_page_ends_at_once(client, manager):
    session_id = talk(manager, "one")
    whole = client.get(f"/sessions/{session_id}/reply").text
    assert "</html>" in whole
    assert "You said: one" in whole


def test_a_stale_page_without_a_script_is_shown_what_it_lacks_and_keeps_its_text(client, page, manager):
    session_id = manager.create_session().session_id
    manager.send_message("first", session_id)
    seen = page(f"/sessions/{session_id}").soup.select_one("#seen")["value"]
    manager.send_message("from another device", session_id)
    answer = client.post(f"/sessions/{session_id}/messages", data={"message": "mine", "seen": seen, "key": "k1"})
    assert answer.status_code == 409
    shown = page(answer)
    assert shown.field == "mine"
    assert [message.role for message in shown.messages] == ["user", "assistant"]
    assert shown.messages[0].text == "from another device"
    form = shown.soup.select_one("form.again")
    fields = {field["name"]: field["value"] for field in form.select("input")}
    again = client.post(form["action"], data={**fields, "message": shown.field})
    assert again.status_code == 303
    assert manager.conversation(session_id).messages[-2].content == "mine"


@pytest.mark.parametrize("headers", [HTMX, {"Accept": "application/json"}, {}], ids=["page", "script", "form"])
def test_a_message_reads_its_conversation_once(client, manager, headers, monkeypatch):
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    reads: list[str] = []
    read = manager.storage.transcripts.read

    def counted(read_id):
        reads.append(read_id)
        return read(read_id)

    monkeypatch.setattr(manager.storage.transcripts, "read", counted)
    answer = client.post(f"/sessions/{session_id}/messages", data={"message": "two"}, headers=headers)
    assert answer.status_code in (200, 303)
    assert reads == [session_id]


@pytest.mark.parametrize("number", ["9" * 5000, "9" * 30])
def test_no_number_in_an_address_is_a_fault(client, manager, number):
    posted = manager.start_conversation("hi")
    posted.wait()
    session, message = f"/sessions/{posted.session.session_id}", f"messages/{posted.question.id}"
    for path in ("files/N", "parts/N/input", "parts/0/output/N"):
        assert client.get(f"{session}/{message}/{path.replace('N', number)}").status_code == 404
    for path in ("/sessions?page=N", "/apps/settings/?memories=N", f"{session}?show=N"):
        assert client.get(path.replace("N", number)).status_code == 200
    given = {"Last-Event-ID": f"{number}.{posted.question.id}.{number}"}
    manager.stopping.set()
    assert client.get(f"/events?session={session.rpartition('/')[2]}", headers=given).status_code == 200
