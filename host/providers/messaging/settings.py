"""The configuration values that every backend of messaging understands: what an actor subscribes to, and how many
messages may wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from host.providers.messaging.subjects import checked_group, checked_pattern
from host.providers.values import IntegerValue, TextValue

SUBSCRIPTION, QUEUE_GROUP = TextValue("SUBSCRIPTION"), TextValue("QUEUEGROUP_NAME")
MAX_PENDING = IntegerValue("MAX_PENDING", 1000, 1, 10**6)
MAX_PENDING_BYTES = IntegerValue("MAX_PENDING_BYTES", 64 * 2**20, 1, 2**32)
SUBSCRIPTION_VALUES = frozenset({SUBSCRIPTION, QUEUE_GROUP, MAX_PENDING, MAX_PENDING_BYTES})


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an actor has subscribed to: patterns of subjects, as a member of a queue group unless that is empty. At most
    `max_pending` messages, with bodies of `max_pending_bytes` together, wait for it."""

    patterns: tuple[str, ...]
    group: str
    max_pending: int
    max_pending_bytes: int

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """The subscription that these configuration values say. Raises ProviderError."""
        wanted = filter(None, map(str.strip, SUBSCRIPTION.of(values).split(",")))
        return cls(
            patterns=tuple(dict.fromkeys(map(checked_pattern, wanted))),
            group=checked_group(QUEUE_GROUP.of(values)),
            max_pending=MAX_PENDING.of(values),
            max_pending_bytes=MAX_PENDING_BYTES.of(values),
        )
