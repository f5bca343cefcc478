"""The key-value providers: what the operations mean, which is what Redis does, and where the data is kept."""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from host.codec import MAX_PAYLOAD_BYTES
from host.codec.keyvalue import (
    CAPABILITY,
    OP_ADD,
    OP_CLEAR,
    OP_DEL,
    OP_GET,
    OP_KEY_EXISTS,
    OP_LIST_DEL,
    OP_PUSH,
    OP_RANGE,
    OP_SET,
    OP_SET_ADD,
    OP_SET_INTERSECT,
    OP_SET_QUERY,
    OP_SET_REMOVE,
    OP_SET_UNION,
    AddRequest,
    AddResponse,
    DelResponse,
    GetResponse,
    ItemRequest,
    KeyRequest,
    KeysRequest,
    ListRangeResponse,
    ListResponse,
    RangeRequest,
    SetOperationResponse,
    SetQueryResponse,
    SetRequest,
    SetResponse,
)
from host.logs import printable
from host.providers.base import Provider, ProviderError
from host.providers.keyvalue.memory import MemoryStorage
from host.providers.keyvalue.sqlite import MIN_BYTES, SYNCHRONOUS, SqliteStorage
from host.providers.keyvalue.storage import Kind, Storage, Transaction
from host.providers.values import choice_value, integer_value

I32_MIN, I32_MAX = -(2**31), 2**31 - 1
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)

DEFAULT_PATH = "wascc-keyvalue.db"
DEFAULT_MAX_BYTES = 2**30
MEMORY_MAX_BYTES = 2**28
BUSY_SECONDS = 5.0


