"""Lock step: the same calls on several engines, compared after each one.

The first engine is what the others are compared with. Pure engines must give exactly the same: bits, kinds of traps and
of exhaustion, the calls of the host, the contents of memories, tables and globals, and they must run out of fuel at the
same place. A JIT runs the module with its NaNs made canonical, and counts fuel and depth in its own way: as soon as
either runs out of a resource it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from conformance.fuzz.differences import WASMTIME_REFUSES, known
from conformance.lockstep.canonical import canonicalise, has_relaxed
from conformance.lockstep.choices import Choices
from conformance.lockstep.encode import encode
from conformance.lockstep.engines import is_exact
from conformance.lockstep.host import HostCall
from conformance.lockstep.run import Binary, Call, Outcome, Run, State, callable_exports
from interp.binary.modules import decode
from interp.engine import Engine, Limits
from interp.errors import ExhaustionKind, TrapKind
from interp.validation.modules import ValidModule, validate

FUEL = 3_000
DEADLINE_SECONDS = 60.0
CALL_DEPTH = 200
MAX_CALLS = 16
MAX_TIGHT = 6
"""Calls of a module, and of those with little of everything."""

LIMITS = Limits(
    fuel=FUEL, deadline_seconds=DEADLINE_SECONDS, max_memory_pages=64, max_table_elements=10_000,
    max_heap_fields=1_000_000, max_call_depth=CALL_DEPTH,
)  # fmt: skip
INCONCLUSIVE = ("exhaustion", "unsupplied")
"""Outcomes after which an engine that counts in its own way is not compared any further."""

EITHER_TRAP = frozenset({TrapKind.NULL_ARRAY_REFERENCE.value, TrapKind.ARRAY_OUT_OF_BOUNDS.value})
"""Kinds of traps that are the same for a JIT, since array.copy may find both faults: Wasmtime checks the place to copy
to before it looks at the source, the rules of the specification the other way round. There a trap is just a trap."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A module to be run: its bytes, and the seed that calls follow from."""

    wasm: bytes
    seed: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is called, within which limits; whether there is a second instance of the module."""

    calls: tuple[Call, ...]
    limits: Limits = LIMITS
    twins: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two engines differ: after so many calls (-1 for instantiation), in what, and what each gave."""

    engines: tuple[str, str]
    schedule: Schedule
    step: int
    what: str
    left: str
    right: str

    @property
    def call(self) -> Call | None:
        """The call; None for instantiation."""
        return self.schedule.calls[self.step] if self.step >= 0 else None

    def __str__(self) -> str:
        place = "instantiation" if self.call is None else f"call {self.step} of {self.call.name!r}"
        return f"{place}: {self.what}: {self.engines[0]} {self.left}; {self.engines[1]} {self.right}"


def full_schedule(valid: ValidModule, seed: str) -> Schedule:
    """What is run of a module: all its functions several times, in an order and with arguments that follow from the
    seed; now and then on two instances by turns."""
    c = Choices.seeded(seed, "calls")
    names = callable_exports(valid.exports)
    order = names * 2 + [c.pick(names) for _ in range(MAX_CALLS - 2 * len(names))] if names else []
    twins = c.chance(15)
    calls = [Call(name, f"{seed}:{k}", twins and c.chance(50)) for k, name in enumerate(order[:MAX_CALLS])]
    return Schedule(tuple(calls), twins=twins)


def tight_schedules(full: Schedule, used: Sequence[int], seed: str) -> Iterator[Schedule]:
    """The same calls with less: up to a call that takes more fuel than all before it (`used` says what each call took)
    exactly what this one needs, then one unit less; and the first calls with little of everything but the heap, where
    dead objects may count for as long as an engine likes."""
    c = Choices.seeded(seed, "tight")
    if used:
        at = c.pick([x for x, fuel in enumerate(used) if fuel > max(used[:x], default=-1)])
        for fuel in (used[at], used[at] - 1):
            if fuel >= 0:
                yield Schedule(full.calls[: at + 1], replace(full.limits, fuel=fuel), full.twins)
    few = Limits(
        fuel=c.pick((1, 2, 3, 5, 8, 13, 21, 34)), deadline_seconds=DEADLINE_SECONDS, max_memory_pages=2,
        max_table_elements=8, max_heap_fields=LIMITS.max_heap_fields, max_call_depth=c.pick((1, 2, 3, 5, 100)),
    )  # fmt: skip
    yield Schedule(full.calls[:MAX_TIGHT], few)


