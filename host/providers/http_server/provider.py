"""The HTTP server provider."""

from __future__ import annotations

from collections.abc import Mapping

from host.codec.http import CAPABILITY_SERVER, OP_HANDLE_REQUEST
from host.logs import log, printable
from host.providers.base import Provider, ProviderError
from host.providers.http_server.server import HttpServer
from host.providers.http_server.settings import HTTP_SERVER_VALUES, Settings
from host.providers.sockets import listening_socket


class HttpServerProvider(Provider):
    """Serves each bound actor at an address of its own; `docs/providers/http_server.md`."""

    capability = CAPABILITY_SERVER
    name = "waSCC HTTP Server Provider (uvicorn)"
    long_description = "Listens for HTTP requests and has the actor answer them."
    to_actor: Mapping[str, str] = {OP_HANDLE_REQUEST: "Answers one HTTP request"}
    value_names = HTTP_SERVER_VALUES

    def __init__(self) -> None:
        super().__init__()
        self._servers: dict[str, HttpServer] = {}

    def address(self, actor: str) -> tuple[str, int]:
        """Host and port that a bound actor is served at. Raises ProviderError."""
        server = self._servers.get(actor)
        if server is None:
            raise ProviderError(f"{printable(actor)} has no HTTP server")
        return server.address

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Start the actor's server; in place of its former one if it has one, whose running requests are finished."""
        settings = Settings.of(values)
        former = self._servers.get(actor)
        if former is not None and former.settings == settings:
            return
        dispatcher = self.dispatcher
        if former is not None and former.settings.same_address(settings):
            listening = former.second_socket()
        else:
            listening = listening_socket(settings.host, settings.port)
        self._servers[actor] = server = HttpServer(actor, settings, dispatcher, listening)
        log.info("HTTP server of %s listens on %s:%d", printable(actor), *server.address, extra={"actor": actor})
        if former is not None:
            former.give_way()

    def drain(self) -> None:
        """Stop listening, and wait for running requests until their servers' shutdown timeouts."""
        servers = tuple(self._servers.values())
        for server in servers:
            server.retire()
        for server in servers:
            server.stop()

    def unbind(self, actor: str) -> None:
        """Stop the actor's server, once its running requests are finished or the shutdown timeout is over."""
        self._servers.pop(actor).stop()
