"""Two servers on one PostgreSQL: an answer on one is seen, stopped and continued on the other, whatever dies."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

import httpx
import pytest

from tests.acp import agents_in
from tests.conftest import HTMX, Server
from tests.database import database_in, replica_of, server
from tests.nginx import block
from tests.nginx import nginx as nginx
from tests.reading import until
from tests.scripted_server import SILENCE, Answer, ScriptedServer, says
from tests.two_servers import JSON, LivePage, Network, Paced, Servers, begin, is_answered, messages, send

TOKEN = "a-token-of-many-characters"

pytest.importorskip("psycopg", reason="psycopg is not installed (webchat[postgres])")


@dataclass
class Pair:
    """Two servers, A and B, of one model."""

    model: ScriptedServer
    servers: Servers
    a: Server
    b: Server

    @contextmanager
    def page_on_a(self, session: str) -> Iterator[LivePage]:
        page = LivePage(self.a.url, session)
        try:
            yield page
        finally:
            page.close()

    def session(self) -> str:
        """The path of a session with one question and its answer."""
        session = begin(self.a.url)
        until(lambda: is_answered(self.a.url, session))
        return session

    def answers_on_b(self, answer: Answer, session: str) -> None:
        """Send a question to B; returns once its answer has begun."""
        self.model.script(answer)
        assert send(self.b.url, session, "Go on").status_code == 200


@contextmanager
def two_servers(preloaded, folder, database: str) -> Iterator[Pair]:
    with ScriptedServer() as model:
        options = ("--backend", "openai", "--base-url", model.url, "--model", "m", "--grace", "2")
        servers = Servers(preloaded, folder, database, *options)
        try:
            yield Pair(model, servers, servers.start("a"), servers.start("b"))
        finally:
            servers.close()


@pytest.fixture(scope="module")
def shared(preloaded, postgres, tmp_path_factory) -> Iterator[Pair]:
    """For tests that leave both servers intact."""
    with two_servers(preloaded, tmp_path_factory.mktemp("shared"), database_in(postgres)) as pair:
        yield pair


@pytest.fixture
def pair(preloaded, database, tmp_path) -> Iterator[Pair]:
    with two_servers(preloaded, tmp_path, database) as pair:
        yield pair


@pytest.fixture
def lateness(pytestconfig) -> float:
    return float(pytestconfig.getoption("lateness"))


@pytest.fixture
def outage(pytestconfig) -> float:
    return float(pytestconfig.getoption("outage"))


class TestTogether:
    def test_a_page_of_one_is_live_while_the_other_answers(self, shared, lateness):
        session, paced = shared.session(), Paced(100)
        with shared.page_on_a(session) as page:
            shared.answers_on_b(paced.answer(), session)
            until(lambda: page.status == "complete" and len(page.words) == 100, patience=30)
            arrivals = page.arrivals()
            late = [arrivals[word] - paced.sent[word] for word in paced.words]
            assert page.breaks == 0
            assert page.never_showed_but(paced.words)
        assert statistics.quantiles(late, n=20)[-1] < lateness + 0.05  # two updates, and a notification between them

    def test_an_answer_is_stopped_from_the_other(self, shared, lateness):
        session = shared.session()
        with shared.page_on_a(session) as page:
            shared.answers_on_b(Answer(["one ", "two ", SILENCE]), session)
            until(lambda: page.words == ["one", "two"])
            began = time.monotonic()
            assert httpx.post(f"{shared.a.url}{session}/stop", headers=JSON).status_code == 200
            until(lambda: page.status == "stopped")
            took = time.monotonic() - began
        assert shared.model.requests[-1].wait_until_gone()
        assert took < lateness + 0.25  # until the writer looks for requests
        assert [item["status"] for item in messages(shared.b.url, session)][-1] == "stopped"

    def test_writers_in_one_session_wait_for_each_other(self, shared):
        session, sent = shared.session(), {}
        shared.model.script(says(*"a b c d".split(), delay=0.1))

        def write(number: int) -> None:
            time.sleep(random.uniform(0, 1))  # the time of a message, for which there is no event to wait
            url = (shared.a.url, shared.b.url)[number % 2]
            began = time.monotonic()
            fields = {"message": f"message {number}", "key": f"key-{number}"}
            until(lambda: is_taken(send(url, session, **fields)))
            sent[f"message {number}"] = began, time.monotonic()

        with ThreadPoolExecutor(20) as pool:
            assert list(pool.map(write, range(20))) == [None] * 20
        until(lambda: len(messages(shared.a.url, session)) == 42 and is_answered(shared.b.url, session), patience=40)
        roles = [item["role"] for item in messages(shared.a.url, session)]
        said = [item["content"] for item in messages(shared.b.url, session) if item["role"] == "user"][1:]
        assert roles == ["user", "assistant"] * 21
        assert sorted(said) == sorted(sent)
        for place, text in enumerate(said):
            later = said[place + 1 :]
            assert all(sent[text][0] < sent[other][1] for other in later), "acknowledged before that one was sent"

    def test_many_people_at_once_are_answered_once_each(self, shared, pytestconfig):
        people = pytestconfig.getoption("people")

        def ask(number: int) -> str:
            url = (shared.a.url, shared.b.url)[number % 2]
            fields = {"message": f"flood {number}", "key": f"flood-{number}"}
            answer = httpx.post(f"{url}/messages", data=fields, headers=JSON, timeout=60)
            assert answer.status_code == 200, answer.text
            return str(answer.json()["session_id"])

        with ThreadPoolExecutor(40) as pool:
            sessions = list(pool.map(ask, range(people)))
        assert len(set(sessions)) == people
        for number, session_id in enumerate(sessions):
            url = (shared.b.url, shared.a.url)[number % 2]
            said = [(item["role"], item["content"]) for item in messages(url, f"/sessions/{session_id}")]
            assert said == [("user", f"flood {number}"), ("assistant", "Hello there.")]


def test_an_agents_question_is_answered_from_the_other(preloaded, database, tmp_path, lateness):
    with agents_in(tmp_path) as agents, ExitStack() as stack:
        command = shlex.join(agents.command())
        servers = Servers(preloaded, tmp_path, database, "--backend", "acp", "--agent", command)
        stack.callback(servers.close)
        a, b = servers.start("a"), servers.start("b")
        session = begin(b.url, "ask")
        page = LivePage(a.url, session)
        stack.callback(page.close)
        until(lambda: page.soup.select("form.question button"))
        asked = httpx.get(f"{a.url}{session}/waiting", headers=JSON).json()["waiting"]
        began = time.monotonic()
        answer = httpx.post(f"{a.url}{session}/permissions/{asked['id']}", data={"option": "yes"}, headers=JSON)
        assert answer.status_code == 200, answer.text
        until(lambda: not page.soup.select("form.question button"))
        took = time.monotonic() - began
        until(lambda: is_answered(b.url, session))
        parts = messages(b.url, session)[-1]["parts"]
        assert [(part["status"], part["choice"]) for part in parts if part["type"] == "permission"] == [
            ("answered", "yes")
        ]
        assert took < lateness + 0.25


def test_an_agent_knows_what_was_said_and_chosen_on_the_other(preloaded, database, tmp_path):
    with agents_in(tmp_path) as agents, ExitStack() as stack:
        command = shlex.join(agents.command("--modes"))
        servers = Servers(preloaded, tmp_path, database, "--backend", "acp", "--agent", command)
        stack.callback(servers.close)
        a, b = servers.start("a").url, servers.start("b").url
        session = begin(a, "one")
        until(lambda: is_answered(a, session))

        def asks(url: str, text: str) -> str:
            answer = httpx.post(f"{url}{session}/messages", data={"message": text}, headers={"Accept": "text/plain"})
            return answer.text.strip()

        for text, url in (("two", b), ("three", a), ("four", a), ("five", b)):
            asks(url, text)
        heard = [message["content"] for message in agents.seen() if message["role"] == "user"]
        assert heard == ["one", "two", "three", "four", "five"]

        for here, there, mode in ((a, b, "plan"), (b, a, "ask")):
            page = LivePage(there, session)
            stack.callback(page.close)
            assert mode_on(page) != mode
            chosen = httpx.post(f"{here}{session}/controls", data={"mode": mode}, headers=JSON)
            assert chosen.status_code == 200, chosen.text
            until(lambda page=page, mode=mode: mode_on(page) == mode)
            assert httpx.get(f"{there}{session}/controls").json()["controls"][0]["value"] == mode
            assert json.loads(asks(there, "told"))["choices"]["mode"] == mode


def mode_on(page: LivePage) -> str:
    """The agent's mode that an open page shows."""
    return str(page.soup.select_one("select[name=mode] [selected]")["value"])


