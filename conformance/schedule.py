"""Which scripts take long: those are run first, and left out where a run must be short."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

SMOKE_FILE = Path(__file__).with_name("smoke.toml")


@cache
def slow() -> tuple[str, ...]:
    """The scripts that smoke.toml lists, the slowest first."""
    return tuple(tomllib.loads(SMOKE_FILE.read_text(encoding="utf-8"))["slow"])


def rank(file: str) -> int:
    """What scripts are sorted by, given their names in reports; the order of all others stays as it is."""
    return slow().index(file) if file in slow() else len(slow())
