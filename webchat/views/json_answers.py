"""Answers as JSON, written in one way everywhere."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from webchat.session_store import WebChatSession


def json_answer(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False) + "\n", status, mimetype="application/json")


def session_fields(session: WebChatSession) -> dict[str, Any]:
    """What a script is told of the session that it speaks to."""
    return {
        "session_id": session.session_id,
        "project_id": session.project_id,
        "working_dir": session.working_dir,
    }
