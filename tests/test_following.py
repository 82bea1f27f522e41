"""Following a conversation: from any position, in any process, a reader ends up with the stored messages."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.memory_folder import MemoryFolder
from tests.stored import Stored
from webchat.chat.conversation import Conversation, Position, change_since
from webchat.chat.message import Message
from webchat.chat.messages import Messages
from webchat.render.markdown import GrowingMarkdown
from webchat.replies.follow import Conversations, text_pieces
from webchat.storage.wakeups import Waiter, Wakeups
from webchat.web.bodies import Renderings


def message(name, revision, status="complete", content=""):
    return Message(name, "assistant", content or name, status, revision=revision)


def conversation(*messages):
    return Conversation(Messages(messages), max([message.revision for message in messages], default=0))


RUBBISH = [None, "", "5", "1.2", "1.a.b", "-1.a.0", "1.a.-1", "1.a.0\n", " 1.a.0", "1.a b.0", "1.a.0.0.0", "١.a.0"]
RUBBISH += ["1.<b>.0", "9" * 16 + ".a.0", "1." + "a" * 129 + ".0", "1.é.0", "NaN.a.0", "1..", "\0"]


class TestPosition:
    @settings(max_examples=60)
    @given(st.builds(Position, st.integers(0, 10**15 - 1), st.from_regex(r"[A-Za-z0-9_-]{0,128}", fullmatch=True)))
    def test_it_survives_being_written_down(self, position):
        assert Position.parse(str(position)) == position
        assert Position.parse(str(replace(position, count=7))) == replace(position, count=7)

    @pytest.mark.parametrize("rubbish", RUBBISH)
    def test_rubbish_is_no_position(self, rubbish):
        assert Position.parse(rubbish) is None

    @settings(max_examples=60)
    @given(st.text() | st.from_regex(r"\d*\.\w*\.\d*", fullmatch=True))
    def test_any_text_is_a_position_or_none(self, text):
        position = Position.parse(text)
        assert position is None or Position.parse(str(position)) == position


class TestChange:
    def test_who_has_everything_gets_nothing(self):
        now = conversation(message("a", 10), message("b", 20))
        assert change_since(now, now.position) is None
        assert change_since(conversation(), Position()) is None

    def test_new_messages_are_added(self):
        now = conversation(message("a", 10), message("b", 20), message("c", 30))
        change = change_since(now, Position(10, "a", 1))
        assert (change.replaced, change.current) == (False, None)
        assert [added.id for added in change.added] == ["b", "c"]

    def test_an_empty_page_gets_the_first_message(self):
        change = change_since(conversation(message("a", 10)), Position())
        assert [added.id for added in change.added] == ["a"]

    def test_the_answer_that_grows_is_the_current_one(self):
        now = conversation(message("a", 10), message("b", 0, "streaming", "so far"))
        change = change_since(now, Position(10, "b", 2))
        assert (change.current.content, change.added, change.replaced) == ("so far", (), False)

    def test_an_answer_that_ended_is_current_once_more_and_then_no_longer(self):
        now = conversation(message("a", 10), message("b", 20))
        assert change_since(now, Position(10, "b", 2)).current.id == "b"
        assert change_since(now, Position(20, "b", 2)) is None

    def test_an_answer_that_ended_and_what_came_after_it_come_at_once(self):
        now = conversation(message("a", 10), message("b", 20), message("c", 30), message("d", 0, "waiting"))
        change = change_since(now, Position(10, "b", 2))
        assert (change.current.id, [added.id for added in change.added]) == ("b", ["c", "d"])

    @pytest.mark.parametrize(
        "position",
        [Position(20, "b", 2), Position(20, "x", 1), Position(99, "a", 1), Position(5, "x"), Position(10, "a", 2)],
    )
    def test_a_page_of_another_branch_or_file_is_replaced(self, position):
        now = conversation(message("a", 10), message("c", 30))
        change = change_since(now, position)
        assert change.replaced
        assert change.conversation == now


@dataclass
class Page:
    """A reader like the page: what it shows, and its serialised position."""

    shown: list[Message]
    position: str

    @classmethod
    def opened(cls, now: Conversation) -> Page:
        return cls(list(now.messages), str(now.position))

    def look(self, now: Conversation) -> None:
        position = Position.parse(self.position)
        change = change_since(now, position)
        if change is None:
            return
        if change.replaced:
            self.shown, self.position = list(now.messages), str(now.position)
            return
        if change.current is not None:
            assert self.shown[-1].id == change.current.id
            self.shown[-1] = change.current
        self.shown += change.added
        last = self.shown[-1]
        revisions = [message.revision for message in self.shown if not message.in_flight]
        trail = Messages(self.shown).trail(len(self.shown) - 1)
        self.position = str(Position(max([position.revision, *revisions]), last.id, len(self.shown), trail))


class Chat(Stored):
    """One session while it is written; each step is possible at any time."""

    def __init__(self):
        super().__init__(MemoryFolder())
        self.conversations = Conversations(self, lambda session_id: None)
        self.release = None
        self.made = 0

    def read(self):
        return self.conversations.read("s")

    def name(self):
        self.made += 1
        return f"m{self.made}"

    def ask(self):
        self.end()
        self.settled()
        question = self.add("user")
        self.begin(question)

    def again(self):
        self.end()
        self.settled()
        questions = [message.id for message in self.read().messages if message.role == "user"]
        if questions:
            self.begin(questions[-1])

    def exchange(self):
        self.end()
        self.settled()
        self.add("user")
        self.add("assistant")

    def grow(self):
        if self.release:
            self.log.write({"d": f"piece {self.name()} "})

    def end(self):
        if self.release:
            self.log.write({"end": "complete"})
            self.log.commit(self.replies.view("s").message(alive=True), extends=False)
            self.let_go()

    def die(self):
        if self.release:
            self.let_go()

    def cut(self):
        """Somebody removes the transcript's last line."""
        lines = (self.folder.read("s.jsonl") or b"").splitlines(keepends=True)
        if lines and not self.release:
            self.folder.replace("s.jsonl", b"".join(lines[:-1]))

    def later(self):
        self.folder.append_line("s.jsonl", b'{"type": "of a later version"}')

    def add(self, role):
        last = self.read().last
        added = Message(self.name(), role, f"text of {self.made}", parent=last.id if last else None)
        self.transcripts.append("s", added)
        return added.id

    def begin(self, parent):
        self.release = self.leases.acquire("s")
        self.log = self.replies.begin("s", {"id": self.name(), "parent": parent})

    def settled(self):
        release = self.leases.acquire("s")
        self.replies.settle("s")
        release()

    def let_go(self):
        self.release()
        self.release = None


