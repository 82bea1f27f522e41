"""The application: settings, the chat, the settings page, and access control."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, g, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from webchat import config, reference
from webchat.addresses import is_among, is_loopback
from webchat.backends import SessionBackend
from webchat.conventions import PROMPTS_FOLDER, SERVER_DIR
from webchat.errors import InvalidInput
from webchat.fileutil import DiskFolder, NoLocks, in_the_way
from webchat.limits import MIB, Limits
from webchat.live_settings import LiveSettings
from webchat.manager import WebChatSessionManager
from webchat.memory import MemoryStore
from webchat.memory.context import memory_context
from webchat.memory.shared import SharedMemories
from webchat.models import models_folder
from webchat.models.shelf import shelf
from webchat.observer import NOBODY, Observer
from webchat.people import DisabledPeople
from webchat.programs import known
from webchat.serving import probes
from webchat.serving.health import Health
from webchat.serving.metrics import Metrics
from webchat.serving.request_log import RequestLog
from webchat.storage import storage_at
from webchat.storage.protocols import Storage
from webchat.web import create_blueprint, finish, security
from webchat.web import errors as errors_http
from webchat.web.auth import Access
from webchat.web.settings import SettingsPage
from webchat.web.sign_in import SignIn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def create_app(config_values: Mapping[str, Any] | None = None, *, backend: SessionBackend | None = None) -> Flask:
    """The chat as an application: at / the chat, at /apps/settings/ its settings.

    The mapping has Flask's own keys and those of `webchat.config`, such as AMPLIFIER_HOME and WEBCHAT_BACKEND; other
    values come from the environment, the saved settings and the defaults. `backend` replaces the one that the settings
    name, which the settings page then cannot change. The manager is `app.extensions["webchat"]`. Raises InvalidInput
    for an invalid value.
    """
    # The chat's static files are its blueprint's.
    app = Flask("webchat", static_folder=None, template_folder=None)
    app.config.update(config_values or {})
    explicit = {setting.key: app.config.get(setting.key) for setting in config.SETTINGS}
    environ = dict(os.environ)
    initial, _ = config.load(explicit, environ)
    metrics = Metrics() if initial.metrics else None
    storage = storage_at(initial.storage, metrics or NOBODY)
    live = LiveSettings(explicit, environ, storage.documents, own_backend=backend is not None)
    settings, _ = live.load()
    for name in ("MAX_CONTENT_LENGTH", "MAX_FORM_MEMORY_SIZE"):
        app.config[name] = (config_values or {}).get(name, int(settings.max_body * MIB))
    if not settings.database:
        _require_home(settings.home.expanduser())
    memory = _memory(storage, settings)
    disabled = DisabledPeople(storage.documents, storage.now)
    manager = _manager(backend or live.first_backend(), storage, live, memory, disabled, metrics or NOBODY)
    app.extensions["webchat"] = manager
    app.register_blueprint(_pages(manager, live, memory))
    app.register_blueprint(SettingsPage(live, shelf(models_folder())).blueprint(), url_prefix="/apps/settings")
    app.register_blueprint(probes.blueprint(Health(manager), metrics))
    _watch(app, metrics)
    _guard(app, settings, disabled)
    app.before_request(lambda: live.follow(manager))  # pages say who answers
    return app


def _manager(
    backend: SessionBackend,
    storage: Storage,
    live: LiveSettings,
    memory: MemoryStore,
    disabled: DisabledPeople,
    observer: Observer,
) -> WebChatSessionManager:
    settings, _ = live.load()
    manager = WebChatSessionManager(
        backend,
        storage,
        context=lambda owner: memory_context(memory, owner) if live.load()[0].memory_context else "",
        trash_days=settings.trash_days,
        limits=_limits(settings),
        observer=observer,
        chores=(memory.empty_expired, lambda: _forget_agents_sessions(settings.home, storage)),
        programs=known.programs(settings.sources, settings.home, is_shared=settings.is_shared),
        before_answer=lambda: live.follow(manager),
        disabled=disabled.all,
    )
    return manager


def _memory(storage: Storage, settings: config.Settings) -> MemoryStore:
    shared = SharedMemories.of(settings.amplifier_home)
    is_shared = not (settings.database or settings.auth_header)  # not with a database or several people
    return MemoryStore(
        storage.documents,
        clock=storage.now,
        trash_days=settings.trash_days,
        newest=storage.sessions.newest,
        shared=shared if is_shared else None,
    )


def _forget_agents_sessions(home: Path, storage: Storage) -> None:
    """Remove the records of agents' sessions whose sessions here are gone, for example after a person was removed."""
    from webchat.backends.acp.records import Records

    if not storage.sessions.is_damaged and not storage.sessions.read_only:
        Records(DiskFolder(home.expanduser()).sub(SERVER_DIR)).forget_gone(storage.sessions.lookup())


