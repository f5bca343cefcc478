"""The records of a report: raw samples, in the order of the rounds, with what was measured and how.

Everything that a table shows is computed from these samples (`benchmarks.tables`), nothing is stored twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.estimates import Estimate, break_even, estimate, paired_ratios, percentile
from benchmarks.timing import Timed

MICROSECOND = 1e-6


@dataclass(frozen=True, slots=True)
class Series:
    """Seconds for one operation of a subject (an engine, say), one sample for each round; a sample is the mean of
    `loops` operations."""

    subject: str
    samples: tuple[float, ...]
    loops: int = 1

    @property
    def estimate(self) -> Estimate:
        """The median."""
        return estimate(self.samples)


def series(subject: str, timed: Timed) -> Series:
    """The series of what was timed."""
    return Series(subject, timed.samples, timed.loops)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same operation of several subjects, sampled in the same rounds."""

    operation: str
    series: tuple[Series, ...]

    def of(self, subject: str) -> Series | None:
        """The series of a subject, None if it has none."""
        return next((each for each in self.series if each.subject == subject), None)

    def speedup(self, subject: str, baseline: str) -> Estimate | None:
        """How many times faster a subject is than the baseline; None if one of them is not there."""
        return self.time_ratio(baseline, subject)

    def time_ratio(self, subject: str, baseline: str) -> Estimate | None:
        """The time of a subject divided by that of the baseline; None if one of them is not there."""
        ratios = self.time_ratios(subject, baseline)
        return estimate(ratios) if ratios else None

    def time_ratios(self, subject: str, baseline: str) -> list[float]:
        """The ratios of those rounds in which both took part; empty if one of them is not there."""
        of_subject, of_baseline = self.of(subject), self.of(baseline)
        if of_subject is None or of_baseline is None:
            return []
        return paired_ratios(of_subject.samples, of_baseline.samples)


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """One engine loading a module, once in each round: seconds for each phase, and for each of the first calls of that
    round's instance. The last ones are the steady state."""

    engine: str
    phases: tuple[Series, ...]
    calls: tuple[tuple[float, ...], ...]

    def phase(self, name: str) -> Series | None:
        """The samples of a phase (`Phase`), None if this engine does not have it."""
        return next((each for each in self.phases if each.subject == name), None)


class Phase(StrEnum):
    """The phases of loading a module, by the names that reports have for them."""

    DECODE = "decode"
    VALIDATE = "validate"
    COMPILE = "compile"
    INSTANTIATE = "instantiate"
    FIRST_CALL = "first call"
    STEADY_CALL = "steady call"


LOADING = (Phase.COMPILE, Phase.INSTANTIATE)
"""The phases that come one after the other; the parts of COMPILE are timed on their own as well."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """Loading one module of `size` bytes; `call` says what is called in it, or why nothing is."""

    module: str
    size: int
    call: str
    engines: tuple[EngineLoad, ...]

    def of(self, engine: str) -> EngineLoad | None:
        """What one engine took."""
        return next((each for each in self.engines if each.engine == engine), None)

    def comparison(self, phase: Phase) -> Comparison:
        """One phase of all engines that have it."""
        found = [(each.engine, each.phase(phase.value)) for each in self.engines]
        return Comparison(phase.value, tuple(Series(name, s.samples, s.loops) for name, s in found if s is not None))

    def loading(self) -> Comparison:
        """From the bytes of the module to an instance that can be called."""
        parts = [self.comparison(phase) for phase in LOADING]
        return Comparison("load", sums(parts))

    def break_even(self, engine: str, baseline: str) -> Estimate | None:
        """After how many calls the engine has made up for loading longer than the baseline (`break_even_of`)."""
        fast, slow, loading = self.of(engine), self.of(baseline), self.loading()
        fast_load, slow_load = loading.of(engine), loading.of(baseline)
        if fast is None or slow is None or fast_load is None or slow_load is None:
            return None
        return break_even_of(slow_load.samples, slow.calls, fast_load.samples, fast.calls)


def sums(parts: Sequence[Comparison]) -> tuple[Series, ...]:
    """The series of those subjects that have all parts, each sample the sum of one round."""
    first, *others = parts
    found: list[Series] = []
    for series in first.series:
        rest = [part.of(series.subject) for part in others]
        columns = [series.samples, *[each.samples for each in rest if each is not None]]
        if len(columns) == len(parts):
            found.append(Series(series.subject, tuple(map(sum, zip(*columns, strict=True)))))
    return tuple(found)


Calls = Sequence[Sequence[float]]
"""Seconds of the first calls of an instance, in each round."""


def break_even_of(slow_load: Sequence[float], slow: Calls, fast_load: Sequence[float], fast: Calls) -> Estimate | None:
    """After how many calls the fast one is ahead (`break_even`), of the rounds in which both were called; None if there
    are none."""
    rounds = zip(slow_load, slow, fast_load, fast, strict=False)
    found = [break_even(*each) for each in rounds if each[1] and each[3]]
    return estimate(found) if found else None


@dataclass(frozen=True, slots=True)
class CallsResult:
    """Calls of the counter actor through `WapcHost.call`, by engine."""

    operations: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What a load generator saw of one server for `seconds`: the latency of each answer in microseconds, and the
    seconds of processor time that the generator itself took."""

    seconds: float
    latencies: tuple[int, ...]
    generator_seconds: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds


