"""Commands to a Redis server: a pool of connections, and the promise that no change is ever sent twice.

What only reads is sent again when a connection is lost, what changes something is not: the server may have carried it
out before the connection went. What could not be sent at all is tried again in either case, for RETRY_SECONDS, which
reaches across a restart of the server.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from redis import exceptions
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

from host.logs import printable
from host.providers.base import ProviderError, reason
from host.providers.client_tls import TLS_CA, TLS_CERTIFICATE, TLS_KEY
from host.providers.keys import wrong_kind
from host.providers.redis_settings import MAX_CONNECTIONS, RedisSettings

RETRY_SECONDS = 1.0
"""For how long a command is tried again that could not be sent, or may be sent twice."""
IDLE_SECONDS = 30.0
"""A connection that was not used for longer is asked whether it still works before a command is sent on it."""
MAX_REASON_CHARACTERS = 200
_PAUSE_SECONDS = 0.02
_OF_SCRIPT = re.compile(r"^.*@user_script: ?\d+: -?|\.? script: \w+, on @user_script:\d+\.?$")
"""What servers put around the error of a command in a script: before it until version 6, after it from 7 on."""
_EVENT_ID = re.compile(rb"[0-9]{1,20}-[0-9]{1,20}")
_FULL = "'maxmemory'"

_LOADING = "is still loading its data"
_STRANGE = "answered what is no answer to what it was asked"
_NO_IDENTITY = "wants a user name or password"
_UNKNOWN = "; it is not known whether the change was made"
_TLS_NAMES: Mapping[str, str] = {TLS_CA: "ssl_ca_certs", TLS_CERTIFICATE: "ssl_certfile", TLS_KEY: "ssl_keyfile"}

Argument = str | bytes | int
Command = Sequence[Argument]
T = TypeVar("T")


class RedisRefusal(ProviderError):
    """The server answered with an error, and nothing was changed; `code` is its first word, such as `WRONGTYPE`."""

    def __init__(self, place: str, text: str) -> None:
        shown = printable(_OF_SCRIPT.sub("", text)[:MAX_REASON_CHARACTERS])
        super().__init__(f"{place} {'is full' if _FULL in text else 'refused'}: {shown}")
        self.code = text.partition(" ")[0]


class RedisScript:
    """A Lua script: what it does happens altogether or not at all."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_KINDS = RedisScript("""
