"""The key-value providers: their operations, and where each of them keeps the data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

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
from host.providers.backends import MemoryProvider, RedisProvider, SqliteProvider
from host.providers.base import Provider, ProviderError
from host.providers.keyvalue.memory import MemoryStorage
from host.providers.keyvalue.sqlite import SqliteStorage
from host.providers.keyvalue.store import Store
from host.providers.keyvalue.transactional import TransactionalStore
from host.providers.redis_settings import REDIS_VALUES
from host.providers.sqlite_files import FILE_VALUES, FileSettings, path_value

MAX_KEYS = 100_000
"""Sets of one union or intersection: a Redis server would end the connection at ten times as many."""


class KeyValueProvider(Provider, ABC):
    """The operations, on the store of the actor that asks; `docs/providers/keyvalue.md`."""

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
    def store(self, actor: str) -> Store:
        """Where a bound actor's data is. Raises ProviderError."""

    def _add(self, actor: str, request: AddRequest) -> AddResponse:
        return AddResponse(self.store(actor).add(request.key, request.value))

    def _get(self, actor: str, request: KeyRequest) -> GetResponse:
        value = self.store(actor).get(request.key)
        return GetResponse("" if value is None else value, value is not None)

    def _set(self, actor: str, request: SetRequest) -> SetResponse:
        if request.expires < 0:
            raise ProviderError(f"expires must be 0 or more seconds, not {request.expires}")
        self.store(actor).set(request.key, request.value, request.expires)
        return SetResponse(request.value)

    def _delete(self, actor: str, request: KeyRequest) -> DelResponse:
        self.store(actor).remove(request.key)
        return DelResponse(request.key)

    def _exists(self, actor: str, request: KeyRequest) -> GetResponse:
        return GetResponse("", self.store(actor).exists(request.key))

    def _push(self, actor: str, request: ItemRequest) -> ListResponse:
        return ListResponse(self.store(actor).push(request.key, request.value))

    def _range(self, actor: str, request: RangeRequest) -> ListRangeResponse:
        return ListRangeResponse(tuple(self.store(actor).items(request.key, request.start, request.stop)))

    def _delete_item(self, actor: str, request: ItemRequest) -> ListResponse:
        return ListResponse(self.store(actor).remove_items(request.key, request.value))

    def _set_add(self, actor: str, request: ItemRequest) -> SetOperationResponse:
        return SetOperationResponse(int(self.store(actor).add_member(request.key, request.value)))

    def _set_remove(self, actor: str, request: ItemRequest) -> SetOperationResponse:
        return SetOperationResponse(int(self.store(actor).remove_member(request.key, request.value)))

    def _members(self, actor: str, request: KeyRequest) -> SetQueryResponse:
        return SetQueryResponse(tuple(sorted(self.store(actor).union((request.key,)))))

    def _union(self, actor: str, request: KeysRequest) -> SetQueryResponse:
        _check_keys(OP_SET_UNION, request)
        return SetQueryResponse(tuple(sorted(self.store(actor).union(request.keys))))

    def _intersection(self, actor: str, request: KeysRequest) -> SetQueryResponse:
        _check_keys(OP_SET_INTERSECT, request)
        return SetQueryResponse(tuple(sorted(self.store(actor).intersection(request.keys))))


def _check_keys(operation: str, request: KeysRequest) -> None:
    if not request.keys:
        raise ProviderError(f"{operation} needs at least one key")
    if len(request.keys) > MAX_KEYS:
        raise ProviderError(f"{operation} takes at most {MAX_KEYS} keys")


class MemoryKeyValueProvider(MemoryProvider[TransactionalStore], KeyValueProvider):
    """One store in memory, shared by all actors that are bound to the provider."""

    name = "waSCC Key-Value Provider (in memory)"
    long_description = "Strings, lists and sets under keys, in memory: gone when the host stops."

    def made(self, max_bytes: int, clock: Callable[[], float]) -> TransactionalStore:
        """An empty store."""
        return TransactionalStore(MemoryStorage(max_bytes, clock))


class SqliteKeyValueProvider(SqliteProvider[Store], KeyValueProvider):
    """A store in the file that each binding names; actors that name the same file share it."""

    name = "waSCC Key-Value Provider (SQLite)"
    long_description = "Strings, lists and sets under keys, kept in a SQLite file."
    path = path_value("wascc-keyvalue.db")
    in_memory = "keyvalue_memory"
    value_names = FILE_VALUES | {path}

    def in_file(self, settings: FileSettings, busy_seconds: float, clock: Callable[[], float]) -> Store:
        """The store in a file."""
        return TransactionalStore(SqliteStorage(settings, busy_seconds, clock))


class RedisKeyValueProvider(RedisProvider[Store], KeyValueProvider):
    """A store on the Redis server that each binding names, with connections of its own for each actor."""

    name = "waSCC Key-Value Provider (Redis)"
    long_description = "Strings, lists and sets under keys, kept by a Redis server."
    value_names = REDIS_VALUES
    store_module = "host.providers.keyvalue.redis_store"
