"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_the_embedding_example_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"<!-- embedding -->\n```python\n(.*?)```", README, re.DOTALL)[1]
    names = {"__name__": "example"}
    exec(code, names)
    client = names["app"].test_client()
    answer = client.post("/chat/messages", data={"message": "hello"}, headers={"Accept": "text/plain"})
    assert answer.text == "You said: hello"
    assert "You said: hello" in client.get("/chat/").text
    assert (tmp_path / "chat" / "web-chat-sessions.json").exists()


def test_the_pages_that_it_links_to_exist():
    for target in re.findall(r"(?:\]\(|src(?:set)?=\")(docs/[^)#\"]+)", README):
        assert (Path(__file__).parent.parent / target).exists(), target
