#!/usr/bin/env bash
# tornado 6.6.1, aiohttp-wsgi 0.10.0 (aiohttp 3.14.5) and fastwsgi 0.0.9, beside cheroot 11.1.2, gevent 26.9.0 and twisted 26.10.0
# (PyPI): when a WSGI application's chunks reach the browser.
#
# Guess: a server sends each chunk that the application yields before it requests the next, as PEP 3333 requires ("must not delay
# the transmission of any block"). You can read a model's answer while it is being written.
# Seen: the last three do so. The first three collect all chunks, add up their length, and send everything with a Content-Length
# when the application has ended: nothing for a minute, then all at once. tornado does this with an executor, too. An event stream
# that stays open never shows anything, and the browser waits without an error. The views and their tests are fine.
# What follows: do not serve a chat with these three, and document which servers stream. This project streams under waitress, which
# it comes with, and gunicorn's gthread.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check tornado==6.6.1 aiohttp-wsgi==0.10.0 aiohttp==3.14.5 fastwsgi==0.0.9 \
  cheroot==11.1.2 gevent==26.9.0 twisted==26.10.0 2>/dev/null

cat >serve.py <<'PY'
import asyncio, sys, time
from concurrent.futures import ThreadPoolExecutor

name, port = sys.argv[1], int(sys.argv[2])

def application(environ, start_response):
    def pieces():
        for number in range(4):
            yield f"data: {number}\n\n".encode()
            time.sleep(0.5)
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return pieces()

async def tornado(executor=None):
    from tornado.httpserver import HTTPServer
    from tornado.wsgi import WSGIContainer

    HTTPServer(WSGIContainer(application, executor)).listen(port, "127.0.0.1")
    await asyncio.Event().wait()

if name == "tornado":
    asyncio.run(tornado())
elif name == "tornado-executor":
    asyncio.run(tornado(ThreadPoolExecutor(4)))
elif name == "aiohttp-wsgi":
    from aiohttp_wsgi import serve

    serve(application, host="127.0.0.1", port=port)
elif name == "fastwsgi":
    import fastwsgi

    fastwsgi.run(application, host="127.0.0.1", port=port)
elif name == "cheroot":
    from cheroot.wsgi import Server

    Server(("127.0.0.1", port), application).start()
elif name == "gevent":
    from gevent.pywsgi import WSGIServer

    WSGIServer(("127.0.0.1", port), application, log=None).serve_forever()
else:
    from twisted.internet import reactor
    from twisted.web.server import Site
    from twisted.web.wsgi import WSGIResource

    reactor.listenTCP(port, Site(WSGIResource(reactor, reactor.getThreadPool(), application)), interface="127.0.0.1")
    reactor.run()
PY
cat >read.py <<'PY'
import http.client, socket, subprocess, sys, time

def connect(port):
    for _ in range(150):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.2)

for name in ("tornado", "tornado-executor", "aiohttp-wsgi", "fastwsgi", "cheroot", "gevent", "twisted"):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "serve.py", name, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connect(port)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.request("GET", "/")
        answer = client.getresponse()
        times = []
        while answer.readline():
            times.append(time.monotonic())
        together = times[-1] - times[0] < 0.5
        print(f"{name}: {'all together' if together else 'piece by piece'}, Content-Length: {answer.getheader('Content-Length')}")
    finally:
        server.kill()
        server.wait()
PY
seen=$(timeout 200 env/bin/python read.py)
echo "$seen"
expected="tornado: all together, Content-Length: 36
tornado-executor: all together, Content-Length: 36
aiohttp-wsgi: all together, Content-Length: 36
fastwsgi: all together, Content-Length: 36
cheroot: piece by piece, Content-Length: None
gevent: piece by piece, Content-Length: None
twisted: piece by piece, Content-Length: None"
[ "$seen" = "$expected" ] || { echo "This has changed."; exit 1; }
