"""Importing sessions from files, with progress and a way to cancel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from webchat.archive import Report
from webchat.archive.beside import Together
from webchat.archive.bounds import Watch
from webchat.archive.brought import Moved
from webchat.errors import InvalidInput, storing
from webchat.web.context import chat_of, client, has_gone, link, manager, owner
from webchat.web.faces import script_answer
from webchat.web.htmx import is_htmx
from webchat.web.inputs import LARGEST_IMPORT
from webchat.web.new_session import may_work_in
from webchat.web.running_imports import BOUNDS
from webchat.web.templates import render_template

_TOLD = ("imported", "grown", "in_trash", "known", "empty", "missing", "problems")
_KEY = re.compile(r"[0-9a-f]{16}")


def register(blueprint: Blueprint) -> None:
    blueprint.post("/sessions/import", endpoint="import")(bring_in)
    blueprint.get("/sessions/import/<key>", endpoint="import_progress")(progress)
    blueprint.post("/sessions/import/<key>/cancel", endpoint="cancel_import")(cancel)


def bring_in() -> Response | str:
    """Import the files of a form, or the body of a request."""
    imports, key = chat_of().imports, request.args.get("key", "")
    give_back = imports.places.take(client())
    watch = imports.begin(owner(), key) if _KEY.fullmatch(key) else Watch(BOUNDS)
    watch.has_gone = has_gone()
    try:
        report = _bring_in(watch)
    finally:
        watch.is_over = True
        give_back()
    fields = {name: getattr(report, name) for name in _TOLD} | asdict(report.moved or Moved())
    if response := script_answer(fields):
        return response
    page = "webchat/_import.html" if is_htmx() else "webchat/imported.html"
    return render_template(page, report=report)


def _bring_in(watch: Watch) -> Report:
    request.max_content_length = LARGEST_IMPORT
    with storing("The upload could not be saved"):  # spooled to a temporary file
        files = [(file.filename, file.stream) for file in request.files.getlist("file") if file.filename]
    if not files and request.mimetype != "multipart/form-data" and request.content_length:
        files = [("", request.stream)]
    if not files:
        raise InvalidInput("Choose a file first.")
    watch.files = len(files)
    with manager().allowance.one("imports", owner()):
        return _taken_in(files, watch)


def _taken_in(files: Sequence[tuple[str, IO[bytes]]], watch: Watch) -> Report:
    from webchat.archive.others import UnknownKind
    from webchat.people.moving import Mover

    report, together, only_pictures = Report(), Together([file for _, file in files]), 0
    mover = Mover(manager(), chat_of().memory, owner(), may_work_in)
    for name, file in files:
        watch.file_name = name
        with storing("The import could not continue"):
            of_file = mover.bring_in(file, watch, together)
        report.add(of_file, name if len(files) > 1 else "")
        only_pictures += of_file.is_only_pictures
        if report.stopped:
            break
    if only_pictures == len(files):
        report.problem(str(UnknownKind(has_pictures=True)))
    return report


def progress(key: str) -> str:
    """An import's progress as a line for the page, which polls as long as the import runs.

    The page says if its request has arrived: a server that does not know the import has been restarted.
    """
    is_lost = "sent" in request.args and not chat_of().imports.is_known(owner(), key)
    return render_template("webchat/_import_progress.html", watch=None if is_lost else _watch(key), key=key)


def cancel(key: str) -> BaseResponse:
    """Cancel an import. Sessions that were already imported stay."""
    _watch(key).cancel()
    if answer := script_answer({"cancelled": True}):
        return answer
    return Response(status=204) if is_htmx() else redirect(link("sessions"), 303)


def _watch(key: str) -> Watch:
    if not _KEY.fullmatch(key):
        raise InvalidInput("There is no such import.")
    return chat_of().imports.of(owner(), key)
