"""Serves a tool's whole input and output, as plain text or as a picture."""

from __future__ import annotations

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound

from webchat.chat.parts import Diff, Picture, ToolCall
from webchat.web.cards import picture
from webchat.web.context import manager, owner
from webchat.web.parts import numbered


def register(blueprint: Blueprint) -> None:
    path = "/sessions/<session_id>/messages/<message_id>/parts/<int:number>"
    blueprint.get(f"{path}/input", endpoint="part_input")(part_input)
    blueprint.get(f"{path}/output/<int:place>", endpoint="part_output")(part_output)


def part_input(session_id: str, message_id: str, number: int) -> Response:
    """A tool's input."""
    return _text(_call(session_id, message_id, number).input)


def part_output(session_id: str, message_id: str, number: int, place: int) -> Response:
    """One block of a tool's output; for a diff, the new text."""
    blocks = _call(session_id, message_id, number).output
    if place >= len(blocks):
        raise NotFound("There is no such output in this answer.")
    block = blocks[place]
    if isinstance(block, Picture):
        data = picture(block)
        if data is None:
            raise NotFound("This is not a picture of the declared type.")
        return Response(data, mimetype=block.media_type)
    return _text(block.new if isinstance(block, Diff) else block.text)


def _call(session_id: str, message_id: str, number: int) -> ToolCall:
    message = manager().conversation(session_id, owner()).find(message_id)
    part = numbered(message).get(number) if message else None
    if not isinstance(part, ToolCall):
        raise NotFound("There is no such tool call in this session.")
    return part


def _text(text: str) -> Response:
    return Response(text.encode("utf-8", "replace"), mimetype="text/plain")
