"""The folder of a new session: chosen if the server allows it, shown, and a filter of the list."""

from __future__ import annotations

import json

import pytest

from tests.acp import agents_in, chats_in
from tests.conftest import HTMX, Page
from tests.reading import until
from webchat import config
from webchat.errors import InvalidInput
from webchat.web.new_session import NOT_YOURS
from webchat.web.session_list import SESSIONS_SHOWN

JSON = {"Accept": "application/json"}
HEADER = "X-Remote-User"
ADA = {HEADER: "ada"}


@pytest.fixture
def start(home, tmp_path):
    with agents_in(tmp_path) as agents, chats_in(home, agents) as start:
        yield start


@pytest.fixture
def app(start):
    return start()


@pytest.fixture
def places(tmp_path):
    """A root with a folder in it and links that lead out of it and back into it, and a folder beside it."""
    root, beside = tmp_path / "root", tmp_path / "root-beside"
    (root / "in").mkdir(parents=True)
    beside.mkdir()
    (root / "out").symlink_to(beside)
    (beside / "back").symlink_to(root / "in")
    return root


ROUTES = ["/sessions", "/messages", "/api/session"]


def begin(client, path, folder, headers=JSON):
    return client.post(path, data={"message": "told", "working_dir": folder}, headers=headers)


@pytest.mark.parametrize("path", ROUTES)
def test_one_person_chooses_any_folder(client, manager, path, places):
    answer = begin(client, path, str(places))
    assert answer.status_code == 200
    assert manager.active_session().working_dir == str(places)
    if path == "/messages":
        assert json.loads(answer.json["response"])["cwd"] == str(places)


@pytest.mark.parametrize("path", ROUTES)
def test_a_folder_that_is_not_there_is_refused(client, manager, path, places):
    answer = begin(client, path, str(places / "no-such"))
    assert answer.status_code == 400
    assert "There is no folder" in answer.json["error"]
    assert manager.list_sessions() == []


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("values", [{"WEBCHAT_AUTH_HEADER": HEADER}, {"WEBCHAT_TOKEN": "a-token-of-many-characters"}])
def test_where_people_share_the_chat_no_folder_is_chosen(start, path, values, places):
    app = start(**values)
    headers = JSON | ADA | {"Authorization": "Bearer a-token-of-many-characters"}
    for folder in (str(places), "/no/such"):
        answer = begin(app.test_client(), path, folder, headers)
        assert (answer.status_code, answer.json["error"]) == (400, NOT_YOURS)
    assert 'name="working_dir"' not in app.test_client().get("/", headers=headers).text
    assert begin(app.test_client(), path, "", headers).status_code == 200


@pytest.mark.parametrize("values", [{}, {"WEBCHAT_AUTH_HEADER": HEADER}])
def test_with_a_root_a_folder_below_it_is_chosen_and_no_link_leads_out(start, values, places):
    app = start(WEBCHAT_FOLDERS=str(places), **values)
    client = app.test_client()
    allowed = {".": places, "in": places / "in", "out/back": places / "in", "in/../in/": places / "in"}
    for given, found in allowed.items():
        answer = begin(client, "/api/session", f"{places}/{given}", JSON | ADA)
        assert (answer.status_code, answer.json["working_dir"]) == (200, str(found))
    told = set()
    for given in ("..", "out", "in/../..", "out/no-such", "../root-beside", "../no-such"):
        answer = begin(client, "/api/session", f"{places}/{given}", JSON | ADA)
        assert answer.status_code == 400, given
        told.add(answer.json["error"])
    assert len(told) == 1, "and nobody learns what is there"
    assert str(places) in told.pop()
    assert begin(client, "/api/session", f"{places}/no-such", JSON | ADA).status_code == 400
    assert 'name="working_dir"' in client.get("/", headers=ADA).text


def test_a_setting_has_several_roots(home):
    def loaded(value):
        return config.load({"AMPLIFIER_HOME": str(home)}, {"WEBCHAT_FOLDERS": value})[0].folders

    assert loaded("/srv/a\n\n ~/b ") == ("/srv/a", "~/b")
    with pytest.raises(InvalidInput, match="WEBCHAT_FOLDERS"):
        loaded("a/b")


def test_a_session_without_a_message_takes_another_folder_and_then_none(client, manager, places):
    session_id = begin(client, "/sessions", str(places)).json["session_id"]
    address = f"/sessions/{session_id}/messages"
    assert begin(client, address, str(places / "in")).status_code == 200
    assert manager.get_session(session_id).working_dir == str(places / "in")
    answer = begin(client, address, str(places))
    assert (answer.status_code, "Start a new session" in answer.json["error"]) == (400, True)
    assert begin(client, address, str(places / "in")).status_code == 200


def test_the_page_shows_the_folder_and_offers_it_the_next_time(client, places):
    begin(client, "/messages", str(places))
    page = Page(client.get("/"))
    assert page.soup.select_one("#badge .folder")["title"] == f"Works in {places}"
    assert "in root" in page.badge
    client.post("/sessions")
    page = Page(client.get("/"))
    assert [option["value"] for option in page.soup.select("#knownFolders option")] == [str(places)]
    assert page.soup.select_one("[name=working_dir]")["form"] == "messageForm"


