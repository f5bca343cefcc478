"""Campaigns: many cases on several worker processes. A case that ends its process, or never ends, ends only that."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from conformance.fuzz.cases import Case, CaseKind, make_case
from conformance.fuzz.corpus import Corpus
from conformance.fuzz.findings import Finding, Symptom
from conformance.fuzz.properties import HANG_SECONDS, Bounds, Checker

_CONTEXT = multiprocessing.get_context("spawn")
BATCH = 200
"""Cases that a worker gets at a time."""

SILENCE_SECONDS = 4 * HANG_SECONDS
"""After so long without a sign of life, a worker is ended."""

JOIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is run: cases 0 to `cases` of `seed`, from the modules of `corpus`, on `jobs` processes, within `bounds`."""

    seed: int
    cases: int
    corpus: Corpus
    jobs: int = 1
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(slots=True)
class Report:
    """What came of a campaign: how many cases were run, of each kind, and the findings in the order they came."""

    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Cases that were run."""
        return self.kinds.total()


@dataclass(frozen=True, slots=True)
class _Begin:
    """A worker begins with case `index`."""

    index: int


@dataclass(frozen=True, slots=True)
class _Done:
    """A worker is done with the cases before `next_index`. `usable`: it can take more."""

    next_index: int
    kinds: Counter[str]
    usable: bool


def case_name(seed: int, case: Case) -> str:
    """What findings call a case: how it came about, the seed, and its number."""
    return f"{case.kind.name.lower()}-{seed}-{case.index}"


def run_case(campaign: Campaign, index: int, checker: Checker, scratch: Path) -> tuple[Case, list[Finding]]:
    """Make case `index` and check it.  Raises ToolMissingError, ToolFailedError."""
    case = make_case(campaign.seed, index, campaign.corpus, scratch)
    canonical = case.kind is CaseKind.GENERATED
    return case, list(checker.check(case_name(campaign.seed, case), case.wasm, case.run, canonical))


def _serve(connection: Connection, campaign: Campaign, scratch: Path) -> None:
    """The worker: run each range of cases that arrives, until there are no more or the parent is gone."""
    checker = Checker(campaign.bounds)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while not checker.exhausted:
            cases: range = connection.recv()
            kinds: Counter[str] = Counter()
            for index in cases:
                connection.send(_Begin(index))
                case, findings = run_case(campaign, index, checker, scratch)
                kinds[case.kind.name.lower()] += 1
                for finding in findings:
                    connection.send(finding)
                if checker.exhausted:
                    break
            connection.send(_Done(index + 1, kinds, not checker.exhausted))


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process started inside the block never hears of Ctrl-C: that is for the parent, which ends its workers."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(slots=True)
class _Worker:
    """A worker process, the cases that it has still to begin with, the one it is at, and when it last was heard."""

    process: BaseProcess
    connection: Connection
    scratch: tempfile.TemporaryDirectory[str]
    left: range = range(0)
    index: int | None = None
    heard: float = 0.0

    @classmethod
    def start(cls, campaign: Campaign) -> _Worker:
        ours, theirs = _CONTEXT.Pipe()
        scratch = tempfile.TemporaryDirectory(prefix="fuzz-")
        process = _CONTEXT.Process(target=_serve, args=(theirs, campaign, Path(scratch.name)), daemon=True)
        with _interrupts_ignored():
            process.start()
        theirs.close()
        return cls(process, ours, scratch)

    def give(self, cases: range) -> None:
        self.left, self.index, self.heard = cases, None, time.monotonic()
        with suppress(OSError):  # a worker that has died meanwhile is noticed when it is waited for
            self.connection.send(cases)

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join(JOIN_SECONDS)
        self.scratch.cleanup()


class CampaignError(RuntimeError):
    """Workers end before they have begun with a case."""


class Runner:
    """Runs one campaign; `progress` is called with the number of cases done and of findings, as they change."""

    def __init__(self, campaign: Campaign, progress: Callable[[int, int], None] = lambda *_: None) -> None:
        self._campaign = campaign
        self._progress = progress
        self._workers: list[_Worker] = []
        self._waiting: deque[range] = deque(
            range(start, min(start + BATCH, campaign.cases)) for start in range(0, campaign.cases, BATCH)
        )
        self.report = Report()

    def run(self) -> Report:
        """The report. Raises CampaignError; after a KeyboardInterrupt `report` holds what was done until then."""
        try:
            while self._waiting or self._busy():
                self._assign()
                self._listen()
        finally:
            for worker in self._workers:
                worker.end()
            self._workers.clear()
        return self.report

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.left]

    def _assign(self) -> None:
        idle = [worker for worker in self._workers if not worker.left]
        while self._waiting and (idle or len(self._workers) < max(1, self._campaign.jobs)):
            if not idle:
                idle.append(_Worker.start(self._campaign))
                self._workers.append(idle[-1])
            idle.pop().give(self._waiting.popleft())

    def _listen(self) -> None:
        busy = self._busy()
        wait([worker.connection for worker in busy], timeout=1.0)
        for worker in busy:
            try:
                while worker.left and worker.connection.poll():
                    self._take(worker, worker.connection.recv())
            except (EOFError, OSError):
                worker.process.join(JOIN_SECONDS)
                self._lost(worker, f"the process ended with exit code {worker.process.exitcode}")
                continue
            if worker.left and time.monotonic() - worker.heard > SILENCE_SECONDS:
                self._lost(worker, f"no sign of life for {SILENCE_SECONDS:g} s")

    def _take(self, worker: _Worker, message: object) -> None:
        worker.heard = time.monotonic()
        if isinstance(message, _Begin):
            worker.index = message.index
        elif isinstance(message, Finding):
            self.report.findings.append(message)
        elif isinstance(message, _Done):
            self.report.kinds.update(message.kinds)
            rest = range(message.next_index, worker.left.stop)
            worker.left = range(0)
            if rest:
                self._waiting.appendleft(rest)
            if not message.usable:
                self._remove(worker)
        self._progress(self.report.cases, len(self.report.findings))

    def _lost(self, worker: _Worker, why: str) -> None:
        """A worker is gone: what it was at is a finding, what it had still to do waits again."""
        index, left = worker.index, worker.left
        self._remove(worker)
        if index is None:
            raise CampaignError(f"{why} before its first case")
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
            case = make_case(self._campaign.seed, index, self._campaign.corpus, Path(scratch))
        self.report.findings.append(Finding(Symptom.CRASH, case_name(self._campaign.seed, case), why, case.wasm))
        self.report.kinds.update({"lost": index + 1 - left.start})
        if index + 1 < left.stop:
            self._waiting.appendleft(range(index + 1, left.stop))

    def _remove(self, worker: _Worker) -> None:
        worker.end()
        self._workers.remove(worker)


def summary(findings: Sequence[Finding]) -> list[tuple[Symptom, int]]:
    """How many findings there are of each symptom."""
    return Counter(finding.symptom for finding in findings).most_common()
