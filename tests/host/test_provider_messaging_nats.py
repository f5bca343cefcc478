"""Messaging by a NATS server: servers that go and come back, hang or refuse, other clients, and credentials."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import nats
import pytest
import trustme
from host_support import eventually, in_thread
from messaging_support import Actors, bind, publish, remove, request
from nats_tokens import Tokens
from servers import ServerProcess, free_port, nats_server

from host.providers.base import ProviderError
from host.providers.messaging import NatsMessagingProvider
from wascap import KeyPair, KeyType


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def provider(actors: Actors) -> Iterator[NatsMessagingProvider]:
    made = NatsMessagingProvider()
    made.configure_dispatch(actors)
    yield made
    made.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with nats_server(tmp_path) as running:
        yield running


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[str], ServerProcess]]:
    """Starts a server with a configuration file of this text."""
    running: list[ServerProcess] = []

    def start(configuration: str) -> ServerProcess:
        file = tmp_path / "nats.conf"
        file.write_text(configuration)
        running.append(nats_server(tmp_path, "-c", str(file)).start())
        return running[-1]

    yield start
    for each in running:
        each.stop()


def url(server: ServerProcess, user: str = "", scheme: str = "nats") -> str:
    return f"{scheme}://{user}127.0.0.1:{server.port}"


def with_client(server: ServerProcess, work: Callable[[nats.NATS], Coroutine[None, None, object]]) -> object:
    """What `work` returns, of a plain client that is no part of the provider."""

    async def run() -> object:
        client = await nats.connect(url(server))
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def refused(provider: NatsMessagingProvider, actor: str = "M1", **values: str) -> str:
    """Why a binding is refused; the text is one line and shows no secret."""
    with pytest.raises(ProviderError) as caught:
        bind(provider, actor, **values)
    text = str(caught.value)
    assert "\n" not in text
    assert "hunter2" not in repr(caught.value.__cause__) + text
    with pytest.raises(ProviderError, match=f"{actor} is not bound"):
        publish(provider, actor, "a")
    return text


def seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def test_a_server_that_is_started_again(
    provider: NatsMessagingProvider, actors: Actors, server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="a.>,b", TIMEOUT="1")
    publish(provider, "M1", "a.1")
    for number in (2, 3):
        server.kill()
        with pytest.raises(ProviderError, match=r"^NATS at \S+ did not confirm|^there is no connection to NATS at \S+"):
            publish(provider, "M1", "a.lost")
        with pytest.raises(ProviderError, match="no connection to NATS"):
            request(provider, "M1", "a.lost", timeout=100)
        server.start()
        assert eventually(lambda: caplog.messages[-1].endswith("again"))
        publish(provider, "M1", f"a.{number}")
    assert [subject for _, subject, _ in actors.wait(3)] == ["a.1", "a.2", "a.3"]
    lines = [line for line in caplog.messages if "has lost its connection" in line]
    assert len(lines) == 2
    assert lines[0].startswith(f"wascc:messaging: M1 has lost its connection to NATS at 127.0.0.1:{server.port}")


def test_publishing_waits_for_a_server_that_comes_back(
    provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="a")
    server.kill()
    time.sleep(0.2)
    thread, outcome = in_thread(lambda: publish(provider, "M1", "a", b"kept"))
    time.sleep(0.3)
    server.start()
    thread.join(20)
    assert outcome == [None]
    assert actors.wait(1) == [("M1", "a", b"kept")]


def test_no_server_is_there(provider: NatsMessagingProvider) -> None:
    port = free_port()
    assert refused(provider, URL=f"nats://127.0.0.1:{port}") == (
        f"cannot connect to NATS at 127.0.0.1:{port}: Connection refused"
    )
    text = refused(provider, URL="nats://user:hunter2@nowhere.invalid")
    assert text.startswith("cannot connect to NATS at nowhere.invalid:4222: ")
    assert len(text) < 150


def test_the_second_of_two_servers_will_do(
    provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(provider, "M1", URL=f"127.0.0.1:{free_port()}, {url(server)}", SUBSCRIPTION="a")
    publish(provider, "M1", "a")
    assert actors.wait(1) == [("M1", "a", b"")]


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH\r\n", b"INFO {}\r\n", b"INFO [\r\n", b"INFO 3\r\n"])
def test_a_server_that_is_none(provider: NatsMessagingProvider, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []

        def accept() -> None:
            while True:
                connections.append(listener.accept()[0])
                connections[-1].sendall(greeting)

        in_thread(accept)
        there = f"127.0.0.1:{listener.getsockname()[1]}"
        assert seconds(lambda: refused(provider, URL=there, TIMEOUT="1")) < 3
        listener.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


def test_a_server_that_hangs(provider: NatsMessagingProvider, actors: Actors, server: ServerProcess) -> None:
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="a", TIMEOUT="1")
    bind(provider, "M2", URL=url(server), SUBSCRIPTION="a", TIMEOUT="1")
    process = server._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ProviderError, match="did not confirm a message to a: no answer within 1 second"):
            publish(provider, "M1", "a", b"perhaps" * 10_000)
        with pytest.raises(ProviderError, match="no reply from a within 300 ms"):
            request(provider, "M2", "a", timeout=300)
        assert seconds(lambda: remove(provider, "M2")) < 3
        assert seconds(lambda: refused(provider, "M3", URL=url(server), TIMEOUT="1")) < 3
    finally:
        process.send_signal(signal.SIGCONT)
    assert eventually(lambda: _can_publish(provider, "a"))
    assert actors.wait(1)[-1] == ("M1", "a", b"later")


def _can_publish(provider: NatsMessagingProvider, subject: str) -> bool:
    try:
        publish(provider, "M1", subject, b"later")
    except ProviderError:
        return False
    return True


def test_a_lost_connection_ends_a_request_at_once(provider: NatsMessagingProvider, server: ServerProcess) -> None:
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="a")
    thread, outcome = in_thread(lambda: request(provider, "M1", "a", timeout=60_000))
    time.sleep(0.2)
    server.kill()
    thread.join(5)
    assert str(outcome[0]).startswith("no reply from a: NATS at 127.0.0.1")


def test_stopping_ends_what_waits(actors: Actors, server: ServerProcess) -> None:
    provider = NatsMessagingProvider()
    provider.configure_dispatch(actors)
    before = threading.active_count()
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="a")
    thread, outcome = in_thread(lambda: request(provider, "M1", "a", timeout=60_000))
    time.sleep(0.2)
    assert seconds(provider.stop) < 5
    thread.join(5)
    assert isinstance(outcome[0], ProviderError)
    assert eventually(lambda: threading.active_count() <= before)


def test_connections_end_with_their_bindings(provider: NatsMessagingProvider, serve: Callable[..., object]) -> None:
    monitor = free_port()
    server = serve(f"http: 127.0.0.1:{monitor}")

    def connected() -> int:
        import httpx

        return int(httpx.get(f"http://127.0.0.1:{monitor}/connz").json()["num_connections"])

    for _ in range(10):
        bind(provider, "M1", URL=url(server), SUBSCRIPTION="a")
        bind(provider, "M2", URL=url(server), SUBSCRIPTION="a")
        with pytest.raises(ProviderError):
            bind(provider, "M2", URL=url(server), SUBSCRIPTION="a b")
        remove(provider, "M1")
    assert eventually(lambda: connected() == 1)
    provider.stop()
    assert eventually(lambda: connected() == 0)


def test_other_clients(provider: NatsMessagingProvider, actors: Actors, server: ServerProcess) -> None:
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="to.actor")
    actors.reactions["M1"] = lambda message: (
        message.reply_to and publish(provider, "M1", message.reply_to, message.body.upper())
    )

    async def work(client: nats.NATS) -> bytes:
        async def answer(message: nats.aio.msg.Msg) -> None:
            await message.respond(message.data[::-1])

        subscription = await client.subscribe("to.client")
        await client.subscribe("service", cb=answer)
        await client.flush()
        reply = await client.request("to.actor", b"text", timeout=10, headers={"a": "b"})
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, request, provider, "M1", "service", b"abc") == b"cba"
        await loop.run_in_executor(None, publish, provider, "M1", "to.client", b"\0\xff", "re.ply")
        message = await subscription.next_msg(timeout=10)
        assert (message.data, message.reply) == (b"\0\xff", "re.ply")
        return bytes(reply.data)

    assert with_client(server, work) == b"TEXT"


def test_nobody_answers(provider: NatsMessagingProvider, server: ServerProcess) -> None:
    bind(provider, "M1", URL=url(server))

    def ask() -> None:
        with pytest.raises(ProviderError, match=r"^nobody has subscribed to a$"):
            request(provider, "M1", "a", timeout=60_000)

    assert seconds(ask) < 5


def test_messages_that_are_no_text(
    provider: NatsMessagingProvider, actors: Actors, server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="a.>")
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b'CONNECT {"verbose":false,"headers":true,"protocol":1}\r\n')
        raw.sendall(b"PUB a.\xff\xfe\x1b[2J 1\r\nx\r\n" + b"PUB a.r \xff 1\r\nx\r\n")
        raw.sendall(b"HPUB a.h 14 14\r\nNATS/1.0 \xff\xff\xff\r\n" + b"\r\n" + b"HPUB a.s 4 4\r\nNATS\r\n")
        raw.sendall(b"PUB a.good 4\r\ngood\r\nPING\r\n")
        assert eventually(lambda: bool(actors.got))
        assert eventually(lambda: ("M1", "a.good", b"good") in actors.wait(1, 0))
    assert any(r"a message to a.\xff\xfe\x1b[2J is unreadable" in line for line in caplog.messages)
    assert all(line.isprintable() for line in caplog.messages)
    publish(provider, "M1", "a.more")
    assert eventually(lambda: ("M1", "a.more", b"") in actors.wait(1, 0))


def test_the_largest_message(
    provider: NatsMessagingProvider, actors: Actors, serve: Callable[[str], ServerProcess]
) -> None:
    bind(provider, "M1", URL=url(serve("max_payload: 1000")), SUBSCRIPTION="a")
    publish(provider, "M1", "a", b"x" * 1000)
    for call in (publish, request):
        with pytest.raises(ProviderError, match=r"takes messages of 1000 bytes at most, not of 1001$"):
            call(provider, "M1", "a", b"x" * 1001)
    publish(provider, "M1", "a", b"more")
    assert [len(body) for _, _, body in actors.wait(2)] == [1000, 4]


def test_replies_to_others_are_not_delivered(
    provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(provider, "M1", URL=url(server), SUBSCRIPTION=">")
    bind(provider, "M2", URL=url(server), SUBSCRIPTION="_INBOX.mine")
    publish(provider, "M1", "_INBOX.mine", b"reply")
    assert actors.wait(1) == [("M2", "_INBOX.mine", b"reply")]


PERMISSIONS = """
authorization { users: [
    {user: limited, password: "p:a/s@hunter2", permissions: {
        publish: {deny: ["Secret.>"]}, subscribe: {deny: "secret.>"}}}
    {nkey: %s}
] }
"""
PASSWORD = "p%3Aa%2Fs%40hunter2"


def test_what_the_server_does_not_allow(
    provider: NatsMessagingProvider, actors: Actors, serve: Callable[[str], ServerProcess]
) -> None:
    server = serve(PERMISSIONS % KeyPair.generate(KeyType.USER).public_key)
    there = url(server, f"limited:{PASSWORD}@")
    text = refused(provider, URL=there, SUBSCRIPTION="a,secret.b")
    assert 'refuses: permissions violation for subscription to "secret.b"' in text
    bind(provider, "M1", URL=there, SUBSCRIPTION="a,Secret.b")
    for call in (publish, request):
        with pytest.raises(ProviderError, match=r'refuses: permissions violation for publish to "secret.b"'):
            call(provider, "M1", "Secret.b")
    publish(provider, "M1", "a")
    publish(provider, "M1", "secret.b")
    assert actors.wait(1) == [("M1", "a", b"")]


def test_credentials_that_are_wrong(provider: NatsMessagingProvider, serve: Callable[[str], ServerProcess]) -> None:
    key = KeyPair.generate(KeyType.USER)
    server = serve(PERMISSIONS % key.public_key)
    other = KeyPair.generate(KeyType.USER).seed
    for values in (
        {"URL": url(server, "limited:hunter2@")},
        {"URL": url(server, "hunter2@")},
        {"URL": url(server)},
        {"URL": url(server), "CLIENT_SEED": other},
    ):
        text = refused(provider, **values)
        assert text == f"cannot connect to NATS at 127.0.0.1:{server.port}: Authorization Violation"
    bad = key.seed[:-1] + ("A" if key.seed[-1] != "A" else "B")
    for seed in (bad, "hunter2", ""):
        text = refused(provider, URL=url(server), CLIENT_SEED=seed)
        assert text.startswith("CLIENT_SEED is no seed: ")
        assert len(seed) < 50 or seed not in text
    assert refused(provider, URL=url(server), CLIENT_JWT="hunter2").startswith("CLIENT_JWT needs CLIENT_SEED")
    bind(provider, "M1", URL=url(server), CLIENT_SEED=f" {key.seed}\n")
    publish(provider, "M1", "Secret.b")


def test_a_jwt_with_its_seed(
    provider: NatsMessagingProvider, actors: Actors, serve: Callable[[str], ServerProcess]
) -> None:
    tokens = Tokens()
    server = serve(tokens.configuration())
    user = KeyPair.generate(KeyType.USER)
    jwt = tokens.user(user)
    assert refused(provider, URL=url(server)).endswith("Authorization Violation")
    assert refused(provider, URL=url(server), CLIENT_SEED=user.seed).endswith("Authorization Violation")
    other = KeyPair.generate(KeyType.USER)
    text = refused(provider, URL=url(server), CLIENT_JWT=jwt, CLIENT_SEED=other.seed)
    assert text.endswith("Authorization Violation")
    assert jwt not in text
    bind(provider, "M1", URL=url(server), CLIENT_JWT=jwt, CLIENT_SEED=user.seed, SUBSCRIPTION="a")
    publish(provider, "M1", "a", b"text")
    assert actors.wait(1) == [("M1", "a", b"text")]


def test_a_jwt_that_ends_while_it_is_used(
    provider: NatsMessagingProvider, serve: Callable[[str], ServerProcess], caplog: pytest.LogCaptureFixture
) -> None:
    tokens = Tokens()
    server = serve(tokens.configuration())
    user = KeyPair.generate(KeyType.USER)
    jwt = tokens.user(user, expires=int(time.time()) + 2)
    bind(provider, "M1", URL=url(server), CLIENT_JWT=jwt, CLIENT_SEED=user.seed, TIMEOUT="1")
    assert eventually(lambda: any("cannot connect" in line for line in caplog.messages))
    assert any("has lost its connection" in line for line in caplog.messages)
    with pytest.raises(ProviderError, match="there is no connection"):
        publish(provider, "M1", "a")
    assert seconds(lambda: remove(provider, "M1")) < 3


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
    provider: NatsMessagingProvider, actors: Actors, serve: Callable[[str], ServerProcess], tmp_path: Path
) -> None:
    files = f"cert_file: {tmp_path}/server.pem, key_file: {tmp_path}/server.key, ca_file: {tmp_path}/ca.pem"
    server = serve(f"tls {{ {files}, verify: true }}")
    authority, certificate, key = (str(tmp_path / name) for name in ("ca.pem", "client.pem", "client.key"))
    there = url(server, scheme="tls")
    text = refused(provider, URL=there, TLS_CERTIFICATE=certificate, TLS_KEY=key)
    assert "certificate verify failed" in text
    assert refused(provider, URL=there, TLS_CA=authority).startswith("cannot connect")
    name = url(server, scheme="tls").replace("127.0.0.1", "localhost")
    text = refused(provider, URL=name, TLS_CA=authority, TLS_CERTIFICATE=certificate, TLS_KEY=key)
    assert "Hostname mismatch" in text
    bind(provider, "M1", URL=there, TLS_CA=authority, TLS_CERTIFICATE=certificate, TLS_KEY=key, SUBSCRIPTION="a")
    publish(provider, "M1", "a", b"text")
    assert actors.wait(1) == [("M1", "a", b"text")]


def test_nothing_is_sent_to_a_server_that_does_not_speak_tls(provider: NatsMessagingProvider) -> None:
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
        assert refused(provider, URL=there, TIMEOUT="2").endswith("the server does not speak TLS")
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
        ({"TLS_CA": "missing.pem"}, "TLS_CA cannot be used: No such file or directory"),
        ({"TLS_KEY": "x"}, "TLS_KEY needs TLS_CERTIFICATE"),
        ({"TLS_CERTIFICATE": "missing.pem"}, "TLS_CERTIFICATE cannot be used: No such file or directory"),
    ],
)
def test_values_that_cannot_be(provider: NatsMessagingProvider, values: dict[str, str], text: str) -> None:
    assert refused(provider, **values) == text


def test_a_binding_that_fails_leaves_the_former_one(
    provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="a")
    with pytest.raises(ProviderError, match="cannot connect"):
        bind(provider, "M1", URL=f"127.0.0.1:{free_port()}", SUBSCRIPTION="b")
    publish(provider, "M1", "a")
    assert actors.wait(1) == [("M1", "a", b"")]


def test_a_flood_does_not_stop_the_others(
    provider: NatsMessagingProvider, actors: Actors, server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()
    actors.reactions["M1"] = lambda _: go.wait(20)
    bind(provider, "M1", URL=url(server), SUBSCRIPTION="flood", MAX_PENDING="10")
    bind(provider, "M2", URL=url(server), SUBSCRIPTION="quiet")

    async def flood(client: nats.NATS) -> None:
        for _ in range(20_000):
            await client.publish("flood", b"x" * 100)
        await client.flush()

    with_client(server, flood)
    publish(provider, "M2", "quiet", b"heard")
    assert eventually(lambda: ("M2", "quiet", b"heard") in actors.wait(1, 0))
    # Its answer comes behind the flood.
    with pytest.raises(ProviderError, match="nobody"):
        request(provider, "M1", "nobody.there")
    time.sleep(0.3)
    go.set()
    assert len(actors.wait(12, 0.3)) == 12
    assert 1 <= sum("too slow" in line for line in caplog.messages) <= 200


def test_the_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("host.providers.messaging.nats_c")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    with pytest.raises(ProviderError, match=r"pip install 'wascc\[nats\]'"):
        NatsMessagingProvider()
