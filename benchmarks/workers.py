"""The workers of a run, seen from the process that leads it: each is asked, and answers within a time or is ended."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.processes import Process, uninterrupted
from benchmarks.subjects.program import Program
from benchmarks.subjects.registry import Subject

WORKER = Path(__file__).with_name("worker.py")
ANSWER_SECONDS = 60.0
"""A request that takes longer is given up."""


class SubjectFailedError(BenchmarkError):
    """A subject could not do what it was asked for; the message is its reason."""


class Worker(Process):
    """The process of one subject; it starts at once. Used as a context manager it is stopped."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        # -P: the folder of worker.py must not be where other modules are found.
        command = [sys.executable, "-P", str(WORKER), subject.factory, *subject.modules]
        super().__init__(command, folder, subject.environment)
        self.subject = subject

    def ask(self, do: str, /, **arguments: Any) -> Mapping[str, Any]:
        """The answer to one request (`benchmarks.requests`). Raises SubjectFailedError."""
        request = {"do": do, "options": self.subject.options, **arguments}
        late: list[bool] = []

        def give_up() -> None:
            late.append(True)
            self.popen.kill()

        watch = Timer(ANSWER_SECONDS, give_up)
        watch.daemon = True
        watch.start()
        try:
            line = self._exchange(json.dumps(request))
        finally:
            watch.cancel()
        if late:
            raise SubjectFailedError(f"it took longer than {ANSWER_SECONDS:g} seconds")
        if not line:
            raise SubjectFailedError(f"its process ended: {self.last_error()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SubjectFailedError(answer["error"])
        return answer

    def _exchange(self, request: str) -> str:
        if self.popen.stdin is None or self.popen.stdout is None:
            raise BenchmarkError("a worker has no pipes")
        try:
            self.popen.stdin.write(request + "\n")
            self.popen.stdin.flush()
            return self.popen.stdout.readline()
        except OSError:
            return ""

    def pin(self, core: int) -> None:
        """Let it run on one core only, all its threads."""
        # A process that has just ended is found out when it is asked for something.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(self.popen.pid, {core})

    def prepare(self, program: Program) -> None:
        """Have it take a program in. Raises SubjectFailedError."""
        self.ask("prepare", program=program.to_json())


def pin_all(workers: Iterable[Worker]) -> None:
    """Let workers that are asked one after the other share one core, where a process may be told so: cores differ in
    what else they are busy with, and a worker mostly stays where it is."""
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0))
        for worker in workers:
            worker.pin(core)


@contextmanager
def working(subjects: Iterable[Subject]) -> Iterator[dict[str, Worker]]:
    """A worker for each subject, by name; they all end with the context."""
    with TemporaryDirectory(prefix="wascc-bench-") as name, ExitStack() as running:
        workers: dict[str, Worker] = {}
        for subject in subjects:
            with uninterrupted():
                workers[subject.name] = running.enter_context(Worker(subject, Path(name)))
        yield workers
