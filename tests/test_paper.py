"""What `webchat chat` prints of a growing answer."""

from __future__ import annotations

import pytest

pytest.importorskip("rich")
Paper = pytest.importorskip("webchat.terminal.paper").Paper
Screen = pytest.importorskip("webchat.terminal.screen").Screen
finished = pytest.importorskip("webchat.terminal.blocks").finished


class Recorded:
    """A screen that keeps what is printed on it."""

    def __init__(self):
        self.printed = []

    def markdown(self, text):
        self.printed.append(text)

    def line(self, text="", style=""):
        self.printed.append(f"{text}\n")


def answer(content, status="streaming"):
    parts = [{"type": "text", "text": content}] if content else []
    return {"id": "a", "role": "assistant", "status": status, "content": content, "parts": parts}


@pytest.fixture
def screen():
    return Recorded()


@pytest.mark.parametrize("between", [[], [""], ["Par"]])
def test_an_answer_that_begins_anew_is_printed_from_its_beginning(screen, between):
    paper = Paper(screen)
    paper.take("messages", {"messages": [answer("What of France?\n\nIts capital is asked.\n\nLet me")]})
    for content in [*between, "Paris is the capital.\n\nIt is on the Seine."]:
        paper.take("message", answer(content))
    assert paper.tail == "It is on the Seine."
    paper.take("message", answer("Paris is the capital.\n\nIt is on the Seine.", "complete"))
    printed = "".join(screen.printed)
    assert "begins here —\nParis is the capital.\n\n\nIt is on the Seine." in printed
    assert printed.count("begins here") == 1


def test_an_answer_that_goes_on_is_printed_once(screen):
    paper = Paper(screen)
    paper.take("messages", {"messages": [answer("One.\r\n\r\nTw")]})
    paper.take("delta", {"message_id": "a", "text": "o.\r\n\r\nThree."})
    paper.take("message", answer("One.\r\n\r\nTwo.\r\n\r\nThree.", "complete"))
    assert "".join(screen.printed).split() == ["One.", "Two.", "Three."]


def test_a_version_that_is_chosen_again_is_printed_again(screen):
    paper = Paper(screen)
    question = {"id": "q", "role": "user", "status": "complete", "content": "Why?", "parts": []}
    first = answer("One.", "complete")
    second = {**answer("Two.", "complete"), "id": "b"}
    for shown in (first, second, first):
        paper.take("messages", {"messages": [question, shown]})
    said = [line for line in "".join(screen.printed).split("\n") if line.strip()]
    other = "— another version from here —"
    assert said == ["› Why?", "One.", other, "Two.", other, "One."]


def asked(title="Bash", **call):
    """The printed question about this call."""
    screen = Recorded()
    call = {"type": "tool_call", "id": "t", "title": title, "kind": "execute", "status": "pending", **call}
    options = [{"id": "y", "name": "Allow", "kind": "allow_once"}]
    question = {"type": "permission", "id": "p", "title": title, "tool_call": "t", "status": "open"}
    parts = [call, {**question, "options": options, "choice": None, "by": None}]
    Paper(screen).take("messages", {"messages": [{**answer(""), "parts": parts}]})
    return "".join(screen.printed)


def test_a_question_shows_what_its_tool_is_given_line_by_line():
    given = "ls # list\nrm -r x\u202e\x1b[2K"
    assert asked(input=given, output=[]) == "? Bash\n  │ ls # list\n  │ rm -r x\ufffd␛[2K\n  1  Allow\n"
    assert asked(title=given, input="", output=[]).startswith("? ls # list ⏎ rm -r x")
    assert asked(title="ls", input="ls", output=[]) == "? ls\n  1  Allow\n"


def test_a_question_shows_the_output_that_it_is_about():
    command = {"type": "terminal", "text": "rm -r x\n"}
    diff = {"type": "diff", "path": "a.sh", "old": "one\n", "new": "one\ntwo\n"}
    shown = asked(input="", output=[command, diff])
    assert shown == "? Bash\n  │ rm -r x\n  │ a.sh\n  │   one\n  │ + two\n  1  Allow\n"


