"""A whole chat moves from plain files to PostgreSQL and back: `webchat export --format zip | webchat import`."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from contextlib import closing

import pytest
from click.testing import CliRunner

from tests.pictures import chunk, png
from tests.scripted import ScriptedBackend
from webchat.archive.bounds import Watch
from webchat.chat.queued import QueuedMessage
from webchat.cli import main
from webchat.config import Settings
from webchat.errors import NoRoom
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people.moving import Mover
from webchat.replies.submission import checked_submission
from webchat.storage import storage_at

RED, BLUE = png(), png(5, 4, colour=b"\x10\x20\xd0")
SENT_AT = "2026-01-02T03:04:05+00:00"


def webchat(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


class Place:
    """Somewhere that keeps a chat: files or a database."""

    def __init__(self, options, place):
        self.options, self.place = [str(option) for option in options], place

    def exported(self) -> bytes:
        return webchat("export", "--format", "zip", *self.options).stdout_bytes

    def imports(self, data: bytes, *options, code=0):
        with tempfile.NamedTemporaryFile(suffix=".zip") as file:
            file.write(data)
            file.flush()
            return webchat("import", *self.options, *options, file.name, code=code)

    def manager(self):
        return closing(WebChatSessionManager(ScriptedBackend(), storage_at(self.place), clock=lambda: SENT_AT))


def files(home):
    return Place(["--home", home, "--database", ""], Settings(home=home).storage)


@pytest.fixture
def here(home):
    return files(home)


@pytest.fixture
def base(request, tmp_path):
    address = request.getfixturevalue("database")
    return Place(["--home", tmp_path / "unused", "--database", address], address)


@pytest.fixture
def back(tmp_path):
    return files(tmp_path / "back")


def queue(manager, session_id, key, text, *pictures):
    """Queue a message, held, as one that a page sends while an answer is being written."""
    sent = checked_submission(text, 0, [(f"{number}.png", data) for number, data in enumerate(pictures)])
    for picture in sent.new:
        manager.storage.pictures.put(session_id, picture.data, picture.suffix)
    with manager.storage.queue.changing(session_id) as items:
        items.append(QueuedMessage(key, sent.text, created_at=SENT_AT, pictures=sent.pictures, held=100))


@pytest.fixture
def furnished(here):
    """A chat in files with something of everything; the session with queued messages is returned, too."""
    with here.manager() as manager:
        session_ids = [manager.create_session().session_id for _ in range(3)]
        for session_id, text in zip(session_ids, ("crème brûlée", "second \u2028 line", "thrown away"), strict=True):
            manager.send_message(text, session_id)
        manager.post_message(session_ids[1], "look", files=[("red.png", RED)]).wait(10)
        manager.housekeeping.delete([session_ids[2]])
        queue(manager, session_ids[0], "k1", "and these?", RED, BLUE)
        queue(manager, session_ids[0], "k2", "", BLUE)
        memories = MemoryStore(manager.storage.documents)
        memories.remember("the key is blue")
        memories.delete(memories.remember("forget me")["id"])
    return session_ids[0]


def members(data: bytes) -> dict[str, object]:
    """What a zip has, to compare: lines unchanged, and records without what an import changes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: _comparable(name, archive.read(name)) for name in archive.namelist()}


def _comparable(name, data):
    if name == "memories.json":
        return {where: [{**row, "id": ""} for row in rows] for where, rows in json.loads(data).items()}
    return [_line(line) for line in data.splitlines()] if name.endswith(".jsonl") else data


def _line(line):
    record = json.loads(line)
    if record.get("type") == "session":
        row = {key: value for key, value in record["session"].items() if key != "last_active"}
        row["extra"] = {key: value for key, value in row.get("extra", {}).items() if key != "imported"}
        return {**record, "session": row}
    # A queued message is put into the message field.
    return {**record, "returned": True} if "session_id" in record else line


