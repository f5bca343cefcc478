"""Limits of the compiled engine: ticks that cost next to nothing, and the depth of Python's stack.

Spec: appendix/implementation#execution-limits
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain, repeat
from threading import Lock, local
from typing import Any

from interp.errors import Exhaustion, ExhaustionKind
from interp.execution.meter import MAX_REENTRY, Meter

SLACK = 200
"""Frames that functions called by code may need beyond those of code itself."""


class Ticks:
    """Ticks as an iterator without end: each element that is taken, True, is a unit of fuel. The elements of a slice
    come from `repeat`, and only between slices the meter is asked.

    Taking one raises Exhaustion(FUEL | DEADLINE) where that is due, and may be tried again, for a host function may
    have caught the error.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.namespaces: list[dict[str, Any]] = []
        self.ticks: Iterator[bool] = chain.from_iterable(self)

    def attach(self, namespace: dict[str, Any]) -> None:
        """Give code the iterator, which is a new one for each outermost call."""
        namespace["next_pc"] = self.next_pc
        namespace["T"] = self.ticks
        self.namespaces.append(namespace)

    def begin(self) -> None:
        """An outermost call begins."""
        self.ticks = chain.from_iterable(self)
        for namespace in self.namespaces:
            namespace["T"] = self.ticks

    def __iter__(self) -> Ticks:
        return self

    def __next__(self) -> Iterator[bool]:
        """The next slice. It never raises, since `chain` would drop what raises here."""
        try:
            return repeat(True, self.refill())
        except Exhaustion:
            return Refused(self)

    def refill(self) -> int:
        """How many ticks there are in the next slice.  Raises Exhaustion(FUEL | DEADLINE)."""
        meter = self.meter
        if meter.fuel is not None:
            meter.fuel += meter.entered
        meter.entered = 0
        meter.refill()
        return meter.budget

    def next_pc(self, pc: int) -> int:
        """Take a tick on the way to a block of a state machine."""
        next(self.ticks)
        return pc


class Refused(Iterator[bool]):
    """A slice that there is none of; every tick asks again."""

    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks
        self.left = 0

    def __next__(self) -> bool:
        if self.left == 0:
            self.left = self.ticks.refill()
        self.left -= 1
        return True


class Level(local):
    """How many stores are active in this thread."""

    level = 0


class Stack:
    """The limit of Python's stack, which is raised while code runs, for all threads at once."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.needs: dict[int, int] = {}
        self.usual = 0
        self.keys = 0
        self.local = Level()

    def enter(self, frames: int) -> int:
        """So many frames more are needed from here on; what `leave` takes.

        Raises Exhaustion(CALL_STACK) if too many stores are active in this thread, each called by a host function of
        the one before: that takes the stack of C, which nobody measures.
        """
        level = self.local.level
        if level >= MAX_REENTRY:
            raise Exhaustion(ExhaustionKind.CALL_STACK)
        self.local.level = level + 1
        need = frames
        here: Any = sys._getframe()
        while here is not None:
            need += 1
            here = here.f_back
        with self.lock:
            if not self.needs:
                self.usual = sys.getrecursionlimit()
            key = self.keys = self.keys + 1
            self.needs[key] = need
            self.set_limit()
        return key

    def leave(self, key: int) -> None:
        """The frames are needed no longer."""
        self.local.level -= 1
        with self.lock:
            del self.needs[key]
            self.set_limit()

    def set_limit(self) -> None:
        """Let Python's limit be what all of them need."""
        limit = self.usual
        for need in self.needs.values():
            limit = max(limit, need)
        sys.setrecursionlimit(limit)


STACK = Stack()
