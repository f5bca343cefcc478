"""The beginning of a TLS connection, within the bounds that count for every connection.

The server library counts connections once TLS has begun, and waits a minute for that; until then anybody could hold as
many as there are file descriptors.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod

CLOSING_SECONDS = 24 * 3600
"""How long the library waits for the client's end of TLS; the server ends such connections long before."""


class Handshakes:
    """The connections of one server on which TLS has not begun yet."""

    def __init__(self) -> None:
        self._open: set[asyncio.Transport] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, transport: asyncio.Transport) -> None:
        """Count a connection."""
        self._open.add(transport)

    def discard(self, transport: asyncio.Transport) -> None:
        """Count a connection no longer."""
        self._open.discard(transport)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold on to a task until it is done, as the loop does not."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def abort(self) -> None:
        """End these connections."""
        for transport in list(self._open):
            transport.abort()


class Handshake(asyncio.Protocol, ABC):
    """A new connection until TLS has begun on it, for which the client has `seconds`."""

    def __init__(self, handshakes: Handshakes, context: ssl.SSLContext, seconds: float) -> None:
        self._handshakes = handshakes
        self._context = context
        self._seconds = seconds
        self._early = bytearray()
        self._tcp: asyncio.Transport | None = None

    @abstractmethod
    def has_room(self) -> bool:
        """Whether this connection may go on."""

    @abstractmethod
    def protocol(self, tcp: asyncio.Transport) -> asyncio.Protocol:
        """What takes the connection over."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin TLS."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection that cannot be read and written")
        self._tcp = transport
        self._handshakes.add(transport)
        if not self.has_room():
            transport.abort()
            return
        # What the client sends first is for TLS and not for this object.
        transport.pause_reading()
        self._handshakes.keep(asyncio.get_running_loop().create_task(self._begin(transport)))

    def data_received(self, data: bytes) -> None:
        """Keep what came together with the end of the handshake."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._tcp is not None:
            self._handshakes.discard(self._tcp)

    async def _begin(self, tcp: asyncio.Transport) -> None:
        try:
            transport = await asyncio.get_running_loop().start_tls(
                tcp,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=CLOSING_SECONDS,
            )
        except OSError:
            # No TLS, one that is too old, a certificate that is not trusted, too late, or gone: nobody to tell.
            tcp.abort()
            return
        finally:
            self._handshakes.discard(tcp)
        if transport is None or transport.is_closing():
            tcp.abort()
            return
        protocol = self.protocol(tcp)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._early:
            protocol.data_received(bytes(self._early))