local found = {}
for index, key in ipairs(KEYS) do found[index] = redis.call('TYPE', key).ok end
return found
""")
_NOUNS = {"zset": "sorted set"}


class _Lost(Exception):
    """No answer came; `sent` tells whether the server may have got the command."""

    def __init__(self, why: str, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class _Nonsense(Exception):
    """The reply is of another form than that of its command."""


def ignored(reply: Any) -> None:
    """The form of a reply that says nothing but that it is none of an error."""


def integer(reply: Any) -> int:
    """The form of a number."""
    if not isinstance(reply, int):
        raise _Nonsense
    return reply


def text(reply: Any) -> bytes:
    """The form of a text."""
    if not isinstance(reply, bytes):
        raise _Nonsense
    return reply


def text_or_nil(reply: Any) -> bytes | None:
    """The form of a text, or of none."""
    return None if reply is None else text(reply)


def texts(reply: Any) -> list[bytes]:
    """The form of texts."""
    return items_of(text, reply)


def event(reply: Any) -> tuple[bytes, list[bytes]]:
    """The form of an entry of a stream: its id, and names and values in turn."""
    if not isinstance(reply, list) or len(reply) != 2:
        raise _Nonsense
    entry_id, pairs = text(reply[0]), texts(reply[1])
    if not _EVENT_ID.fullmatch(entry_id) or len(pairs) % 2:
        raise _Nonsense
    return entry_id, pairs


def items_of(form: Callable[[Any], T], reply: Any) -> list[T]:
    """The items of a reply that is to be a list of items of this form."""
    if not isinstance(reply, list):
        raise _Nonsense
    return [form(item) for item in reply]


def connect(settings: RedisSettings) -> RedisClient:
    """A client of a server that has answered. Raises ProviderError."""
    client = RedisClient(settings)
    try:
        client.check()
    except BaseException:
        client.close()
        raise
    return client


class RedisClient:
    """Commands to one server. Thread-safe; every method raises ProviderError for what goes wrong."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._prefix = settings.prefix.encode()
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(settings.max_connections)
        self._free: list[tuple[float, Any]] = []
        self._closed = False

    def key(self, key: str) -> bytes:
        """The key of an actor as it is on the server."""
        return self._prefix + key.encode()

    def check(self) -> None:
        """Ask the server whether it is there and lets us in."""
        self.read(ignored, "PING")

    def read(self, form: Callable[[Any], T], *command: Argument) -> T:
        """The reply, of this form, to a command that changes nothing."""
        return self._run([command], form, repeatable=True)

    def write(self, form: Callable[[Any], T], *command: Argument) -> T:
        """The reply, of this form, to a command that changes something."""
        return self._run([command], form, repeatable=False)

    def read_script(
        self, form: Callable[[Any], T], script: RedisScript, keys: Sequence[str], *arguments: Argument
    ) -> T:
        """The reply, of this form, of a script that changes nothing."""
        return self._run(self._commands(script, keys, arguments), form, repeatable=True)

    def write_script(
        self, form: Callable[[Any], T], script: RedisScript, keys: Sequence[str], *arguments: Argument
    ) -> T:
        """The reply, of this form, of a script that changes something."""
        return self._run(self._commands(script, keys, arguments), form, repeatable=False)

    def wrong_kind(self, keys: Sequence[str], wanted: str) -> ProviderError | None:
        """The error of an operation on the first of an actor's keys that holds something else than is wanted."""
        for key, kind in zip(keys, self.read_script(texts, _KINDS, keys), strict=False):
            found = printable(kind.decode(errors="replace"))
            if found not in {"none", wanted}:
                return wrong_kind(key, _NOUNS.get(found, found), wanted)
        return None

    def close(self) -> None:
        """Close the connections: those in use when their commands are done."""
        with self._lock:
            self._closed = True
        self._let_go()

    def _commands(self, script: RedisScript, keys: Sequence[str], arguments: Sequence[Argument]) -> list[Command]:
        rest = (len(keys), *map(self.key, keys), *arguments)
        return [("EVALSHA", script.digest, *rest), ("EVAL", script.text, *rest)]

    def _run(self, commands: Sequence[Command], form: Callable[[Any], T], repeatable: bool) -> T:
        """The reply to the first of these commands, which mean the same, that the server knows."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                with self._connection() as connection:
                    return form(self._exchange(connection, commands))
            except _Nonsense as error:
                what = f"{self._settings.place} {_STRANGE}{'' if repeatable else _UNKNOWN}"
                raise ProviderError(what) from error
            except _Lost as lost:
                in_doubt = lost.sent and not repeatable
                if in_doubt or time.monotonic() >= deadline:
                    raise ProviderError(f"{self._settings.place} {lost}{_UNKNOWN if in_doubt else ''}") from lost
            time.sleep(_PAUSE_SECONDS)

    def _exchange(self, connection: Any, commands: Sequence[Command]) -> Any:
        try:
            connection.send_command(*commands[0])
            return connection.read_response()
        except exceptions.NoScriptError as error:
            if len(commands) > 1:
                return self._exchange(connection, commands[1:])
            raise RedisRefusal(self._settings.place, str(error)) from error
        except exceptions.BusyLoadingError as error:
            raise _Lost(_LOADING, sent=False) from error
        except (exceptions.AuthenticationError, exceptions.AuthorizationError) as error:
            raise ProviderError(f"{self._settings.place} {_NO_IDENTITY}") from error
        except exceptions.ResponseError as error:
            raise RedisRefusal(self._settings.place, str(error)) from error
        except exceptions.TimeoutError as error:
            raise _Lost(f"did not answer within {self._settings.timeout} s", sent=True) from error
        except RecursionError as error:
            raise _Nonsense from error
        except (exceptions.RedisError, OSError, ValueError) as error:
            raise _Lost(f"did not answer: {_why(error)}", sent=True) from error

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection that works, as far as can be known; afterwards it is kept for others, unless it is broken."""
        if not self._places.acquire(timeout=self._settings.timeout):
            raise ProviderError(f"all {self._settings.max_connections} connections ({MAX_CONNECTIONS}) are in use")
        try:
            connection = self._take()
            try:
                yield connection
            except RedisRefusal:
                self._keep(connection)
                raise
            except BaseException:
                connection.disconnect()
                raise
            self._keep(connection)
        finally:
            self._places.release()

    def _take(self) -> Any:
        with self._lock:
            if self._closed:
                raise ProviderError(f"the connections to {self._settings.place} are closed")
            used_at, kept = self._free.pop() if self._free else (0.0, None)
        if kept is not None:
            if _works(kept, time.monotonic() - used_at):
                return kept
            # What broke this one has most likely broken those that were not used for longer.
            self._let_go()
        return self._opened()

    def _let_go(self) -> None:
        with self._lock:
            free, self._free = self._free, []
        for _, connection in free:
            connection.disconnect()

    def _keep(self, connection: Any) -> None:
        with self._lock:
            if not self._closed:
                self._free.append((time.monotonic(), connection))
                return
        connection.disconnect()

    def _opened(self) -> Any:
        settings = self._settings
        connection: Any = _connection_to(settings)
        try:
            connection.connect()
        except BaseException as error:
            connection.disconnect()
            if isinstance(error, exceptions.BusyLoadingError):
                raise _Lost(_LOADING, sent=False) from error
            if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
                given = settings.username or settings.password
                raise ProviderError(
                    f"{settings.place} {'refused the user name or password' if given else _NO_IDENTITY}"
                ) from None
            if isinstance(error, exceptions.ResponseError):
                # The server may repeat what it was sent, and it was sent the password.
                what = error.args[0] if error.args and not settings.password else "the connection"
                raise RedisRefusal(settings.place, str(what)) from None
            if isinstance(error, exceptions.TimeoutError):
                raise _Lost("cannot be reached: no connection within the time-out", sent=False) from None
            if isinstance(error, exceptions.RedisError | OSError | ValueError):
                raise _Lost(f"cannot be reached: {_why(error)}", sent=False) from None
            raise
        return connection


