"""What a run found: counts per kind of command and per file, and the JSON form of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from conformance.expectations import Expectations, Unexpected
from conformance.runner import CommandResult, Outcome

FORMAT = 1
"""Version of the JSON form."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of commands. `executed` are those that the engine was asked to carry out; a command that failed because
    its module had failed before was not executed, and neither were those skipped or about the text format."""

    executed: int
    passed: int
    failed: int
    skipped: int
    text: int

    def to_json(self) -> dict[str, int]:
        """The counts by name."""
        return {name: getattr(self, name) for name in self.__slots__}


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
    """The run of one script: `error` says why it could not be run to its end, or is "". `seconds` is wall clock."""

    file: str
    results: tuple[CommandResult, ...]
    error: str
    seconds: float

    @property
    def failures(self) -> tuple[CommandResult, ...]:
        """The commands that failed."""
        return tuple(result for result in self.results if result.outcome is Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class RunReport:
    """A whole run: the engine's name, how it was run, its files, and what was expected to fail in them."""

    engine: str
    features: str | None
    strict_phase: bool
    line: int | None
    files: tuple[FileReport, ...]
    expectations: Expectations

    @property
    def results(self) -> list[CommandResult]:
        """The results of all files."""
        return [result for file in self.files for result in file.results]

    def unexpected(self, file: FileReport) -> tuple[Unexpected, ...]:
        """What is not as it should be in `file`."""
        return self.expectations.judge(file.file, file.results, file.error, whole=self.line is None)

    @property
    def ok(self) -> bool:
        """Whether something was run, and nothing unexpected came of it."""
        return bool(self.results) and not any(map(self.unexpected, self.files))

    def to_json(self) -> dict[str, Any]:
        """The report as JSON data: every failure and every reason to skip, but not every pass."""
        return {
            "format": FORMAT,
            "engine": self.engine,
            "features": self.features,
            "phase": "strict" if self.strict_phase else "any rejection",
            "line": self.line,
            "ok": self.ok,
            "totals": totals(self.results).to_json(),
            "kinds": _kinds_json(self.results),
            "files": [self._file_json(file) for file in self.files],
        }

    def _file_json(self, file: FileReport) -> dict[str, Any]:
        expected = self.expectations.lines(file.file)
        skipped = Counter(result.reason for result in file.results if result.outcome is Outcome.SKIPPED)
        return {
            "file": file.file,
            "seconds": round(file.seconds, 3),
            "error": file.error or None,
            "totals": totals(file.results).to_json(),
            "kinds": _kinds_json(file.results),
            "failures": [
                {
                    "line": f.line,
                    "kind": f.kind,
                    "reason": f.reason,
                    "executed": f.executed,
                    "expected": f.line in expected,
                }
                for f in file.failures
            ],
            "skipped": dict(skipped.most_common()),
            "unexpected": [{"line": u.line, "reason": u.reason} for u in self.unexpected(file)],
        }


def _kinds_json(results: Iterable[CommandResult]) -> dict[str, dict[str, int]]:
    return {kind: counts.to_json() for kind, counts in totals_by_kind(results).items()}
