"""The choices that a session's agent offers: modes, models, options. Their names come from the agent: untrusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flask import Blueprint, Response
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from webchat.backends.abilities import Controls, Select
from webchat.chat.chosen import chosen_of
from webchat.errors import BackendUnavailable, InvalidInput, NotYetChosen, WebChatError
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
    """Set the submitted choices: a field for each, named by its id, or a single one as `control` and `value`.

    All that can be set are set, also if one of them is refused.
    """
    session = manager().get_session(session_id, owner())
    now, said, refused = manager().agents.controls(session), [], []
    names = {select.id: select.name for select in now.selects}
    for select_id, value in _given(now, chosen_of(session.extra).values):
        try:
            now = manager().agents.set_control(session_id, select_id, value, owner())
        except (BackendUnavailable, InvalidInput) as error:
            refused.append((names.get(select_id, ""), error))
            continue
        said += [_sentence(select) for select in now.selects if select.id == select_id]
    if refused:
        raise _refusal(refused)
    if response := answer_without_htmx(session_id, {"session_id": session_id, **control_fields(now)}):
        return response
    saved = partial(
        "controlsSaved", "innerHTML", Markup("<span data-say>Saved. {}</span>").format(", ".join(said)) if said else ""
    )
    return fragments(pieces.controls_partial(manager().get_session(session_id, owner())), saved)


def _refusal(refused: Sequence[tuple[str, BackendUnavailable | InvalidInput]]) -> WebChatError:
    """One error for these choices, with their names. Those that are kept for the next message say so themselves."""
    errors = [error for _, error in refused]
    texts = [
        str(error) if isinstance(error, NotYetChosen) or not name else f"{name}: {error}" for name, error in refused
    ]
    kind = InvalidInput if all(isinstance(error, InvalidInput) for error in errors) else BackendUnavailable
    made = kind(" ".join(dict.fromkeys(texts)))
    made.__cause__ = next((error.__cause__ for error in errors if error.__cause__), None)
    return made


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
