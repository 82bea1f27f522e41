"""Whatever is written into the chat, the output contains only harmless elements.

In Chromium: browser/test_attacks.py.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup, Tag

from tests import attacks
from tests.attacks import CORPUS
from webchat.archive.readable import as_html
from webchat.chat.message import Message
from webchat.chat.plain import TURNING, normal_lines, one_line
from webchat.render import colours
from webchat.render.markdown import TASKS_AT_MOST, GrowingMarkdown, markdown
from webchat.session_store import DEFAULT_DESCRIPTION, WebChatSession

TAGS = set(
    "a blockquote br button code del details div em figcaption figure h3 h4 h5 h6 hr input kbd li ol p pre span strong "
    "sub summary sup table tbody td th thead tr ul".split()
)
MATHEMATICS = set(
    "annotation math mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow mspace msqrt mstyle "
    "msub msubsup msup mtable mtd mtext mtr munder munderover semantics".split()
)
OF_MATHEMATICS = set(
    "accent accentunder display displaystyle encoding form height linethickness lspace mathcolor mathvariant maxsize "
    "minsize movablelimits rspace scriptlevel stretchy symmetric voffset width".split()
)
ATTRIBUTES = set(
    "aria-label checked class data-align dir disabled href open rel role start tabindex target title type".split()
)
CLASSES = set(
    "apart bare bidi boxed closer code contains-task-list copy footnote image joined-left joined-right left line-above "
    "line-below line-left line-right plain right struck table task-list-item task-list-item-checkbox tight".split()
)
DEEPEST = 120
"""Nesting depth of tags; beyond 512, a browser's limit, it builds other trees than a sanitiser."""


def problems_of(html: str) -> list[str]:
    """Everything in it that could have an effect."""
    found = []
    for tag in BeautifulSoup(html, "html.parser").find_all(True):
        found += [] if tag.name in TAGS | MATHEMATICS else [f"<{tag.name}>"]
        allowed = OF_MATHEMATICS | {"class"} if tag.name in MATHEMATICS else ATTRIBUTES
        found += [f"{tag.name} {name}" for name in tag.attrs if name not in allowed]
        found += [f"{tag.name} turned" for value in tag.attrs.values() if TURNING.search(str(value))]
        found += _of_link(tag) if tag.name == "a" else []
        found += [f"class {name}" for name in tag.get("class", []) if tag.name != "span" and name not in CLASSES]
        found += ["too deep"] if len(list(tag.parents)) > DEEPEST else []
    return found


def _of_link(tag: Tag) -> list[str]:
    if "href" not in tag.attrs:
        return []
    kept_apart = {"noopener", "noreferrer", "nofollow"} <= set(tag.get("rel", [])) and tag.get("target") == "_blank"
    usable = urlsplit(str(tag["href"])).scheme.lower() in ("http", "https", "mailto")
    return [] if kept_apart and usable else [str(tag)]


def shape(tag: Tag) -> list[str]:
    """The structure of a part of a page, without its text."""
    return [f"{one.name} {sorted(one.attrs)}" for one in [tag, *tag.find_all(True)]]


def test_the_corpus_is_what_it_says():
    assert len(CORPUS) == len(set(CORPUS)) >= 200


@pytest.mark.parametrize(
    "html", ["<script>x</script>", "<a href='javascript:x'>", "<p id=x>", "<p onclick=x>", "<svg>"]
)
def test_the_check_sees_what_is_harmful(html):
    assert problems_of(html)


@pytest.mark.parametrize("attack", CORPUS, ids=range(len(CORPUS)))
def test_an_attack_becomes_harmless_parts(attack):
    assert problems_of(markdown(normal_lines(attack))) == []


@pytest.mark.parametrize("size", [1, 7])
def test_so_does_one_that_comes_in_pieces(size):
    for attack in CORPUS:
        text = normal_lines(attack)[: 40 * size]
        growing = GrowingMarkdown()
        for end in range(0, len(text), size):
            growing.grow(text[:end])
            assert problems_of(growing.tail) == [], attack
        growing.grow(text, final=True)
        assert "".join(growing.blocks) == markdown(text), attack


def test_marks_that_turn_writing_around_stand_in_boxes_of_their_own():
    for attack in CORPUS:
        soup = BeautifulSoup(markdown(normal_lines(attack)), "html.parser")
        for box in soup.select("span.bidi"):
            assert TURNING.fullmatch(box.text), attack
            box.decompose()
        assert not TURNING.search(str(soup)), attack


def test_code_with_such_marks_is_copied_as_it_was():
    code = "if admin\u202e \u2066// then\u2069"
    assert code in BeautifulSoup(markdown(f"```\n{code}\n```"), "html.parser").code.text


def test_code_that_takes_too_long_to_colour_stays_plain():
    code = "s{x\n" * 20
    assert "<span" in colours.coloured(code, "perl")
    assert colours.coloured(code, "perl", patience=-1) == code
    assert "<span" not in colours.coloured("x = 1 # " + "(" * colours.LONGEST_LINE, "python")


def test_more_boxes_than_anybody_ticks_stay_text():
    assert markdown("- [ ] x\n" * TASKS_AT_MOST).count("<input") == TASKS_AT_MOST
    assert "<input" not in markdown("- [ ] x\n" * (TASKS_AT_MOST + 1))


