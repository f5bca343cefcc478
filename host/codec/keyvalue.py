"""Messages of the key-value store. Requests of one shape share a class; the table says which operation has which."""

from __future__ import annotations

from dataclasses import dataclass

from host.codec.schema import Message
from host.codec.types import I32

CAPABILITY = "wascc:keyvalue"
OP_ADD = "Add"
OP_GET = "Get"
OP_SET = "Set"
OP_DEL = "Del"
OP_CLEAR = "Clear"
OP_PUSH = "Push"
OP_RANGE = "Range"
OP_LIST_DEL = "ListItemDelete"
OP_SET_ADD = "SetAdd"
OP_SET_REMOVE = "SetRemove"
OP_SET_UNION = "SetUnion"
OP_SET_INTERSECT = "SetIntersection"
OP_SET_QUERY = "SetQuery"
OP_KEY_EXISTS = "KeyExists"


@dataclass(frozen=True, slots=True)
class KeyRequest(Message):
    """Get, Del, Clear, SetQuery, KeyExists."""

    key: str


@dataclass(frozen=True, slots=True)
class KeysRequest(Message):
    """SetUnion, SetIntersection."""

    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemRequest(Message):
    """Push, ListItemDelete, SetAdd, SetRemove: `value` is the item or member."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class AddRequest(Message):
    """Add: `value` is the amount."""

    key: str
    value: I32


@dataclass(frozen=True, slots=True)
class AddResponse(Message):
    """The sum."""

    value: I32


@dataclass(frozen=True, slots=True)
class SetRequest(Message):
    """Set: `expires` in seconds, 0 for never."""

    key: str
    value: str
    expires: I32


@dataclass(frozen=True, slots=True)
class SetResponse(Message):
    """The value that was set."""

    value: str


@dataclass(frozen=True, slots=True)
class GetResponse(Message):
    """Reply to Get and to KeyExists (whose value is empty)."""

    value: str
    exists: bool


@dataclass(frozen=True, slots=True)
class DelResponse(Message):
    """Reply to Del and Clear."""

    key: str


@dataclass(frozen=True, slots=True)
class RangeRequest(Message):
    """Range: from index `start` to `stop`, both included; negative ones count from the end."""

    key: str
    start: I32
    stop: I32


@dataclass(frozen=True, slots=True)
class ListResponse(Message):
    """Reply to Push (the list's new length) and ListItemDelete (how many were removed)."""

    new_count: I32


@dataclass(frozen=True, slots=True)
class ListRangeResponse(Message):
    """Reply to Range."""

    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetOperationResponse(Message):
    """Reply to SetAdd and SetRemove: how many members were added or removed."""

    new_count: I32


@dataclass(frozen=True, slots=True)
class SetQueryResponse(Message):
    """Reply to SetUnion, SetIntersection and SetQuery."""

    values: tuple[str, ...]