class Lockstep:
    """Compares engines; the first is the one to compare with. Without `backtraces`, pure engines need not agree on the
    instruction that a trap came from."""

    def __init__(self, engines: Sequence[Engine], *, backtraces: bool = True) -> None:
        self.engines = {engine.name: engine for engine in engines}
        self.backtraces = backtraces

    def difference(self, subject: Subject) -> Difference | None:
        """The first difference in a valid module, if there is one.  Raises Rejected for a module that is not valid."""
        valid = validate(decode(subject.wasm))
        exact = [name for name, engine in self.engines.items() if is_exact(engine)]
        binaries = binaries_of(valid, subject.wasm, self.engines)
        full, used = full_schedule(valid, subject.seed), list[int]()
        found = self.compare(binaries, full, used)
        if found is not None or len(exact) < 2:
            return found
        for schedule in tight_schedules(full, used, subject.seed):
            found = self.compare({name: binaries[name] for name in exact}, schedule)
            if found is not None:
                return found
        return None

    def compare(
        self, binaries: Mapping[str, Binary], schedule: Schedule, used: list[int] | None = None
    ) -> Difference | None:
        """The first difference among engines, each with the module's binary form for it, the one to compare with
        first. `used` gets the fuel that each call took on that one."""
        limits = {True: schedule.limits, False: replace(schedule.limits, fuel=None)}
        runs = {
            name: Run(
                self.engines[name],
                binary,
                limits[is_exact(self.engines[name])],
                twins=schedule.twins,
                backtraces=self.backtraces,
            )
            for name, binary in binaries.items()
        }
        first, *others = runs
        for step in range(-1, len(schedule.calls)):
            mine = outcome_of(runs[first], schedule, step)
            state = runs[first].state()
            if used is not None and step >= 0:
                used.append(runs[first].fuel_used())
            if mine.kind in INCONCLUSIVE:  # without fuel, the others might now run for ever
                others = [other for other in others if is_exact(self.engines[other])]
            for other in list(others):
                theirs = outcome_of(runs[other], schedule, step)
                if not is_exact(self.engines[other]) and is_open(theirs):
                    others.remove(other)
                    continue
                found = differing(runs[first], runs[other], mine, theirs, state)
                if found is not None:
                    return Difference((first, other), schedule, step, *found)
            if not others or (step < 0 and mine.kind != "values") or mine.detail == ExhaustionKind.DEADLINE.value:
                break
        return None


def binaries_of(valid: ValidModule, wasm: bytes, engines: Mapping[str, Engine]) -> dict[str, Binary]:
    """The binary form of a module for each engine that can be compared by it."""
    binaries: dict[str, Binary] = {}
    canonical: Binary | None = None
    for name, engine in engines.items():
        if is_exact(engine):
            binaries[name] = Binary.of(valid, wasm)
        elif not has_relaxed(valid.module):
            canonical = canonical or Binary.of(valid, encode(canonicalise(valid)))
            binaries[name] = canonical
    return binaries


def outcome_of(run: Run, schedule: Schedule, step: int) -> Outcome:
    """Do a step: a call, or -1 for instantiation."""
    return run.instantiate() if step < 0 else run.call(schedule.calls[step])


def is_open(outcome: Outcome) -> bool:
    """Whether an outcome says nothing: a resource ran out, or the engine has a limit that the others have not."""
    return outcome.kind in INCONCLUSIVE or (outcome.kind == "refused" and known(outcome.detail, WASMTIME_REFUSES))


def differing(left: Run, right: Run, one: Outcome, two: Outcome, state: State) -> tuple[str, str, str] | None:
    """What differs after a call: in what, and what each engine gave. `state` is that of the first."""
    if not one.equals(two) and not (not is_exact(right.engine) and {one.detail, two.detail} == EITHER_TRAP):
        return "outcome", str(one), str(two)
    calls, others = left.host_calls(), right.host_calls()
    for k, (mine, theirs) in enumerate(zip(calls, others, strict=False)):
        if mine[0] != theirs[0] or not all(a.equals(b) for a, b in zip(mine[1], theirs[1], strict=True)):
            return f"host call {k}", show_host_call(mine), show_host_call(theirs)
    if len(calls) != len(others):
        return "host calls", str(len(calls)), str(len(others))
    return differing_state(state, right.state())


def show_host_call(call: HostCall) -> str:
    """A call of a host function as text."""
    return f"{call[0]}({', '.join(map(str, call[1]))})"


def differing_state(left: State, right: State) -> tuple[str, str, str] | None:
    """The first difference of two states."""
    for name, mine in left.memories.items():
        theirs = right.memories.get(name, b"")
        if mine != theirs:
            at = next((x for x, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), None)
            if at is None:
                return f"size of memory {name!r}", f"{len(mine)} bytes", f"{len(theirs)} bytes"
            return f"memory {name!r} at {at:#x}", mine[at : at + 16].hex(), theirs[at : at + 16].hex()
    for name, shown in left.others.items():
        others = right.others.get(name, ())
        for k, (a, b) in enumerate(zip(shown, others, strict=False)):
            if not a.equals(b):
                return f"{name!r}[{k}]", str(a), str(b)
        if len(shown) != len(others):
            return repr(name), f"{len(shown)} values", f"{len(others)} values"
    return None
