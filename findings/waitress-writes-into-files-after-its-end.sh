#!/usr/bin/env bash
# waitress 3.0.2, beside cheroot 11.1.2 and Werkzeug 3.1.9 (PyPI): a response that ends after its server has been closed.
#
# Guess: a server that runs in a thread, as in tests or in a desktop program, can be closed while a stream of events is
# open: the stream is cut off, or ends by itself, and nothing else is touched.
# Seen: so it is with cheroot, which waits for the stream, and with Werkzeug. waitress's close() closes the pipe that
# wakes its loop but keeps the number of its descriptor, and the late response still wakes the loop: its byte goes into
# whatever the process has opened since under this number, here a file that waitress has never seen.
# What follows: before close(), end all responses and call `server.task_dispatcher.shutdown()`, or never close the server.
# Otherwise a log, a transcript or another connection can get an "x" that nobody wrote.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check waitress==3.0.2 cheroot==11.1.2 werkzeug==3.1.9 2>/dev/null

cat >late.py <<'PY'
import logging, pathlib, socket, sys, threading, time
from contextlib import suppress

logging.disable()
began, goes_on, ended = threading.Event(), threading.Event(), threading.Event()

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    yield b"data: first\n\n"
    began.set()
    goes_on.wait()
    ended.set()
    yield b"data: last\n\n"

def quietly(serve):
    with suppress(OSError):
        serve()

def waitress():
    from waitress.server import create_server

    server = create_server(application, host="127.0.0.1", port=0)
    return server.effective_port, server.run, server.close

def cheroot():
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), application, shutdown_timeout=1)
    server.prepare()
    return server.bind_addr[1], server.serve, server.stop

def werkzeug():
    from werkzeug.serving import make_server

    def close():
        server.shutdown()
        server.server_close()

    server = make_server("127.0.0.1", 0, application, threaded=True)
    return server.server_port, server.serve_forever, close

port, serve, close = globals()[sys.argv[1]]()
threading.Thread(target=quietly, args=(serve,), daemon=True).start()
reader = socket.create_connection(("127.0.0.1", port))
reader.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
began.wait()
closing = threading.Thread(target=close)
closing.start()
closing.join(3)  # cheroot waits for the response
names = [pathlib.Path(f"{number}.txt") for number in range(20)]
files = [name.open("w") for name in names]
goes_on.set()
ended.wait()
time.sleep(1)
written = sorted(name.read_text() for name in names if name.read_text())
closing.join()
print(f"{sys.argv[1]}: {len(written)} of 20 files written to {written}")
PY
seen=$(for server in cheroot werkzeug waitress; do rm -f ./*.txt; timeout 60 env/bin/python -W ignore late.py $server 2>/dev/null; done)
env/bin/python -c 'from importlib.metadata import version
print(*(f"{name} {version(name)}" for name in ("waitress", "cheroot", "werkzeug")), sep=", ")'
echo "$seen"
expected="cheroot: 0 of 20 files written to []
werkzeug: 0 of 20 files written to []
waitress: 1 of 20 files written to ['x']"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
