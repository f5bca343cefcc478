"""Messages of the message broker."""

from __future__ import annotations

from dataclasses import dataclass, field

from host.codec.schema import Message
from host.codec.types import I64

CAPABILITY = "wascc:messaging"
OP_PUBLISH_MESSAGE = "Publish"
OP_PERFORM_REQUEST = "Request"
"""Its reply is the broker's reply as it is, no message."""
OP_DELIVER_MESSAGE = "DeliverMessage"


@dataclass(frozen=True, slots=True)
class BrokerMessage(Message):
    """Publish and DeliverMessage; an empty `reply_to` is none."""

    subject: str
    reply_to: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class RequestMessage(Message):
    """Request; `timeout` in milliseconds."""

    subject: str
    body: bytes = b""
    timeout: I64 = field(kw_only=True)
