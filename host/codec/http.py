"""Messages of the HTTP server (to actors) and the HTTP client (from actors)."""

from __future__ import annotations

import json as _json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from host.codec.schema import Message
from host.codec.types import U32

CAPABILITY_SERVER = "wascc:http_server"
CAPABILITY_CLIENT = "wascc:http_client"
OP_HANDLE_REQUEST = "HandleRequest"
OP_PERFORM_REQUEST = "PerformRequest"


@dataclass(frozen=True, slots=True)
class Request(Message):
    """A request; the path without the query, the query string without its question mark."""

    method: str
    path: str
    query_string: str
    header: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response(Message):
    """A response; `status` is the text that goes with the code."""

    status_code: U32
    status: str
    header: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def ok(body: bytes = b"") -> Response:
    """200 OK."""
    return _response(HTTPStatus.OK, body)


def not_found() -> Response:
    """404 Not Found."""
    return _response(HTTPStatus.NOT_FOUND)


def bad_request() -> Response:
    """400 Bad Request."""
    return _response(HTTPStatus.BAD_REQUEST)


def internal_server_error(text: str) -> Response:
    """500 Internal Server Error with a text as its body."""
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, text.encode())


def json(value: Any, status_code: int = 200, status: str = "OK") -> Response:
    """A value as compact JSON, without headers. Raises TypeError or ValueError for one that JSON cannot hold."""
    return Response(status_code, status, {}, _json.dumps(value, separators=(",", ":"), allow_nan=False).encode())


def _response(status: HTTPStatus, body: bytes = b"") -> Response:
    return Response(status.value, status.phrase, {}, body)
