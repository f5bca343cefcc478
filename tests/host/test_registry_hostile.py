"""Registries that lie about digests and sizes, send too much or nothing, and want credentials sent elsewhere."""

import gzip
import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme
from host_support import Identities
from registry_support import BASIC, ENVIRONMENT, Handler, Reply, Seen, digest, http_server, manifest, registry_of

from host.actor import MAX_MODULE_BYTES
from host.errors import RegistryError
from host.registry.client import Registry
from host.registry.options import RegistryOptions

LAYER = b"\0asm\x01\0\0\0 and so on"


@pytest.fixture
def registry(tmp_path: Path) -> Callable[..., Registry]:
    def make(environ: dict[str, str] = ENVIRONMENT, **options: object) -> Registry:
        return Registry(RegistryOptions(**options), {"WASCC_CACHE_DIR": str(tmp_path), **environ})

    return make


def endless(piece: bytes = bytes(1 << 16)) -> Iterator[bytes]:
    return itertools.repeat(piece)


def slowly(seconds: float = 0.1) -> Iterator[bytes]:
    while True:
        time.sleep(seconds)
        yield b" "


def serving(manifest_reply: Reply, layer_reply: Reply | None = None) -> Handler:
    return lambda request: manifest_reply if "/manifests/" in request.path else layer_reply or Reply(200, LAYER)


def layers(value: object) -> Handler:
    return serving(Reply(200, json.dumps({"layers": value}).encode()))


def describing(**changes: object) -> Handler:
    return registry_of(LAYER, manifest(LAYER, **changes))


LIES: list[tuple[str, Handler, str]] = [
    ("other layer", registry_of(LAYER[:-1] + b"!", manifest(LAYER)), "the layer does not have the digest"),
    ("shorter layer", registry_of(LAYER[:-1], manifest(LAYER)), "the layer has 17 bytes, and not 18"),
    ("longer layer", registry_of(LAYER + b"!", manifest(LAYER)), "sends more than 18 bytes"),
    ("endless layer", serving(Reply(200, manifest(LAYER)), Reply(200, endless())), "sends more than 18 bytes"),
    ("size says more", describing(size=len(LAYER) + 5), "the layer has 18 bytes, and not 23"),
    ("size says less", describing(size=3), "sends more than 3 bytes"),
    ("size is enormous", describing(size=MAX_MODULE_BYTES + 1), f"more than {MAX_MODULE_BYTES}"),
    ("size is beyond numbers", describing(size=10**400), "more than|not JSON"),
    ("size is negative", describing(size=-1), "how large"),
    ("size is a truth", describing(size=True), "how large"),
    ("size is text", describing(size="18"), "how large"),
    ("size is a fraction", describing(size=18.0), "how large"),
    ("digest of another kind", describing(digest="sha512:" + "0" * 128), "digest sha256"),
    ("digest is a path", describing(digest="../../../manifests/1"), "digest sha256"),
    ("digest is no text", describing(digest=5), "digest sha256"),
    ("media type is no text", describing(mediaType=[]), "how large"),
    ("no layers", layers([]), "has no layer"),
    ("layers are none", layers({}), "has no layer"),
    ("layer is text", layers(["x"]), "has no layer"),
    ("many layers", layers([{}] * 2000), "has no layer"),
    ("index", serving(Reply(200, b'{"manifests": []}')), "an index of several manifests"),
    ("a list", serving(Reply(200, b"[]")), "the manifest is none"),
    ("no JSON", serving(Reply(200, b"{layers}")), "not JSON"),
    ("not UTF-8", serving(Reply(200, b'"\xff"')), "not JSON"),
    ("deep JSON", serving(Reply(200, b"[" * 1_000_000)), "not JSON"),
    ("endless manifest", serving(Reply(200, endless())), "sends more than 4194304 bytes"),
    ("endless error", serving(Reply(500, endless())), "sends more than 4194304 bytes"),
    ("wrong header", serving(Reply(200, manifest(LAYER), {"Docker-Content-Digest": digest(b"")})), "the registry says"),
    ("compressed manifest", serving(Reply(200, gzip.compress(b"{}"), {"Content-Encoding": "gzip"})), "compressed"),
    ("no length and no end", serving(Reply(200, manifest(LAYER), {"Content-Length": "5000"})), "Failed to fetch"),
    ("bad length", serving(Reply(200, b"{}", {"Content-Length": "x"})), "Failed to fetch"),
    ("empty error", serving(Reply(403, b"")), "the registry answers 403$"),
    ("odd error", serving(Reply(403, b'{"errors":5}')), "the registry answers 403$"),
    ("odd errors", serving(Reply(403, b'{"errors":["x"]}')), "the registry answers 403$"),
    ("redirect without an address", serving(Reply(302)), "the registry answers 302$"),
    ("redirects in a circle", serving(Reply(302, b"", {"Location": "1"})), "redirects more than 5 times"),
    ("redirect to a file", serving(Reply(302, b"", {"Location": "file:///etc/passwd"})), "where it must not"),
    ("redirect with a password", serving(Reply(302, b"", {"Location": "http://a:b@localhost/"})), "where it must not"),
    ("redirect to plain HTTP", serving(Reply(302, b"", {"Location": "http://example.test/"})), "where it must not"),
    ("redirect to nowhere", serving(Reply(302, b"", {"Location": "https:///"})), "Failed to fetch"),
    ("redirect to nonsense", serving(Reply(302, b"", {"Location": "http://[::1"})), "Failed to fetch"),
    ("refusal without a reason", serving(Reply(401)), "does not say what it asks for"),
    ("another scheme", serving(Reply(401, b"", {"WWW-Authenticate": "Digest realm=x"})), "does not say what it asks"),
    ("never satisfied", serving(Reply(401, b"", {"WWW-Authenticate": "Basic"})), "the registry answers 401$"),
]  # fmt: skip