class TestOneDies:
    @pytest.fixture(autouse=True)
    def _soon(self, lateness) -> None:
        self.soon = 9.75 + lateness
        """Seconds within which an answer is marked."""

    def interrupted(self, pair: Pair, session: str, page: LivePage, paced: Paced, end: Callable[[], None]) -> float:
        """End B in mid-answer, by `end`; returns the time. The page on A then shows the answer as interrupted."""
        pair.answers_on_b(paced.answer(), session)
        until(lambda: len(page.words) > 20 and page.words[0] == "word-0")
        end()
        moment = time.monotonic()
        until(lambda: page.status == "interrupted", patience=30)
        assert time.monotonic() - moment < self.soon
        assert page.never_showed_but(paced.words)
        return moment

    def test_what_it_had_said_is_kept_and_continued_elsewhere(self, pair, lateness):
        session, paced = pair.session(), Paced()
        with pair.page_on_a(session) as page:
            moment = self.interrupted(pair, session, page, paced, pair.b.kill)
            said_by_then = [word for word in paced.words if paced.sent.get(word, moment) < moment - lateness]
            left = messages(pair.a.url, session)[-1]
            words = left["content"].split()
            assert words == paced.words[: len(words)]
            assert words[: len(said_by_then)] == said_by_then
            pair.model.script(says("and more."))
            more = httpx.post(f"{pair.a.url}{session}/messages/{left['id']}/continue", headers=JSON)
            assert more.status_code == 200, more.text
            until(lambda: page.status == "complete")
            assert page.words == [*words, "and", "more."]
            before = messages(pair.a.url, session)
            pair.b = pair.servers.start("b")
            assert messages(pair.b.url, session) == before
            assert send(pair.b.url, session, "Are you back?").status_code == 200
            until(lambda: len(page.now) == 6 and page.status == "complete")
            assert messages(pair.a.url, session)[:4] == before

    def test_one_that_stood_still_writes_nothing_late(self, pair):
        session, paced = pair.session(), Paced(600)
        with pair.page_on_a(session) as page:
            stopped = self.interrupted(pair, session, page, paced, lambda: os.kill(pair.b.process.pid, signal.SIGSTOP))
            before = messages(pair.a.url, session)
            until(lambda: time.monotonic() > stopped + 12, patience=40)
            os.kill(pair.b.process.pid, signal.SIGCONT)
            until(lambda: any("dropping the reply" in line for line in pair.b.errors))
            assert messages(pair.a.url, session) == before
            assert messages(pair.b.url, session) == before
            pair.model.script(says("I am well."))
            assert send(pair.b.url, session, "Are you well?").status_code == 200
            until(lambda: page.status == "complete" and page.words == ["I", "am", "well."])
            assert messages(pair.a.url, session)[:4] == before


