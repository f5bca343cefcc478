"""The metrics themselves: counters and histograms with labels, and the names that the original had.

Operation names come from guests, who could make any number of them. A name becomes a label only if a loaded provider
describes it, or once a call with it has succeeded while its target has room; every other is counted as `other`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from host.entities import ActorEntity, Entity
from host.logs import log, printable
from host.middleware.chain import Kind

OTHER = "other"
MAX_TARGETS = 1000
"""How many actors and bindings of capabilities have labels of their own."""
MAX_NAME_CHARACTERS = 64
"""How long an operation name may be that becomes a label."""
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the histogram, in seconds."""

_LEGAL_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_TARGET_LABELS = ("target_kind", "target", "binding", "operation")
_SHORT: dict[Kind, str] = {"actor": "actor", "capability": "cap"}

Target = tuple[Kind, str, str]
"""Kind, public key or capability id, and binding, which is empty for an actor."""


def target_of(kind: Kind, entity: Entity) -> Target:
    """What the labels of an entity are."""
    if isinstance(entity, ActorEntity):
        return kind, entity.public_key, ""
    return kind, entity.capability_id, entity.binding


@dataclass(slots=True)
class Average:
    """How many calls there were, and the moving average of their times in milliseconds."""

    count: int = 0
    milliseconds: float = 0.0

    def add(self, milliseconds: float, window: int) -> None:
        """One more call; an average of at most `window` calls."""
        self.count += 1
        n = min(self.count, window)
        self.milliseconds = (self.milliseconds * (n - 1) + milliseconds) / n


class ReferenceNames(Collector):
    """Metrics under the names of the original, `wascc_<what>_inv_count` and `wascc_<what>_average_inv_time`.

    They are untyped, as counters without `_total` at the end are none to the client library.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._averages: dict[str, tuple[object, Average]] = {}
        self._impossible: set[str] = set()
        for short in _SHORT.values():
            self.owned_by(None, f"{short}_total")

    def owned_by(self, owner: object, name: str) -> Average | None:
        """The metric of that name, None if the name is illegal or another's, which is logged once."""
        with self._lock:
            if _LEGAL_NAME.fullmatch(name):
                found, average = self._averages.setdefault(name, (owner, Average()))
                if found == owner:
                    return average
            is_known = name in self._impossible
            self._impossible.add(name)
        if not is_known:
            log.warning("wascc_%s_inv_count cannot be a metric's name; the labelled metrics have it", printable(name))
        return None

    def add(self, averages: tuple[Average, ...], milliseconds: float) -> None:
        """Count one call in several of the metrics."""
        with self._lock:
            for average in averages:
                average.add(milliseconds, self._window)

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        with self._lock:
            now = [(name, average.count, average.milliseconds) for name, (_, average) in self._averages.items()]
        for name, count, milliseconds in now:
            counted = Metric(f"wascc_{name}_inv_count", "Calls", "unknown")
            counted.add_sample(counted.name, {}, count)
            yield counted
            timed = Metric(f"wascc_{name}_average_inv_time", "Moving average of the time of a call in ms", "gauge")
            timed.add_sample(timed.name, {}, milliseconds)
            yield timed


@dataclass(slots=True)
class _Series:
    """Where calls of one operation of one target are counted."""

    outcomes: dict[str, Counter] = field(default_factory=dict)
    duration: Histogram | None = None
    averages: tuple[Average, ...] = ()


class Metrics:
    """What is measured of calls. `is_described` says whether a provider of the host describes an operation."""

    def __init__(
        self,
        registry: CollectorRegistry,
        is_described: Callable[[str], bool],
        max_operations: int,
        reference: ReferenceNames | None,
    ) -> None:
        self._is_described = is_described
        self._max_operations = max_operations
        self._reference = reference
        self._lock = threading.Lock()
        self._operations: dict[Target, set[str]] = {}
        self._series: dict[tuple[Target, str], _Series] = {}
        self._invocations = Counter(
            "wascc_invocations", "Calls by outcome", (*_TARGET_LABELS, "outcome"), registry=registry
        )
        self._duration = Histogram(
            "wascc_invocation_duration_seconds", "Time of a call", _TARGET_LABELS, registry=registry, buckets=BUCKETS
        )
        running = Gauge("wascc_invocations_in_progress", "Calls under way", ("target_kind",), registry=registry)
        self.in_progress = {kind: running.labels(kind) for kind in _SHORT}
        """How many calls are under way, by kind."""
        if reference is not None:
            registry.register(reference)
        ProcessCollector(registry=registry)

    def record(self, target: Target, operation: str, outcome: str, seconds: float) -> None:
        """Count a call that has ended with `outcome`, one of `ok`, `error` and `refused`."""
        series = self._series.get((target, operation)) or self._find_series(target, operation, outcome)
        counter = series.outcomes.get(outcome)
        if counter is not None:
            counter.inc()
        if series.duration is not None:
            series.duration.observe(seconds)
        if self._reference is not None:
            self._reference.add(series.averages, seconds * 1000)

    def _find_series(self, target: Target, operation: str, outcome: str) -> _Series:
        with self._lock:
            if target not in self._operations:
                if len(self._operations) >= MAX_TARGETS:
                    target = (target[0], OTHER, OTHER)
                self._operations.setdefault(target, set())
            if not self._has_label(target, operation, outcome):
                operation = OTHER
            key = target, operation
            if key not in self._series:
                self._operations[target].add(operation)
                self._series[key] = self._new_series(target, operation)
            return self._series[key]

    def _has_label(self, target: Target, operation: str, outcome: str) -> bool:
        names = self._operations[target]
        if operation in names:
            return True
        if target[1] == OTHER or len(operation) > MAX_NAME_CHARACTERS or not operation.isprintable():
            return False
        if self._is_described(operation):
            return True
        return outcome == "ok" and len(names) < self._max_operations

    def _new_series(self, target: Target, operation: str) -> _Series:
        labels = (*target, operation)
        outcomes = {outcome: self._invocations.labels(*labels, outcome) for outcome in ("ok", "error", "refused")}
        return _Series(outcomes, self._duration.labels(*labels), self._averages_of(target, operation))

    def _averages_of(self, target: Target, operation: str) -> tuple[Average, ...]:
        if self._reference is None:
            return ()
        kind, *parts = target
        name = "_".join(part for part in parts if part)
        wanted: list[tuple[object, str]] = [(None, f"{_SHORT[kind]}_total")]
        if target[1] != OTHER:
            wanted.append((target, name))
            if operation != OTHER:
                wanted.append(((target, operation), f"{name}_{operation}"))
        found = (self._reference.owned_by(owner, each) for owner, each in wanted)
        return tuple(average for average in found if average is not None)
