"""Any sequence of operations of the key-value stores means the same on every backend, and what a plain model says."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from keyvalue_support import ask_of, bound
from redis_support import RedisClock, client_of, url_of
from servers import ServerProcess

from host.codec import Message
from host.codec.keyvalue import (
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
from host.providers.base import ProviderError
from host.providers.keyvalue import MemoryKeyValueProvider, RedisKeyValueProvider, SqliteKeyValueProvider
from host.providers.keyvalue.providers import KeyValueProvider

KEYS = st.sampled_from(["a", "b", "ключ"])
ITEMS = st.sampled_from(["", "1", "-7", "x", "y", "2147483647"])
INDEXES = st.integers(-6, 6)
REFUSED = "refused"


class Model:
    """The semantics once more, as plainly as can be, on one dictionary."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.ends: dict[str, float] = {}

    def forget_expired(self, now: float) -> None:
        for key in [key for key, end in self.ends.items() if end <= now]:
            self.drop(key)

    def drop(self, key: str) -> None:
        self.values.pop(key, None)
        self.ends.pop(key, None)

    def of(self, key: str, kind: type) -> Any:
        value = self.values.get(key, kind())
        if not isinstance(value, kind):
            raise TypeError(key)
        return value

    def Add(self, key: str, amount: int) -> Message:
        total = int(self.of(key, str) or ("0" if key not in self.values else "")) + amount
        if abs(total) >= 2**31 and total != -(2**31):
            raise ValueError(key)
        self.values[key] = str(total)
        return AddResponse(total)

    def Get(self, key: str) -> Message:
        return GetResponse(self.of(key, str), key in self.values)

    def Set(self, key: str, value: str, expires: int, now: float) -> Message:
        self.drop(key)
        self.values[key] = value
        if expires:
            self.ends[key] = now + expires
        return SetResponse(value)

    def Del(self, key: str) -> Message:
        self.drop(key)
        return DelResponse(key)

    def Push(self, key: str, item: str) -> Message:
        self.values[key] = [item, *self.of(key, list)]
        return ListResponse(len(self.values[key]))

    def Range(self, key: str, start: int, stop: int) -> Message:
        items = self.of(key, list)
        where = range(len(items))
        first, last = (index + len(items) if index < 0 else index for index in (start, stop))
        return ListRangeResponse(tuple(items[index] for index in where if first <= index <= last))

    def ListItemDelete(self, key: str, item: str) -> Message:
        items = self.of(key, list)
        kept = [each for each in items if each != item]
        self.keep(key, kept)
        return ListResponse(len(items) - len(kept))

    def SetAdd(self, key: str, member: str) -> Message:
        members = self.of(key, set)
        self.values[key] = members | {member}
        return SetOperationResponse(int(member not in members))

    def SetRemove(self, key: str, member: str) -> Message:
        members = self.of(key, set)
        self.keep(key, members - {member})
        return SetOperationResponse(int(member in members))

    def SetUnion(self, keys: list[str]) -> Message:
        return SetQueryResponse(tuple(sorted(set.union(*[self.of(key, set) for key in keys]))))

    def SetIntersection(self, keys: list[str]) -> Message:
        return SetQueryResponse(tuple(sorted(set.intersection(*[self.of(key, set) for key in keys]))))

    def SetQuery(self, key: str) -> Message:
        return SetQueryResponse(tuple(sorted(self.of(key, set))))

    def KeyExists(self, key: str) -> Message:
        return GetResponse("", key in self.values)

    def keep(self, key: str, rest: Any) -> None:
        if rest:
            self.values[key] = rest
        else:
            self.drop(key)


class StoresAgree(RuleBasedStateMachine):
    """Any sequence of operations has the same answers from SQLite, memory, Redis, and the model."""

    server: ServerProcess

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        client = client_of(self.server)
        client.flushall()
        self.clock = RedisClock(client)
        self.model = Model()
        self.memory = bound(MemoryKeyValueProvider(clock=self.clock))
        self.redis = bound(RedisKeyValueProvider(), URL=url_of(self.server), PREFIX="model:")
        self.sqlite = self.open()

    def open(self) -> KeyValueProvider:
        path = str(Path(self.folder.name) / "kv.db")
        return bound(SqliteKeyValueProvider(clock=self.clock), PATH=path, SYNCHRONOUS="normal")

    def teardown(self) -> None:
        self.sqlite.stop()
        self.memory.stop()
        self.redis.stop()
        self.folder.cleanup()

    def agree(self, operation: str, request: Message, *arguments: Any) -> None:
        self.model.forget_expired(self.clock.now)
        try:
            expected = getattr(self.model, operation)(*arguments)
        except (TypeError, ValueError):
            expected = REFUSED
        found = []
        for provider in (self.sqlite, self.memory, self.redis):
            try:
                found.append((ask_of(provider, operation, request), ""))
            except ProviderError as error:
                found.append((REFUSED, str(error)))
        assert found[0] == found[1] == found[2]
        assert found[0][0] == expected

    @rule(key=KEYS, amount=st.integers(-3, 3))
    def add(self, key: str, amount: int) -> None:
        self.agree("Add", AddRequest(key, amount), key, amount)

    @rule(key=KEYS, value=ITEMS, expires=st.sampled_from([0, 0, 500, 2000]))
    def set(self, key: str, value: str, expires: int) -> None:
        self.agree("Set", SetRequest(key, value, expires), key, value, expires, self.clock.now)

    @rule(operation=st.sampled_from(["Get", "Del", "SetQuery", "KeyExists"]), key=KEYS)
    def of_a_key(self, operation: str, key: str) -> None:
        self.agree(operation, KeyRequest(key), key)

    @rule(operation=st.sampled_from(["Push", "ListItemDelete", "SetAdd", "SetRemove"]), key=KEYS, item=ITEMS)
    def of_an_item(self, operation: str, key: str, item: str) -> None:
        self.agree(operation, ItemRequest(key, item), key, item)

    @rule(key=KEYS, start=INDEXES, stop=INDEXES)
    def range(self, key: str, start: int, stop: int) -> None:
        self.agree("Range", RangeRequest(key, start, stop), key, start, stop)

    @rule(operation=st.sampled_from(["SetUnion", "SetIntersection"]), keys=st.lists(KEYS, min_size=1, max_size=4))
    def of_keys(self, operation: str, keys: list[str]) -> None:
        self.agree(operation, KeysRequest(tuple(keys)), keys)

    @rule(seconds=st.sampled_from([100, 400, 1500]))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def reopen(self) -> None:
        self.sqlite.stop()
        self.sqlite = self.open()


def test_stores_agree(redis: ServerProcess) -> None:
    StoresAgree.server = redis
    run_state_machine_as_test(StoresAgree, settings=settings(max_examples=15, stateful_step_count=30, deadline=None))
