"""What a computation may still use: fuel, time and depth of calls, shared by the pure engines.

The pure engines call `tick` at each function entry and each taken backward branch, so nothing can run for long between
two ticks. The clock is read only every `SLICE` ticks. Fuel and deadline start anew with each outermost call.

Spec: appendix/implementation#execution-limits
"""

from __future__ import annotations

from gc import collect
from time import monotonic
from typing import TYPE_CHECKING

from interp.errors import Exhaustion, ExhaustionKind

if TYPE_CHECKING:
    from interp.engine import Limits

SLICE = 500
"""Ticks between two looks at the clock."""

BULK = 65536
"""Bytes or elements that are moved without a look at the clock."""

MAX_REENTRY = 32
"""Host functions that may be active at once, each having called into the store again: every one of them takes frames
of the Python interpreter, whose number is limited too."""

LEAST_RECLAIMED = 32
"""One in so many of the fields allowed must have been free after dead objects were reclaimed, before that is tried
again during the same computation."""

SLOTS_PER_CALL = 100
"""Locals and waiting operands of all active functions together, as a multiple of the greatest call depth."""


class Meter:
    """The counters of one store. `depth` counts active calls, `slots` their locals and waiting operands, `reentry`
    nested invocations, `heap` the objects that structure, array and exception instructions made, each with its fields,
    while they live; `entered` the loops that were entered by taking a tick, which is given back; `moved` bytes and
    elements since the last look at the clock, `reclaimed_to` what `heap` was after Python had last been asked to
    reclaim objects; `addresses` are the next addresses of structures, arrays, exceptions."""

    __slots__ = (
        "addresses",
        "budget",
        "deadline",
        "depth",
        "entered",
        "fuel",
        "heap",
        "limits",
        "max_slots",
        "moved",
        "reclaimed_to",
        "reentry",
        "slots",
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.addresses = [0, 0, 0]
        self.max_slots = limits.max_call_depth * SLOTS_PER_CALL
        self.depth = 0
        self.heap = 0
        self.moved = 0
        self.reclaimed_to = 0
        self.slots = 0
        self.reentry = 0
        self.budget = 0
        self.entered = 0
        self.fuel: int | None = None
        self.deadline: float | None = None

    def enter(self) -> None:
        """An invocation from outside begins; whoever calls this sets `reentry` back at its end, whatever happens.

        Raises Exhaustion(CALL_STACK).
        """
        if self.reentry == 0:
            seconds = self.limits.deadline_seconds
            self.deadline = None if seconds is None else monotonic() + seconds
            self.fuel = self.limits.fuel
            self.budget = 0
            self.entered = 0
        elif self.reentry >= MAX_REENTRY:
            raise Exhaustion(ExhaustionKind.CALL_STACK)
        self.reentry += 1

    def tick(self) -> None:
        """One unit of fuel is used. Raises Exhaustion(FUEL | DEADLINE)."""
        if self.budget == 0:
            self.refill()
        self.budget -= 1

    def bulk(self, n: int) -> None:
        """So many bytes or elements are moved or made at once, which takes time. Raises Exhaustion(DEADLINE)."""
        self.moved += n
        if self.moved >= BULK:
            self.moved = 0
            self.check_deadline()

    def check_deadline(self) -> None:
        """Raises Exhaustion(DEADLINE) if the time is over."""
        if self.deadline is not None and monotonic() > self.deadline:
            raise Exhaustion(ExhaustionKind.DEADLINE)

    def refill(self) -> None:
        """Take the next slice of ticks from the fuel, if the time is not over."""
        self.check_deadline()
        if self.fuel is None:
            self.budget = SLICE
            return
        if self.fuel <= 0:
            raise Exhaustion(ExhaustionKind.FUEL)
        self.budget = min(SLICE, self.fuel)
        self.fuel -= self.budget

    def push(self, locals_: int) -> None:
        """A function is entered that has so many locals. Raises Exhaustion."""
        self.tick()
        self.depth += 1
        self.slots += locals_
        if self.depth > self.limits.max_call_depth or self.slots > self.max_slots:
            raise Exhaustion(ExhaustionKind.CALL_STACK)

    def allocate(self, fields: int) -> None:
        """An object with so many fields begins to live. Raises Exhaustion(HEAP)."""
        self.heap += fields
        if self.heap > self.limits.max_heap_fields:
            self.reclaim(0)

    def check_heap(self, fields: int) -> None:
        """So many fields are about to be made. Raises Exhaustion(HEAP) if there is no room for them, or DEADLINE."""
        self.bulk(fields)
        if self.heap + fields > self.limits.max_heap_fields:
            self.reclaim(fields)

    def reclaim(self, fields: int) -> None:
        """Let Python reclaim objects that only refer to each other. Raises Exhaustion(HEAP) if there still is no room
        for so many fields more, or if the last time left so little room that doing it again and again would take all
        the time."""
        limit = self.limits.max_heap_fields
        worthwhile = (limit - self.reclaimed_to) * LEAST_RECLAIMED >= limit
        if worthwhile and fields <= limit:
            collect()
            self.reclaimed_to = self.heap
        if not worthwhile or self.heap + fields > limit:
            self.reclaimed_to = 0
            raise Exhaustion(ExhaustionKind.HEAP)

    def pop(self, locals_: int) -> None:
        """A function is left."""
        self.depth -= 1
        self.slots -= locals_


ROOM_AFTER_RECURSION = 50
"""Python frames that are free again after a recursion of the host's own was unwound."""


def has_headroom(frames: int = ROOM_AFTER_RECURSION) -> bool:
    """Whether Python can nest so many more frames. If not, a RecursionError came from hosts and guests calling each
    other; if so, it is a host function's own."""
    try:
        nest(frames)
    except RecursionError:
        return False
    return True


def nest(frames: int) -> None:
    """Raises RecursionError unless Python can nest so many more frames."""
    if frames:
        nest(frames - 1)
