"""The chat page: shows sessions, and takes messages from its forms and from scripts."""

from __future__ import annotations

from flask import Blueprint, Response, request
from markupsafe import escape
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from webchat.chat.conversation import Conversation
from webchat.chat.message import Message
from webchat.chat.queued import QueuedMessage
from webchat.errors import InvalidInput
from webchat.memory import MemoryAnswer, answer, answered_before, unused
from webchat.replies.given_again import given_again
from webchat.replies.submission import once
from webchat.session_store import WebChatSession
from webchat.web import housekeeping, pieces
from webchat.web.api import message_fields, session_fields
from webchat.web.context import chat_of, client, manager, owner, session_link
from webchat.web.faces import Face, is_script, json_answer, script_answer, wanted_face
from webchat.web.form_answers import STARTED, chat_answer, chat_answer_with, messages_answer
from webchat.web.htmx import fragments, is_htmx
from webchat.web.inputs import allow_files, request_fields
from webchat.web.memory_commands import memory_intent
from webchat.web.new_session import agent, folder, temporary
from webchat.web.parts import waiting_fields
from webchat.web.queue import after_queueing
from webchat.web.queued import post_or_queue, post_or_wait, queue_fields, returned_fields
from webchat.web.saved_prompts import expanded
from webchat.web.streams import answering, memory_reply, reserve
from webchat.web.templates import render_template
from webchat.web.window import window_before


def register(blueprint: Blueprint) -> None:
    get, post = blueprint.get, blueprint.post
    get("/", endpoint="index")(index)
    post("/sessions", endpoint="new")(new)
    get("/sessions/<session_id>", endpoint="session")(session)
    post("/sessions/<session_id>/resume", endpoint="resume")(resume)
    post("/sessions/<session_id>/end", endpoint="end")(end)
    post("/messages", endpoint="start")(start)
    post("/sessions/<session_id>/messages", endpoint="send")(send)
    get("/sessions/<session_id>/messages/<message_id>", endpoint="source")(source)
    get("/sessions/<session_id>/messages/<message_id>/files/<int:number>", endpoint="file")(file)
    for name, view in (("retry", retry), ("continue", go_on), ("select", select), ("fork", fork)):
        post(f"/sessions/<session_id>/messages/<message_id>/{name}", endpoint=name)(view)
    post("/sessions/<session_id>/messages/<message_id>/ask", endpoint="ask")(ask)


def index() -> str:
    """The current session's chat, or the welcome."""
    return _page(manager().active_session(owner()))


def session(session_id: str) -> AnyResponse | str:
    """One session; for htmx with `before`, only messages before that one; for a script, all messages that are shown."""
    shown = manager().reader.require(session_id, owner())
    if wanted_face() is Face.JSON:
        conversation = manager().reader.conversation(session_id)
        messages = [message_fields(item) for item in conversation.messages]
        queued = {"queued": queue_fields(session_id, conversation), "returned": returned_fields(session_id)}
        said = {"waiting": waiting_fields(conversation.last), "notices": conversation.notices}
        return json_answer({**session_fields(shown), **said, "messages": messages, **queued})
    before = request.args.get("before")
    if before and is_htmx():
        return _earlier(shown, before, request.args.get("after", ""))
    at = request.args.get("at", "")
    aside = at if at and manager().reader.is_aside(session_id, at) else ""
    html = _page(shown, request.args.get("show", 0, type=int), at, aside)
    return fragments(html, push=session_link(session_id)) if is_htmx() else html


def new() -> AnyResponse:
    session = manager().new_session(owner(), working_dir=folder(), options=agent(), temporary=temporary())
    return chat_answer(session, note=STARTED, note_above=True)


def resume(session_id: str) -> AnyResponse:
    return chat_answer(manager().resume_session(session_id, owner()), note="Resumed session")


def start() -> AnyResponse:
    """The first message: a new session, and the answer on its way."""
    message = _message_field()
    if memory_intent(message):
        key = once(_key(), "start", message)
        made = manager().create_session(folder() or "~", owner=owner(), key=key, options=agent(), temporary=temporary())
        shown = manager().get_session(made.session_id, owner())
        said, *_ = _remember(shown.session_id, message)
        reply = memory_reply(said, shown.session_id, connected=True)
        return reply or chat_answer(manager().get_session(shown.session_id, owner()), note=STARTED, note_above=True)
    posted = manager().start_conversation(
        message,
        owner(),
        key=_key(),
        files=request_fields().files(),
        client=client(),
        working_dir=folder() or "~",
        options=agent(),
        temporary=temporary(),
    )
    return answering(posted) or chat_answer_with(posted, note=STARTED)


