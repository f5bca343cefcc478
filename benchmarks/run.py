"""A whole run, benchmark by benchmark."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from benchmarks.bus import measure_bus
from benchmarks.calls import measure_calls
from benchmarks.engines import load_engines
from benchmarks.errors import BenchmarkError
from benchmarks.fingerprint import take_fingerprint
from benchmarks.interpreters import MACHINE, interpreters, measure_interpreters
from benchmarks.kernels import KERNELS, Kernel
from benchmarks.limited import measure_limits
from benchmarks.load import measure_load
from benchmarks.long_calls import WORK_SECONDS, measure_long_calls
from benchmarks.modules import Program, counter_program, program_of
from benchmarks.new_processes import measure_start
from benchmarks.plan import BY_HAND_OPTION, QUICK_WORK_SECONDS, Plan, Subjects
from benchmarks.report import Report, Skipped
from benchmarks.serving import measure_http
from benchmarks.steady import measure_kernels
from benchmarks.subjects.registry import CACHE_OFF, find_engines, find_peers
from benchmarks.summary import Name
from benchmarks.timing import Effort, Progress
from interp.engine import Engine

Steps = Callable[[float, str], None]
"""Told the part (0 to 1) of the whole that is done, and the name of the benchmark that runs."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a run works with."""

    plan: Plan
    engines: dict[str, Engine]
    subjects: Subjects
    programs: Sequence[Program]
    kernels: tuple[Kernel, ...]


def run(plan: Plan, steps: Steps = lambda _, __: None) -> Report:
    """Carry out a plan; what cannot be measured here is left out, with the reason. No engine uses its disk cache but
    where that is what is measured.

    Raises BenchmarkError (no engine, no module, a wrong output), and what is wrong with the module of the plan:
    ArgumentError, CommandError, OSError, WapcError, WasmError.
    """
    with _environment(CACHE_OFF):
        return _run(plan, steps)


@contextmanager
def _environment(changed: Mapping[str, str | None]) -> Iterator[None]:
    """Variables of the environment, for a while and for processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in changed}

    def put(values: Mapping[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(changed)
    try:
        yield
    finally:
        put(before)


def _run(plan: Plan, steps: Steps) -> Report:
    fingerprint = take_fingerprint()
    engines, no_engines = load_engines(plan.engines)
    if not engines:
        raise BenchmarkError("; ".join(each.reason for each in no_engines) or "no engine is chosen")
    peers, no_peers = find_peers(name for name in plan.peers if name != BY_HAND_OPTION)
    subjects = Subjects(find_engines(engines)[0], peers, BY_HAND_OPTION in plan.peers)
    programs, gaps = _programs(plan, engines)
    left_out = [Skipped(gap.what(plan), gap.reason) for gap in gaps if gap.what(plan)]
    if not {Name.KERNELS, Name.START}.isdisjoint(plan.benchmarks):
        left_out += no_peers
    report = Report(fingerprint, tuple(engines), plan.rounds, plan.seconds, (*no_engines, *left_out))
    missing = {name for gap in gaps for name in gap.names}
    names = [name for name in Name if name.value in plan.benchmarks and name not in missing]
    parts = _Parts(plan, engines, subjects, programs, plan.chosen_kernels())
    done = 0.0
    for name in names:
        report = _measure(name, parts, report, partial(_step, steps, name.value, done, plan.share(name)))
        done += plan.share(name)
    return report


def _step(steps: Steps, name: str, done: float, share: float, fraction: float) -> None:
    steps(done + share * fraction, name)


@dataclass(frozen=True, slots=True)
class _Gap:
    """What cannot be measured and why: whole benchmarks, and parts of others, as (the benchmark, the part)."""

    reason: str
    names: tuple[Name, ...]
    parts: tuple[tuple[Name, str], ...] = ()

    def what(self, plan: Plan) -> str:
        """What of it the plan asks for, empty for nothing."""
        texts = [*self.parts, *[(name, name.value) for name in self.names]]
        return ", ".join(text for name, text in texts if name.value in plan.benchmarks)


def _programs(plan: Plan, engines: dict[str, Engine]) -> tuple[list[Program], list[_Gap]]:
    """The programs to load, and what is missing for other measurements."""
    programs: list[Program] = []
    gaps: list[_Gap] = []
    if plan.module is not None:
        programs.append(program_of(plan.module, plan.call, next(iter(engines.values()))))
    try:
        programs.insert(0, counter_program())
    except BenchmarkError as error:
        whole = (Name.CALLS, Name.HTTP) if programs else (Name.LOAD, Name.CALLS, Name.HTTP)
        partly = [Name.LOAD, Name.START] if programs else [Name.START]
        gaps.append(_Gap(str(error), whole, tuple((name, f"{name} of the counter actor") for name in partly)))
    if MACHINE not in engines:
        gaps.append(_Gap(f"the engine {MACHINE} is not one of this run", (Name.INTERPRETERS,)))
    return programs, gaps


def _measure(name: Name, parts: _Parts, report: Report, progress: Progress) -> Report:
    """The report with the results of one benchmark added."""
    plan, engines = parts.plan, parts.engines
    effort = plan.effort(name)
    match name:
        case Name.LOAD:
            each = Effort(effort.rounds, effort.seconds / len(parts.programs))
            loads = [measure_load(engines, program, each, progress) for program in parts.programs]
            return replace(report, load=tuple(loads))
        case Name.CALLS:
            return replace(report, calls=measure_calls(engines, effort, progress))
        case Name.BUS:
            return replace(report, bus=measure_bus(effort, progress))
        case Name.HTTP:
            return replace(report, http=measure_http(engines, effort, progress))
        case Name.INTERPRETERS:
            known, missing = interpreters()
            small = [kernel for kernel in parts.kernels if kernel in KERNELS]
            measured = measure_interpreters(known, effort, progress, small)
            return _with(replace(report, interpreters=measured), missing)
        case _:
            return _measure_subjects(name, parts, report, progress)


def _measure_subjects(name: Name, parts: _Parts, report: Report, progress: Progress) -> Report:
    """The same for those benchmarks whose subjects have processes of their own."""
    subjects, kernels = parts.subjects, parts.kernels
    effort = parts.plan.effort(name)
    skipped: tuple[Skipped, ...]
    if name is Name.KERNELS:
        ratios = subjects.steady_ratios()
        steady, skipped = measure_kernels(subjects.steady(), effort, progress, kernels, ratios)
        return _with(replace(report, kernels=steady), skipped)
    if name is Name.START:
        engine = next(iter(parts.engines.values()))
        started, skipped = measure_start(subjects, kernels, engine, effort, progress, quick=parts.plan.quick)
        return _with(replace(report, start=started), skipped)
    if name is Name.LONG:
        seconds = QUICK_WORK_SECONDS if parts.plan.quick else WORK_SECONDS
        longs, skipped = measure_long_calls(subjects.main, effort, progress, kernels, seconds)
        return _with(replace(report, longs=longs), skipped)
    limited, skipped = measure_limits(subjects.main, effort, progress, kernels)
    return _with(replace(report, limits=limited), skipped)


def _with(report: Report, skipped: Sequence[Skipped]) -> Report:
    return replace(report, skipped=tuple(dict.fromkeys((*report.skipped, *skipped))))
