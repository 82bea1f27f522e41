"""Pictures are in every export, and our own import restores them byte for byte, for nobody else."""

from __future__ import annotations

import io
import json
import zipfile
from base64 import b64encode

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from tests.pictures import SECRET, chunk, png
from tests.scripted import ScriptedBackend
from webchat.archive.export import refuse
from webchat.cli import main
from webchat.errors import NoRoom
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people import DisabledPeople
from webchat.people.register import People

CAT, DOG = png(3, 2), png(2, 3)


def sent_to(manager, *files, owner=None):
    """The id of a session with a message and these files."""
    session_id = manager.create_session(owner=owner).session_id
    manager.post_message(session_id, "Look", owner, files=files).wait()
    return session_id


def exported(manager, owner=None):
    return b"".join(manager.archive.export(manager.list_sessions(owner), refuse))


def brought_in(manager, data, owner=None):
    return manager.archive.bring_in(io.BytesIO(data), owner)


def read(manager, session_id, owner=None):
    """The bytes of the pictures of the session's first message."""
    question = manager.conversation(session_id, owner).messages[0]
    return [manager.storage.pictures.read(session_id, picture.key) for picture in question.pictures]


@pytest.fixture
def other():
    """Another chat."""
    manager = WebChatSessionManager(ScriptedBackend())
    yield manager
    manager.close()


def test_a_picture_comes_along_to_the_byte_and_twice_changes_nothing(manager, other):
    first, second = sent_to(manager, ("cat.png", CAT), ("dog.png", DOG)), sent_to(manager, ("cat.png", CAT))
    data = exported(manager)
    assert brought_in(other, data).imported == [second, first]
    assert (read(other, first), read(other, second)) == ([CAT, DOG], [CAT])
    assert exported(other) == data
    assert brought_in(other, data).known == 2


def test_a_line_of_an_export_has_the_picture(manager):
    sent_to(manager, ("cat.png", CAT))
    head, *_, last = [json.loads(line) for line in exported(manager).splitlines()]
    assert head["lines"] == 2
    assert last == {"type": "picture", "media_type": "image/png", "base64": b64encode(CAT).decode()}


def test_who_names_anothers_picture_in_an_import_gets_nothing(storage):
    manager = WebChatSessionManager(ScriptedBackend(), storage)
    mine = sent_to(manager, ("cat.png", CAT), owner="ada")
    lines = exported(manager, "ada").splitlines(keepends=True)
    assert brought_in(manager, b"".join(lines[:-1]), "eve").imported != []
    (taken,) = manager.list_sessions("eve")
    assert read(manager, taken.session_id, "eve") == [None]
    assert read(manager, mine, "ada") == [CAT]
    manager.close()


def test_from_one_engine_to_another_and_back(storage, home):
    files = WebChatSessionManager(ScriptedBackend(), home / "server" / "web-chat-sessions.json")
    session_id = sent_to(files, ("cat.png", CAT))
    there = WebChatSessionManager(ScriptedBackend(), storage)
    brought_in(there, exported(files))
    assert read(there, session_id) == [CAT]
    files.housekeeping.delete([session_id])
    files.housekeeping.purge([session_id])
    brought_in(files, exported(there))
    assert read(files, session_id) == [CAT]
    for manager in (files, there):
        manager.close()


@pytest.mark.parametrize(
    "data",
    [CAT[:-9], png(3, 2, chunk(b"tEXt", b"Where\0" + SECRET)), b"<svg/>", b"", 7],
    ids=["cut", "tells its place", "no picture", "empty", "no text"],
)
def test_what_is_no_clean_picture_is_left_out_and_the_rest_comes(manager, other, data):
    session_id = sent_to(manager, ("cat.png", CAT))
    lines = exported(manager).splitlines(keepends=True)
    line = {"type": "picture", "base64": b64encode(data).decode() if isinstance(data, bytes) else data}
    report = brought_in(other, b"".join([*lines[:-1], json.dumps(line).encode() + b"\n", lines[-1]]))
    assert report.problems == [f"line {len(lines)}: this picture is damaged. It is left out."]
    assert read(other, session_id) == [CAT]


