"""How one actor runs: in how many instances, within which limits, and how many calls may wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from host.errors import MiscHostError
from host.turns import Patience
from interp.engine import Limits

MAX_INSTANCES = 256
"""How many instances an actor may have at most."""

MAX_WAITING = 1_000_000
"""How many calls may wait for an actor at most."""

LIMITS: Mapping[str, tuple[float, float]] = {
    "fuel": (1, 2**63 - 1),
    "deadline_seconds": (0.001, 86_400),
    "max_memory_pages": (1, 65_536),
    "max_table_elements": (1, 2**32 - 1),
    "max_heap_fields": (1, 2**32 - 1),
    "max_call_depth": (1, 1_000_000),
}
"""The limits of `Limits` that an actor may have of its own, with the least and the greatest value of each."""


@dataclass(frozen=True, slots=True)
class ActorSettings:
    """Settings of one actor; what is None is as the host has it for all.

    `instances` is how many calls it may handle at a time, each in an instance of its own (1 to MAX_INSTANCES);
    `max_waiting` how many more may wait (0 and up), `wait_seconds` for how long (over 0); `limits` replaces some of the
    host's limits, by the names in LIMITS. Raises MiscHostError.
    """

    instances: int = 1
    max_waiting: int | None = None
    wait_seconds: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check("instances", self.instances, 1, MAX_INSTANCES, whole=True)
        if self.max_waiting is not None:
            _check("max_waiting", self.max_waiting, 0, MAX_WAITING, whole=True)
        if self.wait_seconds is not None:
            _check("wait_seconds", self.wait_seconds, *LIMITS["deadline_seconds"], whole=False)
        for name, value in self.limits.items():
            if name not in LIMITS:
                raise MiscHostError(f"there is no limit {name!r}; there are {', '.join(LIMITS)}")
            _check(name, value, *LIMITS[name], whole=name != "deadline_seconds")

    def limits_within(self, limits: Limits) -> Limits:
        """The host's `limits`, with those of the actor in their place."""
        chosen: dict[str, Any] = dict(self.limits)
        return replace(limits, **chosen)

    def patience_within(self, patience: Patience) -> Patience:
        """The host's `patience`, with the actor's own in its place."""
        return Patience(
            patience.seconds if self.wait_seconds is None else self.wait_seconds,
            patience.max_waiting if self.max_waiting is None else self.max_waiting,
            patience.max_depth,
        )


def _check(name: str, value: float, least: float, greatest: float, whole: bool) -> None:
    """Raise MiscHostError unless the value is a number of the right kind in this range."""
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= greatest:
        kind = "a whole number" if whole else "a number"
        raise MiscHostError(f"{name} must be {kind} from {least} to {greatest}, not {value!r}")
