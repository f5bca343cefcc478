"""Actors in a host that reach each other and the world by real brokers and servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from host_support import Identities, eventually, script
from servers import nats_server

from host import Actor, Host, InvocationFailure, find_provider
from host.codec import decode, encode
from host.codec.http import Request, Response
from host.codec.messaging import BrokerMessage, RequestMessage

MESSAGING, HTTP_CLIENT = "wascc:messaging", "wascc:http_client"


@pytest.fixture(params=["messaging_memory", "messaging_nats"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The entry point of a provider, and the values that a binding needs."""
    if request.param == "messaging_memory":
        yield request.param, {}
        return
    with nats_server(tmp_path) as server:
        yield request.param, {"URL": f"nats://127.0.0.1:{server.port}"}


def added(host: Host, actor: Actor) -> str:
    host.add_actor(actor)
    return actor.public_key


def publish(host: Host, actor: str, message: BrokerMessage) -> None:
    host.call_actor(actor, "host", script((MESSAGING, "Publish", encode(message))))


def test_one_actor_publishes_and_the_other_gets_it(
    host: Host, identities: Identities, broker: tuple[str, dict[str, str]]
) -> None:
    name, values = broker
    publisher, receiver, stranger = (added(host, identities.actor(MESSAGING)) for _ in range(3))
    for _ in range(2):
        host.add_capability(find_provider(name))
        host.set_binding(publisher, MESSAGING, values=values)
        host.set_binding(receiver, MESSAGING, values={**values, "SUBSCRIPTION": "news.*"})
        host.set_binding(stranger, MESSAGING, values={**values, "SUBSCRIPTION": "other"})
        message = BrokerMessage("news.today", "", b"text")
        publish(host, publisher, message)
        assert eventually(lambda message=message: _kept(host, receiver) == message)
        assert host.call_actor(stranger, "recall", b"") == b""
        ask = script((MESSAGING, "Request", encode(RequestMessage("nothing", b"", timeout=5000))))
        with pytest.raises(InvocationFailure, match="nobody has subscribed to nothing"):
            host.call_actor(publisher, "host", ask)
        publish(host, publisher, BrokerMessage("news.later", "", b""))
        assert eventually(lambda: _kept(host, receiver) == BrokerMessage("news.later", ""))
        host.remove_capability(MESSAGING)
        with pytest.raises(InvocationFailure):
            publish(host, publisher, message)


def _kept(host: Host, actor: str) -> BrokerMessage | None:
    kept = host.call_actor(actor, "recall", b"")
    return decode(BrokerMessage, kept) if kept else None


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(201)
        self.send_header("X-Path", self.path)
        self.end_headers()
        self.wfile.write(body.upper())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def http_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_actor_makes_an_http_request(host: Host, identities: Identities, http_server: str) -> None:
    actor = added(host, identities.actor(HTTP_CLIENT))
    host.add_capability(find_provider(HTTP_CLIENT))
    request = script((HTTP_CLIENT, "PerformRequest", encode(Request("POST", f"{http_server}/a", "b=1", {}, b"text"))))
    for allowed in ("", http_server.replace("127.0.0.1", "localhost")):
        host.set_binding(actor, HTTP_CLIENT, values={"allow": allowed})
        with pytest.raises(InvocationFailure, match="allow"):
            host.call_actor(actor, "host", request)
    host.set_binding(actor, HTTP_CLIENT, values={"allow": http_server})
    response = decode(Response, host.call_actor(actor, "host", request))
    assert (response.status_code, response.header["x-path"], response.body) == (201, "/a?b=1", b"TEXT")
    host.remove_binding(actor, HTTP_CLIENT)
    with pytest.raises(InvocationFailure):
        host.call_actor(actor, "host", request)
