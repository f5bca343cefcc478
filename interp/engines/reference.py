"""The engine `reference`: the machine that applies the specification's reduction rules one by one."""

from __future__ import annotations

from interp.engines.embedding import PureEngine
from interp.reference.machine import Machine
from interp.syntax.features import VERSION_3


def create(features: frozenset[str] = VERSION_3) -> PureEngine:
    """The engine."""
    return PureEngine("reference", Machine, features)