def test_all_goes_into_a_database_and_back_byte_for_byte(here, base, back, furnished):
    out = here.exported()
    assert "2 imported, 0 here already; 1 into the trash, 2 memories, 2 unsent messages" in base.imports(out).output
    there = base.exported()
    assert members(there) == members(out)
    assert "2 imported, 0 here already; 1 into the trash, 2 memories, 2 unsent messages" in back.imports(there).output
    assert members(back.exported()) == members(out)
    for place in (base, back):
        assert "0 memories, 0 unsent messages" in place.imports(out).output
        assert members(place.exported()) == members(out)
        with place.manager() as manager:
            given = manager.queue.files_of(furnished, ["k1", "k2"])
            assert [data for _, data in given] == [RED, BLUE, BLUE]
            assert [name for name, _ in given] == ["0.png", "1.png", "0.png"]


def with_member(data: bytes, name: str, change) -> bytes:
    """The zip with one member changed."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(changed, "w") as after:
        for each in before.namelist():
            after.writestr(each, change(before.read(each)) if each == name else before.read(each))
    return changed.getvalue()


class TestPicturesOfQueuedMessages:
    @pytest.mark.parametrize("damage", ["missing", "cut", "not one"])
    def test_one_that_is_not_in_the_export_costs_only_itself(self, here, back, furnished, damage):
        def damaged(waiting):
            first, red, *rest = waiting.splitlines()
            put = {"missing": [], "cut": [red[:-20]], "not one": [b'{"type": "picture", "base64": 7}']}
            return b"\n".join([first, *put[damage], *rest]) + b"\n"

        with back.manager() as manager:  # who knows the name of a picture here does not get it
            session_id = manager.create_session().session_id
            manager.post_message(session_id, "mine", files=[("red.png", RED)]).wait(10)
        told = back.imports(with_member(here.exported(), "waiting.jsonl", damaged), code=1)
        assert f"not all pictures of a queued message in session {furnished} are in the export." in told.stderr
        assert "2 unsent messages" in told.stdout
        with back.manager() as manager:
            assert [[each.name for each in item.pictures] for item in manager.queue.returned(furnished)] == [
                ["1.png"],
                ["0.png"],
            ]
            assert [*manager.storage.pictures.sizes(furnished).values()] == [len(BLUE)]

    def test_a_message_that_was_nothing_but_a_missing_picture_is_not_imported(self, here, back, furnished):
        out = with_member(here.exported(), "waiting.jsonl", lambda data: data.splitlines()[-2] + b"\n")
        assert "0 unsent messages" in back.imports(out, code=1).stdout
        with back.manager() as manager:
            assert manager.queue.returned(furnished) == ()

    def test_they_count_for_what_a_person_may_keep(self, here, back, furnished):
        out = io.BytesIO(here.exported())
        large = png(900, 900, chunk(b"IDAT", bytes(200_000)))
        with here.manager() as manager:
            queue(manager, furnished, "k3", "large", large)
        grown = io.BytesIO(here.exported())
        storage = storage_at(back.place)
        with closing(WebChatSessionManager(ScriptedBackend(), storage, limits=Limits(kept=100_000))) as manager:
            mover = Mover(manager, MemoryStore(storage.documents), None)
            assert mover.bring_in(out, Watch()).moved.waiting == 2
            with pytest.raises(NoRoom):
                mover.bring_in(grown, Watch())
            assert len(manager.queue.returned(furnished)) == 2

    @pytest.mark.parametrize(("sent", "waiting"), [(RED, 1), (BLUE, 0)])
    def test_only_the_same_picture_is_the_one_that_was_sent(self, here, base, furnished, sent, waiting):
        out = here.exported()
        base.imports(out)
        with base.manager() as manager:
            with manager.storage.queue.changing(furnished) as items:
                del items[1:]
            manager.post_message(furnished, "", files=[("0.png", sent)]).wait(10)
        assert f"{waiting} unsent messages" in base.imports(out).stdout

    def test_too_many_of_them_are_refused_as_when_they_are_sent(self, here, back, furnished):
        def crowded(waiting):
            head, *rest = waiting.splitlines()
            record = json.loads(head)
            return b"\n".join([json.dumps(record | {"pictures": record["pictures"] * 6}).encode(), *rest]) + b"\n"

        told = back.imports(with_member(here.exported(), "waiting.jsonl", crowded), code=1)
        assert (
            f"a queued message in session {furnished} was left out. A message can have 10 files at most." in told.stderr
        )
        assert "1 unsent messages" in told.stdout
