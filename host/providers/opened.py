"""What bindings open, such as a file: actors that are bound alike share it, and the last one to go closes it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, Protocol, TypeVar

from host.providers.base import Provider


class Closable(Protocol):
    """What can be opened."""

    def close(self) -> None:
        """Let those who use it finish, and release it. Must not raise."""


K = TypeVar("K", bound=Hashable)
R = TypeVar("R", bound=Closable)


class Opened(Generic[K, R]):
    """What is open under which key, and who uses it. `bind` and `unbind` are never called at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, K] = {}
        self._opened: dict[K, R] = {}

    def bind(self, actor: str, key: K, open_: Callable[[], R]) -> None:
        """Let the actor use what is under the key, opened if nobody does yet, and no longer what it used before.

        Raises what opening raises; then everything is as it was.
        """
        if key not in self._opened:
            opened = open_()
            with self._lock:
                self._opened[key] = opened
        with self._lock:
            former = self._keys.get(actor)
            self._keys[actor] = key
        if former is not None:
            self._release(former)

    def unbind(self, actor: str) -> None:
        """Close what the actor used, unless others use it."""
        with self._lock:
            key = self._keys.pop(actor)
        self._release(key)

    def of(self, actor: str) -> R | None:
        """What the actor uses; None if it has been unbound."""
        with self._lock:
            key = self._keys.get(actor)
            return None if key is None else self._opened[key]

    def _release(self, key: K) -> None:
        with self._lock:
            unused = self._opened.pop(key) if key not in self._keys.values() else None
        if unused is not None:
            unused.close()


class OpeningProvider(Provider, ABC, Generic[R]):
    """A provider that opens something for each binding; to be named before the class that has the operations."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: Opened[Hashable, R] = Opened()

    @abstractmethod
    def opening(self, actor: str, values: Mapping[str, str]) -> tuple[Hashable, Callable[[], R]]:
        """The key of what a binding asks for, and how to open it. Raises ProviderError for values that are wrong."""

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Open what the binding asks for, unless it is open; an actor that is bound anew lets go of what it had."""
        super().bind(actor, values)
        self._opened.bind(actor, *self.opening(actor, values))

    def unbind(self, actor: str) -> None:
        """Close what the actor used, unless others use it."""
        super().unbind(actor)
        self._opened.unbind(actor)

    def store(self, actor: str) -> R:
        """What the actor's binding has opened. Raises ProviderError if it was unbound meanwhile."""
        opened = self._opened.of(actor)
        if opened is None:
            raise self.not_bound(actor)
        return opened
