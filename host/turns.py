"""Turns: who may run now, who waits, and how waiting for ever is made impossible.

A `Turn` is held by one call chain at a time and passes to the others in the order in which they asked. A `Chain` is
the calls that are active on one thread: an actor that calls another one holds its own turn while it waits for the
other's. So chains wait for turns, and turns are held by chains; a deadlock is a circle in that graph. The graph of the
whole process is kept under one lock, and a chain whose wait would close a circle is refused at once. What the graph
cannot see (a provider that waits for another thread of its own) ends when the wait takes too long.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

from host.errors import CallRefused

RESERVED_FRAMES = 200
"""How much of the interpreter's stack a nested call leaves for what it runs; with less than that it is refused."""

_graph = threading.Lock()
_thread = threading.local()


class Chain:
    """The calls active on one thread: the turns they hold, outermost first, and the one they wait for."""

    __slots__ = ("held", "waiting_for")

    def __init__(self) -> None:
        self.held: list[Turn] = []
        self.waiting_for: Turn | None = None


def current_chain() -> Chain:
    """The chain of the calling thread."""
    try:
        chain: Chain = _thread.chain
    except AttributeError:
        chain = _thread.chain = Chain()
    return chain


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a turn (seconds), how many may wait at once, and how many turns one chain may hold."""

    seconds: float = 30.0
    max_waiting: int = 1024
    max_depth: int = 32


class _Waiter:
    __slots__ = ("chain", "granted", "signal")

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.granted = False
        self.signal = threading.Lock()
        self.signal.acquire()


class Turn:
    """The right to run for `label`, used as a context manager.

    Entering raises CallRefused where the wait could never end, has lasted `patience.seconds`, or where
    `patience.max_waiting` others wait already; a chain that holds `patience.max_depth` turns gets no further one.
    """

    __slots__ = ("_holder", "_patience", "_queue", "label")

    def __init__(self, label: str, patience: Patience) -> None:
        self.label = label
        self._patience = patience
        self._holder: Chain | None = None
        self._queue: deque[_Waiter] = deque()

    def __enter__(self) -> None:
        self.enter(self._patience.seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def enter(self, seconds: float) -> None:
        """Take the turn, after `seconds` of waiting at most; pair it with `leave`. Raises CallRefused."""
        chain = current_chain()
        if chain.held and _is_stack_nearly_used():
            raise CallRefused(f"{self.label} is refused: the calls nest too deep for the interpreter's stack")
        with _graph:
            if len(chain.held) >= self._patience.max_depth:
                raise CallRefused(f"{self.label} is refused: {self._patience.max_depth} nested calls at most")
            if self._holder is None:
                self._holder = chain
                chain.held.append(self)
                return
            self._refuse_circle(chain)
            if len(self._queue) >= self._patience.max_waiting:
                raise CallRefused(f"{self.label} is busy and {self._patience.max_waiting} calls wait for it already")
            waiter = _Waiter(chain)
            self._queue.append(waiter)
            chain.waiting_for = self
        self._wait(waiter, seconds)

    def leave(self) -> None:
        """Give the turn to whoever has waited longest."""
        # No call to a Python function in here: a chain that has used up the interpreter's stack must still let go.
        with _graph:
            holder, self._holder = self._holder, None
            if holder is not None:
                holder.held.remove(self)
            if self._queue:
                waiter = self._queue.popleft()
                self._holder = chain = waiter.chain
                chain.held.append(self)
                chain.waiting_for = None
                waiter.granted = True
                waiter.signal.release()

    def _wait(self, waiter: _Waiter, seconds: float) -> None:
        try:
            waiter.signal.acquire(timeout=seconds)
        except BaseException:
            with _graph:
                withdrawn = self._withdraw(waiter)
            if not withdrawn:
                self.leave()
            raise
        with _graph:
            withdrawn = self._withdraw(waiter)
        if withdrawn:
            raise CallRefused(f"{self.label} was busy for {seconds:g} seconds, the call was given up")

    def _withdraw(self, waiter: _Waiter) -> bool:
        """Leave the queue; False if the turn was granted before that."""
        if waiter.granted:
            return False
        self._queue.remove(waiter)
        waiter.chain.waiting_for = None
        return True

    def _refuse_circle(self, chain: Chain) -> None:
        """Raise CallRefused if `chain` would, by waiting for this turn, wait for itself."""
        if self._holder is chain:
            path = " -> ".join(turn.label for turn in [*chain.held[chain.held.index(self) :], self])
            raise CallRefused(f"{self.label} is waiting for this very call and cannot be called from within it: {path}")
        turn: Turn | None = self
        while turn is not None and turn._holder is not None:
            if turn._holder is chain:
                raise CallRefused(f"{self.label} is waiting for {turn.label}, which would wait for it: deadlock")
            turn = turn._holder.waiting_for


def _is_stack_nearly_used() -> bool:
    try:
        sys._getframe(max(0, sys.getrecursionlimit() - RESERVED_FRAMES))
    except ValueError:
        return False
    return True


class Turns:
    """Turns by key, for as long as somebody holds them or waits: one operation at a time on each thing."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._turns: dict[object, tuple[Turn, int]] = {}

    def of(self, key: object, label: str) -> AbstractContextManager[None]:
        """The turn of `key`; `label` names it in errors."""
        return _KeyedTurn(self, key, label)

    def _join(self, key: object, label: str) -> Turn:
        with self._lock:
            turn, users = self._turns.get(key) or (Turn(label, self._patience), 0)
            self._turns[key] = (turn, users + 1)
            return turn

    def _leave(self, key: object) -> None:
        with self._lock:
            turn, users = self._turns.pop(key)
            if users > 1:
                self._turns[key] = (turn, users - 1)


class _KeyedTurn(AbstractContextManager[None]):
    def __init__(self, turns: Turns, key: object, label: str) -> None:
        self._turns = turns
        self._key = key
        self._label = label
        self._turn: Turn | None = None

    def __enter__(self) -> None:
        turn = self._turns._join(self._key, self._label)
        try:
            turn.__enter__()
        except BaseException:
            self._turns._leave(self._key)
            raise
        self._turn = turn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._turn is not None:
                self._turn.__exit__(kind, error, traceback)
        finally:
            self._turns._leave(self._key)
