"""What the tests of the Redis backends share: the time of a server, and a proxy that breaks connections in its ways."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from types import TracebackType
from typing import Any, Self

import redis
from servers import HOST, ServerProcess

_OF_CONNECTING = (b"SETINFO", b"AUTH", b"SELECT")
PASS, SWALLOW_REPLIES, CUT_BEFORE_REPLY = "pass", "swallow replies", "cut before reply"


def client_of(server: ServerProcess, **options: Any) -> Any:
    """A client of the tests' own, beside the provider's."""
    return redis.Redis(host=HOST, port=server.port, **options)


def url_of(server: ServerProcess, database: int = 0) -> str:
    return f"redis://{HOST}:{server.port}/{database}"


class RedisClock:
    """The time of a Redis server: setting `now` later takes that much from what every key has left to live."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._now = 1_000_000.0

    def __call__(self) -> float:
        return self._now

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, later: float) -> None:
        milliseconds = round((later - self._now) * 1000)
        for key in self._client.scan_iter():
            left = self._client.pttl(key)
            if left >= 0:
                self._client.pexpire(key, left - milliseconds)
        self._now = later


class Proxy:
    """A server in front of another one, which passes on what it gets, or does as `mode` says.

    What the library says by itself when it connects is passed on in each mode. With `context` it speaks TLS to
    its clients. `connections` counts those that it has accepted.
    """

    def __init__(self, target: int, context: ssl.SSLContext | None = None) -> None:
        self.mode = PASS
        self.connections = 0
        self._target = target
        self._context = context
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End all connections."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._sockets.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
            server = socket.create_connection((HOST, self._target))
            self._sockets += [client, server]
            commands = threading.Event()
            threading.Thread(target=self._pump, args=(server, client, commands), daemon=True).start()
            while data := client.recv(65536):
                if not any(word in data for word in _OF_CONNECTING):
                    commands.set()
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)

    def _pump(self, server: socket.socket, client: socket.socket, commands: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self.mode == PASS or not commands.is_set():
                    client.sendall(data)
                elif self.mode == CUT_BEFORE_REPLY:
                    break
            client.shutdown(socket.SHUT_RDWR)
            client.close()