STEPS = ["ask", "again", "exchange", "grow", "grow", "end", "die", "cut", "later", "open", "look", "look"]


EDITED_WHILE_OPEN = ["ask", "again", "ask", "die", "cut", "open", "cut", "ask"]
"""Lines were removed and others written in their place: the same number of records, other messages."""


@settings(max_examples=300)
@example([(step, 0) for step in EDITED_WHILE_OPEN])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 3)), max_size=40))
def test_a_page_that_looks_now_and_then_ends_with_the_messages_that_there_are(steps):
    chat = Chat()
    pages = [Page.opened(chat.read())]
    for step, number in steps:
        if step == "open":
            pages.append(Page.opened(chat.read()))
        elif step == "look":
            pages[number % len(pages)].look(chat.read())
        else:
            getattr(chat, step)()
    now = chat.read()
    for page in pages:
        page.look(now)
        assert [(message.id, message.content, message.status) for message in page.shown] == [
            (message.id, message.content, message.status) for message in now.messages
        ]
        page.look(now)
        assert len(page.shown) == len(now.messages)


class TestPieces:
    """What the reader of one answer gets; each poll shows the next state."""

    def pieces(self, *states, stopping=None, waiter=None):
        left = list(states)
        read = lambda: left.pop(0) if left else None  # noqa: E731
        return text_pieces(read, waiter or poked(), stopping or threading.Event())

    def test_it_gets_the_text_from_its_beginning_and_each_piece_once(self):
        states = [message("a", 0, "waiting"), message("a", 0, "streaming", "one")]
        states[0] = replace(states[0], content="")
        states += [message("a", 0, "streaming", "one two"), message("a", 9, "complete", "one two three")]
        got = list(self.pieces(*states, message("never", 0)))
        assert [text for text, _ in got] == ["", "one", " two", " three"]
        assert [now.status for _, now in got] == ["waiting", "streaming", "streaming", "complete"]

    def test_it_begins_again_if_the_text_has_turned_out_to_be_reasoning(self):
        texts = ("Hm", "Hm, yes", "Lis", "Lisbon")
        got = [text for text, _ in self.pieces(*(message("a", 0, "streaming", text) for text in texts))]
        assert got == ["Hm", ", yes", "Lis", "bon"]

    def test_it_ends_where_the_answer_is_gone(self):
        assert [text for text, _ in self.pieces(message("a", 0, "streaming", "one"))] == ["one"]

    def test_it_ends_with_the_server_after_one_last_look(self):
        stopping = threading.Event()
        states = [message("a", 0, "streaming", text) for text in ("one", "one two", "one two three")]
        pieces = self.pieces(*states, stopping=stopping)
        next(pieces)
        stopping.set()
        assert [text for text, _ in pieces] == [" two"]


