"""The benchmark `start`: kernels, the counter actor and a big actor, each in new processes of every subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.actor import COUNTER
from benchmarks.errors import BenchmarkError
from benchmarks.kernels import RUN, Kernel
from benchmarks.kernels.big_actor import big_actor, kept_as
from benchmarks.plan import Subjects
from benchmarks.recording import PATIENCE, counter_programs
from benchmarks.report import Skipped
from benchmarks.start_results import ProgramStart, StartResult
from benchmarks.starting import measure_imports, measure_starts
from benchmarks.steady import kernel_program
from benchmarks.subjects.program import Program, answer_text
from benchmarks.subjects.registry import Subject
from benchmarks.timing import Effort, Progress
from interp.engine import Engine, Func, Limits

BIG = "big actor"
BIG_ARGUMENT = 1
BIG_SHARE = 0.3
"""Of the time, what the big actor gets."""


def measure_start(
    subjects: Subjects,
    kernels: Sequence[Kernel],
    engine: Engine,
    effort: Effort,
    progress: Progress = lambda _: None,
    *,
    quick: bool = False,
) -> tuple[StartResult, tuple[Skipped, ...]]:
    """Loading, first calls, memory and importing, and what could not be measured.

    `engine` is used to find out what the actors do. If it is to be `quick`, the big actor takes part only if it has
    been built before. Raises BenchmarkError, WapcError, WasmError.
    """
    programs = [kernel_program(kernel, kernel.argument) for kernel in kernels]
    if COUNTER.exists():
        programs += counter_programs(engine)
    big, skipped = _big_programs(engine, quick)
    everyone = subjects.starting()
    ready = measure_imports(everyone, effort.rounds)
    share = BIG_SHARE if big else 0.0
    started, gaps = measure_starts(
        everyone, programs, _part(effort, 1 - share), lambda fraction: progress((1 - share) * fraction)
    )
    also, big_gaps = _measure_big(everyone, big, _part(effort, share))
    progress(1.0)
    started = (*started, *[replace(each, apart=True) for each in also])
    found = {start.subject for program in started for start in program.starts}
    ratios, break_even = (
        tuple(pair for pair in pairs if set(pair) <= found)
        for pairs in (subjects.start_ratios(), subjects.break_even())
    )
    return StartResult(started, ready, ratios, break_even), (*skipped, *gaps, *big_gaps)


def _part(effort: Effort, share: float) -> Effort:
    return Effort(effort.rounds, share * effort.seconds)


def _big_programs(engine: Engine, quick: bool) -> tuple[list[Program], tuple[Skipped, ...]]:
    """The big actor, once only loaded and once called; or why it is not there."""
    try:
        if quick and not kept_as().exists():
            raise BenchmarkError("it has not been built yet, which takes half a minute and is not quick")
        wasm = big_actor()
    except BenchmarkError as error:
        return [], (Skipped(f"start of the {BIG}", str(error)),)
    run = engine.store(Limits()).instantiate(engine.compile(wasm), ()).exports[RUN]
    answer = answer_text(run(BIG_ARGUMENT) if isinstance(run, Func) else None)
    called = Program(BIG, wasm, RUN, (BIG_ARGUMENT,), answers=(answer,), patience=PATIENCE)
    return [replace(called, name=f"{BIG}, only loaded", export="", args=(), answers=()), called], ()


def _measure_big(
    subjects: Sequence[Subject], programs: Sequence[Program], effort: Effort
) -> tuple[tuple[ProgramStart, ...], tuple[Skipped, ...]]:
    """The same, and engines that can put off validation do so as well."""
    lazy = [variant for variant in (subject.lazy() for subject in subjects) if variant is not None]
    found: tuple[ProgramStart, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    for program in programs:
        # One after the other: in the time of one call a module is loaded many times.
        starts, gaps = measure_starts([*subjects, *lazy], [program], _part(effort, 1 / len(programs)))
        found, skipped = (*found, *starts), (*skipped, *gaps)
    return found, skipped
