"""What has changed from one report to another, beyond noise.

Two runs are not interleaved: the machine may be slower in one of them, or for a while. So the subjects that cannot have
changed, Python by hand and peers of the same version, are the control of those benchmarks in which they take part, and
all together of the others. What they have changed by is taken out of every other change, and what they differ among
each other is noise: a smaller change is none, nor is one whose intervals overlap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.estimates import percentile
from benchmarks.report import Report
from benchmarks.subjects.registry import BY_HAND, PEERS, family
from benchmarks.summary import Name, Row, Unit, rows

Key = tuple[Name, str, str, str]
"""Benchmark, group, quantity, subject."""

MIN_NOISE, UNCONTROLLED_NOISE = 1.03, 1.10
"""A smaller factor is noise: where there is a control, and where there is none."""

NOISE_SHARE = 0.9
"""The share of the controls whose differences are noise; what differs more happened to them alone."""

MIN_CONTROLS = 5


@dataclass(frozen=True, slots=True)
class Control:
    """What the subjects that cannot have changed show: `count` rows of them took `drift` times as long, and `noise` is
    the factor by which most of them differ from that."""

    count: int
    drift: float
    noise: float


NO_CONTROL = Control(0, 1.0, UNCONTROLLED_NOISE)
"""Where nothing is known to be unchanged, and for memory, which does not depend on how busy the machine is."""


@dataclass(frozen=True, slots=True)
class Change:
    """A quantity that takes `ratio` times as long, or as much memory, as before; drift is taken out."""

    key: Key
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes beyond noise, the greatest first; how many rows have not changed, are new, or are gone; how the
    machines differ, empty if they do not; and the controls, by benchmark, with the one for all others at the end."""

    controls: Mapping[str, Control]
    faster: tuple[Change, ...]
    slower: tuple[Change, ...]
    unchanged: int
    new: int
    gone: int
    machines: str


OTHERS = "others"
"""The name of the control of those benchmarks that have none of their own."""


def compare(old: Report, new: Report) -> Changes:
    """What has changed from the old report to the new one."""
    before, after = _costs(old), _costs(new)
    common = [key for key in after if key in before]
    constant = _constant(old, new)
    found = {key: _change(key, before[key], after[key]) for key in common}
    timed = {key for key in common if after[key].unit is not Unit.BYTES}
    controls = _controls({key: found[key].ratio for key in timed if family(key[3]) in constant})
    faster: list[Change] = []
    slower: list[Change] = []
    compared = [key for key in common if family(key[3]) not in constant]
    for key in compared:
        control = controls.get(key[0].value, controls[OTHERS]) if key in timed else NO_CONTROL
        change = _without_drift(found[key], control)
        if change.high < 1 and change.ratio < 1 / control.noise:
            faster.append(change)
        elif change.low > 1 and change.ratio > control.noise:
            slower.append(change)
    return Changes(
        controls,
        tuple(sorted(faster, key=lambda change: change.ratio)),
        tuple(sorted(slower, key=lambda change: -change.ratio)),
        len(compared) - len(faster) - len(slower),
        len(after) - len(common),
        len(before) - len(common),
        _machines(old, new),
    )


def _without_drift(change: Change, control: Control) -> Change:
    return Change(change.key, *(value / control.drift for value in (change.ratio, change.low, change.high)))


def _controls(ratios: Mapping[Key, float]) -> dict[str, Control]:
    """The control of each benchmark that has enough of it, and the one of the others."""
    controls: dict[str, Control] = {}
    for name in Name:
        of_benchmark = [ratio for key, ratio in ratios.items() if key[0] is name]
        if len(of_benchmark) >= MIN_CONTROLS:
            controls[name.value] = control_of(of_benchmark)
    controls[OTHERS] = control_of(list(ratios.values()))
    return controls


def control_of(ratios: Sequence[float]) -> Control:
    """Drift and noise, as the ratios of what cannot have changed show them."""
    if len(ratios) < MIN_CONTROLS:
        return NO_CONTROL
    logarithms = [math.log(ratio) for ratio in ratios]
    drift = median(logarithms)
    spread = percentile([abs(each - drift) for each in logarithms], NOISE_SHARE)
    return Control(len(ratios), math.exp(drift), max(MIN_NOISE, math.exp(spread)))


def _costs(report: Report) -> dict[Key, Row]:
    """The rows that say how much something takes, so that less is better; what is too short for the clock is left
    out."""
    units = (Unit.SECONDS, Unit.PER_SECOND, Unit.BYTES)
    return {
        (row.benchmark, row.group, row.quantity, row.subject): row
        for row in rows(report)
        if row.unit in units and row.estimate.low > 0 and math.isfinite(row.estimate.high)
    }


def _change(key: Key, before: Row, after: Row) -> Change:
    """The ratio of two costs; the interval is from the most that they may differ by to the least."""
    a, b = after.estimate, before.estimate
    if after.unit is Unit.PER_SECOND:
        a, b = b, a
    return Change(key, a.median / b.median, a.low / b.high, a.high / b.low)


def _constant(old: Report, new: Report) -> set[str]:
    """The subjects that cannot have changed."""
    packages: Mapping[str, str] = old.fingerprint.packages
    same = {
        name
        for name, peer in PEERS.items()
        if name in packages and packages[name] == new.fingerprint.packages.get(peer.distribution)
    }
    python = old.fingerprint.python == new.fingerprint.python
    return {BY_HAND, *same} if python else set()


def _machines(old: Report, new: Report) -> str:
    fields = ("cpu", "architecture", "cores", "usable_cores", "system", "python")
    pairs = [(getattr(old.fingerprint, name), getattr(new.fingerprint, name)) for name in fields]
    return "; ".join(f"{before} then, {after} now" for before, after in pairs if before != after)
