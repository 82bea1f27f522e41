"""Imports read files of any size and structure in bounded memory and time."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
import zipfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.exports import CHATGPT, CLAUDE, chatgpt_node
from webchat.archive.bounds import BUFFER, PIECE, Bounds, CountedFile, Watch
from webchat.archive.elements import Fault, elements
from webchat.archive.foreign_tree import ForeignNode, ForeignTree

JSON = {"Accept": "application/json"}


def conversation(name, text, **more):
    return {"id": name, "title": name, "mapping": {"a": chatgpt_node("a", None, "user", text)}, **more}


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


def titles(manager):
    return sorted(session.description for session in manager.list_sessions())


@pytest.fixture
def bring_in(manager):
    """Imports conversations, or the bytes of a file, within these bounds."""

    def bring(data, **most):
        file = io.BytesIO(data if isinstance(data, bytes) else json.dumps(data).encode())
        return manager.archive.bring_in(file, None, Watch(Bounds(**most)))

    return bring


# Finding the elements of a list

TEXTS = st.one_of(st.text(), st.sampled_from(["\\", '"', '\\"', '\\\\"', "[", "},{", '","', "]", "\\u005c", "a\\"]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
)


@settings(max_examples=300)
@given(st.lists(VALUES, max_size=8), st.sampled_from([None, 1]), st.booleans(), st.integers(1, 40))
@example([{"a": "\\"}, 7, "]", [[]]], None, True, 1)
def test_the_elements_of_a_list_are_found_however_it_is_cut(values, indent, ascii_only, piece):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    problems = []
    found = list(elements(io.BytesIO(b"  " + text + b"\n"), Bounds(), problems.append, piece, piece))
    assert (found, problems) == (json.loads(text.decode("utf-8", "surrogatepass")), [])


@settings(max_examples=100)
@given(st.lists(VALUES, max_size=8), st.integers(1, 40), st.data())
def test_of_a_list_that_breaks_off_the_whole_elements_are_found(values, piece, data):
    parts = [json.dumps(value) for value in values]
    whole = data.draw(st.integers(0, len(values)))
    text = "[" + "".join(f"{part}," for part in parts[:whole])
    problems = []
    found = list(elements(io.BytesIO(text.encode()), Bounds(), problems.append, piece, piece))
    assert found == values[:whole]
    where = f" after conversation {whole}" if whole else ""
    assert problems == [f"the file is damaged or truncated{where}."]


def test_small_elements_between_large_ones_are_found():
    values = ["small", "x" * 100, "y", {"z": ["w" * 200]}, 1, 2, "x" * 99]
    found = list(
        elements(io.BytesIO(json.dumps(values).encode()), Bounds(conversation=64), pytest.fail, least_piece=16)
    )
    assert [value if not isinstance(value, Fault) else None for value in found] == [
        "small",
        None,
        "y",
        None,
        1,
        2,
        None,
    ]


def test_behind_a_large_element_and_a_damaged_byte_all_others_are_found():
    values = [1, {"a": ["x" * 90]}, "\u00e9\U0001f642", {"b": 2}]
    text = json.dumps(values, ensure_ascii=False).encode()
    found = elements(io.BytesIO(text), Bounds(conversation=128), pytest.fail, least_piece=16)
    assert list(found) == values
    found = elements(
        io.BytesIO(text.replace(b'{"b"', b'{"\xff"')), Bounds(conversation=128), pytest.fail, least_piece=16
    )
    assert list(found) == [*values[:3], Fault("it is damaged")]


# What exceeds a bound is reported, and the rest is imported


@pytest.mark.parametrize(
    ("most", "odd", "why"),
    [
        ({"depth": 20}, {"more": nested(30)}, "it is nested more than 20 deep"),
        ({"conversation": 1024 * 1024}, {"more": "x" * 1_100_000}, "it is larger than 1 MiB"),
        ({"values": 200}, {"more": [0] * 300}, "it has more than 200 values"),
    ],
)
@pytest.mark.parametrize("where", ["alone", "among others"])
def test_a_conversation_out_of_bounds_is_told_and_the_others_come(bring_in, manager, most, odd, why, where):
    large = conversation("odd", "hello", **odd)
    if where == "alone":
        report = bring_in(large, **most)
        assert (report.imported, report.problems) == ([], [f"“odd”: {why}."])
        return
    commas = conversation("commas", "a,{[b" * 150)  # they are text, not values
    report = bring_in([conversation("first", "hello"), large, commas], **most)
    assert report.problems == [f"“odd”: {why}."]
    assert titles(manager) == ["commas", "first"]


def test_a_conversation_that_is_damaged_takes_no_other_with_it(bring_in, manager):
    parts = [json.dumps(conversation(name, "hello")) for name in ("first", "second", "third")]
    parts[1] = f"{parts[1][:-1]}; }}"
    report = bring_in(f"[{', '.join(parts)}]".encode())
    assert report.problems == ["“second”: it is damaged."]
    assert titles(manager) == ["first", "third"]


@pytest.mark.parametrize(
    ("damaged", "shown"),
    [
        ('{"title": "A \\"b\\" \\u00e9", "mapping": {} ;}', '“A "b" é”'),
        ('{"conversation": {"id": "1", "title": "Stars"}, "responses" }', "“Stars”"),
        ('{"user": {"title": "Dr"}, "title": "Letters" ;}', "“Letters”"),
        ('{"user": {"title": "Dr"}, "name": "Letters" ;}', "“Letters”"),
        ('{"chat_messages": [{"content": [{"name": "web_search", "title": "A page"}]}], "name": "Waves" ;}', "“Waves”"),
        ('{"payload": {"type": "function_call", "name": "shell"} ;}', "conversation 2"),
        ('{"title": null, "mapping": {} ;}', "conversation 2"),
        ('{"mapping": {} ;}', "conversation 2"),
    ],
)
def test_what_cannot_be_parsed_has_the_title_near_its_beginning(bring_in, damaged, shown):
    first, last = (json.dumps(conversation(name, "hello")) for name in ("first", "last"))
    for data in (f"[{first}, {damaged}, {last}]", f"{first}\n{damaged}\n{last}\n"):
        report = bring_in(data.encode())
        assert report.problems == [f"{shown}: it is damaged."]
        shown = shown.replace("conversation", "line")


def test_a_damaged_line_of_a_log_is_named_by_its_number(bring_in):
    rows = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}]
    first, last = map(json.dumps, rows)
    report = bring_in(f'{first}\n\n{{"role": "us\n{last}\n'.encode())
    assert (len(report.imported), report.problems) == (1, ["line 3: it is damaged."])


@pytest.mark.parametrize("pack", [lambda cut: cut, lambda cut: json.dumps([CLAUDE[0]])[:-1] + f",{cut}"])
def test_a_file_that_breaks_off_names_the_conversation(bring_in, pack):
    cut = json.dumps(conversation("Kites", "How high?"))[:-20]
    (problem,) = bring_in(pack(cut).encode()).problems
    assert re.fullmatch("The file is damaged or truncated( after conversation 1)? in “Kites”\\.", problem)


def test_what_follows_a_list_or_a_conversation_is_told(bring_in):
    assert bring_in(json.dumps(CLAUDE).encode() + b"\n \n").problems == []
    assert bring_in(json.dumps(CHATGPT).encode() + b"}").problems == ["The file is damaged after conversation 2."]
    two = json.dumps(conversation("one", "hello")).encode() * 2
    assert bring_in(two).problems == ["The file is damaged after conversation 1."]


def ours(*lines):
    head = {"type": "session", "format": 1, "lines": len(lines)}
    row = {"session_id": f"s{len(lines)}", "description": f"{len(lines)} lines", "begun": True}
    return b"".join(json.dumps(line).encode() + b"\n" for line in (head | {"session": row}, *lines))


@pytest.mark.parametrize(
    ("most", "odd", "why"),
    [
        ({"depth": 20}, nested(30), "it is nested more than 20 deep"),
        ({"conversation": 1024 * 1024}, "x" * 2_500_000, "it is larger than 1 MiB"),
        ({"values": 200}, [0] * 300, "it has more than 200 values"),
        ({"session": 1024 * 1024}, "x" * 1_100_000, "the session is larger than 1 MiB"),
    ],
)
def test_a_session_of_ours_out_of_bounds_is_told_and_the_others_come(bring_in, manager, most, odd, why):
    said = {"role": "user", "content": "hello"}
    report = bring_in(
        ours(said) + ours(said, {"role": "user", "content": "x", "more": odd}) + ours(said, said, said), **most
    )
    assert report.problems == [f"line 5: {why}. Its session is left out."]
    assert titles(manager) == ["1 lines", "3 lines"]


def test_a_session_of_ours_with_too_many_lines_is_told_and_the_others_come(bring_in, manager):
    said = {"role": "user", "content": "hello"}
    report = bring_in(ours(said) + ours(*[{}] * 50) + ours(said, said), values=40)
    assert report.problems == ["line 44: the session has more than 40 lines. Its session is left out."]
    assert titles(manager) == ["1 lines", "2 lines"]


@pytest.mark.parametrize("line", [b"\n", b"{}\n"])
def test_a_session_of_short_lines_takes_no_more_memory_than_its_size(bring_in, manager, line):
    head = {"type": "session", "format": 1, "session": {"session_id": "s", "begun": True}, "lines": 100_000}
    data = json.dumps(head).encode() + b"\n" + line * 100_000
    tracemalloc.start()
    try:
        report = bring_in(data)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(data) + 6 * PIECE
    finally:
        tracemalloc.stop()
    assert report.imported == ["s"]
    assert manager.archive.lines(manager.get_session("s")).count(b"\n") == 100_001


def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.json", text)
    return packed.getvalue()


def test_a_zip_that_unpacks_to_too_much_ends_with_what_came(bring_in, manager):
    many = json.dumps([conversation(f"c{number}", "x" * 20_000) for number in range(200)])
    report = bring_in(zipped(conversations=many), unpacked=2 * 1024 * 1024)
    assert report.stopped
    assert report.problems == [
        "Stopped: the zip unpacks to more than 2 MiB. What was imported stays; import the file again for the rest."
    ]
    assert 50 < len(report.imported) == len(manager.list_sessions()) < 105


def test_a_zip_with_too_long_a_list_of_files(bring_in):
    data = zipped(conversations="[]", **{f"picture-{number:0100}": "" for number in range(500)})
    assert bring_in(data, list_of_files=70_000).problems == [
        "The zip has too many files. Unpack it, and import its conversations.json."
    ]


def test_a_zip_with_too_many_files(bring_in):
    filled = json.dumps([conversation("c", "hello")])
    pictures = {f"picture-{number}": "" for number in range(10)}
    too_many = "The zip has too many files. Unpack it, and import its conversations.json."
    assert bring_in(zipped(conversations=filled, **pictures), files=10).problems == [too_many]
    pictures.popitem()
    assert len(bring_in(zipped(conversations=filled, **pictures), files=10).imported) == 1


def test_a_zip_packed_in_another_way_or_damaged_is_told(bring_in):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("conversations.json", json.dumps(CHATGPT))
    (problem,) = bring_in(packed.getvalue()).problems
    assert problem.startswith("conversations.json: it is compressed in an unsupported way.")
    data = bytearray(zipped(conversations=json.dumps(CHATGPT)))
    data[80:90] = bytes(10)
    (problem,) = bring_in(bytes(data)).problems
    assert problem.startswith("The zip is damaged or incomplete")


def test_an_import_ends_in_time(bring_in):
    report = bring_in(CHATGPT, seconds=-1.0)
    assert (report.imported, report.stopped) == ([], True)
    assert report.problems[0].startswith("Stopped: it took longer than")


# How much is read at once, and how often


class Reads(io.BytesIO):
    """A file that records its reads."""

    def __init__(self, data):
        super().__init__(data)
        self.sizes = []

    def read(self, size=-1):
        self.sizes.append(size)
        return super().read(size)

    def readline(self, size=-1):
        pytest.fail("read by the line")


@pytest.mark.parametrize("blank", [b" ", b"\n", b"\xef\xbb\xbf"])
def test_blanks_are_read_in_large_pieces(manager, blank):
    file = Reads(blank * 1_000_000 + json.dumps(CLAUDE).encode())
    report = manager.archive.bring_in(file)
    assert (len(report.imported), report.problems) == (1, [])
    assert len(file.sizes) < 40


def test_a_file_is_read_in_pieces_and_not_more_than_twice(manager):
    data = json.dumps([conversation(f"c{number}", "x" * 50_000) for number in range(100)]).encode()
    file = Reads(data)
    manager.archive.bring_in(file)
    assert max(file.sizes) <= max(PIECE, BUFFER)
    assert sum(file.sizes) < 2 * len(data)


def test_what_can_be_read_once_only_is_not_held_in_memory(manager):
    class Pipe(io.RawIOBase):
        left = 20_000_000

        def readable(self):
            return True

        def readinto(self, buffer):
            size = min(self.left, len(buffer))
            buffer[:size] = b" " * size
            self.left -= size
            return size

    tracemalloc.start()
    try:
        report = manager.archive.bring_in(Pipe())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert report.problems == ["The file is empty."]


def test_each_message_is_looked_at_a_few_times_however_deep_it_hangs():
    """Many messages below many empty ones: finding each parent must not walk up all the way again."""
    looked = []

    class Counted(ForeignNode):
        def __getattribute__(self, name):
            looked.append(name == "parent")
            return super().__getattribute__(name)

    silent = [Counted(f"n{number}", f"n{number - 1}") for number in range(500)]
    said = [Counted(f"m{number}", "n499", "user", "hello") for number in range(500)]
    tree = ForeignTree([*said, *silent], None)
    assert tree.transcript(None).count(b"\n") == 500
    assert sum(looked) < 5 * 1000


def test_a_counted_file_reads_as_a_file(tmp_path):
    counts = []
    file = CountedFile(io.BytesIO(b"one\ntwo"), counts.append)
    assert (file.readline(), file.read(), file.read(1)) == (b"one\n", b"two", b"")
    assert sum(counts) == 7
