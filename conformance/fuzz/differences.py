"""Where Wasmtime and this implementation may judge a module differently, each class with its reason.

What is not in these lists is a fault, here or there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """Errors whose text matches `text` (a regular expression) say nothing about the specification, for `reason`."""

    text: str
    reason: str

    def matches(self, message: str) -> bool:
        """Whether an error's text is of this class."""
        return re.search(self.text, message) is not None


WASMTIME_REFUSES = (
    KnownDifference(
        r"count exceeds limit of", "Wasmtime limits how many things of a kind a module, or a function, has."
    ),
    KnownDifference(r"(?:params|returns|fields|types) size is out of bounds", "Wasmtime limits the sizes of types."),
    KnownDifference(r"string size out of bounds", "Wasmtime limits names to 100,000 bytes."),
    KnownDifference(r"too many locals|hierarchy too deep", "Both limit these, but may count differently."),
)
"""Valid here, refused by Wasmtime."""

WE_REFUSE = (
    KnownDifference(r"too many locals", "Locals of a whole module are limited here, for they are kept one by one."),
    KnownDifference(r"too many (?:operands|parameters|fields)|super types above", "As Wasmtime, or as others, do."),
)
"""Refused here, valid for Wasmtime."""


def known(message: str, differences: tuple[KnownDifference, ...]) -> bool:
    """Whether an error's text is of one of these classes."""
    return any(difference.matches(message) for difference in differences)
