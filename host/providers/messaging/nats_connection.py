"""A binding's connection to NATS, kept up for as long as the actor is bound.

That a lost connection is made anew is done here and not by nats-py: so nothing that was refused is sent later from a
buffer, and no kind of failure ends it for good. All but the constructor and `begin_delivery` runs in the provider's
loop.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error, NoRespondersError, NoServersError

from host.codec.messaging import CAPABILITY, BrokerMessage, RequestMessage
from host.logs import log
from host.providers.base import ProviderError, reason
from host.providers.messaging.nats_client import Client, ConnectionLost
from host.providers.messaging.nats_settings import ServerSettings
from host.providers.messaging.provider import INBOX, no_reply, no_responders
from host.providers.messaging.settings import Subscription
from host.providers.messaging.subjects import matches

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between attempts to connect anew; each pause is twice the one before."""
CLOSE_SECONDS = 1.0


class NatsConnection:
    """Publishes and requests for `actor`, and gives `deliver` what it has subscribed to."""

    def __init__(
        self, server: ServerSettings, subscription: Subscription, deliver: Callable[[BrokerMessage], None], actor: str
    ) -> None:
        self._server = server
        self._subscription = subscription
        self._deliver = deliver
        self._actor = actor
        self._delivers, self._is_closed = False, False
        self._subscribes = True
        self._subscriptions: list[NatsSubscription] = []
        self._client: Client | None = None
        self._is_up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and subscribe. Raises ProviderError; then nothing is left of it."""
        self._keeper = asyncio.create_task(self._keep(await self._connect()))

    def begin_delivery(self) -> None:
        """Give out what comes from now on; until then it is dropped, for another connection takes it."""
        self._delivers = True

    async def unsubscribe(self) -> None:
        """End the subscriptions for good: what the server has sent is put to the delivery first, within two seconds."""
        self._subscribes = False
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                for subscription in self._subscriptions:
                    await subscription.drain()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """End the connection, within two seconds."""
        self._delivers, self._is_closed = False, True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper}, timeout=CLOSE_SECONDS)
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.close()
            client.abort()

    async def publish(self, message: BrokerMessage) -> None:
        """Send a message, and wait until the server has it. Raises ProviderError."""
        client = await self._ready(self._server.timeout)
        self._check_size(client, message.body)
        with client.denials(message.subject, message.reply_to) as denied:
            try:
                await client.first(self._send(client, message))
            except (Error, OSError, ConnectionLost) as error:
                # A late answer would be taken for that to something else.
                client.abort()
                text = f"{self._server.title} did not confirm a message to {message.subject}: {self._why(error)}"
                raise ProviderError(text) from error
            if denied.done():
                raise self._denial(denied)

    async def request(self, request: RequestMessage) -> bytes:
        """The body of the first reply. Raises ProviderError."""
        seconds = request.timeout / 1000
        end = asyncio.get_running_loop().time() + seconds
        client = await self._ready(min(seconds, self._server.timeout))
        self._check_size(client, request.body)
        left = max(end - asyncio.get_running_loop().time(), 0.001)
        with client.denials(request.subject) as denied:
            try:
                reply = await client.first(client.request(request.subject, request.body, timeout=left), denied)
            except NoRespondersError as error:
                raise no_responders(request) from error
            except TimeoutError as error:
                raise no_reply(request) from error
            except (Error, OSError, ConnectionLost) as error:
                text = f"no reply from {request.subject}: {self._server.title}: {self._why(error)}"
                raise ProviderError(text) from error
            if reply is None:
                raise self._denial(denied)
            body: bytes = reply.data
            return body

    async def _send(self, client: Client, message: BrokerMessage) -> None:
        await client.publish(message.subject, message.body, reply=message.reply_to)
        await client.confirm()

    async def _ready(self, seconds: float) -> Client:
        """The client, once it is connected; waits so long for that at most. Raises ProviderError."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_up.wait()
        if self._client is None:
            raise ProviderError(f"there is no connection to {self._server.title} at the moment")
        return self._client

    def _check_size(self, client: Client, body: bytes) -> None:
        if len(body) > client.max_payload:
            raise ProviderError(
                f"{self._server.title} takes messages of {client.max_payload} bytes at most, not of {len(body)}"
            )

    def _denial(self, denied: asyncio.Future[str]) -> ProviderError:
        return ProviderError(f"{self._server.title} refuses: {denied.result().removeprefix('nats: ')}")

    async def _connect(self) -> Client:
        """A new client that is connected and has subscribed. Raises ProviderError."""
        client = Client(self._server, f"{CAPABILITY} {self._actor}")
        try:
            async with asyncio.timeout(self._server.timeout):
                await client.open()
                await self._subscribe(client)
        except BaseException as error:
            client.abort()
            if isinstance(error, ProviderError) or not isinstance(error, Exception):
                raise
            cause = client.failure if isinstance(error, NoServersError) and client.failure else error
            raise ProviderError(f"cannot connect to {self._server.title}: {self._why(cause)}") from error
        self._client = client
        self._is_up.set()
        return client

    async def _subscribe(self, client: Client) -> None:
        with client.denials(*self._subscription.patterns) as denied:
            group, patterns = self._subscription.group, self._subscription.patterns if self._subscribes else ()
            self._subscriptions = [
                await client.subscribe(pattern, queue=group, cb=partial(self._take, pattern)) for pattern in patterns
            ]
            await client.first(client.confirm())
            if denied.done():
                raise self._denial(denied)

    async def _take(self, pattern: str, message: Msg) -> None:
        """A message from the server, which sends one for each pattern that it matches, unless there is a group."""
        subject = message.subject
        if not self._delivers or (subject.startswith(f"{INBOX}.") and not pattern.startswith(f"{INBOX}.")):
            return
        patterns = self._subscription.patterns
        if self._subscription.group or pattern == next((each for each in patterns if matches(each, subject)), pattern):
            self._deliver(BrokerMessage(subject, message.reply, message.data))

    async def _keep(self, client: Client) -> None:
        """Connect anew whenever the connection ends."""
        # A cancellation is swallowed at some places of nats-py.
        while not self._is_closed:
            await asyncio.wait({client.ended})
            client.abort()
            self._client = None
            self._is_up.clear()
            why = self._why(client.last_error or client.failure or ConnectionLost())
            log.warning("%s: %s has lost its connection to %s: %s", CAPABILITY, self._actor, self._server.title, why)
            client = await self._connect_again()
            log.info("%s: %s is connected to %s again", CAPABILITY, self._actor, self._server.title)

    async def _connect_again(self) -> Client:
        pause, shown = FIRST_PAUSE, ""
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                return await self._connect()
            except ProviderError as error:
                if str(error) != shown:
                    shown = str(error)
                    log.warning("%s: %s %s", CAPABILITY, self._actor, shown)

    def _why(self, error: Exception) -> str:
        """Why something failed, in words for a person."""
        if isinstance(error, TimeoutError):
            return f"no answer within {self._server.timeout} seconds"
        if isinstance(error, OSError) and error.errno and error.errno > 0 and not isinstance(error, ssl.SSLError):
            return os.strerror(error.errno)
        if isinstance(error, ConnectionLost):
            return "the connection ended"
        return reason(error).removeprefix("nats: ").strip("'")
