"""One uvicorn server in a thread of its own, and the bounds that uvicorn does not keep by itself."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from host import asgi
from host.logs import log, printable
from host.providers.base import Dispatcher, HttpGuard, ProviderError
from host.providers.http_server.application import Application
from host.providers.http_server.handshakes import Handshake, Handshakes
from host.providers.sockets import BACKLOG
from host.providers.workers import WorkerPool

if TYPE_CHECKING:
    from host.providers.http_server.settings import Settings

_START_SECONDS = 10
_STOP_SPARE_SECONDS = 5
SUCCESSION_SECONDS = 1.0
"""How long a server that another one takes the place of waits for the first request on connections that it accepted."""
RENEWAL_SECONDS = 60.0
"""How often the server looks whether its certificate has been renewed."""


class HttpServer:
    """A running server on a socket that it owns from now on. Raises ProviderError if it does not start."""

    def __init__(self, actor: str, settings: Settings, dispatcher: Dispatcher, listening: socket.socket) -> None:
        self.settings = settings
        self._actor = printable(actor)
        self._socket = listening
        self.address: tuple[str, int] = listening.getsockname()[:2]
        """Host and port that it listens on."""
        self._workers = WorkerPool(settings.workers, f"HTTP worker of {self._actor}")
        application: asgi.Application = Application(actor, settings, dispatcher, self._workers)
        if isinstance(dispatcher, HttpGuard):
            application = dispatcher.around_http(application)
        self._config = _Config(application, settings)
        self._server = _Server(self._config)
        self._thread = threading.Thread(target=self._run, name=f"HTTP server of {self._actor}", daemon=True)
        self._failure: BaseException | None = None
        self._start()

    def second_socket(self) -> socket.socket:
        """Another handle of the listening socket, for the server that comes after this one at the same address."""
        return self._socket.dup()

    def retire(self) -> None:
        """Begin to stop."""
        self._server.should_exit = True

    def give_way(self) -> None:
        """Stop, as another server is in this one's place; clients that have just connected get an answer still."""
        self._server.succession_seconds = SUCCESSION_SECONDS
        self.stop()

    def stop(self) -> None:
        """Stop listening, wait for running requests until the shutdown timeout, close every connection."""
        self.retire()
        self._thread.join(self.settings.shutdown_timeout + _STOP_SPARE_SECONDS)
        if self._thread.is_alive():
            log.error("the HTTP server of %s does not stop", self._actor, extra={"actor": self._actor})

    def _start(self) -> None:
        self._thread.start()
        if not self._server.settled.wait(_START_SECONDS) or not self._server.started:
            self.stop()
            reason = printable(str(self._failure)) if self._failure else "it took too long"
            raise ProviderError(f"the HTTP server did not start: {reason}") from self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            log.error(
                "the HTTP server of %s failed: %s", self._actor, printable(str(error)), extra={"actor": self._actor}
            )
        finally:
            self._socket.close()
            self._workers.close()
            self._server.settled.set()

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._log_one_line)
        renewing = asyncio.create_task(self._renew())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            renewing.cancel()
            await self._server.abandon()

    async def _renew(self) -> None:
        """Take a certificate that is renewed while the server runs; one that cannot be used changes nothing."""
        told = ""
        while (current := self._config.tls) is not None:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                renewed = await asyncio.to_thread(current.renewed)
            except ProviderError as error:
                if str(error) != told:
                    log.error(
                        "the HTTP server of %s keeps its certificate: %s",
                        self._actor,
                        error,
                        extra={"actor": self._actor},
                    )
                told = str(error)
                continue
            if renewed != current:
                self._config.tls = renewed
                log.info("HTTP server of %s has a renewed certificate", self._actor, extra={"actor": self._actor})
            told = ""

    def _log_one_line(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        reason = context.get("exception") or context["message"]
        log.error("the HTTP server of %s: %s", self._actor, printable(str(reason)), extra={"actor": self._actor})


class _Config(uvicorn.Config):
    """uvicorn's configuration: HTTP/1.1 by h11 alone, no access log, no changes to the logging of the process."""

    def __init__(self, application: asgi.Application, settings: Settings) -> None:
        super().__init__(
            application,
            http=_Protocol if settings.tls is None else _TlsProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            workers=1,
            timeout_graceful_shutdown=settings.shutdown_timeout,
        )
        self.settings = settings
        self.tls = settings.tls
        """What new connections speak."""
        self.handshakes = Handshakes()


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it has started."""

    config: _Config

    def __init__(self, config: _Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        """Set once the server has started, or has failed to."""
        self.succession_seconds = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        end = time.monotonic() + self.succession_seconds
        while time.monotonic() < end:
            await asyncio.sleep(0.02)
            if not self._has_beginners():
                break
        self.config.handshakes.abort()
        await super().shutdown(sockets)

    def _has_beginners(self) -> bool:
        """Whether a client has connected and not sent its first request yet."""
        connections: set[Any] = self.server_state.connections
        return bool(self.config.handshakes) or any(connection.cycle is None for connection in connections)

    async def abandon(self) -> None:
        """Close what is left after the shutdown timeout."""
        if self.server_state.tasks:
            # They were cancelled just now and want to say so to their clients.
            await asyncio.wait(self.server_state.tasks, timeout=1)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 with bounds on the connections, and on the time that clients take to send and to receive."""

    config: _Config

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reading_timer: asyncio.TimerHandle | None = None
        self._writing_timer: asyncio.TimerHandle | None = None
        self.tcp: asyncio.Transport | None = None
        """What carries the connection where that is TLS."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) + len(self.config.handshakes) > self.config.settings.max_connections:
            transport.abort()
        else:
            self._watch_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._reading_timer, self._writing_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            # uvicorn answers nonsense with status 400, even where an answer has been sent already.
            self.transport.abort()
        self._watch_reading()
        self._watch_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_writing()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_writing()

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.transport.abort()
        self._watch_writing()

    def _watch_reading(self) -> None:
        """Give the client a time to send what nobody else waits for: a request's head, or a body that is not wanted.

        A client that then sends nothing at all is left to uvicorn, which ends idle connections.
        """
        unfinished = self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and self.conn.our_state in (h11.IDLE, h11.DONE)
        if not unfinished and self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None
        elif unfinished and self._reading_timer is None:
            timeout = self.config.settings.request_timeout
            self._reading_timer = self.loop.call_later(timeout, self.transport.abort)

    def _watch_writing(self) -> None:
        """Give the client a time to take some of what waits to be sent, and where TLS ends, to say so too."""
        waiting = self._waiting_bytes()
        ending = self.tcp is not None and self.transport.is_closing()
        if (waiting or ending) and self._writing_timer is None:
            timeout = self.config.settings.request_timeout
            self._writing_timer = self.loop.call_later(timeout, self._check_writing, waiting)

    def _check_writing(self, waiting_before: int) -> None:
        self._writing_timer = None
        if self._waiting_bytes() >= waiting_before:
            self.transport.abort()
        else:
            self._watch_writing()

    def _waiting_bytes(self) -> int:
        below = 0 if self.tcp is None else self.tcp.get_write_buffer_size()
        return self.transport.get_write_buffer_size() + below


class _TlsProtocol(Handshake):
    """uvicorn makes one for each connection; it becomes a `_Protocol` once TLS has begun."""

    def __init__(self, config: _Config, **others: Any) -> None:
        if config.tls is None:
            raise TypeError("these settings have no TLS")
        super().__init__(config.handshakes, config.tls.context, config.settings.request_timeout)
        self._config, self._others = config, others

    def has_room(self) -> bool:
        """Whether one more connection is within the bound; this one counts already."""
        taken = len(self._others["server_state"].connections) + len(self._config.handshakes)
        return taken <= self._config.settings.max_connections

    def protocol(self, tcp: asyncio.Transport) -> asyncio.Protocol:
        """What speaks HTTP on this connection."""
        protocol = _Protocol(config=self._config, **self._others)
        protocol.tcp = tcp
        return protocol
