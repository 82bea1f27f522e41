"""PostgreSQL beyond the storage contract: two servers on one database, and a database that does not respond."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.database import as_if_silent, execute, free_port, server
from tests.processes import ROOT
from tests.reading import until
from webchat.archive.bounds import Watch
from webchat.archive.brought import Report
from webchat.backends.mock import MockBackend
from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.chat.search import title_query
from webchat.chat.times import seconds_of
from webchat.cli import main
from webchat.errors import InvalidInput, LeaseLost, SessionBusy, StorageAway, StorageError
from webchat.manager import WebChatSessionManager
from webchat.storage import storage_at
from webchat.storage.postgres.clock import DatabaseClock
from webchat.storage.postgres.database import Database
from webchat.storage.postgres.leases import BEAT
from webchat.storage.postgres.schema import STEPS, migrate
from webchat.web.running_imports import BOUNDS

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed (webchat[postgres])")
HEADER = {"id": "answer", "parent": "m1", "started_at": "2026-01-01T00:00:00+00:00"}
PATIENCE = 10
DOCS = (Path(__file__).parent.parent / "docs" / "deploy.md").read_text("utf-8")


@pytest.fixture
def two(database):
    """The storages of two servers."""
    both = [storage_at(database) for _ in range(2)]
    yield both
    for storage in both:
        storage.close()


def row(name: str, **more: object) -> dict[str, object]:
    moment = "2026-01-01T00:00:00+00:00"
    made = {"session_id": name, "description": f"About {name}", "created_at": moment, "last_active": moment}
    return made | {"is_active": True, "begun": True, "extra": {}} | more


class TestTwoServers:
    def test_what_one_writes_the_other_reads(self, two):
        one, other = two
        one.sessions.insert(row("s"), 0)
        one.transcripts.append("s", Message("m1", "user", "question"))
        assert other.transcripts.read("s").leaf.content == "question"
        release = one.leases.acquire("s")
        log = one.replies.begin("s", HEADER)
        log.write({"d": "so "})
        assert other.replies.view("s").message(alive=True).content == "so "
        log.write({"d": "far"})
        assert other.replies.view("s").message(alive=True).content == "so far"
        assert other.leases.is_held("s")
        with pytest.raises(SessionBusy):
            other.leases.acquire("s")
        log.write({"end": "complete"})
        log.commit(other.replies.view("s").message(alive=False), extends=False)
        release()
        assert [message.content for message in other.transcripts.read("s").messages] == ["question", "so far"]
        assert (other.replies.view("s"), other.leases.is_held("s")) == (None, False)

    def test_a_reader_is_woken_by_the_other_server(self, two):
        one, other = two
        one.sessions.insert(row("s"), 0)
        with other.bus.follow("s", None, lambda: False) as waiter:
            while waiter.wait(1.5):  # it checks for changes whenever it begins to listen
                waiter.clear()
            began = time.monotonic()
            one.transcripts.append("s", Message("m1", "user", "question"))
            one.bus.publish("s", urgent=True)
            assert waiter.wait(PATIENCE)
            assert time.monotonic() - began < PATIENCE
            waiter.clear()
            while waiter.wait(1.5):
                waiter.clear()
            before = other.sessions.version(None)
            one.sessions.touch({"s": "2026-01-01T00:00:05+00:00"}, "message")
            assert waiter.wait(PATIENCE)
            assert other.sessions.version(None) != before

    def test_a_request_reaches_the_writer_on_the_other_server(self, two):
        one, other = two
        release = one.leases.acquire("s")
        log = one.replies.begin("s", HEADER)
        assert one.replies.requests("s") == []
        other.replies.request("s", {"stop": True})
        other.bus.publish("s", urgent=True)
        end = time.monotonic() + PATIENCE
        while not one.replies.requests("s") and time.monotonic() < end:
            time.sleep(0.02)
        assert one.replies.requests("s") == [{"stop": True}]
        log.discard()
        release()


def test_after_the_end_nothing_is_opened_again_and_nothing_said(database, caplog):
    storage = storage_at(database)
    storage.probe()
    storage.close()
    began = time.monotonic()
    with pytest.raises(StorageAway):
        storage.probe()
    assert time.monotonic() - began < 0.9 * PATIENCE, "what has ended does not come back"
    assert caplog.text == ""


class TestTheTime:
    @pytest.mark.parametrize("hours", [1, -1])
    def test_a_clock_that_is_wrong_is_corrected(self, two, hours):
        clock = DatabaseClock(two[0].database, lambda: time.time() + hours * 3600)
        clock.compare()
        assert abs(seconds_of(clock.now()) - time.time()) < 60

    def test_a_clock_that_is_set_meanwhile_changes_nothing(self, database):
        program = (
            "import sys, time\n"
            "right, wrong = time.time, 0\n"
            "time.time = lambda: right() + wrong\n"
            "from webchat.storage import storage_at\n"
            "storage = storage_at(sys.argv[1])\n"
            "wrong = 3600\n"
            "print(storage.now())\n"
        )
        command = [sys.executable, "-c", program, database]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert abs(seconds_of(told.strip()) - time.time()) < 60

    def test_what_happens_later_comes_later_whatever_a_servers_clock_says(self, two):
        one, other = two
        for name in ("first", "second"):
            one.sessions.insert(row(name), 0)
        one.sessions.touch({"first": "2026-01-01T10:00:00+00:00"}, "message")
        other.sessions.touch({"second": "2026-01-01T08:00:00+00:00"}, "message")
        assert [session.session_id for session in one.sessions.all_of(None)] == ["second", "first"]


class TestALeaseThatWasLost:
    """A server without a heartbeat is dead for good; its later writes are refused."""

    def test_another_takes_over_and_the_late_one_writes_nothing(self, two, database):
        late, other = two
        late.transcripts.append("s", Message("m1", "user", "question"))
        late.leases.acquire("s")
        log = late.replies.begin("s", HEADER)
        log.write({"d": "half"})
        late.bus.link.close()  # it is suspended
        as_if_silent(database)
        assert not other.leases.is_held("s")
        release = other.leases.acquire("s")
        other.replies.settle("s")
        for write in (
            lambda: log.write({"d": " too late"}),
            lambda: log.commit(Message("answer", "assistant", "half too late", parent="m1"), extends=False),
            lambda: late.transcripts.append("s", Message("x", "user", "too late", parent="m1")),
            lambda: late.transcripts.select("s", "m1"),
            lambda: late.replies.begin("s", HEADER),
        ):
            with pytest.raises(LeaseLost):
                write()
        log.discard()
        shown = other.transcripts.read("s").messages
        assert [(item.content, item.status) for item in shown] == [("question", "complete"), ("half", "interrupted")]
        release()

    def test_it_writes_nothing_even_if_nobody_took_over(self, two, database):
        late, _ = two
        release = late.leases.acquire("s")
        log = late.replies.begin("s", HEADER)
        late.bus.link.close()
        as_if_silent(database)
        with pytest.raises(LeaseLost):
            log.write({"d": "too late"})
        late.replies.was_asked("s")
        with pytest.raises(LeaseLost):
            late.replies.requests("s")
        log.discard()
        release()
        late.leases.beat()
        late.leases.acquire("s")()

    def test_a_server_that_stands_still_in_a_transaction_holds_up_others_no_longer_than_a_lease(self, two):
        [limit] = two[0].database.one("SHOW idle_in_transaction_session_timeout")
        assert limit == "7s"

    def test_signs_of_life_keep_it(self, two, database):
        one, other = two
        release = one.leases.acquire("s")
        for _ in range(4):  # together longer than a silence that loses it
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("UPDATE webchat.servers SET seen = seen - interval '2.5 seconds'")
            seen = one.database.one("SELECT max(seen) FROM webchat.servers")[0]
            end = time.monotonic() + PATIENCE
            while one.database.one("SELECT max(seen) FROM webchat.servers")[0] == seen and time.monotonic() < end:
                time.sleep(0.05)
        assert other.leases.is_held("s")
        release()


class TestAnAnswerThatIsLost:
    """A statement was executed, and the connection broke before its result arrived."""

    @pytest.fixture
    def unheard(self, monkeypatch):
        """Makes the next statements with these words run, and then fail as if their results were lost."""

        def arrange(storage, words, times=1):
            database, left = storage.database, [times]
            rows = database.rows

            def ask(statement, *rest, **more):
                answer = rows(statement, *rest, **more)
                if words in statement and left[0]:
                    left[0] -= 1
                    raise StorageAway
                return answer

            monkeypatch.setattr(database, "rows", ask)

        return arrange

    def test_a_lease_of_which_nobody_knows_is_held_by_nobody(self, two, unheard):
        one, other = two
        kept = one.leases.acquire("another")
        unheard(one, "known.lease = ANY")
        with pytest.raises(StorageError):
            one.leases.acquire("s")
        one.leases.acquire("s")()
        unheard(one, "known.lease = ANY")
        with pytest.raises(StorageError):
            one.leases.acquire("s")
        one.leases.beat()
        other.leases.acquire("s")()
        kept()

    def test_what_could_not_be_released_is_given_up_also_if_it_could_not_be_acquired_again(self, two, monkeypatch):
        one, other = two
        kept, release = one.leases.acquire("another"), one.leases.acquire("s")

        def away(*_, **__):
            raise StorageAway

        with monkeypatch.context() as patch:
            patch.setattr(one.database, "rows", away)
            release()
            with pytest.raises(StorageError):
                one.leases.acquire("s")
        one.leases.beat()
        other.leases.acquire("s")()
        kept()

    def test_a_write_that_failed_is_in_the_log_once_after_the_next(self, two, unheard):
        one, other = two
        release = one.leases.acquire("s")
        log = one.replies.begin("s", HEADER)
        log.write({"d": "one "})
        assert other.replies.view("s").message(alive=True).content == "one "
        unheard(one, "cardinality(requests) AS asked", times=1000)
        with pytest.raises(StorageAway):
            log.write({"d": "two "})
        unheard(one, "nothing")
        one.database.rows = type(one.database).rows.__get__(one.database)
        log.write({"d": "two and three"})
        for storage in two:
            assert storage.replies.view("s").message(alive=True).content == "one two and three"
        log.discard()
        release()


class TestManyAtOnce:
    def test_an_idle_server_that_wakes_takes_one_name(self, two, database):
        one, _ = two
        one.leases.acquire("before")()
        as_if_silent(database)
        time.sleep(BEAT + 0.1)  # a heartbeat is due then
        together = threading.Barrier(6)

        def acquire(number):
            together.wait(PATIENCE)
            return one.leases.acquire(f"s{number}")

        with ThreadPoolExecutor(6) as pool:
            releases = list(pool.map(acquire, range(6)))
        for number in range(6):
            one.leases.require(f"s{number}")
        for release in releases:
            release()

    def test_changes_of_more_documents_than_there_are_connections(self, two):
        one, _ = two

        def change(number):
            with one.documents.changing(f"settings/{number}") as draft:
                draft.data = b"x"

        with ThreadPoolExecutor(40) as pool:
            list(pool.map(change, range(40)))
        assert len(one.documents.names("settings")) == 40

    def test_two_that_change_the_current_session_and_others_wait_in_no_ring(self, two):
        for name in ("a", "b", "c"):
            two[0].sessions.insert(row(name), 0)

        def make_current(number):
            name = "abc"[number % 3]
            two[0].sessions.update([name], lambda _, known: {**known, "is_active": True}, make_current=True)

        def archive(number):
            two[1].sessions.update(["a", "b", "c"], lambda _, known: {**known, "archived": bool(number % 2)})

        with ThreadPoolExecutor(8) as pool:
            tasks = [pool.submit(make_current if number % 2 else archive, number) for number in range(60)]
        for task in tasks:
            task.result()

    def test_a_search_for_titles_leaves_its_connection_clean(self, two):
        one, _ = two
        for number in range(30):
            one.sessions.insert(row(f"s{number}"), 0)
        for _ in range(30):
            assert len(one.sessions.page(None, "list", title_query("about"), 0, 1)) == 1
            one.sessions.update(["s1"], lambda _, known: {**known, "pinned": not known.get("pinned")})


class TestAFullPool:
    @pytest.fixture
    def storage(self, database, monkeypatch):
        """A server with a single connection, beside the one that listens."""
        monkeypatch.setattr(Database, "connections", 1)
        storage = storage_at(database)
        yield storage
        storage.close()

    def test_who_waits_for_a_connection_does_not_hold_up_the_sign_of_life(self, storage, database):
        release = storage.leases.acquire("s")
        with ThreadPoolExecutor(1) as pool:
            with storage.database.transaction():
                waiting = pool.submit(storage.leases.beat)
                for _ in range(2):
                    before = seen(database)
                    until(lambda: seen(database) > before, patience=8)  # noqa: B023
            waiting.result(PATIENCE)
        release()

    def test_a_writer_and_a_reader_do_not_wait_for_each_other(self, storage, monkeypatch):
        storage.transcripts.append("s", Message("m1", "assistant", "one"))
        rows, reading, writing = storage.database.rows, threading.Event(), threading.Event()

        def read_late(*given: object, **more: object):
            if threading.current_thread().name.startswith("reader") and not reading.is_set():
                reading.set()
                writing.wait(1)  # a writer that waits for this reader before it has a connection would never arrive
            return rows(*given, **more)

        monkeypatch.setattr(storage.database, "rows", read_late)
        transaction = storage.database.transaction

        @contextmanager
        def begin(*told):
            with transaction(*told) as connection:
                writing.set()
                yield connection

        monkeypatch.setattr(storage.database, "transaction", begin)
        with ThreadPoolExecutor(1, "reader") as readers:
            read = readers.submit(storage.transcripts.read, "s")
            assert reading.wait(PATIENCE)
            storage.transcripts.extend("s", Message("m1", "assistant", " two"))
            read.result(PATIENCE)
        assert storage.transcripts.read("s").leaf.content == "one two"


def seen(database: str) -> object:
    """The time of a server's last heartbeat."""
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute("SELECT max(seen) FROM webchat.servers").fetchone()[0]


