"""What the tests of the key-value stores share: providers that are bound, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from provider_support import bind

from host.codec import Message, decode, encode
from host.codec.keyvalue import (
    AddResponse,
    DelResponse,
    GetResponse,
    ListRangeResponse,
    ListResponse,
    SetOperationResponse,
    SetQueryResponse,
    SetResponse,
)
from host.providers.keyvalue.providers import KeyValueProvider

ACTOR = "MACTOR"
REPLIES: dict[str, type[Message]] = {
    "Add": AddResponse,
    "Get": GetResponse,
    "Set": SetResponse,
    "Del": DelResponse,
    "Clear": DelResponse,
    "Push": ListResponse,
    "Range": ListRangeResponse,
    "ListItemDelete": ListResponse,
    "SetAdd": SetOperationResponse,
    "SetRemove": SetOperationResponse,
    "SetUnion": SetQueryResponse,
    "SetIntersection": SetQueryResponse,
    "SetQuery": SetQueryResponse,
    "KeyExists": GetResponse,
}
Ask = Callable[[str, Message], Any]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def bound(provider: KeyValueProvider, **values: str) -> KeyValueProvider:
    bind(provider, ACTOR, **values)
    return provider


def ask_of(provider: KeyValueProvider, operation: str, request: Message) -> Any:
    return decode(REPLIES[operation], provider.handle_call(ACTOR, operation, encode(request)))
