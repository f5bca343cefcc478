"""What all providers of `wascc:messaging` share: the operations, what is refused before any broker sees it, and the
texts of errors."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from host.codec.messaging import (
    CAPABILITY,
    OP_DELIVER_MESSAGE,
    OP_PERFORM_REQUEST,
    OP_PUBLISH_MESSAGE,
    BrokerMessage,
    RequestMessage,
)
from host.providers.base import Provider, ProviderError
from host.providers.messaging.delivery import Delivery
from host.providers.messaging.settings import SUBSCRIPTION_VALUES
from host.providers.messaging.subjects import checked_subject

INBOX = "_INBOX"
"""The first token of the subjects that replies go to."""
MAX_TIMEOUT = 3_600_000
"""Milliseconds."""
DRAIN_SECONDS = 4.0
"""How long actors have, when the host shuts down, for the messages that wait for them."""


class MessagingProvider(Provider, ABC):
    """Publishes, requests and delivers; `docs/providers/messaging.md`."""

    capability = CAPABILITY
    to_actor = {OP_DELIVER_MESSAGE: "Delivers a message to an actor that has subscribed to its subject"}  # noqa: RUF012
    value_names = SUBSCRIPTION_VALUES

    def __init__(self) -> None:
        super().__init__()
        self.route(OP_PUBLISH_MESSAGE, BrokerMessage, self._publish, "Publishes a message to all who want it")
        self.route(OP_PERFORM_REQUEST, RequestMessage, self._request, "Publishes a message and waits for a reply")

    @abstractmethod
    def publish(self, actor: str, message: BrokerMessage) -> None:
        """Give a message to the broker for a bound actor. Raises ProviderError."""

    @abstractmethod
    def request(self, actor: str, request: RequestMessage) -> bytes:
        """The body of the first reply to a request. Raises ProviderError, `no_responders` or `no_reply` among them."""

    @abstractmethod
    def take_no_more(self) -> None:
        """Have nothing more brought from outside of this host. Must not raise."""

    @abstractmethod
    def deliveries(self) -> tuple[Delivery, ...]:
        """Those of all bound actors that have subscribed to something."""

    def drain(self) -> None:
        """Take no more messages from outside, and hand over what waits, for DRAIN_SECONDS at most."""
        self.take_no_more()
        end = time.monotonic() + DRAIN_SECONDS
        for delivery in self.deliveries():
            delivery.drain(max(0.0, end - time.monotonic()))

    def _publish(self, actor: str, message: BrokerMessage) -> None:
        checked_subject(message.subject)
        if message.reply_to:
            checked_subject(message.reply_to)
        self.publish(actor, message)

    def _request(self, actor: str, request: RequestMessage) -> bytes:
        checked_subject(request.subject)
        if not 1 <= request.timeout <= MAX_TIMEOUT:
            raise ProviderError(f"the timeout must be from 1 to {MAX_TIMEOUT} ms, not {request.timeout}")
        return self.request(actor, request)


def no_responders(request: RequestMessage) -> ProviderError:
    """The error of a request that nobody gets."""
    return ProviderError(f"nobody has subscribed to {request.subject}")


def no_reply(request: RequestMessage) -> ProviderError:
    """The error of a request that nobody answered in time."""
    return ProviderError(f"no reply from {request.subject} within {request.timeout} ms")
