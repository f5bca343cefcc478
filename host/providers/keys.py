"""What is wrong with what is under a key, in words that are the same for all stores."""

from __future__ import annotations

from host.logs import printable
from host.providers.base import ProviderError


def shown(key: str) -> str:
    """A key in an error."""
    return f"key '{printable(key)}'"


def wrong_kind(key: str, found: str, wanted: str) -> ProviderError:
    """The error of an operation on a key that holds something of another kind."""
    return ProviderError(f"{shown(key)} holds a {found}, not a {wanted}")


def text_of(value: bytes, *keys: str) -> str:
    """A text that stands under one of the keys, where others may have put what they like. Raises ProviderError."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        where = shown(keys[0]) if len(keys) == 1 else "one of the keys"
        raise ProviderError(f"{where} holds bytes that are no UTF-8 text") from error
