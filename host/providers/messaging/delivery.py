"""Handing messages to an actor: one at a time, in their order, and no more of them waiting than its binding allows."""

from __future__ import annotations

import logging
import threading
from collections import deque

from host.codec import encode
from host.codec.messaging import CAPABILITY, OP_DELIVER_MESSAGE, BrokerMessage
from host.logs import printable, sparing
from host.providers.base import Dispatcher, reason
from host.providers.messaging.settings import Subscription


class Delivery:
    """The messages that wait for an actor, and the thread that hands them over until `end`."""

    def __init__(self, actor: str, subscription: Subscription, dispatcher: Dispatcher) -> None:
        self._actor = actor
        self._subscription = subscription
        self._dispatcher = dispatcher
        self._waiting: deque[BrokerMessage] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._ended = False
        self._is_at_work = False

    def start(self) -> None:
        """Begin to hand over what is put."""
        threading.Thread(target=self._deliver, name=f"messages for {self._actor}", daemon=True).start()

    def put(self, message: BrokerMessage) -> None:
        """One more message; dropped if too much is waiting, as a broker does with who is too slow."""
        with self._changed:
            size = self._waiting_bytes + len(message.body)
            is_full = (
                len(self._waiting) >= self._subscription.max_pending or size > self._subscription.max_pending_bytes
            )
            if not self._ended and not is_full:
                self._waiting.append(message)
                self._waiting_bytes = size
                self._changed.notify_all()
        if is_full:
            self._log(logging.WARNING, f"is too slow, a message to {_shown(message)} was dropped")

    def drain(self, seconds: float) -> None:
        """Wait until the actor has had everything, for so long at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not (self._waiting or self._is_at_work), seconds)

    def end(self) -> None:
        """Hand nothing over any more; who has the last message may still be at work on it."""
        with self._changed:
            self._ended = True
            self._waiting.clear()
            self._changed.notify_all()

    def _deliver(self) -> None:
        while True:
            with self._changed:
                self._is_at_work = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._ended or self._waiting)
                if self._ended:
                    return
                self._is_at_work = True
                message = self._waiting.popleft()
                self._waiting_bytes -= len(message.body)
            try:
                self._dispatcher.dispatch(self._actor, OP_DELIVER_MESSAGE, encode(message))
            except Exception as error:  # whatever an actor does is no matter of who has published
                self._log(logging.ERROR, f"did not take a message to {_shown(message)}: {reason(error)}")

    def _log(self, level: int, what: str) -> None:
        sparing.log(level, "%s: %s %s", CAPABILITY, self._actor, what)


def _shown(message: BrokerMessage) -> str:
    """The subject, a text of whoever has published, in this host or elsewhere."""
    return printable(message.subject)
