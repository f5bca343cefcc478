"""One session: a client's connection, the lines that wait for the actor, and the text that waits for the client."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

from host.codec import Message
from host.codec.telnet import OP_RECEIVE_TEXT, OP_SESSION_STARTED, SessionStarted, TelnetMessage
from host.logs import log, sparing
from host.providers.base import ProviderError, reason
from host.providers.telnet.protocol import LineReader, TelnetViolation, written
from host.providers.telnet.settings import Settings

CHUNK_BYTES = 4096
"""How much is read of a client at a time."""
SYSTEM_BUFFER_BYTES = 64 * 1024
"""How much the system may hold that a client has yet to take; Linux doubles it."""

HandOver = Callable[[str, Message], Awaitable[None]]
"""Has the actor carry out an operation, and returns when that is done; whatever goes wrong is no matter of the
session's."""


class Session:
    """To be made and used in the provider's loop. What the client sends is read only as fast as the actor takes it."""

    def __init__(
        self, settings: Settings, hand_over: HandOver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.id = str(uuid4())
        self._settings = settings
        self._hand_over = hand_over
        self._reader, self._writer = reader, writer
        self._transport = writer.transport
        self._loop = asyncio.get_running_loop()
        self._lines = LineReader(settings.max_line_bytes)
        self._pending: asyncio.Queue[tuple[str, Message]] = asyncio.Queue(settings.max_pending)
        self._is_at_work = False
        self._last_heard = self._loop.time()
        self._sent_bytes = 0
        self._sending_timer: asyncio.TimerHandle | None = None
        self._send(settings.motd)
        self._pending.put_nowait((OP_SESSION_STARTED, SessionStarted(self.id)))
        self._reading = self._loop.create_task(self._read())

    async def run(self) -> None:
        """Serve the session: until the client ends it, says what is no telnet or nothing at all, or takes nothing, or
        `retire` is called; then until the actor has every line, and the client every text."""
        others = [self._loop.create_task(each) for each in (self._deliver(), self._end_when_idle())]
        try:
            await asyncio.wait({self._reading})
            await self._pending.join()
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        finally:
            self._transport.abort()
            for task in (self._reading, *others):
                task.cancel()
            if self._sending_timer is not None:
                self._sending_timer.cancel()

    def retire(self, finish: bool) -> None:
        """Read nothing more, and end. The lines that wait for the actor are dropped, unless they are to be finished."""
        self._reading.cancel()
        while not finish and not self._pending.empty():
            self._pending.get_nowait()
            self._pending.task_done()

    def send(self, data: bytes) -> None:
        """Send bytes to the client, some time. Raises ProviderError: too many wait already, or it is gone."""
        if self._transport.is_closing():
            raise ProviderError(f"session {self.id} has ended")
        waiting, limit = self._transport.get_write_buffer_size(), self._settings.max_sending_bytes
        if waiting + len(data) > limit:
            raise ProviderError(
                f"session {self.id} has no room for {len(data)} bytes: its client has {waiting} of {limit} to take"
            )
        self._last_heard = self._loop.time()
        self._send(data)

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(CHUNK_BYTES):
                received = self._lines.feed(data)
                self._send(received.replies)
                for line in received.lines:
                    self._last_heard = self._loop.time()
                    await self._pending.put((OP_RECEIVE_TEXT, TelnetMessage(self.id, line)))
                # Who does not take what is sent is not heard.
                await self._writer.drain()
        except TelnetViolation as error:
            sparing.log(logging.INFO, "telnet session %s is ended: %s", self.id, reason(error))
            self._transport.abort()
        except OSError as error:
            log.debug("telnet session %s was lost: %s", self.id, reason(error))

    async def _deliver(self) -> None:
        while True:
            operation, message = await self._pending.get()
            self._is_at_work = True
            try:
                await self._hand_over(operation, message)
            finally:
                self._is_at_work = False
                self._last_heard = self._loop.time()
                self._pending.task_done()

    async def _end_when_idle(self) -> None:
        seconds = self._settings.idle_timeout
        while True:
            is_busy = self._is_at_work or not self._pending.empty()
            left = 1.0 if is_busy else self._last_heard + seconds - self._loop.time()
            if left <= 0:
                break
            await asyncio.sleep(left)
        self._send(written(f"\nThis session ends after {seconds} s of silence.\n"))
        self._reading.cancel()

    def _send(self, data: bytes | bytearray) -> None:
        if data and not self._transport.is_closing():
            self._sent_bytes += len(data)
            self._writer.write(data)
            self._watch_sending()

    def _watch_sending(self) -> None:
        """Give the client a time to take some of what waits for it."""
        if self._sending_timer is None and self._transport.get_write_buffer_size():
            seconds = self._settings.send_timeout
            self._sending_timer = self._loop.call_later(seconds, self._check_sending, self._taken_bytes)

    def _check_sending(self, taken_before: int) -> None:
        self._sending_timer = None
        if self._transport.get_write_buffer_size() and self._taken_bytes == taken_before:
            sparing.log(logging.INFO, "telnet session %s is ended: its client takes nothing", self.id)
            self._transport.abort()
        else:
            self._watch_sending()

    @property
    def _taken_bytes(self) -> int:
        return self._sent_bytes - self._transport.get_write_buffer_size()


def prepare(connection: socket.socket) -> None:
    """Set what a new connection needs. Raises OSError."""
    # What a client sends as urgent stays in its place: it is the second half of a command.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    # What the system holds besides counts for nothing here, and hides how much the client takes.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SYSTEM_BUFFER_BYTES)
