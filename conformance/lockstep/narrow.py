"""Narrowing down: from a difference to few calls, a small module, and the first instruction whose effect differs."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from conformance.lockstep.compare import Difference, Lockstep, Schedule, binaries_of
from conformance.lockstep.findings import Finding
from conformance.lockstep.reduce import Reducer
from conformance.lockstep.trace import first_difference
from interp.binary.modules import decode
from interp.errors import WasmError
from interp.validation.modules import validate

MARKS = ("error:", "exhaustion:", "refused:")
"""Beginnings of outcomes that make a difference of another kind: reduction must not go from one to the other."""

DEADLINE_SECONDS = 2.0
"""What a call of a changed module may take: code that goes wrong may run for ever."""

NUMBERS = re.compile("[0-9]+")


def marks(difference: Difference) -> list[str]:
    """What kind a difference is of: of errors, the text without numbers."""
    sides = (difference.left, difference.right)
    return [NUMBERS.sub("", side) if side.startswith(MARKS) else "" for side in sides]


def impatient(schedule: Schedule) -> Schedule:
    """The schedule with little time for each call."""
    return replace(schedule, limits=replace(schedule.limits, deadline_seconds=DEADLINE_SECONDS))


class Narrowing:
    """Runs a difference's two engines again, with other modules and calls."""

    def __init__(self, lockstep: Lockstep, difference: Difference) -> None:
        self._lockstep = lockstep
        self._engines = {name: lockstep.engines[name] for name in difference.engines}
        self._marks = marks(difference)

    def again(self, wasm: bytes, schedule: Schedule) -> Difference | None:
        """The difference that a module and calls show, if it is of the same kind."""
        binaries = binaries_of(validate(decode(wasm)), wasm, self._engines)
        if len(binaries) < len(self._engines):
            return None
        found = self._lockstep.compare(binaries, impatient(schedule))
        return found if found is not None and marks(found) == self._marks else None

    def fewer_calls(self, wasm: bytes, difference: Difference) -> Difference:
        """The difference with as few calls as are needed before it."""
        calls = difference.schedule.calls[: difference.step + 1]
        alone = replace(difference.schedule, calls=tuple([replace(call, twin=False) for call in calls]), twins=False)
        for candidate in (
            replace(alone, calls=alone.calls[-1:]),
            alone,
            replace(difference.schedule, calls=calls[-1:]),
            replace(difference.schedule, calls=calls),
        ):
            found = self.again(wasm, candidate)
            if found is not None:
                difference = found
                break
        schedule = difference.schedule
        at = 0
        while at < difference.step:
            kept = difference.schedule.calls[: difference.step + 1]
            found = self.again(wasm, replace(schedule, calls=kept[:at] + kept[at + 1 :]))
            if found is None:
                at += 1
            else:
                difference = found
        return difference

    def place(self, wasm: bytes, difference: Difference) -> tuple[str, ...] | None:
        """The first instruction whose effect differs; None if that cannot be told."""
        try:
            return first_difference(self._engines, wasm, impatient(difference.schedule), difference.step)
        except (WasmError, ValueError):
            return None


def narrowed(lockstep: Lockstep, finding: Finding, seconds: float) -> Finding:
    """The finding with a reduced module and the place of the difference, as far as they can be had in about so many
    seconds."""
    difference = finding.difference
    if difference is None:
        return finding
    started = time.monotonic()
    narrowing = Narrowing(lockstep, difference)
    if narrowing.again(finding.wasm, difference.schedule) is None:
        return replace(finding, place=("the difference did not come again",))
    difference = narrowing.fewer_calls(finding.wasm, difference)
    first_place = narrowing.place(finding.wasm, difference)
    schedule = difference.schedule
    left = seconds - (time.monotonic() - started)
    reduced = Reducer(finding.wasm, lambda wasm: narrowing.again(wasm, schedule) is not None, left).run()
    difference = narrowing.again(reduced, schedule) or difference
    place = narrowing.place(reduced, difference)
    if place is None and first_place is not None:
        place = ("in the module as it was before it was reduced:", *first_place)
    return replace(finding, difference=difference, reduced=reduced, place=place or VANISHED)


VANISHED = ("the difference vanishes when the host is told of every instruction: only the reduced module shows it",)
