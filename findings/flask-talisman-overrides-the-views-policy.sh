#!/usr/bin/env bash
# Flask-Talisman 1.1.0 (PyPI), with Flask 3.1.3: the headers of a view are replaced by the defaults.
#
# Guess: the extension adds the security headers that a response lacks, as `response.headers.setdefault()` would. A page that sets
# its own Content-Security-Policy keeps it.
# Seen: all five headers tried are overwritten after the view, without a warning. A strict policy becomes Talisman's default policy,
# X-Frame-Options DENY becomes SAMEORIGIN, and an HSTS of a minute becomes one of a year with all subdomains. A view's own values
# count only if they are set with Talisman's own decorator.
# What follows: a package that mounts its pages in somebody else's Flask app cannot rely on the policy it sends. Document which
# policy its pages need, and pass that to Talisman, or set the headers in a WSGI middleware around the app.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check flask==3.1.3 flask-talisman==1.1.0 2>/dev/null

cat >ask.py <<'PY'
import flask
from flask_talisman import Talisman

OURS = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=()",
    "Strict-Transport-Security": "max-age=60",
}
app = flask.Flask(__name__)
talisman = Talisman(app, force_https=False)

@app.get("/plain")
def plain():
    return "page", OURS

@app.get("/decorated")
@talisman(content_security_policy=OURS["Content-Security-Policy"], frame_options="DENY")
def decorated():
    return "page", OURS

for path in ("/plain", "/decorated"):
    answer = app.test_client().get(path, base_url="https://localhost")
    print(path)
    for name, value in OURS.items():
        print(f"  {name}: {value} -> {answer.headers[name]}")
PY
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("flask-talisman", "flask")), sep=", ")'
seen=$(timeout 60 env/bin/python ask.py)
echo "$seen"
expected="/plain
  Content-Security-Policy: default-src 'none' -> default-src 'self'; object-src 'none'
  X-Frame-Options: DENY -> SAMEORIGIN
  Referrer-Policy: no-referrer -> strict-origin-when-cross-origin
  Permissions-Policy: camera=() -> browsing-topics=()
  Strict-Transport-Security: max-age=60 -> max-age=31556926; includeSubDomains
/decorated
  Content-Security-Policy: default-src 'none' -> default-src 'none'
  X-Frame-Options: DENY -> DENY
  Referrer-Policy: no-referrer -> strict-origin-when-cross-origin
  Permissions-Policy: camera=() -> browsing-topics=()
  Strict-Transport-Security: max-age=60 -> max-age=31556926; includeSubDomains"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
