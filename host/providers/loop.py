"""An event loop in a thread of its own, for what other threads want of asynchronous code."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from host.logs import printable, sparing
from host.providers.base import ProviderError

STOP_SECONDS = 5.0
"""How long the loop may take to end."""

_T = TypeVar("_T")


class LoopThread:
    """The loop begins with the first `run`, and ends with `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._running: set[Future[Any]] = set()

    def run(self, work: Coroutine[None, None, _T]) -> _T:
        """What `work` returns or raises; it runs in the loop, while the calling thread waits. Raises ProviderError if
        the loop has been stopped, or is meanwhile."""
        with self._lock:
            if self._stopped:
                work.close()
                raise ProviderError(f"{self._name} is stopped")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._running.add(future)
        try:
            return future.result()
        except CancelledError:
            raise ProviderError(f"{self._name} is stopped") from None
        finally:
            with self._lock:
                self._running.discard(future)

    def cancel(self) -> None:
        """End what runs now, as if the loop were stopped."""
        with self._lock:
            running = tuple(self._running)
        for future in running:
            future.cancel()

    def stop(self) -> None:
        """End the loop; what still runs in it is cancelled."""
        with self._lock:
            self._stopped = True
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_SECONDS)

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.set_exception_handler(self._log_one_line)
        try:
            loop.run_forever()
            loop.run_until_complete(_cancel_the_rest())
        finally:
            loop.close()

    def _log_one_line(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What nobody waits for failed, such as the accepting of a connection."""
        sparing.log(logging.ERROR, "%s: %s", self._name, printable(str(context.get("exception") or context["message"])))


async def _cancel_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=STOP_SECONDS / 2)
