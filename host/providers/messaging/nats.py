"""Messaging by a NATS server, which carries messages to other hosts and programs too."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from host.codec.messaging import BrokerMessage, RequestMessage
from host.providers.base import ProviderError
from host.providers.loop import LoopThread
from host.providers.messaging.delivery import Delivery
from host.providers.messaging.nats_settings import NATS_VALUES, ServerSettings
from host.providers.messaging.provider import MessagingProvider
from host.providers.messaging.settings import Subscription
from host.providers.optional import import_with_extra

if TYPE_CHECKING:
    from host.providers.messaging.nats_connection import NatsConnection


@dataclass(frozen=True, slots=True)
class BoundActor:
    """An actor's connection, and what is delivered to it."""

    connection: NatsConnection
    delivery: Delivery


class NatsMessagingProvider(MessagingProvider):
    """A connection to NATS for each bound actor."""

    name = "waSCC Messaging Provider (NATS)"
    long_description = "Publishes to a NATS server, and delivers what it sends to subscriptions."
    value_names = MessagingProvider.value_names | NATS_VALUES

    def __init__(self) -> None:
        super().__init__()
        library = import_with_extra("host.providers.messaging.nats_connection", "nats")
        self._connect: type[NatsConnection] = library.NatsConnection
        self._loop = LoopThread("messaging by NATS")
        self._bound: dict[str, BoundActor] = {}

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Connect an actor and subscribe; then its former connection is given up, with the messages that wait."""
        subscription, server = Subscription.of(values), ServerSettings.of(values)
        delivery = Delivery(actor, subscription, self.dispatcher)
        connection = self._connect(server, subscription, delivery.put, actor)
        self._loop.run(connection.open())
        self.unbind(actor)
        delivery.start()
        connection.begin_delivery()
        self._bound[actor] = BoundActor(connection, delivery)

    def unbind(self, actor: str) -> None:
        """Disconnect an actor."""
        bound = self._bound.pop(actor, None)
        if bound is not None:
            bound.delivery.end()
            self._loop.run(bound.connection.close())

    def stop(self) -> None:
        """Disconnect every actor, without waiting for servers that are just being connected to."""
        self._loop.cancel()
        super().stop()

    def close(self) -> None:
        """End the thread of the connections."""
        self._loop.stop()

    def take_no_more(self) -> None:
        """End all subscriptions at the server; what it has sent until then is still delivered."""
        for bound in tuple(self._bound.values()):
            with suppress(ProviderError):
                self._loop.run(bound.connection.unsubscribe())

    def deliveries(self) -> tuple[Delivery, ...]:
        """Those of all bound actors."""
        return tuple(bound.delivery for bound in tuple(self._bound.values()))

    def publish(self, actor: str, message: BrokerMessage) -> None:
        """Send a message to the server, and wait until it has it."""
        self._loop.run(self._connection(actor).publish(message))

    def request(self, actor: str, request: RequestMessage) -> bytes:
        """The first reply that the server brings."""
        return self._loop.run(self._connection(actor).request(request))

    def _connection(self, actor: str) -> NatsConnection:
        try:
            return self._bound[actor].connection
        except KeyError:
            raise self.not_bound(actor) from None