class TestTheDatabaseDies:
    @pytest.fixture
    def cluster(self):
        with server() as cluster:
            yield cluster

    @pytest.fixture
    def pair(self, cluster, preloaded, tmp_path) -> Iterator[Pair]:
        with two_servers(preloaded, tmp_path, cluster.url()) as pair:
            yield pair

    def test_restarted_in_mid_answer(self, cluster, pair):
        session, paced = pair.session(), Paced()
        with pair.page_on_a(session) as page:
            pair.answers_on_b(paced.answer(), session)
            until(lambda: len(page.words) > 20 and page.words[0] == "word-0")
            cluster.stop("fast")
            cluster.start()
            until(lambda: page.is_live and page.status in ("complete", "interrupted"), patience=30)
            assert page.never_showed_but(paced.words)
            self.check_the_end(pair, session, page, paced)

    def check_the_end(self, pair: Pair, session: str, page: LivePage, paced: Paced) -> None:
        """The question is kept, the answer complete or marked, what was shown is there, and everything continues."""
        for url in (pair.a.url, pair.b.url):
            told = messages(url, session)
            assert [item["content"] for item in told if item["role"] == "user"] == ["hello", "Go on"]
            words = told[-1]["content"].split()
            assert words == paced.words[: len(words)]
            assert len(words) >= max(len(words) for _, words in page.seen)
            assert told[-1]["status"] == "interrupted" or len(words) == paced.count
        pair.model.script(says("All is well."))
        until(lambda: send(pair.b.url, session, "Is all well?", key="k").status_code == 200)
        until(lambda: page.is_live and page.words == ["All", "is", "well."] and page.status == "complete")
        assert [item["content"] for item in messages(pair.a.url, session)][4:] == ["Is all well?", "All is well."]

    @pytest.mark.parametrize("frozen", [False, True])
    def test_gone_for_a_while(self, cluster, pair, outage, lateness, frozen):
        session, paced = pair.session(), Paced(int(outage / 0.03))
        with pair.page_on_a(session) as page:
            pair.answers_on_b(paced.answer(), session)
            until(lambda: len(page.words) > 20 and page.words[0] == "word-0")
            cluster.signal(signal.SIGSTOP) if frozen else cluster.stop()
            began = time.monotonic()
            for url in (pair.a.url, pair.b.url):
                draft = {"message": "kept in the field", "key": url}
                asked = time.monotonic()
                refused = httpx.post(f"{url}{session}/messages", data=draft)
                assert time.monotonic() - asked < 30
                assert (refused.status_code, "kept in the field" in refused.text) == (503, True)
                assert "database" in refused.text
                until(lambda url=url: httpx.get(f"{url}/readyz").status_code == 503, patience=40)
                assert httpx.get(f"{url}/healthz").status_code == 200
            until(lambda: page.breaks > 0)  # which a page reports
            until(lambda: time.monotonic() > began + outage, patience=outage + 30)
            cluster.signal(signal.SIGCONT) if frozen else cluster.start()
            back = time.monotonic()
            for url in (pair.a.url, pair.b.url):
                until(lambda url=url: httpx.get(f"{url}/readyz").status_code == 200, patience=40)
            assert time.monotonic() - back < 14.75 + lateness
            until(lambda: page.is_live and page.status in ("complete", "interrupted"), patience=40)
            assert page.never_showed_but(paced.words)
            self.check_the_end(pair, session, page, paced)


