"""HTTP requests as the actor sees them, and its responses as the client sees them, through a real server."""

import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from host_support import Identities, compile_wat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host import Actor, Host
from host.actor_settings import ActorSettings
from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.http import Request, Response, ok
from host.providers.http_server import HttpServerProvider
from host.providers.http_server.exchange import ResponseRefused, reply_of
from wascap import ActorMetadata, Claims, sign

ACTOR = "MACTOR"


class Actors:
    """One actor, which records its requests and answers with `answer(request)`, or with those bytes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Any] = lambda request: ok(b"hello")

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        assert (actor, operation) == (ACTOR, "HandleRequest")
        request = decode(Request, payload)
        self.requests.append(request)
        answer = self.answer(request)
        return answer if isinstance(answer, bytes) else encode(answer)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[HttpServerProvider, Actors]]:
    provider, actors = HttpServerProvider(), Actors()
    provider.configure_dispatch(actors)
    values = {"PORT": "0", "MAX_BODY_BYTES": "100000"}
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration(ACTOR, values)))
    yield provider, actors
    provider.stop()


@pytest.fixture
def actors(served: tuple[HttpServerProvider, Actors]) -> Actors:
    served[1].__init__()  # type: ignore[misc]
    return served[1]


@pytest.fixture
def address(served: tuple[HttpServerProvider, Actors]) -> tuple[str, int]:
    return served[0].address(ACTOR)


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[httpx.Client]:
    # A bare context, so that not every test loads the certificates that none of them needs.
    no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with httpx.Client(base_url=f"http://127.0.0.1:{address[1]}", timeout=10, verify=no_tls) as client:
        yield client


def raw(address: tuple[str, int], sent: bytes) -> bytes:
    """What the server sends until it closes the connection."""
    received = b""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(sent)
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_get_as_the_actor_sees_it(client: httpx.Client, actors: Actors, address: tuple[str, int]) -> None:
    client.headers.clear()
    response = client.get("/foo/b%20r%2Fx?a=1&b=%3F", headers={"Accept": "*/*"})
    assert (response.status_code, response.content) == (200, b"hello")
    (request,) = actors.requests
    assert (request.method, request.path, request.query_string) == ("GET", "/foo/b%20r%2Fx", "a=1&b=%3F")
    assert request.header == {"accept": "*/*", "host": f"127.0.0.1:{address[1]}"}
    assert request.body == b""


def test_repeated_headers_are_joined(client: httpx.Client, actors: Actors) -> None:
    client.get("/", headers=[("X-Many", "a"), ("x-one", "1"), ("x-many", "b"), ("X-MANY", "c")])
    assert actors.requests[0].header["x-many"] == "a, b, c"
    assert actors.requests[0].header["x-one"] == "1"


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"z" * 100_000], ids=len)
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies(client: httpx.Client, actors: Actors, body: bytes, chunked: bool) -> None:
    actors.answer = lambda request: Response(201, "Created", {"X-Length": str(len(request.body))}, request.body)
    pieces = iter([body[:10], body[10:]]) if chunked else body
    response = client.post("/", content=pieces)
    assert (response.status_code, response.content) == (201, body)
    assert response.headers["x-length"] == response.headers["content-length"] == str(len(body))
    assert response.headers.get_list("date") != []


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("http://example.com:80/a/b?c=d", "/a/b", "c=d"),
        ("http://example.com", "/", ""),
        ("http://example.com?x", "/", "x"),
        ("/?", "/", ""),
        ("/a?b?c", "/a", "b?c"),
        ("//double//slash", "//double//slash", ""),
        ("*", "*", ""),
        ("/%ff%00", "/%ff%00", ""),
    ],
)
def test_request_targets(address: tuple[str, int], actors: Actors, target: str, path: str, query: str) -> None:
    received = raw(address, f"OPTIONS {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (actors.requests[0].path, actors.requests[0].query_string) == (path, query)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET nonsense HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400 Bad Request"),
        (b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"501 Not Implemented"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000, b"400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400 Bad Request"),
    ],
)
def test_requests_that_do_not_reach_the_actor(
    address: tuple[str, int], actors: Actors, sent: bytes, status: bytes
) -> None:
    assert raw(address, sent).startswith(b"HTTP/1.1 " + status)
    assert actors.requests == []


def test_upgrades_are_not_offered(address: tuple[str, int], actors: Actors, caplog: Any) -> None:
    received = raw(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert not caplog.records


def test_pipelined_requests_are_answered_in_order(address: tuple[str, int], actors: Actors) -> None:
    actors.answer = lambda request: ok(b"<" + request.path.encode() + request.body + b">")
    sent = b"".join(b"PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nbb" % number for number in range(5))
    sent += b"GET /last HTTP/1.0\r\n\r\n"
    bodies = [part.split(b">")[0] for part in raw(address, sent).split(b"<")[1:]]
    assert bodies == [b"/%dbb" % number for number in range(5)] + [b"/last"]


def test_a_client_may_ask_before_it_sends_its_body(address: tuple[str, int], actors: Actors) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert actors.requests[0].body == b"abc"


def test_old_clients(address: tuple[str, int], actors: Actors) -> None:
    received = raw(address, b"GET /old HTTP/1.0\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize("status", [200, 204, 205, 301, 304, 418, 499, 599])
def test_statuses(client: httpx.Client, actors: Actors, status: int) -> None:
    actors.answer = lambda request: Response(status, "whatever", {"x-a": "b"}, b"body")
    response = client.get("/")
    assert response.status_code == status
    assert response.headers["x-a"] == "b"
    assert response.content == (b"" if status in (204, 205, 304) else b"body")
    assert ("content-length" in response.headers) == (status not in (204, 304))
    assert client.get("/").status_code == status


def test_head(client: httpx.Client, actors: Actors) -> None:
    response = client.head("/x")
    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "5")
    assert actors.requests[0].method == "HEAD"
    assert client.get("/x").content == b"hello"


def test_headers_of_the_connection_are_the_servers(client: httpx.Client, actors: Actors) -> None:
    written = {
        "Content-Length": "1",
        "Transfer-Encoding": "chunked",
        "Connection": "close, X-Private",
        "Keep-Alive": "timeout=1",
        "Upgrade": "h2c",
        "Date": "yesterday",
        "x-private": "secret",
        "Content-Type": " text/html; charset=latin-1\t",
        "Set-Cookie": "a=1",
        "set-cookie": "b=2",
        "X-Latin": "é",
        "X-Empty": "",
    }
    actors.answer = lambda request: Response(200, "OK", written, b"four")
    response = client.get("/")
    assert response.content == b"four"
    assert response.headers["content-length"] == "4"
    assert not {"transfer-encoding", "connection", "keep-alive", "upgrade", "x-private"} & set(response.headers)
    assert len(response.headers.get_list("date")) == 1
    assert "yesterday" not in response.headers["date"]
    assert response.headers["content-type"] == "text/html; charset=latin-1"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (b"x-latin", b"\xe9") in [(name.lower(), value) for name, value in response.headers.raw]
    assert response.headers["x-empty"] == ""


def failing(request: Request) -> Response:
    raise RuntimeError("the actor broke\nFAKE LOG LINE")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (failing, r"the actor broke\nFAKE LOG LINE"),
        (lambda request: b"", "Response: the payload ends too early"),
        (lambda request: b"\xc0", "Response: expected a map or an array, found nil"),
        (lambda request: b"\x81\xa6status\xa0", "Response.statusCode: missing"),
        (lambda request: Response(0, ""), "status code 0 is not in the range 200 to 599"),
        (lambda request: Response(100, ""), "status code 100 is not in the range 200 to 599"),
        (lambda request: Response(199, ""), "status code 199 is not in the range 200 to 599"),
        (lambda request: Response(600, ""), "status code 600 is not in the range 200 to 599"),
        (lambda request: Response(2**32 - 1, ""), "status code 4294967295 is not in the range 200 to 599"),
        (lambda request: Response(200, "", {"a": "b\r\nX-Evil: 1"}), "the value of header a holds characters"),
        (lambda request: Response(200, "", {"a": "b\n"}), "the value of header a holds characters"),
        (lambda request: Response(200, "", {"a": "b\0"}), "the value of header a holds characters"),
        (lambda request: Response(200, "", {"a": "漢"}), "the value of header a holds characters"),
        (lambda request: Response(200, "", {"a\r\nb": "c"}), r"'a\r\nb' is not a header name"),
        (lambda request: Response(200, "", {"a:": "c"}), "'a:' is not a header name"),
        (lambda request: Response(200, "", {"": "c"}), "'' is not a header name"),
        (lambda request: Response(200, "", {"é": "c"}), "'é' is not a header name"),
        (lambda request: exec("raise SystemExit(3)"), "3"),  # noqa: S102
        (lambda request: next(iter([])), "StopIteration"),
    ],
)
def test_failures_concern_one_request(
    client: httpx.Client, actors: Actors, caplog: pytest.LogCaptureFixture, answer: Any, reason: str
) -> None:
    actors.answer = answer
    response = client.get("/")
    assert (response.status_code, response.text) == (500, "Failed to handle request")
    assert "x-evil" not in response.headers
    (message,) = caplog.messages
    assert message.startswith(f"HandleRequest of actor {ACTOR} failed: ")
    assert reason in message
    assert "\n" not in message
    actors.answer = lambda request: ok()
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_over_the_limit(client: httpx.Client, actors: Actors, chunked: bool) -> None:
    body = b"z" * 100_001
    for _ in range(2):
        response = client.post("/", content=iter([body]) if chunked else body)
        assert (response.status_code, response.text) == (413, "Request Entity Too Large")
    assert actors.requests == []
    assert client.post("/", content=body[1:]).status_code == 200


def test_a_large_announced_body_is_refused_before_it_is_sent(address: tuple[str, int], actors: Actors) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


@given(sent=st.lists(st.binary(max_size=30) | st.sampled_from([b"GET / HTTP/1.1\r\n", b"\r\n", b"\r\n\r\n", b"Host: x",
    b"Transfer-Encoding: chunked", b"Content-Length: 5", b"5\r\nhello\r\n", b"0\r\n\r\n", b"Expect: 100-continue",
    b"Connection: close", b"POST /x HTTP/1.0\r\n"]), max_size=12))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nonsense_from_clients_breaks_nothing(
    address: tuple[str, int], actors: Actors, caplog: pytest.LogCaptureFixture, sent: list[bytes]
) -> None:
    with caplog.at_level(logging.WARNING), socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"".join(sent))
    assert raw(address, b"GET / HTTP/1.0\r\n\r\n").endswith(b"hello")
    assert caplog.messages == []


@given(
    status=st.integers(0, 700),
    header=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    body=st.binary(max_size=20),
)
def test_what_is_sent_is_always_legal(status: int, header: dict[str, str], body: bytes) -> None:
    try:
        reply = reply_of(Response(status, "", header, body))
    except ResponseRefused:
        return
    assert 200 <= reply.status <= 599
    for name, value in reply.headers:
        assert name
        assert not set(name + value) & set(b"\r\n\0")
        assert not set(name) & set(b" :")
    lengths = [value for name, value in reply.headers if name.lower() == b"content-length"]
    assert lengths == ([] if status in (204, 304) else [str(len(reply.body)).encode()])


BUSY_GUEST = """(module
  (import "wapc" "__guest_response" (func $respond (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param i32 i32) (result i32) (loop (br 0)) (i32.const 1)))"""


def test_an_actor_of_a_host_that_is_too_busy(make_host: Callable[..., Host], identities: Identities) -> None:
    key = identities.key()
    metadata = ActorMetadata(capabilities=("wascc:http_server",))
    claims = Claims(issuer=identities.account.public_key, subject=key.public_key, metadata=metadata)
    actor = Actor.from_bytes(sign(compile_wat(BUSY_GUEST), claims, identities.account))
    host, provider = make_host(), HttpServerProvider()
    host.add_actor(actor, ActorSettings(max_waiting=0, limits={"deadline_seconds": 3.0}))
    host.add_capability(provider)
    host.set_binding(actor.public_key, "wascc:http_server", values={"PORT": "0"})
    url = "http://{}:{}/".format(*provider.address(actor.public_key))
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: httpx.get(url, timeout=30), range(3)))
    assert sorted(answer.status_code for answer in answers) == [500, 503, 503]
    assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 503} == {"1"}
