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
from host_support import eventually, in_thread
from messaging_support import Actors, nats_url, publish, refused_binding, request, seconds
from provider_support import bind, remove
from servers import ServerProcess, free_port, nats_server

from host.providers.base import ProviderError
from host.providers.messaging import NatsMessagingProvider


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with nats_server(tmp_path) as running:
        yield running


def with_client(server: ServerProcess, work: Callable[[nats.NATS], Coroutine[None, None, object]]) -> object:
    """What `work` returns, of a plain client that is no part of the provider."""

    async def run() -> object:
        client = await nats.connect(nats_url(server))
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(run())


def test_a_server_that_is_started_again(
    nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="a.>,b", TIMEOUT="1")
    publish(nats_provider, "M1", "a.1")
    for number in (2, 3):
        server.kill()
        with pytest.raises(ProviderError, match=r"^NATS at \S+ did not confirm|^there is no connection to NATS at \S+"):
            publish(nats_provider, "M1", "a.lost")
        with pytest.raises(ProviderError, match="no connection to NATS"):
            request(nats_provider, "M1", "a.lost", timeout=100)
        server.start()
        assert eventually(lambda: caplog.messages[-1].endswith("again"))
        publish(nats_provider, "M1", f"a.{number}")
    assert [subject for _, subject, _ in actors.wait(3)] == ["a.1", "a.2", "a.3"]
    lines = [line for line in caplog.messages if "has lost its connection" in line]
    assert len(lines) == 2
    assert lines[0].startswith(f"wascc:messaging: M1 has lost its connection to NATS at 127.0.0.1:{server.port}")


def test_publishing_waits_for_a_server_that_comes_back(
    nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="a")
    server.kill()
    time.sleep(0.2)
    thread, outcome = in_thread(lambda: publish(nats_provider, "M1", "a", b"kept"))
    time.sleep(0.3)
    server.start()
    thread.join(20)
    assert outcome == [None]
    assert actors.wait(1) == [("M1", "a", b"kept")]


def test_no_server_is_there(nats_provider: NatsMessagingProvider) -> None:
    port = free_port()
    assert refused_binding(nats_provider, URL=f"nats://127.0.0.1:{port}") == (
        f"cannot connect to NATS at 127.0.0.1:{port}: Connection refused"
    )
    text = refused_binding(nats_provider, URL="nats://user:hunter2@nowhere.invalid")
    assert text.startswith("cannot connect to NATS at nowhere.invalid:4222: ")
    assert len(text) < 150


def test_the_second_of_two_servers_will_do(
    nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(nats_provider, "M1", URL=f"127.0.0.1:{free_port()}, {nats_url(server)}", SUBSCRIPTION="a")
    publish(nats_provider, "M1", "a")
    assert actors.wait(1) == [("M1", "a", b"")]


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH\r\n", b"INFO {}\r\n", b"INFO [\r\n", b"INFO 3\r\n"])
def test_a_server_that_is_none(nats_provider: NatsMessagingProvider, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []

        def accept() -> None:
            while True:
                connections.append(listener.accept()[0])
                connections[-1].sendall(greeting)

        in_thread(accept)
        there = f"127.0.0.1:{listener.getsockname()[1]}"
        assert seconds(lambda: refused_binding(nats_provider, URL=there, TIMEOUT="1")) < 3
        listener.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


def test_a_server_that_hangs(nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess) -> None:
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="a", TIMEOUT="1")
    bind(nats_provider, "M2", URL=nats_url(server), SUBSCRIPTION="a", TIMEOUT="1")
    process = server._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ProviderError, match="did not confirm a message to a: no answer within 1 second"):
            publish(nats_provider, "M1", "a", b"perhaps" * 10_000)
        with pytest.raises(ProviderError, match="no reply from a within 300 ms"):
            request(nats_provider, "M2", "a", timeout=300)
        assert seconds(lambda: remove(nats_provider, "M2")) < 3
        assert seconds(lambda: refused_binding(nats_provider, "M3", URL=nats_url(server), TIMEOUT="1")) < 3
    finally:
        process.send_signal(signal.SIGCONT)
    assert eventually(lambda: _can_publish(nats_provider, "a"))
    # What was not confirmed may come too.
    assert eventually(lambda: ("M1", "a", b"later") in actors.wait(1, 0))


def _can_publish(nats_provider: NatsMessagingProvider, subject: str) -> bool:
    try:
        publish(nats_provider, "M1", subject, b"later")
    except ProviderError:
        return False
    return True


def test_a_lost_connection_ends_a_request_at_once(nats_provider: NatsMessagingProvider, server: ServerProcess) -> None:
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="a")
    thread, outcome = in_thread(lambda: request(nats_provider, "M1", "a", timeout=60_000))
    time.sleep(0.2)
    server.kill()
    thread.join(5)
    assert str(outcome[0]).startswith("no reply from a: NATS at 127.0.0.1")


def test_stopping_ends_what_waits(actors: Actors, server: ServerProcess) -> None:
    provider = NatsMessagingProvider()
    provider.configure_dispatch(actors)
    before = threading.active_count()
    bind(provider, "M1", URL=nats_url(server), SUBSCRIPTION="a")
    thread, outcome = in_thread(lambda: request(provider, "M1", "a", timeout=60_000))
    time.sleep(0.2)
    assert seconds(provider.stop) < 5
    thread.join(5)
    assert isinstance(outcome[0], ProviderError)
    assert eventually(lambda: threading.active_count() <= before)


def test_stopping_waits_for_no_server(actors: Actors) -> None:
    provider = NatsMessagingProvider()
    provider.configure_dispatch(actors)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = f"127.0.0.1:{silent.getsockname()[1]}"
        thread, outcome = in_thread(lambda: bind(provider, "M1", URL=there, TIMEOUT="60"))
        time.sleep(0.3)
        assert seconds(provider.stop) < 3
        thread.join(5)
    assert isinstance(outcome[0], ProviderError)


