"""Messaging within one host: a broker in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from uuid import uuid4

from host.codec.messaging import BrokerMessage, RequestMessage
from host.providers.messaging.delivery import Delivery
from host.providers.messaging.provider import INBOX, MessagingProvider, no_reply, no_responders
from host.providers.messaging.settings import Subscription
from host.providers.messaging.subjects import matches


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An actor that has subscribed to something."""

    subscription: Subscription
    delivery: Delivery

    def wants(self, subject: str) -> bool:
        """Whether messages to this subject are for it."""
        return any(matches(pattern, subject) for pattern in self.subscription.patterns)


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where the replies to a request of an actor come; None if there will be none."""

    actor: str
    replies: SimpleQueue[bytes | None]


class MemoryMessagingProvider(MessagingProvider):
    """A broker for the actors of this host."""

    name = "waSCC Messaging Provider (in memory)"
    long_description = "A message broker for the actors of one host, which keeps nothing."

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._subscribers: dict[str, Subscriber] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._turns: dict[str, int] = {}

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Subscribe an actor; its former subscriptions end, with the messages that wait for them."""
        subscription = Subscription.of(values)
        self._unsubscribe(actor)
        if subscription.patterns:
            delivery = Delivery(actor, subscription, self.dispatcher)
            delivery.start()
            with self._lock:
                self._subscribers[actor] = Subscriber(subscription, delivery)

    def unbind(self, actor: str) -> None:
        """End an actor's subscriptions, and its requests under way."""
        self._unsubscribe(actor)
        with self._lock:
            waiting = [inbox.replies for inbox in self._inboxes.values() if inbox.actor == actor]
        for replies in waiting:
            replies.put(None)

    def _unsubscribe(self, actor: str) -> None:
        with self._lock:
            subscriber = self._subscribers.pop(actor, None)
            groups = {each.subscription.group for each in self._subscribers.values()}
            self._turns = {group: turn for group, turn in self._turns.items() if group in groups}
        if subscriber is not None:
            subscriber.delivery.end()

    def take_no_more(self) -> None:
        """Nothing comes from outside."""

    def deliveries(self) -> tuple[Delivery, ...]:
        """Those of all subscribers."""
        with self._lock:
            return tuple(subscriber.delivery for subscriber in self._subscribers.values())

    def publish(self, actor: str, message: BrokerMessage) -> None:
        """Give a message to all who want it."""
        self._send(message)

    def request(self, actor: str, request: RequestMessage) -> bytes:
        """The first reply to a message that has a subject of its own to reply to."""
        reply_to, inbox = f"{INBOX}.{uuid4().hex}", Inbox(actor, SimpleQueue())
        with self._lock:
            self._inboxes[reply_to] = inbox
        try:
            self.values_of(actor)
            if not self._send(BrokerMessage(request.subject, reply_to, request.body)):
                raise no_responders(request)
            reply = inbox.replies.get(timeout=request.timeout / 1000)
            if reply is None:
                raise self.not_bound(actor)
            return reply
        except Empty:
            raise no_reply(request) from None
        finally:
            with self._lock:
                del self._inboxes[reply_to]

    def _send(self, message: BrokerMessage) -> bool:
        """Give a message to all who want it, and of each queue group to one, in turns; whether there was anybody."""
        with self._lock:
            inbox = self._inboxes.get(message.subject)
            wanting = [each for each in self._subscribers.values() if each.wants(message.subject)]
            names = {each.subscription.group for each in wanting} - {""}
            turns = {name: self._turns.get(name, 0) for name in names}
            self._turns |= {group: turn + 1 for group, turn in turns.items()}
        if inbox is not None:
            inbox.replies.put(message.body)
            return True
        groups: dict[str, list[Subscriber]] = {}
        for subscriber in wanting:
            groups.setdefault(subscriber.subscription.group, []).append(subscriber)
        for name, members in groups.items():
            for chosen in members if not name else [members[turns[name] % len(members)]]:
                chosen.delivery.put(message)
        return bool(wanting)
