"""Pictures for models: in each backend's format, or replaced by words; and how a model without vision is recognised."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tests.acp import agents_in
from tests.pictures import png
from tests.reading import until
from tests.scripted_server import ScriptedServer, refuses, says
from webchat.backends import SessionOptions
from webchat.backends.chat_model import ChatModelBackend
from webchat.backends.openai import OpenAIModel
from webchat.backends.openai.sight import says_blind, sight_of
from webchat.backends.pictures import GivenPicture, newest_shown
from webchat.errors import InvalidInput
from webchat.manager import WebChatSessionManager

CAT, DOG = png(3, 2), png(2, 3)
CAT_URL = f"data:image/png;base64,{b64encode(CAT).decode()}"
BLIND = {"error": {"message": "image input is not supported - hint: you may need to provide the mmproj"}}


@pytest.fixture
def server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def manager(server):
    manager = WebChatSessionManager(ChatModelBackend(OpenAIModel(server.url, "scripted-model")))
    yield manager
    manager.close()


@pytest.fixture
def show(manager):
    """Sends a message with a picture in a new session; returns what was posted."""

    def send(message, *files):
        posted = manager.post_message(manager.create_session().session_id, message, files=files)
        posted.wait()
        return posted

    return send


def test_a_model_server_gets_it_with_the_text_and_again_with_the_next_question(show, manager, server):
    posted = show("What is this?", ("cat.png", CAT))
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": CAT_URL}}]
    assert server.questions[-1]["messages"] == [{"role": "user", "content": content}]
    manager.send_message("And now?", posted.session.session_id)
    assert server.questions[-1]["messages"][0] == {"role": "user", "content": content}
    assert server.questions[-1]["messages"][-1] == {"role": "user", "content": "And now?"}


def test_a_picture_without_a_text_goes_alone(show, manager, server):
    posted = show("", ("cat.png", CAT))
    alone = [{"type": "image_url", "image_url": {"url": CAT_URL}}]
    assert server.questions[-1]["messages"] == [{"role": "user", "content": alone}]
    manager.send_message("What is it?", posted.session.session_id)
    assert server.questions[-1]["messages"][0] == {"role": "user", "content": alone}


def test_for_a_title_words_are_enough(server):
    manager = WebChatSessionManager(ChatModelBackend(OpenAIModel(server.url, "scripted-model"), titles=True))
    session_id = manager.create_session().session_id
    server.script(says("A cat."), says("A cat in words"))
    manager.post_message(session_id, "What is this?", files=[("cat.png", CAT)]).wait()
    until(lambda: manager.get_session(session_id).description == "A cat in words")
    first = server.questions[-1]["messages"][0]["content"]
    assert first == "What is this?\n\n(The picture cat.png is not shown to you.)"
    manager.close()


def test_a_server_that_says_its_model_is_blind_is_believed_and_the_message_kept(show, manager, server):
    server.script(refuses(500, BLIND))
    posted = show("What is this?", ("cat.png", CAT))
    session_id = posted.session.session_id
    question, answer = manager.conversation(session_id).messages
    assert (question.content, answer.status) == ("What is this?", "failed")
    assert answer.error.startswith("scripted-model at 127.0.0.1")
    assert "has no vision. Choose another model" in answer.error
    asked = len(server.questions)
    with pytest.raises(InvalidInput, match="has no vision"):
        manager.post_message(session_id, "And this?", files=[("dog.png", DOG)])
    assert len(server.questions) == asked
    manager.send_message("Then without", session_id)
    words = "What is this?\n\n(The picture cat.png is not shown to you.)"
    assert server.questions[-1]["messages"][0] == {"role": "user", "content": words}


def test_an_earlier_picture_is_left_out_when_a_blind_model_takes_over(show, manager, server):
    posted = show("What is this?", ("cat.png", CAT))
    server.script(refuses(400, BLIND), says("Fine."))
    assert manager.send_message("And now?", posted.session.session_id) == "Fine."
    assert server.questions[-1]["messages"][0]["content"].endswith("(The picture cat.png is not shown to you.)")


def test_what_is_wrong_with_one_picture_is_not_taken_for_blindness(show, manager, server):
    server.script(refuses(400, {"error": {"message": "image is too large"}}))
    posted = show("What is this?", ("cat.png", CAT))
    assert "too large" in posted.answer.error
    manager.post_message(posted.session.session_id, "Again", files=[("dog.png", DOG)]).wait()
    assert len(server.questions) == 2


@pytest.mark.parametrize(
    ("listed", "sees"),
    [
        ({"models": [{"model": "m", "capabilities": ["completion"]}], "data": [{"id": "m"}]}, False),
        ({"models": [{"model": "m", "capabilities": ["completion", "multimodal"]}], "data": [{"id": "m"}]}, True),
        ({"data": [{"id": "m", "architecture": {"input_modalities": ["text"]}}]}, False),
        ({"data": [{"id": "m", "architecture": {"input_modalities": ["text", "image"]}}]}, True),
        ({"data": [{"id": "m", "capabilities": {"vision": False}}]}, False),
        ({"data": [{"id": "m", "capabilities": {"vision": True}}]}, True),
        ({"data": [{"id": "m"}]}, None),
        ({"data": [{"id": "m", "capabilities": []}, {"id": 3, "capabilities": ["vision"]}, 5], "models": 7}, None),
        ({"data": [{"id": "m", "architecture": "x", "capabilities": {"vision": "yes"}}]}, None),
    ],
)
def test_what_a_list_of_models_says_of_pictures(server, listed, sees):
    server.models_answer = refuses(200, listed)
    assert sight_of(listed) == ({} if sees is None else {"m": sees})
    model = OpenAIModel(server.url, "m")
    assert ChatModelBackend(model).sees(SessionOptions()) is sees


def test_a_server_is_asked_for_that_once_and_only_where_there_is_a_picture(manager, server):
    lists = lambda: [request.path for request in server.requests if request.method == "GET"]  # noqa: E731
    session_id = manager.create_session().session_id
    manager.send_message("Hello", session_id)
    assert lists() == []
    for _ in range(2):
        manager.post_message(session_id, "Look", files=[("cat.png", CAT)]).wait()
    assert len(lists()) == 1


def test_a_list_says_it_before_anything_is_sent(show, manager, server):
    server.models_answer = refuses(200, {"data": [{"id": "scripted-model", "capabilities": {"vision": False}}]})
    with pytest.raises(InvalidInput, match=r"scripted-model at .* has no vision"):
        show("Look", ("cat.png", CAT))
    assert server.questions == []


@pytest.mark.parametrize(
    ("status", "text", "blind"),
    [
        (400, "Invalid content type. image_url is only supported by certain models.", True),
        (422, "unknown variant `image_url`, expected `text`", True),
        (400, "messages[0].content must be a string", True),
        (404, "No endpoints found that support image input", True),
        (400, "Could not process image", False),
        (401, "Bad key", False),
        (503, "image model is loading", False),
    ],
)
def test_how_servers_say_that_a_model_is_blind(status, text, blind):
    assert says_blind(status, text) is blind


def given(name, size):
    return GivenPicture(name, "image/png", size, lambda: CAT)


def test_the_newest_pictures_are_shown_and_words_stand_for_the_others():
    many = [{"role": "user", "content": str(number), "pictures": [given("a.png", 10)]} for number in range(25)]
    shown = newest_shown(many)
    assert ["pictures" in item for item in shown] == [False] * 5 + [True] * 20
    assert shown[0]["content"] == "0\n\n(The picture a.png is not shown to you.)"
    large = [{"role": "user", "content": str(number), "pictures": [given("a.png", 12 * 2**20)]} for number in range(4)]
    assert ["pictures" in item for item in newest_shown(large)] == [False, False, True, True]


def test_a_picture_that_is_gone_is_no_picture(manager, server):
    messages = [{"role": "user", "content": "Look", "pictures": [GivenPicture("a", "image/png", 1, lambda: None)]}]
    list(OpenAIModel(server.url, "scripted-model").stream(messages))
    assert server.questions[-1]["messages"] == [{"role": "user", "content": "Look"}]


def test_any_function_may_see_them():
    asked = []

    def model(messages):
        asked.append([(item["content"], [each.read() for each in item.get("pictures", ())]) for item in messages])
        return "I see."

    model.sees = True
    manager = WebChatSessionManager(ChatModelBackend(model))
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "Look", files=[("cat.png", CAT)]).wait()
    manager.send_message("And now?", session_id)
    assert asked == [[("Look", [CAT])], [("Look", [CAT]), ("I see.", []), ("And now?", [])]]
    manager.close()


@pytest.fixture
def agents(tmp_path):
    with agents_in(tmp_path) as agents:
        yield agents


def test_an_agent_that_takes_pictures_gets_them_beside_the_text(agents):
    manager = WebChatSessionManager(agents.backend("--sees"))
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "Look", files=[("cat.png", CAT)]).wait()
    image = {"type": "image", "mimeType": "image/png", "data": b64encode(CAT).decode()}
    assert agents.received("session/prompt")[-1]["prompt"] == [{"type": "text", "text": "Look"}, image]
    assert manager.conversation(session_id).last.status == "complete"
    manager.post_message(session_id, "", files=[("cat.png", CAT)]).wait()
    assert agents.received("session/prompt")[-1]["prompt"] == [image]
    manager.close()


def test_an_agent_that_takes_none_says_so_when_it_is_known(agents):
    manager = WebChatSessionManager(agents.backend())
    session_id = manager.create_session().session_id
    manager.post_message(session_id, "Look", files=[("cat.png", CAT)]).wait()
    until(lambda: manager.conversation(session_id).last.status == "failed")
    assert "has no vision" in manager.conversation(session_id).last.error
    assert agents.received("session/prompt") == []
    with pytest.raises(InvalidInput, match="has no vision"):
        manager.post_message(session_id, "Reload", files=[("cat.png", CAT)])
    manager.send_message("Then without", session_id)
    assert "(The picture cat.png is not shown to you.)" in agents.received("session/prompt")[-1]["prompt"][0]["text"]
    manager.close()
