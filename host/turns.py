"""Turns: who may run now, who waits, and how waiting for ever is made impossible.

A `Turn` is held by as many call chains at a time as it has places, and passes to the others in the order in which they
asked. An actor that calls another one holds its own turn while it waits for the other's: chains wait for turns, and
turns are held by chains. A chain is stuck for ever if nobody whom it waits for, at first or second hand, is running.
The graph of the whole process is kept under one lock, and a chain whose wait could never end is refused at once. What
the graph cannot see (a provider that waits for another thread of its own) ends when the wait takes too long.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

from host.chains import Chain, current_chain, thread_chain
from host.errors import ActorBusy, CallRefused

RESERVED_FRAMES = 200
"""How much of the interpreter's stack a nested call leaves for what it runs; with less than that it is refused."""

MAX_SHOWN_HOLDERS = 3

_graph = threading.Lock()


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
    """The right to run for `label`, which as many chains as it has `places` may have at a time; a context manager.

    Entering raises CallRefused where the wait could never end, ActorBusy where it has lasted `patience.seconds` or
    `patience.max_waiting` others wait already; a chain that holds `patience.max_depth` turns gets no further one.
    """

    __slots__ = ("_holders", "_patience", "_places", "_queue", "label")

    def __init__(self, label: str, patience: Patience, places: int = 1) -> None:
        self.label = label
        self._patience = patience
        self._places = places
        self._holders: list[Chain] = []
        self._queue: deque[_Waiter] = deque()

    def __enter__(self) -> None:
        self.enter(self._patience.seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def waiting(self) -> int:
        """How many chains wait for it."""
        return len(self._queue)

    def enter(self, seconds: float) -> None:
        """Take the turn, after `seconds` of waiting at most; pair it with `leave`, on the same thread. Raises
        CallRefused, ActorBusy."""
        chain = current_chain()
        if chain.held and _is_stack_nearly_used():
            raise CallRefused(f"{self.label} is refused: the calls nest too deep for the interpreter's stack")
        held = len(chain.held)
        try:
            waiter = self._take_or_queue(chain)
            if waiter is not None:
                self._wait(waiter, seconds)
        except BaseException:
            self._undo(chain, held)
            raise

    def _take_or_queue(self, chain: Chain) -> _Waiter | None:
        """Take the turn if there is a place, or else wait in the queue as what is returned."""
        with _graph:
            if len(chain.held) >= self._patience.max_depth:
                raise CallRefused(f"{self.label} is refused: {self._patience.max_depth} nested calls at most")
            if len(self._holders) < self._places:
                self._holders.append(chain)
                chain.held.append(self)
                return None
            self._refuse_endless_wait(chain)
            if len(self._queue) >= self._patience.max_waiting:
                raise ActorBusy(f"{self.label} is busy and {self._patience.max_waiting} calls wait for it already")
            waiter = _Waiter(chain)
            self._queue.append(waiter)
            chain.waiting_for = self
            return waiter

    def _undo(self, chain: Chain, held: int) -> None:
        """Take back what entering has done until an error, or an interrupt, ended it."""
        with _graph:
            for waiter in tuple(self._queue):
                if waiter.chain is chain:
                    self._withdraw(waiter)
        let_go(chain, held)

    def leave(self) -> None:
        """Give the turn to whoever has waited longest."""
        # No call to a Python function in here: a chain that has used up the interpreter's stack must still let go.
        with _graph:
            chain = thread_chain.chain
            if self._holders.count(chain) >= chain.held.count(self):
                self._holders.remove(chain)
            chain.held.remove(self)
            if self._queue and len(self._holders) < self._places:
                waiter = self._queue.popleft()
                chain = waiter.chain
                self._holders.append(chain)
                chain.held.append(self)
                chain.waiting_for = None
                waiter.granted = True
                waiter.signal.release()

    def _wait(self, waiter: _Waiter, seconds: float) -> None:
        waiter.signal.acquire(timeout=seconds)
        with _graph:
            withdrawn = self._withdraw(waiter)
            holders = tuple(self._holders) if withdrawn else ()
        if withdrawn:
            shown = "; ".join(map(str, holders[:MAX_SHOWN_HOLDERS])) or "nothing that takes long"
            raise ActorBusy(f"{self.label} was busy for {seconds:g} seconds, the call was given up; it does {shown}")

    def _withdraw(self, waiter: _Waiter) -> bool:
        """Leave the queue; False if the turn was granted before that."""
        if waiter.granted:
            return False
        self._queue.remove(waiter)
        waiter.chain.waiting_for = None
        return True

    def _refuse_endless_wait(self, chain: Chain) -> None:
        """Raise CallRefused if nobody for whom `chain` would wait, at first or second hand, is running."""
        met: list[Chain] = []
        unmet = list(self._holders)
        while unmet:
            other = unmet.pop()
            if other is chain or other in met:
                continue
            if other.waiting_for is None:
                return
            met.append(other)
            unmet.extend(other.waiting_for._holders)
        if not met:
            path = " -> ".join(turn.label for turn in [*chain.held[chain.held.index(self) :], self])
            raise waits_for_itself(self.label, path)
        wanted = [other.waiting_for for other in met]
        own = next((turn for turn in chain.held if turn in wanted), self)
        raise CallRefused(f"{self.label} is waiting for {own.label}, which would wait for it: deadlock")


def let_go(chain: Chain, held: int) -> None:
    """Leave all turns that the calling thread's chain holds but the first `held`: those that an interrupt, such as
    KeyboardInterrupt, kept from being left."""
    while len(chain.held) > held:
        chain.held[-1].leave()


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


def waits_for_itself(label: str, path: str) -> CallRefused:
    """The error of a call that would wait for the very call that makes it; `path` says who waits for whom."""
    return CallRefused(f"{label} is waiting for this very call and cannot be called from within it: {path}")
