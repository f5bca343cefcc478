"""Servers that answer anything: what providers make of it is an answer, or a line."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
from hostile_support import Findings, Guests, bind, made, requests_of, resident_bytes

from host.providers.base import ProviderError

Serve = Callable[[Callable[[socket.socket], object]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Listens, and has each connection handled by a function; the port."""
    with contextlib.ExitStack() as listening:

        def start(handle: Callable[[socket.socket], object]) -> int:
            listener = listening.enter_context(socket.create_server(("127.0.0.1", 0)))

            def accept() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        threading.Thread(target=run, args=(listener.accept()[0],), daemon=True).start()

            def run(connection: socket.socket) -> None:
                with connection, contextlib.suppress(OSError):
                    handle(connection)

            threading.Thread(target=accept, daemon=True).start()
            port: int = listener.getsockname()[1]
            return port

        yield start


REDIS_REPLIES = (
    b"+OK\r\n",
    b":5\r\n",
    b"$-1\r\n",
    b"$3\r\nabc\r\n",
    b"$2\r\n\xff\xfe\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*1\r\n$-1\r\n",
    b"*2\r\n:1\r\n$1\r\na\r\n",
    b"*1\r\n*1\r\n$3\r\n1-0\r\n",
    b"*1\r\n*2\r\n$3\r\n1-0\r\n*1\r\n$1\r\na\r\n",
    b"?\r\n",
    b"*1\r\n*2\r\n$1\r\nx\r\n*0\r\n",
    b"*1\r\n-ERR in\r\n",
    b"*1\r\n" * 3000 + b":1\r\n",
    b"-ERR \x1b[31m\r\n",
    b"-\r\n",
    b"-NOSCRIPT\r\n",
    b"-WRONGTYPE\r\n",
    b"-MOVED 1 h:1\r\n",
    b"\r\n",
    b":x\r\n",
    b"$x\r\n",
    b"*x\r\n",
    b"$-5\r\n",
    b"%1\r\n",
    b":" + b"9" * 6000 + b"\r\n",
)
REDIS_REQUESTS: dict[str, list[Any]] = {
    "Add": ["k", 1], "Set": ["k", "v", 0], "Push": ["k", "v"], "Range": ["k", 0, -1], "ListItemDelete": ["k", "v"],
    "SetAdd": ["k", "v"], "SetRemove": ["k", "v"], "SetUnion": [["k", "l"]], "SetIntersection": [["k", "l"]],
    "WriteEvent": ["", "s", {"a": "b"}], "QueryStream": ["s", None, 0],
}  # fmt: skip


