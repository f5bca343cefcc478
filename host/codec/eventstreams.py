"""Messages of the event streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.codec.schema import Message
from host.codec.types import U64

CAPABILITY = "wascc:eventstreams"
OP_WRITE_EVENT = "WriteEvent"
OP_QUERY_STREAM = "QueryStream"
OP_DELIVER_EVENT = "DeliverEvent"


@dataclass(frozen=True, slots=True)
class Event(Message):
    """WriteEvent and DeliverEvent."""

    event_id: str
    stream: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WriteResponse(Message):
    """Reply to WriteEvent."""

    event_id: str


@dataclass(frozen=True, slots=True)
class TimeRange(Message):
    """From `min_time` to `max_time`."""

    min_time: U64
    max_time: U64


@dataclass(frozen=True, slots=True)
class StreamQuery(Message):
    """QueryStream; a `count` of 0 asks for all."""

    stream_id: str
    range: TimeRange | None = None
    count: U64 = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class StreamResults(Message):
    """Reply to QueryStream."""

    events: tuple[Event, ...]