def poked():
    """A waiter that never waits."""

    class Always(Waiter):
        def wait(self, timeout, *, urgent=False):
            return True

    return Always()


class TestWakeups:
    def test_who_listens_is_woken_and_nobody_else(self):
        wakeups = Wakeups()
        with wakeups.listen("a") as first, wakeups.listen("a") as second, wakeups.listen("b") as other:
            wakeups.poke("a", urgent=False)
            assert first.wait(0)
            assert second.wait(0)
            assert not other.wait(0)
            assert not first.wait(0, urgent=True)

    def test_an_urgent_change_wakes_also_those_who_take_their_time(self):
        wakeups = Wakeups()
        with wakeups.listen("a") as waiter:
            wakeups.poke("a", urgent=True)
            assert waiter.wait(0, urgent=True)
            assert waiter.wait(0)
            waiter.clear()
            assert not waiter.wait(0)
            assert not waiter.wait(0, urgent=True)

    def test_who_takes_their_time_knows_afterwards_what_has_changed(self):
        wakeups = Wakeups()
        with wakeups.listen("a") as waiter:
            wakeups.poke("a", urgent=False)
            assert not waiter.wait(0.01, urgent=True)
            assert waiter.wait(0)

    def test_the_end_of_the_server_wakes_all_at_once(self):
        wakeups = Wakeups()
        with wakeups.listen("a") as first, wakeups.listen("b") as second:
            wakeups.poke_all()
            assert first.wait(0, urgent=True)
            assert second.wait(0, urgent=True)

    def test_who_has_gone_is_not_woken(self):
        wakeups = Wakeups()
        with wakeups.listen("a") as stays:
            with wakeups.listen("a") as gone:
                pass
            wakeups.poke("a", urgent=True)
            assert stays.wait(0)
            assert not gone.wait(0)
        wakeups.poke("a", urgent=True)

    def test_a_waiting_thread_is_woken(self):
        wakeups = Wakeups()
        with wakeups.listen("a") as waiter:
            threading.Thread(target=wakeups.poke, args=["a"], kwargs={"urgent": False}, daemon=True).start()
            assert waiter.wait(30)


def test_of_long_answers_in_flight_few_are_kept_rendered(monkeypatch):
    grown, grow = [], GrowingMarkdown.grow
    monkeypatch.setattr(
        GrowingMarkdown, "grow", lambda self, text, **how: (grown.append(self), grow(self, text, **how))
    )
    renderings = Renderings(kept_characters=1000)
    one, two = (Message(name, "assistant", "x" * 900, status="streaming") for name in ("one", "two"))
    for message in (one, two, two, one):
        renderings.body(message)
    assert grown[1] is grown[2]
    assert grown[3] is not grown[0], "it was dropped for the other"
    renderings.body(Message("one", "assistant", "x" * 900))
    renderings.body(one)
    assert grown[-1] is not grown[3], "it was dropped when it had ended"


def test_an_answer_that_is_being_rendered_holds_up_no_other(monkeypatch):
    begun, go_on, grow = threading.Event(), threading.Event(), GrowingMarkdown.grow

    def slowly(growing, text, **options):
        if text == "slow":
            begun.set()
            assert go_on.wait(10)
        grow(growing, text, **options)

    monkeypatch.setattr(GrowingMarkdown, "grow", slowly)
    renderings = Renderings()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(renderings.body, Message("one", "assistant", "slow", status="streaming"))
        assert begun.wait(10)
        assert "quick" in renderings.body(Message("two", "assistant", "quick", status="streaming")).tail
        assert "quick" in renderings.since("two", "quick", 0).tail
        go_on.set()
        assert "slow" in slow.result(10).tail


def test_a_stream_that_the_garbage_collector_closes_while_readers_are_woken_holds_nobody_up():
    wakeups = Wakeups()
    abandoned, kept = wakeups.listen("s"), wakeups.listen("s")
    gone = weakref.ref(abandoned.__enter__())

    class CollectsAtTheWorstMoment(str):
        """A session's name that is looked up while the readers are locked."""

        def __hash__(self):
            if not collected:
                collected.append(True)
                abandoned.__exit__(None, None, None)
            return super().__hash__()

    collected = []
    with kept as waiter:
        name = CollectsAtTheWorstMoment("s")
        thread = threading.Thread(target=wakeups.poke, args=[name], kwargs={"urgent": False}, daemon=True)
        thread.start()
        thread.join(5)
        assert not thread.is_alive()
        assert collected
        assert waiter.wait(0)
        wakeups.poke("s", urgent=False)
        gc.collect()
        assert gone() is None, "it is forgotten at the next poke at the latest"