@pytest.mark.parametrize("name", ["keyvalue_redis", "eventstreams_redis"])
def test_a_redis_server_that_answers_anything(name: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.providers.redis_client.RETRY_SECONDS", 0.0)
    reply = b""

    def handle(connection: socket.socket) -> None:
        while data := connection.recv(65536):
            if b"PING" in data:
                connection.sendall(b"+PONG\r\n")
            elif b"SETINFO" in data or b"SELECT" in data:
                connection.sendall(b"+OK\r\n" * (data.count(b"\r\n*") + 1))
            else:
                connection.sendall(reply)

    provider = made(name, Guests())
    bind(provider, "M", {"URL": f"redis://127.0.0.1:{serve(handle)}/", "TIMEOUT": "1"})
    with Findings(seconds=5) as findings:
        for operation in requests_of(provider):
            payload = msgpack.packb(REDIS_REQUESTS.get(operation, ["k"]))
            for reply in REDIS_REPLIES:
                findings.call(f"{operation} {reply[:40]!r}", lambda: provider.handle_call("M", operation, payload))  # noqa: B023
    provider.stop()
    assert not findings.found


def answer(head: bytes, body: bytes = b"", length: bytes = b"") -> bytes:
    return b"HTTP/1.1 " + head + b"\r\nContent-Length: " + (length or b"%d" % len(body)) + b"\r\n\r\n" + body


def listing(entry: bytes) -> bytes:
    return answer(b"200 OK", b"<ListBucketResult><Contents>" + entry + b"</Contents></ListBucketResult>")


S3_ANSWERS = (
    answer(b"200 OK"),
    answer(b"204 OK"),
    answer(b"200 OK\r\nETag: x", b"hello"),
    answer(b"404 x"),
    answer(b"403 \x1b[31m"),
    answer(b"200 OK\r\nETag: x\r\nLast-Modified: garbage"),
    answer(b"200 OK", length=b"abc"),
    answer(b"200 OK", length=b"-7"),
    answer(b"206 OK\r\nETag: x", b"hello", b"5000"),
    answer(b"200 OK", b"<a>"),
    answer(b"200 OK", b"<a>" * 5000),
    b"x\r\n\r\n",
    b"",
    answer(b"400 x", b"<Error><Code>\xff</Code></Error>"),
    answer(b"400 x", b"<Error><Code>\n&#27;</Code></Error>"),
    listing(b"<Key>a</Key>"),
    listing(b"<Size>5</Size>"),
    listing(b"<Key>a</Key><Size>x</Size>"),
    listing(b"<Key>a</Key><Size>-5</Size>"),
)
S3_REQUESTS: dict[str, list[Any]] = {
    "CreateContainer": ["box"], "RemoveContainer": ["box"], "ListObjects": ["box"], "RemoveObject": ["b", "box", 0],
    "GetObjectInfo": ["b", "box", 0], "StartUpload": [0, "box", "b", 4, 2], "GetUploadInfo": ["b", "box", 0],
    "UploadChunk": [0, "box", "b", 4, 2, None, b"ab"], "StartDownload": ["b", "box", 2],
}  # fmt: skip


def s3_provider(port: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    from botocore.retries.standard import ExponentialBackoff

    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0)
    provider = made("blobstore_s3", Guests())
    keys = {"AWS_ACCESS_KEY": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    bind(provider, "M", {"ENDPOINT": f"http://127.0.0.1:{port}", "TIMEOUT": "1", **keys})
    return provider


def test_an_s3_storage_that_answers_anything(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = b""

    def handle(connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        connection.sendall(sent)

    provider = s3_provider(serve(handle), monkeypatch)
    with Findings(seconds=10) as findings:
        for operation in requests_of(provider):
            payload = msgpack.packb(S3_REQUESTS[operation])
            for sent in S3_ANSWERS:
                findings.call(f"{operation} {sent[:60]!r}", lambda: provider.handle_call("M", operation, payload))  # noqa: B023
    provider.stop()
    assert not findings.found


def test_an_s3_storage_that_sends_other_bytes(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of an object, and then what has no end."""

    def handle(connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        if data.startswith(b"HEAD"):
            connection.sendall(answer(b"200 OK\r\nETag: x", length=b"%d" % 2**33))
            return
        connection.sendall(answer(b"200 OK\r\nETag: x", length=b"%d" % 2**33))
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(bytes(2**16))

    provider = s3_provider(serve(handle), monkeypatch)
    storage = provider._bound["M"].place.storage
    reader = storage.open("box", "b")
    assert reader.size == 2**33
    assert reader.read(0, 10) == bytes(10)
    with pytest.raises(ProviderError, match="cannot be read: the storage answers as S3 does not"):
        reader.read(2**32, 10)
    provider.stop()


def nats_info(**fields: Any) -> bytes:
    known = {"server_id": "x", "version": "2.10.0", "proto": 1, "max_payload": 2**20, "headers": True}
    return b"INFO " + json.dumps(known | fields).encode() + b"\r\n"


NATS_GREETINGS = (
    b"",
    b"INFO []\r\n",
    b"INFO 5\r\n",
    b"INFO " + b"[" * 100_000 + b"\r\n",
    b"HTTP/1.1\r\n",
    b"\xff\xfe\r\n",
    b"a" * 2**21,
    b"-ERR '\x1b[31m'\r\n",
    nats_info(max_payload="x"),
    nats_info(max_payload=-1),
    nats_info(nonce=5),
    nats_info(connect_urls=["nats://evil:1", "\x1b"]),
    nats_info(version="x.y.z", headers=5, client_id="\x1b[31m"),
)
NATS_LINES = (
    b"MSG a 1 5\r\nhello\r\n",
    b"MSG a 1 99999999999999\r\nhello",
    b"MSG " + b"a" * 2**21,
    b"MSG \xff\x1b 1 5\r\nhello\r\n",
    b"MSG a 99 5\r\nhello\r\n",
    b"HMSG a 1 5 3\r\nhello\r\n",
    b"HMSG a 1 12 17\r\nNATS/1.0\r\n\r\nhello\r\n",
    b"HMSG a 1 20 20\r\nNATS/1.0 \xff\xff\r\nx\r\n\r\n\r\n",
    b"-ERR '\x1b[31m'\r\n",
    b"-ERR 'Permissions Violation for Publish to \"a\"'\r\n",
    b"PONG\r\n" * 100,
    b"PING\r\n" * 1000,
    b"INFO []\r\n",
    b"INFO {\r\n",
    b"INFO \xff\r\n",
    bytes(100),
)


def test_a_nats_server_that_sends_anything(serve: Serve) -> None:
    greeting, line = b"", b""

    def handle(connection: socket.socket) -> None:
        connection.sendall(greeting)
        while data := connection.recv(65536):
            if b"PING" in data:
                connection.sendall(b"PONG\r\n")
            if b"PUB" in data:
                connection.sendall(line)

    provider = made("messaging_nats", Guests())
    values = {"URL": f"nats://127.0.0.1:{serve(handle)}", "TIMEOUT": "1", "SUBSCRIPTION": "a"}
    before = resident_bytes()
    with Findings(seconds=5) as findings:
        for greeting, line in [(each, b"") for each in NATS_GREETINGS] + [(nats_info(), each) for each in NATS_LINES]:
            what = f"{greeting[:40]!r} {line[:40]!r}"
            findings.call(f"bind {what}", lambda: bind(provider, "M", values))
            publish, request = msgpack.packb(["a", "", b"x"]), msgpack.packb(["a", b"x", 200])
            findings.call(f"publish {what}", lambda: provider.handle_call("M", "Publish", publish))  # noqa: B023
            findings.call(f"request {what}", lambda: provider.handle_call("M", "Request", request))  # noqa: B023
        findings.call("stop", provider.stop)
    assert not findings.found
    assert resident_bytes() - before < 2**27


@pytest.mark.parametrize("start", [b"MSG a 1 17179869184\r\n", b"MSG a"])
def test_a_nats_message_without_an_end(serve: Serve, start: bytes) -> None:
    """What is claimed to be 16 GiB, or has no end of its line, is not waited for."""
    sent, ended = 0, threading.Event()

    def handle(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(nats_info())
        while b"PING" not in connection.recv(65536):
            pass
        try:
            connection.sendall(b"PONG\r\n" + start)
            while sent < 2**28:
                connection.sendall(b"a" * 2**16)
                sent += 2**16
        finally:
            ended.set()

    provider = made("messaging_nats", Guests())
    # Whether the server was there for a moment is a matter of chance.
    with contextlib.suppress(ProviderError):
        bind(provider, "M", {"URL": f"nats://127.0.0.1:{serve(handle)}", "TIMEOUT": "2", "SUBSCRIPTION": "a"})
    assert ended.wait(20)
    provider.stop()
    assert sent < 2**26
