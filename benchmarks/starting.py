"""Programs in new processes: loading, the first calls, and the memory that this takes.

A forked process would not do: the pages that it copies when they are first written to take as long as loading a kernel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.gaps import Gaps
from benchmarks.report import Skipped
from benchmarks.results import Comparison, Series
from benchmarks.start_results import ProgramStart, Start
from benchmarks.subjects.program import Program
from benchmarks.subjects.registry import Subject, cached_name
from benchmarks.timing import MIN_ROUNDS, Effort, Progress, shuffled
from benchmarks.workers import SubjectFailedError, Worker, working

CALLS = 20
"""Calls of one instance, at most: enough to see when they get no faster any more."""

SLOW_SECONDS = 0.4
"""A subject that takes longer than this for a program starts it in MIN_ROUNDS rounds only."""


@dataclass(slots=True)
class _Samples:
    """The answers of one subject for one program, how long the last one took, and whether it failed instead."""

    answers: list[Mapping[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    failed: bool = False

    def is_due(self, completed: int) -> bool:
        """Whether the subject takes part in one more round after so many."""
        return not self.failed and (completed < MIN_ROUNDS or self.seconds <= SLOW_SECONDS)

    def start(self, subject: str) -> Start:
        def column(name: str) -> tuple[Any, ...]:
            return tuple(answer[name] for answer in self.answers)

        return Start(
            subject,
            column("compile_seconds"),
            column("instantiate_seconds"),
            tuple(map(tuple, column("call_seconds"))),
            tuple(each or 0 for each in column("resident_bytes")),
            tuple(each or 0 for each in column("peak_bytes")),
        )


def measure_starts(
    subjects: Sequence[Subject],
    programs: Sequence[Program],
    effort: Effort,
    progress: Progress = lambda _: None,
    calls: int = CALLS,
    *,
    caches: bool = True,
) -> tuple[tuple[ProgramStart, ...], tuple[Skipped, ...]]:
    """Every subject starts every program in a new process, once in each round; and what could not be measured.

    Subjects with a cache do so once more with a full one, unless `caches` is False. Raises BenchmarkError.
    """
    gaps = Gaps()
    taken: dict[tuple[str, str], _Samples] = defaultdict(_Samples)
    with TemporaryDirectory(prefix="wascc-bench-") as folder:
        plan = {program.name: list(subjects) for program in programs}
        if caches:
            for program in programs:
                plan[program.name] += _fill_caches(subjects, program, Path(folder))
        begin = perf_counter()
        for completed in range(effort.rounds):
            elapsed = perf_counter() - begin
            if completed >= min(MIN_ROUNDS, effort.rounds) and elapsed > effort.seconds:
                break
            for index, program in enumerate(programs):
                due = [each for each in plan[program.name] if taken[program.name, each.name].is_due(completed)]
                _one_round(shuffled(due, completed * len(programs) + index), program, taken, gaps, calls)
                rounds = (completed + (index + 1) / len(programs)) / effort.rounds
                progress(min(1.0, max(rounds, (perf_counter() - begin) / effort.seconds)))
    progress(1.0)
    return tuple(
        ProgramStart(
            program.name,
            len(program.wasm),
            tuple(
                taken[program.name, subject.name].start(subject.name)
                for subject in plan[program.name]
                if taken[program.name, subject.name].answers
            ),
        )
        for program in programs
    ), gaps.skipped()


def measure_imports(subjects: Sequence[Subject], rounds: int) -> Comparison:
    """Seconds until each subject is imported and ready for a module, in a new process that is alone. What cannot be
    imported is not there."""
    samples: dict[str, list[float]] = defaultdict(list)
    for completed in range(rounds):
        for subject in shuffled(subjects, completed):
            with working([subject]) as workers, suppress(SubjectFailedError):
                samples[subject.name].append(workers[subject.name].ask("ready")["seconds"])
    return Comparison(
        "import", tuple(Series(each.name, tuple(samples[each.name])) for each in subjects if samples[each.name])
    )


def _one_round(
    subjects: Sequence[Subject],
    program: Program,
    taken: dict[tuple[str, str], _Samples],
    gaps: Gaps,
    calls: int,
) -> None:
    """One sample of each subject. Their processes start and import together; then one after the other does its work
    while the others wait."""
    with working(subjects) as workers:
        ready: list[tuple[Subject, Worker]] = []
        for subject in subjects:
            try:
                workers[subject.name].prepare(program)
                ready.append((subject, workers[subject.name]))
            except SubjectFailedError as error:
                taken[program.name, subject.name].failed = True
                gaps.add(subject, program.title, error)
        for subject, worker in ready:
            samples = taken[program.name, subject.name]
            begin = perf_counter()
            try:
                samples.answers.append(worker.ask("start", calls=calls))
                samples.seconds = perf_counter() - begin
            except SubjectFailedError as error:
                samples.failed = True
                gaps.add(subject, program.title, error)


def _fill_caches(subjects: Sequence[Subject], program: Program, folder: Path) -> list[Subject]:
    """The subjects that have a cache, each with one that is filled by a process that came before. What a subject
    cannot do shows later."""
    found: list[Subject] = []
    for subject in subjects:
        place = folder / subject.name
        place.mkdir(mode=0o700, exist_ok=True)
        cached = subject.cached(str(place))
        if cached is None:
            continue
        found.append(cached)
        with working([cached]) as workers, suppress(SubjectFailedError):
            worker = workers[cached_name(subject.name)]
            worker.prepare(program)
            worker.ask("start", calls=CALLS)
            worker.finish()
    return found
