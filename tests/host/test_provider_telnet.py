"""The life of telnet sessions: who gets what, bindings, addresses, the end of sessions, and an actor in a host."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import telnetlib3
from host_support import Identities, eventually, script
from telnet_support import ACTOR, Actors, Client, bind, connect, refused, remove, send_text

from host import Host, InvocationFailure, find_provider
from host.codec import decode, encode
from host.codec.telnet import CAPABILITY, SessionStarted, TelnetMessage
from host.errors import ActorBusy, HostShutDown
from host.providers import patience
from host.providers.telnet import TelnetProvider


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def provider(actors: Actors) -> Iterator[TelnetProvider]:
    made = TelnetProvider()
    made.configure_dispatch(actors)
    yield made
    made.stop()


def answering(provider: TelnetProvider, actors: Actors) -> None:
    """Have actors greet and echo."""
    actors.on_start = lambda actor, session: send_text(provider, session, f"welcome to {actor}\n", actor)
    actors.on_line = lambda actor, message: send_text(provider, message.session, f"{message.text}!\n", actor)


def test_the_descriptor_and_the_names(provider: TelnetProvider) -> None:
    assert provider.descriptor.id == "wascc:telnet"
    assert {each.name for each in provider.descriptor.supported_operations} == {
        "SessionStarted",
        "ReceiveText",
        "SendText",
    }
    for name in ("telnet", CAPABILITY):
        found = find_provider(name)
        assert isinstance(found, TelnetProvider)
        found.stop()


def test_a_session(provider: TelnetProvider, actors: Actors) -> None:
    answering(provider, actors)
    bind(provider)
    with connect(provider) as client:
        assert client.receive(15) == b"welcome to MA\r\n"
        client.send(b"hello\r\nh\xc3\xa9")
        assert client.receive(8) == b"hello!\r\n"
        client.send(b"lo\n\n")
        assert client.receive(11) == "hélo!\r\n!\r\n".encode()
    assert actors.lines(3) == ["hello", "hélo", ""]
    assert {(actor, session) for actor, session, _ in actors.got} == {(ACTOR, actors.session())}
    assert UUID(actors.session()).version == 4


def test_lines_come_one_at_a_time_and_in_order_and_sessions_do_not_wait_for_each_other(
    provider: TelnetProvider, actors: Actors
) -> None:
    gate, at_work, most = threading.Event(), set[str](), [0]

    def take(actor: str, message: TelnetMessage) -> None:
        assert message.session not in at_work
        at_work.add(message.session)
        if message.text == "wait":
            assert gate.wait(20)
        most[0] = max(most[0], len(at_work))
        at_work.remove(message.session)

    actors.on_line = take
    bind(provider)
    with connect(provider) as slow, connect(provider) as fast:
        slow.send(b"wait\n" + b"".join(b"%d\n" % number for number in range(200)))
        assert eventually(lambda: len(at_work) == 1)
        fast.send(b"".join(b"f%d\n" % number for number in range(200)))
        assert actors.lines(200) == [f"f{number}" for number in range(200)]
        gate.set()
        assert actors.lines(401)[200:] == ["wait", *map(str, range(200))]
    assert most[0] == 2


def test_sessions_belong_to_one_actor(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider, "MA")
    bind(provider, "MB")
    with connect(provider, "MA") as client:
        session = actors.session()
        other = refused(lambda: send_text(provider, session, "x", "MB"))
        unknown = refused(lambda: send_text(provider, "no\x1bsuch", "x", "MB"))
        assert other == f"the actor has no session {session}"
        assert unknown == r"the actor has no session no\x1bsuch"
        assert refused(lambda: send_text(provider, session, "x", "MC")) == "MC is not bound to wascc:telnet"
        send_text(provider, session, "mine\n", "MA")
        assert client.receive(6) == b"mine\r\n"
    assert eventually(lambda: "has" in _why_not(provider, session))


def _why_not(provider: TelnetProvider, session: str) -> str:
    try:
        send_text(provider, session, "?")
    except Exception as error:
        return str(error)
    return ""


def test_the_actor_cannot_reach_the_terminal(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider)
    with connect(provider) as client:
        send_text(provider, actors.session(), "\x1b]0;title\x07\x9b2J\rÿ\n")
        expected = r"\x1b]0;title\x07\x9b2J\rÿ".encode() + b"\r\n"
        assert client.receive(len(expected)) == expected


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"Welcome\nto all", b"Welcome\r\nto all\r\n"),
        (b"\xef\xbb\xbf\x1b[1mW\r\n", b"\\x1b[1mW\r\n"),
        (b"x" * 65536, b"x" * 65536 + b"\r\n"),
        (b"", b""),
    ],
)
def test_the_message_of_the_day(
    provider: TelnetProvider, actors: Actors, tmp_path: Path, content: bytes, shown: bytes
) -> None:
    answering(provider, actors)
    file = tmp_path / "motd"
    file.write_bytes(content)
    bind(provider, MOTD=str(file))
    with connect(provider) as client:
        assert client.receive(len(shown) + 15) == shown + b"welcome to MA\r\n"
        file.write_text("new")
        bind(provider, MOTD=str(file))
        with connect(provider) as later:
            assert later.receive(5) == b"new\r\n"
        client.send(b"still here\n")
        assert client.receive(13) == b"still here!\r\n"


def test_messages_of_the_day_that_are_refused(provider: TelnetProvider, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * 65537)
    (tmp_path / "latin").write_bytes(b"\xe9")
    os.mkfifo(tmp_path / "fifo")
    for name, why in (
        ("none", "is no file"),
        (".", "is no file"),
        ("fifo", "is no file"),
        ("a\0b", "is no file"),
        ("long", "is longer than 65536 bytes"),
        ("latin", "is no text in UTF-8"),
    ):
        text = refused(lambda name=name: bind(provider, MOTD=f"{tmp_path}/{name}"))
        assert text.startswith("MOTD: "), text
        assert text.endswith(why)
    assert refused(lambda: provider.address(ACTOR)) == "MA is not bound to wascc:telnet"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "x\n"),
        ("HOST", ""),
        ("HOST", "203.0.113.7"),
        ("HOST", "a" * 300),
        ("IDLE_TIMEOUT", "0"),
        ("MAX_CONNECTIONS", "0"),
        ("MAX_LINE_BYTES", "1048577"),
        ("MAX_PENDING", "0"),
        ("MAX_SENDING_BYTES", "67108865"),
        ("SEND_TIMEOUT", "3601"),
        ("SHUTDOWN_TIMEOUT", "³"),
    ],
)
def test_values_that_are_refused_leave_everything_as_it_was(
    provider: TelnetProvider, actors: Actors, name: str, value: str
) -> None:
    answering(provider, actors)
    refused(lambda: bind(provider, **{name: value}))
    bind(provider)
    with connect(provider) as client:
        assert client.receive(15) == b"welcome to MA\r\n"
        text = refused(lambda: bind(provider, **{name: value}))
        assert name in text or "cannot listen on" in text
        client.send(b"a\n")
        assert client.receive(4) == b"a!\r\n"


def test_a_port_that_is_taken(provider: TelnetProvider) -> None:
    bind(provider, "MA")
    port = str(provider.address("MA")[1])
    assert (
        refused(lambda: bind(provider, "MB", PORT=port)) == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    )
    remove(provider, "MA")
    bind(provider, "MB", PORT=port)
    assert provider.address("MB")[1] == int(port)


def test_binding_again_at_the_same_address_keeps_sessions(provider: TelnetProvider, actors: Actors) -> None:
    answering(provider, actors)
    bind(provider)
    address = provider.address(ACTOR)
    with connect(provider) as client:
        assert client.receive(15) == b"welcome to MA\r\n"
        bind(provider, MAX_CONNECTIONS="1")
        assert provider.address(ACTOR) == address
        client.send(b"a\n")
        assert client.receive(4) == b"a!\r\n"
        with connect(provider) as another:
            assert another.rest() == b"There are too many sessions; try again later.\r\n"


def test_binding_again_at_another_address_moves(provider: TelnetProvider, actors: Actors) -> None:
    answering(provider, actors)
    bind(provider)
    former = provider.address(ACTOR)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with connect(provider) as client:
        assert client.receive(15) == b"welcome to MA\r\n"
        bind(provider, PORT=port)
        assert client.rest() == b""
    assert provider.address(ACTOR) == ("127.0.0.1", int(port))
    with pytest.raises(ConnectionRefusedError):
        Client(former)
    with connect(provider) as client:
        assert client.receive(15) == b"welcome to MA\r\n"


def test_removing_and_binding_anew(provider: TelnetProvider, actors: Actors) -> None:
    for number in range(3):
        bind(provider)
        address = provider.address(ACTOR)
        with connect(provider) as client:
            session = actors.session(number)
            remove(provider)
            assert client.rest() == b""
        assert "not bound" in refused(lambda session=session: send_text(provider, session, "x"))
        with pytest.raises(ConnectionRefusedError):
            Client(address)


def test_draining_finishes_the_lines_that_have_come(provider: TelnetProvider, actors: Actors) -> None:
    gate = threading.Event()

    def slowly(actor: str, message: TelnetMessage) -> None:
        assert gate.wait(20)
        send_text(provider, message.session, f"{message.text}!\n")

    actors.on_line = slowly
    bind(provider)
    with connect(provider) as client, connect(provider) as silent:
        actors.session(1)
        client.send(b"a\nb\nc\n")
        running = provider._servers[ACTOR]._running
        assert eventually(lambda: sorted(each._pending.qsize() for each in running.values()) == [0, 2])
        draining = threading.Thread(target=provider.drain)
        draining.start()
        assert silent.rest() == b""
        gate.set()
        assert client.rest() == b"a!\r\nb!\r\nc!\r\n"
        draining.join(20)
        assert not draining.is_alive()
    with pytest.raises(ConnectionRefusedError):
        connect(provider)
    provider.drain()
    remove(provider)


def test_an_actor_that_does_not_return_keeps_nobody_for_long(provider: TelnetProvider, actors: Actors) -> None:
    gate = threading.Event()
    entered = threading.Event()

    def stuck(actor: str, message: TelnetMessage) -> None:
        entered.set()
        gate.wait(20)

    actors.on_line = stuck
    bind(provider, SHUTDOWN_TIMEOUT="0")
    with connect(provider) as client:
        client.send(b"a\nb\n")
        assert entered.wait(20)
        removing = threading.Thread(target=remove, args=(provider,))
        removing.start()
        removing.join(5)
        assert not removing.is_alive()
        assert client.rest() == b""
    gate.set()
    assert actors.lines(1) == ["a"]


def test_what_an_actor_fails_at_is_logged_and_the_session_goes_on(
    provider: TelnetProvider, actors: Actors, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(actor: str, *_: object) -> None:
        raise SystemExit("no\nthanks")

    actors.on_start = fail
    actors.on_line = lambda actor, message: fail(actor) if message.text == "bad" else None
    bind(provider)
    with connect(provider) as client:
        client.send(b"bad\ngood\n")
        assert actors.lines(1) == ["good"]
    told = [(each.levelno, each.getMessage()) for each in caplog.records if "failed" in each.getMessage()]
    assert told == [
        (logging.ERROR, r"SessionStarted of actor MA failed: no\nthanks"),
        (logging.ERROR, r"ReceiveText of actor MA failed: no\nthanks"),
    ]


def test_an_actor_that_is_busy_is_offered_the_line_again(provider: TelnetProvider, actors: Actors) -> None:
    refusals = iter([ActorBusy("too much to do")] * 3)

    def take(actor: str, message: TelnetMessage) -> None:
        if (error := next(refusals, None)) is not None:
            raise error

    actors.on_line = take
    bind(provider)
    with connect(provider) as client:
        client.send(b"a\nb\n")
        assert actors.lines(2) == ["a", "b"]


def test_an_actor_that_stays_busy_is_not_offered_the_line_for_ever(
    provider: TelnetProvider, actors: Actors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.1)

    def take(actor: str, message: TelnetMessage) -> None:
        if message.text == "a":
            raise ActorBusy("too much to do")

    actors.on_line = take
    bind(provider)
    with connect(provider) as client:
        client.send(b"a\nb\n")
        assert actors.lines(1) == ["b"]
    assert caplog.messages[-1] == "ReceiveText of actor MA failed: waSCC Host Error: too much to do"


def test_a_host_that_shuts_down_is_no_failure(
    provider: TelnetProvider, actors: Actors, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def shut(actor: str, session: str) -> None:
        done.set()
        raise HostShutDown("the host is shutting down")

    actors.on_start = shut
    bind(provider)
    with connect(provider) as client:
        assert done.wait(20)
        client.send(b"a\n")
        actors.lines(1)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_client_that_has_said_all_gets_its_answers(provider: TelnetProvider, actors: Actors) -> None:
    answering(provider, actors)
    bind(provider)
    with connect(provider) as client:
        client.send(b"a\nb\nnot ended")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == b"welcome to MA\r\na!\r\nb!\r\n"
    assert actors.lines(2) == ["a", "b"]


def test_urgent_data_stays_in_its_place(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider)
    with connect(provider) as client:
        actors.session()
        client.send(b"a\xff\xf4\xff")
        client.socket.send(b"\xf2", socket.MSG_OOB)
        client.send(b"bc\r\n")
        assert actors.lines(1) == ["abc"]


def test_ipv6(provider: TelnetProvider, actors: Actors) -> None:
    answering(provider, actors)
    bind(provider, HOST="::1")
    with connect(provider) as client:
        assert client.receive(15) == b"welcome to MA\r\n"


def test_a_telnet_client_that_negotiates_all_it_can(provider: TelnetProvider, actors: Actors) -> None:
    answering(provider, actors)
    bind(provider)
    host, port = provider.address(ACTOR)

    async def talk() -> list[str]:
        reader, writer = await telnetlib3.open_connection(
            host, port, encoding="utf8", force_binary=True, connect_minwait=0.1
        )
        for option in (telnetlib3.TTYPE, telnetlib3.NAWS, telnetlib3.BINARY, telnetlib3.SGA):
            writer.iac(telnetlib3.WILL, option)
        for option in (telnetlib3.ECHO, telnetlib3.BINARY, telnetlib3.SGA, telnetlib3.STATUS):
            writer.iac(telnetlib3.DO, option)
        writer.write("grüße\r\n")
        lines = [await asyncio.wait_for(reader.readline(), 20) for _ in range(2)]
        writer.close()
        return lines

    assert asyncio.run(talk()) == ["welcome to MA\r\n", "grüße!\r\n"]
    assert actors.lines(1) == ["grüße"]


def test_an_actor_in_a_host(host: Host, identities: Identities) -> None:
    actor, stranger = identities.actor(CAPABILITY), identities.actor(CAPABILITY)
    for each in (actor, stranger):
        host.add_actor(each)
    for _ in range(2):
        provider = TelnetProvider()
        host.add_capability(provider)
        for each in (actor, stranger):
            host.set_binding(each.public_key, CAPABILITY, values={"PORT": "0"})
        with connect(provider, actor.public_key) as client:
            kept: list[bytes] = []
            assert eventually(lambda kept=kept: _kept(host, actor.public_key, kept) == 1)
            session = decode(SessionStarted, kept[0]).session
            client.send(b"line\r\n")
            assert eventually(lambda kept=kept: _kept(host, actor.public_key, kept) == 2)
            assert decode(TelnetMessage, kept[1]) == TelnetMessage(session, "line")
            answer = script((CAPABILITY, "SendText", encode(TelnetMessage(session, "answer\n"))))
            with pytest.raises(InvocationFailure, match=f"the actor has no session {session}"):
                host.call_actor(stranger.public_key, "host", answer)
            host.call_actor(actor.public_key, "host", answer)
            assert client.receive(8) == b"answer\r\n"
            host.remove_capability(CAPABILITY)
            assert client.rest() == b""
        with pytest.raises(InvocationFailure):
            host.call_actor(actor.public_key, "host", answer)


def _kept(host: Host, actor: str, kept: list[bytes]) -> int:
    """Add what the actor has got since; how much that is altogether."""
    got = host.call_actor(actor, "got", b"")
    while got:
        (length,) = struct.unpack_from("<I", got)
        kept.append(got[4 : 4 + length])
        got = got[4 + length :]
    return len(kept)
