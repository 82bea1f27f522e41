"""A whole chat moves from plain files to PostgreSQL and back: `webchat export | webchat import`."""

from __future__ import annotations

import io
import json
import tempfile
import tracemalloc
import zipfile
from contextlib import closing

import pytest
from click.testing import CliRunner

from tests.pictures import chunk, png
from tests.reading import until
from tests.scripted import ScriptedBackend
from webchat import config, create_app
from webchat.archive.bounds import Bounds, Watch
from webchat.chat.queued import QueuedMessage
from webchat.cli import main
from webchat.config import Settings
from webchat.errors import NoRoom
from webchat.limits import Limits
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.people.disabled import DisabledPeople
from webchat.people.moving import Mover
from webchat.people.register import People
from webchat.replies.submission import checked_submission
from webchat.storage import storage_at
from webchat.storage.protocols.documents import SETTINGS

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
        return webchat("export", *self.options).stdout_bytes

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


@pytest.fixture
def trashed(here):
    """A session in the trash with a queued message."""
    with here.manager() as manager:
        session_id = manager.create_session().session_id
        manager.send_message("hello", session_id)
        queue(manager, session_id, "k1", "and this?", RED)
        manager.housekeeping.delete([session_id])
    return session_id


def test_a_message_that_waits_in_the_trash_is_there_when_its_session_is_restored(here, base, back, trashed):
    out = here.exported()
    assert "1 into the trash, 0 memories, 1 unsent messages" in base.imports(out).stdout
    assert "1 into the trash, 0 memories, 1 unsent messages" in back.imports(base.exported()).stdout
    assert "0 into the trash, 0 memories, 0 unsent messages" in back.imports(out).stdout
    with back.manager() as manager:
        manager.housekeeping.restore([trashed])
        assert [item.text for item in manager.queue.returned(trashed)] == ["and this?"]
        assert manager.queue.files_of(trashed, ["k1"]) == [("0.png", RED)]


@pytest.mark.parametrize("times", [{}, {"deleted_at": "9999-12-31T00:00:00Z"}], ids=["missing", "to come"])
def test_a_message_that_waits_in_the_trash_needs_no_time_of_deletion(here, base, trashed, times):
    out = with_member(here.exported(), "deleted.json", lambda data: json.dumps({trashed: times}).encode())
    assert "1 into the trash, 0 memories, 1 unsent messages" in base.imports(out).stdout
    assert "0 into the trash, 0 memories, 0 unsent messages" in base.imports(out).stdout, "nothing is left out"


def test_a_message_of_a_session_that_was_deleted_here_is_reported(here, base, furnished):
    out = here.exported()
    base.imports(out)
    with base.manager() as manager:
        with manager.storage.queue.changing(furnished) as items:
            items.clear()
        manager.housekeeping.delete([furnished])
    told = base.imports(out, code=1)
    assert "0 unsent messages" in told.stdout
    assert f"no queued message was added to session {furnished}, which is in the trash here." in told.stderr


class Watched(io.BytesIO):
    """A file that an export is written to; `begin` is called when its member of that name begins."""

    def __init__(self, name, begin):
        super().__init__()
        self.name, self.begin = name.encode(), begin

    def write(self, data):
        if bytes(data).startswith(b"PK\3\4") and bytes(data)[30:].startswith(self.name):
            self.begin()
        return super().write(data)


@pytest.mark.parametrize("name", ["waiting.jsonl", "sessions.jsonl", "trash.jsonl"])
def test_a_message_that_is_sent_during_an_export_is_in_it_once(here, back, name):
    with here.manager() as manager:
        session_id = manager.create_session().session_id
        manager.send_message("hello", session_id)
        queue(manager, session_id, "k1", "and this?")

        def send():
            with manager.storage.queue.changing(session_id) as items:
                items.clear()
            manager.post_message(session_id, "and this?", key="k1").wait(10)

        file = Watched(name, send)
        people = People(manager, MemoryStore(manager.storage.documents), DisabledPeople(manager.storage.documents))
        assert people.export(None, file) == []
        assert manager.queue.returned(session_id) == ()
    back.imports(file.getvalue())
    with back.manager() as manager:
        sent = [message.content for message in manager.storage.transcripts.messages(session_id)]
        assert [*sent, *(item.text for item in manager.queue.returned(session_id))].count("and this?") == 1


