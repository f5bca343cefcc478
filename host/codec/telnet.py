"""Messages of telnet sessions."""

from __future__ import annotations

from dataclasses import dataclass

from host.codec.schema import Message

CAPABILITY = "wascc:telnet"
OP_SESSION_STARTED = "SessionStarted"
OP_RECEIVE_TEXT = "ReceiveText"
OP_SEND_TEXT = "SendText"


@dataclass(frozen=True, slots=True)
class SessionStarted(Message):
    """SessionStarted: a client has connected."""

    session: str


@dataclass(frozen=True, slots=True)
class TelnetMessage(Message):
    """ReceiveText: one line of a session's client, without its end. SendText: text for that client."""

    session: str
    text: str