@pytest.mark.parametrize(("handle", "text"), [row[1:] for row in LIES], ids=[row[0] for row in LIES])
def test_lies_are_one_clear_error(
    handle: Handler, text: str, registry: Callable[..., Registry], tmp_path: Path
) -> None:
    with http_server(handle) as server, pytest.raises(RegistryError, match=text) as caught:
        registry(seconds=20).pull(f"{server.name}/a/b:1")
    assert str(caught.value).startswith(f"Failed to fetch OCI bytes: {server.name}/a/b:1: ")
    assert str(caught.value).isprintable()
    kept = {digest(file.read_bytes()) for file in tmp_path.rglob("*.blob")}
    assert digest(LAYER) not in kept
    assert all(file.stem in {each[7:] for each in kept} for file in tmp_path.rglob("*.blob"))


def test_another_manifest_than_the_pinned_one(registry: Callable[..., Registry]) -> None:
    with http_server(registry_of(LAYER)) as server:
        right = digest(manifest(LAYER))
        assert registry().pull(f"{server.name}/a/b@{right}").data == LAYER
        for name in (f"{server.name}/a/b@{digest(b'')}", f"{server.name}/a/b:1@{digest(b'')}"):
            with pytest.raises(RegistryError, match="is another one"):
                registry().pull(name)


def test_terminal_escapes_of_a_registry_are_shown_and_not_obeyed(registry: Callable[..., Registry]) -> None:
    errors = json.dumps({"errors": [{"message": "\x1b[2J\x07\r\nowned" + "x" * 10000}]}).encode()
    with http_server(serving(Reply(404, errors))) as server, pytest.raises(RegistryError) as caught:
        registry().pull(f"{server.name}/a/b:1")
    assert str(caught.value).isprintable()
    assert "\\x1b[2J" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "handle",
    [
        serving(Reply(200, slowly())),
        serving(Reply(200, manifest(bytes(1000))), Reply(200, slowly())),
        serving(Reply(401, b"", {"WWW-Authenticate": 'Bearer realm="/token"'}), Reply(200, slowly())),
    ],
    ids=["manifest", "layer", "token"],
)
def test_a_slow_registry_gets_no_more_than_the_time_there_is(
    handle: Handler, registry: Callable[..., Registry]
) -> None:
    with http_server(handle) as server:
        begin = time.monotonic()
        with pytest.raises(RegistryError, match="does not answer in time"):
            registry(seconds=1).pull(f"{server.name}/a/b:1")
        assert time.monotonic() - begin < 10


