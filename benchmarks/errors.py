"""What can go wrong with a measurement; each text is one line for a person."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A measurement cannot be made."""


class WrongOutputError(BenchmarkError):
    """What was to be timed does not do what it should, so its time would mean nothing."""


def check_output(what: str, actual: object, expected: object) -> None:
    """Refuse to time what gives a wrong result. Raises WrongOutputError."""
    if actual != expected:
        raise WrongOutputError(f"{what}: expected {_short(expected)}, got {_short(actual)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}…"
