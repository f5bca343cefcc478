"""Objects of JSON on a socket, one on each line, within limits of size and time."""

from __future__ import annotations

import json
import socket
import time
from types import TracebackType
from typing import Any, Self

VERSION = 1
VERSION_FIELD = "wascc"
MAX_REQUEST_BYTES = 64 * 1024
MAX_REPLY_BYTES = 64 * 1024 * 1024
REQUEST_SECONDS = 5.0
"""How long a request may take to arrive, and the first line of its reply."""
SEND_SECONDS = 10.0
"""How long the other side may take to make room for what is sent."""
_CHUNK = 64 * 1024


class ProtocolError(Exception):
    """The other side does not keep to the protocol."""


class Peer:
    """The lines of one connection. `max_bytes` is the longest line that is taken. Closes the socket at the end."""

    def __init__(self, connection: socket.socket, max_bytes: int) -> None:
        self._connection = connection
        self._max_bytes = max_bytes
        self._received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def send(self, **fields: Any) -> None:
        """Send one object. Raises OSError: the other side is gone, or does not take it in time."""
        self._connection.settimeout(SEND_SECONDS)
        self._connection.sendall(json.dumps({VERSION_FIELD: VERSION, **fields}).encode("ascii") + b"\n")

    def receive(self, seconds: float | None) -> dict[str, Any] | None:
        """The next object, None where the other side has ended. Raises ProtocolError, TimeoutError (it has not come
        within the time, None for any), OSError."""
        end = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._received:
            if len(self._received) > self._max_bytes:
                raise ProtocolError(f"a line has more than {self._max_bytes} bytes")
            # At least a moment: with 0 the socket would not wait at all.
            self._connection.settimeout(None if end is None else max(end - time.monotonic(), 0.001))
            try:
                chunk = self._connection.recv(_CHUNK)
            except TimeoutError:
                raise TimeoutError("it took too long") from None
            if not chunk:
                return None
            self._received += chunk
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return _object(line)

    def has_gone(self) -> bool:
        """Whether the other side, which should be silent, has ended or says something."""
        self._connection.settimeout(0)
        try:
            self._connection.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a line is no JSON") from error
    if not isinstance(value, dict):
        raise ProtocolError("a line is no JSON object")
    if value.get(VERSION_FIELD) != VERSION:
        raise ProtocolError(f"the field {VERSION_FIELD}, the version of the protocol, is not {VERSION}")
    return value
