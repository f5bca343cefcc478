"""The bus: how a call gets to the one who serves a subject. This is the bus inside one process.

Another bus carries the same calls to other processes; it has to bring the answer of each call back to its caller and
refuse an answer to another call (`matching`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from host.errors import HostShutDown, MiscHostError, NoSubscribers
from host.invocation import Invocation, InvocationResponse

Handler = Callable[[Invocation], InvocationResponse]
"""Serves a subject: called by any thread, several at once, and answers every error as a response."""


class Bus(Protocol):
    """What the host needs of a bus. All of it may be called by any thread."""

    @property
    def description(self) -> str:
        """What kind of bus it is, in a word or two, for the log."""

    def serve(self, subject: str, handler: Handler) -> None:
        """Hand the subject's calls to `handler`. Raises MiscHostError if it is served here already, HostShutDown."""

    def remove(self, subject: str) -> None:
        """Serve the subject no more; calls under way still get their answer. Nothing happens if it was not served."""

    def request(self, subject: str, invocation: Invocation) -> InvocationResponse:
        """Call whoever serves the subject. Raises NoSubscribers, HostShutDown, MiscHostError."""

    def close(self) -> None:
        """Serve nothing, and refuse requests, from now on. May be called again."""


class InProcessBus:
    """A bus inside one process: a request runs the handler right there, in the thread of the caller."""

    description = "internal"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handlers: dict[str, Handler] = {}
        self._closed = False

    def serve(self, subject: str, handler: Handler) -> None:
        """Hand the subject's calls to `handler`. Raises MiscHostError if it is served already, HostShutDown."""
        with self._lock:
            self._refuse_closed()
            if subject in self._handlers:
                raise MiscHostError(f"The subject {subject} is served already")
            self._handlers[subject] = handler

    def remove(self, subject: str) -> None:
        """Serve the subject no more; calls under way still get their answer."""
        with self._lock:
            self._handlers.pop(subject, None)

    def request(self, subject: str, invocation: Invocation) -> InvocationResponse:
        """Run the subject's handler. Raises NoSubscribers, HostShutDown, MiscHostError (answer to another call)."""
        handler = self._handlers.get(subject)
        if handler is None:
            self._refuse_closed()
            raise no_subscribers(subject)
        return matching(invocation, handler(invocation))

    def close(self) -> None:
        """Serve nothing, and refuse requests, from now on."""
        with self._lock:
            self._closed = True
            self._handlers.clear()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise HostShutDown("The message bus is closed")


def matching(invocation: Invocation, response: InvocationResponse) -> InvocationResponse:
    """The response, if it answers this invocation. Raises MiscHostError if it answers another one."""
    if response.invocation_id != invocation.id:
        raise MiscHostError(f"The answer to invocation {invocation.id} came for another one")
    return response


def no_subscribers(subject: str) -> NoSubscribers:
    """The error of a call to a subject that nobody serves."""
    return NoSubscribers(f"Attempted bus call for {subject} with no subscribers")
