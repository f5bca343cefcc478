"""Every provider that is installed, under attack: what guests send, what operators write, and what is left afterwards.

A provider of a new entry point is attacked too; if it cannot be bound without values, its `Place` stands below.
"""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from blob_support import SECRET as S3_SECRET
from hostile_support import (
    NAMES,
    SECRET,
    Findings,
    Guests,
    Place,
    bind,
    calls,
    made,
    remove,
    requests_of,
    resident_bytes,
    resources,
    settled,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servers import nats_server, s3_server

from host.providers.base import Provider, ProviderError

SECONDS = 20.0
"""No call may take longer, with the time-outs of the places below, on a machine that does much else."""
THREADS = 4
MEMORY_BYTES = 400 * 2**20
"""By how much the process may grow under attack."""
CYCLES, CYCLES_SECONDS = 25, 10.0
"""How often providers are made and removed, unless that takes too long."""

SQL = (
    "SELECT 1", "SELECT $1", "CREATE TABLE IF NOT EXISTS t (a)", "CREATE TABLE t (a text)", "INSERT INTO t VALUES ($1)",
    "INSERT INTO t VALUES ($1) RETURNING *", "SELECT * FROM t", "COMMIT", "ROLLBACK; SELECT 1", "ATTACH 'x' AS y",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT sum(n) FROM r", "DROP TABLE t", "/*", "--",
    "SELECT pg_sleep(60)", "SELECT repeat('x', 100000000)", "SELECT zeroblob(100000000)", "COPY t TO STDOUT",
)  # fmt: skip


@pytest.fixture(scope="session")
def web() -> Iterator[str]:
    """A web server that echoes, redirects in a circle, and sends garbage."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.connection.settimeout(5)
            if "garbage" in self.path:
                self.wfile.write(b"\xff\0\r\nHTTP/9.9\r\n\r\n")
                self.close_connection = True
                return
            circle = "circle" in self.path
            self.send_response(302 if circle else 200)
            self.send_header("location", self.path if circle else "")
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 — their names

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def place(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """How the provider of an entry point is bound in these tests."""
    blobs = ("box", "blob", "../blob", ".", "x" * 200)
    few = {"MAX_BLOB_BYTES": "1000000", "MAX_BYTES": "10000000", "MAX_ENTRIES": "100"}
    limits = {"TIMEOUT": "1", "MAX_ROWS": "100", "MAX_RESULT_BYTES": "100000"}
    match name:
        case "http_server" | "telnet":
            yield Place({"PORT": "0"})
        case "http_client":
            url = request.getfixturevalue("web")
            texts = (url, f"{url}/circle", f"{url}/garbage", "GET", "POST", "TRACE")
            yield Place({"allow": url, "timeout": "2"}, texts)
        case "keyvalue" | "eventstreams":
            yield Place({"PATH": str(tmp_path / "file.db"), "SYNCHRONOUS": "normal"})
        case "keyvalue_redis" | "eventstreams_redis":
            yield Place({"URL": f"redis://127.0.0.1:{request.getfixturevalue('redis').port}/", "TIMEOUT": "2"})
        case "messaging_memory":
            yield Place({"SUBSCRIPTION": "a.>,b", "MAX_PENDING": "10"}, ("a", "a.b", "b", "_INBOX.x"))
        case "messaging_nats":
            with nats_server(tmp_path) as server:
                url = f"nats://127.0.0.1:{server.port}"
                yield Place({"URL": url, "SUBSCRIPTION": "a.>,b", "TIMEOUT": "2"}, ("a", "a.b", "b", "_INBOX.x"))
        case "blobstore":
            (tmp_path / "root").mkdir()
            yield Place({"ROOT": str(tmp_path / "root"), **few}, blobs)
        case "blobstore_s3":
            with s3_server(tmp_path) as server:
                keys = {"AWS_ACCESS_KEY": "AKIA", "AWS_SECRET_ACCESS_KEY": S3_SECRET}
                yield Place({"ENDPOINT": f"http://127.0.0.1:{server.port}", "TIMEOUT": "2", **keys, **few}, blobs)
        case "sqldb":
            yield Place({"PATH": str(tmp_path / "sql.db"), "SYNCHRONOUS": "normal", **limits}, SQL)
        case "sqldb_postgresql":
            yield Place({"URL": request.getfixturevalue("new_database")(), **limits}, SQL)
        case _:
            yield Place()


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Findings]:
    """What goes wrong, which is nothing. Relative paths lead into a folder of the test."""
    monkeypatch.chdir(tmp_path)
    with Findings(SECONDS) as found:
        yield found
    assert not found.found


@pytest.mark.parametrize("name", NAMES)
def test_any_payload_is_answered_or_refused_in_a_line(name: str, place: Place, findings: Findings) -> None:
    """From several threads at once: calls of three actors, one of which comes and goes meanwhile."""
    provider = made(name, Guests())
    for actor in ("MA", "MB", "MC"):
        bind(provider, actor, place.values)
    before = resident_bytes()
    batches = st.lists(st.tuples(st.sampled_from(["MA", "MB", "MC", "MD"]), calls(provider, place.texts)), max_size=24)

    @settings(
        derandomize=True, database=None, deadline=None, max_examples=30, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(batches)
    def attack(batch: list[tuple[str, tuple[str, bytes]]]) -> None:
        def run(number: int) -> None:
            for actor, (operation, payload) in batch[number::THREADS]:
                what = f"{operation!r} {payload[:100]!r}"
                findings.call(what, lambda: provider.handle_call(actor, operation, payload))  # noqa: B023

        threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        findings.call("remove", lambda: remove(provider, "MC"))
        findings.call("bind", lambda: bind(provider, "MC", place.values))
        for thread in threads:
            thread.join()

    attack()
    findings.call("stop", provider.stop)
    assert resident_bytes() - before < MEMORY_BYTES


MAY_BE_SECRET = frozenset({"URL", "ENDPOINT", "allow", "PASSWORD"})
HOSTILE_VALUES = (
    "", "-1", "9" * 5000, "a\0b", "\x1b[31mred\r\nINFO forged", f"http://me:{SECRET}@[::1", f"nats://me:{SECRET}@h:0/x",
    f"redis://me:{SECRET}@h:1/x?{SECRET}", "/dev/null", "ä" * 300, f"postgresql://me:{SECRET}@/d?password={SECRET}",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_value_is_taken_or_refused_in_a_line(name: str, place: Place, findings: Findings) -> None:
    """A binding that is refused leaves the actor as it was, and shows no secret."""
    provider = made(name, Guests())
    names = sorted(provider.value_names) if isinstance(provider, Provider) else []
    bind(provider, "MA", place.values)
    bound = dict(place.values)
    for value_name, value in product(names, HOSTILE_VALUES):
        tried = place.values | {value_name: value}
        error = findings.call(f"{value_name} {value!r}", lambda: bind(provider, "MA", tried))  # noqa: B023
        if error is None:
            bound = tried
        elif value_name in MAY_BE_SECRET:
            assert SECRET not in str(error)
        assert not isinstance(provider, Provider) or provider.values_of("MA") == bound
    findings.call("stop", provider.stop)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_providers_that_are_removed(name: str, place: Place, findings: Findings) -> None:
    """Made, bound, used, bound again, unbound and stopped, over and over."""

    def cycle() -> None:
        provider = made(name, Guests())
        for _ in range(2):
            bind(provider, "MA", place.values)
            bind(provider, "MB", place.values)
            for operation in requests_of(provider):
                findings.call(operation, lambda: provider.handle_call("MA", operation, b"\x90"))  # noqa: B023
            bind(provider, "MA", place.values)
            remove(provider, "MA")
        provider.stop()
        provider.stop()
        with pytest.raises(ProviderError, match="is stopped"):
            bind(provider, "MA", place.values)

    cycle()
    cycle()
    before, start, count = resources(), time.monotonic(), 0
    while count < CYCLES and time.monotonic() - start < CYCLES_SECONDS:
        cycle()
        count += 1
    assert not settled(before, spare=count // 2)
