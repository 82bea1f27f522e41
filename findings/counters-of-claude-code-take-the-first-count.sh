#!/usr/bin/env bash
# claude-code-log 1.7.0 and claude-monitor 4.0.0 (PyPI) and ccusage 18.0.11 (npm): tokens counted from Claude Code's transcripts.
#
# Guess: Claude Code writes an answer as several lines, one for each block (thinking, text, a tool's call), all with the same
# message id and request id, and with a `usage` each. A counter takes such lines together and counts the answer once, with the last
# or largest number of output tokens, since the first lines are written while the answer is still under way.
# Seen: all three count it once, but keep the first line's number and skip the others as duplicates. It is the number from the
# beginning of the stream, usually 1. An answer that thinks, speaks and calls a tool in 500 tokens counts as 1, while input
# tokens are right, so that the report looks plausible. Output, the most expensive kind, is nearly missing from answers with tools.
# What follows: sum the largest `output_tokens` of each message id yourself, and take even that for a lower bound: some versions of
# Claude Code never write the final number. Bills come from the provider.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-compile claude-code-log==1.7.0 claude-monitor==4.0.0 2>/dev/null
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ccusage@18.0.11 2>/dev/null

cat >count.py <<'PY'
import datetime, json, os, pathlib, re, subprocess

NOW = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=60)
TRANSCRIPT = pathlib.Path("claude/projects/-home-ada/11111111-1111-4111-8111-111111111111.jsonl")

def line(number, kind, message, **more):
    return json.dumps({
        "type": kind, "uuid": f"u{number}", "parentUuid": f"u{number - 1}" if number else None, "isSidechain": False,
        "userType": "external", "cwd": "/home/ada", "sessionId": TRANSCRIPT.stem, "version": "2.1.0", "gitBranch": "",
        "timestamp": (NOW + datetime.timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z"), "message": message, **more})

BLOCKS = [
    ({"type": "thinking", "thinking": "I need the files.", "signature": "s"}, 1),
    ({"type": "text", "text": "Let me look."}, 1),
    ({"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls", "description": "List"}}, 500),
]

def lines():
    yield line(0, "user", {"role": "user", "content": "Which files are there?"})
    for number, (block, tokens) in enumerate(BLOCKS, 1):
        usage = {
            "input_tokens": 100, "output_tokens": tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        yield line(number, "assistant", {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-20250514", "content": [block],
            "stop_reason": "tool_use" if tokens > 1 else None, "stop_sequence": None, "usage": usage}, requestId="req_1")

def told_by(*command):
    environment = {**os.environ, "HOME": os.getcwd(), "CLAUDE_CONFIG_DIR": os.path.abspath("claude")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

TRANSCRIPT.parent.mkdir(parents=True)
TRANSCRIPT.write_text("\n".join(lines()) + "\n", encoding="utf-8")

told_by("env/bin/claude-code-log", str(TRANSCRIPT), "--output", "log.html", "--format", "html")
shown = re.findall(r"Input: (\d+) \| Output: (\d+)", pathlib.Path("log.html").read_text(encoding="utf-8"))
print(f"claude-code-log: input {sum(int(i) for i, _ in shown)}, output {sum(int(o) for _, o in shown)}")

report = told_by("env/bin/claude-monitor", "--view", "daily", "--once", "--output", "json", "--timezone", "UTC",
                 "--data-paths", "claude/projects")
tokens = json.loads(report)["local"]["tokens"]
print(f"claude-monitor: input {tokens['input_tokens']}, output {tokens['output_tokens']}")

totals = json.loads(told_by("node_modules/.bin/ccusage", "daily", "--offline", "--json"))["totals"]
print(f"ccusage: input {totals['inputTokens']}, output {totals['outputTokens']}")
PY
seen=$(PYTHONIOENCODING=utf-8 timeout 100 env/bin/python count.py)
echo "$seen"
expected="claude-code-log: input 100, output 1
claude-monitor: input 100, output 1
ccusage: input 100, output 1"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
