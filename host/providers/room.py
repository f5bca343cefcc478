"""How much a store in memory may hold: bytes are counted as they come and go, about and not exactly."""

from __future__ import annotations

from host.providers.base import ProviderError

DEFAULT_MAX_BYTES = 2**28


class Room:
    """What is taken of `max_bytes`; `title` is what the store is called in the error when they are all taken.

    Not thread-safe: who changes the store holds a lock for both.
    """

    def __init__(self, title: str, max_bytes: int) -> None:
        self._title = title
        self._max_bytes = max_bytes
        self._used = 0

    def take(self, amount: int) -> None:
        """Take so many bytes more, or fewer if it is negative. Raises ProviderError if there is no room for more; then
        nothing is taken."""
        if amount > 0 and self._used + amount > self._max_bytes:
            raise ProviderError(f"{self._title} is full ({self._max_bytes} bytes)")
        self._used += amount

    def clear(self) -> None:
        """Nothing is taken any more."""
        self._used = 0


def text_bytes(text: str) -> int:
    """About the memory that a text takes."""
    # Equal texts must cost the same, so that what one added the other takes away: getsizeof does not promise that.
    return len(text) * (1 if text.isascii() else 4)
