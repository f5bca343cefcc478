"""Carries out a plan of these measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fingerprint import take_fingerprint
from benchmarks.operation.calls import measure_echo_apart
from benchmarks.operation.changes import ChangeResult, measure_changes
from benchmarks.operation.churn import ChurnResult, Trouble, measure_churn
from benchmarks.operation.report import OperationReport, TamperingResult
from benchmarks.operation.starting import measure_start
from benchmarks.serving import measure_http
from benchmarks.stores import store_called
from benchmarks.timing import Effort, Progress
from conformance.tampering.campaign import Kind, Outcome
from conformance.tampering.campaign import run as tamper

ROUNDS = 15
STARTS = 5
CHANGES_PER_SECOND = 20
"""Calls of each operation on each store for a second of the plan: changes that wait for the disk take a millisecond."""
TAMPERING_SEED = 0

Told = Callable[[float, str], None]
"""Told which fraction (0 to 1) of which measurement is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which `parts` are measured, on which engines and stores; `seconds` for each part that is timed, `actors` of the
    host that is started, `cases` of tampering."""

    parts: tuple[str, ...]
    engines: tuple[str, ...]
    stores: tuple[str, ...]
    seconds: float
    actors: int
    trouble: Trouble
    cases: int


def run(plan: Plan, told: Told = lambda *_: None) -> OperationReport:
    """Carry out a plan. Raises BenchmarkError."""
    effort, machine = Effort(ROUNDS, plan.seconds), take_fingerprint()

    def progress(name: str) -> Progress:
        return lambda fraction: told(fraction, name)

    serving = echo = None
    changes: tuple[ChangeResult, ...] = ()
    if "serving" in plan.parts:
        connections = (plan.trouble.connections,)
        serving = measure_http(
            plan.engines, effort, progress("serving"), connections=connections, stores=plan.stores, plain=True
        )
    if "calls" in plan.parts:
        echo = measure_echo_apart(plan.engines, effort)
    if "changes" in plan.parts:
        calls = max(1, round(plan.seconds * CHANGES_PER_SECOND))
        changes = measure_changes(plan.stores, calls, progress("changes"))
    starts = [
        measure_start(engine, plan.actors, STARTS, progress(f"start, {engine}"))
        for engine in plan.engines
        if "start" in plan.parts
    ]
    trouble = [
        _churn(plan.trouble, engine, store, progress(f"trouble, {engine}, {store}"))
        for engine in plan.engines
        for store in plan.stores
        if "trouble" in plan.parts
    ]
    tampering = _tampering(plan.cases, progress("tampering")) if "tampering" in plan.parts else ()
    return OperationReport(machine, serving, echo, changes, tuple(starts), tuple(trouble), tampering)


def _tampering(cases: int, progress: Progress) -> tuple[TamperingResult, ...]:
    report = tamper(TAMPERING_SEED, cases, lambda done: progress(done / cases))
    found = []
    for kind in Kind:
        counts = dict.fromkeys(Outcome, 0)
        for (of, _, outcome), count in report.counts.items():
            counts[outcome] += count * (of is kind)
        columns = (Outcome.REFUSED, Outcome.SAME, Outcome.ACCEPTED, Outcome.CRASHED)
        found.append(TamperingResult(kind.value, sum(counts.values()), *(counts[column] for column in columns)))
    return tuple(found)


def _churn(trouble: Trouble, engine: str, name: str, progress: Progress) -> ChurnResult:
    with TemporaryDirectory(prefix="wascc-bench-") as folder, store_called(name, Path(folder)) as store:
        return measure_churn(engine, store, trouble, progress)
