"""Scripts run in worker processes: a script that crashes its worker, takes too long or too much memory ends only
itself."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from conformance.coverage import Applied
from conformance.report import FileReport
from conformance.runner import CommandResult, RunOptions, ScriptRun, describe
from conformance.schedule import rank
from conformance.script import ScriptError, load_script
from conformance.tools import ToolMissingError
from interp.engine import DEFAULT_FEATURES, load_engine

if sys.platform == "linux":
    import resource

# A fresh interpreter: an engine's threads do not survive a fork.
_CONTEXT = multiprocessing.get_context("spawn")
JOIN_SECONDS = 5.0
DEFAULT_MEMORY = 4 << 30
START_SECONDS = 60.0
"""What a worker may take to start, before the time of its script begins to count."""


@dataclass(frozen=True, slots=True)
class _Started:
    """A worker has got its script."""


@dataclass(frozen=True, slots=True)
class _Begin:
    """A worker begins the command on `line`."""

    line: int


@dataclass(frozen=True, slots=True)
class _Done:
    """A worker is done with its script; `error` and `applied` as in FileReport. `usable`: it can run another one."""

    error: str
    usable: bool = True
    applied: Applied = field(default_factory=Applied)


@dataclass(frozen=True, slots=True)
class Job:
    """How a worker runs scripts: the engine's name, the options, a folder for files in between, and the bytes of memory
    that it may have."""

    engine: str
    options: RunOptions
    scratch: Path
    memory: int


def _end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, even if a script runs without end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _limit_memory(limit: int) -> None:
    """Let this process have `limit` bytes of memory, beyond which an allocation fails: of memory that it can write, as
    a JIT reserves far more addresses than it ever uses. Only where the system can tell these apart."""
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _serve(connection: Connection, job: Job) -> None:
    """The worker: run each script whose path arrives, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    _limit_memory(job.memory)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    engine = load_engine(job.engine, job.options.features or DEFAULT_FEATURES)
    while True:
        try:
            path: Path = connection.recv()
        except EOFError:
            return
        connection.send(_Started())
        error, applied = "", Applied()
        try:
            run = ScriptRun(engine, load_script(path, job.scratch), job.options)
            for result in run.results(lambda command: connection.send(_Begin(command.line))):
                connection.send(result)
            applied = run.applied()
        except (ScriptError, ToolMissingError) as failure:
            error = str(failure)
        except Exception as failure:  # the engine has no store, or a fault of our own: the file has not been run
            error = describe(failure)
        connection.send(_Done(error, applied=applied))


@dataclass(slots=True)
class _Worker:
    """One worker process, and what has come of the script it runs (`path`, None while idle)."""

    process: BaseProcess
    connection: Connection
    path: Path | None = None
    started: float = 0.0
    has_started: bool = False
    line: int | None = None
    results: list[CommandResult] = field(default_factory=list)

    def begin(self, path: Path) -> None:
        self.path, self.line, self.results = path, None, []
        self.started, self.has_started = time.monotonic(), False
        with suppress(OSError):  # a worker that has died meanwhile is noticed when it is waited for
            self.connection.send(path)

    def report(self, name: str, done: _Done) -> FileReport:
        """The report of the script, after which the worker is idle."""
        self.path = None
        return FileReport(name, tuple(self.results), done.error, time.monotonic() - self.started, done.applied)

    def end_time(self, timeout: float) -> float:
        """When the script must have ended."""
        return self.started + timeout + (0.0 if self.has_started else START_SECONDS)

    def place(self) -> str:
        return "before its first command" if self.line is None else f"in the command at line {self.line}"

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join(JOIN_SECONDS)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back, so that a process started meanwhile is not interrupted before it can ignore that itself."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(job: Job) -> _Worker:
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_serve, args=(theirs, job), daemon=True)
    with _interrupts_held():
        process.start()
    theirs.close()
    return _Worker(process, ours)


def _drain(worker: _Worker) -> _Done | None:
    """Take in what `worker` has sent: how its script ended, or None if that still runs."""
    try:
        while worker.connection.poll():
            message = worker.connection.recv()
            if isinstance(message, _Done):
                return message
            if isinstance(message, _Started):
                worker.started, worker.has_started = time.monotonic(), True
            elif isinstance(message, _Begin):
                worker.line = message.line
            else:
                worker.results.append(message)
    except (EOFError, OSError):
        worker.process.join(JOIN_SECONDS)
        code = worker.process.exitcode
        return _Done(f"the engine's process ended with exit code {code} {worker.place()}", usable=False)
    return None


class Pool:
    """Runs scripts on up to `jobs` workers, each script for up to `timeout` seconds with up to `memory` bytes."""

    def __init__(
        self, engine: str, options: RunOptions, jobs: int, timeout: float, memory: int = DEFAULT_MEMORY
    ) -> None:
        self._engine = engine
        self._options = options
        self._jobs = max(1, jobs)
        self._timeout = timeout
        self._memory = memory
        self._workers: list[_Worker] = []

    def run(self, paths: Sequence[Path], names: Mapping[Path, str]) -> Iterator[FileReport]:
        """Run the scripts, the slow ones first, giving the report of each as it ends; `names` are for the reports."""
        waiting = deque(sorted(paths, key=lambda path: rank(names[path])))
        with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
            job = Job(self._engine, self._options, Path(scratch), self._memory)
            try:
                while waiting or self._busy():
                    self._assign(waiting, job)
                    for worker, done in self._ended():
                        name = names[worker.path] if worker.path is not None else ""
                        yield worker.report(name, done)
            finally:
                for worker in self._workers:
                    worker.end()
                self._workers.clear()

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.path is not None]

    def _assign(self, waiting: deque[Path], job: Job) -> None:
        """Give every idle worker a script, starting workers as long as there is work for more of them."""
        idle = [worker for worker in self._workers if worker.path is None]
        while waiting and (idle or len(self._workers) < self._jobs):
            if not idle:
                idle.append(_start(job))
                self._workers.append(idle[-1])
            idle.pop().begin(waiting.popleft())

    def _ended(self) -> Iterator[tuple[_Worker, _Done]]:
        """Wait until something happens: the workers whose scripts have ended, and how."""
        busy = self._busy()
        left = min(worker.end_time(self._timeout) for worker in busy) - time.monotonic()
        wait([worker.connection for worker in busy], timeout=max(0.0, left))
        for worker in busy:
            done = _drain(worker)
            if done is None and time.monotonic() >= worker.end_time(self._timeout):
                done = _Done(f"time-out after {self._timeout:g} s {worker.place()}", usable=False)
            if done is None:
                continue
            if not done.usable:
                worker.end()
                self._workers.remove(worker)
            yield worker, done
