"""The clock behind deadlines: a thread that advances the epoch of Wasmtime's engines while calls with a deadline run.

Compiled code compares the epoch with the store's deadline at function entries and loops, and traps when it is reached.
"""

from __future__ import annotations

import math
from os import getpid
from threading import Condition, Lock, Thread
from time import monotonic, sleep
from typing import Any

from interp.engines.wasmtime_library import lib

TICK = 0.01
"""Seconds between two epochs, the precision of deadlines."""

LINGER = 1.0
"""Seconds that the thread waits for another call before it ends."""

_FOREVER = 1e9


def ticks(seconds: float) -> int:
    """Epochs that a call of so many seconds may see begin: never too few, at most two ticks too many."""
    return math.ceil(min(max(seconds, 0.0), _FOREVER) / TICK) + 1


class Ticker:
    """Counts calls with a deadline; its thread runs only while there are some, and a moment longer."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._active = 0
        self._thread: Thread | None = None
        self._process = 0
        self._engines: tuple[Any, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def add(self, engine: Any) -> None:
        """Advance the epoch of one more wasm_engine_t."""
        with self._changed:
            self._engines = (*self._engines, engine)

    def begin(self) -> None:
        """A call with a deadline begins."""
        with self._lock:
            self._active += 1
            # The thread says when it ends; a forked process has none, whatever it has been told.
            if self._thread is None or self._process != getpid():
                self._process = getpid()
                self._thread = Thread(target=self._run, name="wasmtime-epoch", daemon=True)
                self._thread.start()
            elif self._active == 1:
                self._changed.notify()

    def end(self) -> None:
        """A call with a deadline ends."""
        with self._lock:
            self._active -= 1

    def _run(self) -> None:
        due = monotonic()
        while True:
            with self._changed:
                if not self._active:
                    if not self._changed.wait_for(lambda: self._active, LINGER):
                        self._thread = None
                        return
                    due = monotonic()
            sleep(max(0.0, due + TICK - monotonic()))
            while due + TICK <= monotonic():
                due += TICK
                for engine in self._engines:
                    lib.wasmtime_engine_increment_epoch(engine)
