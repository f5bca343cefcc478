"""An HTTP client whose requests end at a time, however slowly a server takes or sends, and that keeps no cookies.

The time-outs of httpx are each for one wait: a server that sends a byte now and then is never too late for them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from time import monotonic
from typing import Any

import httpcore
import httpx

_PIECE_BYTES = 2**16
"""What is sent before the clock is looked at again."""

_end: ContextVar[float] = ContextVar("end", default=float("inf"))
"""When what this thread does has to be over, on the monotonic clock."""


def new_client(headers: Mapping[str, str]) -> httpx.Client:
    """A client that knows nothing of the environment's proxies and passwords, which are meant for the host and not for
    its guests, and that forgets the cookies it gets, which are for one actor's many users."""
    transport = httpx.HTTPTransport(trust_env=False)
    # httpx has no other way to say how connections are made; a test shows that this one still works.
    transport._pool._network_backend = _Backend()
    cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx.Client(headers=headers, trust_env=False, transport=transport, cookies=cookies)


@contextmanager
def until(end: float) -> Iterator[None]:
    """What the client does in this block, in this thread, fails with httpx.TimeoutException at that time."""
    token = _end.set(end)
    try:
        yield
    finally:
        _end.reset(token)


def time_left(kind: Callable[[str], Exception]) -> float | None:
    """Seconds until the end, None if there is none; raises an exception of that kind afterwards."""
    end = _end.get()
    if end == float("inf"):
        return None
    left = end - monotonic()
    if left <= 0:
        raise kind("the time is over")
    return left


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception | None = None
        for *_, address in found:
            left = time_left(httpcore.ConnectTimeout)
            try:
                stream = super().connect_tcp(str(address[0]), port, left, local_address, socket_options)
            except httpcore.ConnectError as error:
                failure = error
            else:
                return _Stream(stream)
        raise failure or httpcore.ConnectError("the name has no address")


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, time_left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE_BYTES):
            self._stream.write(buffer[start : start + _PIECE_BYTES], time_left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, time_left(httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
