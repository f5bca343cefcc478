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
from benchmarks.load import measure_load
from benchmarks.programs import Program, counter_program, program_of
from benchmarks.report import Report, Skipped
from benchmarks.serving import measure_http
from benchmarks.summary import Name
from benchmarks.timing import Effort, Progress
from conformance.tools import ToolMissingError, wasm_tools_path
from interp.engine import Engine

SHARES: Mapping[Name, float] = {
    Name.LOAD: 0.14,
    Name.CALLS: 0.10,
    Name.BUS: 0.06,
    Name.KERNELS: 0.20,
    Name.HTTP: 0.50,
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
    programs, missing = _prepare(plan, engines)
    left_out = [Skipped(what, reason) for what, reason in missing.items() if what in plan.benchmarks]
    report = Report(fingerprint, tuple(engines), plan.rounds, plan.seconds, (*skipped, *left_out))
    names = [name for name in Name if name.value in plan.benchmarks and name not in missing]
    for index, name in enumerate(names):
        steps(index, name.value)
        report = _measure(name, plan, engines, programs, report, partial(_step, steps, index, name.value))
    return report


def _step(steps: Steps, index: int, name: str, fraction: float) -> None:
    steps(index + fraction, name)


def _prepare(plan: Plan, engines: Mapping[str, Engine]) -> tuple[list[Program], dict[str, str]]:
    """The programs to load, and the benchmarks for which something is missing, with the reason."""
    programs: list[Program] = []
    missing: dict[str, str] = {}
    if plan.module is not None:
        programs.append(program_of(plan.module, plan.call, next(iter(engines.values()))))
    try:
        programs.insert(0, counter_program())
    except BenchmarkError as error:
        needed_by = [Name.CALLS, Name.HTTP, *([] if programs else [Name.LOAD])]
        missing |= dict.fromkeys((name.value for name in needed_by), str(error))
    try:
        wasm_tools_path()
    except ToolMissingError as error:
        missing[Name.KERNELS.value] = str(error)
    return programs, missing


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
        case Name.HTTP:
            return replace(report, http=measure_http(engines, effort, progress))