def test_a_lock_that_was_lost_keeps_nothing(two, database):
    late, other = two
    late_change = late.queue.changing("s")
    late_change.__enter__().append(QueuedMessage("late", "text"))
    late.bus.link.close()
    as_if_silent(database)
    with other.queue.changing("s") as items:
        items.append(QueuedMessage("kept", "text"))
    with pytest.raises(LeaseLost):
        late_change.__exit__(None, None, None)
    assert [item.key for item in other.queue.items("s")] == ["kept"]


class TestAnImportThatStoodStill:
    """Its lock is lost, and another import may have its claims by now: none of it is kept."""

    @pytest.mark.parametrize("step", ["transcripts.put_all", "sessions.complete", "sessions.touch"])
    def test_it_imports_nothing_and_says_so(self, database, two, step, monkeypatch):
        late, other = (WebChatSessionManager(MockBackend(), storage) for storage in two)
        part, _, name = step.partition(".")
        holder = getattr(two[0], part)
        write = getattr(holder, name)

        def write_late(*given: object) -> None:
            two[0].bus.link.close()
            as_if_silent(database)
            assert len(bring(other, "second").imported) == 1
            write(*given)

        monkeypatch.setattr(holder, name, write_late)
        with pytest.raises(StorageError, match="could not be imported"):
            bring(late, "first")
        shown = other.list_sessions()
        said = [item.content for each in shown for item in other.reader.conversation(each.session_id).messages]
        assert said == ["second", "yes"]
        assert two[1].sessions.claimed() == []
        assert set(two[1].transcripts.sessions()) == {each.session_id for each in shown}

    def test_a_claim_that_is_another_imports_by_now_is_not_completed(self, two):
        with pytest.raises(LeaseLost):
            two[0].sessions.complete([row("gone")])
        assert two[1].sessions.row("gone") is None

    def test_what_lost_its_lease_removes_nothing(self, two, database):
        late, other = two
        late.transcripts.append("s", Message("m1", "user", "question"))

        def forget() -> None:
            pytest.fail("the lease was lost before")

        acquire = late.leases.acquire

        def acquire_and_stand_still(name: str):
            release = acquire(name)
            late.bus.link.close()
            as_if_silent(database)
            return release

        late.leases.acquire = acquire_and_stand_still
        assert late.discard(["s"]) == []
        with pytest.raises(OSError, match="another"):
            late.purge(["s"], forget)
        assert other.transcripts.read("s").leaf.content == "question"