def _connection_to(settings: RedisSettings) -> Any:
    # Any, as the library's classes are typed only in part.
    kind: Any = Connection
    common: dict[str, Any] = {
        "db": settings.database,
        "username": settings.username or None,
        "password": settings.password or None,
        "socket_timeout": settings.timeout,
        "socket_connect_timeout": settings.connect_timeout,
        "protocol": 2,
    }
    if settings.socket:
        kind = UnixDomainSocketConnection
        return kind(path=settings.socket, **common)
    common |= {"host": settings.host, "port": settings.port, "socket_keepalive": True}
    if settings.tls_files is not None:
        kind = SSLConnection
        # Said here, as not every version of the library does it unasked.
        common |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
        common |= {_TLS_NAMES[name]: path for name, path in settings.tls_files.items()}
    return kind(**common)


def _works(connection: Any, idle_seconds: float) -> bool:
    """Whether a kept connection can be used; one that the server has closed is found out before anything is sent."""
    try:
        if not connection.can_read():
            if idle_seconds < IDLE_SECONDS:
                return True
            connection.send_command("PING")
            if connection.read_response() == b"PONG":
                return True
    except (exceptions.RedisError, OSError, ValueError):
        pass
    connection.disconnect()
    return False


def _why(error: BaseException) -> str:
    """Why a connection failed: what the system says, rather than what the library made of it."""
    below = error.__cause__ or error.__context__
    if isinstance(below, OSError) and below.strerror:
        return printable(below.strerror)
    return reason(error)[:MAX_REASON_CHARACTERS]
