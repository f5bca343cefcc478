"""From an HTTP request to the message for the actor, and from the actor's message to an HTTP response.

Both sides are strangers: the client's request is checked by the HTTP library, the actor's response here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from host.codec.http import Request, Response
from host.logs import printable
from host.providers.http_fields import HOP_BY_HOP, TOKEN, joined, lines_of

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/]*")
OWN_HEADERS = frozenset({"content-length", "date"})
"""Headers that the server writes itself."""
_WITHOUT_BODY = frozenset({204, 205, 304})
_WITHOUT_LENGTH = frozenset({204, 304})


class ResponseRefused(ValueError):
    """The actor's response cannot be sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent: a status, the headers as bytes, the body."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def plain_reply(status: HTTPStatus, text: str = "", headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of the server's own: a line of text, which is the status's phrase if there is no other."""
    body = (text or status.phrase).encode()
    written = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(body)), **(headers or {})}
    return Reply(status, [(name.encode(), value.encode()) for name, value in written.items()], body)


def request_message(
    method: str, target: str, query_string: str, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> Request:
    """The message for the actor. Header names are lower-case already; the values of one name are joined."""
    texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return Request(method, path_of(target), query_string, joined(texts), body)


def path_of(target: str) -> str:
    """The path of a request target without its query, still percent-encoded."""
    absolute = _ABSOLUTE.match(target)
    return target[absolute.end() :] or "/" if absolute else target


def reply_of(response: Response) -> Reply:
    """The actor's response as it is sent. Raises ResponseRefused for what must not be sent.

    Headers that concern only one connection, and those that the server writes itself, are left out.
    """
    if not 200 <= response.status_code <= 599:
        raise ResponseRefused(f"status code {response.status_code} is not in the range 200 to 599")
    body = b"" if response.status_code in _WITHOUT_BODY else response.body
    headers = _checked_headers(response.header)
    if response.status_code not in _WITHOUT_LENGTH:
        headers.append((b"content-length", str(len(body)).encode()))
    return Reply(response.status_code, headers, body)


def _checked_headers(header: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    left_out = HOP_BY_HOP | OWN_HEADERS
    for name, value in header.items():
        if name.lower() == "connection":
            left_out |= {token.strip().lower() for token in value.split(",")}
    checked: list[tuple[bytes, bytes]] = []
    for name, value in header.items():
        if not TOKEN.fullmatch(name):
            raise ResponseRefused(f"'{printable(name)}' is not a header name")
        try:
            lines = lines_of(name, value)
        except ValueError as error:
            raise ResponseRefused(str(error)) from None
        if name.lower() not in left_out:
            checked += [(name.encode("ascii"), line.encode("latin-1")) for line in lines]
    return checked
