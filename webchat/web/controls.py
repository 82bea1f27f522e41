"""The choices that a session's agent offers: modes, models, options. Their names come from the agent: untrusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flask import Blueprint, Response
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from webchat.backends.abilities import Controls, Select
from webchat.chat.chosen import chosen_of
from webchat.errors import NotYetChosen
from webchat.web import pieces
from webchat.web.context import manager, owner
from webchat.web.faces import answer_without_htmx, json_answer
from webchat.web.htmx import fragments, partial
from webchat.web.inputs import request_fields

NOTHING = "Choose one of the values offered here. They are known once the agent is running."


def register(blueprint: Blueprint) -> None:
    blueprint.get("/sessions/<session_id>/controls", endpoint="controls")(controls)
    blueprint.post("/sessions/<session_id>/controls", endpoint="control")(choose)


def controls(session_id: str) -> Response:
    """What can be chosen in the session now, and the commands that its agent knows, as JSON."""
    session = manager().get_session(session_id, owner())
    return json_answer({"session_id": session_id, **control_fields(manager().agents.controls(session))})


def choose(session_id: str) -> AnyResponse:
    """Set the submitted choices: a field for each, named by its id, or a single one as `control` and `value`."""
    session = manager().get_session(session_id, owner())
    now, said, late = manager().agents.controls(session), [], []
    for select_id, value in _given(now, chosen_of(session.extra).values):
        try:
            now = manager().agents.set_control(session_id, select_id, value, owner())
        except NotYetChosen as error:  # it is noted, and so must be the others
            late.append(error)
        said += [_sentence(select) for select in now.selects if select.id == select_id]
    if late:
        raise late[0]
    if response := answer_without_htmx(session_id, {"session_id": session_id, **control_fields(now)}):
        return response
    saved = partial(
        "controlsSaved", "innerHTML", Markup("<span data-say>Saved. {}</span>").format(", ".join(said)) if said else ""
    )
    return fragments(pieces.controls_partial(manager().get_session(session_id, owner())), saved)


def _sentence(select: Select) -> str:
    return f"{select.name}: {dict(select.options).get(select.value, select.value)}"


def _given(now: Controls, noted: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The submitted choices that differ from the current ones, or from those noted, perhaps by another server.

    Raises InvalidInput if none can be chosen.
    """
    fields = request_fields()
    sent = {select.id: (select, value) for select in now.selects if (value := fields.optional(select.id)) is not None}
    if not sent:
        yield fields.required("control", NOTHING), fields.required("value", NOTHING)
        return
    for select_id, (select, value) in sent.items():
        if value != select.value or value != noted.get(select_id, value):
            yield select_id, value


def control_fields(controls: Controls) -> dict[str, object]:
    """The choices, for a script."""
    selects = [
        {
            "id": select.id,
            "name": select.name,
            "value": select.value,
            "options": [{"value": value, "name": name} for value, name in select.options],
        }
        for select in controls.selects
    ]
    return {
        "controls": selects,
        "commands": [{"name": name, "description": description} for name, description in controls.commands],
    }