@dataclass(frozen=True, slots=True)
class HttpCase:
    """One server, loaded over so many connections: one window for each round. `engine` and `store` are empty for the
    trivial server."""

    server: str
    engine: str
    store: str
    connections: int
    windows: tuple[Window, ...]

    def rate(self) -> Estimate:
        """Answers per second."""
        return estimate([window.rate for window in self.windows])

    def latency(self, fraction: float) -> Estimate:
        """Seconds within which this fraction of the answers came, the median of the rounds."""
        return estimate([percentile(window.latencies, fraction) * MICROSECOND for window in self.windows])

    def generator_share(self) -> Estimate:
        """How much of one core the load generator took."""
        return estimate([window.generator_seconds / window.seconds for window in self.windows])


@dataclass(frozen=True, slots=True)
class HttpResult:
    """Requests over HTTP to the counter actor, and to a server that does nothing else."""

    cases: tuple[HttpCase, ...]

    def case(self, server: str, connections: int) -> HttpCase | None:
        """One server at one number of connections."""
        return next((c for c in self.cases if (c.server, c.connections) == (server, connections)), None)


@dataclass(frozen=True, slots=True)
class BusResult:
    """One operation of a provider, called in different ways; `baseline` calls its handler directly."""

    operation: str
    baseline: str
    calls: Comparison


@dataclass(frozen=True, slots=True)
class KernelResult:
    """One kernel, called with `argument` by each subject that can."""

    name: str
    argument: int
    call: Comparison


@dataclass(frozen=True, slots=True)
class KernelsResult:
    """All kernels in the steady state; `ratios` names the pairs of subjects whose times are divided, the first by the
    second."""

    kernels: tuple[KernelResult, ...]
    ratios: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LongResult:
    """A kernel on one subject, called with such an `argument` that a call takes about a second: `calls` are the first
    call and the second one of a new process."""

    name: str
    argument: int
    calls: Comparison


@dataclass(frozen=True, slots=True)
class LongsResult:
    """All kernels whose work can last so long."""

    subject: str
    kernels: tuple[LongResult, ...]


FIRST_CALL, SECOND_CALL = "first call", "second call"
"""The subjects of `LongResult.calls`."""


DESCRIPTION = "records as text"
"""The subject of `PaceResult.description`."""


@dataclass(frozen=True, slots=True)
class PaceResult:
    """One kernel, called with `argument` on several interpreters, all of which execute `instructions` in a call;
    `description` is making the record of one step as people read it."""

    name: str
    argument: int
    instructions: int
    call: Comparison
    description: Series

    def per_second(self, series: Series) -> Estimate:
        """How many instructions per second one of them executes."""
        return series.estimate.map(lambda seconds: self.instructions / seconds if seconds else math.inf)


@dataclass(frozen=True, slots=True)
class InterpretersResult:
    """All kernels; `ratios` names the pairs of interpreters whose speeds are divided, the first by the second."""

    kernels: tuple[PaceResult, ...]
    ratios: tuple[tuple[str, str], ...]