class TestFailover:
    def test_nothing_that_was_acknowledged_is_lost(self, preloaded, tmp_path):
        with server() as primary, replica_of(primary) as replica:
            address = f"postgresql://webchat@127.0.0.1:{primary.port},127.0.0.1:{replica.port}/postgres"
            place = f"{address}?target_session_attrs=read-write"
            with two_servers(preloaded, tmp_path, place) as pair:
                session, paced = pair.session(), Paced(300)
                with pair.page_on_a(session) as page:
                    pair.answers_on_b(paced.answer(), session)
                    until(lambda: len(page.words) > 20 and page.words[0] == "word-0")
                    with sending([pair.a.url, pair.b.url]) as (_, acknowledged):
                        until(lambda: len(acknowledged) > 4)
                        primary.signal(signal.SIGKILL)
                        replica.run("pg_ctl", "-D", str(replica.data), "promote")
                        before = len(acknowledged)
                        until(lambda: len(acknowledged) > before + 4, patience=30)
                    until(lambda: page.is_live and page.status in ("complete", "interrupted"), patience=30)
                    assert page.never_showed_but(paced.words)
                    said = messages(pair.a.url, session)[-1]["content"].split()
                    assert said == paced.words[: len(said)]
                    assert len(said) >= max(len(words) for _, words in page.seen)
            with two_servers(preloaded, tmp_path, replica.url()) as pair:
                for session, keys in by_session(acknowledged).items():
                    check_once_each(pair.a.url, session, keys)


