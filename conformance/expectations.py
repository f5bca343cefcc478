"""Expected failures: one TOML file per engine in the folder `expected`, and they are strict.

    [[failure]]
    file = "linking.wast"       # as reports name it
    lines = [12, 40]            # without it, the script as a whole cannot be run to its end
    reason = "why this cannot work on this engine"

A failure that is not listed is unexpected; so are a listed command that passes and a listed line without a command.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from conformance.record import Unexpected
from conformance.runner import CommandResult, Outcome

FOLDER = Path(__file__).with_name("expected")


class ExpectationsError(ValueError):
    """A file of expected failures cannot be read."""


class _Failure(BaseModel):
    model_config = ConfigDict(extra="forbid")
    file: str
    lines: list[int] | None = None
    reason: str


class _Failures(BaseModel):
    model_config = ConfigDict(extra="forbid")
    failure: list[_Failure] = []


@dataclass(frozen=True, slots=True)
class Expectations:
    """The expected failures of one engine: reasons by file, and there by line (None: the script as a whole)."""

    failures: Mapping[str, Mapping[int | None, str]] = field(default_factory=dict)

    def lines(self, file: str) -> frozenset[int | None]:
        """The lines of `file` that are expected to fail."""
        return frozenset(self.failures.get(file, ()))

    def judge(
        self, file: str, results: Iterable[CommandResult], error: str = "", *, whole: bool = True
    ) -> tuple[Unexpected, ...]:
        """What is unexpected in the results of `file`; `error` says why the script did not run to its end ("": it did),
        `whole` whether all of its commands are in `results`."""
        expected = self.lines(file)
        counted = list(results)
        failed = {result.line for result in counted if result.outcome is Outcome.FAILED}
        passed = {result.line for result in counted if result.outcome is Outcome.PASSED}
        found = [
            Unexpected(result.line, result.reason)
            for result in counted
            if result.outcome is Outcome.FAILED and result.line not in expected
        ]
        listed = sorted(line for line in expected if line is not None)
        found += [Unexpected(line, "passed, but is expected to fail") for line in listed if line in passed - failed]
        if error and None not in expected:
            found.append(Unexpected(None, error))
        if whole and not error:
            present = {result.line for result in counted}
            found += [Unexpected(line, "expected to fail, but is no command") for line in listed if line not in present]
            if None in expected:
                found.append(Unexpected(None, "ran to its end, but is expected not to"))
        return tuple(found)


def load_expectations(engine: str, folder: Path = FOLDER) -> Expectations:
    """The expected failures of `engine`: those in `folder`/`engine`.toml, none if there is no such file.

    Raises: ExpectationsError.
    """
    path = folder / f"{engine}.toml"
    if not path.is_file():
        return Expectations()
    try:
        read = _Failures.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ExpectationsError(f"{path}: {' '.join(str(error).split())}") from error
    failures: dict[str, dict[int | None, str]] = {}
    for failure in read.failure:
        lines: list[int | None] = [None] if failure.lines is None else list(failure.lines)
        failures.setdefault(failure.file, {}).update(dict.fromkeys(lines, failure.reason))
    return Expectations(failures)
