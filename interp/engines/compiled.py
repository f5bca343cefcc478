"""The engine `compiled`: functions translated to Python source at their first call."""

from __future__ import annotations

from interp.compiled.machine import CompiledMachine
from interp.engines.embedding import PureEngine
from interp.syntax.features import VERSION_3


def create(features: frozenset[str] = VERSION_3) -> PureEngine:
    """The engine."""
    return PureEngine("compiled", CompiledMachine, features)
