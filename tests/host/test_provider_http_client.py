"""The HTTP client, against real servers on this machine: what is sent, what comes back, and where it may go."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_support import bind

from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.http import Request, Response
from host.providers.base import ProviderError
from host.providers.http_client import HttpClientProvider, Place, Settings


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; notes what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        self.server.asked.append((self.command, self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        path, _, argument = self.path.partition("?")
        getattr(self, f"do_{path.strip('/') or 'echo'}", self.do_echo)(argument, body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815 — their names

    def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_echo(self, argument: str, body: bytes) -> None:
        self.reply(200, body, ("X-Twice", "1"), ("X-Twice", "2"))

    def do_status(self, argument: str, body: bytes) -> None:
        self.reply(int(argument), b"")

    def do_redirect(self, argument: str, body: bytes) -> None:
        self.reply(302, b"", ("Location", argument))

    def do_again(self, argument: str, body: bytes) -> None:
        left = int(argument)
        self.reply(302, b"", ("Location", f"/again?{left - 1}")) if left else self.reply(200, b"there")

    def do_drip(self, argument: str, body: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        for _ in range(100):
            try:
                self.wfile.write(b".")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0.1)

    def do_large(self, argument: str, body: bytes) -> None:
        self.reply(200, b"x" * int(argument))

    def do_cookie(self, argument: str, body: bytes) -> None:
        self.reply(200, b"", ("Set-Cookie", "session=secret; Path=/"))

    def do_slow(self, argument: str, body: bytes) -> None:
        time.sleep(3)
        self.reply(200, b"late")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked = []
    made.url = f"http://127.0.0.1:{made.server_address[1]}"
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def provider() -> Iterator[HttpClientProvider]:
    made = HttpClientProvider()
    yield made
    made.stop()


def ask(provider: HttpClientProvider, method: str, path: str, actor: str = "MA", **more: Any) -> Response:
    request = Request(method, path, more.pop("query_string", ""), more.pop("header", {}), more.pop("body", b""))
    return decode(Response, provider.handle_call(actor, "PerformRequest", encode(request)))


def test_a_request_and_its_answer(provider: HttpClientProvider, server: Any) -> None:
    bind(provider, allow=server.url)
    found = ask(provider, "POST", f"{server.url}/echo", query_string="a=1&b=%20", header={"X-A": "b"}, body=b"\0\xff")
    assert (found.status_code, found.status, found.body) == (200, "OK", b"\0\xff")
    assert found.header["x-twice"] == "1, 2"
    ((command, path, headers, body),) = server.asked
    assert (command, path, body) == ("POST", "/echo?a=1&b=%20", b"\0\xff")
    assert headers["X-A"] == "b"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("wascc/")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_methods_and_bodies(provider: HttpClientProvider, server: Any, method: str) -> None:
    bind(provider, allow=server.url)
    found = ask(provider, method, f"{server.url}/echo?x", query_string="y", body=b"text")
    assert found.body == (b"" if method == "HEAD" else b"text")
    assert server.asked[0][:2] == (method, "/echo?x&y")


@pytest.mark.parametrize("status", [204, 304, 404, 503])
def test_any_status_is_an_answer(provider: HttpClientProvider, server: Any, status: int) -> None:
    bind(provider, allow=server.url)
    assert ask(provider, "GET", f"{server.url}/status?{status}").status_code == status


def test_headers_of_the_connection_are_the_clients_own(provider: HttpClientProvider, server: Any) -> None:
    bind(provider, allow=server.url)
    header = {"Host": "evil.example", "Content-Length": "99", "Transfer-Encoding": "chunked", "X": "y"}
    assert ask(provider, "POST", f"{server.url}/echo", header=header, body=b"abc").body == b"abc"
    headers = {name.lower(): value for name, value in server.asked[0][2].items()}
    assert headers["host"] == server.url.removeprefix("http://")
    assert (headers["content-length"], headers["x"]) == ("3", "y")
    assert "transfer-encoding" not in headers


@pytest.mark.parametrize(
    ("method", "header", "text"),
    [
        ("CONNECT", {}, "'CONNECT' is no method"),
        ("trace", {}, "'trace' is no method"),
        ("GET /\r\nX: y", {}, "is no method"),
        ("GET", {"X": "a\r\nY: b"}, "the header 'X' has characters"),
        ("GET", {"X y": "a"}, "the header 'X y' has characters"),
        ("GET", {"X": "漢"}, "the header 'X' has characters"),
    ],
)
def test_what_is_no_request_is_not_sent(
    provider: HttpClientProvider, server: Any, method: str, header: dict[str, str], text: str
) -> None:
    bind(provider, allow=server.url)
    with pytest.raises(ProviderError, match=text):
        ask(provider, method, f"{server.url}/echo", header=header)
    assert server.asked == []


# ---- Where requests may go.


@pytest.mark.parametrize(
    "path", ["", "/echo", "ftp://a/", "file:///etc/passwd", "http://", "http://u:secret@a/", "http://[x"]
)
def test_what_is_no_address_is_refused(provider: HttpClientProvider, path: str) -> None:
    bind(provider, allow="*")
    with pytest.raises(ProviderError) as caught:
        ask(provider, "GET", path)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_allowed_unless_the_binding_says_so(provider: HttpClientProvider, server: Any) -> None:
    for values in ({}, {"allow": ""}, {"allow": "https://127.0.0.1, http://localhost"}):
        bind(provider, **values)
        with pytest.raises(ProviderError, match=f"^the binding does not allow {server.url}: its value allow would"):
            ask(provider, "GET", f"{server.url}/echo")
    assert server.asked == []
    bind(provider, allow=f"https://example.com {server.url}")
    assert ask(provider, "GET", f"{server.url}/echo").status_code == 200


def test_redirections_lead_only_where_requests_may_go(provider: HttpClientProvider, server: Any) -> None:
    bind(provider, allow=server.url)
    assert ask(provider, "GET", f"{server.url}/redirect?{server.url}/echo").status_code == 200
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    for target in (f"{elsewhere}/echo", "http://169.254.169.254/latest", "ftp://127.0.0.1/x", "file:///etc/passwd"):
        before = len(server.asked)
        with pytest.raises(ProviderError):
            ask(provider, "GET", f"{server.url}/redirect?{target}")
        assert len(server.asked) == before + 1


def test_the_number_of_redirections(provider: HttpClientProvider, server: Any) -> None:
    bind(provider, allow=server.url, max_redirects="3")
    assert ask(provider, "GET", f"{server.url}/again?3").body == b"there"
    with pytest.raises(ProviderError, match="more than 3 redirections"):
        ask(provider, "GET", f"{server.url}/again?4")
    bind(provider, allow=server.url, max_redirects="0")
    assert ask(provider, "GET", f"{server.url}/again?1").status_code == 302


PLACES = {
    "https://example.com": (["https://example.com/a", "https://EXAMPLE.com:443"], ["http://example.com", "https://a.example.com"]),
    "https://*.example.com": (["https://a.example.com", "https://b.a.example.com/x"], ["https://example.com", "https://xexample.com"]),
    "http://localhost:8080": (["http://localhost:8080/"], ["http://localhost", "http://localhost:8081", "https://localhost:8080"]),
    "http://[::1]:80": (["http://[::1]/"], ["http://[::2]/"]),
}  # fmt: skip


@pytest.mark.parametrize("entry", PLACES)
def test_places(entry: str) -> None:
    place, (inside, outside) = Place.of(entry), PLACES[entry]
    assert [place.has(httpx.URL(url)) for url in inside + outside] == [True] * len(inside) + [False] * len(outside)


@pytest.mark.parametrize(
    "entry",
    ["example.com", "ftp://a", "https://", "https://a/path", "https://a?b", "https://u@a", "https://a.*.com", "://a"],
)
def test_what_is_no_place_is_refused_when_binding(provider: HttpClientProvider, entry: str) -> None:
    with pytest.raises(ProviderError, match=r"^allow: '"):
        bind(provider, allow=entry)


@given(st.text(max_size=30))
def test_any_entry_is_a_place_or_refused(text: str) -> None:
    try:
        settings = Settings.of({"allow": text})
    except ProviderError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert settings.allow is None or all(place.scheme in ("http", "https") for place in settings.allow)
    assert "\n" not in refusal


# ---- Limits, and what goes wrong on the way.


def test_the_size_of_an_answer(provider: HttpClientProvider, server: Any) -> None:
    bind(provider, allow=server.url, max_body_bytes="1000")
    assert len(ask(provider, "GET", f"{server.url}/large?1000").body) == 1000
    with pytest.raises(ProviderError, match=r"^the response has more than 1000 bytes$"):
        ask(provider, "GET", f"{server.url}/large?1001")


@pytest.mark.parametrize("path", ["slow", "drip"])
def test_the_time_of_an_answer(provider: HttpClientProvider, server: Any, path: str) -> None:
    bind(provider, allow=server.url, timeout="1")
    with pytest.raises(ProviderError, match=f"^GET {server.url}/{path}: no answer within 1 s$"):
        ask(provider, "GET", f"{server.url}/{path}?secret")


def test_nobody_listens(provider: HttpClientProvider) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        bind(provider, allow="*")
        with pytest.raises(ProviderError, match=f"^GET {url}/: .*refused"):
            ask(provider, "GET", f"{url}/?token=secret")


@pytest.mark.parametrize("values", [{"timeout": "0"}, {"max_redirects": "-1"}, {"max_body_bytes": "many"}])
def test_values_out_of_range(provider: HttpClientProvider, values: dict[str, str]) -> None:
    with pytest.raises(ProviderError, match="must be an integer from"):
        bind(provider, **values)


def test_actors_are_told_apart(provider: HttpClientProvider, server: Any) -> None:
    bind(provider, "MA", allow=server.url)
    bind(provider, "MB")
    assert ask(provider, "GET", f"{server.url}/echo", "MA").status_code == 200
    with pytest.raises(ProviderError, match="does not allow"):
        ask(provider, "GET", f"{server.url}/echo", "MB")
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration("MA")))
    with pytest.raises(ProviderError, match="is not bound"):
        ask(provider, "GET", f"{server.url}/echo", "MA")


def test_many_requests_at_a_time(provider: HttpClientProvider, server: Any) -> None:
    bind(provider, allow=server.url)
    found: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(10):
            text = f"{number} {turn}".encode()
            found.append(ask(provider, "POST", f"{server.url}/echo", body=text).body == text)  # type: ignore[arg-type]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80


HEAD = b"HTTP/1.1 200 OK\r\n"


def is_given_up(provider: HttpClientProvider, url: str, body: bytes = b"") -> None:
    """A request there ends when its second is over."""
    bind(provider, allow=url, timeout="1")
    start = time.monotonic()
    with pytest.raises(ProviderError, match=r"no answer within 1 s$"):
        ask(provider, "POST" if body else "GET", f"{url}/", body=body)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (HEAD + b"x: ", b"a"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1;", b"a"),
        (HEAD + b"content-length: 1000\r\n\r\n", b"a"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\nx: ", b"a"),
    ],
    ids=["head", "interim responses", "chunk", "body", "trailer"],
)
def test_a_server_that_always_sends_a_little_more(provider: HttpClientProvider, first: bytes, again: bytes) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(first)
            while True:
                connection.sendall(again)
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=serve, daemon=True).start()
        is_given_up(provider, url)


def test_a_server_that_takes_nothing(provider: HttpClientProvider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        is_given_up(provider, url, bytes(32 * 2**20))


def test_tls_that_is_never_agreed_on(provider: HttpClientProvider) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
            while True:
                connection.sendall(b"\0")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=serve, daemon=True).start()
        is_given_up(provider, url)


def test_no_cookie_is_kept(provider: HttpClientProvider, server: Any) -> None:
    """An actor serves many people: what one of them is known by must not go with the requests of the next."""
    bind(provider, allow=server.url)
    assert ask(provider, "GET", f"{server.url}/cookie").header["set-cookie"] == "session=secret; Path=/"
    ask(provider, "GET", f"{server.url}/echo")
    ask(provider, "GET", f"{server.url}/echo", header={"Cookie": "mine=1"})
    assert [headers.get("Cookie") for _, _, headers, _ in server.asked] == [None, None, "mine=1"]
