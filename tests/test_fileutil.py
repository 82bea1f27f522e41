"""Files that survive a crash: one contract for both folders, and faults that only a disk has."""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.memory_folder import MemoryFolder
from tests.processes import another_process, run_in_another_process, says
from tests.reading import until
from webchat.cli import main
from webchat.fileutil import DiskFolder, Folder, Locked, NoLocks, NotAFile, atomic_write, locked, quarantine
from webchat.fileutil.links import link, names_of, remove_if_empty


@pytest.fixture(params=[DiskFolder, MemoryFolder])
def folder(request, tmp_path) -> Folder:
    """An empty folder that does not exist yet."""
    return request.param(tmp_path / "not" / "there") if request.param is DiskFolder else MemoryFolder()


@pytest.fixture
def disk(tmp_path) -> DiskFolder:
    return DiskFolder(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def in_threads(count, work):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestEveryFolder:
    def test_has_nothing_at_first(self, folder):
        assert folder.names() == []
        assert folder.stamp("a") is None
        assert folder.read("a") is None
        assert folder.read("a", 5) is None
        assert not folder.is_locked("a")

    def test_looking_makes_nothing(self, folder, tmp_path):
        folder.names(), folder.stamp("a"), folder.read("a"), folder.is_locked("a"), folder.sub("b").names()
        folder.remove("a")
        folder.copy("a", "b")
        assert folder.names() == []
        assert list(tmp_path.iterdir()) == []

    def test_gives_back_what_was_put_in(self, folder):
        folder.replace("a", b"one\0\xff")
        assert folder.read("a") == b"one\0\xff"
        folder.replace("a", b"two")
        assert folder.read("a") == b"two"
        assert folder.names() == ["a"]

    def test_reads_from_an_offset_on(self, folder):
        folder.replace("a", b"0123456789")
        assert folder.read("a", 7) == b"789"
        assert folder.read("a", 2, 3) == b"234"
        assert folder.read("a", 7, 99) == b"789"
        assert folder.read("a", 0, 0) == b""
        assert folder.read("a", 10) == b""
        assert folder.read("a", 99) == b""

    def test_appends_lines_and_returns_the_files_states(self, folder):
        sizes, before = [], None
        for line in (b"one", b"", b"two"):
            appended = folder.append_line("a", line, sync=bool(line))
            assert appended.after == folder.stamp("a")
            assert appended.before == before or before is None
            sizes.append((appended.before.size, appended.after.size))
            before = appended.after
        assert sizes == [(0, 4), (4, 5), (5, 9)]
        assert folder.read("a") == b"one\n\ntwo\n"

    def test_a_torn_last_line_does_not_swallow_the_next(self, folder):
        folder.replace("a", b"one\nto")
        appended = folder.append_line("a", b"three")
        assert (appended.before.size, appended.after.size) == (6, 13)
        assert folder.read("a") == b"one\nto\nthree\n"

    def test_a_stamp_stays_while_nothing_happens(self, folder):
        folder.append_line("a", b"one")
        stamp = folder.stamp("a")
        folder.read("a"), folder.names(), folder.append_line("b", b"two")
        assert folder.stamp("a") == stamp
        assert stamp.size == 4

    def test_a_stamp_changes_with_every_change(self, folder):
        stamps = [folder.stamp("a")]
        folder.replace("a", b"one")
        stamps.append(folder.stamp("a"))
        folder.replace("a", b"two")
        stamps.append(folder.stamp("a"))
        folder.append_line("a", b"three")
        stamps.append(folder.stamp("a"))
        assert len(set(stamps)) == 4

    def test_a_stamp_tells_a_grown_file_from_a_replaced_one(self, folder):
        folder.append_line("a", b"one")
        first = folder.stamp("a").identity
        folder.append_line("a", b"two")
        assert folder.stamp("a").identity == first
        folder.replace("a", b"one\ntwo\nthree\n")
        assert folder.stamp("a").identity != first

    def test_removes_a_file(self, folder):
        folder.replace("a", b"one")
        folder.remove("a")
        folder.remove("a")
        assert folder.read("a") is None
        assert folder.stamp("a") is None
        assert folder.names() == []

    def test_copies_a_file_byte_for_byte(self, folder):
        folder.replace("a", b"\xff\0one")
        folder.copy("a", "b")
        assert folder.read("b") == folder.read("a") == b"\xff\0one"
        folder.append_line("a", b"more")
        assert folder.read("b") == b"\xff\0one"

    def test_has_folders_of_their_own_inside(self, folder):
        folder.sub("inside").replace("a", b"there")
        folder.replace("a", b"here")
        assert folder.sub("inside").read("a") == b"there"
        assert folder.sub("other").read("a") is None
        assert folder.sub("inside").names() == folder.names() == ["a"]

    def test_a_lock_has_one_holder_at_a_time(self, folder):
        release = folder.lock("a", 0)
        assert folder.is_locked("a")
        with pytest.raises(Locked):
            folder.lock("a", 0.02)
        release()
        assert not folder.is_locked("a")
        folder.lock("a", 0)()

    def test_locks_of_other_names_are_free(self, folder):
        folder.lock("a", 0)
        assert not folder.is_locked("b")
        folder.lock("b", 0)()

    def test_a_lock_can_be_given_back_from_any_thread(self, folder):
        in_threads(1, folder.lock("a", 0))
        folder.lock("a", 0)()

    def test_a_lock_is_given_back_when_its_block_fails(self, folder):
        with pytest.raises(KeyError), locked(folder, "a"):
            raise KeyError
        assert not folder.is_locked("a")

    def test_probing_a_lock_does_not_keep_it(self, folder):
        folder.lock("a", 0)()
        assert [folder.is_locked("a") for _ in range(3)] == [False] * 3
        folder.lock("a", 0)()

    def test_who_waits_for_a_lock_gets_it(self, folder):
        release = folder.lock("a", 0)
        waiting = threading.Event()
        got = threading.Event()

        def wait():
            waiting.set()
            folder.lock("a", 20)
            got.set()

        threading.Thread(target=wait, daemon=True).start()
        assert waiting.wait(30)
        assert not got.is_set()
        release()
        assert got.wait(30)

    def test_under_a_lock_threads_lose_nothing(self, folder):
        folder.replace("a", b"0")

        def count():
            for _ in range(20):
                with locked(folder, "a"):
                    folder.replace("a", b"%d" % (int(folder.read("a")) + 1))

        in_threads(4, count)
        assert folder.read("a") == b"80"

    def test_a_reader_is_never_in_a_writers_way(self, folder):
        """Readers see a consistent state and no error while a file is created, grows and is removed."""
        over = threading.Event()
        problems = []

        def look():
            while not over.is_set():
                try:
                    stamp, data = folder.stamp("a"), folder.read("a")
                    assert stamp is None or stamp.size == 3
                    assert data in (None, b"one")
                except Exception as error:
                    problems.append(error)
                    return

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            readers = [threading.Thread(target=look) for _ in range(2)]
            for reader in readers:
                reader.start()
            for _ in range(20_000 if isinstance(folder, MemoryFolder) else 50):
                folder.replace("a", b"one")
                folder.remove("a")
            over.set()
            for reader in readers:
                reader.join()
        finally:
            over.set()
            sys.setswitchinterval(interval)
        assert problems == []

    def test_a_file_that_was_not_understood_is_kept_aside_under_a_name_of_its_own(self, folder):
        assert quarantine(folder, "a") is None
        folder.replace("a", b"\xffone")
        first = quarantine(folder, "a")
        folder.replace("a", b"\xfftwo")
        second = quarantine(folder, "a")
        assert first.startswith("a.corrupt-")
        assert first != second
        assert (folder.read(first), folder.read(second)) == (b"\xffone", b"\xfftwo")


class TestOnDisk:
    @pytest.fixture(autouse=True)
    def _open_umask(self):
        before = os.umask(0)
        yield
        os.umask(before)

    def test_a_written_file_is_utf8_and_private_and_so_are_the_folders_made_for_it(self, tmp_path):
        tmp_path.chmod(0o755)
        path = tmp_path / "one" / "two" / "file.json"
        atomic_write(path, "Grüße, 世界 🌍\n")
        assert path.read_bytes() == "Grüße, 世界 🌍\n".encode()
        assert [mode(at) for at in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]
        assert mode(tmp_path) == 0o755

    def test_a_path_may_be_text(self, tmp_path):
        atomic_write(str(tmp_path / "file"), "text")
        assert (tmp_path / "file").read_text() == "text"

    def test_appended_files_and_locks_are_private_too(self, tmp_path):
        folder = DiskFolder(tmp_path / "one" / "two")
        folder.append_line("log", b"line")
        folder.lock("log", 0)()
        assert {mode(at) for at in folder.path.iterdir()} == {0o600}
        assert {mode(folder.path), mode(folder.path.parent)} == {0o700}

    def test_a_file_that_others_could_read_is_private_after_a_write(self, tmp_path):
        (tmp_path / "file").write_text("old")
        (tmp_path / "file").chmod(0o644)
        atomic_write(tmp_path / "file", "new")
        assert mode(tmp_path / "file") == 0o600

    @pytest.fixture
    def synced(self, monkeypatch, tmp_path):
        """What was synced: (inode, content of `file` at that moment)."""
        calls = []
        fsync = os.fsync

        def record(fd):
            file = tmp_path / "file"
            calls.append((os.fstat(fd).st_ino, file.read_bytes() if file.exists() else None))
            fsync(fd)

        monkeypatch.setattr(os, "fsync", record)
        return calls

    def test_a_write_is_on_the_disk_before_it_takes_the_old_ones_place_and_its_name_after(self, tmp_path, synced):
        atomic_write(tmp_path / "file", "new")
        assert synced == [((tmp_path / "file").stat().st_ino, None), (tmp_path.stat().st_ino, b"new")]

    def test_an_appended_line_is_on_the_disk_and_a_new_name_as_well(self, tmp_path, synced, disk):
        disk.append_line("file", b"one")
        file, folder = (tmp_path / "file").stat().st_ino, tmp_path.stat().st_ino
        assert synced == [(file, b"one\n"), (folder, b"one\n")]
        disk.append_line("file", b"two")
        assert synced[2:] == [(file, b"one\ntwo\n")]
        disk.append_line("file", b"three", sync=False)
        assert len(synced) == 3

    def test_a_write_that_fails_leaves_nothing_over(self, tmp_path):
        (tmp_path / "file" / "inside").mkdir(parents=True)
        with pytest.raises(OSError, match="directory"):
            atomic_write(tmp_path / "file", "text")
        assert [at.name for at in tmp_path.rglob("*")] == ["file", "inside"]

    def test_a_write_to_below_a_file_fails(self, tmp_path):
        (tmp_path / "file").write_text("text")
        with pytest.raises(OSError, match=r"File exists|Not a directory"):
            atomic_write(tmp_path / "file" / "a" / "b", "text")
        assert (tmp_path / "file").read_text() == "text"

    def test_a_write_that_cannot_be_utf8_leaves_nothing_over(self, tmp_path):
        with pytest.raises(UnicodeEncodeError):
            atomic_write(tmp_path / "file", "half an emoji: \ud83d")
        assert list(tmp_path.iterdir()) == []

    def test_a_write_for_which_there_is_no_room_leaves_the_file_as_it_was(self, tmp_path):
        atomic_write(tmp_path / "file", "old")
        said = run_in_another_process(
            """
            import resource, sys
            from webchat.fileutil import atomic_write
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
            try:
                atomic_write(sys.argv[1], "x" * 9000)
            except OSError as error:
                print(error.errno)
            """,
            tmp_path / "file",
        )
        assert int(said) == errno.EFBIG
        assert [(at.name, at.read_text()) for at in tmp_path.iterdir()] == [("file", "old")]

    def test_an_appended_line_for_which_there_is_no_room_raises_and_leaves_nothing(self, tmp_path, disk):
        disk.append_line("log", b"one")
        said = run_in_another_process(
            """
            import resource, sys
            from webchat.fileutil import DiskFolder
            resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
            try:
                DiskFolder(sys.argv[1]).append_line("log", b"x" * 50)
            except OSError:
                print("raised")
            """,
            tmp_path,
        )
        assert said == "raised\n"
        disk.append_line("log", b"two")
        assert disk.read("log") == b"one\ntwo\n"

    def test_a_link_in_a_files_place_is_refused(self, tmp_path, disk):
        (tmp_path / "elsewhere").write_text("theirs")
        for name in ("file", "file.lock"):
            (tmp_path / name).symlink_to(tmp_path / "elsewhere")
        for call in (
            lambda: disk.read("file"),
            lambda: disk.append_line("file", b"ours"),
            lambda: disk.copy("file", "copy"),
            lambda: disk.lock("file", 0),
            lambda: disk.is_locked("file"),
        ):
            with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
                call()
        assert disk.names() == ["elsewhere"]
        disk.replace("file", b"ours")
        assert (tmp_path / "elsewhere").read_text() == "theirs"

    def test_a_link_that_takes_a_folders_place_is_soon_refused(self, tmp_path, disk):
        inside, elsewhere = disk.sub("inside"), tmp_path / "elsewhere"
        inside.replace("file", b"ours")
        (tmp_path / "inside").rename(elsewhere)
        (tmp_path / "inside").symlink_to(elsewhere)

        def is_refused():
            try:
                inside.read("file")
            except NotAFile:
                return True

        until(is_refused)

    def test_a_folder_in_a_files_place_is_an_error_and_not_an_empty_file(self, tmp_path, disk):
        (tmp_path / "file").mkdir()
        for call in (lambda: disk.read("file"), lambda: disk.append_line("file", b"line")):
            with pytest.raises(IsADirectoryError):
                call()
        assert disk.names() == []

    def test_errors_leave_no_file_open(self, tmp_path, disk):
        (tmp_path / "file").mkdir()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            with pytest.raises(IsADirectoryError):
                disk.read("file")
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_a_lock_holds_across_processes_and_ends_with_its_holder(self, tmp_path, disk):
        holding = """
            import sys
            from webchat.fileutil import DiskFolder
            release = DiskFolder(sys.argv[1]).lock("a", 5)
            print("locked")
            sys.stdin.readline()
        """
        with another_process(holding, tmp_path) as process:
            assert says(process) == "locked"
            assert disk.is_locked("a")
            with pytest.raises(Locked):
                disk.lock("a", 0.02)
            process.kill()
            process.wait()
            assert not disk.is_locked("a")
            disk.lock("a", 0)()
        assert "a.lock" in disk.names()

    def test_a_lock_whose_file_is_removed_meanwhile_is_taken_on_the_new_one(self, tmp_path, disk, monkeypatch):
        disk.lock("a", 0)()
        flock, locked = fcntl.flock, []

        def removed_first(file, operation):
            if not locked:
                (tmp_path / "a.lock").unlink()
            locked.append(file)
            flock(file, operation)

        monkeypatch.setattr(fcntl, "flock", removed_first)
        release = disk.lock("a", 1)
        assert disk.is_locked("a")
        release()
        assert not disk.is_locked("a")

    def test_a_lock_that_is_forgotten_or_given_back_twice_is_free(self, disk):
        release = disk.lock("a", 0)
        release()
        again = disk.lock("a", 0)
        release()
        assert disk.is_locked("a")
        del again
        gc.collect()
        assert not disk.is_locked("a")

    def test_a_forked_process_does_not_keep_a_lock(self, disk):
        release = disk.lock("a", 0)
        ended, end = os.pipe()
        child = os.fork()
        if not child:
            os.close(end)
            os.read(ended, 1)
            os._exit(0)
        try:
            release()
            assert not disk.is_locked("a")
        finally:
            os.close(end)
            os.close(ended)
            os.waitpid(child, 0)

    def test_those_who_look_whether_a_lock_is_held_do_not_see_each_other(self, disk):
        disk.lock("a", 0)()
        seen = []
        in_threads(4, lambda: seen.extend(disk.is_locked("a") for _ in range(200)))
        assert seen.count(True) == 0


def test_a_file_system_without_locks_is_refused(tmp_path, monkeypatch):
    """At the start, by each lock, and by doctor; there is no other kind of lock."""

    def has_none(file, operation):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", has_none)
    with pytest.raises(NoLocks):
        DiskFolder(tmp_path).lock("a", 0)
    assert list(tmp_path.iterdir()) == []
    result = CliRunner().invoke(main, ["serve", "--home", str(tmp_path), "--backend", "mock", "--port", "0"])
    assert result.exit_code == 1
    assert "has no file locks" in result.output
    result = CliRunner().invoke(main, ["doctor", "--home", str(tmp_path)])
    assert result.exit_code == 1
    assert "has no file locks" in result.output


class TestLinks:
    def test_one_file_has_two_names_until_one_of_them_goes(self, disk):
        other = disk.sub("other")
        disk.replace("a", b"one")
        assert names_of(disk, "a") == 1
        assert link(disk, "a", other)
        assert link(disk, "a", other)
        assert (names_of(disk, "a"), names_of(other, "a"), other.read("a")) == (2, 2, b"one")
        disk.remove("a")
        assert (names_of(disk, "a"), names_of(other, "a"), other.read("a")) == (0, 1, b"one")

    def test_a_name_that_is_taken_or_a_file_that_is_gone_is_not_linked(self, disk):
        other = disk.sub("other")
        disk.replace("a", b"one")
        other.replace("a", b"two")
        assert not link(disk, "a", other)
        assert not link(disk, "gone", other)
        assert (other.read("a"), other.read("gone")) == (b"two", None)

    def test_where_there_are_no_links_it_is_said(self, disk, monkeypatch):
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(PermissionError()))
        disk.replace("a", b"one")
        assert not link(disk, "a", disk.sub("other"))

    def test_a_folder_is_removed_if_nothing_is_in_it(self, disk):
        other = disk.sub("other")
        other.replace("a", b"one")
        remove_if_empty(other)
        assert other.names() == ["a"]
        other.remove("a")
        for _ in range(2):
            remove_if_empty(other)
        assert not other.path.exists()