@pytest.fixture
def three(client, manager, places):
    """Three sessions, two of them in the root."""
    for folder, message in ((places, "one"), (places / "in", "two"), (places, "three")):
        client.post("/messages", data={"message": message, "working_dir": str(folder)}, headers=JSON)


def test_the_list_is_narrowed_to_a_folder(client, three, places):
    rows = client.get("/sessions", query_string={"folder": str(places)}, headers=JSON).json["sessions"]
    assert [(row["description"], row["working_dir"]) for row in rows] == [("three", str(places)), ("one", str(places))]
    assert client.get("/sessions?folder=/no", headers=JSON).json["sessions"] == []
    page = Page(client.get("/sessions", query_string={"folder": str(places)}))
    assert [row.title for row in page.rows] == ["three", "one"]
    assert page.soup.select_one("a.chip")["href"] == "/sessions"
    asked = {"query_string": {"folder": str(places), "q": "said"}, "headers": JSON}
    until(lambda: client.get("/sessions", **asked).json["complete"])
    assert len(client.get("/sessions", **asked).json["hits"]) == 2


def test_the_dropdown_has_a_chip_for_the_current_folder(client, three, places):
    chip = Page(client.get("/sessions", headers=HTMX)).soup.select_one("a.chip")
    assert chip.get_text() == "Only in root"
    narrowed = Page(client.get(chip["hx-get"], headers=HTMX))
    assert [row.title for row in narrowed.rows] == ["three", "one"]
    assert narrowed.soup.select_one("#listFolder")["value"] == str(places)
    assert len(Page(client.get(narrowed.soup.select_one("a.chip")["hx-get"], headers=HTMX)).rows) == 3


def test_the_list_is_grouped_by_folder_when_asked(client, three):
    page = Page(client.get("/sessions?by=folder"))
    groups = page.soup.select("section.group")
    assert [group.select_one("h2").get_text(strip=True) for group in groups] == ["root", "in"]
    assert [row.title for row in page.rows] == ["three", "one", "two"]
    assert [row.title for row in Page(client.get(groups[1].select_one("h2 a")["href"])).rows] == ["two"]
    assert client.get("/sessions?by=x").status_code == 422


def test_a_folders_sessions_stand_together_over_all_pages(client, places):
    folders = [str(places), str(places / "in")]
    for number in range(SESSIONS_SHOWN + 2):
        begin(client, "/messages", folders[number % 2])
    first = client.get("/sessions?by=folder", headers=JSON).json
    second = client.get("/sessions?by=folder&page=1", headers=JSON).json
    assert (first["has_more"], second["has_more"]) == (True, False)
    listed = [row["working_dir"] for row in (*first["sessions"], *second["sessions"])]
    half = len(listed) // 2
    assert listed == [folders[1]] * half + [folders[0]] * half
    page = Page(client.get("/sessions?by=folder"))
    assert [heading.get_text(strip=True) for heading in page.soup.select("section.group h2")] == ["in", "root"]
    assert "by=folder" in page.soup.select_one("a.more")["href"]


def test_the_dropdown_is_grouped_and_stays_so_while_it_is_searched(client, three):
    chips = Page(client.get("/sessions", headers=HTMX)).soup.select("a.chip")
    assert [chip.get_text() for chip in chips] == ["Only in root", "By folder"]
    grouped = Page(client.get(chips[1]["hx-get"], headers=HTMX))
    assert [heading.get_text(strip=True) for heading in grouped.soup.select("section.group h2")] == ["root", "in"]
    assert grouped.soup.select_one("#listBy")["value"] == "folder"
    assert "#listBy" in Page(client.get("/")).soup.select_one("#sessionSearch")["hx-include"]
    narrowed = Page(client.get(grouped.soup.select("section.group h2 a")[1]["hx-get"], headers=HTMX))
    assert [row.title for row in narrowed.rows] == ["two"]


def test_an_import_brings_no_folder_that_could_not_be_chosen(start, places):
    app = start(WEBCHAT_FOLDERS=str(places))
    client, manager = app.test_client(), app.extensions["webchat"]
    exported = []
    for number, folder in enumerate((places / "in", places / "in")):
        client.post("/messages", data={"message": f"number {number}", "working_dir": str(folder)}, headers=JSON)
        exported.append(client.get(f"/sessions/{manager.active_session_id}/export").data)
        manager.housekeeping.delete([manager.active_session_id])
        manager.housekeeping.purge([manager.directory.page("trash")[0].session_id])
    lines = [exported[0], exported[1].replace(str(places / "in").encode(), str(places / "out").encode())]
    for file in lines:
        assert client.post("/sessions/import", data=file, headers=JSON).json["imported"]
    assert [session.working_dir for session in manager.list_sessions()] == ["~", str(places / "in")]
