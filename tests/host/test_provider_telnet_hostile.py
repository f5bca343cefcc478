"""Telnet clients and actors that are slow, silent, greedy or malicious: each harms itself alone."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from host_support import eventually
from telnet_support import ACTOR, Actors, bind, connect, refused, send_text

from host.codec.telnet import TelnetMessage
from host.providers.base import ProviderError
from host.providers.telnet import TelnetProvider


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def provider(actors: Actors) -> Iterator[TelnetProvider]:
    """A provider that is well at the end."""
    others = set(threading.enumerate())
    made = TelnetProvider()
    made.configure_dispatch(actors)
    yield made
    assert eventually(lambda: not sessions(made))
    with connect(made) as client:
        before = len(actors.got)
        client.send(b"well\n")
        assert actors.lines(before + 1)[before:] == ["well"]
    made.stop()
    assert eventually(lambda: not any(each.name == "telnet" for each in set(threading.enumerate()) - others))


def sessions(provider: TelnetProvider) -> int:
    return len(provider._servers[ACTOR]._running)


def send_endlessly(send: Callable[[], None]) -> None:
    for _ in range(10_000):
        send()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfa\x18" + b"x" * 2000,
        b"\xff\x01",
        b"\xff\xfa\x18\xff\xfb",
        b"fine\n\xff\x01more\n",
        bytes(range(256)) * 16,
    ],
)
def test_what_is_no_telnet_ends_the_session(provider: TelnetProvider, data: bytes) -> None:
    bind(provider)
    with connect(provider) as client:
        client.send(data)
        assert client.rest() == b""


def test_endless_lines_take_no_memory_and_are_not_handed_over(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider, MAX_LINE_BYTES="10")
    with connect(provider) as client:
        for _ in range(50):
            client.send(b"x" * 65536)
        client.send(b"\nshort\n")
        assert actors.lines(1) == ["short"]
        (session,) = provider._servers[ACTOR]._sessions.values()
        assert len(session._lines._line) == 0
        assert client.receive(47) == b"That line was too long; 10 bytes are allowed.\r\n"


def test_an_actor_that_is_slow_slows_its_client_and_nothing_is_lost(provider: TelnetProvider, actors: Actors) -> None:
    gate = threading.Event()
    actors.on_line = lambda actor, message: gate.wait(60)
    bind(provider, MAX_PENDING="3")
    sent = bytearray()
    with connect(provider) as client:
        client.socket.settimeout(0.5)
        number = 0
        try:
            while len(sent) < 100_000_000:
                block = b"".join(b"%08d%s\n" % (each, b"." * 1000) for each in range(number, number + 100))
                taken = client.socket.send(block)
                sent += block[:taken]
                number += 100
                if taken < len(block):
                    break
        except TimeoutError:
            pass
        assert len(sent) < 50_000_000
        (session,) = provider._servers[ACTOR]._sessions.values()
        assert session._pending.qsize() == 3
        gate.set()
        client.socket.settimeout(20)
        client.send(b"\nlast\n")
        assert eventually(lambda: bool(actors.got) and actors.got[-1][2] == "last", 60)
    whole = [line for line in sent.decode().split("\n") if line]
    assert [text for _, _, text in actors.got if text] == [*whole, "last"]


def test_a_client_that_takes_nothing_is_given_no_more_and_ended(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider, MAX_SENDING_BYTES="100000", SEND_TIMEOUT="1")
    with connect(provider, receive_buffer=4096):
        session = actors.session()
        assert (
            refused(lambda: send_text(provider, session, "x" * 100_001)) == "the text is over the limit of 100000 bytes"
        )
        assert "no room for 140000 bytes" in refused(lambda: send_text(provider, session, "\x1b" * 35_000))
        with pytest.raises(ProviderError, match=r"no room for 50000 bytes: its client has \d+ of 100000 to take"):
            send_endlessly(lambda: send_text(provider, session, "x" * 50_000))
        begin = time.monotonic()
        assert eventually(lambda: not sessions(provider))
        assert time.monotonic() - begin < 5
        assert "no session" in refused(lambda: send_text(provider, session, "x"))


def test_a_client_that_takes_slowly_is_served(provider: TelnetProvider, actors: Actors) -> None:
    size = 4_000_000
    bind(provider, MAX_SENDING_BYTES="67108864", SEND_TIMEOUT="1")
    with connect(provider, receive_buffer=65536) as client:
        send_text(provider, actors.session(), "x" * size)
        begin, got = time.monotonic(), 0
        while time.monotonic() - begin < 3:
            got += len(client.receive(20_000))
            time.sleep(0.05)
        assert got < size
        assert got + len(client.receive(size - got)) == size


def test_a_flood_of_negotiation_whose_answers_nobody_takes(provider: TelnetProvider) -> None:
    bind(provider, SEND_TIMEOUT="1")
    with connect(provider, receive_buffer=4096) as client:
        client.socket.settimeout(5)
        with pytest.raises(OSError, match=r"reset|[Bb]roken|timed out"):
            send_endlessly(lambda: client.send(b"\xff\xf6\xff\xfd\x01" * 2000))
        assert eventually(lambda: not sessions(provider))


def test_who_says_nothing_is_ended(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider, IDLE_TIMEOUT="1")
    with connect(provider) as silent, connect(provider) as dripping:
        stop = threading.Event()

        def drip() -> None:
            try:
                while not stop.wait(0.2):
                    dripping.send(b"x")
            except OSError:
                return

        thread = threading.Thread(target=drip)
        thread.start()
        begin = time.monotonic()
        for client in (silent, dripping):
            assert client.rest().endswith(b"\r\nThis session ends after 1 s of silence.\r\n")
        assert 0.9 < time.monotonic() - begin < 6
        stop.set()
        thread.join()


def test_who_speaks_or_is_spoken_to_or_waits_for_an_answer_is_not_idle(
    provider: TelnetProvider, actors: Actors
) -> None:
    def answer(actor: str, message: TelnetMessage) -> None:
        if message.text == "think":
            time.sleep(2.5)
            send_text(provider, message.session, "thought\n")

    actors.on_line = answer
    bind(provider, IDLE_TIMEOUT="1")
    with connect(provider) as speaking, connect(provider) as listening, connect(provider) as waiting:
        actors.session(2)
        waiting.send(b"think\n")
        for _ in range(6):
            time.sleep(0.4)
            speaking.send(b"a\n")
            for number in range(3):
                send_text(provider, actors.session(number), "tick\n")
        assert waiting.receive(45) == b"tick\r\n" * 6 + b"thought\r\n"
        assert speaking.receive(36) == listening.receive(36) == b"tick\r\n" * 6


def test_no_more_connections_than_allowed(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider, MAX_CONNECTIONS="2")
    with connect(provider) as first, connect(provider):
        actors.session(1)
        for _ in range(20):
            with connect(provider) as third:
                assert third.rest() == b"There are too many sessions; try again later.\r\n"
        first.socket.close()
        assert eventually(lambda: sessions(provider) == 1)
        with connect(provider) as another:
            another.send(b"in\n")
            assert actors.lines(1) == ["in"]
    assert len(actors.sessions) == 3


def test_clients_that_come_and_go_at_once_leave_nothing(provider: TelnetProvider, actors: Actors) -> None:
    bind(provider)
    for number in range(300):
        with connect(provider) as client:
            if number % 3 == 0:
                client.send(b"a\nb")
            if number % 2 == 0:
                # Its end is a reset.
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert eventually(lambda: not sessions(provider))
    assert not provider._servers[ACTOR]._sessions
