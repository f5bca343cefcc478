"""A gate counts the calls inside. Closed, it lets no new ones in, and it can wait until those inside have left."""

from __future__ import annotations

import threading
from types import TracebackType

from host.errors import HostError


class Gate:
    """Used as a context manager around each call; entering a closed gate raises what `refusal` makes.

    A thread that is inside may enter again after closing: what a running call needs to finish is still let in.
    """

    def __init__(self, refusal: type[HostError], text: str) -> None:
        self._refusal = refusal
        self._text = text
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._thread = threading.local()
        self._inside = 0
        self._closed = False

    def __enter__(self) -> None:
        if getattr(self._thread, "depth", 0):
            self._thread.depth += 1
            return
        try:
            with self._lock:
                if self._closed:
                    raise self._refusal(self._text)
                self._inside += 1
                self._thread.depth = 1
        except BaseException:
            # Refused, or interrupted once it was inside already.
            if getattr(self._thread, "depth", 0):
                self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._thread.depth -= 1
        if not self._thread.depth:
            with self._lock:
                self._inside -= 1
                if self._closed:
                    self._changed.notify_all()

    @property
    def entered_here(self) -> bool:
        """Whether the calling thread is inside."""
        return getattr(self._thread, "depth", 0) > 0

    @property
    def closed(self) -> bool:
        """Whether it lets nobody new in."""
        return self._closed

    def check(self) -> None:
        """Raise the refusal if the gate is closed to the calling thread."""
        if self._closed and not self.entered_here:
            raise self._refusal(self._text)

    def close(self) -> bool:
        """Let nobody new in; False if that was so already."""
        with self._lock:
            closed, self._closed = self._closed, True
            return not closed

    def drain(self, seconds: float) -> bool:
        """Wait until nobody else is inside; False if some still are after `seconds`."""
        own = 1 if self.entered_here else 0
        with self._changed:
            return self._changed.wait_for(lambda: self._inside <= own, timeout=seconds)
