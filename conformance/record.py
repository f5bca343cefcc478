"""Reports as data: what a run found, counted and in the form that is written to a file and read again.

The JSON form of a report is the fields of `Report`, by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

FORMAT = 2
"""Version of the JSON form."""


class ReportError(ValueError):
    """A file is not a report of this version."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of commands. `executed` are those that the engine was asked to carry out; a command that failed because
    its module had failed before was not executed, and neither were those skipped. Commands about the text format are
    only counted as `text`, whatever became of them."""

    executed: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    text: int = 0

    @property
    def commands(self) -> int:
        """All commands; every one passed, failed, was skipped, or is about the text format."""
        return self.passed + self.failed + self.skipped + self.text

    @property
    def complete(self) -> bool:
        """Whether every command about WebAssembly itself was executed, and passed."""
        return not self.failed and not self.skipped

    def __add__(self, other: Totals) -> Totals:
        return Totals(*(getattr(self, name) + getattr(other, name) for name in NAMES))


NAMES: tuple[str, ...] = Totals.__slots__
"""What is counted."""


def add(counts: Iterable[Totals]) -> Totals:
    """The sum."""
    return sum(counts, Totals())


def add_kinds(counts: Iterable[dict[str, Totals]]) -> dict[str, Totals]:
    """The sums for each kind of command, by name."""
    found: dict[str, Totals] = {}
    for each in counts:
        for kind, totals in each.items():
            found[kind] = found.get(kind, Totals()) + totals
    return {kind: found[kind] for kind in sorted(found)}


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that failed. `expected`: the file of expected failures lists its line."""

    line: int
    kind: str
    reason: str
    executed: bool
    expected: bool


@dataclass(frozen=True, slots=True)
class Unexpected:
    """Something that is not as it should be; `line` is None where it concerns the whole script."""

    line: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One script: `proposal` is the name of the feature that it came with, `error` says why it could not be run to its
    end, or is None, `skipped` counts the reasons to skip. `seconds` is wall clock."""

    file: str
    proposal: str
    seconds: float
    error: str | None
    totals: Totals
    kinds: dict[str, Totals]
    failures: tuple[Failure, ...]
    skipped: dict[str, int]
    unexpected: tuple[Unexpected, ...]


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """The scripts of one feature together; `files` is their number, `within` names scripts of others that test it."""

    name: str
    title: str
    version: str
    files: int
    within: tuple[str, ...]
    totals: Totals
    kinds: dict[str, Totals]


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """How often a rule of the specification was applied, and the command that was the first to do so, as `file:line`
    (None: no command). Of one that the suite does not apply, `reason` says why, if that is known, and `test` names a
    test of ours that does, or that shows why no module can if it is not `reachable`."""

    rule: str
    count: int
    first: str | None
    reason: str | None = None
    test: str | None = None
    reachable: bool = True


@dataclass(frozen=True, slots=True)
class Coverage:
    """The reduction rules and the typing rules of instructions; all of them, in the order of their names."""

    reduction: tuple[RuleRecord, ...]
    validation: tuple[RuleRecord, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. `features` is the set beyond which modules were skipped (None: no module was), `phase` says whether
    malformed and invalid modules had to be told apart, `line` is the only line that was reported, if any.
    `interrupted`: the run was ended before it had got to all scripts."""

    format: int
    engine: str
    features: str | None
    phase: str
    line: int | None
    interrupted: bool
    ok: bool
    seconds: float
    totals: Totals
    kinds: dict[str, Totals]
    proposals: tuple[ProposalRecord, ...]
    files: tuple[FileRecord, ...]
    coverage: Coverage | None

    def to_json(self) -> str:
        """The JSON form: every failure and every reason to skip, but not every pass."""
        return json.dumps(asdict(self), indent=2)


REPORT = TypeAdapter(Report)


def load_report(path: Path) -> Report:
    """Read a report that was written as JSON.  Raises ReportError, OSError."""
    try:
        report = REPORT.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ReportError(f"{path}: not a report of format {FORMAT}: {place}: {first['msg']}") from error
    if report.format != FORMAT:
        raise ReportError(f"{path}: a report of format {report.format}, not {FORMAT}")
    return report