def with_member(data: bytes, name: str, change) -> bytes:
    """The zip with one member changed."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(changed, "w") as after:
        for each in before.namelist():
            after.writestr(each, change(before.read(each)) if each == name else before.read(each))
    return changed.getvalue()


def test_a_transcript_is_read_once_for_all_its_queued_messages(here, back, furnished, monkeypatch):
    out, read = here.exported(), []
    with back.manager() as manager:
        transcripts = manager.storage.transcripts
        messages = transcripts.messages

        def noted(session_id):
            read.append(session_id)
            with manager.storage.queue.changing(session_id):  # nobody has to wait for it
                return messages(session_id)

        monkeypatch.setattr(transcripts, "messages", noted)
        for waiting in (2, 0):
            moved = Mover(manager, None, None).bring_in(io.BytesIO(out), Watch()).moved
            assert moved.waiting == waiting
    assert read == [furnished]


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

    def test_those_that_the_session_has_take_no_room(self, here, back, furnished):
        large = png(900, 900, chunk(b"IDAT", bytes(200_000)))
        with here.manager() as manager:
            manager.post_message(furnished, "large", files=[("large.png", large)]).wait(10)
            queue(manager, furnished, "k3", "the same, twice", large, large)
        out = here.exported()
        storage = storage_at(back.place)
        with closing(WebChatSessionManager(ScriptedBackend(), storage, limits=Limits(kept=300_000))) as manager:
            assert Mover(manager, None, None).bring_in(io.BytesIO(out), Watch()).moved.waiting == 3

    @pytest.mark.parametrize(("sent", "waiting"), [(RED, 1), (BLUE, 0)], ids=["another", "the same"])
    def test_only_the_same_picture_is_the_one_that_was_sent(self, here, base, furnished, sent, waiting):
        out = here.exported()
        base.imports(out)
        with base.manager() as manager:
            with manager.storage.queue.changing(furnished) as items:
                del items[1:]
            manager.post_message(furnished, "", files=[("0.png", sent)]).wait(10)
        assert f"{waiting} unsent messages" in base.imports(out).stdout

    @pytest.mark.parametrize(("named", "waiting"), [(1, 1), (40, 0)])
    def test_no_more_of_them_are_in_memory_than_a_message_can_have(self, here, back, named, waiting):
        large = [png(900, 900, chunk(b"IDAT", bytes([number]) * 500_000)) for number in range(40)]
        with here.manager() as manager:
            session_id = manager.create_session().session_id
            manager.send_message("hello", session_id)
            for begin in range(0, 40, 10):
                queue(manager, session_id, f"k{begin}", "large", *large[begin : begin + 10])

        def merged(lines):
            """One message, followed by all pictures, of which it names some."""
            records = [json.loads(line) for line in lines.splitlines()]
            messages, pictures = ([each for each in records if ("key" in each) is is_one] for is_one in (True, False))
            names = [picture for message in messages for picture in message["pictures"]][:named]
            return b"".join(
                json.dumps(each).encode() + b"\n" for each in ({**messages[0], "pictures": names}, *pictures)
            )

        out = io.BytesIO(with_member(here.exported(), "waiting.jsonl", merged))
        with back.manager() as manager:
            watch = Watch(Bounds(list_of_files=1_000_000))  # which is memory, too
            tracemalloc.start()
            try:
                assert Mover(manager, None, None).bring_in(out, watch).moved.waiting == waiting
                assert tracemalloc.get_traced_memory()[1] < 10_000_000
            finally:
                tracemalloc.stop()

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


SERVER = {"backend": "openai", "base_url": "https://models.example.org/v1", "model": "large", "title_model": "small"}
BESIDE = {"system_prompt": "Réponds en français.", "temperature": 0.5, "titles": False, "theme": "dark"}
MISSING = "--settings", "missing"
KEY, HEADERS = "sk-0123456789abcdef", "X-Provider: openai\nX-Key: fedcba9876543210"


class TestSavedSettings:
    @pytest.fixture(autouse=True)
    def no_variables(self, monkeypatch):
        monkeypatch.delenv("WEBCHAT_TITLES")

    @pytest.fixture
    def saved(self, here):
        """The settings of the chat in files, as the settings page saves them."""
        secrets = {"api_key": KEY, "header": HEADERS}
        self.save(here, **SERVER, **BESIDE, **secrets, api_key_for=SERVER["base_url"], header_for=SERVER["base_url"])
        return {**SERVER, **BESIDE}

    def save(self, place, **settings):
        with closing(storage_at(place.place)) as storage:
            config.save(storage.documents, settings)

    def settings(self, place):
        with closing(storage_at(place.place)) as storage:
            return config.read_saved(storage.documents)

    def test_they_move_there_and_back_without_keys(self, here, base, back, saved):
        out = here.exported()
        told = base.imports(out, *MISSING)
        assert "; settings: backend, model, base_url (https://models.example.org/v1), system_prompt," in told.stdout
        assert told.stderr.endswith(
            "Keys and passwords are not exported. Set them again where the servers are started: "
            "the key (WEBCHAT_API_KEY); the headers (WEBCHAT_HEADER) X-Provider, X-Key.\n"
        )
        assert self.settings(base) == saved
        there = base.exported()
        assert "settings: backend" in back.imports(there, *MISSING).stdout
        assert self.settings(back) == saved
        first, second, third = (members(data)["settings.json"] for data in (out, there, back.exported()))
        assert second == third
        assert json.loads(first) == {**json.loads(second), "left_out": {"api_key": "", "header": "X-Provider, X-Key"}}
        assert base.imports(out, *MISSING).stdout.rstrip().endswith("0 unsent messages"), "nothing is new"

    def test_they_are_only_imported_if_asked_for(self, here, base, saved, furnished):
        told = base.imports(here.exported())
        assert "2 imported" in told.stdout
        assert "“webchat import --settings missing” without --owner does that." in told.stderr
        assert self.settings(base) == {}

    def test_no_secret_is_in_the_export(self, here, saved):
        self.save(here, base_url="https://ada:hunter2@models.example.org/v1?api-key=0123456789", api_key_for=None)
        out = here.exported()
        with zipfile.ZipFile(io.BytesIO(out)) as archive:
            text = "".join(archive.read(name).decode() for name in archive.namelist())
            settings = json.loads(archive.read("settings.json"))
        for secret in (KEY, "fedcba", "hunter2", "0123456789"):
            assert secret not in text
        assert "base_url" not in settings["settings"]
        assert settings["left_out"]["base_url"] == "https://ada:…@models.example.org/v1?…"

    @pytest.mark.parametrize("more", ["?k=0123456789abcdef", "?access=0123456789abcdef", "#0123456789abcdef"])
    def test_no_key_is_in_an_exported_address_whatever_its_name(self, here, base, more):
        self.save(here, base_url=f"https://models.example.org/v1{more}", model="large")
        out = here.exported()
        assert b"0123456789" not in zipfile.ZipFile(io.BytesIO(out)).read("settings.json")
        assert "https://models.example.org/v1?…" in base.imports(out, *MISSING).stderr
        assert self.settings(base) == {"model": "large"}

    def test_what_is_set_here_stays_unless_it_is_to_be_replaced(self, here, base, saved):
        self.save(base, theme="light", model="mine")
        told = base.imports(here.exported(), *MISSING)
        kept = {**BESIDE, "theme": "light", "model": "mine"}
        assert self.settings(base) == kept, "a model belongs to its server"
        assert "Kept as they are here: backend, model, base_url, title_model, theme." in told.stderr
        assert "Keys" not in told.stderr
        base.imports(here.exported(), "--settings", "none")
        assert self.settings(base) == kept
        told = base.imports(here.exported(), "--settings", "all")
        assert self.settings(base) == saved
        assert "WEBCHAT_API_KEY" in told.stderr

    @pytest.mark.parametrize("variable", ["WEBCHAT_API_KEY", "WEBCHAT_BASE_URL"])
    def test_a_key_in_a_variable_is_not_given_another_address(self, here, base, saved, monkeypatch, variable):
        monkeypatch.setenv(variable, "https://own.example.org/v1")
        base.imports(here.exported(), *MISSING)
        assert self.settings(base) == BESIDE

    def test_a_key_in_a_variable_is_not_given_another_address_even_if_all_is_replaced(
        self, here, base, saved, monkeypatch
    ):
        monkeypatch.setenv("WEBCHAT_API_KEY", KEY)
        told = base.imports(here.exported(), "--settings", "all")
        assert self.settings(base) == BESIDE
        assert "A key or header in a variable would be sent to the other address." in told.stderr

    @pytest.mark.parametrize("note", [{}, {"api_key_for": "https://own.example.org/v1"}])
    def test_a_saved_key_is_never_given_another_address(self, here, back, saved, note):
        self.save(back, base_url="https://own.example.org/v1", api_key=KEY, **note)
        back.imports(here.exported(), *MISSING)
        assert self.settings(back)["base_url"] == "https://own.example.org/v1"
        back.imports(here.exported(), "--settings", "all")
        assert self.settings(back) == saved

    def test_a_saved_key_stays_with_its_address(self, here, back, saved):
        self.save(here, base_url="https://ada:hunter2@models.example.org/v1", model="new")
        self.save(back, base_url="https://ada:hunter2@models.example.org/v1", api_key=KEY)
        told = back.imports(here.exported(), "--settings", "all")
        now = self.settings(back)
        assert (now["base_url"], now["api_key"], now["model"]) == (
            "https://ada:hunter2@models.example.org/v1",
            KEY,
            "new",
        )
        assert "the key" not in told.stderr

    @pytest.mark.parametrize(
        ("settings", "left"),
        [
            ({"api_key": KEY, "api_key_for": "https://evil.example"}, {}),
            ({"base_url": "https://ada:hunter2@models.example.org/v1"}, {}),
            ({"base_url": "https://ada:…@models.example.org/v1"}, {}),
            ({"agent": "sh -c true", "token": "0123456789abcdef", "database": "postgresql://x/y"}, {}),
            ({"temperature": 7, "theme": ["dark"], "system_prompt": "\ud800", "titles": "sideways"}, {}),
            ({"theme": "dark", "temperature": 9}, {"theme": "dark"}),
            ({"system_prompt": "x" * 1_000_001}, {}),
        ],
    )
    def test_a_file_sets_nothing_that_it_may_not(self, here, base, settings, left):
        out = with_settings(here.exported(), {"format": 1, "settings": settings, "left_out": {}})
        base.imports(out, *MISSING)
        assert self.settings(base) == left

    @pytest.mark.parametrize(("found", "code"), [({"format": 2, "settings": {"theme": "dark"}}, 1), ({}, 0), ([], 0)])
    def test_what_is_not_understood_is_left_out(self, here, base, found, code):
        base.imports(with_settings(here.exported(), found), *MISSING, code=code)
        assert self.settings(base) == {}

    def test_damaged_ones_are_neither_exported_nor_replaced(self, here, base, saved):
        out = here.exported()
        with closing(storage_at(base.place)) as storage, storage.documents.changing(SETTINGS) as draft:
            draft.data = b'{"theme": "dark"'
        told = base.imports(out, *MISSING, code=1)
        assert "No settings were imported: those here are damaged." in told.stderr
        told = webchat("export", *base.options, code=1)
        assert "Some of the saved settings cannot be read" in told.stderr
        with closing(storage_at(base.place)) as storage:
            assert storage.documents.read(SETTINGS) == b'{"theme": "dark"'

    def test_a_person_s_own_export_has_none_and_no_person_imports_any(self, here, base, saved, furnished):
        with here.manager() as manager:
            manager.send_message("mine", manager.create_session(owner="ada").session_id, "ada")
        for export in (["people", "export", "ada", "-o", "-"], ["export", "--format", "zip", "--owner", "ada"]):
            out = webchat(*export, *here.options).stdout_bytes
            assert "settings.json" not in zipfile.ZipFile(io.BytesIO(out)).namelist()
        told = base.imports(here.exported(), "--owner", "ada", *MISSING, code=1)
        assert "Its settings were not imported" in told.stderr
        base.imports(here.exported(), "--owner", "ada", "--settings", "none")
        assert self.settings(base) == {}

    def test_the_page_imports_all_but_them_and_says_so(self, here, back, saved, furnished):
        app = create_app({"AMPLIFIER_HOME": back.options[1], "TESTING": True}, backend=ScriptedBackend())
        told = app.test_client().post("/sessions/import", data=here.exported(), headers={"Accept": "application/json"})
        app.extensions["webchat"].close()
        assert (len(told.json["imported"]), told.json["waiting"]) == (2, 2)
        assert told.json["problems"] == [
            "Its settings were not imported: “webchat import --settings missing” without --owner does that."
        ]
        assert self.settings(back) == {}

    def test_a_running_server_follows(self, here, base):
        self.save(here, theme="dark")
        app = create_app({"WEBCHAT_DATABASE": base.place, "AMPLIFIER_HOME": "/nowhere", "TESTING": True})
        with closing(app.extensions["webchat"]):
            assert 'data-theme="system"' in app.test_client().get("/").text
            base.imports(here.exported(), *MISSING)
            until(lambda: 'data-theme="dark"' in app.test_client().get("/").text)


def with_settings(data: bytes, settings: object) -> bytes:
    return with_member(data, "settings.json", lambda before: json.dumps(settings).encode())
