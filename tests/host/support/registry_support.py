"""OCI registries for tests: Debian's docker-registry as a process, and servers that do what no registry should."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from servers import HOST, ServerProcess

USER, PASSWORD = "alibaba", "open sesame"
PASSWORD_HASH = "$2y$04$yEPXo04cvej..Vv9lTnwk./96jlU45MEH1PW/3O8h5WWirOZupiei"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
ENVIRONMENT = {"OCI_REGISTRY_USER": USER, "OCI_REGISTRY_PASSWORD": PASSWORD}


def docker_registry(folder: Path, auth: dict[str, Any] | None = None) -> ServerProcess:
    """The registry that Debian packages; `auth` as in its configuration. Without it the test is skipped."""
    binary = shutil.which("docker-registry")
    if binary is None:
        pytest.skip("needs a real registry: apt-get install docker-registry")

    def command(port: int) -> list[str | Path]:
        settings = {
            "version": 0.1,
            "log": {"level": "debug", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": f"{HOST}:{port}"},
            **({} if auth is None else {"auth": auth}),
        }
        path = folder / "config.yml"
        path.write_text(json.dumps(settings))
        return [binary, "serve", path]

    return ServerProcess(command, folder / "registry.log")


def password_auth(folder: Path) -> dict[str, Any]:
    """Users and passwords."""
    path = folder / "htpasswd"
    path.write_text(f"{USER}:{PASSWORD_HASH}\n")
    return {"htpasswd": {"realm": "test", "path": str(path)}}


@dataclass
class Seen:
    """A request that a server of the tests got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.path).query)


@dataclass
class Reply:
    """What a server of the tests answers; a body in pieces is sent without saying how long it is."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Seen], Reply]


@dataclass
class TestServer:
    """A running server and what it was asked."""

    __test__ = False
    server: ThreadingHTTPServer
    seen: list[Seen]

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def name(self) -> str:
        return f"{self.server.server_address[0]!s}:{self.port}"


@contextmanager
def http_server(handle: Handler, wrap: Callable[[Any], Any] | None = None, address: str = HOST) -> Iterator[TestServer]:
    """A server that answers as told, at an address of this machine; `wrap` may make TLS of its socket."""
    seen: list[Seen] = []

    class RequestHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Seen(self.command, self.path, headers, body)
            seen.append(request)
            reply = handle(request)
            self.send_response(reply.status)
            whole = isinstance(reply.body, bytes)
            lengths = {"content-length": str(len(reply.body))} if isinstance(reply.body, bytes) else {}
            for name, value in ({**lengths, **reply.headers}).items():
                self.send_header(name, value)
            self.close_connection = not whole
            self.end_headers()
            try:
                for piece in [reply.body] if isinstance(reply.body, bytes) else reply.body:
                    if self.command != "HEAD":
                        self.wfile.write(piece)
            except OSError:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 — as the library calls them

    server = ThreadingHTTPServer((address, 0), RequestHandler)
    server.daemon_threads = True
    if wrap is not None:
        server.socket = wrap(server.socket)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield TestServer(server, seen)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest(layer: bytes, **changes: object) -> bytes:
    """A manifest with one layer, some of whose fields say something else."""
    described = {"mediaType": "application/octet-stream", "digest": digest(layer), "size": len(layer), **changes}
    return json.dumps({"schemaVersion": 2, "layers": [described]}).encode()


def registry_of(layer: bytes, served: bytes | None = None, name: str = "/v2/a/b/") -> Handler:
    """A registry that has one manifest under every tag and digest, and one layer."""
    data = served if served is not None else manifest(layer)

    def handle(request: Seen) -> Reply:
        if request.path.startswith(f"{name}manifests/"):
            return Reply(200, data)
        if request.path.startswith(f"{name}blobs/"):
            return Reply(200, layer)
        return Reply(404)

    return handle


class TokenIssuer:
    """Issues tokens that docker-registry takes, to who has the password, and says what was asked."""

    def __init__(self, folder: Path) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.x509.oid import NameOID

        self._key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._certificate = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self._bundle = folder / "issuer.pem"
        self._bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def auth(self, realm: str) -> dict[str, Any]:
        """The registry's configuration."""
        return {"token": {"realm": realm, "service": "tests", "issuer": "issuer", "rootcertbundle": str(self._bundle)}}

    def handle(self, request: Seen) -> Reply:
        """Anybody may pull `public/…`; the rest is for the user."""
        (scope,) = request.query["scope"]
        kind, repository, actions = scope.split(":")
        if request.headers.get("authorization") != BASIC and not repository.startswith("public/"):
            return Reply(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}')
        granted = actions.split(",") if "authorization" in request.headers else ["pull"]
        return Reply(200, json.dumps({"token": self._token(kind, repository, granted)}).encode())

    def _token(self, kind: str, repository: str, actions: list[str]) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self._certificate]}
        claims = {
            "iss": "issuer", "sub": USER, "aud": "tests", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1",
            "access": [{"type": kind, "name": repository, "actions": actions}],
        }  # fmt: skip
        signed = ".".join(_segment(json.dumps(part).encode()) for part in (header, claims))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_segment(signature)}"


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
