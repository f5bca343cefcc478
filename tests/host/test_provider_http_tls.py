"""The HTTP server over TLS: certificates, clients' certificates, renewal, and the bounds that hold here too."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from host_support import eventually
from provider_support import bind
from servers import free_port

from host import CallRefused, InvocationFailure
from host.codec import decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.http import Request, Response, ok
from host.providers.base import ProviderError
from host.providers.http_client import HttpClientProvider
from host.providers.http_server import HttpServerProvider, server

HOST = "localhost"
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Files:
    """Certificates and keys in a folder, by name."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        self.folder = folder
        self.authority = authority

    def issue(self, name: str = "server") -> dict[str, str]:
        """A new certificate and key under this name; the values of a binding."""
        issued = self.authority.issue_cert(HOST, "127.0.0.1")
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        return {"TLS_CERTIFICATE": str(certificate), "TLS_KEY": str(key)}

    def write(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> Files:
    return Files(tmp_path, authority)


class Actors:
    """Answers as the test says."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Response] = lambda request: ok(request.path.encode() + request.body)

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        return encode(self.answer(decode(Request, payload)))


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def provider(actors: Actors) -> Iterator[HttpServerProvider]:
    provider = HttpServerProvider()
    provider.configure_dispatch(actors)
    yield provider
    provider.stop()


def serve(provider: HttpServerProvider, values: dict[str, str], **others: str) -> str:
    bind(provider, "MA", **{"PORT": "0", **values, **others})
    return f"https://localhost:{provider.address('MA')[1]}"


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


def connected(provider: HttpServerProvider, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(provider.address("MA"), timeout=10)
    return context.wrap_socket(plain, server_hostname=HOST, suppress_ragged_eofs=True)


def everything(connection: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionError, ssl.SSLError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def serial(provider: HttpServerProvider, context: ssl.SSLContext) -> str:
    with connected(provider, context) as connection:
        certificate = connection.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


def test_requests_and_bodies(provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext) -> None:
    with httpx.Client(base_url=serve(provider, files.issue()), verify=trusting, timeout=20) as client:
        assert client.get("/x").text == "/x"
        body = bytes(range(256)) * 20_000
        assert client.post("/", content=body).content == b"/" + body
        assert client.post("/", content=iter([body[:10], body[10:]])).content == b"/" + body


def test_certificate_and_key_in_one_file(provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext) -> None:
    issued = files.authority.issue_cert(HOST)
    path = files.write("both.pem", issued.private_key_and_cert_chain_pem.bytes())
    assert httpx.get(serve(provider, {"TLS_CERTIFICATE": path}), verify=trusting).status_code == 200


def test_nobody_else_trusts_the_certificate(provider: HttpServerProvider, files: Files) -> None:
    url = serve(provider, files.issue())
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(url, verify=ssl.create_default_context())


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions(provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext, version: str) -> None:
    serve(provider, files.issue())
    trusting.minimum_version = trusting.maximum_version = ssl.TLSVersion[version]
    with connected(provider, trusting) as connection:
        connection.sendall(GET)
        assert everything(connection).startswith(b"HTTP/1.1 200 ")
        assert connection.version() == version.replace("_", ".")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext) -> None:
    serve(provider, files.issue())
    trusting.set_ciphers("ALL:@SECLEVEL=0")
    trusting.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    trusting.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connected(provider, trusting)


def encrypted(key_path: str, password: bytes) -> bytes:
    key = load_pem_private_key(Path(key_path).read_bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))


def test_an_encrypted_key(provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext) -> None:
    values = files.issue()
    values["TLS_KEY"] = files.write("secret.key", encrypted(values["TLS_KEY"], b"geheim"))
    with pytest.raises(ProviderError, match=r"TLS_KEY: the key in .*secret.key is encrypted, and there is no"):
        serve(provider, values)
    with pytest.raises(ProviderError, match=r"TLS_KEY: TLS_KEY_PASSWORD does not open the key in") as caught:
        serve(provider, values, TLS_KEY_PASSWORD="wrong-one")
    assert "wrong-one" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert httpx.get(serve(provider, values, TLS_KEY_PASSWORD="geheim"), verify=trusting).status_code == 200


CASES: dict[str, tuple[Callable[[Files], dict[str, str]], str]] = {
    "no certificate": (lambda files: {"TLS_KEY": files.issue()["TLS_KEY"]}, "^TLS_CERTIFICATE is missing"),
    "no file": (lambda files: {"TLS_CERTIFICATE": "/none\nsuch"}, r"^TLS_CERTIFICATE: /none\\nsuch is no file$"),
    "NUL": (lambda files: {"TLS_CERTIFICATE": "a\0b"}, r"^TLS_CERTIFICATE: a\\x00b"),
    "folder": (lambda files: {"TLS_CERTIFICATE": str(files.folder)}, "^TLS_CERTIFICATE: .* is no file$"),
    "unreadable": (lambda files: {"TLS_CERTIFICATE": "/proc/self/mem"}, "^TLS_CERTIFICATE: /proc/self/mem: Input/outp"),
    "device": (lambda files: {"TLS_CERTIFICATE": "/dev/zero"}, "^TLS_CERTIFICATE: /dev/zero is no file$"),
    "large": (lambda files: {"TLS_CERTIFICATE": files.write("x", bytes(2**20 + 1))}, "is longer than 1048576 bytes"),
    "text": (lambda files: {"TLS_CERTIFICATE": files.write("x", b"text")}, "^TLS_CERTIFICATE: .*x holds no certific"),
    "empty": (lambda files: {"TLS_CERTIFICATE": files.write("x", b"")}, "^TLS_CERTIFICATE: .*x holds no certificate"),
    "only a certificate": (
        lambda files: {"TLS_CERTIFICATE": files.issue()["TLS_CERTIFICATE"]},
        "^TLS_CERTIFICATE: .* holds no private key in PEM form$",
    ),
    "key is text": (
        lambda files: files.issue() | {"TLS_KEY": files.write("k", b"x")},
        "^TLS_KEY: .*k holds no priv",
    ),
    "another key": (
        lambda files: files.issue() | {"TLS_KEY": files.issue("other")["TLS_KEY"]},
        "^TLS_KEY: the key in .*other.key does not belong to the certificate$",
    ),
    "authority is text": (
        lambda files: files.issue() | {"TLS_CLIENT_CA": files.write("ca", "ü".encode())},
        "^TLS_CLIENT_CA: .*ca holds no certificate in PEM form$",
    ),
    "authority is missing": (lambda files: files.issue() | {"TLS_CLIENT_CA": "/none"}, "^TLS_CLIENT_CA: /none is no"),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_at_binding(provider: HttpServerProvider, files: Files, name: str) -> None:
    values, reason = CASES[name]
    before = threading.active_count()
    with pytest.raises(ProviderError, match=reason) as caught:
        serve(provider, values(files))
    assert "\n" not in str(caught.value)
    assert threading.active_count() <= before


def test_clients_need_a_certificate_where_an_authority_is_named(
    provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext
) -> None:
    clients = trustme.CA()
    url = serve(provider, files.issue() | {"TLS_CLIENT_CA": files.write("ca", clients.cert_pem.bytes())})
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=trusting)
    trustme.CA().issue_cert("stranger@example.com").configure_cert(trusting)
    with pytest.raises(httpx.TransportError):
        httpx.get(url, verify=trusting)
    clients.issue_cert("me@example.com").configure_cert(trusting)
    assert httpx.get(url, verify=trusting).status_code == 200


def test_a_renewed_certificate_is_taken_by_binding_again(
    provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext
) -> None:
    values = files.issue()
    port = str(free_port())
    url = serve(provider, values, PORT=port)
    first = serial(provider, trusting)
    failures: list[Exception] = []
    done = threading.Event()

    def talk() -> None:
        while not done.is_set():
            try:
                assert httpx.get(url, verify=trusting, timeout=20).status_code == 200
            except Exception as error:
                failures.append(error)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        serve(provider, values, PORT=port)
        assert serial(provider, trusting) == first
        files.issue()
        serve(provider, values, PORT=port)
        second = serial(provider, trusting)
        assert second != first
        files.write("server.key", b"half a k")
        with pytest.raises(ProviderError, match="TLS_KEY"):
            serve(provider, values, PORT=port)
        assert serial(provider, trusting) == second
    finally:
        done.set()
        talking.join()
    assert failures == []


def test_a_renewed_certificate_is_found_while_the_server_runs(
    provider: HttpServerProvider,
    files: Files,
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(server, "RENEWAL_SECONDS", 0.05)
    url = serve(provider, files.issue())
    first = serial(provider, trusting)
    with httpx.Client(base_url=url, verify=trusting) as client:
        assert client.get("/").status_code == 200
        good = (files.folder / "server.key").read_bytes()
        files.write("server.key", b"half a k")
        assert eventually(lambda: any("keeps its certificate: TLS_KEY: " in message for message in caplog.messages))
        time.sleep(0.3)
        assert serial(provider, trusting) == first
        assert len([message for message in caplog.messages if "keeps its" in message]) == 1, "it is said once"
        files.write("server.key", good)
        files.issue()
        assert eventually(lambda: serial(provider, trusting) != first)
        assert client.get("/").status_code == 200, "open connections stay"


def test_plain_http_gets_no_answer(
    provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    url = serve(provider, files.issue(), REQUEST_TIMEOUT="1")
    for sent in (GET, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"\0" * 100_000):
        with socket.create_connection(provider.address("MA"), timeout=10) as connection:
            with suppress(ConnectionError):
                connection.sendall(sent)
            assert b"HTTP" not in everything(connection)
    assert httpx.get(url, verify=trusting).status_code == 200
    assert not caplog.records[1:], "only that it listens"


def test_handshakes_have_a_bound_and_an_end(
    provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext
) -> None:
    url = serve(provider, files.issue(), REQUEST_TIMEOUT="1", MAX_CONNECTIONS="2")
    address = provider.address("MA")
    with (
        socket.create_connection(address, timeout=10) as first,
        socket.create_connection(address, timeout=10) as second,
        socket.create_connection(address, timeout=10) as third,
    ):
        begin = time.monotonic()
        assert everything(third) == b"", "one connection too many"
        assert time.monotonic() - begin < 0.8
        second.sendall(b"\x16\x03\x01")
        assert everything(first) == everything(second) == b""
        assert time.monotonic() - begin < 8
    assert httpx.get(url, verify=trusting).status_code == 200


def test_stopping_does_not_wait_for_handshakes(provider: HttpServerProvider, files: Files) -> None:
    serve(provider, files.issue())
    with socket.create_connection(provider.address("MA"), timeout=10) as connection:
        time.sleep(0.2)
        begin = time.monotonic()
        provider.stop()
        assert everything(connection) == b""
        assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000, b"HTTP/1.1 400 "),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nHost:", b""),
        (b"", b""),
    ],
)
def test_slow_and_oversized_requests(
    provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext, sent: bytes, status: bytes
) -> None:
    serve(provider, files.issue(), REQUEST_TIMEOUT="1")
    begin = time.monotonic()
    with connected(provider, trusting) as connection:
        connection.sendall(sent)
        received = everything(connection)
    assert received.startswith(status)
    assert bool(received) == bool(status)
    assert time.monotonic() - begin < 8


def test_pipelined_requests(provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext) -> None:
    serve(provider, files.issue())
    sent = b"".join(b"PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n>\n" % number for number in range(5))
    with connected(provider, trusting) as connection:
        connection.sendall(sent + GET)
        bodies = [line for line in everything(connection).split(b"\n") if b">" in line or line == b"/"]
    assert [body[-3:] for body in bodies] == [b"/%d>" % number for number in range(5)] + [b"/"]


def test_clients_that_do_not_take_their_response(
    provider: HttpServerProvider, actors: Actors, files: Files, trusting: ssl.SSLContext
) -> None:
    url = serve(provider, files.issue(), REQUEST_TIMEOUT="1", MAX_CONNECTIONS="1")
    actors.answer = lambda request: ok(bytes(30_000_000))
    with connected(provider, trusting) as lazy:
        lazy.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert lazy.recv(15) == b"HTTP/1.1 200 OK"
        actors.answer = lambda request: ok()
        assert eventually(lambda: answers(url, trusting))


def answers(url: str, context: ssl.SSLContext) -> bool:
    try:
        return httpx.get(url, verify=context).status_code == 200
    except httpx.TransportError:
        return False


def test_clients_that_do_not_end_tls(provider: HttpServerProvider, files: Files, trusting: ssl.SSLContext) -> None:
    url = serve(provider, files.issue(), REQUEST_TIMEOUT="1", MAX_CONNECTIONS="1")
    with connected(provider, trusting) as rude:
        rude.sendall(GET)
        assert rude.recv(15) == b"HTTP/1.1 200 OK"
        assert eventually(lambda: answers(url, trusting))


def test_a_slow_client_gets_all_of_the_last_response(
    provider: HttpServerProvider, actors: Actors, files: Files, trusting: ssl.SSLContext
) -> None:
    serve(provider, files.issue(), REQUEST_TIMEOUT="1")
    size = 20_000_000
    actors.answer = lambda request: ok(bytes(size))
    with connected(provider, trusting) as slow:
        slow.sendall(GET)
        received = 0
        while chunk := slow.recv(2**14):
            if received // 4_000_000 != (received + len(chunk)) // 4_000_000:
                time.sleep(0.5)
            received += len(chunk)
    assert received > size


def test_several_cookies_go_all_the_way(
    provider: HttpServerProvider, actors: Actors, files: Files, trusting: ssl.SSLContext
) -> None:
    """From a server through a client of one actor to the answer of another."""
    inner, client = HttpServerProvider(), HttpClientProvider()
    cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; Path=/", "c=3"]
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.header["cookie"])
        return Response(200, "OK", {"Set-Cookie": "\n".join(cookies[:2]), "set-cookie": cookies[2]}, b"")

    behind = Actors()
    behind.answer = answer
    inner.configure_dispatch(behind)
    try:
        inner.handle_call("system", "BindActor", encode(CapabilityConfiguration("MA", {"PORT": "0"})))
        target = "http://127.0.0.1:{1}".format(*inner.address("MA"))
        client.handle_call("system", "BindActor", encode(CapabilityConfiguration("MB", {"allow": target})))

        def forward(request: Request) -> Response:
            asked = Request("GET", target, "", {"cookie": request.header["cookie"]}, b"")
            return decode(Response, client.handle_call("MB", "PerformRequest", encode(asked)))

        actors.answer = forward
        response = httpx.get(
            serve(provider, files.issue()), verify=trusting, headers=[("Cookie", "x=1"), ("cookie", "y=2")]
        )
    finally:
        inner.stop()
        client.stop()
    assert response.status_code == 200
    assert response.headers.get_list("set-cookie") == cookies
    assert seen == ["x=1; y=2"]


def test_an_actor_that_is_too_busy(
    provider: HttpServerProvider, actors: Actors, files: Files, trusting: ssl.SSLContext
) -> None:
    url = serve(provider, files.issue())

    def busy(request: Request) -> Response:
        raise InvocationFailure("failed to invoke actor: busy") from CallRefused("busy")

    def failing(request: Request) -> Response:
        raise InvocationFailure("failed to invoke actor: its own call was refused") from ProviderError("busy")

    actors.answer = busy
    response = httpx.get(url, verify=trusting)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    actors.answer = failing
    assert httpx.get(url, verify=trusting).status_code == 500
