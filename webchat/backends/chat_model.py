"""Makes a backend from a model that only answers a list of messages. Knows no model and no network."""

from __future__ import annotations

import sys
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol
from weakref import WeakValueDictionary

from webchat.backends import HistoryItem, Piece, SessionInfo, SessionOptions, project_id_of
from webchat.backends.answers import Answering, ChatAnswer, accepts, ask
from webchat.backends.pictures import GivenPicture, in_words, pictures_of
from webchat.errors import BackendUnavailable, SessionEnded, SessionUnknown
from webchat.limits import drop_oldest

MAX_SESSIONS = 200
MAX_BYTES = 32 * 2**20
"""The most bytes of all kept histories together; the most recently used one is kept whatever its size."""
NAME_IT = (
    "Write a title for this conversation: six words at most, in the language of the conversation. "
    "Answer with the title alone."
)
OPTIONS = ("model", "system_prompt", "context", "owner")
NO_OWNER = 'session_options contain "owner", so the model must take messages and owner: def f(messages, owner)'
UNANSWERED = "[This was not answered.]"
"""Put between two messages of the person in a row: many chat templates refuse the same role twice in a row, and if the
messages were joined, the model would answer both."""
ROLES = ("system", "user", "assistant")


class ChatModel(Protocol):
    """A model without memory: it gets the whole conversation and answers.

    `label` says which model it is and where; `notice` why it cannot answer and what to do, or None.
    It may have `start(report)`, `close()`, `check()` and `list_models()`, like a SessionBackend; and `named(name)`,
    which returns another model of the same server, so that people can choose one for each session. If `sees` is true,
    or None (unknown), it gets pictures: a message that has any then has `pictures`, a sequence of GivenPicture.
    """

    @property
    def label(self) -> str: ...

    @property
    def notice(self) -> str | None: ...

    def stream(self, messages: Sequence[HistoryItem]) -> Iterable[Piece]:
        """The answer to `messages`, oldest first, each with `role` and `content`; no role comes twice in a row.

        The returned iterable may have `cancel()`, which any thread may call and which ends the answer at once. Raises
        BackendUnavailable, when called or while the answer is iterated.
        """


class Nobody:
    """Takes the place of a ChatModel that cannot be created; `notice` says why, and what to do."""

    def __init__(self, label: str, notice: str, reason: str) -> None:
        """`reason` is what `check` returns: health checks show it to anybody, so it has no details."""
        self.label, self.notice, self._reason = label, notice, reason

    def check(self) -> str | None:
        return self._reason

    def stream(self, messages: Sequence[HistoryItem]) -> Iterable[Piece]:
        """Raises BackendUnavailable."""
        raise BackendUnavailable(self.notice)


@dataclass
class _Session:
    info: SessionInfo
    history: list[HistoryItem] = field(default_factory=list)
    ended: bool = False
    options: SessionOptions = SessionOptions()
    size: int = 0

    def __post_init__(self) -> None:
        self.size = sum(map(_size, self.history))

    def add(self, items: Sequence[HistoryItem]) -> None:
        self.history.extend(items)
        self.size += sum(map(_size, items))


def _size(item: HistoryItem) -> int:
    """Bytes of memory that the text of a message takes."""
    return sys.getsizeof(item.get("content"))