def test_a_head_that_never_ends(registry: Callable[..., Registry]) -> None:
    """One byte of a header now and then: no wait for a byte is long, all together are."""
    stop = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        begin = time.monotonic()
        with pytest.raises(RegistryError, match="does not answer in time"):
            registry(seconds=1).pull(f"127.0.0.1:{listening.getsockname()[1]}/a/b:1")
        assert time.monotonic() - begin < 10
        stop.set()
        thread.join()


def basic(handle: Handler) -> Handler:
    """A registry that wants the password."""

    def wanting(request: Seen) -> Reply:
        if request.headers.get("authorization") != BASIC:
            return Reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
        return handle(request)

    return wanting


def test_a_redirect_to_another_server_takes_no_credentials_along(registry: Callable[..., Registry]) -> None:
    """Registries keep layers elsewhere; what comes from there counts by its digest."""
    with http_server(lambda _: Reply(200, LAYER)) as storage:
        moved = Reply(307, b"", {"Location": f"http://{storage.name}/x?signed=1"})
        with http_server(basic(serving(Reply(200, manifest(LAYER)), moved))) as server:
            assert registry().pull(f"{server.name}/a/b:1").data == LAYER
    assert [request.path for request in storage.seen] == ["/x?signed=1"]
    assert "authorization" not in storage.seen[0].headers
    assert "authorization" in server.seen[-1].headers


def test_another_server_that_asks_for_credentials_gets_none(registry: Callable[..., Registry]) -> None:
    with http_server(basic(lambda _: Reply(200, LAYER))) as storage:
        moved = Reply(307, b"", {"Location": f"http://{storage.name}/x"})
        with (
            http_server(basic(serving(Reply(200, manifest(LAYER)), moved))) as server,
            pytest.raises(RegistryError, match="401"),
        ):
            registry().pull(f"{server.name}/a/b:1")
    assert [request.headers.get("authorization") for request in storage.seen] == [None]


@pytest.mark.parametrize("gives", [True, False])
def test_a_token_server_at_another_host_gets_no_credentials(gives: bool, registry: Callable[..., Registry]) -> None:
    """It may still give a token to anybody."""
    answer = Reply(200, b'{"access_token": "abc.def"}') if gives else Reply(401)

    def handle(request: Seen) -> Reply:
        if request.headers.get("authorization") != "Bearer abc.def":
            realm = f'Bearer realm="http://localhost:{thief.port}/token?x=1",service="s"'
            return Reply(401, b"", {"WWW-Authenticate": realm})
        return registry_of(LAYER)(request)

    with http_server(lambda _: answer) as thief, http_server(handle) as server:
        name = f"{server.name}/a/b:1"
        if gives:
            assert registry().pull(name).data == LAYER
        else:
            with pytest.raises(RegistryError, match="is another host, which gets no credentials"):
                registry().pull(name)
    assert thief.seen[0].query == {"x": ["1"], "service": ["s"], "scope": ["repository:a/b:pull"]}
    assert all("authorization" not in request.headers for request in thief.seen)
    assert BASIC not in [request.headers.get("authorization") for request in server.seen]


