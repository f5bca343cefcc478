"""A computation that can go back: checkpoints of the configuration, what undoes the changes of the store since each of
them, and what host functions answered.

Going back to a step restores the last checkpoint before it and takes the steps from there again. They are the same,
since the machine has no choice and host functions are not called twice: what they gave and changed is recorded.

What is kept is limited. Checkpoints are the thinner the further back they lie (MAX_CHECKPOINTS); beyond MAX_COST bytes
the oldest are forgotten, and `floor` is then the first step that can be gone back to. That is also so where a host
function returned a structure, array or exception: taken again, the steps before would make others in its place.
Spec: exec/runtime#configurations
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from time import monotonic
from typing import Any, NamedTuple

from interp.errors import ExecutionError, Exhaustion, ExhaustionKind
from interp.execution.meter import Meter
from interp.execution.places import Place, read_place
from interp.execution.runtime import FuncInst, HeapObject, MemInst
from interp.reference.configuration import Config, Context
from interp.reference.observe import MAX_CAPTURED, Change, ObservedConfig, Observer, Stop, written
from interp.reference.undo import COST_OF_ITEM, Undo

MAX_CHECKPOINTS = 64
MAX_COST = 256 << 20
"""Bytes, about, that all that is kept may take."""

INTERVAL = 2000
"""Steps between two checkpoints, at least; more where a configuration is large."""

STEPS_PER_CELL = 4
COST_OF_CELL = 64
"""Bytes, about, of an operand, local or context in a checkpoint."""

MAX_HOST_CHANGES = 16
"""Places changed by one call of the host that are shown."""


FIELDS: dict[type[Any], tuple[str, ...]] = {}
"""The names of the fields of records that were copied."""


def copy_record(record: Any) -> Any:
    """A record with the same contents; its lists are copied too."""
    copied = object.__new__(type(record))
    names = FIELDS.get(type(record))
    if names is None:
        names = FIELDS[type(record)] = tuple([field.name for field in fields(record)])
    for name in names:
        value = getattr(record, name)
        setattr(copied, name, value[:] if type(value) is list else value)
    return copied


def copy_contexts(contexts: Sequence[Context]) -> list[Context]:
    """The contexts of a configuration, independent of it; those of one frame share one frame again."""
    copied: list[Context] = []
    frame, own = None, None
    for ctx in contexts:
        if ctx.frame is not frame:
            frame, own = ctx.frame, copy_record(ctx.frame)
        new = copy_record(ctx)
        new.frame = own
        copied.append(new)
    return copied


def cells(contexts: Sequence[Context]) -> int:
    """How large a configuration is: its contexts, operands, locals."""
    return sum(4 + len(ctx.vals) + (len(ctx.frame.locals) if ctx.kind == "frame" else 0) for ctx in contexts)


class Event(NamedTuple):
    """A call of the host: what it gave, what it left in the places that it changed, the meter afterwards, and the
    changes to be shown."""

    results: tuple[Any, ...]
    redo: tuple[tuple[Place, Any], ...]
    counters: dict[str, Any]
    changes: tuple[Change, ...]
    cost: int


@dataclass(slots=True, eq=False)
class Checkpoint:
    """The configuration after `index` steps. `undo` takes the store back to then; `event` counts the calls of the host
    until then; `cost` is the size of the copy in bytes, about."""

    index: int
    contexts: list[Context]
    ended: tuple[Any, Any, Any]
    counters: dict[str, Any]
    event: int
    cost: int
    undo: Undo


class HostJournal:
    """Told of every place that a call of the host overwrites. Implements `interp.execution.places.Watcher`."""

    def __init__(self, undo: Undo) -> None:
        self.undo = undo
        self.places: dict[Place, None] = {}
        self.old: list[tuple[Place, Any]] = []

    def before(self, place: Place) -> None:
        """The place is about to be overwritten."""
        self.undo.before(place)
        if place not in self.places:
            self.places[place] = None
            if len(self.old) < MAX_HOST_CHANGES:
                self.old.append((place, read_place(place, MAX_CAPTURED)))

    def redo(self) -> Iterator[tuple[Place, Any]]:
        """What stands in each place now; of a memory that grew, its length."""
        for place in self.places:
            owner, _, _, stop = place
            yield place, len(owner.bytes) if stop is None and isinstance(owner, MemInst) else read_place(place)


def write_place(place: Place, new: Any) -> None:
    """Do again what `HostJournal.redo` told."""
    owner, attribute, start, stop = place
    sequence = getattr(owner, attribute)
    if start is None:
        setattr(owner, attribute, new)
    elif stop is None and isinstance(owner, MemInst):
        sequence.extend(bytes(new - len(sequence)))
    else:
        sequence[start : start + len(new)] = new


def cost_of(value: Any) -> int:
    """Bytes, about, of what is recorded."""
    return COST_OF_ITEM + (
        len(value) if isinstance(value, bytes) else 8 * len(value) if isinstance(value, tuple) else 0
    )


def has_objects(value: Any) -> bool:
    """Whether there is a structure, array or exception in what is recorded."""
    return isinstance(value, HeapObject) or (isinstance(value, tuple) and any(map(has_objects, value)))


class History:
    """The steps of a configuration, which must be at its start.

    `index` counts the steps taken to where it stands now, `frontier` is the farthest that it has been. `interrupted`
    may be set at any time, from anywhere, to make `run` return; `calling_host` tells whether a host function runs, and
    `called` which one ran last.
    """

    def __init__(self, config: ObservedConfig) -> None:
        self.config = config
        self.meter: Meter = config.meter
        self.observer = Observer(config, Undo())
        self.frontier = 0
        self.interrupted = False
        self.calling_host = False
        self.cut = False
        self.called: FuncInst | None = None
        self.events: list[Event] = []
        self.forgotten_events = 0
        self.event = 0
        self.cost_of_events = 0
        self.checkpoints: list[Checkpoint] = []
        limits = self.meter.limits
        self.seconds = limits.deadline_seconds
        self.counters: dict[str, Any] = {"budget": 0, "depth": 0, "fuel": limits.fuel, "reentry": 1, "slots": 0}
        config.host = self.call_host
        with self.metered():
            self.add_checkpoint()

    @property
    def index(self) -> int:
        """Steps taken so far."""
        return self.observer.steps

    @property
    def floor(self) -> int:
        """The first step that can be gone back to."""
        return self.checkpoints[0].index

    @contextmanager
    def metered(self) -> Iterator[None]:
        """Inside, the meter of the store counts for this computation."""
        meter = self.meter
        others = {name: getattr(meter, name) for name in (*self.counters, "deadline")}
        for name, value in self.counters.items():
            setattr(meter, name, value)
        meter.deadline = None
        try:
            yield
        finally:
            self.counters = {name: getattr(meter, name) for name in self.counters}
            for name, value in others.items():
                setattr(meter, name, value)

    def run(self, limit: int, stop: Stop | None = None, offsets: frozenset[int] = frozenset()) -> bool:
        """Take up to `limit` steps; False once no rule applies any more. See `Observer.run`.

        Raises what a step raises, and is then where it was before that step.
        """
        after = self.index

        def part(size: int) -> bool:
            return self.observer.run(size, stop, offsets, after)

        return self.take(limit, part, offsets)

    def capture(self, limit: int, log: list[Any], offsets: frozenset[int] = frozenset()) -> bool:
        """As `run`, but without stopping on the way; what each step did goes to `log`. See `Observer.capture`."""
        return self.take(limit, lambda size: self.observer.capture(size, log), offsets)

    def take(self, limit: int, part: Callable[[int], bool], offsets: frozenset[int] = frozenset()) -> bool:
        """Take up to `limit` steps in parts, with checkpoints between them."""
        start, end, more = self.index, self.index + limit, True
        self.observer.stopped = False
        with self.metered():
            while more and self.index < end and not self.interrupted and not self.observer.stopped:
                more = self.take_part(end, part)
            if offsets and more and self.index > start and self.config.is_at(offsets):
                self.observer.stopped = True
            self.config.settle()
        return more

    def take_part(self, end: int, part: Callable[[int], bool]) -> bool:
        """Take steps up to the next checkpoint, or to where something else is to be looked after."""
        live = self.index >= self.frontier
        size = min(end, self.next_checkpoint, end if live else self.frontier) - self.index
        started = monotonic()
        if live and self.seconds is not None:
            self.meter.deadline = started + self.seconds
        try:
            more = part(max(size, 1))
        except BaseException as error:
            if isinstance(error, ExecutionError):
                self.config.locate(error)
            self.meter.deadline = None
            self.recover()
            if not isinstance(error, Exhaustion) or error.what is not ExhaustionKind.HEAP or len(self.checkpoints) == 1:
                raise
            # What is kept to go back keeps objects alive that the computation itself has dropped.
            self.forget(len(self.checkpoints) - 1)
            return True
        finally:
            self.meter.deadline = None
            if live and self.seconds is not None:
                self.seconds = max(0.0, self.seconds - (monotonic() - started))
            self.frontier = max(self.frontier, self.index)
        if (self.cut or self.index >= self.next_checkpoint) and not self.config.is_between():
            self.add_checkpoint()
            if self.cut:
                self.forget(len(self.checkpoints) - 1)
                self.cut = False
        return more

    @property
    def next_checkpoint(self) -> int:
        """After how many steps the next checkpoint is due."""
        last = self.checkpoints[-1]
        return last.index + max(INTERVAL, STEPS_PER_CELL * last.cost // COST_OF_CELL)

    def add_checkpoint(self) -> None:
        """Keep the configuration as it is now."""
        c, undo = self.config, Undo()
        ended = (c.ended, c.thrown, c.thrown_at)
        contexts, cost = copy_contexts(c.contexts), cells(c.contexts) * COST_OF_CELL
        self.checkpoints.append(Checkpoint(self.index, contexts, ended, self.count(), self.event, cost, undo))
        self.observer.watcher = undo
        self.thin()

    def count(self) -> dict[str, Any]:
        """The counters of the meter, and the addresses that come next, as they are now."""
        counters = {name: getattr(self.meter, name) for name in self.counters}
        return {**counters, "addresses": list(self.meter.addresses)}

    def set_counters(self, counters: dict[str, Any]) -> None:
        """Have the meter count on from there."""
        for name, value in counters.items():
            setattr(self.meter, name, list(value) if isinstance(value, list) else value)

    def thin(self) -> None:
        """Keep no more than is allowed."""
        while len(self.checkpoints) > MAX_CHECKPOINTS:
            self.drop(self.least_missed())
        while self.cost() > MAX_COST and len(self.checkpoints) > 1:
            if len(self.checkpoints) > 8:
                self.drop(self.least_missed())
            else:
                self.forget(1)

    def cost(self) -> int:
        """Bytes, about, of all that is kept."""
        return self.cost_of_events + sum(checkpoint.cost + checkpoint.undo.cost for checkpoint in self.checkpoints)

    def least_missed(self) -> int:
        """The checkpoint whose absence leaves the smallest gap, in relation to how far back it lies."""
        indices = [checkpoint.index for checkpoint in self.checkpoints]
        return min(
            range(1, len(indices) - 1),
            key=lambda i: (indices[i + 1] - indices[i - 1]) / (self.index - indices[i] + INTERVAL),
        )

    def drop(self, position: int) -> None:
        """Do without a checkpoint in between."""
        self.checkpoints[position - 1].undo.absorb(self.checkpoints[position].undo)
        del self.checkpoints[position]

    def forget(self, count: int) -> None:
        """Forget the first checkpoints, and with them what came before the next one."""
        del self.checkpoints[:count]
        count = self.checkpoints[0].event - self.forgotten_events
        self.cost_of_events -= sum(event.cost for event in self.events[:count])
        del self.events[:count]
        self.forgotten_events += count

    def restore(self, index: int) -> None:
        """Go to the last checkpoint that is not after `index`; those after it are gone."""
        while self.checkpoints[-1].index > index and len(self.checkpoints) > 1:
            self.checkpoints.pop().undo.apply()
        last = self.checkpoints[-1]
        last.undo.apply()
        last.undo = self.observer.watcher = Undo()
        c = self.config
        c.contexts[:] = copy_contexts(last.contexts)
        c.ctx = c.contexts[-1]
        c.vals, c.frame, c.carried = c.ctx.vals, c.ctx.frame, None
        c.ended, c.thrown, c.thrown_at = last.ended
        self.set_counters(last.counters)
        self.event = last.event
        self.observer.steps = last.index

    def recover(self) -> None:
        """Go to where the step began that just failed."""
        index = self.index
        self.restore(index)
        while self.index < index:
            self.observer.run(index - self.index)

    def back_to(self, index: int) -> None:
        """Go back to where `index` steps were taken, not before `floor`."""
        index = max(index, self.floor)
        if index < self.index:
            with self.metered():
                self.restore(index)
            self.run(index - self.index)

    def checkpoint_before(self, index: int) -> int:
        """The last checkpoint before `index`, or the first one of all."""
        return max(
            (checkpoint.index for checkpoint in self.checkpoints if checkpoint.index < index), default=self.floor
        )

    def call_host(self, func: FuncInst, args: Sequence[Any]) -> Sequence[Any]:
        """The results of a host function: those recorded, or the function is called and they are recorded."""
        self.called = func
        if self.event < self.forgotten_events + len(self.events):
            event = self.events[self.event - self.forgotten_events]
            self.event += 1
            for place, new in event.redo:
                self.observer.watcher.before(place)
                write_place(place, new)
            self.set_counters(event.counters)
            self.observer.host_changes = event.changes
            return event.results
        return self.call_live(func, args)

    def call_live(self, func: FuncInst, args: Sequence[Any]) -> Sequence[Any]:
        """Call a host function, and record what it gives and changes."""
        store = self.config.store
        journal, outer = HostJournal(self.checkpoints[-1].undo), store.watcher
        store.watcher, self.calling_host = journal, True
        try:
            results = tuple(Config.call_host(self.config, func, args))
        finally:
            store.watcher, self.calling_host = outer, False
        redo = tuple(journal.redo())
        changes = tuple(written(place, old) for place, old in journal.old)
        cost = cost_of(results) + sum(cost_of(new) for _, new in redo)
        self.events.append(Event(results, redo, self.count(), changes, cost))
        self.event += 1
        self.cost_of_events += cost
        # Steps taken again would make other objects than those which the host has.
        if has_objects(results) or has_objects(redo):
            self.cut = True
            self.observer.end = 0
        self.observer.host_changes = changes
        return results