class ChatModelBackend:
    """A SessionBackend over a ChatModel, or over any function from messages to pieces of text.

    Keeps the histories of the most recently used sessions in memory, at most MAX_SESSIONS and `max_bytes` of them
    together; others become unknown, and are resumed when they are used again. `system_prompt` is put before all
    messages. `session_options` names the fields of SessionOptions that it uses: "model" needs a model with `named`, and
    with "owner" the model gets that as an argument of this name. With `titles` the model is also asked to name
    sessions; "auto" means unless its `is_agent` is true, since an agent's turns are expensive. `title_model` is asked
    instead, which needs a model with `named`. The caller must run only one answer at a time in a session.
    """

    def __init__(
        self,
        model: ChatModel | Answering,
        system_prompt: str = "",
        *,
        session_options: Collection[str] = (),
        titles: bool | Literal["auto"] = False,
        title_model: str = "",
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Raises TypeError for anything else, such as an agent of a framework: see `webchat.frameworks` for these.

        Raises ValueError for options that it does not know, and for "owner" if the model does not take that.
        """
        if not callable(model) and not hasattr(model, "stream"):
            raise TypeError(f"{type(model).__name__} is not a function and has no stream(): see webchat.frameworks")
        if isinstance(session_options, str):
            raise ValueError("session_options must be a list, not a string")
        unknown = {*session_options} - {*OPTIONS}
        if unknown:
            raise ValueError(f"session_options may contain {', '.join(OPTIONS)}, but not {', '.join(unknown)}")
        if "owner" in session_options and not accepts(model, owner=None):
            raise ValueError(NO_OWNER)
        self._model = model
        self._system_prompt = system_prompt
        self.session_options = frozenset(session_options)
        self.titles = bool(titles)
        self._agents_name_too = titles is True
        self._title_model = title_model
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._answers: WeakValueDictionary[str, ChatAnswer] = WeakValueDictionary()
        """Those in flight, and perhaps some that have ended, by the sessions' ids."""
        self._max_bytes = max_bytes
        self._sessions_lock = threading.Lock()

    @property
    def label(self) -> str:
        return self.label_of(SessionOptions())

    @property
    def notice(self) -> str | None:
        return getattr(self._model, "notice", None)

    def only_speaks_of(self, options: SessionOptions) -> bool:
        return bool(getattr(self._chosen(options), "only_speaks", False))

    def label_of(self, options: SessionOptions) -> str:
        model = self._chosen(options)
        return str(getattr(model, "label", None) or getattr(model, "__name__", "A model"))

    def list_models(self) -> list[str]:
        return list(self._model.list_models()) if hasattr(self._model, "list_models") else []

    def check(self) -> str | None:
        look = getattr(self._model, "check", None)
        return look() if look else None

    def start(self, report: Callable[[str, float | None], None]) -> None:
        if hasattr(self._model, "start"):
            self._model.start(report)

    def close(self) -> None:
        if hasattr(self._model, "close"):
            self._model.close()

    def create_session(self, working_dir: str = "~", description: str = "") -> SessionInfo:
        info = SessionInfo(str(uuid.uuid4()), project_id_of(working_dir), working_dir)
        with self._sessions_lock:
            self._put(_Session(info))
        return info

    def resume_session(self, session_id: str, history: Sequence[HistoryItem]) -> SessionInfo:
        with self._sessions_lock:
            known = self._sessions.get(session_id)
            info = known.info if known else SessionInfo(session_id, project_id_of("~"))
            self._put(_Session(info, list(history)))
        return info

    def configure_session(self, session_id: str, options: SessionOptions) -> None:
        """Raises SessionUnknown and SessionEnded."""
        with self._sessions_lock:
            self._live(session_id).options = options

    def sees(self, options: SessionOptions) -> bool | None:
        """The model's attribute `sees`; False if it has none."""
        sees = getattr(self._chosen(options), "sees", False)
        return sees if sees is None else bool(sees)

    def send_message(self, session_id: str, message: str, pictures: Sequence[GivenPicture] = ()) -> ChatAnswer:
        """Raises SessionUnknown and SessionEnded at once, and the model's exceptions while the answer is iterated."""
        question: HistoryItem = {"role": "user", "content": message}
        if pictures:
            question = {**question, "pictures": pictures}
        with self._sessions_lock:
            session = self._live(session_id)
            history, model = session.history, self._chosen(session.options)
            messages, known = self._messages_for(session.options, [*history, question]), self._known(session.options)

        def keep(answer: str) -> None:
            with self._sessions_lock:
                session.add([question, {"role": "assistant", "content": answer}])
                drop_oldest(self._sessions, lambda each: each.size, MAX_SESSIONS, self._max_bytes)

        answer = self._answers[session_id] = ChatAnswer(lambda: ask(model, messages, **known), keep)
        return answer

    def answer_permission(self, session_id: str, permission_id: str, option_id: str) -> None:
        """The generator that has asked this is resumed with the option's id."""
        if answer := self._answers.get(session_id):
            answer.answer(permission_id, option_id)

    def suggest_title(self, history: Sequence[HistoryItem], options: SessionOptions) -> Iterable[Piece]:
        """The model's answer to a request to name the conversation; it does not become a part of the conversation."""
        model = self._chosen(replace(options, model=self._title_model or options.model))
        if getattr(model, "is_agent", False) and not self._agents_name_too:
            return ()
        question = {"role": "user", "content": NAME_IT}
        messages = self._messages_for(options, [*history, question])
        return ChatAnswer(lambda: ask(model, messages, **self._known(options)), lambda text: None)

    def end_session(self, session_id: str) -> None:
        with self._sessions_lock:
            if session_id in self._sessions:
                self._put(_Session(self._sessions[session_id].info, ended=True))

    def get_session_info(self, session_id: str) -> SessionInfo | None:
        with self._sessions_lock:
            session = self._sessions.get(session_id)
        return session.info if session and not session.ended else None

    def _chosen(self, options: SessionOptions) -> Any:  # noqa: ANN401  (a model or a function)
        return self._model.named(options.model) if options.model else self._model  # type: ignore[union-attr]

    def _known(self, options: SessionOptions) -> dict[str, str | None]:
        """The arguments that the model gets besides the messages."""
        return {"owner": options.owner} if "owner" in self.session_options else {}

    def _messages_for(self, options: SessionOptions, history: Iterable[HistoryItem]) -> list[HistoryItem]:
        """The messages for the model, with words in place of pictures if it sees none."""
        items = list(history)
        if any(map(pictures_of, items)) and self.sees(options) is False:
            items = list(map(in_words, items))
        return conversation(self._introduction(options), items)

    def _introduction(self, options: SessionOptions) -> str:
        """The system message."""
        parts = (options.system_prompt or self._system_prompt, options.context)
        return "\n\n".join(part for part in parts if part)

    def _live(self, session_id: str) -> _Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionUnknown(session_id)
        if session.ended:
            raise SessionEnded
        self._sessions.move_to_end(session_id)
        return session

    def _put(self, session: _Session) -> None:
        """Replaces the history instead of changing it: a running answer keeps the history that it began with."""
        self._sessions[session.info.session_id] = session
        self._sessions.move_to_end(session.info.session_id)
        drop_oldest(self._sessions, lambda each: each.size, MAX_SESSIONS, self._max_bytes)


def conversation(system_prompt: str, history: Iterable[HistoryItem]) -> list[HistoryItem]:
    """The messages for the model: role, content and pictures, no empty messages, no role twice in a row.

    Between two questions in a row a message says that the first has no answer. Adjacent messages of any other role are
    joined with a blank line.
    """
    messages: list[dict[str, Any]] = []
    for item in ({"role": "system", "content": system_prompt}, *history):
        role, content = item.get("role"), item.get("content") or ""
        content = content if content.strip() else ""  # some servers refuse blanks, and gateways replace them
        if role not in ROLES or not (content or pictures_of(item)):
            continue
        if role == "user" and messages and messages[-1]["role"] == role:
            messages.append({"role": "assistant", "content": UNANSWERED})
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n\n{content}"
        else:
            messages.append({"role": role, "content": content})
        if pictures := pictures_of(item):
            messages[-1]["pictures"] = [*pictures_of(messages[-1]), *pictures]
    return list(messages)
