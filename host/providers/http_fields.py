"""What the HTTP server and the HTTP client know of headers and bodies alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

from host.codec import MAX_PAYLOAD_BYTES

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that concern only one connection."""

SET_COOKIE, LINE_FEED = "set-cookie", "\n"
_SEPARATORS = {SET_COOKIE: LINE_FEED, "cookie": "; "}
"""What stands between the values of a header that came several times, where a comma could be part of one."""

_ROOM_FOR_HEADERS = 2**20
BODY_BYTES = (10 * 2**20, 0, MAX_PAYLOAD_BYTES - _ROOM_FOR_HEADERS)
"""Of a value for the longest body: default, lowest and highest, with which it fits in a message."""


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; the values of one name are joined, with commas unless the name has another rule.

    Spec: RFC 9110, section 5.3; RFC 6265, section 4.2; RFC 9113, section 8.2.3
    """
    found: dict[str, str] = {}
    for name, value in headers:
        separator = _SEPARATORS.get(name, ", ")
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return found


def lines_of(name: str, value: str) -> list[str]:
    """The values that a header of a message has, each for a line of its own. Raises ValueError for what HTTP does not
    allow there, such as line ends in any header but those whose values cannot be joined otherwise."""
    parts = value.split(LINE_FEED) if name.lower() == SET_COOKIE else [value]
    stripped = [part.strip(" \t") for part in parts]
    if not all(FIELD_VALUE.fullmatch(part) for part in stripped):
        raise ValueError(f"the value of header {name} holds characters that it must not")
    return [part for part in stripped if part] or stripped[:1]
