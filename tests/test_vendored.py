"""Vendored files match their note."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from webchat.web import resources

STATIC = resources("static")
VENDOR = STATIC / "vendor"
NOTE = (VENDOR / "README.md").read_text("utf-8")
NOTED = dict(re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", NOTE, re.MULTILINE))
OURS = {"app.css", "chat.js", "commands.js", "files.js", "icon.svg", "pages.css"}


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 of each third-party file below a folder, by its path there."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_files_of_others_are_those_that_the_note_tells():
    assert hashes(VENDOR) == NOTED


@pytest.mark.parametrize("change", ["a byte", "a file more", "a file less", "a file in a folder"])
def test_whatever_is_changed_is_noticed(tmp_path, change):
    copy = Path(shutil.copytree(VENDOR, tmp_path / "vendor"))
    file = copy / next(iter(NOTED))
    if change == "a byte":
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif change == "a file less":
        file.unlink()
    else:
        other = copy / ("deep/other.js" if change.endswith("folder") else "other.js")
        other.parent.mkdir(exist_ok=True)
        other.write_text("")
    assert hashes(copy) != NOTED


def test_beside_them_there_is_only_what_we_have_written():
    assert {path.name for path in STATIC.iterdir() if path.is_file()} == OURS
    assert [path.name for path in STATIC.iterdir() if path.is_dir()] == ["vendor"]


def test_the_note_says_where_they_are_from_and_how_to_make_them_again():
    assert re.search(r"^Source: .+ \d+\.\d+\.\d+", NOTE, re.MULTILINE)
    assert "npm pack htmx.org@" in NOTE


def test_the_pages_load_the_version_that_the_note_tells(client):
    loaded = re.findall(r"/static/vendor/([^\"?]+)", client.get("/").text)
    assert loaded == [file for file in NOTED if file.endswith(".js")]
    for file in loaded:
        version = re.search(r"-(\d+\.\d+\.\d+)\.min\.js$", file)[1]
        assert f"htmx.org {version}" in NOTE
        assert f'version="{version}"' in (VENDOR / file).read_text("utf-8")


def test_the_licence_allows_it(client):
    assert "Zero-Clause BSD" in (VENDOR / "htmx-LICENSE.txt").read_text("utf-8")
    assert client.get("/static/vendor/htmx-LICENSE.txt").status_code == 200
