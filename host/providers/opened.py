"""What bindings open, such as a file: actors that are bound alike share it, and the last one to go closes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from host.logs import printable
from host.providers.base import ProviderError


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

    def of(self, actor: str) -> R:
        """What the actor uses. Raises ProviderError if it was unbound meanwhile."""
        with self._lock:
            key = self._keys.get(actor)
            if key is None:
                raise ProviderError(f"{printable(actor)} is not bound any more")
            return self._opened[key]

    def _release(self, key: K) -> None:
        with self._lock:
            unused = self._opened.pop(key) if key not in self._keys.values() else None
        if unused is not None:
            unused.close()
