"""One person, or everybody, moves to another folder or database with all their data."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing, contextmanager

import pytest
from click.testing import CliRunner

from tests.scripted import ScriptedBackend
from webchat import create_app
from webchat.archive.bounds import Watch
from webchat.archive.brought import Moved
from webchat.chat.queued import QueuedMessage
from webchat.chat.texts import LARGEST_FILE
from webchat.chat.times import seconds_of, utc_now
from webchat.cli import main
from webchat.cli.output import written
from webchat.config import Settings
from webchat.errors import StorageError
from webchat.limits import MOST_QUEUED, Limits
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people.moving import Mover
from webchat.storage import storage_at

LONG_AGO = "2026-01-02T03:04:05+00:00"


def webchat(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@contextmanager
def kept(place):
    """The chat stored there, with its memories."""
    with closing(storage_at(place)) as storage:
        manager = WebChatSessionManager(ScriptedBackend(), storage, clock=lambda: LONG_AGO)
        yield manager, MemoryStore(storage.documents, trash_days=1e6)


@pytest.fixture
def exported(home, tmp_path):
    """Ada's complete export: two sessions, one with a queued message, one in the trash, memories."""
    with kept(Settings(home=home).storage) as (manager, memory):
        for text in ("about kettles", "about teapots", "thrown away"):
            session_id = manager.create_session(owner="ada").session_id
            manager.send_message(text, session_id, "ada")
            if text == "about teapots":
                with manager.storage.queue.changing(session_id) as items:
                    # Held, so that the end of the answer does not send it.
                    items.append(QueuedMessage("k1", "and cups?", created_at=LONG_AGO, held=100))
        manager.housekeeping.delete([session_id], "ada")
        memory.remember("the key is blue", "ada")
        memory.delete(memory.remember("forget me", "ada")["id"], "ada")
    path = tmp_path / "ada.zip"
    webchat("people", "export", "ada", "-o", path, "--home", home)
    return path


@pytest.fixture(params=["files", "postgres"])
def there(request, tmp_path):
    """The other place: its options, and its storage."""
    if request.param == "postgres":
        address = request.getfixturevalue("database")
        return ["--database", address], address
    return ["--home", tmp_path / "there"], Settings(home=tmp_path / "there").storage


@pytest.mark.parametrize("owner", ["ada", "ada.lovelace"])
def test_a_person_is_moved_with_all_that_is_theirs_and_once(exported, there, owner):
    options, place = there
    told = webchat("import", *options, "--owner", owner, exported).output
    assert "2 imported" in told
    assert "1 into the trash, 2 memories, 1 unsent messages" in told
    with kept(place) as (manager, memory):
        assert {session.description for session in manager.list_sessions(owner)} == {"about kettles", "about teapots"}
        [gone] = manager.store.trash(owner)
        assert (gone.description, gone.deleted_at) == ("thrown away", LONG_AGO)
        [teapots] = [item for item in manager.list_sessions(owner) if item.description == "about teapots"]
        assert [item.text for item in manager.queue.returned(teapots.session_id)] == ["and cups?"]
        assert manager.queue.items(teapots.session_id) == ()
        assert [row["content"] for row in memory.list(owner)] == ["the key is blue"]
        assert [row["content"] for row in memory.trash(owner)] == ["forget me"]
        memory.remember("since then", owner)
    told = webchat("import", *options, "--owner", owner, exported).output
    assert "2 here already" in told
    assert "0 into the trash, 0 memories, 0 unsent messages" in told
    with kept(place) as (manager, memory):
        assert len(manager.list_sessions(owner)) == 2
        assert len(manager.store.trash(owner)) == 1
        assert len(manager.queue.returned(teapots.session_id)) == 1
        assert sorted(row["content"] for row in memory.list(owner)) == ["since then", "the key is blue"]
        assert len({row["id"] for row in (*memory.list(owner), *memory.trash(owner))}) == 3


