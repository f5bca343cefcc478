"""The ASGI application in front of one actor."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11

from host.asgi import Receive, Scope, Send
from host.chains import Chain, current_chain
from host.codec import decode, encode
from host.codec.http import OP_HANDLE_REQUEST, Request, Response
from host.errors import HostShutDown, was_refused
from host.logs import log, printable, sparing
from host.providers.base import reason
from host.providers.http_server.exchange import Reply, plain_reply, reply_of, request_message
from host.providers.workers import WorkerPool

if TYPE_CHECKING:
    from host.providers.base import Dispatcher
    from host.providers.http_server.settings import Settings

FAILURE_TEXT = "Failed to handle request"
_CLOSE = {"connection": "close"}
_RETRY = {"retry-after": "1"}


class _Answered(Exception):
    """The request is answered without the actor: with `reply`, or, the client being gone, with nothing."""

    def __init__(self, reply: Reply | None) -> None:
        super().__init__()
        self.reply = reply


class _Work:
    """A request on its way to the actor, and the chain of calls that it has become once a worker has it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.chain: Chain | None = None


class Application:
    """Reads requests, has them handled by the actor in one of the `workers`, and sends what it answers."""

    def __init__(self, actor: str, settings: Settings, dispatcher: Dispatcher, workers: WorkerPool) -> None:
        self._actor = actor
        self._settings = settings
        self._dispatcher = dispatcher
        self._workers = workers
        self._facts = {"actor": actor, "operation": OP_HANDLE_REQUEST}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Spec: ASGI 3, HTTP connection scope"""
        try:
            reply = await self._answer(scope, receive)
        except _Answered as answered:
            if answered.reply is None:
                return
            reply = answered.reply
        except asyncio.CancelledError:
            # The server stops and has waited long enough.
            reply = plain_reply(HTTPStatus.SERVICE_UNAVAILABLE, headers=_CLOSE)
        try:
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
            await send({"type": "http.response.body", "body": reply.body})
        except h11.LocalProtocolError:
            log.debug("a connection to %s ended before its response", printable(self._actor))

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        method, target = scope["method"], scope["raw_path"].decode("latin-1")
        if method == "CONNECT":
            return plain_reply(HTTPStatus.NOT_IMPLEMENTED)
        if target != "*" and not target.startswith("/") and "://" not in target:
            return plain_reply(HTTPStatus.BAD_REQUEST)
        self._check_room()
        body = await self._read_body(scope["headers"], receive)
        self._check_room()
        query_string = scope["query_string"].decode("latin-1")
        work = _Work(request_message(method, target, query_string, scope["headers"], body))
        try:
            async with asyncio.timeout(self._settings.response_timeout):
                return await self._workers.run(self._handle, work)
        except TimeoutError:
            # The thread cannot be ended; whatever it waits for has to come back to it.
            budget, waits = self._settings.response_timeout, work.chain or "it waits for a worker"
            told = (OP_HANDLE_REQUEST, printable(self._actor), budget, waits)
            log.error("%s of actor %s is not answered within %d s: %s", *told, extra=self._facts)
            return plain_reply(HTTPStatus.GATEWAY_TIMEOUT)

    def _check_room(self) -> None:
        if self._workers.in_progress >= self._settings.workers + self._settings.max_waiting:
            raise _Answered(plain_reply(HTTPStatus.SERVICE_UNAVAILABLE, headers=_RETRY))

    async def _read_body(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        lengths = [value for name, value in headers if name == b"content-length"]
        if lengths:
            if int(lengths[0]) > self._settings.max_body_bytes:
                raise _Answered(plain_reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
        elif not any(name == b"transfer-encoding" for name, _ in headers):
            return b""
        try:
            async with asyncio.timeout(self._settings.request_timeout):
                return await self._receive_body(receive)
        except TimeoutError:
            raise _Answered(plain_reply(HTTPStatus.REQUEST_TIMEOUT, headers=_CLOSE)) from None

    async def _receive_body(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise _Answered(None)
            body += message["body"]
            if len(body) > self._settings.max_body_bytes:
                raise _Answered(plain_reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            if not message["more_body"]:
                return bytes(body)

    def _handle(self, work: _Work) -> Reply:
        """Called in a worker: whatever goes wrong, with the actor or its answer, concerns this request alone."""
        work.chain = current_chain()
        try:
            answer = self._dispatcher.dispatch(self._actor, OP_HANDLE_REQUEST, encode(work.request))
            return reply_of(decode(Response, answer))
        except HostShutDown:
            return plain_reply(HTTPStatus.SERVICE_UNAVAILABLE, headers=_CLOSE)
        except BaseException as error:
            if was_refused(error):
                sparing.log(logging.WARNING, "%s of actor %s was refused: %s", *self._shown(error), extra=self._facts)
                return plain_reply(HTTPStatus.SERVICE_UNAVAILABLE, headers=_RETRY)
            log.error("%s of actor %s failed: %s", *self._shown(error), extra=self._facts)
            return plain_reply(HTTPStatus.INTERNAL_SERVER_ERROR, FAILURE_TEXT)

    def _shown(self, error: BaseException) -> tuple[str, str, str]:
        return OP_HANDLE_REQUEST, printable(self._actor), reason(error)
