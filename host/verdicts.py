"""Verdicts: what each check has found. The host raises the first refusal; `host.explain` shows them all.

A check stands in one place and is a generator of verdicts, so that what is explained is what is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from host.errors import HostError


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is refused: the rule, the text of the error, and a command or a change that would help, "" if
    none is known."""

    rule: str
    text: str
    fix: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check called `rule` says: allowed, or refused with an error."""

    rule: str
    error: HostError | None = None

    @property
    def refusal(self) -> Refusal | None:
        """The refusal, None if it is allowed."""
        return None if self.error is None else Refusal(self.rule, self.error.message, self.error.fix)


def require(verdicts: Iterable[Verdict]) -> None:
    """Raise the error of the first verdict that refuses; what comes after it is not asked."""
    for verdict in verdicts:
        if verdict.error is not None:
            raise verdict.error


def attempted(rule: str, step: Callable[[], object]) -> Verdict:
    """The verdict of a check that raises a HostError where it refuses."""
    try:
        step()
    except HostError as error:
        return Verdict(rule, error)
    return Verdict(rule)