def test_an_export_of_nobody_s_sessions_says_whose_are_left_out(exported, home, tmp_path):
    path = tmp_path / "all.jsonl"
    path.write_text("old")
    result = webchat("export", "--home", home, "-o", path, code=1)
    assert result.stderr.startswith("1 person has sessions that are not in this export.")
    assert "webchat people export NAME" in result.stderr
    assert path.read_bytes() == b""
    with kept(Settings(home=home).storage) as (manager, _):
        manager.send_message("my own", manager.create_session().session_id)
    result = webchat("export", "--home", home, "-o", path)
    assert "1 person has sessions" in result.stderr
    assert json.loads(path.read_text().splitlines()[0])["session"]["description"] == "my own"
    assert webchat("export", "--home", home, "--owner", "ada", "-o", path).stderr == ""


def test_a_write_that_breaks_off_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")

    def break_off():
        with written(str(path)) as file:
            file.write(b"half")
            raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        break_off()
    assert (path.read_text(), [*tmp_path.iterdir()]) == ("old", [path])


def test_an_export_of_nothing_replaces_the_file(home, tmp_path):
    path = tmp_path / "all.jsonl"
    path.write_text("old")
    assert webchat("export", "--home", home, "-o", path).stderr == ""
    assert path.read_bytes() == b""
    webchat("export", "--home", home, "-o", tmp_path / "no" / "such", code=1)


def rewritten(path, **members):
    """The export with these members changed; they are named without their suffixes."""
    with zipfile.ZipFile(path) as before:
        contents = {name: before.read(name) for name in before.namelist()}
    with zipfile.ZipFile(path, "w") as after:
        for name, data in contents.items():
            after.writestr(name, members.get(name.partition(".")[0], lambda same: same)(data))


@pytest.mark.parametrize("member", ["trash.jsonl", "waiting.jsonl", "deleted.json", "memories.json"])
@pytest.mark.parametrize("damage", ["contents", "method", "password", "place"])
def test_a_damaged_member_costs_only_itself(exported, there, member, damage):
    with zipfile.ZipFile(exported) as export:
        info = export.getinfo(member)
    data = bytearray(exported.read_bytes())
    listed = data.rindex(member.encode()) - 46  # this member's entry in the zip's directory
    if damage == "contents":
        begin = info.header_offset + 30 + len(member) + data[info.header_offset + 28]
        data[begin : begin + 4] = bytes(byte ^ 0xFF for byte in data[begin : begin + 4])
    else:
        data[listed + {"method": 10, "password": 8, "place": 42}[damage]] ^= 1
    exported.write_bytes(data)
    told = webchat("import", *there[0], "--owner", "ada", exported, code=1)
    assert "2 imported" in told.output
    assert f"{member} is damaged" in told.stderr
    trash, memories, waiting = (
        0 if name == member else count
        for name, count in (("trash.jsonl", 1), ("memories.json", 2), ("waiting.jsonl", 1))
    )
    assert f"{trash} into the trash, {memories} memories, {waiting} unsent messages" in told.output


