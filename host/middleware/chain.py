"""The chain of a host's middleware: each call passes through all of it, in the order added, and runs at most once."""

from __future__ import annotations

import logging
import threading
from collections.abc import MutableMapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from host.asgi import Application, Receive, Scope, Send
from host.errors import HostError, HostShutDown, MiddlewareError
from host.invocation import Invocation, InvocationResponse
from host.logs import log, places, printable, sparing
from host.middleware.base import Middleware, Next

if TYPE_CHECKING:
    from host.bus import Handler
    from host.host import Host

Kind = Literal["actor", "capability"]
"""What is called."""

METHODS = ("actor_invoke", "capability_invoke", "http_invoke", "start", "close")


class MiddlewareChain:
    """The middleware of one host, outermost first. A call that has begun keeps the chain that it began with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: tuple[Middleware, ...] = ()
        self._starting: tuple[Middleware, ...] = ()
        self._closed = False

    @property
    def all(self) -> tuple[Middleware, ...]:
        """Every middleware, outermost first."""
        return self._all

    def add(self, middleware: Middleware, host: Host) -> None:
        """Start a middleware and put it innermost. Raises MiddlewareError, HostShutDown; nothing has changed then."""
        name = name_of(middleware)
        lacking = [method for method in METHODS if not callable(getattr(middleware, method, None))]
        if lacking:
            raise MiddlewareError(f"{name} is no middleware: it lacks {', '.join(lacking)}")
        with self._lock:
            self._check_open()
            if any(other is middleware for other in (*self._all, *self._starting)):
                raise MiddlewareError(f"{name} has been added already")
            self._starting = (*self._starting, middleware)
        # Without the lock: it may take a while, or add another one.
        try:
            middleware.start(host)
        except Exception as error:
            raise _failure(middleware, "start", error) from error
        else:
            self._take_in(middleware)
        finally:
            with self._lock:
                self._starting = _without(middleware, self._starting)

    def _take_in(self, middleware: Middleware) -> None:
        with self._lock:
            if not self._closed:
                self._all = (*self._all, middleware)
                return
        _close(middleware)
        self._check_open()

    def remove(self, middleware: Middleware) -> None:
        """Take a middleware out and close it; calls under way still pass through it. Raises MiddlewareError."""
        with self._lock:
            remaining = _without(middleware, self._all)
            if len(remaining) == len(self._all):
                raise MiddlewareError(f"{name_of(middleware)} is not in this host")
            self._all = remaining
        _close(middleware)

    def close(self) -> None:
        """Close every middleware, and take none in any more. They stay in the chain: a call that outlasted the
        shutdown must not get past them."""
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed:
            for middleware in reversed(self._all):
                _close(middleware)

    def _check_open(self) -> None:
        if self._closed:
            raise HostShutDown("The host is shutting down")

    def around(self, kind: Kind, handle: Handler) -> Handler:
        """A handler that answers like `handle`, which it runs through the chain as it is at the time of the call."""

        def pass_through(invocation: Invocation) -> InvocationResponse:
            chain = self._all
            return _invoke(chain, kind, handle, invocation) if chain else handle(invocation)

        return pass_through

    def around_http(self, application: Application) -> Application:
        """An application that serves each request with `application`, through the chain as it is then."""

        async def pass_through(scope: Scope, receive: Receive, send: Send) -> None:
            chain = self._all
            if chain:
                await _serve(chain, application, scope, receive, send)
            else:
                await application(scope, receive, send)

        return pass_through


def _without(middleware: Middleware, some: tuple[Middleware, ...]) -> tuple[Middleware, ...]:
    return tuple(other for other in some if other is not middleware)


def name_of(middleware: object) -> str:
    """What a middleware is called in errors and in the log."""
    return printable(type(middleware).__name__)


def _invoke(chain: Sequence[Middleware], kind: Kind, handle: Handler, invocation: Invocation) -> InvocationResponse:
    """Have the first of the chain answer, who may pass the call on to the others and at last to `handle`."""
    if not chain:
        return handle(invocation)
    middleware = chain[0]
    step = _Step(partial(_invoke, chain[1:], kind, handle), middleware, invocation)
    invoke = middleware.actor_invoke if kind == "actor" else middleware.capability_invoke
    try:
        return _checked(middleware, invocation, invoke(invocation, step))
    except Exception as error:
        return InvocationResponse.failed(kind, invocation, _failure(middleware, f"{kind}_invoke", error))
    finally:
        step.is_over = True


class _Step:
    """What a middleware gets as `call_next`: good for one call, by the thread and for the time of its invocation."""

    __slots__ = ("_following", "_invocation", "_middleware", "_thread", "is_called", "is_over")

    def __init__(self, following: Next, middleware: Middleware, invocation: Invocation) -> None:
        self._following = following
        self._middleware = middleware
        self._invocation = invocation
        self._thread = threading.get_ident()
        self.is_called = False
        self.is_over = False

    def __call__(self, invocation: Invocation) -> InvocationResponse:
        if threading.get_ident() != self._thread:
            raise self._refusal("from another thread than the one that it was invoked in")
        if self.is_over:
            raise self._refusal("after its invocation had ended")
        if self.is_called:
            raise self._refusal("a second time")
        passed_on = self._identical(invocation)
        self.is_called = True
        return self._following(passed_on)

    def _identical(self, invocation: Invocation) -> Invocation:
        """The call to pass on: the one that came, at most with another payload."""
        came = self._invocation
        if invocation is came:
            return came
        if not isinstance(invocation, Invocation) or invocation.identity != came.identity:
            raise self._refusal("with another call than the one that came: only the payload may be changed")
        if not isinstance(invocation.payload, bytes):
            raise self._refusal(f"with a payload of {type(invocation.payload).__name__}, not of bytes")
        return came.with_payload(invocation.payload)

    def _refusal(self, how: str) -> MiddlewareError:
        return MiddlewareError(f"{name_of(self._middleware)} passed a call on {how}")


async def _serve(
    chain: Sequence[Middleware], application: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a request through the chain; where a middleware fails, the answer is status 500."""
    started = False

    async def noting_send(message: MutableMapping[str, Any]) -> None:
        nonlocal started
        started = True
        await send(message)

    wrapped = application
    for middleware in reversed(chain):
        wrapped = partial(_named, middleware, _Once(wrapped))
    try:
        await wrapped(scope, receive, noting_send)
    except MiddlewareError as error:
        sparing.log(logging.ERROR, "A request was refused: %s", printable(error.message))
        if started:
            raise
        await send({"type": "http.response.start", "status": 500, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def _named(middleware: Middleware, following: Application, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await middleware.http_invoke(following, scope, receive, send)
    except Exception as error:
        raise _failure(middleware, "http_invoke", error) from error


class _Once:
    """An ASGI application that serves one request, once."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._is_called = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_called:
            raise MiddlewareError("A middleware passed a request on a second time")
        self._is_called = True
        await self._application(scope, receive, send)


def _checked(middleware: Middleware, invocation: Invocation, answer: object) -> InvocationResponse:
    if isinstance(answer, bytes):
        return InvocationResponse(answer, None, invocation.id)
    if not isinstance(answer, InvocationResponse):
        raise MiddlewareError(f"{name_of(middleware)} answered with {type(answer).__name__}, not with a response")
    if answer.invocation_id != invocation.id:
        raise MiddlewareError(f"{name_of(middleware)} answered with the response to another call")
    if not isinstance(answer.payload, bytes):
        raise MiddlewareError(f"{name_of(middleware)} answered with a payload of {type(answer.payload).__name__}")
    return answer


def _failure(middleware: Middleware, method: str, error: Exception) -> MiddlewareError:
    """The error of a call that a middleware refused or failed at: with its text only if it was meant for the caller,
    for another one's may hold something of the configuration."""
    if isinstance(error, MiddlewareError):
        return error
    name = name_of(middleware)
    if isinstance(error, HostError):
        return MiddlewareError(f"{name}: {error.message}")
    failed = f"{name} failed with {type(error).__name__}"
    sparing.log(logging.ERROR, "Middleware failure: %s in %s at %s", failed, method, printable(places(error)))
    return MiddlewareError(failed)


def _close(middleware: Middleware) -> None:
    try:
        middleware.close()
    except (Exception, SystemExit) as error:
        log.warning("Middleware %s does not close: %s", name_of(middleware), type(error).__name__)
