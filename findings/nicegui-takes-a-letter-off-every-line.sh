#!/usr/bin/env bash
# nicegui 3.18.0 with markdown2 2.5.5, and gradio 6.31.0 with gradio_client 2.7.2 (PyPI): an answer whose lines begin with spaces.
#
# Guess: a chat page shows the text of an answer as the model wrote it. Spaces at its beginning (the first token of many models has
# one) make no difference in Markdown, or make an indented code block.
# Seen: both treat an answer like a text literal in source code, and dedent it. NiceGUI's ui.markdown(), which its chat examples
# use, counts the spaces of the first line and removes that many characters from every line, including letters: after " Sure" each
# line has lost its first letter and each list its numbers. Gradio's Chatbot uses inspect.cleandoc(): the tabs of a Makefile become
# spaces, "  - part" moves up to its parent's level, and anyone who copies the code gets a broken copy.
# What follows: strip the first line's spaces before you pass the text to NiceGUI, and have no code before the first sentence. In
# Gradio, begin the answer with a fence or a line of words that is not indented, and do not expect tabs to survive. This project
# shows and copies what the model wrote.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check nicegui==3.18.0 markdown2==2.5.5 gradio==6.31.0 gradio_client==2.7.2 \
  2>/dev/null

cat >show_nicegui.py <<'PY'
import re, socket, threading, time, urllib.request
from nicegui import app, ui

ANSWERS = ["Sure:\n\n1. Open it\n2. Save it\n\nThat is all.", " Sure:\n\n1. Open it\n2. Save it\n\nThat is all.",
           "    pip install it\n\nThen restart."]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

@ui.page("/")
def page():
    for answer in ANSWERS:
        shown = ui.markdown(answer).props["innerHTML"]
        print(f"nicegui: {answer!r} -> {' '.join(re.sub('<[^>]*>', ' ', shown).split())}", flush=True)
    app.shutdown()

def look():
    for _ in range(100):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()
        except OSError:
            time.sleep(0.2)

threading.Thread(target=look, daemon=True).start()
ui.run(host="127.0.0.1", port=port, show=False, reload=False, show_welcome_message=False)
PY
cat >show_gradio.py <<'PY'
import gradio
from gradio_client import Client

ANSWERS = ["A Makefile:\n\n```\nall:\n\tcc main.c\n```", "- list\n  - part\n  - part", "  if a:\n    b()"]
with gradio.Blocks() as page:
    text, chat = gradio.Textbox(), gradio.Chatbot()
    gradio.Button().click(lambda answer: [{"role": "assistant", "content": answer}], text, chat, api_name="show")
page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
client = Client(page.local_url, verbose=False)
for answer in ANSWERS:
    print(f"gradio: {answer!r} -> {client.predict(answer, api_name='/show')[0]['content'][0]['text']!r}")
page.close()
PY
seen=$(timeout 100 env/bin/python show_nicegui.py 2>/dev/null | grep nicegui:
  GRADIO_ANALYTICS_ENABLED=False timeout 100 env/bin/python show_gradio.py 2>/dev/null | grep gradio:)
echo "$seen"
expected=$(cat <<'TEXT'
nicegui: 'Sure:\n\n1. Open it\n2. Save it\n\nThat is all.' -> Sure: Open it Save it That is all.
nicegui: ' Sure:\n\n1. Open it\n2. Save it\n\nThat is all.' -> Sure: . Open it . Save it hat is all.
nicegui: '    pip install it\n\nThen restart.' -> pip install it restart.
gradio: 'A Makefile:\n\n```\nall:\n\tcc main.c\n```' -> 'A Makefile:\n\n```\nall:\n        cc main.c\n```'
gradio: '- list\n  - part\n  - part' -> '- list\n- part\n- part'
gradio: '  if a:\n    b()' -> 'if a:\nb()'
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