def test_a_name_is_one_line_that_acts_on_nothing():
    for attack in CORPUS:
        line = one_line(attack)
        assert not TURNING.search(line), attack
        assert not [char for char in line if ord(char) < 32 or 127 <= ord(char) < 160], attack
        assert len(line.splitlines()) <= 1, attack


def exported(*sessions: tuple[dict, list[dict]]) -> bytes:
    """Sessions in our export format, written by an attacker."""
    lines = []
    for row, records in sessions:
        head = {"type": "session", "format": 1, "session": row, "lines": len(records)}
        lines += [head, *({"type": "message", **record} for record in records)]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def as_titles() -> bytes:
    """A session for each attack, with the attack as its title, as far as a title may be that long."""
    message = {"id": "m", "role": "user", "content": "x", "created_at": "2026-01-01T00:00:00+00:00"}
    return exported(
        *(
            ({"session_id": f"title-{number}", "description": text[:300], "begun": True}, [message])
            for number, text in enumerate(CORPUS)
        )
    )


def as_messages() -> bytes:
    """One session in which every field of a message is an attack."""
    records: list[dict] = []
    for number, text in enumerate(CORPUS):
        files = [{"name": text, "content": text}]
        records.append({"id": f"q{number}", "role": "user", "content": text, "files": files})
        told = {"reasoning": text, "model": text, "notes": [text], "error": text, "status": "failed"}
        records.append({"id": f"a{number}", "role": "assistant", "content": text, **told})
    return exported(({"session_id": "attacks", "description": "Attacks", "begun": True}, records))


def bring_in(client, data: bytes) -> None:
    answer = client.post("/sessions/import", data=data, headers={"Accept": "application/json"})
    assert answer.json["problems"] == []


def shown(title: str) -> str:
    return one_line(title[:300]) or DEFAULT_DESCRIPTION


def test_titles_stay_text_in_the_list(client):
    bring_in(client, as_titles())
    rows = []
    for number in range(10):
        soup = BeautifulSoup(client.get(f"/sessions?page={number}").text, "html.parser")
        rows += soup.select("li[id^=row-]")
    assert len(rows) == len(CORPUS)
    assert len({tuple(shape(row)) for row in rows}) == 1
    assert {row.select_one(".title").text for row in rows} == {shown(text) for text in CORPUS}


def test_titles_stay_text_on_their_pages(client):
    bring_in(client, as_titles())
    shapes = set()
    for number, text in [*enumerate(CORPUS)][::4]:
        soup = BeautifulSoup(client.get(f"/sessions/title-{number}").text, "html.parser")
        assert soup.title.text == f"{shown(text)} · Amplifier"
        shapes.add(tuple(shape(soup)))
    assert len(shapes) == 1


def test_everything_that_a_message_brings_stays_text(client):
    bring_in(client, as_messages())
    soup = BeautifulSoup(client.get("/sessions/attacks?show=1000").text, "html.parser")
    articles = soup.select("article.message")
    assert len(articles) == 2 * len(CORPUS)
    for part in soup.select(".blocks"):
        assert problems_of(part.decode_contents()) == []
        part.clear()
    for role in ("user", "assistant"):
        assert len({tuple(shape(one)) for one in articles[:-1] if one["data-role"] == role}) == 1
    ids = [tag["id"] for tag in soup.select("[id]")]
    assert len(ids) == len(set(ids))


def test_ids_of_messages_stand_for_nothing_else(client):
    names = ["x", "x-done", "done-x", "x-tail", "start", "end", "messages", "m-x", "after-x", "messageInput"]
    records = [{"id": name, "role": "assistant", "content": "x", "reasoning": "x"} for name in names]
    bring_in(client, exported(({"session_id": "s", "description": "x", "begun": True}, records)))
    soup = BeautifulSoup(client.get("/sessions/s").text, "html.parser")
    ids = [tag["id"] for tag in soup.select("[id]")]
    assert len(soup.select("article.message")) == len(names)
    assert len(ids) == len(set(ids))


def as_memories() -> str:
    """A memories file, with each attack in all fields of one memory."""
    parts = ({"content": text, "category": text, "tags": [text]} for text in CORPUS)
    return yaml.safe_dump({"memories": [{"id": f"mem-{number:03}", **part} for number, part in enumerate(parts, 1)]})


def test_memories_stay_text(client, home):
    home.mkdir()
    (home / "memory-store.yaml").write_text(as_memories())
    pages = [client.get(f"/apps/settings/?memories={number}").text for number in range(4)]
    rows = [row for page in pages for row in BeautifulSoup(page, "html.parser").select("#memories li")]
    assert len(rows) == len(CORPUS)
    assert len({tuple(shape(row)) for row in rows}) == 1


def test_an_export_for_reading_has_harmless_parts_only():
    messages = [Message(str(number), "assistant", text, model=text) for number, text in enumerate(CORPUS)]
    told = [(WebChatSession("s", text, "", ""), messages[:3]) for text in CORPUS]
    told.append((WebChatSession("s", "x", "", ""), messages))
    soup = BeautifulSoup("".join(as_html(told, attacks.RUN, "x", lambda session_id, key: None)), "html.parser")
    for part in soup.select(".answer"):
        assert problems_of(part.decode_contents()) == []
        part.decompose()
    assert {tag.name for tag in soup.body.find_all(True)} == {"h1", "h2", "p", "code"}
    assert not [tag for tag in soup.body.find_all(True) if set(tag.attrs) - {"dir"}]