def bring(manager: WebChatSessionManager, text: str) -> Report:
    said = [{"role": "user", "content": text}, {"role": "assistant", "content": "yes"}]
    return manager.archive.bring_in(io.BytesIO(json.dumps({"messages": said}).encode()), None, Watch(BOUNDS))


def test_a_forked_child_is_a_server_of_its_own(database):
    """As under gunicorn with --preload: the application is created before the workers."""
    program = """
import os, sys
from webchat.storage import storage_at
storage = storage_at(sys.argv[1])
held = storage.leases.acquire("parents")
child = os.fork()
if not child:
    assert storage.leases.held("parents") is None
    storage.leases.acquire("childs")
    os._exit(0 if storage.leases.is_held("parents") and storage.leases.is_held("childs") else 1)
status = os.waitpid(child, 0)[1]
names = storage.database.one("SELECT count(DISTINCT server) FROM webchat.conversations WHERE server IS NOT NULL")[0]
print(status, names)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program, database], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "2"], done.stderr


def test_what_was_read_of_many_replies_does_not_stay(two):
    (one, other), views = two, []
    for number in range(5):
        one.transcripts.append(f"s{number}", Message("m1", "user", "question"))
        log = one.replies.begin(f"s{number}", HEADER)
        log.write({"d": "x" * 1000})
        other.replies.most_bytes = 2_500
        view = other.replies.view(f"s{number}")
        assert view.message(alive=True).content == "x" * 1000
        views.append(weakref.ref(view))
        del view
    gc.collect()
    assert 1 <= sum(view() is not None for view in views) <= 3


def test_a_connection_that_the_server_ends_is_no_failure(database):
    with psycopg.connect(database, autocommit=True) as connection:
        storage = storage_at(database)
        storage.probe()
        for _ in range(5):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            storage.probe()
        storage.close()


@pytest.fixture(scope="module")
def guarded():
    """A server with a password and a guest user who may create nothing."""
    with server() as running:
        execute(running, "CREATE ROLE guest LOGIN PASSWORD 'right'")
        rules = running.data / "pg_hba.conf"
        rules.write_text("host all guest 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        execute(running, "SELECT pg_reload_conf()")
        until(lambda: execute(running, "SELECT type FROM pg_hba_file_rules WHERE auth_method = 'scram-sha-256'"))
        yield running


@contextmanager
def idle_in(storage, monkeypatch):
    """For a block, how long this thread computes in transactions between two statements, in seconds of CPU time."""
    transaction = storage.database.transaction
    idle: list[float] = []
    last: dict[object, float] = {}

    def measured(run, connection_of=lambda connection: connection):
        def statement(self, *given, **more):
            connection = connection_of(self)
            if connection in last:
                idle.append(time.thread_time() - last[connection])
            done = run(self, *given, **more)
            if connection in last:
                last[connection] = time.thread_time()
            return done

        return statement

    @contextmanager
    def begin():
        with transaction() as connection:
            last[connection] = time.thread_time()
            yield connection
            del last[connection]

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", measured(psycopg.Connection.execute))
        many = measured(psycopg.Cursor.executemany, lambda cursor: cursor.connection)
        patch.setattr(psycopg.Cursor, "executemany", many)
        patch.setattr(storage.database, "transaction", begin)
        yield idle


class TestTheAddress:
    def test_the_password_is_in_no_error(self):
        port = free_port()
        for address in (
            f"postgresql://me:secret@127.0.0.1:{port}/chat",
            "postgresql://me:secret@127.0.0.1:port/chat",
            "postgresql://me:secret@127.0.0.1/chat?nonsense=1",
        ):
            with pytest.raises((InvalidInput, StorageAway)) as caught:
                storage_at(address)
            assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("user", "host", "name", "says"),
        [
            ("stranger:hunter2", "", "", "does not accept the user or password; correct them"),
            ("guest:hunter2", "", "", "does not accept the user or password; correct them"),
            ("guest:right", "", "", "lacks a permission; grant it"),
            ("", "", "nowhere", "no database of that name .* create it"),
            ("", "nobody.invalid", "", "name of its host is unknown; correct"),
            ("", "127.0.0.1:1", "", "nothing answers at its address; start it"),
        ],
    )
    def test_what_is_wrong_is_told_with_what_to_do(self, guarded, monkeypatch, user, host, name, says):
        given = f"postgresql://{user or 'webchat'}@{host or f'127.0.0.1:{guarded.port}'}/{name or 'postgres'}"
        with pytest.raises(StorageAway, match=says) as caught:
            storage_at(given)
        assert "hunter2" not in str(caught.value)
        monkeypatch.setenv("WEBCHAT_DATABASE", given)
        told = CliRunner().invoke(main, ["doctor"])
        assert (told.exit_code, str(caught.value) in told.output) == (1, True), told.output

    def test_a_replica_is_told_with_what_to_do(self, database):
        with psycopg.connect(database, autocommit=True) as connection:
            place = connection.execute("SELECT current_database()").fetchone()[0]
            connection.execute(f"ALTER DATABASE {place} SET default_transaction_read_only = on")
        storage = storage_at(database)
        with pytest.raises(StorageAway, match="is read-only, like a replica; use the address"):
            storage.probe()
        storage.close()

    def test_while_the_tables_are_gone_it_is_told_with_what_to_do(self, database):
        manager = WebChatSessionManager(MockBackend(), database)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("ALTER SCHEMA webchat RENAME TO elsewhere")
            for ask in (manager.probe, manager.list_sessions, manager.create_session):
                with pytest.raises(OSError, match="lacks the chat's tables; restore a backup") as caught:
                    ask()
                assert isinstance(caught.value, StorageAway) or caught.value.is_away
            connection.execute("ALTER SCHEMA elsewhere RENAME TO webchat")
        manager.create_session()
        manager.close()

    def test_a_database_of_a_later_version_is_refused(self, database):
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("UPDATE webchat.schema SET version = 99")
        with pytest.raises(InvalidInput, match="later version"):
            storage_at(database)

    def test_a_backup_is_restored_as_the_documentation_says(self, database, postgres, tmp_path):
        documented = dict(re.findall(r"<!-- (backup|restore) -->\n\n    (.*)\n", DOCS))
        manager = WebChatSessionManager(MockBackend(), database)
        made = manager.create_session().session_id
        empty = f"restored_{database[-12:]}"
        execute(postgres, f"CREATE DATABASE {empty}")
        for name, address in (("backup", database), ("restore", postgres.url(empty))):
            command = ["sh", "-c", documented[name]]
            said = subprocess.run(
                command,
                env={**os.environ, "WEBCHAT_DATABASE": address},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (said.returncode, said.stderr) == (0, "")
        manager.close()
        with closing(WebChatSessionManager(MockBackend(), postgres.url(empty))) as restored:
            assert [session.session_id for session in restored.list_sessions()] == [made]
            assert restored.create_session().session_id != made

    def test_servers_that_start_at_once_make_the_tables_once(self, postgres):
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE empty")
        with ThreadPoolExecutor(4) as pool:
            for storage in pool.map(storage_at, [postgres.url("empty")] * 4):
                storage.probe()
                storage.close()

    def test_a_migration_has_no_time_limit(self, database, monkeypatch, caplog):
        monkeypatch.setattr(Database, "limits", "SET statement_timeout = '100ms'; SET lock_timeout = '100ms'")
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP FUNCTION webchat.reindex CASCADE")
            connection.execute("UPDATE webchat.schema SET version = 3")
        waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND now() - waitstart > interval '200 ms' LIMIT 1"
        with caplog.at_level("INFO", "webchat"), ThreadPoolExecutor(1) as pool:
            with psycopg.connect(database) as other, psycopg.connect(database, autocommit=True) as looks:
                other.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(b"webc"),))
                upgraded = pool.submit(storage_at, database)
                until(lambda: upgraded.done() or looks.execute(waits).rowcount)
            upgraded.result(PATIENCE).close()
        assert "another server is migrating the database" in caplog.text
        assert f"step {len(STEPS)} of {len(STEPS)}" in caplog.text

    def test_a_backup_that_reads_the_tables_is_waited_for_and_holds_up_nobody(self, database, caplog):
        steps = (*STEPS, "ALTER TABLE webchat.queues ADD COLUMN more text")
        with ThreadPoolExecutor(1) as pool, Database(database).connection(limited=False) as connection:
            with psycopg.connect(database) as backup:
                backup.execute("LOCK TABLE webchat.queues IN ACCESS SHARE MODE")
                upgraded = pool.submit(migrate, connection, steps, 0.1, 0.1)
                until(lambda: "in use" in caplog.text)
            upgraded.result(PATIENCE)
            connection.execute("SELECT more FROM webchat.queues")

    def test_another_encoding_is_refused_in_words(self, postgres):
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
        with pytest.raises(InvalidInput, match="LATIN1, which cannot"):
            storage_at(postgres.url("latin"))

    def test_a_long_session_is_imported_by_steps_and_no_transaction_stands_idle(self, database, monkeypatch):
        said = [{"role": "user", "content": f"{'word ' * 40}{number}"} for number in range(5_000)]
        data = b"".join(json.dumps(line).encode() + b"\n" for line in said)
        with closing(storage_at(database)) as storage, idle_in(storage, monkeypatch) as idle:
            storage.transcripts.put_all({"s": data, "short": data[: data.index(b"\n")], "blank": b"\n\n"})
            assert [storage.export(name) for name in ("s", "short", "blank")] == [
                data,
                data[: data.index(b"\n")],
                b"\n\n",
            ]
            assert (len(idle) > 3, max(idle) < 0.2) == (True, True), idle
            storage.sessions.insert(row("s"), 0)
            assert len(storage.search.find("word 4999", None, lambda session_id: True, 10).hits) == 1

    def test_a_transcript_without_its_last_line_feed_stays_so_until_it_grows(self, two):
        torn = b'{"role": "user", "content": "one"}\n{"role": "user", "content": "tw'
        for storage in two:
            if not storage.has("s"):
                storage.transcripts.put_all({"s": torn, "blank": b""})
            assert [storage.export(name) for name in ("s", "blank")] == [torn, b""]
        two[0].transcripts.append("s", Message("m1", "user", "three"))
        grown = two[1].export("s")
        assert (grown.startswith(torn + b"\n{"), grown.endswith(b"}\n")) == (True, True), grown

    def test_another_default_isolation_changes_nothing(self, database):
        with psycopg.connect(database, autocommit=True) as connection:
            name = connection.execute("SELECT current_database()").fetchone()[0]
            connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
        storage = storage_at(database)
        assert storage.database.one("SHOW transaction_isolation") == ("read committed",)
        storage.close()

    def test_what_an_earlier_version_has_indexed_is_found_meanwhile_and_indexed_anew(self, two, database):
        count = 25
        for number in range(count):
            two[0].sessions.insert(row(f"s{number}"), 0)
            two[0].transcripts.append(f"s{number}", Message("m1", "user", f"number{number} is done \U0001f389"))
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP TABLE webchat.reindexing")
            connection.execute(next(step for step in STEPS if "webchat.reindexing" in step))
            connection.execute("UPDATE webchat.words SET words = replace(words, '\U0001f389 ', '')")
        server = storage_at(database)
        found = server.search.find("number7", None, lambda session_id: True, count)
        assert [hit.session_id for hit in found.hits] == ["s7"]
        assert not found.complete
        until(lambda: server.search.find("\U0001f389", None, lambda session_id: True, count).complete)
        assert len(server.search.find("\U0001f389", None, lambda session_id: True, count).hits) == count
        server.close()

    def test_a_session_is_reindexed_in_short_transactions_and_anew_if_it_changes(self, two, database, monkeypatch):
        storage, count = two[0], 450
        storage.search.longest_search = PATIENCE
        storage.sessions.insert(row("s"), 0)
        said = [Message(f"m{n}", "user", f"number{n}", parent=f"m{n - 1}" if n else None) for n in range(count)]
        storage.transcripts.append("s", *said)
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("INSERT INTO webchat.reindexing VALUES ('s') ON CONFLICT DO NOTHING")
            connection.execute("UPDATE webchat.words SET words = 'old'")
        begin, written = storage.database.transaction, []

        @contextmanager
        def transaction(*told):
            with begin(*told) as connection:
                yield connection
            if threading.current_thread().name.startswith("reindexing") and not written:
                with psycopg.connect(database) as other:
                    fresh = "SELECT count(*) FROM webchat.words WHERE words <> 'old'"
                    written.append(other.execute(fresh).fetchone()[0])
                two[1].transcripts.append("s", Message("late", "user", "late", parent=said[-1].id))

        monkeypatch.setattr(storage.database, "transaction", transaction)
        until(lambda: storage.search.find("number7", None, lambda session_id: True, 1).complete)
        assert 0 < written[0] < count
        assert storage.database.one("SELECT count(*) FROM webchat.words WHERE words = 'old'") == (0,)
        assert storage.search.find("late", None, lambda session_id: True, 1).hits

    def test_a_server_that_stops_while_it_reindexes_reports_no_problem(self, two, database, monkeypatch, caplog):
        two[0].sessions.insert(row("s"), 0)
        two[0].transcripts.append("s", Message("m1", "user", "hello"))
        two[0].database.rows("INSERT INTO webchat.reindexing VALUES ('s') ON CONFLICT DO NOTHING")
        server, threads = storage_at(database), []
        begin = server.database.transaction

        def transaction(*told):
            if threading.current_thread().name.startswith("reindexing"):
                threads.append(threading.current_thread())
                server.close()
            return begin(*told)

        monkeypatch.setattr(server.database, "transaction", transaction)
        server.search.find("hello", None, lambda session_id: True, 1)
        until(lambda: threads and not threads[0].is_alive())
        assert "could not be indexed" not in caplog.text

    def test_what_an_earlier_version_still_writes_during_an_upgrade_is_indexed_anew(self, two, database):
        server = two[0]
        server.sessions.insert(row("s"), 0)
        server.transcripts.append("s", Message("m1", "user", "party \U0001f389"))
        assert server.search.find("\U0001f389", None, lambda session_id: True, 1).complete
        with psycopg.connect(database, autocommit=True) as earlier:  # whose words have no symbols
            earlier.execute("UPDATE webchat.words SET words = ' party '")
        assert not server.search.find("\U0001f389", None, lambda session_id: True, 1).complete
        until(lambda: server.search.find("\U0001f389", None, lambda session_id: True, 1).complete)
        assert server.search.find("\U0001f389", None, lambda session_id: True, 1).hits

    @pytest.mark.parametrize("mode", ["transaction", "session"])
    def test_a_pooler_is_refused_where_notifications_do_not_arrive(self, database, postgres, tmp_path, mode):
        with pooler(postgres.port, tmp_path, mode) as port:
            address = database.replace(f":{postgres.port}/", f":{port}/")
            if mode == "transaction":
                with pytest.raises(InvalidInput, match="pooler"):
                    storage_at(address)
            else:
                storage = storage_at(address)
                storage.probe()
                storage.close()


@contextmanager
def pooler(port: int, folder, mode: str):
    """PgBouncer in front of the database server; returns its port."""
    program = shutil.which("pgbouncer") or pytest.skip("PgBouncer is not installed")
    own = free_port()
    (folder / "users").write_text('"webchat" ""\n')
    (folder / "pooler.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\n"
        f"unix_socket_dir =\nauth_type = trust\nauth_file = {folder}/users\npool_mode = {mode}\n"
    )
    folder.chmod(0o755)
    for parent in folder.parents:
        if Path(tempfile.gettempdir()) in parent.parents and parent.owner() == "root":
            parent.chmod(0o755)
    running = subprocess.Popen(
        [program, "-u", "postgres", str(folder / "pooler.ini")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                psycopg.connect(f"postgresql://webchat@127.0.0.1:{own}/postgres").close()
                break
            except psycopg.OperationalError:
                assert running.poll() is None
                time.sleep(0.05)
        yield own
    finally:
        running.kill()
        running.wait()


def test_counting_what_people_have_may_take_long(database, monkeypatch):
    monkeypatch.setattr(Database, "limits", "SET statement_timeout = '100ms'; SET lock_timeout = '100ms'")
    storage = storage_at(database)
    storage.sessions.insert(row("s", owner="ada"), 0)
    waits = "SELECT FROM pg_locks WHERE NOT granted AND now() - waitstart > interval '200 ms' LIMIT 1"
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(database) as other, psycopg.connect(database, autocommit=True) as looks:
            other.execute("LOCK TABLE webchat.session_pictures")
            counted = pool.submit(storage.people)
            until(lambda: counted.done() or looks.execute(waits).rowcount)
        assert [(kept.owner, kept.sessions) for kept in counted.result(PATIENCE)] == [("ada", 1)]
    storage.close()


def test_pictures_are_counted_once_and_not_for_each_session(database):
    storage = storage_at(database)
    storage.people()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO webchat.sessions SELECT 's' || n, 'p' || n % 10, 'list', false, true, false, NULL, '', NULL, "
            "NULL, n, n, '', NULL, false, '' FROM generate_series(1, 3000) AS n"
        )
        connection.execute("INSERT INTO webchat.pictures SELECT 'k' || n, '' FROM generate_series(1, 3000) AS n")
        connection.execute(
            "INSERT INTO webchat.session_pictures SELECT 's' || n, 'k' || n, 5 FROM generate_series(1, 3000) AS n"
        )
        connection.execute("ANALYZE webchat.sessions, webchat.session_pictures")
        found = storage.people()
        assert [kept.bytes for kept in found] == [1500] * 10
        connection.execute("SELECT pg_stat_force_next_flush()")
        scans = "SELECT seq_scan + idx_scan FROM pg_stat_user_tables WHERE relname = 'session_pictures'"
        until(lambda: connection.execute(scans).fetchone()[0] > 0)
        assert connection.execute(scans).fetchone()[0] < 100
    storage.close()


def test_a_full_disk_is_noticed_by_a_probe(monkeypatch):
    with server() as running:
        disk = running.folder / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(disk)], check=False).returncode:
            pytest.skip("a disk can be mounted by root only")
        try:
            shutil.chown(disk, "postgres", "postgres")
            execute(running, f"CREATE TABLESPACE small LOCATION '{disk}'")
            execute(running, "CREATE DATABASE small TABLESPACE small")
            storage = storage_at(running.url("small"))
            monkeypatch.setenv("WEBCHAT_DATABASE", running.url("small"))
            storage.probe()
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(b"x" * 4096):
                    pass
            for _ in range(3):
                with pytest.raises(OSError, match="No space left"):
                    storage.probe()
            told = CliRunner().invoke(main, ["doctor"])
            assert (told.exit_code, "No space left" in told.output) == (1, True), told.output
            filler.unlink()
            storage.probe()
            storage.close()
            running.stop()
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


class TestAServerThatGoesAway:
    @pytest.fixture
    def own(self):
        with server() as running:
            storage = storage_at(running.url())
            yield running, storage
            storage.close()

    def test_a_restart_costs_no_word(self, own):
        running, storage = own
        storage.transcripts.append("s", Message("m1", "user", "question"))
        release = storage.leases.acquire("s")
        log = storage.replies.begin("s", HEADER)
        log.write({"d": "before"})
        running.stop("fast")
        running.start()
        log.write({"d": " and after"})
        storage.transcripts.append("s", Message("m2", "user", "another", parent="m1"))
        assert storage.replies.view("s").message(alive=True).content == "before and after"
        assert [item.content for item in storage.transcripts.read("s").messages] == ["question", "another"]
        release()

    def test_it_is_said_within_seconds_and_over_as_soon_as_it_is_back(self, own):
        running, storage = own
        storage.sessions.insert(row("s"), 0)
        running.stop("fast")
        for _ in range(3):
            with pytest.raises(StorageAway, match="cannot be reached"):
                storage.sessions.get("s")
        with pytest.raises(StorageError, match="cannot be reached"):
            storage.leases.acquire("s")
        running.start()
        end = time.monotonic() + 15
        while time.monotonic() < end:
            try:
                assert storage.sessions.get("s")
                break
            except StorageAway:
                time.sleep(0.1)
        else:
            pytest.fail("the database is back, and nobody noticed")
        storage.leases.acquire("s")()

    def test_one_that_stands_still_is_said_too(self, own):
        running, storage = own
        storage.sessions.insert(row("s"), 0)
        running.signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            with pytest.raises((StorageAway, StorageError)):
                storage.leases.acquire("s")
            assert time.monotonic() - began < 30
        finally:
            running.signal(signal.SIGCONT)
