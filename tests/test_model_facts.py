"""What Ollama, llama.cpp and LM Studio say about a model besides their list: pictures, and the context's size."""

from __future__ import annotations

import pytest

from tests.pictures import png
from tests.reading import until
from tests.scripted_server import SILENCE, ScriptedServer, refuses, says, sends
from webchat.backends import SessionOptions
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.openai import OpenAIModel
from webchat.backends.openai.facts import LlamaCpp, LMStudio, Ollama, kind_of
from webchat.errors import InvalidInput
from webchat.manager import WebChatSessionManager

HOUR = 3600.0
QUESTION = [{"role": "user", "content": "Hello"}]
COUNTED = {"prompt_tokens": 10, "completion_tokens": 2}
SHOWN = {
    "capabilities": ["completion", "tools"],
    "model_info": {"general.architecture": "llama", "llama.context_length": 131072},
    "parameters": 'stop "<|eot_id|>"',
}
SEEING = {**SHOWN, "capabilities": ["completion", "vision"]}
WITH_CONTEXT = {**SHOWN, "parameters": "temperature 1\nnum_ctx      8192\n"}
LOADED = {
    "models": [{"name": "other:latest", "context_length": 7}, {"name": "llama3.2:latest", "context_length": 4096}]
}
PROPS = {"default_generation_settings": {"n_ctx": 2048}, "modalities": {"vision": False, "audio": True}}
STUDIO = [{"id": "a", "type": "llm", "max_context_length": 9}, {"id": "b", "type": "vlm", "max_context_length": 32768}]


def listed(owner: str, *names: str):
    return refuses(200, {"data": [{"id": name, "object": "model", "owned_by": owner} for name in names]})


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


CASES = [
    ("library", "llama3.2", {"/api/show": SHOWN, "/api/ps": LOADED}, False, 4096),
    ("library", "llama3.2", {"/api/show": WITH_CONTEXT, "/api/ps": {"models": []}}, False, 8192),
    ("library", "llama3.2", {"/api/show": SEEING}, True, 131072),
    ("library", "llama3.2", {"/api/show": {**SEEING, "parameters": f"num_ctx {'9' * 5000}"}}, True, 131072),
    ("library", "llama3.2", {"/api/show": {"model_info": 5, "capabilities": "vision"}}, None, None),
    ("library", "llama3.2", {"/api/show": refuses(404, {"error": "model not found"})}, None, None),
    ("library", "llama3.2", {"/api/show": refuses(200, "<h1>Welcome</h1>")}, None, None),
    ("llamacpp", "any", {"/props": PROPS}, False, 2048),
    ("llamacpp", "any", {"/props": {"modalities": {"vision": True}}}, True, None),
    ("llamacpp", "any", {"/props": [1]}, None, None),
    ("organization_owner", "a", {"/api/v0/models": {"data": STUDIO}}, False, 9),
    ("organization_owner", "b", {"/api/v0/models": {"data": [*STUDIO, 7]}}, True, 32768),
    ("organization_owner", "c", {"/api/v0/models": {"data": STUDIO}}, None, None),
    ("vllm", "m", {"/api/show": SEEING, "/props": PROPS}, None, None),
]


@pytest.mark.parametrize(("owner", "name", "facts", "sees", "context"), CASES)
def test_what_a_server_tells_is_known(server, owner, name, facts, sees, context):
    server.models_answer, server.facts = listed(owner, name), facts
    server.default = says("Hello", usage=COUNTED)
    model = OpenAIModel(server.url, name)
    assert ChatModelBackend(model).sees(SessionOptions()) is sees
    [event] = [piece for piece in model.stream(QUESTION) if getattr(piece, "kind", "") == "usage"]
    assert event.data.get("context") == context
    model.close()


def test_a_server_of_another_kind_is_asked_for_its_list_alone(server):
    server.models_answer, server.facts = listed("vllm", "m"), {"/api/show": SEEING, "/props": PROPS}
    server.default = says("Hello", usage=COUNTED)
    model = OpenAIModel(server.url, "m")
    for _ in range(2):
        list(model.stream(QUESTION))
    until(lambda: len(server.requests) == 3)
    assert ChatModelBackend(model).sees(SessionOptions()) is None
    assert {request.path for request in server.requests} == {"/v1/chat/completions", "/v1/models"}
    model.close()


def test_it_is_asked_once_and_in_the_background_without_pictures(server):
    server.models_answer, server.facts = listed("library", "llama3.2"), {"/api/show": SHOWN, "/api/ps": LOADED}
    server.default = says("Hello", usage=COUNTED)
    manager = WebChatSessionManager(ChatModelBackend(OpenAIModel(server.url, "llama3.2")))
    session_id = manager.create_session().session_id
    manager.send_message("one", session_id)
    until(lambda: [request.path for request in server.requests].count("/api/ps") == 1)
    for text in ("two", "three"):
        manager.send_message(text, session_id)
    usage = manager.conversation(session_id).last.usage
    assert (usage.used, usage.size) == (12, 4096)
    with pytest.raises(InvalidInput, match="has no vision"):
        manager.post_message(session_id, "Look", files=[("cat.png", png())])
    assert len(server.questions) == 3
    assert [request.path for request in server.requests].count("/api/show") == 1
    assert next(request.body for request in server.requests if request.path == "/api/show") == {"model": "llama3.2"}
    manager.close()


def test_one_that_does_not_answer_holds_no_message_up(server, monkeypatch):
    monkeypatch.setattr("webchat.backends.openai.server.FACTS_PATIENCE", HOUR)
    server.models_answer, server.facts = listed("library", "llama3.2"), {"/api/show": sends(SILENCE)}
    server.default = says("Hello", usage=COUNTED)
    manager = WebChatSessionManager(ChatModelBackend(OpenAIModel(server.url, "llama3.2", connect_timeout=HOUR)))
    session_id = manager.create_session().session_id
    assert [manager.send_message(text, session_id) for text in ("one", "two")] == ["Hello"] * 2
    manager.close()


@pytest.mark.parametrize(
    ("owner", "url", "kind"),
    [
        ("library", "http://10.0.0.1:9999/v1", Ollama),
        (None, "http://localhost:11434/v1", Ollama),
        ("somebody", "http://localhost:11434/v1", None),
        ("llamacpp", "http://localhost:11434/v1", LlamaCpp),
        ("organization_owner", "https://models.example/v1", LMStudio),
        ("openai", "https://api.openai.com/v1", None),
        ("library", "https://models.example/openai", None),
        (None, "https://models.example/v1", None),
        (["library"], "http://10.0.0.1:9999/v1", None),
        ({"name": "library"}, "http://10.0.0.1:9999/v1", None),
    ],
)
def test_a_server_is_told_by_its_list_and_else_by_its_port(owner, url, kind):
    found = kind_of({"data": [{"id": "m", **({"owned_by": owner} if owner else {})}]}, url)
    assert type(found) is (kind or type(None))