def is_taken(response: httpx.Response) -> bool:
    """Whether the message was accepted; a busy database may refuse it for a while."""
    assert response.status_code in (200, 503), response.text
    return response.status_code == 200


@contextmanager
def sending(urls: list[str], headers: Mapping[str, str] = {}) -> Iterator[tuple[list[str], list[tuple[str, str]]]]:
    """Sends messages continuously, to each address in its own session; retries those that were not acknowledged.

    Yields the sessions, and the session and text of each acknowledged message.
    """
    acknowledged: list[tuple[str, str]] = []
    over = threading.Event()
    sessions = [begin(url, **headers) for url in urls]

    def write(url: str, session: str) -> None:
        with httpx.Client(base_url=url, verify=False, headers={**JSON, **headers}) as client:
            for number in count():
                fields = {"message": f"message {number}", "key": f"key-{number}"}
                refused: list[str] = []
                try:
                    until(lambda: is_accepted(client, session, fields, refused), patience=60)  # noqa: B023
                except AssertionError as error:
                    raise AssertionError(f"{fields} was last refused with {refused[-1:]}") from error
                acknowledged.append((session, fields["message"]))
                if over.is_set():
                    return

    with ThreadPoolExecutor(len(urls)) as pool:
        writing = [pool.submit(write, *each) for each in zip(urls, sessions, strict=True)]
        try:
            yield sessions, acknowledged
        finally:
            over.set()
    assert [each.result() for each in writing] == [None] * len(urls)


def is_accepted(client: httpx.Client, session: str, fields: Mapping[str, str], refused: list[str]) -> bool:
    """Send it like a page that retries: not at once. Otherwise notes why not."""
    try:
        response = client.post(f"{session}/messages", data=fields)
        if response.status_code == 200:
            return True
        refused.append(f"{response.status_code} {response.text}")
    except httpx.TransportError as error:
        refused.append(repr(error))
    time.sleep(0.1)
    return False