def test_a_question_says_how_much_of_a_long_input_it_leaves_out():
    shown = asked(input="x" * 20_000, output=[{"type": "terminal", "text": "y"}])
    assert "  │ (4,001 more characters are left out)\n" in shown


@pytest.mark.parametrize(
    "text",
    [
        "A List<String> of names, cd <folder>.",
        "<folder>\n\nand <!-- this -->",
        "[Bob]: No.",
        "- [09:14]: started",
        "As said[^1].\n\n[^1]: https://a.example",
        "See [docs][1].\n\n[1]: https://a.example/b",
    ],
)
def test_nothing_of_an_answer_is_lost(text, capsys):
    Screen().markdown(text)
    printed = capsys.readouterr().out.replace("•", "-")
    assert printed.split() == text.split()


def test_the_tags_that_the_page_knows_are_read(capsys):
    Screen().markdown("H<sub>2</sub>O<br>and <kbd>Ctrl</kbd>")
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == ["H2O", "and Ctrl"]
    Screen().markdown("| a<br>b | c |\n|---|---|\n| d<br>e | f |")
    assert {*"abcdef"} <= {*capsys.readouterr().out.split()}


@pytest.mark.parametrize(
    "formula",
    [r"$a\,b\\c$", r"\(e^{i\pi}\)", r"$a_1*b*c_2$", r"$$\int_0^1 x\,dx$$", "$$\na\n- b\\\\\n\n+ c_1*d*\n$$"],
)
def test_a_formula_is_printed_as_it_is_written(formula, capsys):
    Screen().markdown(f"so {formula} it is" if formula[2] != "\n" else formula)
    assert formula in "\n".join(map(str.rstrip, capsys.readouterr().out.split("\n")))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Roses are red\nViolets are blue", "Roses are red\nViolets are blue"),
        ("**注意：**请", "注意：请"),
        ("1. a\n  - b\n2. c", " 1 a\n    • b\n 2 c"),
        ("```markdown\n# T\n```python\nx\n```\nend\n```", " # T\n ```python\n x\n ```\n end"),
        ("| a | b |\n|---|---|\n| `x|y` | z |", " a    b\n ──────\n x|y  z"),
    ],
)
def test_it_is_the_markdown_of_the_page(text, printed, capsys):
    Screen().markdown(text)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "\n".join(line for line in lines if line) == printed


def test_a_list_is_printed_whole():
    assert finished("1. a\n  - b\n2. c\n\nd") == len("1. a\n  - b\n2. c\n\n")
    assert finished("1. a\n  - b\n2. c") == 0


def test_a_formula_is_printed_once_it_is_closed():
    assert finished("before\n\n$$\n\\frac{a}{b}\n\n+ c\n\n- d") == len("before\n\n")


@pytest.mark.parametrize("address", ["https://a.example/b_c_d", "mailto:ada@a.example"])
def test_an_address_that_is_its_own_text_is_printed_once(address, capsys):
    shown = address.removeprefix("mailto:")
    for written in (f"<{shown}>", f"[{shown}]({address})"):
        Screen().markdown(f"see {written} and [there]({address}).")
        assert capsys.readouterr().out.strip() == f"see {shown} and there ({address})."


def test_an_address_that_is_shown_in_other_letters_is_printed_too(capsys):
    address = "https://xn--80ak6aa92e.com"  # in Cyrillic letters, it looks like another one
    Screen().markdown(f"see <{address}>.")
    assert f" ({address})." in capsys.readouterr().out


def test_an_answer_is_cut_where_it_is_printed_as_blocks():
    text = "<!-- a\n\nb -->\n\nc\n"
    assert text[: finished(text)] == "<!-- a\n\nb -->\n\n"
    assert finished("<!-- a\n\nb") == len("<!-- a\n\n")
