"""A scripted agent that speaks the Agent Client Protocol on standard input and output, without a model.

The first word of a prompt chooses what it does (see `SCENES`); switches in its arguments make it deviate as real agents
do. `--folder DIR` has its sessions and a log of everything that it receives.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

SWITCHES = set(sys.argv[1:])
FOLDER = Path(sys.argv[sys.argv.index("--folder") + 1])
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NEW_MESSAGE = "The user's new message:\n\n"
OPTIONS = [
    {"optionId": "yes", "name": "Allow once", "kind": "allow_once"},
    {"optionId": "yes-all", "name": "Allow once, for this folder", "kind": "allow_once"},
    {"optionId": "no", "name": "Reject", "kind": "reject_once"},
]
writing = threading.Lock()
replies: dict[str, queue.Queue] = {}
cancelled: dict[str, threading.Event] = {}
running: dict[str, threading.Lock] = {}
choices: dict[str, dict[str, str]] = {}
answers: dict[str, list[str]] = {}


class Failure(Exception):
    pass


def raw(line: bytes) -> None:
    with writing:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


def send(**message) -> None:
    raw(json.dumps({"jsonrpc": "2.0", **message}).encode())


def update(session_id, kind: str, /, **fields) -> None:
    send(method="session/update", params={"sessionId": session_id, "update": {"sessionUpdate": kind, **fields}})


def say(session_id, text: str, **fields) -> None:
    answers.setdefault(str(session_id), []).append(text)
    update(session_id, "agent_message_chunk", content={"type": "text", "text": text}, **fields)


def requested(method: str, params, name: object = None) -> queue.Queue:
    """The queue for the reply to this request."""
    name = name or f"q{time.monotonic_ns()}"
    reply = replies[str(name)] = queue.Queue()
    send(id=name, method=method, params=params)
    return reply


def request(method: str, params, name: object = None) -> dict:
    return requested(method, params, name).get()


def shown(text: str) -> list[dict]:
    return [{"type": "content", "content": {"type": "text", "text": text}}]


# Its sessions, in files


def stored(session_id: str) -> dict | None:
    path = FOLDER / f"{session_id}.session"
    return json.loads(path.read_text()) if path.exists() else None


def store(session_id: str, session: dict) -> None:
    (FOLDER / f"{session_id}.session").write_text(json.dumps(session))


# What a prompt does; each returns the stop reason


def echo(session_id, text):
    say(session_id, "You said: ")
    say(session_id, text)


def endless(session_id, text):
    while not cancelled[session_id].wait(0.01):
        say(session_id, "on and ")
    return "cancelled"


def deaf(session_id, text):
    say(session_id, "I hear nothing")
    time.sleep(3600)


def hang(session_id, text):
    """The whole process hangs and reads nothing more."""
    say(session_id, "I hang.")
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(3600)  # the signal may stop another thread first; this one must not end the prompt meanwhile


def think(session_id, text):
    for word in ("Let me ", "see."):
        update(session_id, "agent_thought_chunk", content={"type": "text", "text": word})
    say(session_id, "Done.")


def tool(session_id, text):
    say(session_id, "I look.")
    given = {"command": "ls -l", "description": "List"}
    update(session_id, "tool_call", toolCallId="t1", title="List files", kind="execute", status="pending")
    update(session_id, "tool_call_update", toolCallId="t1", status="in_progress", rawInput=given)
    update(session_id, "tool_call_update", toolCallId="t1", content=shown("a\n"))
    update(session_id, "tool_call_update", toolCallId="t1", status="completed", content=shown("a\nb\n"))
    say(session_id, "Two files.")


def blocks(session_id, text):
    content = [
        {"type": "diff", "path": "/x.py", "oldText": "a", "newText": "b"},
        {"type": "diff", "path": "/new.py", "newText": "c"},
        {"type": "content", "content": {"type": "image", "mimeType": "image/png", "data": PIXEL}},
        {"type": "content", "content": {"type": "image", "mimeType": "text/html", "data": "<b>"}},
        {"type": "terminal", "terminalId": "t"},
        {"type": "content", "content": {"type": "text", "text": "plain"}},
    ]
    update(session_id, "tool_call", toolCallId="t1", title="Edit", kind="edit", status="in_progress", content=content)
    update(session_id, "tool_call_update", toolCallId="t1", status="completed")
    result = {"formatted_output": "raw text", "exit_code": 0}
    update(session_id, "tool_call_update", toolCallId="t2", status="failed", rawOutput=result, kind="juggle")
    update(session_id, "tool_call", toolCallId="t3", title="Count", rawInput={"n": 1}, rawOutput={"n": 2})


def many(session_id, text):
    count = int(text.split()[1])
    update(session_id, "tool_call", toolCallId="t1", title="Build", kind="execute", status="in_progress")
    for number in range(count):
        update(session_id, "tool_call_update", toolCallId="t1", content=shown(f"line {number}\n" * 100))
    update(session_id, "tool_call_update", toolCallId="t1", status="completed")


def paced(session_id, text):
    """Works until it is terminated, and records what it has sent and when."""
    with (FOLDER / "paced.jsonl").open("a") as sent:
        for number in range(100_000):
            name, kind = f"n{number}", ("agent_message_chunk", "agent_thought_chunk", "tool_call")[number % 3]
            if kind == "tool_call":
                update(session_id, kind, toolCallId=name, title="Step", status="completed", content=shown(name))
            else:
                update(session_id, kind, content={"type": "text", "text": f"{name} "})
            print(json.dumps([name, time.monotonic()]), file=sent, flush=True)
            time.sleep(0.004)


def ask(session_id, text):
    """The usual order; with `unannounced` the question introduces the call, with `bare` it gives only the call's id."""
    call = {"toolCallId": "t1", "title": "Run make", "kind": "execute", "rawInput": {"command": "make"}}
    if "unannounced" not in text:
        update(session_id, "tool_call", **call, status="pending")
        update(session_id, "tool_call_update", toolCallId="t1", status="in_progress")
    told = {"toolCallId": "t1"} if "bare" in text else call
    options = (
        [{**option, "optionId": number} for number, option in enumerate(OPTIONS)] if "numbers" in text else OPTIONS
    )
    parameters = {"sessionId": session_id, "toolCall": told, "options": options}
    outcome = request("session/request_permission", parameters)["result"]["outcome"]
    say(session_id, f"Outcome: {json.dumps(outcome)}")
    if outcome["outcome"] == "cancelled":
        return "cancelled"
    if "unannounced" not in text:
        update(session_id, "tool_call_update", toolCallId="t1", status="completed", content=shown("made"))
    return None


