"""The encodings inside a token, read strictly so that a token has one form: base64url, and JSON objects.

Protocol: docs/wascap.md#tokens
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from wascap.errors import DecodeError, SerializationError, Utf8Error, shown

MAX_JSON_DEPTH = 32
"""How deep objects and lists may nest in a token; claims need three levels."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


def base64url_encode(data: bytes) -> str:
    """`data` in the URL-safe base64 alphabet, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def base64url_decode(text: str) -> bytes:
    """The bytes that `base64url_encode` turns into exactly `text`. Raises DecodeError if there are none."""
    if not _BASE64URL.fullmatch(text):
        raise DecodeError("a segment holds a character outside the base64url alphabet")
    if len(text) % 4 == 1:
        raise DecodeError("a segment has an impossible length for base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url_encode(data) != text:
        raise DecodeError("a segment has stray bits in its last character")
    return data


def json_encode(value: Mapping[str, object]) -> bytes:
    """`value` as compact JSON in UTF-8, keys in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def json_decode_object(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. No key may occur twice in an object, and nesting is bounded by `MAX_JSON_DEPTH`.

    Raises Utf8Error | SerializationError.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Utf8Error("the JSON of a token is not UTF-8") from error
    if _depth(text) > MAX_JSON_DEPTH:
        raise SerializationError(f"the JSON of a token nests deeper than {MAX_JSON_DEPTH} levels")
    try:
        value = json.loads(text, object_pairs_hook=_object_without_duplicates, parse_constant=_refuse_constant)
    except ValueError as error:
        raise SerializationError(str(error)) from error
    if not isinstance(value, dict):
        raise SerializationError("the JSON of a token is not an object")
    return value


def _depth(text: str) -> int:
    deepest = depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise SerializationError(f"the key {shown(key)} occurs twice")
        result[key] = value
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise SerializationError(f"{name} is not JSON")
