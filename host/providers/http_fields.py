"""What the HTTP server and the HTTP client know of headers and bodies alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from host.codec import MAX_PAYLOAD_BYTES
from host.providers.values import integer_value

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that concern only one connection."""

_ROOM_FOR_HEADERS = 2**20


def body_bytes_value(values: Mapping[str, str], name: str) -> int:
    """The most bytes that a body may have, so that it fits in a message. Raises ProviderError."""
    return integer_value(values, name, 10 * 2**20, 0, MAX_PAYLOAD_BYTES - _ROOM_FOR_HEADERS)


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by name; the values of one name are joined."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