def ask_oddly(session_id, text):
    """Many options, the last of which has an id that cannot be stored in a file."""
    options = [{"optionId": f"o{number}", "name": f"Choice {number}"} for number in range(24)]
    options.append({"optionId": "no\ud83d", "name": "None of these"})
    parameters = {"sessionId": session_id, "toolCall": {"toolCallId": "t1"}, "options": options}
    say(session_id, json.dumps(request("session/request_permission", parameters)["result"]["outcome"]))


def ask_too_late(session_id, text):
    """The tool fails while its question is open; then the agent continues without waiting for the answer."""
    parameters = {"sessionId": session_id, "toolCall": {"toolCallId": "t1", "title": "Run"}, "options": OPTIONS}
    reply = requested("session/request_permission", parameters)
    update(session_id, "tool_call_update", toolCallId="t1", status="failed", content=shown("timed out"))
    say(session_id, json.dumps([reply.get()["result"]["outcome"]]))


def twice(session_id, text):
    """Two calls with one id, each with a question, as from models that restart numbering in each turn."""
    for step in ("one", "two"):
        call = {"toolCallId": "call_0", "title": f"Step {step}", "kind": "execute", "rawInput": {"command": step}}
        update(session_id, "tool_call", **call, status="pending")
        parameters = {"sessionId": session_id, "toolCall": {"toolCallId": "call_0"}, "options": OPTIONS}
        if "ask" in text:
            request("session/request_permission", parameters)
        update(session_id, "tool_call_update", toolCallId="call_0", status="completed", content=shown(step))
    update(session_id, "tool_call", **call, status="completed", content=shown(step))


