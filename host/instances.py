"""The instances of an actor: made when calls need them, given to one call at a time, and replaced when one fails.

An instance whose call was ended by a trap, a limit or an interrupt is not used again: what it has in memory may be half
done. Where new instances fail in their first call again and again, the next one is made after a while only, so that an
actor that cannot work does not take the whole machine.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from host.actor import Actor
from host.entities import Entity
from host.errors import ActorBusy, NoSuchActor
from host.logs import log, printable, sparing
from interp.engine import Engine, Limits, Module
from interp.errors import Rejected
from wapc import InitFailed, WapcHost
from wapc.console import ConsoleLog

FIRST_DELAY, MAX_DELAY = 0.02, 5.0
"""Seconds before an instance is made after the second failure in a row, doubled with each further one, up to the
greatest."""
TOLERATED_FAILURES = 1
"""So many failures in a row are followed by a new instance at once."""
MAX_REASON = 300
"""How many characters of the reason of a failure are kept."""

HostCall = Callable[["Instance", str, str, str, bytes], bytes]


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One instance: its number, counted for the actor from 1; whether a call runs on it; the calls it has taken; the
    size of its memory in bytes, None while it is busy."""

    number: int
    busy: bool
    calls: int
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Supervision:
    """What an actor's instances have been through: how many were replaced after a failure, the reason of the last one
    and when that was (seconds since 1970), how many have failed in a row in their first call, and for how many more
    seconds no new one is made."""

    replaced: int
    last_failure: str | None
    last_failure_at: float | None
    failures_in_a_row: int
    backing_off_seconds: float