def by_session(acknowledged: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The texts of each session, in order."""
    said: dict[str, list[str]] = {}
    for session, text in acknowledged:
        said.setdefault(session, []).append(text)
    return said


def check_once_each(url: str, session: str, texts: list[str], headers: Mapping[str, str] = {}) -> list[dict]:
    """Each text was sent once, in that order, after the first message, and answered once; returns all messages."""
    told = messages(url, session, headers=headers, verify=False)
    shown = [(item["role"], item["status"], item["content"][-10:]) for item in told]
    assert [role for role, _, _ in shown] == ["user", "assistant"] * (len(told) // 2), shown
    said = [item["content"] for item in told if item["role"] == "user"][1:]
    assert said == texts
    return told


@pytest.mark.parametrize("politely", [True, False])
def test_one_after_the_other_is_restarted_under_load(nginx, preloaded, database, tmp_path, politely):
    options = ("--backend", "mock", "--mock-delay", "0.05", "--grace", "5", "--proxies", "1")
    servers = Servers(preloaded, tmp_path, database, *options, WEBCHAT_TOKEN=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with ExitStack() as stack:
        stack.callback(servers.close)
        running = {name: servers.start(name) for name in ("a", "b")}
        places = block("nginx with two servers")
        for port, server in zip(("8001", "8002"), running.values(), strict=True):
            places = places.replace(f"127.0.0.1:{port}", server.url.removeprefix("http://"))
        url = nginx(places + block("nginx").replace("http://127.0.0.1:8000", "http://chat"), "")
        with httpx.Client(verify=False, follow_redirects=True) as browser:
            assert browser.get(f"{url}/?token={TOKEN}").status_code == 200
            assert [browser.get(url).status_code for _ in range(4)] == [200] * 4, "signed in on both"
        with sending([url, url, url, url], headers) as (sessions, acknowledged):
            pages = [LivePage(url, session, headers) for session in sessions]
            for page in pages:
                stack.callback(page.close)
            for name in ("a", "b"):
                before = len(acknowledged)
                running[name].terminate() if politely else running[name].kill()
                until(lambda before=before: len(acknowledged) > before + 4, patience=30)
                running[name] = servers.start(name)
                until(lambda before=before: len(acknowledged) > before + 12, patience=30)
        said = by_session(acknowledged)
        for session, page in zip(sessions, pages, strict=True):
            told = check_once_each(url, session, said[session], headers)
            shown = [(f"m-{item['id']}", item["status"]) for item in told]
            until(lambda page=page, shown=shown: [(name, status) for name, status, _ in page.now] == shown)


@pytest.fixture
def network():
    network = Network()
    network.make()
    yield network
    network.remove()


@pytest.mark.parametrize("is_short", [True, False])
def test_cut_off_from_the_database(network, preloaded, tmp_path, outage, lateness, is_short):
    """For a short time, only the database's responses are lost: what was written then must not be written twice."""
    seconds = 5 if is_short else outage
    words = [f"word-{number}" for number in range(int((seconds + 6) / 0.1))]
    whole = ["Mock", "response", "to:", *words]
    settings = {"listen_addresses": f"127.0.0.1,{network.host}"}
    with server(settings, admits=f"{network.guest}/32") as cluster, ExitStack() as stack:
        servers = Servers(preloaded, tmp_path, cluster.url(), "--backend", "mock", "--mock-delay", "0")
        stack.callback(servers.close)
        a = servers.start("a")
        there = cluster.url().replace("127.0.0.1", network.host)
        b = stack.enter_context(network.serve(tmp_path, there, "--backend", "mock", "--mock-delay", "0.1"))
        session = begin(a.url)
        until(lambda: is_answered(a.url, session))
        page = LivePage(a.url, session)
        stack.callback(page.close)
        assert b.post(f"{session}/messages", data={"message": " ".join(words)}, headers=HTMX).status_code == 200
        until(lambda: len(page.words) > 20 and page.words[0] == "Mock")
        network.cut(also_questions=not is_short)
        moment = time.monotonic()
        until(lambda: time.monotonic() > moment + seconds, patience=seconds + 30)
        assert page.never_showed_but(whole)
        status = page.status
        if status == "interrupted":  # another server may write here now
            more = httpx.post(f"{a.url}{session}/messages", data={"message": "meanwhile"}, headers=JSON)
            assert more.status_code == 200, more.text
        network.mend()
        back = time.monotonic()
        until(lambda: b.get("/readyz").status_code == 200, patience=40)
        assert time.monotonic() - back < 14.75 + lateness
        until(lambda: page.status in ("complete", "interrupted"), patience=30)
        told = messages(a.url, session)
        assert told[3]["content"].split() == whole[: len(told[3]["content"].split())]
        assert told[3]["status"] == "interrupted" or told[3]["content"].split() == whole
        meanwhile = ["meanwhile", "Mock response to: meanwhile"] if status == "interrupted" else []
        assert [item["content"] for item in told[4:]] == meanwhile
        again = b.post(f"{session}/messages", data={"message": "and now"}, headers=JSON)
        assert again.status_code == 200, again.text
        assert messages(a.url, session)[: len(told)] == told
