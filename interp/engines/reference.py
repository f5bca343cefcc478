"""The engine `reference`: the machine that applies the specification's reduction rules one by one."""

from __future__ import annotations

from interp.engines.embedding import PureEngine
from interp.reference.machine import Machine


def create() -> PureEngine:
    """The engine."""
    return PureEngine("reference", Machine)
