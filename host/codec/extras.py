"""Messages of the extras: identifiers, random numbers, sequence numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from host.codec.schema import Message
from host.codec.types import U32, U64

CAPABILITY = "wascc:extras"
OP_REQUEST_GUID = "RequestGuid"
OP_REQUEST_RANDOM = "RequestRandom"
OP_REQUEST_SEQUENCE = "RequestSequence"


@dataclass(frozen=True, slots=True)
class GeneratorRequest(Message):
    """All three operations; a random number is at least `min` and less than `max`."""

    guid: bool
    sequence: bool
    random: bool
    min: U32
    max: U32


@dataclass(frozen=True, slots=True)
class GeneratorResult(Message):
    """What was asked for; the others are None or 0."""

    guid: str | None = None
    sequence_number: U64 = field(kw_only=True)
    random_number: U32 = field(kw_only=True)