class Instance:
    """An instance of an actor's module, and the rights of the token that the module came with. Raises InitFailed."""

    def __init__(
        self, number: int, generation: Generation, engine: Engine, limits: Limits, console_log: ConsoleLog
    ) -> None:
        self.number = number
        self.generation = generation
        self.calls = 0
        self.busy = False
        self.slowest_call: tuple[float, str, Entity] | None = None
        """Of the call under way: how long its longest host call took (seconds), and what that was."""
        self._guest = WapcHost(engine, generation.module, self._host_call, limits=limits, console_log=console_log)

    def _host_call(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        return self.generation.host_call(self, binding, namespace, operation, payload)

    @property
    def actor(self) -> Actor:
        """What it runs."""
        return self.generation.actor

    @property
    def sound(self) -> bool:
        """Whether it may take another call."""
        return self._guest.sound

    def call(self, operation: str, payload: bytes) -> bytes:
        """Have the guest carry out an operation. Raises WapcError."""
        self.calls += 1
        self.slowest_call = None
        return self._guest.call(operation, payload)

    def close(self) -> None:
        """Give it up."""
        self._guest.close()

    @property
    def state(self) -> InstanceState:
        """What it does now."""
        return InstanceState(self.number, self.busy, self.calls, None if self.busy else self._guest.memory_size)


class Generation:
    """A module of an actor, compiled once for all its instances: a live update begins another one."""

    def __init__(self, actor: Actor, module: Module, host_call: HostCall) -> None:
        self.actor = actor
        self.module = module
        self.host_call = host_call
        self.idle: list[Instance] = []


class Instances:
    """The instances of one actor: those of the module it runs now, and of former ones whose calls are not done yet.

    How many are busy at a time, the caller of `take` sees to. Raises InitFailed, of the first instance.
    """

    def __init__(
        self, engine: Engine, limits: Limits, actor: Actor, host_call: HostCall, console_log: ConsoleLog
    ) -> None:
        self._engine = engine
        self._limits = limits
        self._host_call = host_call
        self._console_log = console_log
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._numbers = itertools.count(1)
        self._alive: dict[int, Instance] = {}
        self._failures = 0
        self._replaced = 0
        self._last_failure: tuple[str, float] | None = None
        self._not_before = 0.0
        self._generation: Generation | None = self._begin(actor)

    def _begin(self, actor: Actor) -> Generation:
        """A generation with a first instance that has started."""
        try:
            module = self._engine.compile(actor.wasm)
        except Rejected as error:
            raise InitFailed(str(error)) from error
        generation = Generation(actor, module, self._host_call)
        generation.idle.append(self._make(generation, busy=False))
        return generation

    @property
    def actor(self) -> Actor | None:
        """What runs now, None after `close`."""
        generation = self._generation
        return generation.actor if generation else None

    def replace(self, actor: Actor) -> None:
        """Give new calls to instances of another module; calls under way finish on those they have.

        Raises InitFailed: the first one has not started, everything is as it was. NoSuchActor after `close`.
        """
        generation = self._begin(actor)
        with self._lock:
            former, is_closed = self._generation, self._generation is None
            if not is_closed:
                self._generation = generation
                self._failures, self._not_before = 0, 0.0
                self._changed.notify_all()
        self._end(generation if former is None else former)
        if is_closed:
            raise no_such_actor()

    def take(self, seconds: float) -> Instance:
        """An instance for one call, to be given back. Where new ones keep failing, it takes a while: `seconds` at most.

        Raises InitFailed, NoSuchActor (after `close`), ActorBusy (so long that it was not worth waiting for).
        """
        with self._lock:
            generation = self._current()
            if generation.idle:
                instance = generation.idle.pop()
                instance.busy = True
                return instance
            generation = self._back_off(seconds)
        try:
            return self._make(generation, busy=True)
        except InitFailed as error:
            self._note_failure(generation, str(error), in_first_call=True)
            raise

    def give_back(self, instance: Instance, failure: BaseException | None) -> None:
        """End the call for which an instance was taken; `failure` is what ended it, None if the guest answered."""
        # Where an interrupt such as KeyboardInterrupt came, even what says that it is sound may be half done.
        is_sound = instance.sound and (failure is None or isinstance(failure, Exception))
        with self._lock:
            instance.busy = False
            if is_sound and instance.generation is self._generation:
                self._failures = 0
                instance.generation.idle.append(instance)
                return
            self._alive.pop(instance.number, None)
        _close(instance)
        if not is_sound:
            reason = "it was ended" if failure is None else str(failure) or type(failure).__name__
            self._note_failure(instance.generation, reason, in_first_call=instance.calls == 1)
            facts = (instance.number, *map(printable, (instance.actor.public_key, reason)))
            sparing.log(logging.WARNING, "Instance %d of actor %s is replaced: %s", *facts)

    def close(self) -> None:
        """Take no more calls; instances that are busy end with their calls."""
        with self._lock:
            former, self._generation = self._generation, None
            self._changed.notify_all()
        if former is not None:
            self._end(former)

    @property
    def states(self) -> tuple[InstanceState, ...]:
        """What each instance does now, in the order in which they were made."""
        with self._lock:
            return tuple(self._alive[number].state for number in sorted(self._alive))

    @property
    def supervision(self) -> Supervision:
        """What the instances have been through."""
        with self._lock:
            reason, when = self._last_failure or (None, None)
            delay = max(0.0, self._not_before - time.monotonic())
            return Supervision(self._replaced, reason, when, self._failures, delay)

    def _current(self) -> Generation:
        if self._generation is None:
            raise no_such_actor()
        return self._generation

    def _back_off(self, seconds: float) -> Generation:
        """Wait until a new instance may be made; for which generation."""
        end = time.monotonic() + seconds
        while (delay := self._not_before - time.monotonic()) > 0:
            if self._not_before > end:
                raise ActorBusy(f"new instances fail again and again; none is made for {delay:.1f} seconds")
            self._changed.wait(delay)
            self._current()
        return self._current()

    def _make(self, generation: Generation, busy: bool) -> Instance:
        number = next(self._numbers)
        instance = Instance(number, generation, self._engine, self._limits, self._console_log)
        instance.busy = busy
        with self._lock:
            self._alive[number] = instance
        return instance

    def _note_failure(self, generation: Generation, reason: str, in_first_call: bool) -> None:
        with self._lock:
            self._replaced += 1
            self._last_failure = printable(reason)[:MAX_REASON], time.time()
            if generation is not self._generation:
                # What a former module does says nothing of the one that runs now.
                return
            self._failures = self._failures + 1 if in_first_call else 0
            excess = self._failures - TOLERATED_FAILURES
            if excess > 0:
                # A shift by more than the exponent would need only makes a number that nobody needs.
                self._not_before = time.monotonic() + min(MAX_DELAY, FIRST_DELAY * 2 ** min(excess - 1, 16))

    def _end(self, generation: Generation) -> None:
        """Close the idle instances of a generation that is not the current one."""
        with self._lock:
            idle, generation.idle = generation.idle, []
            for instance in idle:
                self._alive.pop(instance.number, None)
        for instance in idle:
            _close(instance)


def _close(instance: Instance) -> None:
    try:
        instance.close()
    except Exception as error:
        key = instance.actor.public_key
        log.warning("An instance of actor %s: %s", printable(key), printable(str(error)), extra={"actor": key})


def no_such_actor() -> NoSuchActor:
    """The error of a public key that no running actor has."""
    return NoSuchActor("No such actor")
