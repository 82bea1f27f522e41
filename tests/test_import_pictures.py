"""Pictures of other programs' conversations are imported: from their zips, and in base64."""

from __future__ import annotations

import base64
import copy
import io
import json
import struct
import zipfile
import zlib

import pytest

from tests.foreign import chatgpt
from tests.foreign.others import GROK_MARKED, MISTRAL_TOOLS, activity, codex, lines, llama
from tests.pictures import chunk
from webchat.archive.asset_names import LARGEST
from webchat.archive.bounds import MIB, Bounds, Watch
from webchat.archive.foreign_node import ForeignNode, ForeignPicture
from webchat.archive.foreign_pictures import resolved
from webchat.chat.parts import Picture, ToolCall


def png(red):
    """A picture of one pixel."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes([0, red, 0, 0])))]
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(body) + end


BASE64 = base64.b64encode(png(9)).decode()
DATA = "data:image/png;base64," + BASE64


@pytest.fixture
def bring_in(manager):
    def bring(data):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        report = manager.archive.bring_in(io.BytesIO(data))
        assert report.problems == []
        return [*report.imported, *report.grown]

    return bring


def packed(conversations, **files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("conversations.json", json.dumps(conversations))
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".dat", content)
    return data.getvalue()


def bytes_of(manager, session_id, picture):
    return manager.storage.pictures.read(session_id, picture.key)


def test_chatgpts_pictures_are_in_its_zip(manager, bring_in):
    session_id, _ = bring_in(packed(chatgpt.EXPORT, file_0001=png(1), dalle__file_0002=png(2)))
    messages = manager.conversation(session_id).messages
    assert messages[0].content == "What is this?\n\n[file: manual.pdf]"
    (sent,) = messages[0].pictures
    assert (sent.name, sent.width, bytes_of(manager, session_id, sent)) == ("kite.jpg", 1, png(1))
    (drawn,) = [part for part in messages[3].parts if isinstance(part, ToolCall) and part.output]
    assert drawn.output == (Picture("image/png", base64.b64encode(png(2)).decode()),)
    assert messages[3].content == ""


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_geminis_pictures_lie_beside_its_activity(manager, bring_in):
    entry = activity("Prompted See", "2026-10-01T10:00:00Z", "<p>Red.</p>", "g")
    entry["attachedFiles"] = ["a-0a1b.png", "b.pdf", "gone.jpg"]
    folder = "Takeout/My Activity/Gemini Apps/"
    files = {f"{folder}MyActivity.json": json.dumps([entry]), f"{folder}a-0a1b.png": png(1), f"{folder}b.pdf": b"%PDF"}
    (session_id,) = bring_in(zipped({"Takeout/Google Photos/a-0a1b.png": png(2), **files}))
    (said, answer), sent, _ = seen(manager, session_id)
    assert (said, answer, sent) == ("See\n\n[file: b.pdf]\n\n[file: gone.jpg]", "Red.", [png(1)])


def test_lm_studios_pictures_are_in_a_folder_of_their_own(manager, bring_in):
    file = {"type": "file", "fileType": "image", "fileIdentifier": "1770514213626 - 185.png", "sizeBytes": 70}
    message = {"role": "user", "content": [{"type": "text", "text": "See"}, file]}
    chat = {"name": "Studio", "createdAt": 1, "messages": [{"currentlySelected": 0, "versions": [message]}]}
    about = {"type": "image", "originalName": "a.png", "fileIdentifier": file["fileIdentifier"]}
    files = {
        ".lmstudio/conversations/1.conversation.json": json.dumps(chat),
        f".lmstudio/user-files/{file['fileIdentifier']}": png(1),
        f".lmstudio/user-files/{file['fileIdentifier']}.metadata.json": json.dumps(about),
    }
    (session_id,) = bring_in(zipped(files))
    assert seen(manager, session_id) == (["See"], [png(1)], [])


@pytest.mark.parametrize("between", ["/", "//"])
def test_groks_pictures_are_in_folders_named_by_their_ids(manager, bring_in, between):
    folder = "ttl/30d/export_data/user/"
    files = {f"{folder}prod-grok-backend.json": json.dumps({"conversations": [GROK_MARKED]})}
    files |= {f"{folder}prod-mc-asset-server{between}0f-{number}/content": png(number) for number in (1, 2)}
    (session_id,) = bring_in(zipped(files))
    (question, _), sent, drawn = seen(manager, session_id)
    assert (question, sent, drawn) == ("Wet?", [png(1)], [png(2)])


def test_chat_uis_pictures_lie_beside_its_conversations(manager, bring_in):
    """Its zip names all files of a conversation in each of its messages."""
    names = ["file-64-0a1b2c3d.png", "file-64-4e5f6a7b.pdf"]
    said = [("1", "system", "Be kind"), ("2", "user", "What is it?"), ("3", "assistant", "A cat"), ("4", "user", "Oh?")]
    messages = [{"id": key, "from": role, "content": text, "files": names} for key, role, text in said]
    export = json.dumps([{"_id": "64", "title": "Cats", "messages": messages}])
    (session_id,) = bring_in(zipped({"conversations.json": export, names[0]: png(1), "assistants.json": "[]"}))
    assert seen(manager, session_id) == ([f"What is it?\n\n[file: {names[1]}]", "A cat", "Oh?"], [png(1)], [])


def test_mistrals_pictures_are_in_a_folder_for_each_chat(manager, bring_in):
    files = {
        "chat-mi-2.json": json.dumps(MISTRAL_TOOLS),
        "chat-mi-1-files/a.png": png(3),
        "chat-mi-2-files/a.png": png(1),
        "chat-mi-2-files/drawn.png": png(2),
    }
    (session_id,) = bring_in(zipped(files))
    assert seen(manager, session_id)[1:] == ([png(1)], [png(2)])


NAMELESS = {
    "id": "c",
    "title": "Kites",
    "current_node": "a",
    "mapping": {
        "q": chatgpt.node(
            "q",
            None,
            "user",
            {"content_type": "multimodal_text", "parts": [chatgpt.PICTURE, "See"]},
            metadata={"attachments": [{"id": "file-9", "mime_type": "application/pdf"}]},
        ),
        "a": chatgpt.node("a", "q", "assistant", chatgpt.said("Red.")),
    },
}
NAMES = "conversation_asset_file_names.json"


def nameless(names, **pictures):
    names = names if isinstance(names, bytes) else json.dumps(names).encode()
    return zipped({"conversations-000.json": json.dumps([NAMELESS]), NAMES: names, **pictures})


@pytest.mark.parametrize("end", ["", ".dat"])
def test_chatgpts_files_have_their_names_in_a_file_beside_the_conversations(manager, bring_in, end):
    names = {f"file_0001{end}": "kite.jpg", f"file-9{end}": "manual.pdf"}
    (session_id,) = bring_in(nameless(names, **{"file_0001.dat": png(1)}))
    question, _ = manager.conversation(session_id).messages
    assert (question.content, [picture.name for picture in question.pictures]) == (
        "See\n\n[file: manual.pdf]",
        ["kite.jpg"],
    )
    (without,) = bring_in(json.dumps([{**NAMELESS, "id": "d"}]).encode())
    assert seen(manager, without)[0][0] == "[picture]\n\nSee"


def test_a_picture_without_its_name_is_replaced_by_the_one_with_it(manager, bring_in):
    (session_id,) = bring_in([NAMELESS])
    names = {"file_0001.dat": "kite.jpg"}
    assert bring_in(nameless(names, **{"file_0001.dat": png(1)})) == [session_id]
    assert seen(manager, session_id) == (["See", "Red."], [png(1)], [])


def test_a_picture_that_is_missing_has_its_name_in_the_text(manager, bring_in):
    (session_id,) = bring_in(nameless({"file_0001.dat": "kite.jpg"}))
    assert seen(manager, session_id)[0][0] == "[picture: kite.jpg]\n\nSee"


@pytest.mark.parametrize(
    "names",
    [
        b"{",
        b"[" * 100_000,
        b"\xff",
        [],
        {"file_0001.dat": ["kite.jpg"]},
        {"file_0001.dat": "file_0001.dat"},
        {"file_0001.dat": "kite.jpg", "more": "x" * LARGEST},
        {"file_0001.dat": "kite.jpg", "deep": json.loads("[" * 200 + "]" * 200)},
    ],
    ids=["cut", "nested", "not UTF-8", "list", "no text", "its own", "large", "deep"],
)
def test_names_that_cannot_be_read_are_left_out(manager, names):
    (session_id,) = manager.archive.bring_in(io.BytesIO(nameless(names, **{"file_0001.dat": png(1)}))).imported
    question, _ = manager.conversation(session_id).messages
    assert (question.content, [picture.name for picture in question.pictures]) == ("See", ["picture.png"])


def conversations_beside(names, is_inner):
    """A zip with the file of names and twenty conversations, which are in a folder or in a zip each."""
    talks = {f"talks/{number}.json": json.dumps([{**NAMELESS, "id": f"c{number}"}]) for number in range(20)}
    if is_inner:
        talks = {f"{name}.zip": zipped({name: talk}) for name, talk in talks.items()}
    return zipped({NAMES: json.dumps(names), **talks})


@pytest.mark.parametrize("is_inner", [False, True])
def test_the_file_of_names_is_read_once_for_all_conversations(manager, is_inner):
    data = conversations_beside({"file_0001.dat": "kite.jpg", "more": "x" * MIB}, is_inner)
    report = manager.archive.bring_in(io.BytesIO(data), None, Watch(Bounds(unpacked=8 * MIB)))
    assert report.problems == []
    texts = {seen(manager, session_id)[0][0] for session_id in report.imported}
    assert (len(report.imported), texts) == (20, {"[picture: kite.jpg]\n\nSee"})


def test_a_file_of_names_that_is_too_large_is_not_unpacked_for_them(manager):
    data = conversations_beside({"file_0001.dat": "kite.jpg", "more": "x" * LARGEST}, is_inner=False)
    report = manager.archive.bring_in(io.BytesIO(data), None, Watch(Bounds(unpacked=4 * LARGEST)))
    assert (len(report.imported), [each for each in report.problems if "MiB" in each]) == (20, [])


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\nbroken", b"<html>"])
def test_a_picture_that_is_none_stays_a_line(manager, bring_in, content):
    session_id, _ = bring_in(packed(chatgpt.EXPORT, file_0001=content))
    first = manager.conversation(session_id).messages[0]
    assert (first.pictures, first.content.split("\n")[0]) == ((), "[picture: kite.jpg]")


def test_a_newer_export_brings_its_pictures(manager, bring_in):
    older = copy.deepcopy(chatgpt.CONVERSATION)
    older["mapping"] = {key: older["mapping"][key] for key in ("root", "sys", "ctx")}
    older["mapping"]["q0"] = chatgpt.node("q0", "ctx", "user", chatgpt.said("Before"))
    (session_id,) = bring_in([older])
    assert bring_in(packed([chatgpt.CONVERSATION], file_0001=png(1))) == [session_id]
    manager.select(session_id, "q1")
    (sent,) = manager.conversation(session_id).messages[0].pictures
    assert bytes_of(manager, session_id, sent) == png(1)


def seen(manager, session_id):
    """The texts of all messages, the pictures that were sent, and those that were generated."""
    messages = manager.conversation(session_id).messages
    sent = [bytes_of(manager, session_id, picture) for message in messages for picture in message.pictures]
    calls = [part for message in messages for part in message.parts if isinstance(part, ToolCall)]
    made = [base64.b64decode(block.data) for call in calls for block in call.output if isinstance(block, Picture)]
    return [message.content for message in messages], sent, made


def test_pictures_that_come_later_are_given_to_the_messages_that_are_here(manager, bring_in):
    whole = packed([chatgpt.CONVERSATION], file_0001=png(1), file_0002=png(2))
    (session_id,) = bring_in([chatgpt.CONVERSATION])
    before = manager.conversation(session_id).messages
    assert seen(manager, session_id)[0][0].startswith("[picture: kite.jpg]\n\nWhat is this?")
    for export, sent, made in (
        (packed([chatgpt.CONVERSATION], file_0001=png(1)), [png(1)], []),
        (whole, [png(1)], [png(2)]),
    ):
        assert bring_in(export) == [session_id]
        assert seen(manager, session_id)[1:] == (sent, made)
        assert bring_in(export) == []
    said, _, _ = seen(manager, session_id)
    assert (said[0], said[3]) == ("What is this?\n\n[file: manual.pdf]", "")
    after = manager.conversation(session_id).messages
    assert [(each.id, each.siblings, each.created_at) for each in after] == [
        (each.id, each.siblings, each.created_at) for each in before
    ]


def test_an_export_without_pictures_takes_none_away(manager, bring_in):
    (session_id,) = bring_in(packed([chatgpt.CONVERSATION], file_0001=png(1), file_0002=png(2)))
    before = seen(manager, session_id)
    assert bring_in([chatgpt.CONVERSATION]) == []
    assert seen(manager, session_id) == before


def test_pictures_come_to_an_answer_that_has_grown_too(manager, bring_in):
    whole = drawing("file_0001", "file_0002")
    half = copy.deepcopy(whole)
    del half["mapping"]["t1"]
    (session_id,) = bring_in([half])
    assert bring_in(packed([whole], file_0001=png(1), file_0002=png(2))) == [session_id]
    assert seen(manager, session_id) == (["Draw", ""], [], [png(1), png(2)])
    assert manager.conversation(session_id).last.siblings == ()


def test_an_answer_that_has_grown_in_an_export_without_its_picture_stands_beside_the_one_here(manager, bring_in):
    half = drawing("file_0001")
    (session_id,) = bring_in(packed([half], file_0001=png(1)))
    longer = copy.deepcopy(half)
    longer["mapping"]["a"] = chatgpt.node("a", "t0", "assistant", chatgpt.said("A kite."))
    longer["current_node"] = "a"
    assert bring_in([longer]) == [session_id]
    assert bring_in([longer]) == []
    answer = manager.conversation(session_id).last
    assert (answer.content.endswith("A kite."), len(answer.siblings)) == (True, 2)
    (other,) = set(answer.siblings) - {answer.id}
    manager.select(session_id, other)
    assert seen(manager, session_id)[2] == [png(1)]


def test_a_text_that_was_attached_comes_to_a_message_that_is_here(manager, bring_in):
    def export(*attachments):
        message = {"uuid": "m", "sender": "human", "text": "Look", "attachments": [*attachments]}
        return [{"uuid": "c", "name": "Talk", "chat_messages": [message]}]

    (session_id,) = bring_in(export())
    newer = export({"file_name": "notes.txt", "extracted_content": "seen"})
    assert bring_in(newer) == [session_id]
    (file,) = manager.conversation(session_id).messages[0].files
    assert (file.name, file.content) == ("notes.txt", "seen")
    assert bring_in(newer) == []


def test_what_was_said_after_an_answer_here_stays_when_its_picture_comes(manager, bring_in):
    (session_id,) = bring_in([drawing("file_0001")])
    manager.send_message("mine", session_id)
    assert bring_in(packed([drawing("file_0001")], file_0001=png(1))) == [session_id]
    assert seen(manager, session_id) == (["Draw", "", "mine", "You said: mine"], [], [png(1)])


LLAMA = lines(
    {"harness": "llama.app", "type": "session", "id": "l", "name": "L", "currNode": "q"},
    llama("q", None, "user", "See", extra=[{"type": "IMAGE", "name": "a.png", "base64Url": DATA}]),
)
OPEN_WEBUI = [
    {
        "chat": {
            "title": "W",
            "messages": [
                {"role": "user", "content": "See", "files": [{"type": "image", "name": "a.png", "url": DATA}]}
            ],
        }
    }
]
PLAIN = [
    {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": DATA}}]},
]
HUGGING_FACE = [
    {
        "_id": "h",
        "title": "H",
        "messages": [
            {
                "id": "1",
                "from": "user",
                "content": "See",
                "files": [{"type": "base64", "name": "a.png", "mime": "image/png", "value": BASE64}],
            }
        ],
    }
]


AI_STUDIO = {"chunkedPrompt": {"chunks": [{"text": "See", "role": "user", "inlineImage": {"data": BASE64}}]}}


CODEX = lines(
    codex("session_meta", id="pictures"),
    codex("response_item", role="user", content=[{"type": "input_text", "text": "<environment_context>"}]),
    codex("response_item", role="user", content=[{"type": "input_image", "image_url": DATA}]),
    codex("event_msg", type="user_message", message="See", images=[], local_images=["/tmp/a.png"]),
)
CODEX_EVENT = lines(codex("event_msg", type="user_message", message="See", images=[DATA]))


def codex_item(role, text, *images):
    content = [{"type": "input_text", "text": text}, *({"type": "input_image", "image_url": image} for image in images)]
    return codex("response_item", type="message", role=role, content=content)


ASKED = codex_item("user", "one", DATA), codex_item("user", "two")
EVENT = codex("event_msg", type="user_message", message="See", images=[])
ANSWER = codex_item("assistant", "So.")


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        (1, (ASKED[0], ANSWER, ASKED[1], ANSWER, codex_item("user", "three"))),
        (1, ASKED),
        (0, (EVENT, ASKED[0], ANSWER, ASKED[1], EVENT)),
        (1, (ASKED[0], EVENT, ANSWER, ASKED[1], EVENT)),
    ],
    ids=["items", "items without answers", "events first", "events"],
)
def test_codexs_pictures_stay_with_the_message_that_had_them(manager, bring_in, first, rows):
    (session_id,) = bring_in(lines(codex("session_meta", id="turns"), *rows))
    asked = [message for message in manager.conversation(session_id).messages if message.role == "user"]
    assert len(asked) > 1
    assert [len(message.pictures) for message in asked] == [first, *[0] * (len(asked) - 1)]


def test_what_open_webui_has_drawn_is_part_of_the_answer(manager, bring_in):
    drawn = {"role": "assistant", "content": "There.", "files": [{"type": "image", "url": DATA}]}
    (session_id,) = bring_in([{"chat": {"title": "D", "messages": [{"role": "user", "content": "Draw"}, drawn]}}])
    assert seen(manager, session_id) == (["Draw", "There."], [], [png(9)])


@pytest.mark.parametrize(
    "export",
    [CODEX, CODEX_EVENT, LLAMA, OPEN_WEBUI, PLAIN, HUGGING_FACE, AI_STUDIO],
    ids=["codex", "codex-event", "llama.cpp", "webui", "plain", "hf", "ai-studio"],
)
def test_pictures_in_base64(manager, bring_in, export):
    (session_id,) = bring_in(export)
    (message,) = manager.conversation(session_id).messages
    assert message.content == "See"
    assert bytes_of(manager, session_id, message.pictures[0]) == png(9)


def test_a_damaged_picture_in_the_zip_is_left_out_alone(manager):
    whole, picture = packed(chatgpt.EXPORT, file_0001=png(1), dalle__file_0002=png(2)), png(1)
    damaged = whole.replace(picture, picture[:30] + b"\xff" * 5 + picture[35:])
    assert damaged != whole
    report = manager.archive.bring_in(io.BytesIO(damaged))
    assert report.problems == []
    assert len(report.imported) == 2
    assert manager.conversation(report.imported[0]).messages[0].pictures == ()


def drawing(*tools, question="q"):
    """A conversation in which these files are generated, as one answer."""
    nodes = [chatgpt.node(question, None, "user", chatgpt.said("Draw"))]
    for number, name in enumerate(tools):
        pointer = {"content_type": "image_asset_pointer", "asset_pointer": f"file-service://{name}"}
        content = {"content_type": "multimodal_text", "parts": [pointer]}
        node = chatgpt.node(f"t{number}", nodes[-1]["id"], "tool", content)
        node["message"]["author"]["name"] = "dalle"
        nodes.append(node)
    mapping = {node["id"]: node for node in nodes}
    return {**chatgpt.CONVERSATION, "mapping": mapping, "current_node": nodes[-1]["id"]}


def drawn(manager, session_id):
    parts = manager.conversation(session_id).last.parts
    return [block for part in parts if isinstance(part, ToolCall) for block in part.output]


def test_the_pictures_of_one_answer_are_limited(manager, bring_in):
    large = png(1)
    large = large[:-12] + chunk(b"IDAT", bytes(6 * 2**20)) + large[-12:]
    (session_id,) = bring_in(packed([drawing(*["file_0001"] * 4)], file_0001=large))
    assert len(drawn(manager, session_id)) == 2


def test_each_file_is_read_once_and_no_more_than_may_be_kept():
    read = []

    def find(name):
        read.append(name)
        return bytes(40 * 2**20)

    pictures = [ForeignPicture("[picture]", "", name, is_file=True) for name in ("a", "a", "b", "c", "d")]
    resolved([ForeignNode("q", None, "user", "[picture]", pictures=tuple(pictures))], find)
    assert read == ["a", "b"]
