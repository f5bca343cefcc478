"""Where metrics leave the host: an HTTP endpoint that is scraped, and a thread that pushes to a gateway.

Both have threads of their own, so that neither a slow scraper nor a slow gateway delays a call.
"""

from __future__ import annotations

import socket
import threading
import urllib.error
from functools import partial
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.exposition import basic_auth_handler, default_handler, push_to_gateway

from host.errors import MiddlewareError
from host.logs import log, printable
from host.middleware.prometheus.settings import Push

PATH = "/metrics"
MAX_CONNECTIONS = 16
"""How many clients are served at a time; further ones are turned away."""
CLIENT_SECONDS = 10.0
"""How long a client may take to send or to take the next bytes."""
PUSH_SECONDS = 10.0
"""How long the gateway may take."""
LAST_PUSH_SECONDS = 2.0
"""How long the end of the host waits for the last push."""


class _Handler(MetricsHandler):
    timeout = CLIENT_SECONDS
    server_version = "wascc"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the metrics, or that there is nothing else here."""
        if urlsplit(self.path).path == PATH:
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler.factory(registry))

    def server_bind(self) -> None:
        """Bind without asking for the name of the address, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client in a thread of its own, if there is room."""
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a client in this thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away or is too slow is none of our concern."""
        log.debug("a client of the metrics went away", exc_info=True)


class Endpoint:
    """A server of the metrics. Raises MiddlewareError if it cannot listen there."""

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        try:
            self._server = _Server(address, registry)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            host, port = address
            raise MiddlewareError(f"metrics cannot be served at {printable(host)}:{port}: {reason}") from error
        self.address: tuple[str, int] = self._server.server_name, self._server.server_port
        """Host and port that it listens on."""
        self._thread = threading.Thread(
            target=partial(self._server.serve_forever, poll_interval=0.1), name="metrics server", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; the port is free then. Clients that are being served are not waited for."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(CLIENT_SECONDS)


class Pusher:
    """Pushes the metrics at an interval, and once more at the end."""

    def __init__(self, push: Push, registry: CollectorRegistry) -> None:
        self._push = push
        self._registry = registry
        self._stopping = threading.Event()
        self._works = True
        self._thread = threading.Thread(target=self._run, name="metrics push", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Push a last time, and wait a moment for it."""
        self._stopping.set()
        self._thread.join(LAST_PUSH_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._push_once()
            self._stopping.wait(self._push.interval)
        self._push_once()

    def _push_once(self) -> None:
        push = self._push
        handler = (
            default_handler
            if push.username is None
            else partial(basic_auth_handler, username=push.username, password=push.password)
        )
        try:
            push_to_gateway(push.address, push.job, self._registry, timeout=PUSH_SECONDS, handler=handler)
        except Exception as error:
            if self._works:
                log.warning("Metrics cannot be pushed to %s: %s", push.address, _reason(error))
            self._works = False
        else:
            if not self._works:
                log.info("Metrics are pushed to %s again", push.address)
            self._works = True


def _reason(error: Exception) -> str:
    """Why a push failed; not the library's text, which may show the request."""
    if isinstance(error, urllib.error.HTTPError):
        return f"status {error.code}"
    inner = getattr(error, "reason", error)
    return printable(getattr(inner, "strerror", None) or type(inner).__name__)
