"""Middleware around the requests of the HTTP server, before there is a call."""

from __future__ import annotations

import contextvars
from collections.abc import Callable

import httpx
import pytest
from host_support import Identities

from host import Host, Invocation, InvocationResponse, Middleware, MiddlewareError, Next
from host.asgi import Application, Receive, Scope, Send
from host.codec import encode
from host.codec.http import Response
from host.providers.http_server import HttpServerProvider

Hook = Callable[[Application, Scope, Receive, Send], object]
chosen = contextvars.ContextVar("chosen", default="nothing")


class Answering(Middleware):
    """Answers for the actor, with what the context variable holds there."""

    def actor_invoke(self, invocation: Invocation, call_next: Next) -> bytes:
        return encode(Response(200, "OK", {}, chosen.get().encode()))


class Around(Middleware):
    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    async def http_invoke(self, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        await self.hook(application, scope, receive, send)


@pytest.fixture
def served(host: Host, identities: Identities) -> str:
    """The address of an actor that another middleware answers for."""
    actor, server = identities.actor("wascc:http_server"), HttpServerProvider()
    host.add_actor(actor)
    host.add_capability(server)
    host.set_binding(actor.public_key, "wascc:http_server", values={"PORT": "0"})
    host.add_middleware(Answering())
    return "http://{}:{}".format(*server.address(actor.public_key))


def test_context_variables_reach_the_thread_of_the_call(host: Host, served: str) -> None:
    async def choose(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        chosen.set(scope["path"])
        await application(scope, receive, send)

    assert httpx.get(f"{served}/a").text == "nothing"
    around = Around(choose)
    host.add_middleware(around)
    with httpx.Client() as client:
        assert [client.get(f"{served}/{name}").text for name in "ab"] == ["/a", "/b"]
        host.remove_middleware(around)
        assert client.get(f"{served}/c").text == "nothing"


def test_order_and_an_answer_of_its_own(host: Host, served: str) -> None:
    order: list[str] = []

    def noting(name: str) -> Hook:
        async def note(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
            order.append(name)
            await application(scope, receive, send)
            order.append(f"{name} done")

        return note

    async def halt(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    for hook in (noting("outer"), noting("inner"), halt):
        host.add_middleware(Around(hook))
    assert httpx.get(served).status_code == 418
    assert order == ["outer", "inner", "inner done", "outer done"]


def raising(error: Exception) -> Hook:
    async def fail(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return fail


async def twice(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    async def drop(message: object) -> None:
        pass

    await application(scope, receive, drop)
    await application(scope, receive, send)


@pytest.mark.parametrize(
    ("hook", "line"),
    [
        (raising(ValueError("secret")), "Around failed with ValueError"),
        (raising(MiddlewareError("not from there")), "not from there"),
        (twice, "A middleware passed a request on a second time"),
    ],
)
def test_a_failure_is_status_500_and_a_line(
    host: Host, served: str, caplog: pytest.LogCaptureFixture, hook: Hook, line: str
) -> None:
    host.add_middleware(Around(hook))
    response = httpx.get(served)
    assert (response.status_code, response.text) == (500, "")
    assert f"A request was refused: {line}" in caplog.messages
    assert "secret" not in caplog.text


def test_a_failure_after_the_answer_ends_the_connection(host: Host, served: str) -> None:
    calls: list[str] = []

    class Counting(Middleware):
        def actor_invoke(self, invocation: Invocation, call_next: Next) -> InvocationResponse:
            calls.append(invocation.operation)
            return call_next(invocation)

    async def fail_later(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        await application(scope, receive, send)
        raise ValueError("secret")

    host.add_middleware(Around(fail_later))
    assert httpx.get(served).status_code == 200
    assert httpx.get(served).status_code == 200
