"""Servers that answer anything: what providers make of it is an answer, or a line."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
from hostile_support import Findings, Guests, bind, made, requests_of

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
