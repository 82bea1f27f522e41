"""Chunks of an answer that differ in their text alone are read without decoding them, and all others are decoded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webchat.backends.openai.alike import Alike
from webchat.backends.openai.shapes import token_of

TEXTS = st.text(st.sampled_from('ab c"\\\n\t\0u006{}:,é€🎉\u2028') | st.characters(codec="utf-8"), max_size=8)
MORE = st.dictionaries(st.sampled_from(["id", "usage", "created", "content"]), st.sampled_from([0, 1, "", "a", "c"]))
CHOICES = st.dictionaries(
    st.sampled_from(["finish_reason", "index", "text"]), st.sampled_from([None, 0, "", "stop", "a"])
)


@st.composite
def chunks(draw: st.DrawFn) -> str:
    """A chunk's JSON, in one of the forms in which servers write it."""
    delta = {"content": draw(TEXTS), **draw(st.sampled_from([{}, {"role": "assistant"}, {"reasoning": "a"}]))}
    chunk = {**draw(MORE), "choices": [{**draw(CHOICES), "delta": delta}]}
    form = draw(st.sampled_from([{}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"indent": 1}]))
    return json.dumps(chunk, **form)


@given(st.lists(chunks(), max_size=8))
def test_what_is_read_without_decoding_is_what_decoding_would_have_found(sent):
    alike = Alike()
    for chunk in sent:
        token = token_of(json.loads(chunk), 0)
        assert alike.text_of(chunk) in ("", token)
        if token:
            alike.learn(chunk, token)


def chunk_of(text: str, **more: object) -> str:
    return json.dumps({"model": "m", **more, "choices": [{"index": 0, "delta": {"content": text}}]})


@pytest.mark.parametrize("text", ["token", " of", "m", "Straße", "{}", "a: b, c"])
def test_a_usual_text_is_not_decoded(text):
    alike = Alike()
    alike.learn(chunk_of("first"), "first")
    assert alike.text_of(json.dumps(json.loads(chunk_of(text)), ensure_ascii=False)) == text


@pytest.mark.parametrize(
    "chunk",
    [
        chunk_of(""),
        chunk_of('"'),
        chunk_of("\\"),
        chunk_of("two\nlines"),
        chunk_of("a", created=1),
        chunk_of("a")[:-1],
        "",
        '{"model": "m',
    ],
)
def test_all_others_are_decoded(chunk):
    alike = Alike()
    assert alike.text_of(chunk) == ""
    alike.learn(chunk_of("first"), "first")
    assert alike.text_of(chunk) == ""


def test_a_text_that_is_there_twice_teaches_nothing():
    alike = Alike()
    alike.learn(chunk_of("m"), "m")
    assert alike.text_of(chunk_of("m")) == ""
