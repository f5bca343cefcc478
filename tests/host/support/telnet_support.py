"""What the tests of telnet share: actors that note what they get, and a client that speaks raw TCP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import provider_support
import pytest

from host.codec import decode, encode
from host.codec.telnet import SessionStarted, TelnetMessage
from host.providers.base import ProviderError
from host.providers.telnet import TelnetProvider

ACTOR = "MA"
SECONDS = 20


class Actors:
    """A dispatcher that notes the sessions and lines of actors; `on_line` and `on_start` are what they then do."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.sessions: list[tuple[str, str]] = []
        self.got: list[tuple[str, str, str]] = []
        self.on_start: Callable[[str, str], object] = lambda actor, session: None
        self.on_line: Callable[[str, TelnetMessage], object] = lambda actor, message: None

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        if operation == "SessionStarted":
            session = decode(SessionStarted, payload).session
            self._note(lambda: self.sessions.append((actor, session)))
            self.on_start(actor, session)
        else:
            assert operation == "ReceiveText"
            message = decode(TelnetMessage, payload)
            self.on_line(actor, message)
            self._note(lambda: self.got.append((actor, message.session, message.text)))
        return b"\xc0"

    def _note(self, what: Callable[[], None]) -> None:
        with self.changed:
            what()
            self.changed.notify_all()

    def session(self, number: int = 0) -> str:
        """The session that was begun as the so-manieth."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.sessions) > number, timeout=SECONDS)
            return self.sessions[number][1]

    def lines(self, count: int) -> list[str]:
        """The first lines that were handed over, once there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, timeout=SECONDS), self.got
            return [text for _, _, text in self.got]


class Client:
    """A raw connection."""

    def __init__(self, address: tuple[str, int], receive_buffer: int = 0) -> None:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(SECONDS)
        self.socket.connect(address)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, count: int) -> bytes:
        """So many bytes, fewer if the connection ends before."""
        data = b""
        while len(data) < count and (part := self.socket.recv(count - len(data))):
            data += part
        return data

    def rest(self) -> bytes:
        """All bytes until the other side ends the connection."""
        data = b""
        try:
            while part := self.socket.recv(65536):
                data += part
        except ConnectionResetError:
            pass
        return data


def bind(provider: TelnetProvider, actor: str = ACTOR, **values: str) -> None:
    """Bind at any free port unless told."""
    provider_support.bind(provider, actor, **{"PORT": "0", **values})


def connect(provider: TelnetProvider, actor: str = ACTOR, **options: int) -> Client:
    return Client(provider.address(actor), **options)


def remove(provider: TelnetProvider, actor: str = ACTOR) -> None:
    provider_support.remove(provider, actor)


def send_text(provider: TelnetProvider, session: str, text: str, actor: str = ACTOR) -> None:
    assert provider.handle_call(actor, "SendText", encode(TelnetMessage(session, text))) == b""


def refused(work: Callable[[], object]) -> str:
    """The error of the work, which is one line."""
    with pytest.raises(ProviderError) as caught:
        work()
    text = str(caught.value)
    assert text.isprintable()
    return text
