"""Words of the specification as enumerations."""

from __future__ import annotations

from enum import Enum


class Word(Enum):
    """Base of enumerations that are looked up often: they hash by identity, as they are compared, without a call."""

    __hash__ = object.__hash__
