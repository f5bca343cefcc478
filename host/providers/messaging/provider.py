"""Messaging within one host: a broker in memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from uuid import uuid4

from host.codec import encode
from host.codec.messaging import (
    CAPABILITY,
    OP_DELIVER_MESSAGE,
    OP_PERFORM_REQUEST,
    OP_PUBLISH_MESSAGE,
    BrokerMessage,
    RequestMessage,
)
from host.logs import log
from host.providers.base import Dispatcher, Provider, ProviderError, reason
from host.providers.messaging.subjects import checked_pattern, checked_subject, matches
from host.providers.values import integer_value

SUBSCRIPTION, QUEUE_GROUP, MAX_PENDING = "SUBSCRIPTION", "QUEUEGROUP_NAME", "MAX_PENDING"
INBOX = "_INBOX"
MAX_TIMEOUT = 3_600_000
"""Milliseconds."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """An actor with what it has subscribed to, and the messages that wait for it; one thread hands them over."""

    actor: str
    patterns: tuple[str, ...]
    group: str
    max_pending: int
    waiting: deque[BrokerMessage] = field(default_factory=deque)
    changed: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    def wants(self, subject: str) -> bool:
        """Whether messages to this subject are for it."""
        return any(matches(pattern, subject) for pattern in self.patterns)

    def put(self, message: BrokerMessage) -> None:
        """One more message; dropped if too many are waiting, as a broker does with who is too slow."""
        with self.changed:
            if len(self.waiting) >= self.max_pending:
                log.warning("%s: %s is too slow, a message to %s was dropped", CAPABILITY, self.actor, message.subject)
            elif not self.ended:
                self.waiting.append(message)
                self.changed.notify()

    def deliver(self, dispatcher: Dispatcher) -> None:
        """Hand messages over until the end, in their order, one at a time."""
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.ended or self.waiting)
                if self.ended:
                    return
                message = self.waiting.popleft()
            try:
                dispatcher.dispatch(self.actor, OP_DELIVER_MESSAGE, encode(message))
            except Exception as error:  # whatever an actor does is no matter of who has published
                what = f"did not take a message to {message.subject}: {reason(error)}"
                log.error("%s: %s %s", CAPABILITY, self.actor, what)

    def end(self) -> None:
        """Deliver nothing more."""
        with self.changed:
            self.ended = True
            self.waiting.clear()
            self.changed.notify()


class MemoryMessagingProvider(Provider):
    """Publishes, requests and delivers among the actors of this host; `docs/providers/messaging.md`."""

    capability = CAPABILITY
    name = "waSCC Messaging (In Process)"
    long_description = "A message broker for the actors of one host, which keeps nothing."
    to_actor = {OP_DELIVER_MESSAGE: "Delivers a message to an actor that has subscribed to its subject"}  # noqa: RUF012
    value_names = frozenset({SUBSCRIPTION, QUEUE_GROUP, MAX_PENDING})

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._subscribers: dict[str, Subscriber] = {}
        self._inboxes: dict[str, SimpleQueue[bytes]] = {}
        self._turns: dict[str, int] = {}
        self.route(OP_PUBLISH_MESSAGE, BrokerMessage, self._publish, "Publishes a message to all who want it")
        self.route(OP_PERFORM_REQUEST, RequestMessage, self._request, "Publishes a message and waits for a reply")

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Subscribe an actor; its former subscriptions end, with the messages that wait for them."""
        wanted = filter(None, map(str.strip, values.get(SUBSCRIPTION, "").split(",")))
        patterns, most = tuple(map(checked_pattern, wanted)), integer_value(values, MAX_PENDING, 1000, 1, 10**6)
        made = Subscriber(actor, patterns, values.get(QUEUE_GROUP, ""), most)
        self.unbind(actor)
        if patterns:
            with self._lock:
                self._subscribers[actor] = made
            threading.Thread(
                target=made.deliver, args=(self.dispatcher,), name=f"messages for {actor}", daemon=True
            ).start()

    def unbind(self, actor: str) -> None:
        """End an actor's subscriptions."""
        with self._lock:
            subscriber = self._subscribers.pop(actor, None)
            groups = {each.group for each in self._subscribers.values()}
            self._turns = {group: turn for group, turn in self._turns.items() if group in groups}
        if subscriber is not None:
            subscriber.end()

    def _publish(self, actor: str, message: BrokerMessage) -> None:
        checked_subject(message.subject)
        if message.reply_to:
            checked_subject(message.reply_to)
        self._send(message)

    def _send(self, message: BrokerMessage) -> bool:
        """Give a message to all who want it, and of each queue group to one, in turns; whether there was anybody."""
        with self._lock:
            inbox = self._inboxes.get(message.subject)
            wanting = [each for each in self._subscribers.values() if each.wants(message.subject)]
            turns = {each.group: self._turns.get(each.group, 0) for each in wanting if each.group}
            self._turns |= {group: turn + 1 for group, turn in turns.items()}
        if inbox is not None:
            inbox.put(message.body)
            return True
        groups: dict[str, list[Subscriber]] = {}
        for subscriber in wanting:
            groups.setdefault(subscriber.group, []).append(subscriber)
        for name, members in groups.items():
            for chosen in members if not name else [members[turns[name] % len(members)]]:
                chosen.put(message)
        return bool(wanting)

    def _request(self, actor: str, request: RequestMessage) -> bytes:
        checked_subject(request.subject)
        if not 1 <= request.timeout <= MAX_TIMEOUT:
            raise ProviderError(f"the timeout must be from 1 to {MAX_TIMEOUT} ms, not {request.timeout}")
        reply_to, inbox = f"{INBOX}.{uuid4().hex}", SimpleQueue[bytes]()
        with self._lock:
            self._inboxes[reply_to] = inbox
        try:
            if not self._send(BrokerMessage(request.subject, reply_to, request.body)):
                raise ProviderError(f"nobody has subscribed to {request.subject}")
            return inbox.get(timeout=request.timeout / 1000)
        except Empty:
            raise ProviderError(f"no reply from {request.subject} within {request.timeout} ms") from None
        finally:
            with self._lock:
                del self._inboxes[reply_to]
