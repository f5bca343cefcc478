"""Features: what came to WebAssembly after version 1.0, by the names of proposals, and the versions as sets of them.

Spec: appendix/changes
"""

from __future__ import annotations

CORE = "1.0"
"""What `Op.since` says of a row that was always there."""

SIGN_EXTENSION = "sign-extension"
SATURATING_FLOAT_TO_INT = "saturating-float-to-int"
MULTI_VALUE = "multi-value"
REFERENCE_TYPES = "reference-types"
BULK_MEMORY = "bulk-memory"
SIMD = "simd"
RELAXED_SIMD = "relaxed-simd"
EXTENDED_CONST = "extended-const"
TAIL_CALL = "tail-call"
EXCEPTIONS = "exceptions"
MULTI_MEMORY = "multi-memory"
MEMORY64 = "memory64"
FUNCTION_REFERENCES = "function-references"
GC = "gc"

VERSION_2 = frozenset({SIGN_EXTENSION, SATURATING_FLOAT_TO_INT, MULTI_VALUE, REFERENCE_TYPES, BULK_MEMORY, SIMD})
VERSION_3 = VERSION_2 | {
    RELAXED_SIMD, EXTENDED_CONST, TAIL_CALL, EXCEPTIONS, MULTI_MEMORY, MEMORY64, FUNCTION_REFERENCES, GC,
}  # fmt: skip
VERSIONS: dict[str, frozenset[str]] = {CORE: frozenset(), "2.0": VERSION_2, "3.0": VERSION_3}
"""Version of the specification -> the features that it has beyond 1.0."""

FEATURES: tuple[str, ...] = (
    SIGN_EXTENSION, SATURATING_FLOAT_TO_INT, MULTI_VALUE, REFERENCE_TYPES, BULK_MEMORY, SIMD, RELAXED_SIMD,
    EXTENDED_CONST, TAIL_CALL, EXCEPTIONS, MULTI_MEMORY, MEMORY64, FUNCTION_REFERENCES, GC,
)  # fmt: skip
"""All features, in the order in which WebAssembly got them."""

NEEDS: dict[str, frozenset[str]] = {
    RELAXED_SIMD: frozenset({SIMD}),
    EXCEPTIONS: frozenset({REFERENCE_TYPES}),
    FUNCTION_REFERENCES: frozenset({REFERENCE_TYPES}),
    GC: frozenset({FUNCTION_REFERENCES, REFERENCE_TYPES}),
}
"""Feature -> all those that it cannot be without."""

SETS: dict[str, frozenset[str]] = {**VERSIONS, "2.0-no-simd": VERSION_2 - {SIMD}}
"""The sets that have a name: versions, and one for hosts without vectors."""


class UnknownFeatureError(ValueError):
    """A text that should name a set of features does not; the message says what it may name."""


def feature_set(text: str) -> frozenset[str]:
    """The set of features that `text` names: a key of SETS, then features to add, or with a minus to leave out, all
    separated by commas, as in `2.0,gc` or `3.0,-simd`. Without a set in front, features are added to 1.0 (`simd,gc`) or
    left out of 3.0 (`-simd`). A feature brings along those it needs, and leaving one out leaves out those that need it.

    Raises UnknownFeatureError.
    """
    changes = text.split(",")
    chosen = VERSION_3 if text.startswith("-") else VERSIONS[CORE]
    if changes[0] in SETS:
        chosen = SETS[changes.pop(0)]
    for change in changes:
        name = change.removeprefix("-")
        if name not in FEATURES:
            raise UnknownFeatureError(f"no feature is called {name!r}; there are {', '.join((*SETS, *FEATURES))}")
        if change == name:
            chosen |= {name} | NEEDS.get(name, frozenset())
        else:
            chosen -= {name} | {other for other, needed in NEEDS.items() if name in needed}
    return chosen
