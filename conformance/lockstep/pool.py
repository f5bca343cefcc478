"""Work in processes of its own: an item that ends its process, never ends, or takes all the memory ends only itself."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Generic, TypeVar

from conformance.runner import describe
from conformance.workers import JOIN_SECONDS, START_SECONDS, _end_with_parent, _interrupts_held, _limit_memory

# A fresh interpreter: an engine's threads do not survive a fork.
_CONTEXT = multiprocessing.get_context("spawn")
Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]
Prepare = Callable[[Path], Work[Item, Result]]
"""Called once in each process, with a folder for files in between: gives what is done with each item."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Item, Result]):
    """What came of an item: its result, or why there is none (`lost`)."""

    item: Item
    result: Result | None
    lost: str = ""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A process has begun with its work, or failed to (`error`)."""

    error: str = ""


class PoolError(RuntimeError):
    """Processes cannot do their work at all; the message says why."""


def _serve(connection: Connection, prepare: Prepare[Item, Result], scratch: Path, memory: int) -> None:
    """The process: do each item that arrives, until there are no more or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its processes
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        try:
            work = prepare(scratch)
        except Exception as error:  # whatever it is, the parent must hear of it
            connection.send(_Ready(describe(error)))
            return
        _limit_memory(memory)
        connection.send(_Ready())
        while True:
            item: Item = connection.recv()
            try:
                done = Done(item, work(item))
            except Exception as error:  # a fault of the harness must not look like one of an engine's process
                done = Done(item, None, describe(error))
            connection.send(done)


class _Process(Generic[Item, Result]):
    """One process, the item it is at, and since when."""

    def __init__(self, prepare: Prepare[Item, Result], memory: int) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.scratch = tempfile.TemporaryDirectory(prefix="lockstep-")
        arguments = (theirs, prepare, Path(self.scratch.name), memory)
        self.process: BaseProcess = _CONTEXT.Process(target=_serve, args=arguments, daemon=True)
        with _interrupts_held():
            self.process.start()
        theirs.close()
        self.ready = False
        self.item: Item | None = None
        self.since = time.monotonic()

    def give(self, item: Item) -> None:
        """Begin with an item; a process that has died meanwhile is noticed when it is waited for."""
        self.item, self.since = item, time.monotonic()
        with suppress(OSError):
            self.connection.send(item)

    def end(self) -> None:
        """End it, whatever it does."""
        self.connection.close()
        self.process.kill()
        self.process.join(JOIN_SECONDS)
        self.scratch.cleanup()


class Pool(Generic[Item, Result]):
    """Does work on `jobs` processes, each item for up to `seconds` with up to `memory` bytes."""

    def __init__(self, prepare: Prepare[Item, Result], jobs: int, seconds: float, memory: int) -> None:
        self._prepare = prepare
        self._jobs = max(1, jobs)
        self._seconds = seconds
        self._memory = memory
        self._processes: list[_Process[Item, Result]] = []

    def run(self, items: Sequence[Item]) -> Iterator[Done[Item, Result]]:
        """What came of each item, as it is done.  Raises PoolError."""
        waiting = iter(items)
        more = True
        try:
            while True:
                while more and len(idle := self._idle()) + len(self._busy()) < self._jobs:
                    self._processes.append(_Process(self._prepare, self._memory))
                for process in idle:
                    item = next(waiting, None)
                    if item is None:
                        more = False
                        break
                    process.give(item)
                if not self._busy() and not more:
                    return
                yield from self._listen()
        finally:
            for process in self._processes:
                process.end()
            self._processes.clear()

    def _idle(self) -> list[_Process[Item, Result]]:
        return [process for process in self._processes if process.ready and process.item is None]

    def _busy(self) -> list[_Process[Item, Result]]:
        return [process for process in self._processes if not process.ready or process.item is not None]

    def _listen(self) -> Iterator[Done[Item, Result]]:
        """Wait until something happens, and give the items that are done or lost."""
        busy = self._busy()
        wait([process.connection for process in busy], timeout=1.0)
        for process in busy:
            allowed = self._seconds if process.ready else START_SECONDS
            try:
                if process.connection.poll():
                    message = process.connection.recv()
                elif time.monotonic() - process.since > allowed:
                    yield from self._lost(process, f"not done after {allowed:g} s")
                    continue
                else:
                    continue
            except (EOFError, OSError):
                process.process.join(JOIN_SECONDS)
                yield from self._lost(process, f"the process ended with exit code {process.process.exitcode}")
                continue
            if isinstance(message, Done):
                process.item = None
                yield message
            elif message.error:
                raise PoolError(message.error)
            else:
                process.ready, process.since = True, time.monotonic()

    def _lost(self, process: _Process[Item, Result], why: str) -> Iterator[Done[Item, Result]]:
        process.end()
        self._processes.remove(process)
        if not process.ready or process.item is None:
            raise PoolError(f"a process did not start: {why}")
        yield Done(process.item, None, why)
