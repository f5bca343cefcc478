"""A whole run: which benchmarks, on which engines, how long each of them may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.bus import measure_bus
from benchmarks.calls import measure_calls
from benchmarks.engines import load_engines
from benchmarks.errors import BenchmarkError
from benchmarks.execution import measure_kernels
from benchmarks.fingerprint import take_fingerprint
from benchmarks.interpreters import MACHINE, interpreters, measure_interpreters
from benchmarks.load import measure_load
from benchmarks.modules import Program, counter_program, program_of
from benchmarks.report import Report, Skipped
from benchmarks.serving import measure_http
from benchmarks.summary import Name
from benchmarks.timing import Effort, Progress
from conformance.tools import ToolMissingError, wasm_tools_path
from interp.engine import Engine

SHARES: Mapping[Name, float] = {
    Name.LOAD: 0.12,
    Name.CALLS: 0.09,
    Name.BUS: 0.05,
    Name.KERNELS: 0.18,
    Name.INTERPRETERS: 0.16,
    Name.HTTP: 0.40,
}
"""Of the whole time. The same whichever benchmarks are chosen, so that a choice measures like the whole."""

Steps = Callable[[float, str], None]
"""Told the number of benchmarks that are done, with a fraction, and the name of the one that runs."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: names of benchmarks and engines; at most `rounds` each, about `seconds` for all of them; a
    module file to load, and what to call in it (`program_of`)."""

    benchmarks: tuple[str, ...]
    engines: tuple[str, ...]
    rounds: int
    seconds: float
    module: Path | None = None
    call: str | None = None

    def effort(self, name: Name) -> Effort:
        """The effort of one benchmark."""
        return Effort(self.rounds, self.seconds * SHARES[name])


def run(plan: Plan, steps: Steps = lambda _, __: None) -> Report:
    """Carry out a plan; what cannot be measured here is left out, with the reason.

    Raises BenchmarkError (no engine, no module, a wrong output), and what is wrong with the module of the plan:
    ArgumentError, CommandError, OSError, WapcError, WasmError.
    """
    fingerprint = take_fingerprint()
    engines, skipped = load_engines(plan.engines)
    if not engines:
        raise BenchmarkError("; ".join(each.reason for each in skipped) or "no engine is chosen")
    programs, gaps = _prepare(plan, engines)
    left_out = [Skipped(gap.what(plan), gap.reason) for gap in gaps if gap.what(plan)]
    report = Report(fingerprint, tuple(engines), plan.rounds, plan.seconds, (*skipped, *left_out))
    missing = {name for gap in gaps for name in gap.names}
    names = [name for name in Name if name.value in plan.benchmarks and name not in missing]
    for index, name in enumerate(names):
        steps(index, name.value)
        report = _measure(name, plan, engines, programs, report, partial(_step, steps, index, name.value))
    return report


def _step(steps: Steps, index: int, name: str, fraction: float) -> None:
    steps(index + fraction, name)


@dataclass(frozen=True, slots=True)
class _Gap:
    """What cannot be measured and why: whole benchmarks, and a part of one, as (the benchmark, the part)."""

    reason: str
    names: tuple[Name, ...]
    part: tuple[Name, str] | None = None

    def what(self, plan: Plan) -> str:
        """What of it the plan asks for, empty for nothing."""
        part = [self.part] if self.part is not None else []
        texts = [*part, *[(name, name.value) for name in self.names]]
        return ", ".join(text for name, text in texts if name.value in plan.benchmarks)


def _prepare(plan: Plan, engines: Mapping[str, Engine]) -> tuple[list[Program], list[_Gap]]:
    """The programs to load, and what is missing for other measurements."""
    programs: list[Program] = []
    gaps: list[_Gap] = []
    if plan.module is not None:
        programs.append(program_of(plan.module, plan.call, next(iter(engines.values()))))
    try:
        programs.insert(0, counter_program())
    except BenchmarkError as error:
        others = (Name.CALLS, Name.HTTP)
        part = (Name.LOAD, f"{Name.LOAD} of the counter actor")
        gaps.append(_Gap(str(error), others, part) if programs else _Gap(str(error), (Name.LOAD, *others)))
    try:
        wasm_tools_path()
    except ToolMissingError as error:
        gaps.append(_Gap(str(error), (Name.KERNELS, Name.INTERPRETERS)))
    if MACHINE not in engines:
        gaps.append(_Gap(f"the engine {MACHINE} is not one of this run", (Name.INTERPRETERS,)))
    return programs, gaps


def _measure(
    name: Name,
    plan: Plan,
    engines: Mapping[str, Engine],
    programs: Sequence[Program],
    report: Report,
    progress: Progress,
) -> Report:
    """The report with the results of one benchmark added."""
    effort = plan.effort(name)
    match name:
        case Name.LOAD:
            each = Effort(effort.rounds, effort.seconds / len(programs))
            loads = [measure_load(engines, program, each, progress) for program in programs]
            return replace(report, load=tuple(loads))
        case Name.CALLS:
            return replace(report, calls=measure_calls(engines, effort, progress))
        case Name.BUS:
            return replace(report, bus=measure_bus(effort, progress))
        case Name.KERNELS:
            return replace(report, kernels=measure_kernels(engines, effort, progress))
        case Name.INTERPRETERS:
            subjects, skipped = interpreters()
            result = measure_interpreters(subjects, effort, progress)
            return replace(report, interpreters=result, skipped=(*report.skipped, *skipped))
        case Name.HTTP:
            return replace(report, http=measure_http(engines, effort, progress))