def test_a_token_server_that_is_named_gets_the_credentials(registry: Callable[..., Registry]) -> None:
    def handle(request: Seen) -> Reply:
        if request.headers.get("authorization") != "Bearer abc.def":
            return Reply(401, b"", {"WWW-Authenticate": f'Bearer realm="http://localhost:{tokens.port}/token"'})
        return registry_of(LAYER)(request)

    def give(request: Seen) -> Reply:
        known = request.headers.get("authorization") == BASIC
        return Reply(200, b'{"access_token": "abc.def"}') if known else Reply(401)

    with http_server(give) as tokens, http_server(handle) as server:
        name = f"{server.name}/a/b:1"
        for other in ("localhost", f"localhost:{tokens.port + 1}", "*", f"127.0.0.1:{tokens.port}"):
            with pytest.raises(RegistryError, match=f"OCI_REGISTRY_TOKEN_SERVER=localhost:{tokens.port} is set"):
                registry({**ENVIRONMENT, "OCI_REGISTRY_TOKEN_SERVER": other}).pull(name)
        environ = {**ENVIRONMENT, "OCI_REGISTRY_TOKEN_SERVER": f"localhost:{tokens.port}"}
        assert registry(environ).pull(name).data == LAYER
    assert BASIC not in [request.headers.get("authorization") for request in server.seen]


@pytest.mark.parametrize(
    ("realm", "text"),
    [
        ("http://example.test/token", "where it must not"),
        ("ftp://127.0.0.1/token", "where it must not"),
        ("http://a:b@127.0.0.1/token", "where it must not"),
        ("", "token|404|JSON"),
        ("http://[", "Failed to fetch"),
    ],
)
def test_impossible_token_servers(realm: str, text: str, registry: Callable[..., Registry]) -> None:
    def handle(request: Seen) -> Reply:
        asked = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
        return Reply(401, b"", asked) if "/manifests/" in request.path else Reply(404)

    with http_server(handle) as server, pytest.raises(RegistryError, match=text):
        registry(seconds=20).pull(f"{server.name}/a/b:1")


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b'{"token": 5}', b'{"token": "a\\r\\nX: 1"}', b'{"token": ""}', b'{"token": "\xc3\xa9"}'],
)  # fmt: skip
def test_impossible_tokens(answer: bytes, registry: Callable[..., Registry]) -> None:
    def handle(request: Seen) -> Reply:
        if request.path.startswith("/token"):
            return Reply(200, answer)
        return Reply(401, b"", {"WWW-Authenticate": 'Bearer realm="/token"'})

    with http_server(handle) as server, pytest.raises(RegistryError, match=r"no token|not JSON"):
        registry().pull(f"{server.name}/a/b:1")


def test_an_endless_token(registry: Callable[..., Registry]) -> None:
    def handle(request: Seen) -> Reply:
        asked = {"WWW-Authenticate": 'Bearer realm="/token"'}
        return Reply(200, endless()) if request.path.startswith("/token") else Reply(401, b"", asked)

    with http_server(handle) as server, pytest.raises(RegistryError, match="sends more than"):
        registry().pull(f"{server.name}/a/b:1")


@pytest.fixture(scope="module")
def signed() -> bytes:
    identities = Identities()
    return identities.sign(identities.key())


def test_an_upload_goes_to_the_registry_alone(registry: Callable[..., Registry], signed: bytes) -> None:
    with http_server(lambda _: Reply(201)) as thief:
        there = Reply(202, b"", {"Location": f"http://{thief.name}/upload"})
        handle = basic(lambda request: there if request.method == "POST" else Reply(404))
        with http_server(handle) as server, pytest.raises(RegistryError, match="which is another server"):
            registry().push(f"{server.name}/a/b:1", signed, "x")
    assert thief.seen == []


def test_a_registry_that_stores_something_else(registry: Callable[..., Registry], signed: bytes) -> None:
    wrong = Reply(201, b"", {"Docker-Content-Digest": digest(b"")})
    handle: Handler = lambda request: wrong if request.method == "PUT" else Reply(200)  # noqa: E731
    with http_server(handle) as server, pytest.raises(RegistryError, match="has stored another manifest"):
        registry().push(f"{server.name}/a/b:1", signed, "x")


@contextmanager
def tunnel(port: int) -> Iterator[int]:
    """A proxy whose every CONNECT leads to one port of this machine; the port it listens on."""

    def carry(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, target):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1024)
            server = socket.create_connection(("127.0.0.1", port))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=carry, args=(client, server), daemon=True).start()
            threading.Thread(target=carry, args=(server, client), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]


