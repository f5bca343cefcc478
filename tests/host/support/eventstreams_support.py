"""What the tests of the event streams share: providers that are bound, and how they are asked."""

from __future__ import annotations

from collections.abc import Mapping

from provider_support import bind

from host.codec import decode, encode
from host.codec.eventstreams import Event, StreamQuery, StreamResults, TimeRange, WriteResponse
from host.providers.eventstreams.providers import EventStreamsProvider

ACTOR = "MACTOR"


def bound(provider: EventStreamsProvider, **values: str) -> EventStreamsProvider:
    bind(provider, ACTOR, **values)
    return provider


def write(provider: EventStreamsProvider, stream: str, values: Mapping[str, str], actor: str = ACTOR) -> str:
    payload = encode(Event("", stream, values))
    return decode(WriteResponse, provider.handle_call(actor, "WriteEvent", payload)).event_id


def query(
    provider: EventStreamsProvider, stream: str, within: tuple[int, int] | None = None, count: int = 0
) -> tuple[Event, ...]:
    asked = StreamQuery(stream, None if within is None else TimeRange(*within), count=count)
    return decode(StreamResults, provider.handle_call(ACTOR, "QueryStream", encode(asked))).events


def id_of(event_id: str) -> tuple[int, int]:
    milliseconds, sequence = event_id.split("-")
    return int(milliseconds), int(sequence)