def test_connections_end_with_their_bindings(
    nats_provider: NatsMessagingProvider, serve_nats: Callable[..., object]
) -> None:
    monitor = free_port()
    server = serve_nats(f"http: 127.0.0.1:{monitor}")

    def connected() -> int:
        import httpx

        return int(httpx.get(f"http://127.0.0.1:{monitor}/connz").json()["num_connections"])

    for _ in range(10):
        bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="a")
        bind(nats_provider, "M2", URL=nats_url(server), SUBSCRIPTION="a")
        with pytest.raises(ProviderError):
            bind(nats_provider, "M2", URL=nats_url(server), SUBSCRIPTION="a b")
        remove(nats_provider, "M1")
    assert eventually(lambda: connected() == 1)
    nats_provider.stop()
    assert eventually(lambda: connected() == 0)


def test_other_clients(nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess) -> None:
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="to.actor")
    actors.reactions["M1"] = lambda message: (
        message.reply_to and publish(nats_provider, "M1", message.reply_to, message.body.upper())
    )

    async def work(client: nats.NATS) -> bytes:
        async def answer(message: nats.aio.msg.Msg) -> None:
            await message.respond(message.data[::-1])

        subscription = await client.subscribe("to.client")
        await client.subscribe("service", cb=answer)
        await client.flush()
        reply = await client.request("to.actor", b"text", timeout=10, headers={"a": "b"})
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, request, nats_provider, "M1", "service", b"abc") == b"cba"
        await loop.run_in_executor(None, publish, nats_provider, "M1", "to.client", b"\0\xff", "re.ply")
        message = await subscription.next_msg(timeout=10)
        assert (message.data, message.reply) == (b"\0\xff", "re.ply")
        return bytes(reply.data)

    assert with_client(server, work) == b"TEXT"


def test_nobody_answers(nats_provider: NatsMessagingProvider, server: ServerProcess) -> None:
    bind(nats_provider, "M1", URL=nats_url(server))

    def ask() -> None:
        with pytest.raises(ProviderError, match=r"^nobody has subscribed to a$"):
            request(nats_provider, "M1", "a", timeout=60_000)

    assert seconds(ask) < 5


def test_messages_that_are_no_text(
    nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="a.>")
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b'CONNECT {"verbose":false,"headers":true,"protocol":1}\r\n')
        raw.sendall(b"PUB a.\xff\xfe\x1b[2J 1\r\nx\r\n" + b"PUB a.r \xff 1\r\nx\r\n")
        raw.sendall(b"HPUB a.h 14 14\r\nNATS/1.0 \xff\xff\xff\r\n" + b"\r\n" + b"HPUB a.s 4 4\r\nNATS\r\n")
        raw.sendall(b"PUB a.good 4\r\ngood\r\nPING\r\n")
        assert eventually(lambda: bool(actors.got))
        assert eventually(lambda: ("M1", "a.good", b"good") in actors.wait(1, 0))
    assert any(r"a message to a.\xff\xfe\x1b[2J is unreadable" in line for line in caplog.messages)
    assert all(line.isprintable() for line in caplog.messages)
    publish(nats_provider, "M1", "a.more")
    assert eventually(lambda: ("M1", "a.more", b"") in actors.wait(1, 0))


def test_the_largest_message(
    nats_provider: NatsMessagingProvider, actors: Actors, serve_nats: Callable[[str], ServerProcess]
) -> None:
    bind(nats_provider, "M1", URL=nats_url(serve_nats("max_payload: 1000")), SUBSCRIPTION="a")
    publish(nats_provider, "M1", "a", b"x" * 1000)
    for call in (publish, request):
        with pytest.raises(ProviderError, match=r"takes messages of 1000 bytes at most, not of 1001$"):
            call(nats_provider, "M1", "a", b"x" * 1001)
    publish(nats_provider, "M1", "a", b"more")
    assert [len(body) for _, _, body in actors.wait(2)] == [1000, 4]


def test_replies_to_others_are_not_delivered(
    nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION=">")
    bind(nats_provider, "M2", URL=nats_url(server), SUBSCRIPTION="_INBOX.mine")
    publish(nats_provider, "M1", "_INBOX.mine", b"reply")
    assert actors.wait(1) == [("M2", "_INBOX.mine", b"reply")]


def test_a_binding_that_fails_leaves_the_former_one(
    nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess
) -> None:
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="a")
    with pytest.raises(ProviderError, match="cannot connect"):
        bind(nats_provider, "M1", URL=f"127.0.0.1:{free_port()}", SUBSCRIPTION="b")
    publish(nats_provider, "M1", "a")
    assert actors.wait(1) == [("M1", "a", b"")]


def test_a_flood_does_not_stop_the_others(
    nats_provider: NatsMessagingProvider, actors: Actors, server: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    go = threading.Event()
    actors.reactions["M1"] = lambda _: go.wait(20)
    bind(nats_provider, "M1", URL=nats_url(server), SUBSCRIPTION="flood", MAX_PENDING="10")
    bind(nats_provider, "M2", URL=nats_url(server), SUBSCRIPTION="quiet")

    async def flood(client: nats.NATS) -> None:
        for _ in range(20_000):
            await client.publish("flood", b"x" * 100)
        await client.flush()

    with_client(server, flood)
    publish(nats_provider, "M2", "quiet", b"heard")
    assert eventually(lambda: ("M2", "quiet", b"heard") in actors.wait(1, 0))
    # Its answer comes behind the flood.
    with pytest.raises(ProviderError, match="nobody"):
        request(nats_provider, "M1", "nobody.there")
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
