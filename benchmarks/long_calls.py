"""Long first calls: what translating a function costs a call that has a lot to do anyway."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.kernels import KERNELS, Kernel
from benchmarks.report import Skipped
from benchmarks.results import FIRST_CALL, SECOND_CALL, Comparison, LongResult, LongsResult, Series
from benchmarks.starting import measure_starts
from benchmarks.steady import kernel_program
from benchmarks.subjects.program import Program
from benchmarks.subjects.registry import Subject
from benchmarks.timing import Effort, Progress
from benchmarks.workers import SubjectFailedError, Worker, working

WORK_SECONDS = 1.0
"""How long a call must take at least."""

MOST_GROWTH = 8.0
"""How much longer, at most, a call is made from one attempt to the next: an estimate from shorter calls falls behind
where the work grows exponentially."""

CLOSE = 1.2
"""The search ends where an impossible argument is not further away than this factor."""

SEARCH_SHARE = 0.3
"""Of a benchmark's progress, the part for finding arguments."""


def measure_long_calls(
    subject: Subject,
    effort: Effort,
    progress: Progress = lambda _: None,
    kernels: Sequence[Kernel] = KERNELS,
    work_seconds: float = WORK_SECONDS,
) -> tuple[LongsResult, tuple[Skipped, ...]]:
    """The first and the second call of each kernel in a new process, once in each round; and those kernels whose work
    cannot be made so long. Raises BenchmarkError."""
    found: list[tuple[Kernel, Program]] = []
    skipped: list[Skipped] = []
    with working([subject]) as workers:
        for index, kernel in enumerate(kernels):
            argument, seconds = _long_argument(workers[subject.name], kernel, work_seconds)
            if seconds < work_seconds:
                reason = f"its work takes no longer than {seconds:.3g} s, with the argument {argument}"
                skipped.append(Skipped(f"long call of kernel {kernel.name}", reason))
            else:
                found.append((kernel, replace(kernel_program(kernel, argument), patience=math.inf)))
            progress(SEARCH_SHARE * (index + 1) / len(kernels))
    programs = [program for _, program in found]

    def rest(fraction: float) -> None:
        progress(SEARCH_SHARE + (1 - SEARCH_SHARE) * fraction)

    starts, gaps = measure_starts([subject], programs, effort, rest, calls=2, caches=False)
    results = []
    for (kernel, program), start in zip(found, starts, strict=True):
        calls = list(zip(*start.starts[0].call_seconds, strict=True))
        series = (Series(FIRST_CALL, calls[0]), Series(SECOND_CALL, calls[1]))
        results.append(LongResult(kernel.name, int(program.args[0]), Comparison(kernel.name, series)))
    return LongsResult(subject.name, tuple(results)), (*skipped, *gaps)


def _long_argument(worker: Worker, kernel: Kernel, seconds: float) -> tuple[int, float]:
    """An argument with which a call takes so long, and how long it does; the greatest possible one if none does.

    Each attempt continues the last two as a power of the argument.
    """
    short, best = kernel.argument, kernel.long_argument or kernel.argument * 2
    time, best_time = _time(worker, kernel, short), _time(worker, kernel, best)
    if time is None or best_time is None:
        return short, time or 0.0
    ceiling: int | None = None
    while best_time < seconds and (ceiling is None or ceiling > CLOSE * best):
        power = max(0.5, math.log(best_time / time) / math.log(best / short)) if best_time > time else 0.5
        wanted = min(1.2 * seconds / best_time, MOST_GROWTH)
        argument = max(best + 1, round(best * wanted ** (1 / power)))
        if ceiling is not None:
            argument = min(argument, (best + ceiling) // 2)
        taken = _time(worker, kernel, argument)
        if taken is None:
            ceiling = argument
        else:
            short, time, best, best_time = best, best_time, argument, taken
    return best, best_time


def _time(worker: Worker, kernel: Kernel, argument: int) -> float | None:
    """Seconds for a call; None if there can be no such call."""
    program = replace(kernel_program(kernel, kernel.argument), args=(argument,), answers=())
    try:
        worker.prepare(program)
        worker.ask("open", name=kernel.name)
        seconds: float = worker.ask("time", name=kernel.name, loops=1)["seconds"]
    except SubjectFailedError:
        return None
    return seconds
