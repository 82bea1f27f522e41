"""Text files attached to a message: stored with it, sent to the model, shown folded."""

from __future__ import annotations

import io
import json

import pytest

from tests.conftest import HTMX
from tests.reading import until

TEXT = {"Accept": "text/plain"}


def form(message, *files):
    return {"message": message, "file": [(io.BytesIO(content), name) for name, content in files]}


@pytest.fixture
def posted(client):
    """Posts a message with files as a new conversation's first; the answer's response."""

    def post(message, *files, **headers):
        data = form(message, *files)
        return client.post("/messages", data=data, content_type="multipart/form-data", headers=headers)

    return post


def test_a_file_goes_to_the_model_and_stays_with_the_message(posted, manager, home, backend, page, client):
    answer = posted("Sum it up", ("notes.txt", "línea\n".encode()), ("code.md", b"```\nx\n```"))
    assert answer.status_code == 303
    session_id = manager.active_session_id
    told = "Sum it up\n\nnotes.txt:\n\n```\nlínea\n```\n\ncode.md:\n\n````\n```\nx\n```\n````"
    until(lambda: backend.asked)
    assert backend.asked == [(session_id, told)]
    question = manager.conversation(session_id).messages[0]
    assert question.content == "Sum it up"
    record = json.loads((home / "server" / "web-chat-transcripts" / f"{session_id}.jsonl").read_text().splitlines()[0])
    assert record["files"][0] == {"name": "notes.txt", "content": "línea\n"}
    shown = page(f"/sessions/{session_id}")
    fold = shown.soup.select_one("details.file")
    assert "notes.txt" in fold.summary.get_text()
    assert client.get(fold.a["href"]).text == "línea\n"
    assert manager.get_session(session_id).description == "Sum it up"


def test_it_is_part_of_the_history_and_of_a_second_try_a_change_and_a_fork(posted, manager, backend):
    posted("Look", ("a.txt", b"alpha"))
    session_id = manager.active_session_id
    while manager.conversation(session_id).messages[-1].in_flight:
        pass
    first = manager.conversation(session_id).messages
    manager.retry(session_id, first[-1].id).wait()
    assert "alpha" in backend.asked[-1][1]
    manager.edit(session_id, first[0].id, "Reload").wait()
    assert backend.asked[-1][1].startswith("Reload\n\na.txt:")
    fork = manager.fork(session_id, manager.conversation(session_id).messages[-1].id)
    manager.send_message("and now", fork.session_id)
    assert "alpha" in backend.histories[-1][0]["content"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("picture.png", b"\x89PNG\xff\xfe", "neither a UTF-8 text file nor"),
        ("nul.txt", b"a\0b", "not a text file"),
        ("large.txt", b"x" * (1024 * 1024 + 1), "too large"),
    ],
)
def test_what_is_no_text_or_too_large_is_refused_and_the_text_kept(posted, page, manager, name, content, says):
    answer = posted("Look at this", (name, content))
    assert answer.status_code == 422
    shown = page(answer)
    assert says in shown.problem
    assert shown.field == "Look at this"
    assert manager.list_sessions() == []


def test_a_file_of_1_mib_and_ten_of_them_are_taken(posted, manager):
    files = [(f"{number}.txt", b"x" * (1024 * 1024)) for number in range(10)]
    assert posted("Many", *files).status_code == 303
    assert len(manager.conversation(manager.active_session_id).messages[0].files) == 10
    assert posted("More", *files, ("one-more.txt", b"x")).status_code == 422
    assert posted("Far more", *files, ("huge.txt", b"x" * (35 * 1024 * 1024))).status_code == 413


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\temp\\passwd", "\u202epasswd", "pass\nwd"])
def test_a_name_is_a_name_and_no_path(client, manager, name):
    files = [{"name": name, "content": "x"}]
    client.post("/messages", json={"message": "Look", "files": files}, headers={"Accept": "application/json"})
    (file,) = manager.conversation(manager.active_session_id).messages[0].files
    assert file.name in ("passwd", "pass wd")


def test_a_file_is_text_whatever_is_in_it(posted, manager, client):
    posted("Look", ("page.html", b"<script>alert(1)</script>"))
    session_id = manager.active_session_id
    message = manager.conversation(session_id).messages[0]
    address = f"/sessions/{session_id}/messages/{message.id}/files/0"
    answer = client.get(address)
    assert answer.mimetype == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(address, headers=HTMX).text == "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert client.get(address.replace("/0", "/1")).status_code == 404


def test_a_script_sends_files_as_a_form_or_as_json(posted, client):
    said = posted("Look", ("a.txt", b"alpha"), **TEXT)
    assert said.text.startswith("You said: Look")
    assert "alpha" in said.text
    files = [{"name": "b.txt", "content": "beta"}]
    answer = client.post("/messages", json={"message": "Look", "files": files}, headers={"Accept": "application/json"})
    assert "beta" in answer.json["response"]
    for wrong in ("x", [1], [{"name": 1}]):
        answer = client.post("/messages", json={"message": "x", "files": wrong}, headers={"Accept": "application/json"})
        assert answer.status_code == 400


def test_a_script_sends_a_file_of_1_mib_as_json_too(client):
    files = [{"name": "b.txt", "content": "x" * 1024 * 1024}]
    answer = client.post("/messages", json={"message": "Look", "files": files}, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.json["response"].count("x") >= 1024 * 1024
    answer = client.post("/messages", json={"message": "x" * (1024 * 1024 + 1)}, headers={"Accept": "application/json"})
    assert answer.status_code == 413
    files *= 46
    answer = client.post("/messages", json={"message": "Look", "files": files}, headers={"Accept": "application/json"})
    assert (answer.status_code, "45 MiB" in answer.json["error"]) == (413, True)


def test_a_transcript_with_damaged_files_is_read_all_the_same(manager, home, page):
    folder = home / "server" / "web-chat-transcripts"
    session_id = manager.create_session().session_id
    folder.mkdir(parents=True, exist_ok=True)
    record = {"role": "user", "content": "x", "files": [1, {"name": 3}, {"name": "a", "content": "b"}]}
    (folder / f"{session_id}.jsonl").write_text(json.dumps(record) + "\n" + json.dumps({**record, "files": "x"}) + "\n")
    assert [len(message.files) for message in manager.conversation(session_id).messages] == [1, 0]