class KeyValueProvider(Provider, ABC):
    """What the operations mean, on the storage of the actor that asks; `docs/providers/keyvalue.md`."""

    capability = CAPABILITY

    def __init__(self) -> None:
        super().__init__()
        self.route(OP_ADD, AddRequest, self._add, "Adds to the number under a key")
        self.route(OP_GET, KeyRequest, self._get, "Reads the string under a key")
        self.route(OP_SET, SetRequest, self._set, "Puts a string under a key, for a time or for ever")
        self.route(OP_DEL, KeyRequest, self._delete, "Removes a key")
        self.route(OP_CLEAR, KeyRequest, self._delete, "Removes a key")
        self.route(OP_PUSH, ItemRequest, self._push, "Inserts an item before the first of a list")
        self.route(OP_RANGE, RangeRequest, self._range, "Reads items of a list")
        self.route(OP_LIST_DEL, ItemRequest, self._delete_item, "Removes an item from a list, wherever it stands")
        self.route(OP_SET_ADD, ItemRequest, self._set_add, "Adds a member to a set")
        self.route(OP_SET_REMOVE, ItemRequest, self._set_remove, "Removes a member from a set")
        self.route(OP_SET_UNION, KeysRequest, self._union, "Reads the union of sets")
        self.route(OP_SET_INTERSECT, KeysRequest, self._intersection, "Reads the intersection of sets")
        self.route(OP_SET_QUERY, KeyRequest, self._members, "Reads the members of a set")
        self.route(OP_KEY_EXISTS, KeyRequest, self._exists, "Tells whether a key is there")

    @abstractmethod
    def storage(self, actor: str) -> Storage:
        """Where a bound actor's data is. Raises ProviderError."""

    def _add(self, actor: str, request: AddRequest) -> AddResponse:
        with self.storage(actor).writing() as transaction:
            found = _has(transaction, request.key, Kind.STRING)
            total = (_number(request.key, transaction.string(request.key)) if found else 0) + request.value
            if not I32_MIN <= total <= I32_MAX:
                raise ProviderError(f"the number under {_shown(request.key)} would leave the range of an i32")
            if found:
                transaction.replace_string(request.key, str(total))
            else:
                transaction.set_string(request.key, str(total), 0)
            return AddResponse(total)

    def _get(self, actor: str, request: KeyRequest) -> GetResponse:
        with self.storage(actor).reading() as transaction:
            found = _has(transaction, request.key, Kind.STRING)
            return GetResponse(transaction.string(request.key) if found else "", found)

    def _set(self, actor: str, request: SetRequest) -> SetResponse:
        if request.expires < 0:
            raise ProviderError(f"expires must be 0 or more seconds, not {request.expires}")
        with self.storage(actor).writing() as transaction:
            transaction.set_string(request.key, request.value, request.expires)
        return SetResponse(request.value)

    def _delete(self, actor: str, request: KeyRequest) -> DelResponse:
        with self.storage(actor).writing() as transaction:
            transaction.remove(request.key)
        return DelResponse(request.key)

    def _exists(self, actor: str, request: KeyRequest) -> GetResponse:
        with self.storage(actor).reading() as transaction:
            return GetResponse("", transaction.kind(request.key) is not None)

    def _push(self, actor: str, request: ItemRequest) -> ListResponse:
        with self.storage(actor).writing() as transaction:
            _has(transaction, request.key, Kind.LIST)
            return ListResponse(transaction.push(request.key, request.value))

    def _range(self, actor: str, request: RangeRequest) -> ListRangeResponse:
        with self.storage(actor).reading() as transaction:
            if not _has(transaction, request.key, Kind.LIST):
                return ListRangeResponse()
            length = transaction.size(request.key)
            start = max(request.start + length if request.start < 0 else request.start, 0)
            stop = min(request.stop + length if request.stop < 0 else request.stop, length - 1)
            if start > stop:
                return ListRangeResponse()
            return ListRangeResponse(tuple(_bounded(transaction.items(request.key, start, stop - start + 1))))

    def _delete_item(self, actor: str, request: ItemRequest) -> ListResponse:
        with self.storage(actor).writing() as transaction:
            if not _has(transaction, request.key, Kind.LIST):
                return ListResponse(0)
            removed = transaction.remove_items(request.key, request.value)
            if not transaction.size(request.key):
                transaction.remove(request.key)
            return ListResponse(removed)

    def _set_add(self, actor: str, request: ItemRequest) -> SetOperationResponse:
        with self.storage(actor).writing() as transaction:
            _has(transaction, request.key, Kind.SET)
            return SetOperationResponse(int(transaction.add_member(request.key, request.value)))

    def _set_remove(self, actor: str, request: ItemRequest) -> SetOperationResponse:
        with self.storage(actor).writing() as transaction:
            if not _has(transaction, request.key, Kind.SET):
                return SetOperationResponse(0)
            removed = transaction.remove_member(request.key, request.value)
            if not transaction.size(request.key):
                transaction.remove(request.key)
            return SetOperationResponse(int(removed))

    def _members(self, actor: str, request: KeyRequest) -> SetQueryResponse:
        with self.storage(actor).reading() as transaction:
            return SetQueryResponse(tuple(sorted(_set_under(transaction, request.key))))

    def _union(self, actor: str, request: KeysRequest) -> SetQueryResponse:
        _check_keys(OP_SET_UNION, request)
        with self.storage(actor).reading() as transaction:
            return SetQueryResponse(tuple(sorted(_bounded(_distinct_members(transaction, request.keys)))))

    def _intersection(self, actor: str, request: KeysRequest) -> SetQueryResponse:
        _check_keys(OP_SET_INTERSECT, request)
        with self.storage(actor).reading() as transaction:
            members = _set_under(transaction, request.keys[0])
            for key in dict.fromkeys(request.keys[1:]):
                members &= _set_under(transaction, key)
            return SetQueryResponse(tuple(sorted(members)))


