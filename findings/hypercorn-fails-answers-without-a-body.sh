#!/usr/bin/env bash
# hypercorn 0.18.0 (PyPI), running a WSGI application (Flask 3.1.3): a response without a body becomes a 500.
#
# Guess: a WSGI application may return an empty iterable, and Flask does for 204, 304 and every HEAD request. The server then sends
# the status and the headers that were passed to start_response().
# Seen: hypercorn sends them together with the first chunk of the body. If there is none, they are dropped: the client gets a 500
# with an empty body, and the log complains about an unexpected ASGI message, without naming the view. Every 204, every 304 (so each
# image or style sheet that a browser revalidates) and every HEAD request fails. gunicorn 27.0.1 handles all of them.
# What follows: under hypercorn, wrap the application so that an empty body becomes one empty chunk (the third line).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check flask==3.1.3 hypercorn==0.18.0 gunicorn==27.0.1 2>/dev/null

cat >site.css <<'CSS'
body { color: black }
CSS
cat >bodies.py <<'PY'
import flask

app = flask.Flask(__name__)

@app.post("/seen")
def seen():
    return "", 204

@app.get("/site.css")
def style():
    return flask.send_file("site.css", conditional=True)

def wrapped(environ, start_response):
    return list(app(environ, start_response)) or [b""]
PY
cat >ask.py <<'PY'
import http.client, os, pathlib, signal, socket, subprocess, time

SERVERS = {
    "gunicorn": "gunicorn --bind 127.0.0.1:{port} bodies:app",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} wsgi:bodies:app",
    "hypercorn, wrapped": "hypercorn --bind 127.0.0.1:{port} wsgi:bodies:wrapped",
}

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

def wait_for(port):
    for _ in range(400):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    raise SystemExit("a server did not start")

def ask(port, method, path, headers={}):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request(method, path, headers=headers)
    response = client.getresponse()
    response.read()
    return response

for name, command in SERVERS.items():
    port = free_port()
    argv = command.format(port=port).split()
    argv[0] = str(pathlib.Path("env/bin") / argv[0])
    server = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        first = ask(port, "GET", "/site.css")
        again = ask(port, "GET", "/site.css", {"If-None-Match": first.getheader("ETag")})
        head, post = ask(port, "HEAD", "/site.css"), ask(port, "POST", "/seen")
        print(f"{name}: GET {first.status}, GET again {again.status}, HEAD {head.status}, POST {post.status}")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
PY
seen=$(timeout 100 env/bin/python ask.py)
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("hypercorn", "gunicorn", "flask")), sep=", ")'
echo "$seen"
expected="gunicorn: GET 200, GET again 304, HEAD 200, POST 204
hypercorn: GET 200, GET again 500, HEAD 500, POST 500
hypercorn, wrapped: GET 200, GET again 304, HEAD 200, POST 204"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
