#!/usr/bin/env bash
# a2wsgi 1.10.10 under uvicorn 0.54.0, hypercorn's own WSGI support (0.18.0), beside gunicorn 27.0.1 (gthread) and granian 2.8.9:
# whether a streaming WSGI response ends when its reader leaves.
#
# Guess: a server that runs a WSGI application notices a closed connection within a write or two, and calls the response's close(),
# as PEP 3333 requires. So an event stream ends at about the time its browser tab is closed.
# Seen: gunicorn and granian do so within a second. a2wsgi and hypercorn keep iterating over the generator forever, ten times a
# second here, with nobody reading: each closed tab occupies a worker thread until the server exits.
# What follows: under these two, a stream has to end by itself after some time, and its reader has to reconnect.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check a2wsgi==1.10.10 uvicorn==0.54.0 hypercorn==0.18.0 \
  gunicorn==27.0.1 granian==2.8.9 2>/dev/null

cat >streams.py <<'PY'
import os, time

def wsgi(environ, start_response):
    def events():
        try:
            while True:
                yield b"data: still here\n\n"
                time.sleep(0.1)
        finally:
            open(os.environ["CLOSED"], "w").close()

    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return events()

def asgi():
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(wsgi)
PY
cat >leave.py <<'PY'
import os, pathlib, signal, socket, subprocess, sys, time

SERVERS = {
    "gunicorn": "gunicorn --worker-class gthread --threads 4 --bind 127.0.0.1:{port} streams:wsgi",
    "granian": "granian --interface wsgi --blocking-threads 4 --host 127.0.0.1 --port {port} streams:wsgi",
    "a2wsgi": "uvicorn --factory --host 127.0.0.1 --port {port} streams:asgi",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} wsgi:streams:wsgi",
}
PATIENCE = 8

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()

def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True

for name, command in SERVERS.items():
    port, closed = free_port(), pathlib.Path(f"closed-{name}")
    argv = command.format(port=port).split()
    argv[0] = str(pathlib.Path("env/bin") / argv[0])
    server = subprocess.Popen(
        argv, env={**os.environ, "CLOSED": str(closed.absolute())}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        assert until(lambda: answers(port), 20), f"{name} did not start"
        closed.unlink(missing_ok=True)
        with socket.create_connection(("127.0.0.1", port), 5) as reader:
            reader.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while b"still here" not in received:
                received += reader.recv(4096)
        ended = until(closed.exists, PATIENCE)
        print(f"{name}: {'ended' if ended else f'still streaming after {PATIENCE} s'}")
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
PY
seen=$(timeout 150 env/bin/python leave.py)
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("gunicorn", "granian", "a2wsgi", "uvicorn", "hypercorn")), sep=", ")'
echo "$seen"
expected="gunicorn: ended
granian: ended
a2wsgi: still streaming after 8 s
hypercorn: still streaming after 8 s"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
