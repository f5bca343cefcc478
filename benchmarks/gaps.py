"""What subjects could not do, with their reasons: shown in the report, never left out in silence."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.errors import BenchmarkError
from benchmarks.report import Skipped
from benchmarks.subjects.registry import Subject


@dataclass(slots=True)
class Gaps:
    """What was found so far, by subject and reason."""

    found: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, subject: Subject, what: str, error: BenchmarkError) -> None:
        """Note that a subject could not do it. Raises BenchmarkError if it is one that has to."""
        if subject.required:
            raise BenchmarkError(f"{what} on {subject.name}: {error}") from error
        of_subject = self.found.setdefault((subject.family, str(error)), [])
        if what not in of_subject:
            of_subject.append(what)

    def skipped(self) -> tuple[Skipped, ...]:
        """For the report; those who could not do the same things for the same reason are named together."""
        together: dict[tuple[str, str], list[str]] = {}
        for (name, reason), what in self.found.items():
            together.setdefault((reason, ", ".join(what)), []).append(name)
        return tuple(Skipped(f"{what} on {' and '.join(names)}", reason) for (reason, what), names in together.items())
