"""Which modules of a script need more than a set of features: decided by wasm-tools, one module at a time.

A module that the suite expects to be accepted needs more than a set if it does not validate with that set alone. One
that is expected to be rejected needs more if it is rejected for another reason than with all the features the script
may use: then the missing feature hides what the command is about.

Two things escape this. wasm-tools may find the fault of a rejected module before the feature, and so give the same
reason twice, while an engine without the feature gives another one. And a skipped module may have been about to change
another one, whose later commands then fail. Both show as failures.
"""

from __future__ import annotations

from conformance.script import AssertInvalid, AssertInvalidCustom, AssertMalformed, ModuleCommand, Script
from conformance.tools import wasm_tools
from interp.syntax.features import VERSIONS, feature_set

BASE = "wasm1"
"""What wasm-tools calls version 1.0; it calls the features by the names that they have here."""

ALL_FEATURES = "all"
REJECTED = (AssertInvalid, AssertInvalidCustom, AssertMalformed)


def enabled(features: frozenset[str]) -> str:
    """A set of features, as wasm-tools spells it."""
    return ",".join([BASE, *sorted(features)])


SUITE_FEATURES = enabled(VERSIONS["3.0"])


def rejection(wasm: bytes, features: str) -> str:
    """Why wasm-tools rejects the binary module with `features` (its own spelling) enabled; "" if it accepts it.

    Raises: ToolMissingError, ToolFailedError.
    """
    code, errors = wasm_tools(["validate", f"--features={features}", "-"], stdin=wasm)
    if code == 0:
        return ""
    found = errors.find("error:")
    return errors[found:] if found >= 0 else f"exit code {code}"


def needs_beyond(wasm: bytes, features: str, *, rejected: bool = False, within: str = SUITE_FEATURES) -> bool:
    """Whether the binary module needs more than the set `features` (as `feature_set` takes it).

    `rejected` says that the module is expected to be invalid or malformed with all of `within` (wasm-tools' spelling).
    Raises: ToolMissingError, ToolFailedError, UnknownFeatureError.
    """
    reason = rejection(wasm, enabled(feature_set(features)))
    if not rejected:
        return bool(reason)
    return reason != rejection(wasm, within)


class FeatureFilter:
    """Answers for the commands of one script whether they need more than `features`; None is no filter."""

    def __init__(self, script: Script, features: str | None) -> None:
        self._script = script
        self._features = features
        # A proposal's scripts use what the main suite does not have.
        self._within = ALL_FEATURES if "proposals" in script.path.absolute().parts else SUITE_FEATURES

    def __call__(self, command: ModuleCommand) -> bool:
        """Whether the module of `command` needs more. Raises as `needs_beyond`."""
        if self._features is None or command.binary is None:
            return False
        wasm = self._script.modules[command.binary]
        rejected = isinstance(command, REJECTED)
        return needs_beyond(wasm, self._features, rejected=rejected, within=self._within)
