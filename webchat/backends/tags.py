"""The tags in which models write reasoning, and where one of them or of a tool call may be unfinished."""

from __future__ import annotations

import re

from webchat.backends import call_marks

LONGEST_TAG = 200
_NAMES = ("think", "thinking", "thought", "thoughts", "reason", "reasoning", "seed:think")
# The tags of Mistral, Kimi, Cohere, open reasoning data sets and Gemma; most other models use the names above.
_OPENING = ("[THINK]", "◁think▷", "<|START_THINKING|>", "<|begin_of_thought|>", "<|channel>thought")
_CLOSING = ("[/THINK]", "◁/think▷", "<|END_THINKING|>", "<|end_of_thought|>", "<channel|>")
_AROUND_ANSWER = ("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|begin_of_solution|>", "<|end_of_solution|>")
_NONCE = "(?::[0-9a-f]{1,16})?"
"""Some models add one to each tag: "<think:6124c78e>"."""
IN_HEADERS = ("<|start|>", "<|channel|>", "<|constrain|>", "<|message|>")
_HARMONY = (*IN_HEADERS, "<|end|>", "<|return|>", "<|call|>")
_ANY_NAME = "|".join(_NAMES)
TAG = re.compile(
    rf"(?P<opening>(?i:<(?:{_ANY_NAME}){_NONCE}(?:\s[^<>]{{0,{LONGEST_TAG}}})?>)|{'|'.join(map(re.escape, _OPENING))})"
    rf"|(?P<closing>(?i:</(?:{_ANY_NAME}){_NONCE}\s*>)|{'|'.join(map(re.escape, _CLOSING))})"
    rf"|(?P<around>{'|'.join(map(re.escape, _AROUND_ANSWER))})"
    rf"|(?P<harmony>{'|'.join(map(re.escape, _HARMONY))})"
    rf"|(?P<call>{call_marks.MARK})"
)
BEGINS_TAG = re.compile("[<[◁]")
_ATTRIBUTES = re.compile(
    rf"<(?:{_ANY_NAME}){_NONCE}\s[^<>]{{0,{LONGEST_TAG}}}|</(?:{_ANY_NAME}){_NONCE}\s{{0,8}}|</?(?:{_ANY_NAME}):[0-9a-f]{{0,16}}"
    rf"|{call_marks.SO_FAR}",
    re.I,
)
_WHOLE = (
    *_OPENING,
    *_CLOSING,
    *_AROUND_ANSWER,
    *_HARMONY,
    *call_marks.WHOLE,
    *(f"{begin}{name}>" for name in _NAMES for begin in ("<", "</")),
)
_PREFIXES = frozenset(tag[:size].lower() for tag in _WHOLE for size in range(1, len(tag)))


def unfinished(text: str) -> int:
    """The index of a tag that may continue in the next chunk; the text's length if there is none."""
    begin = max(text.rfind(mark, -2 * LONGEST_TAG) for mark in "<[◁")
    if begin < 0:
        return len(text)
    tail = text[begin:]
    return begin if tail.lower() in _PREFIXES or _ATTRIBUTES.fullmatch(tail) else len(text)
