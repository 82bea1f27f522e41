#!/usr/bin/env bash
# Flask 3.1.3 behind a2wsgi 1.10.10 (uvicorn 0.54.0), uvicorn's own WSGI support and hypercorn 0.18.0, beside gunicorn 27.0.1,
# granian 2.8.9 and waitress 3.0.2: a form sent with chunked encoding, without a Content-Length.
#
# Guess: HTTP/1.1 lets a client send a body in chunks (curl does for `-T -`, and so do proxies that do not buffer requests). A WSGI
# server passes it on, so request.form is the same under each server.
# Seen: gunicorn and granian set wsgi.input_terminated, waitress sets CONTENT_LENGTH, and the form arrives. The three ASGI bridges
# do neither: Werkzeug then assumes that the body is empty, and the view gets a form with no fields and no error, although the whole
# body is available in wsgi.input.
# What follows: under a bridge, set environ["wsgi.input_terminated"] in a middleware (all three end the stream properly), or respond
# with 411 if Transfer-Encoding is present and neither is set. Do not treat a missing field as an empty message.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check flask==3.1.3 a2wsgi==1.10.10 uvicorn==0.54.0 hypercorn==0.18.0 \
  gunicorn==27.0.1 granian==2.8.9 waitress==3.0.2 2>/dev/null

cat >forms.py <<'PY'
import flask

app = flask.Flask(__name__)

@app.post("/")
def form():
    waiting = "" if flask.request.form else f"; unread in wsgi.input: {flask.request.environ['wsgi.input'].read()}"
    return f"{flask.request.form.to_dict()}{waiting}"

def bridge():
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(app)
PY
cat >send.py <<'PY'
import http.client, os, pathlib, signal, socket, subprocess, time

SERVERS = {
    "gunicorn": "gunicorn --bind 127.0.0.1:{port} forms:app",
    "granian": "granian --interface wsgi --host 127.0.0.1 --port {port} forms:app",
    "waitress": "waitress-serve --listen 127.0.0.1:{port} forms:app",
    "a2wsgi": "uvicorn --factory --host 127.0.0.1 --port {port} forms:bridge",
    "uvicorn": "uvicorn --interface wsgi --host 127.0.0.1 --port {port} forms:app",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} wsgi:forms:app",
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

for name, command in SERVERS.items():
    port = free_port()
    argv = command.format(port=port).split()
    argv[0] = str(pathlib.Path("env/bin") / argv[0])
    server = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        client.request("POST", "/", iter([b"message=", b"hello"]), headers, encode_chunked=True)
        response = client.getresponse()
        print(f"{name}: {response.status} {response.read().decode()}")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
PY
seen=$(timeout 150 env/bin/python send.py)
env/bin/python -c 'from importlib.metadata import version
names = ("flask", "werkzeug", "gunicorn", "granian", "waitress", "a2wsgi", "uvicorn", "hypercorn")
print(*(f"{name} {version(name)}" for name in names), sep=", ")'
echo "sent, in chunks: message=hello"
echo "$seen"
expected="gunicorn: 200 {'message': 'hello'}
granian: 200 {'message': 'hello'}
waitress: 200 {'message': 'hello'}
a2wsgi: 200 {}; unread in wsgi.input: b'message=hello'
uvicorn: 200 {}; unread in wsgi.input: b'message=hello'
hypercorn: 200 {}; unread in wsgi.input: b'message=hello'"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