def ask_without_options(session_id, text):
    parameters = {"sessionId": session_id, "toolCall": {"toolCallId": "t1"}, "options": [{"name": "x"}, 5]}
    say(session_id, json.dumps(request("session/request_permission", parameters)["result"]["outcome"]))


def plan(session_id, text):
    for status in ("in_progress", "completed"):
        entries = [{"content": "Read", "status": status, "priority": "high"}, {"content": "Write", "status": "pending"}]
        update(session_id, "plan", entries=entries)
    update(session_id, "usage_update", used=10, size=100)
    update(session_id, "usage_update", used=20, size=100, cost={"amount": 1, "currency": "EUR"})


def messages(session_id, text):
    say(session_id, "One", messageId="m1")
    say(session_id, " and a half.", messageId="m1")
    say(session_id, "Two.\n", messageId="m2")
    say(session_id, "Three.", messageId="m3")
    update(session_id, "tool_call", toolCallId="t1", title="Look", status="completed")
    say(session_id, "Four.", messageId="m4")


def title(session_id, text):
    update(session_id, "session_info_update", title=text.partition(" ")[2])
    say(session_id, "Named.")


def repeat(session_id, text):
    update(session_id, "user_message_chunk", content={"type": "text", "text": text})
    say(session_id, "Echoed.")


def strange(session_id, text):
    """Requests that no client knows, or that this one must not offer."""
    update(session_id, "something_new", content={"type": "text", "text": "x"})
    send(method="_vendor/notice", params={"sessionId": session_id})
    send(method="session/other", params=[1])
    names = ("_vendor/ask", "fs/read_text_file", "fs/write_text_file", "terminal/create", "elicitation/create")
    say(
        session_id,
        json.dumps([request(name, {"sessionId": session_id}).get("error", {}).get("code") for name in names]),
    )