def send(session_id: str) -> AnyResponse:
    """A further message, and the answer on its way; if another answer is being written, the message is queued.

    A session's first one may bring its folder and agent.
    """
    message = _message_field(session_id)
    chosen, options = folder(), agent()
    if chosen is not None or options:
        manager().prepare_session(session_id, owner(), working_dir=chosen, options=options)
    if memory_intent(message):
        said, asked, answered = _remember(session_id, message)
        return memory_reply(said, session_id, connected=True) or messages_answer(session_id, asked, answered)
    post = post_or_wait if is_script() else post_or_queue
    posted = post(session_id, message, request_fields().files())
    if isinstance(posted, QueuedMessage):
        return after_queueing(session_id)
    return answering(posted) or messages_answer(session_id, posted.question, posted.reply, posted=posted)


def source(session_id: str, message_id: str) -> Response:
    """One message as it was written, for copying."""
    message = manager().conversation(session_id, owner()).find(message_id)
    if message is None:
        raise NotFound("There is no such message in this session.")
    return Response(message.content, mimetype="text/plain")


def file(session_id: str, message_id: str, number: int) -> Response:
    """A file that came with a message, as plain text; for htmx as HTML."""
    message = manager().conversation(session_id, owner()).find(message_id)
    if message is None or number >= len(message.files):
        raise NotFound("There is no such file in this session.")
    content = message.files[number].content
    return fragments(escape(content)) if is_htmx() else Response(content, mimetype="text/plain")


def retry(session_id: str, message_id: str) -> AnyResponse:
    reserve()
    posted = manager().retry(session_id, message_id, owner(), key=_key(), client=client())
    return answering(posted) or chat_answer_with(posted)


def go_on(session_id: str, message_id: str) -> AnyResponse:
    """Continue an interrupted answer in the same message."""
    reserve()
    posted = manager().continue_reply(session_id, message_id, owner(), key=_key(), client=client())
    return answering(posted) or chat_answer_with(posted)


def select(session_id: str, message_id: str) -> AnyResponse:
    """Show the branch with this message."""
    manager().select(session_id, message_id, owner())
    return chat_answer(manager().get_session(session_id, owner()), at=message_id)


def fork(session_id: str, message_id: str) -> AnyResponse:
    """A new session with a copy of this one's messages up to that one."""
    return chat_answer(manager().fork(session_id, message_id, owner(), key=_key()), note="Copied into a new session")


def ask(session_id: str, message_id: str) -> AnyResponse:
    """Send a message to the model that was understood as a memory command."""
    asked = manager().reader.conversation(manager().get_session(session_id, owner()).session_id).find(message_id)
    if asked is None or asked.role != "user":
        raise InvalidInput("Only a message can be asked again.")
    reserve()
    files = given_again(manager().storage.pictures, session_id, [asked])
    posted = manager().post_message(
        session_id, asked.content, owner(), files=files, key=_key(), seen=_seen(), client=client()
    )
    return answering(posted) or messages_answer(session_id, posted.question, posted.reply, posted=posted)


def end(session_id: str) -> AnyResponse:
    is_gone = manager().get_session(session_id, owner()).temporary
    manager().end_session(session_id, owner())
    if is_gone:
        return script_answer({"session_id": session_id}) or housekeeping.after_deletion([session_id])
    return chat_answer(manager().get_session(session_id, owner()), note="Ended session")


def _page(shown: WebChatSession | None, show: int = 0, at: str = "", aside: str = "") -> str:
    context = pieces.chat_context(shown, show=show, at=at) | {"aside": aside}
    if is_htmx():
        # Not with "+", which would escape the chat, a plain string.
        return "".join((render_template("webchat/_chat.html", **context), pieces.shell_partials(shown)))
    return render_template("webchat/chat.html", **context, title=pieces.page_title(shown))


def _earlier(shown: WebChatSession, before: str, after: str) -> str:
    part = window_before(manager().reader.conversation(shown.session_id).messages, before, after)
    context = pieces.window_context(part, Conversation(program=shown.program))  # none of them is the last
    return render_template("webchat/_earlier.html", session=shown, **context)


def _key() -> str | None:
    return request_fields().key()


def _seen() -> str | None:
    return request_fields().optional("seen")


def _message_field(session_id: str | None = None) -> str:
    allow_files()
    reserve()
    return expanded(request_fields().message("Write a message first."), session_id)


def _remember(session_id: str, message: str) -> tuple[MemoryAnswer, Message, Message]:
    memory, intent = chat_of().memory, memory_intent(message)
    assert memory is not None  # noqa: S101  (both were asked for by the caller)
    assert intent is not None  # noqa: S101
    is_temporary = manager().get_session(session_id, owner()).temporary
    whose, said = owner(), list[MemoryAnswer]()

    def do() -> str:
        said.append(unused(intent[0]) if is_temporary else answer(memory, *intent, whose))
        return said[0].text

    asked, answered = manager().add_exchange(session_id, message, do, "memory", whose, key=_key(), seen=_seen())
    if not said:
        is_told = unused(intent[0]) if is_temporary else answered_before(memory, *intent, answered.content, whose)
        said.append(is_told)
    return said[0], asked, answered
