"""The messages between actors, host and providers, and how they travel: MessagePack, described in `docs/messages.md`.

One module for each capability holds its operation names and message classes; `encode` and `decode` serve them all.
"""

from host.codec.codec import EMPTY, MAX_PAYLOAD_BYTES, decode, decode_empty, encode
from host.codec.errors import CodecError
from host.codec.schema import Message

__all__ = ["EMPTY", "MAX_PAYLOAD_BYTES", "CodecError", "Message", "decode", "decode_empty", "encode"]
