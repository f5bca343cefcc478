"""Kernels in the steady state: how long a call takes when everything that is done once has been done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.gaps import Gaps
from benchmarks.kernels import KERNELS, RUN, Kernel
from benchmarks.report import Skipped
from benchmarks.results import Comparison, KernelResult, KernelsResult, Series
from benchmarks.subjects.program import Program, answer_text
from benchmarks.subjects.registry import Subject
from benchmarks.summary import call_text
from benchmarks.timing import Effort, Progress, interleaved, shuffled
from benchmarks.workers import SubjectFailedError, Worker, pin_all, working

SLOW_SECONDS = 0.05
"""What takes longer than this for one call takes part in SLOW_ROUNDS rounds only."""

SLOW_ROUNDS = 6


def kernel_program(kernel: Kernel, argument: int) -> Program:
    """A run of a kernel. Raises BenchmarkError if its module cannot be read."""
    answer = answer_text(kernel.expected(argument))
    return Program(call_text(kernel.name, argument), kernel.wasm(), RUN, (argument,), None, (answer,), kernel.name)


def measure_kernels(
    subjects: Sequence[Subject],
    effort: Effort,
    progress: Progress = lambda _: None,
    kernels: Sequence[Kernel] = KERNELS,
    ratios: Sequence[tuple[str, str]] = (),
) -> tuple[KernelsResult, tuple[Skipped, ...]]:
    """Seconds for one call of each kernel on each subject, and what could not be measured.

    `ratios` are the pairs of subjects whose times are divided. Raises BenchmarkError.
    """
    programs = {kernel.name: kernel_program(kernel, kernel.argument) for kernel in kernels}
    gaps = Gaps()
    with working(subjects) as workers:
        seconds = effort.sample_seconds(len(subjects) * len(programs))
        pin_all(workers.values())
        sampled = _open_all(subjects, workers, programs, seconds, gaps)
        samples = interleaved(
            {key: each.sample for key, each in sampled.items()},
            effort,
            progress,
            before_round=lambda: [worker.ask("collect") for worker in workers.values()],
            order=_order,
            most={key: SLOW_ROUNDS for key, each in sampled.items() if each.seconds > SLOW_SECONDS},
        )
    made = [(key[0], Series(key[1], samples[key], each.loops)) for key, each in sampled.items()]
    results = tuple(
        KernelResult(
            kernel.name,
            kernel.argument,
            Comparison(kernel.name, tuple(series for name, series in made if name == kernel.name)),
        )
        for kernel in kernels
    )
    return KernelsResult(results, _present(ratios, sampled)), gaps.skipped()


def _order(keys: Sequence[tuple[str, str]], completed: int) -> list[tuple[str, str]]:
    """The subjects of a kernel one right after the other, in an order that is drawn anew for each kernel and round."""
    kernels = list(dict.fromkeys(kernel for kernel, _ in keys))
    found: list[tuple[str, str]] = []
    for index, kernel in enumerate(kernels):
        found += shuffled([key for key in keys if key[0] == kernel], completed * len(kernels) + index)
    return found


def _present(ratios: Iterable[tuple[str, str]], sampled: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those pairs of which both were measured."""
    names = {name for _, name in sampled}
    return tuple(pair for pair in ratios if set(pair) <= names)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A subject that runs a kernel: what takes one sample, of so many calls; a call takes about so many seconds."""

    sample: Callable[[], float]
    loops: int
    seconds: float


def _open_all(
    subjects: Sequence[Subject],
    workers: Mapping[str, Worker],
    programs: Mapping[str, Program],
    seconds: float,
    gaps: Gaps,
) -> dict[tuple[str, str], _Sampled]:
    """Every kernel on every subject that can run it, checked and warm; by kernel and subject."""
    found: dict[tuple[str, str], _Sampled] = {}
    for kernel, program in programs.items():
        for subject in subjects:
            worker = workers[subject.name]
            try:
                worker.prepare(program)
                call: float = worker.ask("open", name=kernel)["seconds"]
                loops: int = worker.ask("calibrate", name=kernel, seconds=seconds)["loops"]
            except SubjectFailedError as error:
                gaps.add(subject, program.title, error)
            else:
                found[kernel, subject.name] = _Sampled(partial(_time, worker, kernel, loops), loops, call)
    return found


def _time(worker: Worker, kernel: str, loops: int) -> float:
    seconds: float = worker.ask("time", name=kernel, loops=loops)["seconds"]
    return seconds
