"""The models on this machine, as a part of the settings page: download, cancel, remove."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from webchat.models import EmbeddedModel
from webchat.models.shelf import OnShelf, Shelf
from webchat.web.faces import Face, json_answer, script_answer, wanted_face
from webchat.web.htmx import is_htmx
from webchat.web.templates import render_template


class ModelsSection:
    """Lists the models of a shelf; downloads, cancels and removes them."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def register(self, blueprint: Blueprint) -> None:
        blueprint.get("/models", endpoint="models")(self.list)
        blueprint.post("/models/<name>/get", endpoint="get_model")(self.get)
        blueprint.post("/models/<name>/cancel", endpoint="cancel_model")(self.cancel)
        blueprint.post("/models/<name>/remove", endpoint="remove_model")(self.remove)

    def shown(self) -> dict[str, Any]:
        """The context of the section's template."""
        return {"shelf": self._shelf.rows(), "models_folder": self._shelf.folder}

    def list(self) -> Response | str:
        if wanted_face() is Face.JSON:
            rows = [_described(row) for row in self._shelf.rows()]
            return json_answer({"folder": str(self._shelf.folder), "models": rows})
        if is_htmx():
            return render_template("webchat/_settings_models.html", **self.shown())
        return redirect(url_for(".page", _anchor="onDisk"), code=303)

    def get(self, name: str) -> Response | str:
        self._shelf.get(self._named(name))
        return self._done(name)

    def cancel(self, name: str) -> Response | str:
        self._shelf.cancel(self._named(name))
        return self._done(name)

    def remove(self, name: str) -> Response | str:
        self._shelf.remove(self._named(name))
        return self._done(name)

    def _named(self, name: str) -> EmbeddedModel:
        for model in self._shelf.models:
            if model.name == name:
                return model
        raise NotFound("There is no such model.")

    def _done(self, name: str) -> Response | str:
        """The model as it is now, or the whole section."""
        model = next(_described(row) for row in self._shelf.rows() if row.model.name == name)
        return script_answer(model) or self.list()


def _described(row: OnShelf) -> dict[str, Any]:
    return {
        "name": row.model.name,
        "title": row.model.title,
        "licence": row.model.licence,
        "bytes": row.model.bytes,
        "state": row.state,
        "progress": row.progress,
        "doing": row.doing,
        "path": str(row.path) if row.state == "here" else None,
    }
