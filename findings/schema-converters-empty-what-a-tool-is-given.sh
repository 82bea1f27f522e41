#!/usr/bin/env bash
# jambo 0.2.0.post1 and json-schema-to-pydantic 0.5.0 (PyPI, with pydantic 2.14.4), @dmitryrechkin/json-schema-to-zod 1.0.1 and
# @n8n/json-schema-to-zod 1.16.0 (npm, with zod 3.25.76): the arguments of a tool, checked with a class or schema that was made
# from the tool's JSON Schema.
#
# Guess: arguments that fit the tool's schema are accepted, and come out as they went in.
# Seen: an object of free form, such as a filter, or labels with `additionalProperties`, is emptied by jambo without an error: a
# search runs without its filter. @dmitryrechkin's refuses such a filter, as if a missing `additionalProperties` meant false.
# A list with `uniqueItems` becomes a set in both Python packages: steps come out in an order of chance.
# What follows: check with the schema itself (jsonschema, ajv) and pass on the arguments that you were given, not the dump of a
# converted class. zod's own fromJSONSchema, since version 4, has all of this right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-compile jambo==0.2.0.post1 json-schema-to-pydantic==0.5.0 \
  pydantic==2.14.4 2>/dev/null
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @dmitryrechkin/json-schema-to-zod@1.0.1 @n8n/json-schema-to-zod@1.16.0 zod@3.25.76 \
  zod4@npm:zod@4.6.7 2>/dev/null

cat >cases.json <<'JSON'
{
  "free form": [{"filter": {"type": "object"}}, {"filter": {"name": "Ada"}}],
  "labels": [{"labels": {"type": "object", "additionalProperties": {"type": "string"}}}, {"labels": {"env": "test"}}],
  "steps": [{"steps": {"type": "array", "items": {"type": "string"}, "uniqueItems": true}}, {"steps": ["z", "y", "x", "b", "a"]}]
}
JSON
cat >check.py <<'PY'
import json
from jambo import SchemaConverter
from json_schema_to_pydantic import create_model

CASES = json.load(open("cases.json", encoding="utf-8"))
for package, convert in (("jambo", SchemaConverter.build), ("json-schema-to-pydantic", create_model)):
    print(package)
    for case, (properties, arguments) in CASES.items():
        schema = {"title": "Arguments", "type": "object", "properties": properties, "required": list(properties)}
        try:
            passed = convert(schema)(**arguments).model_dump(by_alias=True)
        except ValueError:
            print(f"  {case}: refused")
            continue
        kept = {name: "a set" if isinstance(value, set) else value for name, value in passed.items()}
        print(f"  {case}: {json.dumps(kept, separators=(',', ':'))}")
PY
cat >check.cjs <<'JS'
const { JSONSchemaToZod } = require('@dmitryrechkin/json-schema-to-zod')
const { jsonSchemaToZod } = require('@n8n/json-schema-to-zod')
const { z } = require('zod4')
const converters = {
  '@dmitryrechkin': (schema) => JSONSchemaToZod.convert(schema),
  '@n8n': (schema) => jsonSchemaToZod(schema),
  'zod 4': (schema) => z.fromJSONSchema(schema),
}
for (const [name, convert] of Object.entries(converters)) {
  console.log(name)
  for (const [title, [properties, given]] of Object.entries(require('./cases.json'))) {
    const schema = { type: 'object', properties, required: Object.keys(properties) }
    const result = convert(schema).safeParse(given)
    console.log(`  ${title}: ${result.success ? JSON.stringify(result.data) : 'refused'}`)
  }
}
JS
seen=$(timeout 60 env/bin/python -W ignore check.py; timeout 60 node check.cjs)
echo "$seen"
expected='jambo
  free form: {"filter":{}}
  labels: {"labels":{}}
  steps: {"steps":"a set"}
json-schema-to-pydantic
  free form: {"filter":{"name":"Ada"}}
  labels: {"labels":{"env":"test"}}
  steps: {"steps":"a set"}
@dmitryrechkin
  free form: refused
  labels: {"labels":{"env":"test"}}
  steps: {"steps":["z","y","x","b","a"]}
@n8n
  free form: {"filter":{"name":"Ada"}}
  labels: {"labels":{"env":"test"}}
  steps: {"steps":["z","y","x","b","a"]}
zod 4
  free form: {"filter":{"name":"Ada"}}
  labels: {"labels":{"env":"test"}}
  steps: {"steps":["z","y","x","b","a"]}'
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
