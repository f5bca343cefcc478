"""The telnet server of one actor: where it listens, and the sessions that it has."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from host.codec import Message, encode
from host.errors import HostShutDown
from host.logs import log, printable, sparing
from host.providers.base import Dispatcher, ProviderError, reason
from host.providers.patience import Patience
from host.providers.sockets import BACKLOG
from host.providers.telnet.protocol import written
from host.providers.telnet.session import CHUNK_BYTES, Session, prepare
from host.providers.telnet.settings import Settings
from host.providers.workers import WorkerPool

WORKERS = 16
"""How many sessions of an actor are attended to at a time."""
CANCEL_SECONDS = 1.0
_FULL = written("There are too many sessions; try again later.\n")


class TelnetServer:
    """Not in the provider's loop are only the constructor and what is read."""

    def __init__(self, actor: str, settings: Settings, dispatcher: Dispatcher) -> None:
        self.settings = settings
        """By which sessions begin from now on."""
        self.address: tuple[str, int] = settings.address
        """Host and port that it listens on."""
        self._actor = actor
        self._dispatcher = dispatcher
        self._workers = WorkerPool(WORKERS, f"telnet worker of {printable(actor)}")
        self._listener: asyncio.Server | None = None
        self._listening: socket.socket | None = None
        self._sessions: dict[str, Session] = {}
        self._running: dict[asyncio.Task[None], Session] = {}

    async def serve(self, settings: Settings, listening: socket.socket | None) -> None:
        """Begin sessions by these settings. With another socket, that is where it listens from now on, and the sessions
        that it has are ended."""
        if listening is not None:
            former = self._listener
            connected = partial(self._connected, listening)
            self._listener = await asyncio.start_server(connected, sock=listening, limit=CHUNK_BYTES, backlog=BACKLOG)
            self._listening, self.address = listening, listening.getsockname()[:2]
            if former is not None:
                former.close()
                await self._end_sessions(finish=False)
        self.settings = settings

    async def send(self, session_id: str, data: bytes) -> None:
        """Send bytes to the client of a session. Raises ProviderError."""
        session = self._sessions.get(session_id)
        if session is None:
            raise ProviderError(f"the actor has no session {printable(session_id)}")
        session.send(data)

    async def stop(self, finish: bool) -> None:
        """Stop listening and end the sessions, within the shutdown timeout: once the actor has done what it is at, and
        has all the lines that wait if they are to be finished, and the clients have what was sent."""
        self._listening = None
        if self._listener is not None:
            self._listener.close()
        await self._end_sessions(finish)
        self._workers.close()

    def _connected(self, listening: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if listening is not self._listening:
            # Accepted just before the server stopped, or moved.
            writer.transport.abort()
            return
        if len(self._running) >= self.settings.max_connections:
            writer.write(_FULL)
            writer.close()
            return
        with suppress(OSError):
            prepare(writer.get_extra_info("socket"))
        session = Session(self.settings, self._hand_over, reader, writer)
        self._sessions[session.id] = session
        task = asyncio.get_running_loop().create_task(session.run())
        self._running[task] = session
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sessions[self._running.pop(task).id]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a telnet session of %s failed: %s", printable(self._actor), reason(error))

    async def _end_sessions(self, finish: bool) -> None:
        ending = dict(self._running)
        for session in ending.values():
            session.retire(finish)
        if ending:
            _, rest = await asyncio.wait(ending, timeout=self.settings.shutdown_timeout)
            for task in rest:
                task.cancel()
            if rest:
                await asyncio.wait(rest, timeout=CANCEL_SECONDS)

    async def _hand_over(self, operation: str, message: Message) -> None:
        """Have the actor carry out an operation. While it has too much to do, it is offered it again."""
        call = partial(self._dispatcher.dispatch, self._actor, operation)
        payload, patience = encode(message), Patience()
        while True:
            error = await self._workers.run(partial(_failure, call), payload)
            if error is None or isinstance(error, HostShutDown):
                return
            pause = patience.pause_after(error)
            if pause is None:
                break
            await asyncio.sleep(pause)
        facts = {"actor": self._actor, "operation": operation}
        told = (operation, printable(self._actor), reason(error))
        sparing.log(logging.ERROR, "%s of actor %s failed: %s", *told, extra=facts)


def _failure(call: Callable[[bytes], bytes], payload: bytes) -> BaseException | None:
    """What made a call fail, None if nothing did."""
    try:
        call(payload)
    except BaseException as error:
        return error
    return None