class MemoryKeyValueProvider(KeyValueProvider):
    """One store in memory, shared by all actors that are bound to the provider.

    `max_bytes` bounds what it may hold, about; `clock` tells the seconds since 1970.
    """

    name = "waSCC Key-Value Provider (in memory)"
    long_description = "Strings, lists and sets under keys, in memory: gone when the host stops."

    def __init__(self, max_bytes: int = MEMORY_MAX_BYTES, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._storage = MemoryStorage(max_bytes, clock)

    def storage(self, actor: str) -> Storage:
        """The one store."""
        return self._storage

    def close(self) -> None:
        """Forget everything."""
        self._storage.close()


class StoreKey(NamedTuple):
    """Which file, and how it is used. Actors with the same ones share a `SqliteStorage`."""

    path: Path
    synchronous: str
    max_bytes: int


class SqliteKeyValueProvider(KeyValueProvider):
    """A store in the file that each binding names; actors that name the same file share it.

    `busy_seconds` is how long a call waits for other processes, `clock` tells the seconds since 1970.
    """

    name = "waSCC Key-Value Provider (SQLite)"
    long_description = "Strings, lists and sets under keys, kept in a SQLite file."
    value_names = frozenset({"PATH", "SYNCHRONOUS", "MAX_BYTES"})

    def __init__(self, busy_seconds: float = BUSY_SECONDS, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._busy_seconds = busy_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, StoreKey] = {}
        self._storages: dict[StoreKey, SqliteStorage] = {}

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Open the file, unless it is open already; an actor that is bound anew lets go of its former file."""
        key = _store_key(values)
        if key not in self._storages:
            opened = SqliteStorage(*key, self._busy_seconds, self._clock)
            with self._lock:
                self._storages[key] = opened
        former = self._keys.get(actor)
        with self._lock:
            self._keys[actor] = key
        self._release(former)

    def unbind(self, actor: str) -> None:
        """Close the file if the actor was the last to use it."""
        with self._lock:
            key = self._keys.pop(actor)
        self._release(key)

    def storage(self, actor: str) -> Storage:
        """The store in the file that the actor's binding names."""
        with self._lock:
            key = self._keys.get(actor)
            if key is None:
                raise ProviderError(f"{printable(actor)} has no key-value store any more")
            return self._storages[key]

    def _release(self, key: StoreKey | None) -> None:
        with self._lock:
            unused = key is not None and key not in self._keys.values()
            storage = self._storages.pop(key) if key is not None and unused else None
        if storage is not None:
            storage.close()


def _store_key(values: Mapping[str, str]) -> StoreKey:
    text = values.get("PATH", DEFAULT_PATH)
    if not text or text == ":memory:":
        raise ProviderError("PATH must name a file; for a store in memory use the provider keyvalue_memory")
    try:
        path = Path(text).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ProviderError(f"PATH '{printable(text)}' is no path: {error}") from error
    synchronous = choice_value(values, "SYNCHRONOUS", SYNCHRONOUS)
    return StoreKey(path, synchronous, integer_value(values, "MAX_BYTES", DEFAULT_MAX_BYTES, MIN_BYTES, 2**50))


def _has(transaction: Transaction, key: str, kind: Kind) -> bool:
    """Whether the key is there; if so, it must hold what the operation is for."""
    found = transaction.kind(key)
    if found is not None and found is not kind:
        raise ProviderError(f"{_shown(key)} holds a {found.noun}, not a {kind.noun}")
    return found is not None


def _number(key: str, text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ProviderError(f"{_shown(key)} holds a string that is not an integer")
    return int(text)


def _set_under(transaction: Transaction, key: str) -> set[str]:
    return set(_bounded(transaction.members(key))) if _has(transaction, key, Kind.SET) else set()


def _distinct_members(transaction: Transaction, keys: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for key in dict.fromkeys(keys):
        if _has(transaction, key, Kind.SET):
            for member in transaction.members(key):
                if member not in seen:
                    seen.add(member)
                    yield member


def _bounded(values: Iterable[str]) -> list[str]:
    """The values, as many as fit into a message; an answer that cannot be sent is not gathered first."""
    taken: list[str] = []
    size = 0
    for value in values:
        size += len(value) + 1
        if size > MAX_PAYLOAD_BYTES:
            raise ProviderError(f"the values are over the limit of {MAX_PAYLOAD_BYTES} bytes for an answer")
        taken.append(value)
    return taken


def _check_keys(operation: str, request: KeysRequest) -> None:
    if not request.keys:
        raise ProviderError(f"{operation} needs at least one key")


def _shown(key: str) -> str:
    return f"key '{printable(key)}'"
