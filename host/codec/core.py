"""Messages of the host itself: binding configuration, health, and the description of a capability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from host.codec.schema import Message
from host.codec.types import U32

OP_BIND_ACTOR = "BindActor"
OP_REMOVE_ACTOR = "RemoveActor"
OP_GET_CAPABILITY_DESCRIPTOR = "GetCapabilityDescriptor"
OP_HEALTH_REQUEST = "HealthRequest"
OP_PERFORM_LIVE_UPDATE = "PerformLiveUpdate"
"""Its payload is the new module itself, no message."""
OP_INITIALIZE = "Initialize"
OP_IDENTIFY_CAPABILITY = "IdentifyCapability"

SYSTEM_ACTOR = "system"
"""The origin of what the host itself asks of an actor or a provider."""

RESERVED_PREFIX = "__wascc_"
"""What the names of the values begin with that the host adds to a binding's configuration."""
VALUE_ISSUER = RESERVED_PREFIX + "issuer"
VALUE_CAPABILITIES = RESERVED_PREFIX + "capabilities"
VALUE_NAME = RESERVED_PREFIX + "name"
VALUE_EXPIRES = RESERVED_PREFIX + "expires"
VALUE_TAGS = RESERVED_PREFIX + "tags"


@dataclass(frozen=True, slots=True)
class CapabilityConfiguration(Message):
    """BindActor, RemoveActor: `module` is the actor's public key; values are empty for a removal."""

    module: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class HealthRequest(Message):
    """HealthRequest, and GetCapabilityDescriptor to a portable provider."""

    placeholder: bool = False


class Direction(Enum):
    """Which way an operation goes; the values are the words used in JSON, their order the index on the wire."""

    TO_ACTOR = "to_actor"
    TO_PROVIDER = "to_provider"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class OperationDescriptor(Message):
    """One operation of a capability."""

    SNAKE_CASE: ClassVar[bool] = True

    name: str
    direction: Direction
    doctext: str


@dataclass(frozen=True, slots=True)
class CapabilityDescriptor(Message):
    """The reply to GetCapabilityDescriptor: what a provider is and what it can do."""

    SNAKE_CASE: ClassVar[bool] = True

    id: str
    name: str
    version: str
    revision: U32
    long_description: str
    supported_operations: tuple[OperationDescriptor, ...]
