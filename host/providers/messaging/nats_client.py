"""One connection to a NATS server, from its beginning to its end, on nats-py."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from nats.aio.client import Client as NatsClient
from nats.errors import Error, ProtocolError, UnexpectedEOF
from nats.protocol.parser import Parser

from host.codec import MAX_PAYLOAD_BYTES
from host.codec.messaging import CAPABILITY
from host.logs import printable, sparing
from host.providers.base import reason
from host.providers.messaging.nats_settings import ServerSettings

PING_SECONDS, MAX_UNANSWERED_PINGS = 10, 2
"""A server that has not answered that many pings is given up."""

_MAX_LINE_BYTES = 2**20
"""The longest line of the protocol, which nats-py itself would wait for the end of for ever."""

_T = TypeVar("_T")


class ConnectionLost(Exception):
    """The connection ended before the server had answered."""


class _Parser(Parser):
    """nats-py's parser, for which nothing that a server sends is too long or too strange."""

    async def parse(self, data: bytes = b"") -> None:
        """Take in what the server sent. Raises ProtocolError, after which the connection is given up."""
        try:
            await super().parse(data)
        except (ProtocolError, OSError):
            raise
        except Exception as error:
            # nats-py would log where in its code that was.
            raise ProtocolError(f"the server sent what cannot be read: {reason(error)}") from error
        if self.needed > MAX_PAYLOAD_BYTES or len(self.buf) - self.needed > _MAX_LINE_BYTES:
            raise ProtocolError("the server sent a message or a line that is too long")


class Client(NatsClient):
    """A client that connects once. When its connection is over, for whatever reason, `ended` is done.

    What is overridden is not public in nats-py; each method says why, and tests show that it is still called.
    """

    def __init__(self, server: ServerSettings, name: str) -> None:
        super().__init__()
        self._ps = _Parser(self)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failure: Exception | None = None
        """What went wrong last."""
        self._wanted = server
        self._name = name
        self._denials: list[tuple[set[str], asyncio.Future[str]]] = []
        key = server.credentials.key
        # nats-py would take it from a seed, with a library for nkeys that does what KeyPair does.
        self._public_nkey = key.public_key if key else None

    async def open(self) -> None:
        """Connect. Raises Error (of nats-py), OSError, TimeoutError."""
        server, credentials = self._wanted, self._wanted.credentials
        jwt = credentials.jwt
        await self.connect(
            servers=server.urls,
            name=self._name,
            error_cb=self._note_error,
            # Every server gets two attempts, one after the other.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=server.timeout,
            flush_timeout=server.timeout,
            ping_interval=PING_SECONDS,
            max_outstanding_pings=MAX_UNANSWERED_PINGS,
            tls=server.tls,
            user=credentials.user,
            password=credentials.password,
            token=credentials.token,
            signature_cb=credentials.sign if credentials.key else None,
            user_jwt_cb=None if jwt is None else jwt.encode,
        )
        if not isinstance(self.max_payload, int):
            raise Error("the server does not say how large messages may be")

    def abort(self) -> None:
        """Give the connection up without waiting for anything."""
        self._end()
        # `close` of a connection whose server takes nothing more would wait for what is still to be sent.
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def confirm(self) -> None:
        """Return when the server has obeyed all that was sent. Raises Error, OSError."""
        # The PING of `flush` would overtake what is still to be sent, and say nothing about it.
        await self._flush_pending(force_flush=True)
        await self.flush(self._wanted.timeout)

    async def first(self, work: Coroutine[Any, Any, _T], *others: asyncio.Future[str]) -> _T | None:
        """The result of `work`, or None if one of `others` was done before. Raises ConnectionLost, and what `work`
        raises."""
        task = asyncio.ensure_future(work)
        try:
            waiting: set[asyncio.Future[Any]] = {task, self.ended, *others}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if self.ended.done():
                raise ConnectionLost
            return None
        finally:
            task.cancel()

    @contextmanager
    def denials(self, *subjects: str) -> Iterator[asyncio.Future[str]]:
        """What gets done, with the server's text, if the server says that one of these subjects is not allowed."""
        watch = ({f'"{subject.lower()}"' for subject in subjects}, asyncio.get_running_loop().create_future())
        self._denials.append(watch)
        try:
            yield watch[1]
        finally:
            self._denials.remove(watch)
            watch[1].cancel()

    async def _note_error(self, error: Exception) -> None:
        self.failure, text = error, reason(error)
        # nats-py makes the server's text one of small letters.
        watching = [future for subjects, future in self._denials if any(each in text for each in subjects)]
        for future in watching:
            if not future.done():
                future.set_result(text)
        if not watching and self.is_connected and not isinstance(error, UnexpectedEOF):
            sparing.log(logging.WARNING, "%s: %s: %s", CAPABILITY, self._wanted.title, text)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    async def _read_loop(self) -> None:
        # It can end by an error that closes nothing and calls nobody back.
        try:
            await super()._read_loop()
        finally:
            self._end()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        # Anybody may publish with a subject or header that is no text; that must not end the reading of the others'.
        try:
            await super()._process_msg(sid, subject, reply, data, headers)
        except (ValueError, LookupError) as error:
            shown = printable(subject.decode(errors="backslashreplace"))
            sparing.log(logging.WARNING, "%s: a message to %s is unreadable: %s", CAPABILITY, shown, reason(error))

    def _connect_command(self) -> bytes:
        # It is sent, with the credentials, to a server that does not offer TLS too, whatever the URL says.
        if self._wanted.is_secure and not self._server_info.get("tls_required"):
            raise Error("the server does not speak TLS")
        command: bytes = super()._connect_command()
        return command
