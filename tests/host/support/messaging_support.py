"""What the tests of messaging share: actors that note their messages, and calls of a provider."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from provider_support import bind, refused
from servers import ServerProcess

from host.codec import decode, encode
from host.codec.messaging import BrokerMessage, RequestMessage
from host.providers.base import ProviderError
from host.providers.messaging.provider import MessagingProvider


class Actors:
    """A dispatcher that notes what actors get; what they do then is given by actor."""

    def __init__(self) -> None:
        self.got: list[tuple[str, BrokerMessage]] = []
        self.reactions: dict[str, Callable[[BrokerMessage], object]] = {}
        self.changed = threading.Condition()

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        assert operation == "DeliverMessage"
        message = decode(BrokerMessage, payload)
        if actor in self.reactions:
            self.reactions[actor](message)
        with self.changed:
            self.got.append((actor, message))
            self.changed.notify_all()
        return b"\xc0"

    def wait(self, number: int, more: float = 0.1) -> list[tuple[str, str, bytes]]:
        """What they got once that many messages have come, and those that come within `more` seconds from then."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= number, timeout=20), self.got
        time.sleep(more)
        return [(actor, message.subject, message.body) for actor, message in self.got]


def publish(provider: MessagingProvider, actor: str, subject: str, body: bytes = b"", reply_to: str = "") -> None:
    assert provider.handle_call(actor, "Publish", encode(BrokerMessage(subject, reply_to, body))) == b""


def request(provider: MessagingProvider, actor: str, subject: str, body: bytes = b"", timeout: int = 5000) -> bytes:
    return provider.handle_call(actor, "Request", encode(RequestMessage(subject, body, timeout=timeout)))


def nats_url(server: ServerProcess, user: str = "", scheme: str = "nats") -> str:
    return f"{scheme}://{user}127.0.0.1:{server.port}"


def refused_binding(provider: MessagingProvider, actor: str = "M1", **values: str) -> str:
    """Why a binding is refused; the text is one line and shows no secret."""
    text = refused(lambda: bind(provider, actor, **values), "hunter2")
    with pytest.raises(ProviderError, match=f"{actor} is not bound"):
        publish(provider, actor, "a")
    return text


def seconds(work: Callable[[], object]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start