def _pages(manager: WebChatSessionManager, live: LiveSettings, memory: MemoryStore) -> Blueprint:
    settings, sources = live.load()
    return create_blueprint(
        manager,
        memory=memory,
        title=settings.title,
        theme=live.theme,
        max_streams=settings.max_streams if sources["max_streams"] != "default" else None,
        max_streams_per_client=settings.max_streams_per_client,
        owner=lambda: g.get("owner"),
        folders=settings.folders,
        shared=settings.is_shared,
        prompts=settings.home.expanduser() / PROMPTS_FOLDER,
    )


def _behind(application: WSGIApplication, settings: config.Settings) -> WSGIApplication:
    """The application behind its proxies: X-Forwarded headers of anybody else are ignored."""
    hops = settings.proxies
    behind = ProxyFix(application, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops)

    def choose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        trusted = is_among(environ.get("REMOTE_ADDR"), settings.trusted_proxies)
        return (behind if trusted else application)(environ, start_response)

    return choose


def _require_home(home: Path) -> None:
    """Raises InvalidInput if the home can be no folder, or its file system has no file locks."""
    other = in_the_way(home)
    if other:
        raise InvalidInput(
            f"{home} cannot be used: {'it' if other == home else other} is not a folder. Choose another home."
        )
    try:
        DiskFolder(home).require_locks()
    except NoLocks as error:
        raise InvalidInput(f"{home} cannot be used: its file system has no file locks. Choose another home.") from error
    except OSError:  # the folder may become writable later; until then each write reports the error
        pass


def _limits(settings: config.Settings) -> Limits:
    return Limits(
        message=settings.max_message,
        title=settings.max_title,
        sessions=settings.max_sessions,
        replies=settings.max_replies,
        replies_per_client=settings.max_replies_per_client,
        answer_time=settings.answer_time,
        free_disk=int(settings.min_free * MIB),
        messages_per_minute=settings.max_messages_per_minute,
        imports_per_minute=settings.max_imports_per_minute,
        kept=int(settings.max_kept * MIB),
    )


def _guard(app: Flask, settings: config.Settings, disabled: DisabledPeople) -> None:
    """Check host name and access before all views but probes, and handle requests that no view takes."""
    way_in = SignIn(Access(settings.token, settings.auth_header, settings.trusted_proxies), disabled)
    if settings.token:
        app.register_blueprint(way_in.blueprint())
    beyond = not is_loopback(settings.host)

    def check() -> AnyResponse | None:
        if request.endpoint in probes.PROBES:
            return None
        security.check_host(request, settings.allow_host, any_address=beyond)
        return way_in.before()

    app.before_request(check)
    # Unknown routes and hosts get responses in the same formats and with the same headers.
    app.register_error_handler(Exception, errors_http.handle)
    app.after_request(finish)
    if settings.proxies:
        app.wsgi_app = _behind(app.wsgi_app, settings)  # type: ignore[assignment, method-assign]


def _watch(app: Flask, metrics: Metrics | None) -> None:
    """Log each request, and count it if metrics are enabled."""

    def name_route() -> None:
        request.environ[reference.ROUTE] = request.endpoint or ""

    def name_person(response: AnyResponse) -> AnyResponse:
        request.environ[reference.PERSON] = g.get("owner") or ""
        return response

    app.before_request(name_route)
    app.after_request(name_person)
    logged = RequestLog(app.wsgi_app, probes.QUIET, metrics.request_ended if metrics else lambda report: None)
    app.wsgi_app = logged  # type: ignore[method-assign]
    if metrics:
        metrics.watch_streams(lambda: sum(chat.open_streams for chat in app.extensions["webchat.chats"].values()))
