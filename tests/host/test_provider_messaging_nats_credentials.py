"""Messaging by a NATS server: credentials, permissions, TLS, and configuration values that cannot be."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from host_support import eventually, in_thread
from messaging_support import Actors, nats_url, publish, refused_binding, request, seconds
from nats_tokens import Tokens
from provider_support import bind, remove
from servers import ServerProcess

from host.providers.base import ProviderError
from host.providers.messaging import NatsMessagingProvider
from wascap import KeyPair, KeyType

PERMISSIONS = """
authorization { users: [
    {user: limited, password: "p:a/s@hunter2", permissions: {
        publish: {deny: ["Secret.>"]}, subscribe: {deny: "secret.>"}}}
    {nkey: %s}
] }
"""
PASSWORD = "p%3Aa%2Fs%40hunter2"


def test_what_the_server_does_not_allow(
    nats_provider: NatsMessagingProvider, actors: Actors, serve_nats: Callable[[str], ServerProcess]
) -> None:
    server = serve_nats(PERMISSIONS % KeyPair.generate(KeyType.USER).public_key)
    there = nats_url(server, f"limited:{PASSWORD}@")
    text = refused_binding(nats_provider, URL=there, SUBSCRIPTION="a,secret.b")
    assert 'refuses: permissions violation for subscription to "secret.b"' in text
    bind(nats_provider, "M1", URL=there, SUBSCRIPTION="a,Secret.b")
    for call in (publish, request):
        with pytest.raises(ProviderError, match=r'refuses: permissions violation for publish to "secret.b"'):
            call(nats_provider, "M1", "Secret.b")
    publish(nats_provider, "M1", "a")
    publish(nats_provider, "M1", "secret.b")
    assert actors.wait(1) == [("M1", "a", b"")]


def test_credentials_that_are_wrong(
    nats_provider: NatsMessagingProvider, serve_nats: Callable[[str], ServerProcess]
) -> None:
    key = KeyPair.generate(KeyType.USER)
    server = serve_nats(PERMISSIONS % key.public_key)
    other = KeyPair.generate(KeyType.USER).seed
    for values in (
        {"URL": nats_url(server, "limited:hunter2@")},
        {"URL": nats_url(server, "hunter2@")},
        {"URL": nats_url(server)},
        {"URL": nats_url(server), "CLIENT_SEED": other},
    ):
        text = refused_binding(nats_provider, **values)
        assert text == f"cannot connect to NATS at 127.0.0.1:{server.port}: Authorization Violation"
    bad = key.seed[:-1] + ("A" if key.seed[-1] != "A" else "B")
    for seed in (bad, "hunter2", ""):
        text = refused_binding(nats_provider, URL=nats_url(server), CLIENT_SEED=seed)
        assert text.startswith("CLIENT_SEED is no seed: ")
        assert len(seed) < 50 or seed not in text
    text = refused_binding(nats_provider, URL=nats_url(server), CLIENT_JWT="hunter2")
    assert text.startswith("CLIENT_JWT needs CLIENT_SEED")
    bind(nats_provider, "M1", URL=nats_url(server), CLIENT_SEED=f" {key.seed}\n")
    publish(nats_provider, "M1", "Secret.b")


def test_a_jwt_with_its_seed(
    nats_provider: NatsMessagingProvider, actors: Actors, serve_nats: Callable[[str], ServerProcess]
) -> None:
    tokens = Tokens()
    server = serve_nats(tokens.configuration())
    user = KeyPair.generate(KeyType.USER)
    jwt = tokens.user(user)
    assert refused_binding(nats_provider, URL=nats_url(server)).endswith("Authorization Violation")
    text = refused_binding(nats_provider, URL=nats_url(server), CLIENT_SEED=user.seed)
    assert text.endswith("Authorization Violation")
    other = KeyPair.generate(KeyType.USER)
    text = refused_binding(nats_provider, URL=nats_url(server), CLIENT_JWT=jwt, CLIENT_SEED=other.seed)
    assert text.endswith("Authorization Violation")
    assert jwt not in text
    bind(nats_provider, "M1", URL=nats_url(server), CLIENT_JWT=jwt, CLIENT_SEED=user.seed, SUBSCRIPTION="a")
    publish(nats_provider, "M1", "a", b"text")
    assert actors.wait(1) == [("M1", "a", b"text")]


def test_a_jwt_that_ends_while_it_is_used(
    nats_provider: NatsMessagingProvider, serve_nats: Callable[[str], ServerProcess], caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens()
    server = serve_nats(tokens.configuration())
    user = KeyPair.generate(KeyType.USER)
    jwt = tokens.user(user, expires=int(time.time()) + 2)
    bind(nats_provider, "M1", URL=nats_url(server), CLIENT_JWT=jwt, CLIENT_SEED=user.seed, TIMEOUT="1")
    assert eventually(lambda: any("cannot connect" in line for line in caplog.messages))
    assert any("has lost its connection" in line for line in caplog.messages)
    with pytest.raises(ProviderError, match="there is no connection"):
        publish(nats_provider, "M1", "a")
    assert seconds(lambda: remove(nats_provider, "M1")) < 3


@pytest.fixture
def certificates(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("server", "client"):
        issued = authority.issue_cert("127.0.0.1" if name == "server" else "client@example.com")
        issued.private_key_pem.write_to_path(tmp_path / f"{name}.key")
        for each in issued.cert_chain_pems:
            each.write_to_path(tmp_path / f"{name}.pem", append=True)
    return authority


@pytest.mark.usefixtures("certificates")
def test_tls(
    nats_provider: NatsMessagingProvider, actors: Actors, serve_nats: Callable[[str], ServerProcess], tmp_path: Path
) -> None:
    files = f"cert_file: {tmp_path}/server.pem, key_file: {tmp_path}/server.key, ca_file: {tmp_path}/ca.pem"
    server = serve_nats(f"tls {{ {files}, verify: true }}")
    authority, certificate, key = (str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key"))
    there = nats_url(server, scheme="tls")
    text = refused_binding(nats_provider, URL=there, TLS_CERTIFICATE=certificate, TLS_KEY=key)
    assert "certificate verify failed" in text
    assert refused_binding(nats_provider, URL=there, TLS_CA=authority).startswith("cannot connect")
    name = nats_url(server, scheme="tls").replace("127.0.0.1", "localhost")
    text = refused_binding(nats_provider, URL=name, TLS_CA=authority, TLS_CERTIFICATE=certificate, TLS_KEY=key)
    assert "Hostname mismatch" in text
    bind(nats_provider, "M1", URL=there, TLS_CA=authority, TLS_CERTIFICATE=certificate, TLS_KEY=key, SUBSCRIPTION="a")
    publish(nats_provider, "M1", "a", b"text")
    assert actors.wait(1) == [("M1", "a", b"text")]


def test_nothing_is_sent_to_a_server_that_does_not_speak_tls(nats_provider: NatsMessagingProvider) -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pretend() -> None:
            connection, _ = listener.accept()
            connection.sendall(b'INFO {"server_id":"x","version":"2.0.0","auth_required":true,"max_payload":100}\r\n')
            connection.settimeout(5)
            received.append(connection.recv(1000))
            connection.close()

        thread, _ = in_thread(pretend)
        there = f"tls://user:hunter2@127.0.0.1:{listener.getsockname()[1]}"
        assert refused_binding(nats_provider, URL=there, TIMEOUT="2").endswith("the server does not speak TLS")
        thread.join(10)
    assert received == [b""]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        *(
            ({"URL": text}, "URL must be nats://host:port or tls://host:port, or several with commas")
            for text in (
                "",
                "http://127.0.0.1",
                "nats://",
                "nats://a:hunter2",
                "nats://a:99999",
                "nats://a/path?hunter2",
            )
        ),
        ({"URL": "nats://a\r\nb"}, "URL must be nats://host:port or tls://host:port, or several with commas"),
        ({"TIMEOUT": "0"}, "TIMEOUT must be an integer from 1 to 600, not '0'"),
        ({"TLS_CA": "missing.pem"}, "TLS_CA: missing.pem is no file"),
        ({"TLS_KEY": "x"}, "TLS_KEY needs TLS_CERTIFICATE"),
        ({"TLS_CERTIFICATE": "missing.pem"}, "TLS_CERTIFICATE: missing.pem is no file"),
    ],
)
def test_values_that_cannot_be(nats_provider: NatsMessagingProvider, values: dict[str, str], text: str) -> None:
    assert refused_binding(nats_provider, **values) == text