class TestAnImportThatBreaksOff:
    @pytest.fixture
    def thrown_away(self, exported, home):
        """The export with one more session in the trash."""
        with kept(Settings(home=home).storage) as (manager, _):
            session_id = manager.create_session(owner="ada").session_id
            manager.send_message("thrown away too", session_id, "ada")
            manager.housekeeping.delete([session_id], "ada")
        webchat("people", "export", "ada", "-o", exported, "--home", home)
        return exported

    def brought(self, manager, memory, path):
        """What an import of the file adds besides the sessions of the list."""
        with path.open("rb") as file:
            report = Mover(manager, memory, "ada").bring_in(file, Watch())
        return report

    def test_is_finished_by_the_next_one(self, thrown_away, there, monkeypatch):
        with kept(there[1]) as (manager, memory):
            importer = manager.archive.importer
            add, left = importer.add, [1, 1, 1]  # the sessions of the list, and one of the trash

            def break_off(*batch):
                if not left:
                    raise StorageError("The sessions could not be imported", OSError(28, "full"))
                left.pop()
                return add(*batch)

            manager.archive.at_once = 1
            monkeypatch.setattr(importer, "add", break_off)
            with pytest.raises(StorageError):
                self.brought(manager, memory, thrown_away)
            monkeypatch.undo()
            assert {item.description for item in manager.list_sessions("ada")} == {"about kettles", "about teapots"}
            assert len(manager.store.trash("ada")) == 1

            report = self.brought(manager, memory, thrown_away)
            assert (report.moved, report.problems) == (Moved(1, 2, 1), [])
            assert {item.description for item in manager.list_sessions("ada")} == {"about kettles", "about teapots"}
            assert {item.deleted_at for item in manager.store.trash("ada")} == {LONG_AGO}

    def test_never_breaks_off_because_of_the_trash(self, thrown_away, tmp_path):
        with closing(storage_at(Settings(home=tmp_path / "small").storage)) as storage:
            manager = WebChatSessionManager(ScriptedBackend(), storage, limits=Limits(sessions=2))
            moved = self.brought(manager, MemoryStore(storage.documents), thrown_away).moved
            assert (moved.trash, moved.waiting, len(manager.list_sessions("ada"))) == (2, 1, 2)

    @pytest.mark.parametrize("since", ["sent", "sent from the field", "deleted"])
    def test_does_not_bring_back_a_message_that_was_dealt_with(self, exported, there, since):
        with kept(there[1]) as (manager, memory):
            self.brought(manager, memory, exported)
            [teapots] = [item for item in manager.list_sessions("ada") if item.description == "about teapots"]
            with manager.storage.queue.changing(teapots.session_id) as items:
                [waiting] = items
                items.clear()
            if since == "deleted":
                manager.housekeeping.delete([teapots.session_id], "ada")
            else:
                key = waiting.key if since == "sent" else "another"
                manager.post_message(teapots.session_id, waiting.text, "ada", key=key).wait(10)
            assert self.brought(manager, memory, exported).moved.waiting == 0
            assert manager.queue.returned(teapots.session_id) == ()


@pytest.mark.parametrize(
    "time", [5, {"a": 1}, ["x"], True, "garbage", "2026-01-02\ud80003:04:05", "9999-12-31T00:00:00Z", None]
)
def test_a_time_in_the_trash_that_is_none_or_still_to_come_is_now(exported, there, time):
    def with_time(data):
        times = json.loads(data)
        return json.dumps({key: {"deleted_at": time, "kept_since": time} for key in times}).encode()

    def with_times(data):
        found = json.loads(data)
        trash = [{**row, "deleted_at": time, "kept_since": time} for row in found["trash"]]
        return json.dumps({**found, "trash": trash}).encode()

    rewritten(exported, deleted=with_time, memories=with_times)
    options, place = there
    with kept(place) as (manager, _):
        bobs = [manager.create_session(owner="bob").session_id for _ in range(2)]
        manager.send_message("bob's own", bobs[0], "bob")
    before = utc_now()
    assert "1 into the trash, 2 memories" in webchat("import", *options, "--owner", "ada", exported).output
    with closing(storage_at(place)) as storage:
        manager, memory = WebChatSessionManager(ScriptedBackend(), storage), MemoryStore(storage.documents)
        manager.housekeeping.delete([bobs[0]], "bob")
        manager.housekeeping.empty_expired()
        assert [item.description for item in manager.housekeeping.trash("bob")] == ["bob's own"]
        [gone] = manager.housekeeping.trash("ada")
        assert before <= gone.deleted_at <= utc_now()
        assert manager.store.row(gone.session_id).get("kept_since") is None
        assert [row["content"] for row in memory.trash("ada")] == ["forget me"]
        [row] = memory.taken_along("ada")["trash"]
        assert seconds_of(before) - 1 <= seconds_of(row["deleted_at"])
        assert "kept_since" not in row


