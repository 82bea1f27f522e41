"""The registry of sessions: which exist, which one is current, and what its file survives."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.memory_folder import MemoryFolder
from tests.processes import another_process, run_in_another_process, says, tell
from webchat.errors import SessionExists, SessionNotFound, StorageError
from webchat.session_store import WebChatSession, WebChatSessionStore, is_session_id
from webchat.storage import storage_at
from webchat.storage.files.activity import Activity
from webchat.storage.files.registry import RegistryFile
from webchat.storage.table_sessions import TableSessions


class Clock:
    """Advances by a second each time it is read."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> str:
        self.now += timedelta(seconds=1)
        return self.now.isoformat(timespec="microseconds")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "server" / "sessions.json"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(path, clock) -> WebChatSessionStore:
    return WebChatSessionStore(path, clock=clock)


@pytest.fixture(params=["disk", "memory"])
def any_store(request, path, clock) -> WebChatSessionStore:
    return WebChatSessionStore(path if request.param == "disk" else None, clock=clock)


def ids(store, owner=None):
    return [session.session_id for session in store.list_all(owner)]


def put(path, content):
    """Write the registry's file as another program might."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path.read_bytes()


def kept_aside(path):
    return [copy.read_bytes() for copy in sorted(path.parent.glob(f"{path.name}.corrupt-*"))]


def row(session_id, **more):
    times = {"created_at": "2026-01-01T00:00:00+00:00", "last_active": "2026-01-01T00:00:00+00:00"}
    return {"session_id": session_id, "description": f"about {session_id}", **times, "is_active": False, **more}


class TestRules:
    def test_what_was_added_is_there_and_current(self, any_store):
        added = any_store.add("a", "First", {"project_id": "p", "working_dir": "~/w"})
        now = "2026-03-01T00:00:01.000000+00:00"
        extra = {"project_id": "p", "working_dir": "~/w"}
        assert added == WebChatSession("a", "First", now, now, is_active=True, extra=extra)
        assert any_store.get("a") == added == any_store.active_session() == any_store.require("a")
        assert (added.project_id, added.working_dir) == ("p", "~/w")

    def test_an_id_is_stored_once(self, any_store):
        any_store.add("a", "First")
        any_store.add("b", "Second")
        with pytest.raises(SessionExists, match="already exists"):
            any_store.add("a", "Third")
        with pytest.raises(ValueError, match="already exists"):
            any_store.add("a", "Third", owner="ada")
        assert any_store.get("a").description == "First"
        assert any_store.active_session().session_id == "b"

    def test_what_is_not_there_is_none(self, any_store):
        assert any_store.get("a") is None
        assert any_store.active_session() is None
        assert any_store.list_all() == []
        with pytest.raises(SessionNotFound, match="not found"):
            any_store.require("a")

    def test_deactivate_clears_the_current_one(self, any_store):
        any_store.add("a", "First")
        any_store.deactivate("a")
        assert any_store.active_session() is None
        assert any_store.get("a").is_active is False

    def test_deactivate_of_what_is_not_there_does_nothing(self, any_store):
        any_store.add("a", "First")
        any_store.deactivate("b")
        assert any_store.active_session().session_id == "a"
        assert ids(any_store) == ["a"]

    def test_reactivate_makes_current_and_bumps_the_time(self, any_store):
        first = any_store.add("a", "First")
        any_store.add("b", "Second")
        again = any_store.reactivate("a")
        assert again == any_store.get("a") == any_store.active_session()
        assert again.is_active
        assert again.last_active > first.last_active
        assert again.created_at == first.created_at
        assert ids(any_store) == ["a", "b"]

    def test_reactivate_of_what_is_not_there_is_told(self, any_store):
        any_store.add("a", "First")
        with pytest.raises(ValueError, match="not found"):
            any_store.reactivate("b")
        assert any_store.active_session().session_id == "a"

    def test_the_list_is_newest_first(self, any_store):
        for name in "abc":
            any_store.add(name, name)
        assert ids(any_store) == ["c", "b", "a"]
        any_store.touch("a", "message")
        assert ids(any_store) == ["a", "c", "b"]
        assert any_store.get("a").last_active == any_store.list_all()[0].last_active > any_store.get("c").last_active

    def test_at_most_one_is_current(self, any_store):
        for name in "abc":
            any_store.add(name, name)
        any_store.reactivate("a")
        any_store.begin("b", "title")
        assert [session.session_id for session in any_store.list_all() if session.is_active] == ["b"]

    def test_a_first_message_titles_the_session_and_marks_it_as_begun(self, any_store):
        for name, description in (("b", "My own"), ("a", "Web chat session")):
            assert not any_store.add(name, description).begun
            assert not any_store.get(name).begun
        begun = any_store.begin("a", "Hello there")
        assert (begun.description, begun.begun) == ("Hello there", True)
        assert any_store.begin("a", "Something else").description == "Hello there"

    def test_a_description_that_somebody_chose_stays(self, any_store):
        any_store.add("a", "My own")
        assert any_store.begin("a", "Hello there").description == "My own"

    def test_a_message_in_another_session_makes_that_current(self, any_store):
        any_store.add("a", "Web chat session")
        any_store.begin("a", "Hello")
        any_store.add("b", "Web chat session")
        any_store.begin("a", "Hello again")
        assert any_store.active_session().session_id == "a"
        with pytest.raises(SessionNotFound):
            any_store.begin("c", "Hello")

    def test_owners_do_not_see_or_move_each_other(self, any_store):
        any_store.add("a", "Ada's", owner="ada")
        any_store.add("b", "Bob's", owner="bob")
        any_store.add("n", "Nobody's")
        assert [any_store.active_session(owner).session_id for owner in ("ada", "bob", None)] == ["a", "b", "n"]
        assert [ids(any_store, owner) for owner in ("ada", "bob", None)] == [["a"], ["b"], ["n"]]
        assert any_store.get("a", "bob") is any_store.get("a") is any_store.get("n", "ada") is None
        for call in (any_store.require, any_store.reactivate, lambda *of: any_store.begin(of[0], "title", of[1])):
            with pytest.raises(SessionNotFound):
                call("a", "bob")
        any_store.deactivate("a", "bob")
        any_store.deactivate("a")
        assert any_store.active_session("ada").session_id == "a"
        any_store.deactivate("a", "ada")
        assert [any_store.active_session(owner) is None for owner in ("ada", "bob", None)] == [True, False, False]

    def test_a_change_shows_in_the_version(self, any_store):
        versions = [any_store.sessions.version(None)]
        for change in (
            lambda: any_store.add("a", "First"),
            lambda: any_store.touch("a", "message"),
            lambda: any_store.deactivate("a"),
        ):
            change()
            versions.append(any_store.sessions.version(None))
            assert any_store.sessions.version(None) == versions[-1]
        assert len(set(versions)) == 4

    def test_short_ids_are_eight_characters(self, any_store):
        assert any_store.add("mock-session-0123456789abcdef", "").short_id == "01234567"
        assert any_store.add("0123456789abcdef", "").short_id == "01234567"
        assert any_store.add("a", "").short_id == "a"

    @pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "-a", "_a", "a b", "é", "a\n", "a" * 129, None, 5])
    def test_only_a_safe_name_is_an_id(self, name):
        assert not is_session_id(name)

    @pytest.mark.parametrize("name", ["a", "7", "a..b", "A-b_c.d", "a" * 128])
    def test_a_safe_name_is_an_id(self, name):
        assert is_session_id(name)


class TestFile:
    def test_without_a_path_nothing_touches_the_disk(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        store = WebChatSessionStore()
        store.add("a", "First")
        store.touch("a", "message")
        store.reactivate("a")
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_file_means_empty(self, store, path):
        assert store.list_all() == []
        assert store.notice is None
        assert not path.parent.exists()

    def test_it_is_a_json_list_with_one_record_a_line(self, store, path):
        for name in ("a", "b", "c"):
            store.add(name, f"Zeile 1\n{name} ü", {"project_id": name})
        text = path.read_text("utf-8")
        assert [record["session_id"] for record in json.loads(text)] == ["a", "b", "c"]
        lines = text.splitlines()
        assert lines[0] == "["
        assert lines[-1] == "]"
        assert [json.loads(line.rstrip(","))["session_id"] for line in lines[1:-1]] == ["a", "b", "c"]
        assert "ü" in text

    def test_a_tilde_in_the_path_is_the_persons_folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        WebChatSessionStore("~/sessions.json").add("a", "First")
        assert (tmp_path / "sessions.json").exists()

    def test_another_start_finds_what_was_stored(self, store, path):
        store.add("a", "First", {"project_id": "p"}, owner="ada")
        store.add("b", "Web chat session")
        store.begin("b", "Hello")
        store.touch("b", "message")
        again = WebChatSessionStore(path)
        assert [again.list_all(owner) for owner in ("ada", None)] == [store.list_all(owner) for owner in ("ada", None)]
        assert again.active_session() == store.active_session()

    def test_reading_never_writes(self, path):
        for number, content in enumerate([b'[{"session_id": "a"}, 5', [row("a", is_active=True)], b"", b"\xff"]):
            here = path.with_name(f"sessions-{number}.json")
            before = put(here, content)
            stamp = here.stat()
            names = sorted(here.parent.iterdir())
            store = WebChatSessionStore(here)
            store.list_all(), store.get("a"), store.active_session(), store.sessions.version(None)
            with pytest.raises(SessionNotFound):
                store.require("z")
            assert here.read_bytes() == before
            assert (here.stat().st_mtime_ns, here.stat().st_ino) == (stamp.st_mtime_ns, stamp.st_ino)
            assert sorted(here.parent.iterdir()) == names

    @pytest.mark.parametrize(
        "content",
        [b"not json", b"", b"{}", b"null", b'"text"', b"\xff\xfe\0", b"\0" * 50, b"[" * 100_000, b"[1e999999,"],
    )
    def test_a_corrupt_file_starts_empty_and_is_kept_aside_before_the_first_write(self, store, path, content):
        put(path, content)
        assert store.list_all() == []
        assert "could not be read" in store.notice
        assert kept_aside(path) == []
        store.add("a", "First")
        assert ids(WebChatSessionStore(path)) == ["a"]
        assert kept_aside(path) == [content]
        store.add("b", "Second")
        assert kept_aside(path) == [content]
        assert WebChatSessionStore(path).list_all() == store.list_all()

    def test_the_page_is_told_where_the_copy_is(self, store, path):
        put(path, b"[1]")
        store.add("a", "First")
        copy = next(path.parent.glob("*.corrupt-*"))
        assert copy.name in store.notice

    @pytest.mark.parametrize(
        "bad",
        [
            5,
            None,
            [],
            {},
            {"session_id": "../../etc/passwd"},
            {"session_id": 7},
            row("x", description=5),
            row("x", extra=[]),
            row("x", is_active="yes"),
            row("x", owner=5),
            row("x", last_active=None),
            row("good"),
        ],
    )
    def test_one_bad_row_hides_no_other(self, store, path, bad):
        before = put(path, [row("good"), bad, row("also", is_active=True)])
        assert sorted(ids(store)) == ["also", "good"]
        assert store.active_session().session_id == "also"
        store.add("new", "New")
        assert sorted(ids(WebChatSessionStore(path))) == ["also", "good", "new"]
        assert kept_aside(path) == [before]

    @pytest.mark.parametrize(
        "time", ["", "yesterday", "0001-01-01T00:00:00", "9999-12-31T23:59:59", "2026-01-01", "1" * 500]
    )
    def test_a_strange_time_hides_nothing(self, store, path, time):
        put(path, [row("a", last_active=time, created_at=time, is_active=True), row("b")])
        assert sorted(ids(store)) == ["a", "b"]
        assert store.active_session().session_id == "a"

    def test_a_time_without_a_zone_is_utc(self, store, path, monkeypatch):
        import time

        monkeypatch.setenv("TZ", "America/New_York")
        time.tzset()
        try:
            put(path, [row("a", last_active="2026-01-01T12:00:00"), row("b", last_active="2026-01-01T13:00:00+00:00")])
            assert ids(store) == ["b", "a"]
        finally:
            monkeypatch.undo()
            time.tzset()

    def test_times_of_all_zones_are_compared(self, store, path):
        put(
            path,
            [
                row("early", last_active="2026-03-01T08:00:00+09:00"),
                row("late", last_active="2026-03-01T00:00:00Z"),
            ],
        )
        assert ids(store) == ["late", "early"]
        store.touch("early", "message")
        assert ids(store) == ["early", "late"]

    def test_half_an_emoji_in_a_row_can_still_be_shown(self, store, path):
        put(path, b'[{"session_id": "a", "description": "cut \\ud83d", "extra": {"working_dir": "\\udcff"}}]')
        session = store.get("a")
        assert session.description.encode("utf-8").startswith(b"cut ")
        assert session.working_dir.encode("utf-8")

    def test_a_record_from_elsewhere_needs_no_more_than_its_id(self, store, path):
        put(path, [{"session_id": "a"}])
        assert store.get("a") == WebChatSession("a", "Web chat session", "", "", is_active=False)
        assert store.reactivate("a").is_active

    def test_of_several_current_ones_the_last_used_is_current(self, store, path):
        put(
            path,
            [
                row("a", is_active=True, last_active="2026-01-03T00:00:00+00:00"),
                row("b", is_active=True),
                row("c", is_active=True, owner="ada"),
            ],
        )
        assert store.active_session().session_id == "a"
        assert [session.session_id for session in store.list_all() if session.is_active] == ["a"]
        assert store.active_session("ada").session_id == "c"
        assert store.begin("b", "title").session_id == store.active_session().session_id == "b"

    def test_unknown_keys_survive_a_rewrite(self, store, path):
        put(path, [row("a", colour="blue", extra={"project_id": "p", "later": [1, {"x": None}]}), row("b")])
        store.reactivate("a")
        store.deactivate("a")
        store.add("c", "New")
        record = json.loads(path.read_bytes())[0]
        assert (record["colour"], record["extra"]) == ("blue", {"project_id": "p", "later": [1, {"x": None}]})
        assert kept_aside(path) == []

    def test_a_message_does_not_rewrite_the_registry(self, store, path):
        store.add("a", "Web chat session")
        store.begin("a", "Hello")
        before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino
        for _ in range(5):
            store.begin("a", "Hello again")
            store.touch("a", "message")
            store.touch("a", "reply")
        assert (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) == before

    def test_a_folder_in_the_files_place_is_an_error_and_not_an_empty_list(self, store, path):
        store.add("a", "First")
        path.rename(path.with_name("aside"))
        path.mkdir()
        for call in (store.list_all, store.active_session, lambda: store.get("a"), lambda: store.add("b", "Second")):
            with pytest.raises(StorageError):
                call()
        path.rmdir()
        path.with_name("aside").rename(path)
        assert ids(store) == ["a"]

    def test_a_link_in_the_files_place_is_an_error(self, store, path, tmp_path):
        put(tmp_path / "elsewhere", [row("a")])
        path.parent.mkdir()
        path.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StorageError):
            store.add("b", "Second")
        assert "about a" in (tmp_path / "elsewhere").read_text()

    def test_a_write_that_fails_raises_and_changes_nothing(self, store, path):
        store.add("a", "First")
        before = path.read_bytes()
        said = run_in_another_process(
            """
            import resource, sys
            from webchat.errors import StorageError
            from webchat.session_store import WebChatSessionStore
            store = WebChatSessionStore(sys.argv[1])
            known = store.list_all(), store.active_session()
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            changes = [lambda: store.add("b", "Second"), lambda: store.deactivate("a"), lambda: store.begin("a", "x"),
                       lambda: store.reactivate("a")]
            for change in changes:
                try:
                    change()
                except StorageError as error:
                    print(error)
                assert (store.list_all(), store.active_session()) == known
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert store.get("b") is None
            store.add("c", "Third")
            """,
            path,
        )
        each = "The list of sessions could not be saved: File too large. Nothing has changed."
        assert said.splitlines() == [each] * 4
        assert ids(store) == ["c", "a"]
        assert json.loads(path.read_bytes())[0] == {**json.loads(before)[0], "is_active": False}
        assert [at.name for at in path.parent.iterdir() if at.name.startswith(".")] == []

    def test_where_no_copy_can_be_kept_the_damaged_file_stays(self, path):
        before = put(path, b"[5]")
        # The copy's name is too long: a real limit of the file system.
        long = path.with_name("s" * 250)
        path.rename(long)
        with pytest.raises(StorageError):
            WebChatSessionStore(long).add("a", "First")
        assert long.read_bytes() == before

    def test_without_the_activity_only_the_order_suffers(self, store, path):
        store.add("a", "First")
        store.add("b", "Second")
        store.touch("a", "message")
        assert ids(store) == ["a", "b"]
        log = path.parent / "web-chat-activity.jsonl"
        log.unlink()
        assert ids(store) == ["b", "a"]
        log.write_bytes(b'\xff\n{"session": 5}\n{"session": "a", "at": []}\n[]\nnull\n')
        assert ids(store) == ["b", "a"]
        store.touch("a", "message")
        assert ids(store) == ["a", "b"]

    def test_an_activity_that_cannot_be_read_hides_nothing(self, store, path):
        store.add("a", "First")
        store.add("b", "Second")
        (path.parent / "web-chat-activity.jsonl").unlink()
        (path.parent / "web-chat-activity.jsonl").mkdir()
        assert ids(store) == ["b", "a"]
        assert store.active_session().session_id == "b"


class TestOtherProcesses:
    def test_processes_that_add_at_once_lose_nothing(self, path):
        adding = """
            import sys
            from webchat.session_store import WebChatSessionStore
            store = WebChatSessionStore(sys.argv[1])
            store.list_all()
            print("ready")
            sys.stdin.readline()
            for number in range(25):
                store.add(f"{sys.argv[2]}-{number}", "Session")
            print("done")
        """
        with another_process(adding, path, "a") as first, another_process(adding, path, "b") as second:
            both = (first, second)
            assert [says(process) for process in both] == ["ready"] * 2
            for process in both:
                tell(process)
            assert [says(process) for process in both] == ["done"] * 2
        store = WebChatSessionStore(path)
        assert sorted(ids(store)) == sorted(f"{name}-{number}" for name in "ab" for number in range(25))
        assert sum(session.is_active for session in store.list_all()) == 1

    def test_what_another_process_changes_is_seen(self, store, path):
        store.add("a", "First")
        assert ids(store) == ["a"]
        version = store.sessions.version(None)
        run_in_another_process(
            """
            import sys
            from webchat.session_store import WebChatSessionStore
            store = WebChatSessionStore(sys.argv[1])
            store.add("b", "Second")
            store.touch("a", "message")
            """,
            path,
        )
        assert store.sessions.version(None) != version
        assert sorted(ids(store)) == ["a", "b"]
        assert store.active_session().session_id == "b"
        assert store.get("a").last_active > store.get("b").last_active

    def test_a_writer_that_died_in_the_middle_locks_nobody_out(self, store, path):
        store.add("a", "First")
        holding = """
            import sys
            from pathlib import Path
            from webchat.fileutil import DiskFolder
            path = Path(sys.argv[1])
            release = DiskFolder(path.parent).lock(path.name, 5)
            (path.parent / f".{path.name}.torn").write_text("[")
            print("locked")
            sys.stdin.readline()
        """
        with another_process(holding, path) as process:
            assert says(process) == "locked"
            assert ids(store) == ["a"]
            process.kill()
            process.wait()
            store.add("b", "Second")
        assert ids(store) == ["b", "a"]


class TestActivity:
    @pytest.fixture
    def folder(self):
        return MemoryFolder()

    @pytest.fixture
    def activity(self, folder):
        return Activity(folder, "log")

    def test_a_log_that_was_replaced_by_a_torn_one_is_read_from_its_start(self, folder, activity, clock):
        def noted():
            return {name for name in "abcd" if activity.latest(name)}

        for _ in range(3):
            activity.note_all({"a": clock()}, "message")
        assert noted() == {"a"}
        folder.replace("log", b'{"at": "2026"')
        assert noted() == set()
        for name in "bcd":
            activity.note_all({name: clock()}, "message")
        assert noted() == {"b", "c", "d"}

    def test_a_long_log_is_made_short_and_keeps_each_sessions_last_time(self, folder, activity, clock):
        other = activity
        activity = Activity(folder, "log", compact_above=2000)
        for number in range(100):
            activity.note_all({f"s{number % 3}": clock()}, "message")
        assert folder.stamp("log").size < 2500
        latest = [activity.latest(f"s{number}") for number in range(3)]
        assert latest == [other.latest(f"s{number}") for number in range(3)]
        assert len(set(latest)) == 3


REGISTRY = "sessions.json"
ROWS = [row(f"s{number}", description=f"Sitzung {number} äöü 🌍", extra={"project_id": "p"}) for number in range(4)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """A registry as the store writes it."""
    path = tmp_path_factory.mktemp("whole") / "sessions.json"
    path.write_text(json.dumps(ROWS))
    store = WebChatSessionStore(path)
    store.reactivate("s2")
    return path.read_bytes()


def stored(content: bytes) -> MemoryFolder:
    folder = MemoryFolder()
    folder.replace(REGISTRY, content)
    return folder


def store_of(folder: MemoryFolder) -> WebChatSessionStore:
    return WebChatSessionStore(TableSessions(RegistryFile(folder, REGISTRY), Activity(folder, "log")))


def used(folder) -> None:
    """All reads, and then a write: none may raise."""
    store = store_of(folder)
    for session in store.list_all():
        assert store.get(session.session_id) == session
        assert session.short_id
        str(session.project_id + session.working_dir + session.description).encode("utf-8")
    store.active_session()
    before = set(ids(store))
    damaged = store.notice is not None
    content = folder.read(REGISTRY)
    store.add("new-one", "New")
    assert set(ids(store)) == before | {"new-one"}
    copies = [folder.read(name) for name in folder.names() if ".corrupt-" in name]
    assert copies == ([content] if damaged else [])


@settings(max_examples=60)
@given(cut=st.integers(0, 2000))
def test_a_registry_cut_off_anywhere_keeps_its_whole_rows(whole, cut):
    cut = min(cut, len(whole))
    store = store_of(stored(whole[:cut]))
    complete = {f"s{number}" for number, line in enumerate(whole.split(b"\n")[1:5]) if line.rstrip(b",") in whole[:cut]}
    assert complete <= set(ids(store))
    assert all(store.get(name).description.startswith("Sitzung") for name in complete)
    used(stored(whole[:cut]))


@settings(max_examples=60)
@given(flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=12))
def test_a_registry_with_any_bytes_flipped_can_be_read_and_written(whole, flips):
    damaged = bytearray(whole)
    for place, value in flips:
        damaged[place % len(damaged)] = value
    used(stored(bytes(damaged)))


@settings(max_examples=60)
@given(content=st.binary(max_size=200))
def test_a_registry_of_any_bytes_can_be_read_and_written(content):
    used(stored(content))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
keys = ["session_id", "description", "created_at", "last_active", "is_active", "extra", "begun", "owner", "other"]


@settings(max_examples=60)
@given(
    rows=st.lists(
        values | st.dictionaries(st.sampled_from(keys), values | st.sampled_from(["a", "b", True])), max_size=5
    )
)
def test_a_registry_of_any_rows_can_be_read_and_written(rows):
    used(stored(json.dumps(rows).encode()))


def test_the_order_is_right_although_another_process_writes_it_anew_meanwhile(path, monkeypatch):
    here, elsewhere = storage_at(path), storage_at(path)
    store = WebChatSessionStore(here.sessions)
    for name in ("a", "b"):
        store.add(name, "Title")
        store.begin(name, "Title")
    assert [session.session_id for session in store.list_all()] == ["b", "a"]
    moved = here.activity.moved

    def moved_after_a_rewrite(generation, since):
        monkeypatch.undo()
        WebChatSessionStore(elsewhere.sessions).touch("a", "message")
        elsewhere.activity.rewrite()
        return moved(generation, since)

    monkeypatch.setattr(here.activity, "moved", moved_after_a_rewrite)
    assert [session.session_id for session in store.list_all()] == ["a", "b"]