@pytest.mark.files
def test_a_transcripts_own_line_is_not_taken_for_a_picture(manager, other, home):
    session_id = sent_to(manager, ("cat.png", CAT))
    path = home / "server" / "web-chat-transcripts" / f"{session_id}.jsonl"
    line = json.dumps({"type": "picture", "base64": "eA=="}, separators=(",", ":")) + "\n"
    path.write_text(path.read_text() + line)
    data = exported(manager)
    brought_in(other, data)
    assert [*other.storage.pictures.sizes(session_id).values()] == [len(CAT)]
    assert exported(other) == data


def test_pictures_count_for_what_a_person_may_bring_in(manager):
    sent_to(manager, ("cat.png", png(3, 2, chunk(b"IDAT", bytes(5000)))))
    small = WebChatSessionManager(ScriptedBackend(), limits=Limits(kept=3000))
    with pytest.raises(NoRoom):
        brought_in(small, exported(manager), "ada")
    assert small.list_sessions("ada") == []
    small.close()


def test_a_line_that_is_repeated_counts_once(manager):
    sent_to(manager, ("cat.png", png(3, 2, chunk(b"IDAT", bytes(40_000)))))
    *lines, picture = exported(manager).splitlines(keepends=True)
    small = WebChatSessionManager(ScriptedBackend(), limits=Limits(kept=100_000))
    report = brought_in(small, b"".join([*lines, *[picture] * 20]))
    (session_id,) = report.imported
    assert report.problems == []
    assert len(small.storage.pictures.sizes(session_id)) == 1
    small.close()


def test_only_pictures_of_messages_are_exported(manager):
    session_id = sent_to(manager, ("cat.png", CAT))
    before = exported(manager)
    manager.storage.pictures.put(session_id, DOG, "png")
    assert exported(manager) == before


def test_readable_exports_show_or_name_it(manager, client):
    session_id = sent_to(manager, ("<my> *cat*.png", CAT))
    page = BeautifulSoup(client.get(f"/sessions/{session_id}/export?format=html").data, "html.parser")
    assert page.img["src"] == f"data:image/png;base64,{b64encode(CAT).decode()}"
    assert page.img["alt"] == "<my> *cat*.png"
    assert "img-src data:" in page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    text = client.get(f"/sessions/{session_id}/export?format=md").text
    assert "*Picture: \\<my\\> \\*cat\\*.png*" in text


@pytest.mark.files
def test_by_the_command_line(manager, home, tmp_path):
    session_id = sent_to(manager, ("cat.png", CAT))
    file, there = tmp_path / "all.jsonl", tmp_path / "there"
    assert CliRunner().invoke(main, ["export", "--home", str(home), "-o", str(file)]).exit_code == 0
    assert CliRunner().invoke(main, ["import", "--home", str(there), str(file)]).exit_code == 0
    folder = there / "server" / "web-chat-pictures" / session_id
    assert [path.read_bytes() for path in folder.iterdir()] == [CAT]


def test_with_all_that_a_person_has_and_gone_with_it(storage, tmp_path):
    manager, memory = WebChatSessionManager(ScriptedBackend(), storage), MemoryStore(storage.documents)
    mine, other = (sent_to(manager, ("cat.png", CAT), owner=owner) for owner in ("ada", "bob"))
    people = People(manager, memory, DisabledPeople(storage.documents))
    with (tmp_path / "ada.zip").open("wb") as file:
        people.export("ada", file)
    with zipfile.ZipFile(tmp_path / "ada.zip") as archive:
        assert b64encode(CAT) in archive.read("sessions.jsonl")
    people.remove("ada")
    assert storage.pictures.sizes(mine) == {}
    assert read(manager, other, "bob") == [CAT]
    people.remove("bob")
    assert storage.pictures.sizes(other) == {}
    manager.close()
