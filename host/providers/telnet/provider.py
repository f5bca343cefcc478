"""The telnet provider."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from host.codec.telnet import CAPABILITY, OP_RECEIVE_TEXT, OP_SEND_TEXT, OP_SESSION_STARTED, TelnetMessage
from host.logs import log, printable
from host.providers.base import Provider, ProviderError
from host.providers.loop import LoopThread
from host.providers.sockets import listening_socket
from host.providers.telnet.protocol import written
from host.providers.telnet.server import TelnetServer
from host.providers.telnet.settings import TELNET_VALUES, Settings


class TelnetProvider(Provider):
    """Serves each bound actor at an address of its own; `docs/providers/telnet.md`."""

    capability = CAPABILITY
    name = "waSCC Telnet Provider"
    long_description = "Listens for telnet clients, and carries lines of text between them and the actor."
    to_actor: Mapping[str, str] = {
        OP_SESSION_STARTED: "Says that a client has connected",
        OP_RECEIVE_TEXT: "Delivers one line of a client",
    }
    value_names = TELNET_VALUES

    def __init__(self) -> None:
        super().__init__()
        self._loop = LoopThread("telnet")
        self._servers: dict[str, TelnetServer] = {}
        self.route(OP_SEND_TEXT, TelnetMessage, self._send_text, "Sends text to the client of a session")

    def address(self, actor: str) -> tuple[str, int]:
        """Host and port that a bound actor is served at. Raises ProviderError."""
        return self._server(actor).address

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Listen for an actor. One that is bound again at the same address keeps its sessions."""
        settings = Settings.of(values)
        server = self._servers.get(actor)
        if server is None:
            server, former = TelnetServer(actor, settings, self.dispatcher), None
        else:
            former = server.settings
        if former == settings:
            return
        keeps_address = former is not None and former.address == settings.address
        listening = None if keeps_address else listening_socket(*settings.address)
        try:
            self._loop.run(server.serve(settings, listening))
        except BaseException:
            if listening is not None:
                listening.close()
            raise
        self._servers[actor] = server
        if listening is not None:
            log.info("telnet server of %s listens on %s:%d", printable(actor), *server.address)

    def drain(self) -> None:
        """Stop listening, and let actors finish the lines that have come, until their shutdown timeouts."""
        if self._servers:
            with suppress(ProviderError):
                self._loop.run(_stop_all(tuple(self._servers.values())))

    def unbind(self, actor: str) -> None:
        """Stop listening for an actor, and end its sessions."""
        with suppress(ProviderError):
            self._loop.run(self._servers.pop(actor).stop(finish=False))

    def close(self) -> None:
        """End the thread of the connections."""
        self._loop.stop()

    def _send_text(self, actor: str, message: TelnetMessage) -> None:
        server = self._server(actor)
        limit = server.settings.max_sending_bytes
        if len(message.text) > limit:
            raise ProviderError(f"the text is over the limit of {limit} bytes")
        self._loop.run(server.send(message.session, written(message.text)))

    def _server(self, actor: str) -> TelnetServer:
        try:
            return self._servers[actor]
        except KeyError:
            raise self.not_bound(actor) from None


async def _stop_all(servers: Iterable[TelnetServer]) -> None:
    await asyncio.gather(*(each.stop(finish=True) for each in servers))
