"""What the operations need of a store of event streams, and what an event is in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from host.providers.answers import gathered

MAX_MILLISECONDS = 2**63 - 1
"""The latest time that all stores can tell."""
MAX_COUNT = 2**53
"""The largest number of events to ask for that all stores can count to."""
EVENT_BYTES = 32
"""About what an event has in an answer besides its id, its stream and its values."""


class EventId(NamedTuple):
    """When an event was written, in milliseconds since 1970, and which of that millisecond's it is, from 0 on."""

    milliseconds: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.sequence}"

    def next(self, now: float) -> EventId:
        """The id of an event after this one, at the time `now` in seconds: later than this one in any case."""
        later = EventId(int(now * 1000), 0)
        return later if later > self else EventId(self.milliseconds, self.sequence + 1)


BEGINNING = EventId(0, 0)
"""The id before the first of a stream; no event has it."""


class StoredEvent(NamedTuple):
    """An event as it is read."""

    id: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: the first `count` events (0 is all) from the millisecond `first` to `last`, both included."""

    first: int
    last: int
    count: int


class EventStore(Protocol):
    """Streams of events. Thread-safe; every method raises ProviderError for what goes wrong."""

    def write(self, stream: str, values: Mapping[str, str], keep: int) -> str:
        """Append an event and let the stream have no more than the last `keep`, if that is not 0; the event's id."""

    def query(self, stream: str, span: Span) -> list[StoredEvent]:
        """Events of a stream, which may not be there, in the order in which they were written."""

    def close(self) -> None:
        """Release everything."""


def bounded(stream: str, events: Iterable[StoredEvent]) -> list[StoredEvent]:
    """The events, if they fit into an answer. Raises ProviderError."""
    each = EVENT_BYTES + len(stream)
    return gathered(
        events,
        lambda event: each + len(event.id) + values_size(event.values),
        lambda event: 1 + len(event.values),
    )


def values_size(values: Mapping[str, str]) -> int:
    """About how many bytes the values have in an answer."""
    return sum(len(name) + len(value) + 2 for name, value in values.items())
