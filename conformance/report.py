"""What a run found, and the record that is made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.coverage import Applied, coverage_of
from conformance.expectations import Expectations
from conformance.proposals import Proposal, proposal_of, proposals
from conformance.record import (
    FORMAT,
    Failure,
    FileRecord,
    ProposalRecord,
    Report,
    Totals,
    Unexpected,
    add,
    add_kinds,
)
from conformance.runner import CommandResult, Outcome


def totals(results: Iterable[CommandResult]) -> Totals:
    """Count `results`."""
    counted = list(results)
    outcomes = Counter(result.outcome for result in counted)
    return Totals(
        executed=sum(result.executed for result in counted),
        passed=outcomes[Outcome.PASSED],
        failed=outcomes[Outcome.FAILED],
        skipped=outcomes[Outcome.SKIPPED],
        text=outcomes[Outcome.TEXT],
    )


def totals_by_kind(results: Iterable[CommandResult]) -> dict[str, Totals]:
    """Count `results` for each kind of command."""
    kinds: dict[str, list[CommandResult]] = {}
    for result in results:
        kinds.setdefault(result.kind, []).append(result)
    return {kind: totals(kinds[kind]) for kind in sorted(kinds)}


@dataclass(frozen=True, slots=True)
class FileReport:
    """The run of one script: `error` says why it could not be run to its end, or is "". `seconds` is wall clock;
    `applied` the rules that it applied, if that was observed."""

    file: str
    results: tuple[CommandResult, ...]
    error: str
    seconds: float
    applied: Applied = field(default_factory=Applied)

    @property
    def failures(self) -> tuple[CommandResult, ...]:
        """The commands that failed."""
        return tuple(result for result in self.results if result.outcome is Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class RunReport:
    """A whole run: the engine's name, how it was run, its files, and what was expected to fail in them. `seconds` is
    wall clock; `observed` says whether the rules that were applied are known, `interrupted` whether files are missing.
    """

    engine: str
    features: str | None
    strict_phase: bool
    line: int | None
    files: tuple[FileReport, ...]
    expectations: Expectations
    seconds: float = 0.0
    observed: bool = False
    interrupted: bool = False

    @property
    def results(self) -> list[CommandResult]:
        """The results of all files."""
        return [result for file in self.files for result in file.results]

    def unexpected(self, file: FileReport) -> tuple[Unexpected, ...]:
        """What is not as it should be in `file`."""
        return self.expectations.judge(file.file, file.results, file.error, whole=self.line is None)

    @property
    def ok(self) -> bool:
        """Whether something was run, to its end, and nothing unexpected came of it."""
        return bool(self.results) and not self.interrupted and not any(map(self.unexpected, self.files))

    def record(self) -> Report:
        """The report as data."""
        files = tuple(self._file(file) for file in self.files)
        return Report(
            format=FORMAT,
            engine=self.engine,
            features=self.features,
            phase="strict" if self.strict_phase else "any rejection",
            line=self.line,
            interrupted=self.interrupted,
            ok=self.ok,
            seconds=round(self.seconds, 3),
            totals=add(file.totals for file in files),
            kinds=add_kinds(file.kinds for file in files),
            proposals=tuple(_proposals(files)),
            files=files,
            coverage=coverage_of([(file.file, file.applied) for file in self.files]) if self.observed else None,
        )

    def _file(self, file: FileReport) -> FileRecord:
        expected = self.expectations.lines(file.file)
        skipped = Counter(result.reason for result in file.results if result.outcome is Outcome.SKIPPED)
        return FileRecord(
            file=file.file,
            proposal=proposal_of(file.file).name,
            seconds=round(file.seconds, 3),
            error=file.error or None,
            totals=totals(file.results),
            kinds=totals_by_kind(file.results),
            failures=tuple(Failure(f.line, f.kind, f.reason, f.executed, f.line in expected) for f in file.failures),
            skipped=dict(skipped.most_common()),
            unexpected=self.unexpected(file),
        )


def _proposals(files: tuple[FileRecord, ...]) -> Iterable[ProposalRecord]:
    """The features that the files test: those that they came with, and those tested only within others' files."""
    names = {file.file for file in files}
    for proposal in proposals():
        own = [file for file in files if file.proposal == proposal.name]
        if own or (not proposal.files and names & set(proposal.within)):
            yield _proposal(proposal, own)


def _proposal(proposal: Proposal, files: list[FileRecord]) -> ProposalRecord:
    return ProposalRecord(
        name=proposal.name,
        title=proposal.title,
        version=proposal.version,
        files=len(files),
        within=proposal.within,
        totals=add(file.totals for file in files),
        kinds=add_kinds(file.kinds for file in files),
    )
