#!/usr/bin/env bash
# chatgpt-to-md 0.1.0, ai-conversation-exporter 0.1.0 and gpt2md 0.1, beside obsivault 0.2.0 (PyPI): ChatGPT's export as Markdown.
#
# Guess: a converter follows `current_node` back to the first message, as ChatGPT's page does, so the text is the conversation
# that the person sees. Whatever has no text, such as a picture, leaves a note.
# Seen: chatgpt-to-md and ai-conversation-exporter write all messages one after the other. A question that was edited and an
# answer that was generated again appear ahead of what replaced them, as if the person had asked both and the model had
# contradicted itself. A conversation with a single picture is skipped: there is one line about a "dict", and the exit status is
# 0. gpt2md follows the current branch, but drops a question that has a picture, with all its text, so that one answer follows
# another. obsivault does neither.
# What follows: count the conversations and their questions after a conversion, and keep the original file. This project's import
# keeps all branches, and shows the current one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check chatgpt-to-md==0.1.0 ai-conversation-exporter==0.1.0 gpt2md==0.1 \
  obsivault==0.2.0 2>/dev/null

cat >convert.py <<'PY'
import json, pathlib, re, subprocess, zipfile

def conversation(title, picture):
    """A question, an answer and its replacement, and a question that was edited, with a picture or without one."""
    nodes = {"root": {"id": "root", "message": None, "parent": None, "children": []}}

    def say(name, parent, role, *parts):
        kind = "text" if all(isinstance(part, str) for part in parts) else "multimodal_text"
        message = {
            "id": name, "author": {"role": role, "name": None, "metadata": {}}, "create_time": 1760000000.0 + len(nodes),
            "update_time": None, "content": {"content_type": kind, "parts": list(parts)}, "status": "finished_successfully",
            "end_turn": True, "weight": 1.0, "metadata": {}, "recipient": "all", "channel": None,
        }
        nodes[name] = {"id": name, "message": message, "parent": parent, "children": []}
        nodes[parent]["children"].append(name)

    image = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-a", "width": 1, "height": 1}
    say("q1", "root", "user", "What is 6 times 4?")
    say("a1", "q1", "assistant", "It is 25.")
    say("a2", "q1", "assistant", "It is 24.")
    say("q2", "a2", "user", "And 6 plus 4?")
    say("a3", "q2", "assistant", "It is 10.")
    say("q3", "a2", "user", *([image] if picture else []), "And 6 minus 4?")
    say("a4", "q3", "assistant", "It is 2.")
    return {
        "title": title, "create_time": 1760000000.0, "update_time": 1760000009.0, "mapping": nodes, "current_node": "a4",
        "conversation_id": title, "id": title, "is_archived": False, "moderation_results": [], "default_model_slug": "gpt-5",
    }

def main():
    conversations = [conversation("Plain", picture=False), conversation("Picture", picture=True)]
    pathlib.Path("conversations.json").write_text(json.dumps(conversations))
    with zipfile.ZipFile("export.zip", "w") as archive:
        archive.write("conversations.json")
    for name, command in {
        "chatgpt-to-md": ["chatgpt-to-md", "export.zip", "-o"], "ai-conversation-exporter": ["ai-export", "export.zip", "-o"],
        "gpt2md": ["gpt2md", "conversations.json", "-o"],
        "obsivault": ["obsivault", "convert", "--provider", "chatgpt", "conversations.json"],
    }.items():
        out = pathlib.Path("out-" + name)
        result = subprocess.run(["env/bin/" + command[0], *command[1:], out], capture_output=True, text=True, timeout=60)
        print(f"{name}, status {result.returncode}")
        for title in ("Plain", "Picture"):
            files = [file.read_text() for file in out.rglob("*.md") if title.lower() in file.name.lower()]
            said = re.findall(r"What is 6 times 4\?|And 6 \w+ 4\?|It is \d+\.", files[0]) if files else ["no file"]
            print(f"  {title}: {' '.join(said)}")

main()
PY
seen=$(timeout 120 env/bin/python convert.py)
echo "$seen"
expected=$(cat <<'TEXT'
chatgpt-to-md, status 0
  Plain: What is 6 times 4? It is 25. It is 24. And 6 plus 4? It is 10. And 6 minus 4? It is 2.
  Picture: no file
ai-conversation-exporter, status 0
  Plain: What is 6 times 4? It is 25. It is 24. And 6 plus 4? It is 10. And 6 minus 4? It is 2.
  Picture: no file
gpt2md, status 0
  Plain: What is 6 times 4? It is 24. And 6 minus 4? It is 2.
  Picture: What is 6 times 4? It is 24. It is 2.
obsivault, status 0
  Plain: What is 6 times 4? It is 24. And 6 minus 4? It is 2.
  Picture: What is 6 times 4? It is 24. And 6 minus 4? It is 2.
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