@pytest.fixture
def encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """A registry registry.example.test over TLS, by way of a proxy."""
    authority = trustme.CA()

    @contextmanager
    def serve(handle: Handler, name: str = "registry.example.test", trusted: bool = True) -> Iterator[list[Seen]]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        (trustme.CA() if not trusted else authority).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        with (
            http_server(
                handle, lambda plain: context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            ) as server,
            tunnel(server.port) as proxy,
        ):
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
            yield server.seen

    return serve


def test_a_registry_over_tls(encrypted: Callable[..., object], registry: Callable[..., Registry]) -> None:
    with encrypted(basic(registry_of(LAYER))) as seen:
        assert registry().pull("registry.example.test/a/b:1").data == LAYER
    assert [request.headers.get("authorization") for request in seen] == [None, BASIC, BASIC]


@pytest.mark.parametrize("options", [{"name": "other.example.test"}, {"trusted": False}])
def test_a_wrong_certificate(
    options: dict[str, object], encrypted: Callable[..., object], registry: Callable[..., Registry]
) -> None:
    with (
        encrypted(registry_of(LAYER), **options) as seen,
        pytest.raises(RegistryError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        registry().pull("registry.example.test/a/b:1")
    assert seen == []


def test_from_tls_nothing_leads_to_plain_http_or_to_this_machine(
    encrypted: Callable[..., object], registry: Callable[..., Registry]
) -> None:
    with http_server(lambda _: Reply(200, LAYER)) as local:
        for place in (f"http://{local.name}/", "http://registry.example.test/", f"https://{local.name}/"):
            asked = {"WWW-Authenticate": f'Bearer realm="{place}"'}
            for reply in (Reply(302, b"", {"Location": place}), Reply(401, b"", asked)):
                with encrypted(serving(reply)), pytest.raises(RegistryError, match="where it must not"):
                    registry().pull("registry.example.test/a/b:1")
    assert local.seen == []


@pytest.fixture
def outside() -> str:
    """An address of this machine that is not a loopback one. Nothing is sent for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its own")
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but its own")
    return address


def test_plain_http_to_others_has_to_be_asked_for(outside: str, registry: Callable[..., Registry]) -> None:
    with http_server(basic(registry_of(LAYER)), address=outside) as server:
        name = f"{server.name}/a/b:1"
        with pytest.raises(RegistryError, match="Failed to fetch OCI bytes"):
            registry().pull(name)
        assert server.seen == []
        assert registry(insecure=True).pull(name).data == LAYER


def test_another_machine_does_not_lead_to_this_one(outside: str, registry: Callable[..., Registry]) -> None:
    with http_server(lambda _: Reply(200, LAYER)) as local:
        moved = serving(Reply(302, b"", {"Location": f"http://{local.name}/"}))
        with http_server(moved, address=outside) as server, pytest.raises(RegistryError, match="where it must not"):
            registry(insecure=True).pull(f"{server.name}/a/b:1")
    assert local.seen == []


def test_a_proxy_sees_nothing_that_is_not_encrypted(
    registry: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_server(lambda _: Reply(200, b"{}")) as proxy, http_server(basic(registry_of(LAYER))) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.name}")
        assert registry().pull(f"{server.name}/a/b:1").data == LAYER
    assert proxy.seen == []


def test_credentials_of_other_programs_are_not_used(
    registry: Callable[..., Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".docker").mkdir()
    secret = BASIC.removeprefix("Basic ")
    with http_server(basic(registry_of(LAYER))) as server:
        (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {server.name: {"auth": secret}}}))
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login alibaba password x\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        with pytest.raises(RegistryError, match="set OCI_REGISTRY_USER and OCI_REGISTRY_PASSWORD"):
            registry(environ={}).pull(f"{server.name}/a/b:1")
    assert all("authorization" not in request.headers for request in server.seen)
