"""A run over many cases, on several processes, and what it found."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from conformance.lockstep.cases import Source, case_name, make_case
from conformance.lockstep.compare import Lockstep
from conformance.lockstep.engines import load
from conformance.lockstep.findings import COMMAND, Finding
from conformance.lockstep.narrow import narrowed
from conformance.lockstep.pool import Pool
from conformance.lockstep.suite import script_difference
from conformance.tools import ToolFailedError, ToolMissingError

CASE_SECONDS = 180.0
"""What one case may take, narrowing down included."""

SCRIPT_SECONDS = 900.0
"""What one script of the test suite may take."""

DEFAULT_MEMORY = 3 << 30


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is run: cases 0 to `modules` of `seed` from `source` on `engines`, the first of which the others are
    compared with; of the source `suite`, each of the `scripts` is a case. Each process narrows down its first `narrow`
    findings, for up to `seconds` each. `backtraces` is as in Lockstep."""

    engines: tuple[str, ...]
    source: Source = Source.BOTH
    seed: int = 0
    modules: int = 300
    jobs: int = 1
    narrow: int = 5
    seconds: float = 30.0
    memory: int = DEFAULT_MEMORY
    scripts: tuple[Path, ...] = ()
    backtraces: bool = True

    def command(self, index: int) -> str:
        """The command that runs one case again."""
        options = f"--engines {','.join(self.engines)}{'' if self.backtraces else ' --no-backtraces'}"
        if self.scripts:
            return f"{COMMAND} --source {self.source.value} --suite {self.scripts[index]} {options}"
        return f"{COMMAND} --source {self.source.value} --seed {self.seed} --case {index} {options}"


@dataclass(slots=True)
class Report:
    """What came of a run: how many cases of how many, the findings, and the seconds it took."""

    campaign: Campaign
    cases: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def ok(self) -> bool:
        """Whether all cases were run, without a difference."""
        return not self.findings and not self.interrupted


class Worker:
    """Runs cases of a campaign in one process."""

    def __init__(self, campaign: Campaign, scratch: Path) -> None:
        self._campaign = campaign
        self._scratch = scratch
        self._lockstep = Lockstep([load(name) for name in campaign.engines], backtraces=campaign.backtraces)
        self._left = campaign.narrow

    def __call__(self, index: int) -> Finding | None:
        """Run a case: what was found, if anything was."""
        campaign = self._campaign
        if campaign.scripts:
            return self._script(index)
        subject = make_case(campaign.source, campaign.seed, index, self._scratch)
        difference = self._lockstep.difference(subject)
        if difference is None:
            return None
        finding = Finding(subject.seed, campaign.command(index), subject.wasm, difference)
        if self._left <= 0:
            return finding
        self._left -= 1
        return narrowed(self._lockstep, finding, campaign.seconds)

    def _script(self, index: int) -> Finding | None:
        path = self._campaign.scripts[index]
        engines = list(self._lockstep.engines.values())
        found = script_difference(engines, path, self._scratch, backtraces=self._campaign.backtraces)
        return None if found is None else Finding(path.name, self._campaign.command(index), b"", None, str(found))


def run(campaign: Campaign, progress: Callable[[int, Finding | None], None] = lambda *_: None) -> Report:
    """Run a campaign; `progress` is told of each case that is done and of what was found in it. A KeyboardInterrupt
    ends it early.  Raises PoolError, ToolMissingError, ToolFailedError."""
    report = Report(campaign)
    started = time.monotonic()
    seconds = SCRIPT_SECONDS if campaign.scripts else CASE_SECONDS
    pool: Pool[int, Finding | None] = Pool(partial(Worker, campaign), campaign.jobs, seconds, campaign.memory)
    try:
        for done in pool.run(range(len(campaign.scripts) or campaign.modules)):
            finding = done.result
            if done.lost:
                finding = lost(campaign, done.item, done.lost)
            report.cases += 1
            if finding is not None:
                report.findings.append(finding)
            progress(done.item, finding)
    except KeyboardInterrupt:
        report.interrupted = True
    report.seconds = time.monotonic() - started
    return report


def lost(campaign: Campaign, index: int, why: str) -> Finding:
    """The finding of a case whose process was lost, or that failed here; its module is made once more."""
    if campaign.scripts:
        return Finding(campaign.scripts[index].name, campaign.command(index), b"", None, why)
    name = case_name(campaign.source, campaign.seed, index)
    try:
        with tempfile.TemporaryDirectory(prefix="lockstep-") as scratch:
            wasm = make_case(campaign.source, campaign.seed, index, Path(scratch)).wasm
    except (ToolMissingError, ToolFailedError, OSError):
        wasm = b""
    return Finding(name, campaign.command(index), wasm, None, why)
