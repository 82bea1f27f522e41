"""Files that were truncated, changed or replaced: the chat opens, shows what it can, and destroys nothing."""

from __future__ import annotations

import stat

import httpx
import pytest

from tests import damage
from tests.conftest import HTMX
from tests.reading import snapshot, until
from tests.scripted import ScriptedBackend
from webchat import create_app

PAGES = (
    "/",
    "/sessions",
    "/sessions/first",
    "/sessions/second",
    "/api/sessions",
    "/apps/settings/",
    "/sessions?q=apple",
)


@pytest.fixture
def outside(tmp_path):
    """A file that does not belong to the chat."""
    path = tmp_path / "outside" / "file"
    path.parent.mkdir()
    path.write_text(f'{{"session_id": "x", "description": "{damage.SECRET}"}}\n')
    return path


@pytest.fixture
def opened(home):
    """Opens the application on the folder's current content."""
    apps = []

    def open_it():
        app = create_app({"AMPLIFIER_HOME": str(home), "TESTING": True}, backend=ScriptedBackend())
        apps.append(app)
        return app.test_client()

    yield open_it
    for app in apps:
        app.extensions["webchat"].close()


def at_rest(home):
    """All files except derived ones, which reading may create."""
    derived = ("web-chat-search", "web-chat-activity.jsonl")
    return {path: data for path, data in regular(home).items() if not any(name in path for name in derived)}


def regular(home):
    """Each file's bytes; links and pipes are not opened."""
    paths = sorted(home.rglob("*"))
    return {str(path.relative_to(home)): path.read_bytes() for path in paths if stat.S_ISREG(path.lstat().st_mode)}


def write_everywhere(client):
    """Write to each of the files; returns the statuses of a message in a new session and in each of the two."""
    assert client.post("/sessions/first/rename", data={"title": "Apples"}).status_code in (200, 303, 404, 422, 507)
    assert client.post("/apps/settings/", data={"theme": "light"}).status_code in (200, 303, 507)
    assert client.post("/api/chat", json={"message": "remember: the door is red"}).status_code in (200, 507)
    return tuple(send(client, url) for url in ("/messages", "/sessions/first/messages", "/sessions/second/messages"))


def send(client, url):
    answer = client.post(url, data={"message": "And now?"}, headers=HTMX)
    until(lambda: not client.application.extensions["webchat"].answers_in_flight)
    return answer.status_code


@pytest.mark.parametrize("harm", damage.DAMAGES, ids=lambda harm: f"{harm.file.rpartition('/')[2]}: {harm.name}")
def test_whatever_happens_to_a_file_the_chat_opens_and_destroys_nothing(home, outside, opened, harm):
    damage.make(home)
    harm.harm(home / harm.file, outside)
    before, beyond = at_rest(home), snapshot(outside.parent)
    client = opened()

    answers = [client.get(url) for url in PAGES]
    texts = "\n".join(answer.get_data(as_text=True) for answer in answers)
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 404} if harm.opens else 507 in statuses <= {200, 404, 507}
    assert [text for text in harm.shown if text not in texts] == []
    assert damage.SECRET not in texts
    assert at_rest(home) == before  # reading never writes

    assert write_everywhere(client) == harm.sent
    if harm.kept == "copy":
        assert before[harm.file] in [data for name, data in regular(home).items() if ".corrupt-" in name]
    if harm.kept == "prefix":
        assert (home / harm.file).read_bytes().startswith(before[harm.file])
    assert snapshot(outside.parent) == beyond


@pytest.mark.parametrize(
    ("file", "url"),
    [
        (damage.REGISTRY, "/sessions"),
        (damage.TRANSCRIPT, "/sessions/first"),
        (damage.REPLY, "/sessions/second"),
        (damage.ACTIVITY, "/sessions"),
        (damage.SETTINGS, "/apps/settings/"),
        (damage.MEMORIES, "/apps/settings/"),
    ],
)
def test_a_file_cut_at_each_of_its_bytes_can_be_shown(home, opened, file, url):
    damage.make(home)
    client, path = opened(), home / file
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        answer = client.get(url)
        # A session missing from the list is not shown; of all others, the undamaged parts are.
        assert answer.status_code == 200, whole[:cut]
        for text in ("What is an apple?", "An apple is a fruit.", "A pear is", "The key is blue"):
            line = next((line for line in whole.splitlines(keepends=True) if text.encode() in line), None)
            if line and url != "/apps/settings/" and whole[:cut].endswith(line):
                assert text in answer.get_data(as_text=True)
        assert path.read_bytes() == whole[:cut]


@pytest.mark.parametrize("file", [damage.REGISTRY, damage.TRANSCRIPT, damage.REPLY, damage.MEMORIES, damage.FOLDER])
def test_what_lay_in_the_way_and_is_taken_away_leaves_no_trace(home, opened, file):
    damage.make(home)
    client, path, aside = opened(), home / file, home / "aside"
    path.rename(aside)
    path.symlink_to(aside)
    broken = [client.get(url).status_code for url in PAGES] + [send(client, "/sessions/second/messages")]
    path.unlink()
    aside.rename(path)
    assert 507 in broken or file == damage.MEMORIES
    assert [client.get(url).status_code for url in PAGES] == [200] * len(PAGES)
    assert send(client, "/sessions/second/messages") == 200
    assert "A pear is a" in client.get("/sessions/second").get_data(as_text=True)


def test_the_error_says_what_to_do(home, outside, opened):
    damage.make(home)
    damage.link(home / damage.REGISTRY, outside)
    client = opened()
    told = client.get("/api/sessions").get_json()["error"]
    assert "a file or folder has the wrong type (“webchat doctor” says where)" in told
    answer = client.post("/sessions/first/messages", data={"message": "And now?"})
    assert answer.status_code == 507
    assert ">And now?</textarea>" in answer.get_data(as_text=True)


def test_what_was_kept_aside_of_an_answer_goes_with_its_session(home, opened):
    damage.make(home)
    with (home / damage.REPLY).open("ab") as file:
        file.write(b"no record\n")
    client = opened()
    folder = home / damage.FOLDER
    assert send(client, "/sessions/second/messages") == 200
    assert [path.name for path in folder.rglob("*.corrupt-*")] != []
    manager = client.application.extensions["webchat"]
    manager.housekeeping.delete(["second"])
    manager.housekeeping.purge(["second"])
    assert list(folder.glob("second*")) == []


@pytest.mark.parametrize(
    ("file", "harm"),
    [
        (damage.REGISTRY, damage.pipe),
        (damage.REPLY, damage.pipe),
        (damage.REPLY, damage.content(b"\0")),
        (f"{damage.FOLDER}/second.lock", damage.folder),
        (damage.FOLDER, damage.file_in_a_folders_place),
        ("server", damage.link_to_folder),
        (damage.SETTINGS, damage.pipe),
    ],
    ids=lambda value: value.rpartition("/")[2] if isinstance(value, str) else value.__name__,
)
def test_a_server_starts_on_it_and_answers(home, outside, serve, file, harm):
    damage.make(home)
    harm(home / file, outside)
    server = serve("--backend", "mock")
    answer = httpx.get(f"{server.url}/")
    assert answer.status_code in (200, 507)
    assert httpx.get(f"{server.url}/apps/settings/").status_code == 200
    assert server.process.poll() is None
