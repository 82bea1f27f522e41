"""What others wrote and we ship is what its note says."""

from __future__ import annotations

import hashlib
import re

import pytest

from webchat.views import resources

VENDOR = resources("static") / "vendor"
NOTE = (VENDOR / "README.md").read_text("utf-8")
FILES = sorted(path.name for path in VENDOR.iterdir() if path.name != "README.md")


def noted(file: str) -> str:
    """The sha256 that the note gives for a file."""
    [found] = re.findall(rf"^\| `{re.escape(file)}` \|.*\| `([0-9a-f]{{64}})` \|$", NOTE, re.MULTILINE)
    return found


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_others_is_the_one_that_its_note_tells(file):
    assert hashlib.sha256((VENDOR / file).read_bytes()).hexdigest() == noted(file)


def test_the_note_tells_of_no_file_that_is_not_there():
    assert re.findall(r"^\| `([^`]+)` \|", NOTE, re.MULTILINE) == FILES


def test_the_pages_load_the_version_that_the_note_tells(client):
    loaded = re.findall(r"/static/vendor/([^\"?]+)", client.get("/").text)
    assert loaded == [file for file in FILES if file.endswith(".js")]
    for file in loaded:
        version = re.search(r"-(\d+\.\d+\.\d+)\.min\.js$", file)[1]
        assert f"htmx.org {version}" in NOTE
        assert f'version="{version}"' in (VENDOR / file).read_text("utf-8")


def test_the_licence_allows_it(client):
    assert "Zero-Clause BSD" in (VENDOR / "htmx-LICENSE.txt").read_text("utf-8")
    assert client.get("/static/vendor/htmx-LICENSE.txt").status_code == 200
