"""Where the stores of several capabilities are: in memory, in SQLite files, on Redis servers.

Each class is to be named before the class that has a capability's operations, which ask `store` for an actor's store.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import ClassVar, Generic

from host.providers.base import Provider
from host.providers.opened import OpeningProvider, R
from host.providers.optional import import_with_extra
from host.providers.redis_settings import RedisSettings
from host.providers.room import DEFAULT_MAX_BYTES
from host.providers.sqlite_files import BUSY_SECONDS, FileSettings
from host.providers.values import TextValue


class MemoryProvider(Provider, ABC, Generic[R]):
    """One store in memory, shared by all actors that are bound to the provider.

    `max_bytes` bounds what it may hold, about; `clock` tells the seconds since 1970.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._store = self.made(max_bytes, clock)

    @abstractmethod
    def made(self, max_bytes: int, clock: Callable[[], float]) -> R:
        """The store."""

    def store(self, actor: str) -> R:
        """The one store."""
        return self._store

    def close(self) -> None:
        """Forget everything."""
        self._store.close()


class SqliteProvider(OpeningProvider[R]):
    """A store in the file that each binding names; actors that name the same file share it.

    `busy_seconds` is how long a call waits for other processes, `clock` tells the seconds since 1970.
    """

    path: ClassVar[TextValue]
    """The value that names the file."""
    in_memory: ClassVar[str]
    """The entry point for who wants no file."""

    def __init__(self, busy_seconds: float = BUSY_SECONDS, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._busy_seconds = busy_seconds
        self._clock = clock

    @abstractmethod
    def in_file(self, settings: FileSettings, busy_seconds: float, clock: Callable[[], float]) -> R:
        """The store in a file. Raises ProviderError."""

    def opening(self, actor: str, values: Mapping[str, str]) -> tuple[Hashable, Callable[[], R]]:
        """The file, which actors with the same settings share."""
        settings = FileSettings.of(values, self.path, self.in_memory)
        return settings, lambda: self.in_file(settings, self._busy_seconds, self._clock)


class RedisProvider(OpeningProvider[R]):
    """A store on the Redis server that each binding names, with connections of its own for each actor.

    Actors share what is there if they name the same server, database and prefix.
    """

    store_module: ClassVar[str]
    """The module whose `open_store` makes a store of RedisSettings; imported only with the library that it needs."""

    def __init__(self) -> None:
        super().__init__()
        self._open: Callable[[RedisSettings], R] = import_with_extra(self.store_module, "redis").open_store

    def opening(self, actor: str, values: Mapping[str, str]) -> tuple[Hashable, Callable[[], R]]:
        """The actor's own connections to the server."""
        settings = RedisSettings.of(values)
        return (actor, settings), lambda: self._open(settings)
