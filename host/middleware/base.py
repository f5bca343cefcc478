"""What a middleware is: a class with a method for each kind of call; each passes the call on unless overridden."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from host.asgi import Application, Receive, Scope, Send
from host.invocation import Invocation, InvocationResponse

if TYPE_CHECKING:
    from host.host import Host

Next = Callable[[Invocation], InvocationResponse]
"""The rest of the chain with the target at its end. It answers every error of the target as a response; it raises
MiddlewareError where it is called twice, later, in another thread, or with another call than the one that came."""


class Middleware(Protocol):
    """Runs around calls, on the side of the target. Subclasses override what they need; other objects need it all.

    The methods for calls may run in many threads at once. What they raise refuses the call; `docs/middleware.md`.
    """

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse | bytes:
        """A call of an actor: pass it on at most once, also with another payload, and return the answer, or one of
        your own. Whatever is raised becomes the error of the call, MiddlewareError with its text."""
        return call_next(invocation)

    def capability_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse | bytes:
        """A call of a provider, also the host's own (BindActor and the like); as `actor_invoke`."""
        return call_next(invocation)

    async def http_invoke(self, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        """A request to an HTTP server of this host, before there is a call: a middleware of ASGI 3, in the thread of
        the server. What is raised is answered with status 500."""
        await application(scope, receive, send)

    def start(self, host: Host) -> None:
        """Called once, when the middleware is added to the host, before any call; what is held open is opened
        here and not before. Raises MiddlewareError."""

    def close(self) -> None:
        """Release everything, within seconds. Called once, after removal or at the end of the shutdown; calls that
        are still under way may come after it."""
