"""The chat of Streamlit's tutorial over a model server; runs in a virtual environment of its own, not in ours."""

import json
import os
import urllib.request
from collections.abc import Iterator

import streamlit  # type: ignore[import-not-found,unused-ignore]


def answer(message: str) -> Iterator[str]:
    """The answer's pieces."""
    body = json.dumps({"model": "fake", "stream": True, "messages": [{"role": "user", "content": message}]})
    asked = urllib.request.Request(  # noqa: S310
        f"{os.environ['MODEL']}/v1/chat/completions", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked) as lines:  # noqa: S310
        for line in lines:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""


messages = streamlit.session_state.setdefault("messages", [])
for role, text in messages:
    with streamlit.chat_message(role):
        streamlit.markdown(text)
if said := streamlit.chat_input("Message"):
    messages.append(("user", said))
    with streamlit.chat_message("user"):
        streamlit.markdown(said)
    with streamlit.chat_message("assistant"):
        messages.append(("assistant", streamlit.write_stream(answer(said))))