class TestThePage:
    @pytest.fixture
    def there(self, tmp_path):
        """A chat in another place, open to one person: its manager, its memories and a client."""
        folder = tmp_path / "there"
        app = create_app({"AMPLIFIER_HOME": str(folder), "TESTING": True}, backend=ScriptedBackend())
        manager = app.extensions["webchat"]
        yield manager, MemoryStore(manager.storage.documents), app.test_client()
        manager.close()

    @pytest.mark.parametrize("way", ["form", "body"])
    def test_it_brings_all_as_the_command_does(self, exported, there, way):
        manager, memory, client = there
        data = exported.read_bytes()
        sent = {"data": {"file": (io.BytesIO(data), "ada.zip")}} if way == "form" else {"data": data}
        told = client.post("/sessions/import", **sent, headers={"Accept": "application/json"}).json
        assert (len(told["imported"]), told["problems"]) == (2, [])
        assert [told[name] for name in ("trash", "memories", "waiting")] == [1, 2, 1]
        [teapots] = [item for item in manager.list_sessions() if item.description == "about teapots"]
        assert [item.text for item in manager.queue.returned(teapots.session_id)] == ["and cups?"]
        assert [item.deleted_at for item in manager.store.trash(None)] == [LONG_AGO]
        assert [row["content"] for row in memory.list()] == ["the key is blue"]
        again = client.post("/sessions/import", **(sent | {"data": data})).get_data(as_text=True)
        assert "Also: 0 into the trash, 0 memories, 0 unsent messages." in again

    def test_it_shows_what_came(self, exported, there, page):
        form = {"file": (io.BytesIO(exported.read_bytes()), "ada.zip")}
        shown = page(there[2].post("/sessions/import", data=form)).soup.get_text()
        assert "Also: 1 into the trash, 2 memories, 1 unsent message." in shown

    def test_a_chat_without_memories_says_so(self, exported, tmp_path):
        manager = WebChatSessionManager(ScriptedBackend(), tmp_path / "other" / "sessions.json")
        with exported.open("rb") as file:
            report = Mover(manager, None, None).bring_in(file, Watch())
        manager.close()
        assert report.problems == ["no memories were imported: this chat keeps none, and the export has 2."]
        assert report.moved == Moved(1, 0, 1)

    def test_packed_once_more_it_says_what_is_left_out(self, exported, there):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("ada.zip", exported.read_bytes())
        told = there[2].post("/sessions/import", data=packed.getvalue(), headers={"Accept": "application/json"}).json
        assert len(told["imported"]) == 2
        assert told["problems"] == [
            "ada.zip: only its sessions were imported. Unpack this zip, and import it by itself."
        ]

    def test_what_it_may_bring_is_bounded(self, exported, there):
        with zipfile.ZipFile(exported) as export:
            session_id = json.loads(export.read("waiting.jsonl"))["session_id"]

        def flooded(data):
            return b"".join(data.replace(b'"k1"', b'"k%d"' % number) for number in range(MOST_QUEUED + 5))

        deep = b'{"memories": ' + b"[" * 5000 + b"]" * 5000 + b"}"
        rewritten(exported, waiting=flooded, memories=lambda data: deep)
        told = (
            there[2].post("/sessions/import", data=exported.read_bytes(), headers={"Accept": "application/json"}).json
        )
        assert (told["waiting"], told["memories"]) == (MOST_QUEUED, 0)
        assert "memories.json was not imported: it is nested more than 100 deep." in told["problems"]
        assert f"session {session_id} has more than {MOST_QUEUED} queued messages." in told["problems"]

    def test_a_full_queue_needs_no_look_at_the_transcript(self, exported, there, monkeypatch):
        manager = there[0]

        def bring_in():
            with exported.open("rb") as file:
                return Mover(manager, None, None).bring_in(file, Watch())

        bring_in()
        [teapots] = [item for item in manager.list_sessions() if item.description == "about teapots"]
        with manager.storage.queue.changing(teapots.session_id) as items:
            items[:] = [QueuedMessage(f"other{number}", "more", returned=True) for number in range(MOST_QUEUED)]
        monkeypatch.setattr(manager.storage.transcripts, "messages", lambda session_id: pytest.fail("it was read"))
        problem = f"session {teapots.session_id} has more than {MOST_QUEUED} queued messages."
        assert problem in bring_in().problems

    def test_cancelled_it_ends_between_two_queued_messages(self, exported, there):
        manager = there[0]
        rewritten(exported, waiting=lambda data: b"".join(data.replace(b'"k1"', b'"k%d"' % n) for n in range(5)))
        with zipfile.ZipFile(exported) as export:
            session_id = json.loads(export.read("waiting.jsonl").splitlines()[0])["session_id"]
        watch = Watch(on_progress=lambda watch: watch.cancel() if manager.queue.returned(session_id) else None)
        with exported.open("rb") as file:
            assert Mover(manager, None, None).bring_in(file, watch).stopped
        # The next check after the cancellation ends it.
        assert [item.key for item in manager.queue.returned(session_id)] == ["k0", "k1"]

    @pytest.mark.parametrize(
        ("record", "why"),
        [
            ({"text": "x" * 21}, "This message is too long: 20 characters at most. Send the rest as a file."),
            ({"text": "a\0b"}, "The message contains a NUL character, which cannot be sent."),
            ({"files": [{"name": "a.txt", "content": "x" * (LARGEST_FILE + 1)}]}, "a.txt is too large: 1 MiB at most."),
            ({"files": [{"name": "a.txt", "content": ""}] * 11}, "A message can have 10 files at most."),
        ],
    )
    def test_a_message_that_could_not_be_sent_is_left_out_and_reported(self, exported, tmp_path, record, why):
        def changed(data):
            return json.dumps(json.loads(data) | record).encode() + b"\n" + data.replace(b'"k1"', b'"k2"')

        rewritten(exported, waiting=changed)
        place = tmp_path / "other" / "sessions.json"
        with closing(WebChatSessionManager(ScriptedBackend(), place, limits=Limits(message=20))) as manager:
            with exported.open("rb") as file:
                report = Mover(manager, MemoryStore(manager.storage.documents), None).bring_in(file, Watch())
            [teapots] = [item for item in manager.list_sessions() if item.description == "about teapots"]
            assert report.problems == [f"a queued message in session {teapots.session_id} was left out. {why}"]
            assert (report.moved.waiting, [item.key for item in manager.queue.returned(teapots.session_id)]) == (
                1,
                ["k2"],
            )

    def test_no_folder_comes_that_one_may_not_choose(self, exported, there):
        def elsewhere(data):
            head, _, rest = data.partition(b"\n")
            record = json.loads(head)
            record["session"] |= {"extra": {"working_dir": "/etc"}}
            return json.dumps(record).encode() + b"\n" + rest

        rewritten(exported, trash=elsewhere, sessions=elsewhere)
        manager = there[0]
        with exported.open("rb") as file:
            Mover(manager, None, None, lambda folder: False).bring_in(file, Watch())
        found = [*manager.list_sessions(), *manager.store.trash(None)]
        assert {manager.store.row(item.session_id).get("extra", {}).get("working_dir") for item in found} <= {None, "~"}
        assert len(found) == 3

    def test_cancelled_it_ends_before_the_rest(self, exported, there):
        watch = Watch(on_progress=lambda watch: watch.cancel() if watch.added else None)
        with exported.open("rb") as file:
            report = Mover(there[0], there[1], None).bring_in(file, watch)
        assert (report.stopped, len(report.imported), there[1].list()) == (True, 2, [])
        with exported.open("rb") as file:
            assert Mover(there[0], there[1], None).bring_in(file, Watch()).moved == Moved(1, 2, 1)