def wrong(session_id, text):
    """Wrong types everywhere; then a valid answer."""
    odd = [None, 5, -1, 1.5, "x", True, [], [[]], {}, {"text": 5}, {"type": "text", "text": None}]
    kinds = ("agent_message_chunk", "agent_thought_chunk", "tool_call", "tool_call_update", "plan", "usage_update")
    kinds += ("session_info_update", "available_commands_update", "current_mode_update", "config_option_update")
    names = ("content", "toolCallId", "title", "kind", "status", "rawInput", "entries", "used", "size", "messageId")
    names += ("availableCommands", "currentModeId", "configOptions", "locations")
    for kind in kinds:
        for value in odd:
            update(session_id, kind, **{"toolCallId": "t1", **dict.fromkeys(names, value)})
            update(session_id, kind, toolCallId="t2", content=[value], entries=[value], configOptions=[value])
    for value in odd:
        raw(json.dumps(value).encode())
        raw(json.dumps({"jsonrpc": "2.0", "id": value, "result": value}).encode())
        raw(json.dumps({"jsonrpc": "2.0", "id": value, "error": value}).encode())
        raw(json.dumps({"jsonrpc": "2.0", "method": value, "params": value}).encode())
        raw(json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": value}).encode())
        raw(json.dumps({"method": "session/update", "params": {"sessionId": value, "update": value}}).encode())
        raw(json.dumps({"id": value, "method": "session/request_permission", "params": value}).encode())
        send(method="session/update", params={"sessionId": session_id, "update": value})
        toolcall = {"sessionId": session_id, "toolCall": value, "options": value}
        send(id="odd", method="session/request_permission", params=toolcall)
    say(session_id, "\ud83d half")
    raw(b"\xff\xfe{not json")
    raw(b"[" * 100_000)
    raw(b'{"id": ' + b"9" * 5_000 + b"}")
    say(session_id, "Sane again.")


def huge(session_id, text):
    raw(b'{"method": "' + b"x" * (51 * 2**20) + b'"}')
    say(session_id, "y" * 561_000)


def flood(session_id, text):
    while True:
        update(session_id, "usage_update", used=1, size=2)


def unread(session_id, text):
    while True:
        say(session_id, "z" * 100_000)


def pestering(session_id, text):
    """Sends requests and ignores the responses."""
    for number in range(int(text.split()[1])):
        send(id=f"p{number}", method="_vendor/ask", params={"x": "y" * 1000})
    say(session_id, "Enough.")


def noisy(session_id, text):
    for _ in range(20_000):
        print("noise " * 20, file=sys.stderr)
    say(session_id, "Quiet.")


def die(session_id, text):
    say(session_id, "I am about to")
    print("Segmentation sk-verysecretkey", file=sys.stderr, flush=True)
    os._exit(3)


def close_output(session_id, text):
    os.close(1)
    time.sleep(3600)


def child(session_id, text):
    """Starts a program that outlives a terminated parent."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
    say(session_id, str(subprocess.Popen([sys.executable, "-c", code]).pid))


def fail(session_id, text):
    given = json.loads(text.partition(" ")[2])
    raise Failure(given)


def refuse(session_id, text):
    say(session_id, "API error: 401 bad key sk-verysecretkey")
    return "refusal"


def retry(session_id, text):
    send(method="_retrying", params={"sessionId": session_id, "attempt": 2})
    say(session_id, "At last.")


def leave(session_id, text):
    """Leaves the mode by itself; `when told`: not before the test has created a file."""
    while "when told" in text and not (FOLDER / "leave").exists():
        time.sleep(0.01)
    choices[session_id]["mode"] = "ask"
    update(session_id, "current_mode_update", currentModeId="ask")


def told(session_id, text):
    """What the agent knows, as JSON."""
    known = {
        "prompts": stored(session_id)["prompts"],
        "cwd": stored(session_id)["cwd"],
        "pid": os.getpid(),
        "session": session_id,
        "choices": choices.get(session_id, {}),
        "environ": sorted(os.environ),
    }
    say(session_id, json.dumps(known))


def linked(session_id, text):
    link = {"type": "resource_link", "uri": "file:///a.txt", "name": "a.txt"}
    update(session_id, "agent_message_chunk", content=link)
    update(session_id, "agent_message_chunk", content={"type": "resource", "resource": {"text": " inside"}})
    update(session_id, "agent_message_chunk", content={"type": "image", "mimeType": "image/png", "data": PIXEL})


SCENES = {
    name: value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__code__", None) and value.__code__.co_varnames[:2] == ("session_id", "text")
} | {
    "limit": lambda session_id, text: say(session_id, "Half of") or "max_tokens",
    "turns": lambda session_id, text: "max_turn_requests",
    "odd": lambda session_id, text: 5,
}


# Requests


def initialize(_params):
    if "--slow" in SWITCHES:
        (FOLDER / "pid").write_text(str(os.getpid()))
        while not (FOLDER / "start").exists():
            time.sleep(0.01)
    if "--odd-capabilities" in SWITCHES:
        return {"protocolVersion": "one", "agentCapabilities": [], "agentInfo": 5}
    if "--odd-start" in SWITCHES:
        return [None]
    if "--refuses-to-start" in SWITCHES:
        raise Failure({"code": -32000, "message": "Authentication required", "data": {"details": "no key"}})
    able = {} if "--no-list" in SWITCHES else {"list": {}, "close": {}}
    if SWITCHES & {"--resume", "--resume-is-missing"}:
        able["resume"] = {}
    eyes = {"promptCapabilities": {"image": "--sees" in SWITCHES}}
    name = "gemini-cli" if "--gemini" in SWITCHES else "scripted-agent"
    return {
        "protocolVersion": 2 if "--version-2" in SWITCHES else 1,
        "agentCapabilities": {"loadSession": "--no-load" not in SWITCHES, "sessionCapabilities": able, **eyes},
        "agentInfo": None if "--nameless" in SWITCHES else {"name": name, "title": "Scripted", "version": "1"},
    }


def new(params):
    if "--no-session" in SWITCHES:
        raise Failure({"code": 401, "message": "Bad key"})
    session_id = f"s{len(list(FOLDER.glob('*.session')))}-{os.getpid()}"
    if "--same-id" in SWITCHES:
        session_id = "always-this"
    if "--odd-id" in SWITCHES:
        return {"sessionId": 5}
    store(session_id, {"cwd": params["cwd"], "prompts": [], "said": []})
    commands = [{"name": "compact", "description": "Make it short"}]
    if "--many-commands" in SWITCHES:
        commands += [{"name": "compare", "description": "Two files"}, {"name": "review", "description": "Read it all"}]
    update(session_id, "available_commands_update", availableCommands=commands)
    return {"sessionId": session_id, **offered(session_id)}


def offered(session_id):
    chosen = choices.setdefault(session_id, {"mode": "ask", "model": "small"})
    modes = [{"id": "ask", "name": "Ask"}, {"id": "plan", "name": "Plan only"}]
    if "--modes" in SWITCHES:
        models = [{"modelId": "small", "name": "Small"}, {"modelId": "large", "name": "Large"}]
        return {
            "modes": {"currentModeId": chosen["mode"], "availableModes": modes},
            "models": {"currentModelId": chosen["model"], "availableModels": models},
        }
    if "--options" in SWITCHES:
        return {"configOptions": config_options(session_id)}
    return {}


def config_options(session_id):
    chosen = choices[session_id]
    group = {"group": "g", "name": "All", "options": [{"value": "large", "name": "Large"}]}
    modes = [{"value": "ask", "name": "Ask"}, {"value": "plan", "name": "Plan only"}]
    models = [{"value": "small", "name": "Small"}, group]
    return [
        {"id": "mode", "name": "Mode", "type": "select", "currentValue": chosen["mode"], "options": modes},
        {"id": "model", "name": "Model", "type": "select", "currentValue": chosen["model"], "options": models},
        {"id": "fast", "name": "Fast", "type": "boolean", "currentValue": True},
    ]


def set_choice(params, name, value):
    if "--stubborn" in SWITCHES:
        raise Failure({"code": -32603, "message": "Not now"})
    while "--late-to-choose" in SWITCHES and not (FOLDER / "choose").exists():
        time.sleep(0.01)
    if "--then-refuses" in SWITCHES:
        raise Failure({"code": -32603, "message": "Not now"})
    choices[params["sessionId"]][name] = params[value]
    if "--options" in SWITCHES:
        return {"configOptions": config_options(params["sessionId"])}
    return {}


def replay(session_id, session):
    if "--has-saved-nothing" in SWITCHES:
        return
    for prompt, answer in zip(session["prompts"], session["said"], strict=False):
        update(session_id, "user_message_chunk", content={"type": "text", "text": prompt[:5]}, messageId=f"u{prompt}")
        update(session_id, "user_message_chunk", content={"type": "text", "text": prompt[5:]}, messageId=f"u{prompt}")
        if "--reminds" in SWITCHES:
            reminder = "<system-reminder>\nIt is Monday.\n</system-reminder>"
            update(session_id, "user_message_chunk", content={"type": "text", "text": reminder})
        say(session_id, "Hm.")
        update(session_id, "tool_call", toolCallId="old", title="Old call", status="completed")
        say(session_id, answer)


def load(params):
    session = stored(params["sessionId"])
    if "--load-dies" in SWITCHES:
        os._exit(4)
    if session is None or "--load-fails" in SWITCHES:
        raise Failure({"code": -32002, "message": "Session not found"})
    if "--late-replay" in SWITCHES:
        threading.Timer(0.1, replay, (params["sessionId"], session)).start()
    elif "--very-late-replay" in SWITCHES:  # so that no answer overtakes it
        begun = running.setdefault(params["sessionId"], threading.Lock())
        begun.acquire()
        threading.Timer(0.6, lambda: (replay(params["sessionId"], session), begun.release())).start()
    else:
        replay(params["sessionId"], session)
    return offered(params["sessionId"])


def resume(params):
    if "--resume-is-missing" in SWITCHES:
        raise Failure({"code": -32601, "message": "Method not found"})
    if stored(params["sessionId"]) is None:
        raise Failure({"code": -32602, "message": "Unknown"})
    return offered(params["sessionId"])


def listed(params):
    paths = sorted(FOLDER.glob("*.session"))
    if "--lists-by-folder" in SWITCHES:
        paths = [path for path in paths if stored(path.stem)["cwd"] == params.get("cwd", "/nowhere")]
    start = int(params.get("cursor") or 0)
    page = [
        {
            "sessionId": path.stem,
            "cwd": stored(path.stem)["cwd"],
            "title": path.stem,
            "updatedAt": f"2026-01-{number:02}",
        }
        for number, path in enumerate(paths[start : start + 2], start + 1)
    ]
    return {"sessions": page, **({"nextCursor": str(start + 2)} if start + 2 < len(paths) else {})}


def primed(text: str) -> list[list[str]]:
    """The conversation that a new session was given, as (role, text)."""
    told = text.partition("<conversation>\n")[2].rpartition("\n</conversation>")[0]
    said = [part.partition(": ") for part in told.split("\n\n") if part]
    return [["user" if name == "User" else "assistant", words] for name, _, words in said]


def prompt(params):
    session_id = params["sessionId"]
    text = params["prompt"][0]["text"]
    with running.setdefault(session_id, threading.Lock()):
        cancelled[session_id] = threading.Event()
        session = stored(session_id)
        asked = text.rpartition(NEW_MESSAGE)[2]
        turns = [*session.get("turns", []), *primed(text), ["user", asked]]
        (FOLDER / "seen.json").write_text(json.dumps(turns))
        store(session_id, {**session, "prompts": [*session["prompts"], text], "turns": turns})
        answers[session_id] = []
        scene = "endless" if "--endless" in SWITCHES else asked.split()[0].replace("-", "_")
        reason = SCENES.get(scene, echo)(session_id, asked)
        session = stored(session_id)
        said = {
            "said": [*session["said"], "".join(answers[session_id])],
            "turns": [*turns, ["assistant", "".join(answers[session_id])]],
        }
        store(session_id, {**session, **said})
    return {"stopReason": reason or "end_turn"}


METHODS = {
    "initialize": initialize,
    "session/new": new,
    "session/load": load,
    "session/resume": resume,
    "session/list": listed,
    "session/close": lambda params: {},
    "session/prompt": prompt,
    "session/set_mode": lambda params: set_choice(params, "mode", "modeId"),
    "session/set_model": lambda params: set_choice(params, "model", "modelId"),
    "session/set_config_option": lambda params: set_choice(params, params["configId"], "value"),
}


def serve(message) -> None:
    try:
        send(id=message["id"], result=METHODS[message["method"]](message["params"]))
    except Failure as failure:
        send(id=message["id"], error=failure.args[0])
    except Exception:
        traceback.print_exc()
        os._exit(9)


def main() -> None:
    if "--dies" in SWITCHES:
        sys.exit("no such model")
    if "--banner" in SWITCHES:
        raw(b"Welcome to the agent!")
    log = (FOLDER / "received.jsonl").open("a")
    for line in sys.stdin:
        message = json.loads(line)
        log.write(line)
        log.flush()
        if "method" not in message:
            if str(message["id"]) in replies:
                replies[str(message["id"])].put(message)
        elif message["method"] == "session/cancel":
            cancelled.setdefault(message["params"]["sessionId"], threading.Event()).set()
        else:
            threading.Thread(target=serve, args=(message,), daemon=True).start()
    if "--stays" in SWITCHES:
        time.sleep(3600)


if __name__ == "__main__":
    main()
