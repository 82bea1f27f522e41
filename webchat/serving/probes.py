"""Routes for monitoring: liveness, readiness and metrics."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webchat.serving.health import Health
from webchat.serving.metrics import Metrics
from webchat.web.faces import json_answer
from webchat.web.security import mark_views

NAME = "health"
PROBES = frozenset({f"{NAME}.alive", f"{NAME}.ready"})
"""These routes accept any host name and need no sign-in: a probe uses an IP address, and nothing here is secret."""
QUIET = PROBES | {f"{NAME}.metrics"}
"""Routes that are polled every few seconds and would fill the log."""


def blueprint(health: Health, metrics: Metrics | None) -> Blueprint:
    """/healthz and /readyz, and with `metrics` /metrics."""
    watched = Blueprint(NAME, "webchat")

    @watched.get("/healthz")
    def alive() -> Response:
        return _response({"status": "ok"}, "ok", 200)

    @watched.get("/readyz")
    def ready() -> Response:
        reasons = health.reasons()
        well = not any(reasons.values())
        checks = {name: {"ok": not reason, "reason": reason} for name, reason in reasons.items()}
        lines = [f"{name}: {reason or 'ok'}" for name, reason in reasons.items()]
        status = "ready" if well else "not ready"
        return _response({"status": status, "checks": checks}, "\n".join([status, *lines]), 200 if well else 503)

    if metrics:

        @watched.get("/metrics", endpoint="metrics")
        def figures() -> Response:
            text, content_type = metrics.text()
            return Response(text, content_type=content_type)

    watched.record(mark_views)
    return watched


def _response(body: dict[str, object], text: str, status: int) -> Response:
    """The response as plain text if the request prefers it, else as JSON."""
    if request.accept_mimetypes.best_match(["application/json", "text/plain"]) == "text/plain":
        return Response(text + "\n", status, mimetype="text/plain")
    return json_answer(body, status)
