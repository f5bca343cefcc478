"""Threads that run blocking calls for an event loop.

Unlike those of `concurrent.futures` these threads are daemons: an actor that never returns must not keep the process
from ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, TypeVar

_A = TypeVar("_A")
_R = TypeVar("_R")
_Work = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Context, Callable[[Any], Any], Any]


class WorkerPool:
    """Up to `size` threads, started as they are needed; `run` belongs to one event loop."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._started = 0
        self.in_progress = 0
        """How many calls run or wait for a thread."""

    async def run(self, function: Callable[[_A], _R], argument: _A) -> _R:
        """What `function(argument)` returns, called in one of the threads with the context variables of here.
        RuntimeError if it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_R] = loop.create_future()
        self.in_progress += 1
        try:
            self._queue.put((loop, future, copy_context(), function, argument))
            if self._started < min(self._size, self.in_progress):
                self._started += 1
                threading.Thread(target=_work, args=(self._queue,), name=self._name, daemon=True).start()
            return await future
        finally:
            self.in_progress -= 1

    def close(self) -> None:
        """Let each thread end when it has nothing left to do; does not wait."""
        for _ in range(self._started):
            self._queue.put(None)


def _work(queue: SimpleQueue[_Work | None]) -> None:
    while (work := queue.get()) is not None:
        loop, future, context, function, argument = work
        result, failure = None, None
        try:
            result = context.run(function, argument)
        except BaseException as error:
            # Not passed on as it is: a StopIteration cannot be, and a SystemExit must not end the loop.
            failure = RuntimeError(f"{type(error).__name__} in a worker")
            failure.__cause__ = error
        # The loop may be closed by now; then nobody waits for the result any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, future, result, failure)


def _settle(future: asyncio.Future[Any], result: Any, failure: RuntimeError | None) -> None:
    if future.done():
        return
    if failure is None:
        future.set_result(result)
    else:
        future.set_exception(failure)
