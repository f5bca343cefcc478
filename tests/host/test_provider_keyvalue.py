"""What the key-value operations do, on both storages, and both against a plain model."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from host.codec import Message, decode, encode
from host.codec.core import CapabilityConfiguration
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
from host.providers.keyvalue import MemoryKeyValueProvider, SqliteKeyValueProvider
from host.providers.keyvalue.memory import MemoryStorage
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
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration(ACTOR, values)))
    return provider


def ask_of(provider: KeyValueProvider, operation: str, request: Message) -> Any:
    return decode(REPLIES[operation], provider.handle_call(ACTOR, operation, encode(request)))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "memory"])
def provider(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[KeyValueProvider]:
    if request.param == "sqlite":
        made = bound(SqliteKeyValueProvider(clock=clock), PATH=str(tmp_path / "kv.db"), SYNCHRONOUS="normal")
    else:
        made = bound(MemoryKeyValueProvider(clock=clock))
    yield made
    made.stop()


@pytest.fixture
def ask(provider: KeyValueProvider) -> Ask:
    return lambda operation, request: ask_of(provider, operation, request)


def test_every_operation_is_described(provider: KeyValueProvider) -> None:
    assert {each.name for each in provider.descriptor.supported_operations} == REPLIES.keys()
    assert provider.descriptor.id == "wascc:keyvalue"


def test_counter(ask: Ask) -> None:
    assert [ask("Add", AddRequest(":c", amount)).value for amount in (1, 1, 40, -50)] == [1, 2, 42, -8]
    assert ask("Get", KeyRequest(":c")) == GetResponse("-8", True)


def test_strings(ask: Ask) -> None:
    assert ask("Get", KeyRequest("k")) == GetResponse("", False)
    assert ask("Set", SetRequest("k", "Käse\0\n", 0)) == SetResponse("Käse\0\n")
    assert ask("Get", KeyRequest("k")) == GetResponse("Käse\0\n", True)
    assert ask("KeyExists", KeyRequest("k")) == GetResponse("", True)
    assert ask("Del", KeyRequest("k")) == DelResponse("k")
    assert ask("Clear", KeyRequest("k")) == DelResponse("k")
    assert ask("KeyExists", KeyRequest("k")) == GetResponse("", False)


def test_lists(ask: Ask) -> None:
    assert [ask("Push", ItemRequest("l", item)).new_count for item in ("c", "b", "a", "b")] == [1, 2, 3, 4]
    for start, stop, expected in (
        (0, -1, "babc"),
        (0, 0, "b"),
        (1, 2, "ab"),
        (-2, -1, "bc"),
        (-99, 99, "babc"),
        (2, 1, ""),
        (4, 9, ""),
        (-1, -2, ""),
        (0, -5, ""),
    ):
        assert ask("Range", RangeRequest("l", start, stop)) == ListRangeResponse(tuple(expected))
    assert ask("ListItemDelete", ItemRequest("l", "b")) == ListResponse(2)
    assert ask("ListItemDelete", ItemRequest("l", "x")) == ListResponse(0)
    assert ask("Push", ItemRequest("l", "d")) == ListResponse(3)
    assert ask("Range", RangeRequest("l", 0, -1)) == ListRangeResponse(tuple("dac"))
    for item in "dac":
        ask("ListItemDelete", ItemRequest("l", item))
    assert ask("KeyExists", KeyRequest("l")).exists is False
    assert ask("Range", RangeRequest("l", 0, -1)) == ListRangeResponse()


def test_sets(ask: Ask) -> None:
    assert [ask("SetAdd", ItemRequest("s", member)).new_count for member in "abca"] == [1, 1, 1, 0]
    for member in "bcd":
        ask("SetAdd", ItemRequest("t", member))
    assert ask("SetQuery", KeyRequest("s")) == SetQueryResponse(("a", "b", "c"))
    assert ask("SetUnion", KeysRequest(("s", "t", "s", "none"))) == SetQueryResponse(("a", "b", "c", "d"))
    assert ask("SetIntersection", KeysRequest(("s", "t"))) == SetQueryResponse(("b", "c"))
    assert ask("SetIntersection", KeysRequest(("s", "none"))) == SetQueryResponse(())
    assert ask("SetRemove", ItemRequest("s", "a")).new_count == 1
    assert ask("SetRemove", ItemRequest("s", "a")).new_count == 0
    assert ask("SetRemove", ItemRequest("none", "a")).new_count == 0
    for member in "bc":
        ask("SetRemove", ItemRequest("s", member))
    assert ask("KeyExists", KeyRequest("s")).exists is False


@pytest.mark.parametrize("end", [("Del", KeyRequest("k")), ("Set", SetRequest("k", "text", 0))], ids=lambda end: end[0])
def test_what_was_removed_does_not_come_back(ask: Ask, end: tuple[str, Message]) -> None:
    for kind, read in (("Push", RangeRequest("k", 0, -1)), ("SetAdd", KeyRequest("k"))):
        for item in ("old", "older"):
            ask(kind, ItemRequest("k", item))
        ask(*end)
        ask("Del", KeyRequest("k"))
        assert ask(kind, ItemRequest("k", "new")).new_count == 1
        assert ask("Range" if kind == "Push" else "SetQuery", read).values == ("new",)
        ask("Del", KeyRequest("k"))


def test_set_replaces_whatever_was_there(ask: Ask) -> None:
    ask("Push", ItemRequest("k", "old"))
    ask("Set", SetRequest("k", "1", 0))
    assert ask("Add", AddRequest("k", 1)).value == 2
    ask("Del", KeyRequest("k"))
    assert ask("Push", ItemRequest("k", "new")).new_count == 1


@pytest.mark.parametrize(
    ("operation", "request_", "reason"),
    [
        ("Add", AddRequest("list", 1), "key 'list' holds a list, not a string"),
        ("Add", AddRequest("text", 1), "key 'text' holds a string that is not an integer"),
        ("Add", AddRequest("zeros", 1), "key 'zeros' holds a string that is not an integer"),
        ("Add", AddRequest("most", 1), "the number under key 'most' would leave the range of an i32"),
        ("Get", KeyRequest("set"), "key 'set' holds a set, not a string"),
        ("Push", ItemRequest("text", "x"), "key 'text' holds a string, not a list"),
        ("Range", RangeRequest("set", 0, 1), "key 'set' holds a set, not a list"),
        ("ListItemDelete", ItemRequest("set", "x"), "key 'set' holds a set, not a list"),
        ("SetAdd", ItemRequest("list", "x"), "key 'list' holds a list, not a set"),
        ("SetRemove", ItemRequest("list", "x"), "key 'list' holds a list, not a set"),
        ("SetQuery", KeyRequest("list"), "key 'list' holds a list, not a set"),
        ("SetUnion", KeysRequest(("set", "text")), "key 'text' holds a string, not a set"),
        ("SetIntersection", KeysRequest(("none", "text")), "key 'text' holds a string, not a set"),
        ("SetUnion", KeysRequest(), "SetUnion needs at least one key"),
        ("SetIntersection", KeysRequest(), "SetIntersection needs at least one key"),
        ("Set", SetRequest("text", "new", -1), "expires must be 0 or more seconds, not -1"),
        ("Get", KeyRequest("a\nb"), r"key 'a\nb' holds a list, not a string"),
    ],
)
def test_refused_and_nothing_changed(
    ask: Ask, provider: KeyValueProvider, operation: str, request_: Message, reason: str
) -> None:
    ask("Push", ItemRequest("list", "x"))
    ask("Push", ItemRequest("a\nb", "x"))
    ask("SetAdd", ItemRequest("set", "x"))
    for key, value in (("text", "hello"), ("zeros", "007"), ("most", str(2**31 - 1))):
        ask("Set", SetRequest(key, value, 0))
    with pytest.raises(ProviderError) as caught:
        provider.handle_call(ACTOR, operation, encode(request_))
    assert str(caught.value) == reason
    assert ask("Get", KeyRequest("text")).value == "hello"
    assert ask("Get", KeyRequest("most")).value == str(2**31 - 1)
    assert ask("Range", RangeRequest("list", 0, -1)).values == ("x",)
    assert ask("SetQuery", KeyRequest("set")).values == ("x",)


def test_undecodable_requests(provider: KeyValueProvider) -> None:
    with pytest.raises(ProviderError, match=r"^Add: AddRequest\.value: missing$"):
        provider.handle_call(ACTOR, "Add", encode(KeyRequest("k")))
    with pytest.raises(ProviderError, match=r"^Get: KeyRequest: the payload ends too early$"):
        provider.handle_call(ACTOR, "Get", b"")


def test_expiry(ask: Ask, clock: Clock) -> None:
    ask("Set", SetRequest("k", "1", 10))
    ask("Set", SetRequest("for ever", "1", 0))
    clock.now += 9
    assert ask("Add", AddRequest("k", 1)).value == 2
    clock.now += 1
    assert ask("Get", KeyRequest("k")) == GetResponse("", False)
    assert ask("KeyExists", KeyRequest("k")).exists is False
    assert ask("Add", AddRequest("k", 1)).value == 1
    clock.now += 10_000_000
    assert ask("Get", KeyRequest("k")).exists is True
    assert ask("Get", KeyRequest("for ever")).exists is True


def test_what_expired_can_become_something_else(ask: Ask, clock: Clock) -> None:
    ask("Set", SetRequest("k", "1", 1))
    clock.now += 1
    assert ask("Push", ItemRequest("k", "x")).new_count == 1
    clock.now += 10
    assert ask("Range", RangeRequest("k", 0, -1)).values == ("x",)


def test_setting_again_ends_the_former_time(ask: Ask, clock: Clock) -> None:
    ask("Set", SetRequest("early", "0", 10))
    for _ in range(1500):
        ask("Set", SetRequest("k", "1", 10))
    ask("Set", SetRequest("k", "2", 0))
    clock.now += 11
    assert ask("Get", KeyRequest("k")).value == "2"
    assert ask("Get", KeyRequest("early")).exists is False
    ask("Set", SetRequest("other", "3", 5))
    clock.now += 6
    assert ask("Get", KeyRequest("k")).value == "2"
    assert ask("Get", KeyRequest("other")).exists is False


def test_answers_too_large_for_a_message(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.providers.answers.MAX_PAYLOAD_BYTES", 100)
    for key in "ab":
        ask("SetAdd", ItemRequest(key, key * 60))
        ask("Push", ItemRequest("list", key * 60))
    for operation, request in (("SetUnion", KeysRequest(("a", "b"))), ("Range", RangeRequest("list", 0, -1))):
        with pytest.raises(ProviderError, match="the values are over the limit of 100 bytes for an answer"):
            ask(operation, request)
    assert ask("SetQuery", KeyRequest("a")).values == ("a" * 60,)
    assert ask("Range", RangeRequest("list", 1, 1)).values == ("a" * 60,)


def test_memory_is_bounded() -> None:
    provider = bound(MemoryKeyValueProvider(max_bytes=20_000))
    pushed = 0
    with suppress(ProviderError):
        while pushed < 1000:
            pushed = ask_of(provider, "Push", ItemRequest("l", f"ä{pushed}")).new_count
    assert 10 < pushed < 100
    with pytest.raises(ProviderError, match=r"^the key-value store is full \(20000 bytes\)$"):
        ask_of(provider, "Push", ItemRequest("l", "ä0"))
    assert ask_of(provider, "ListItemDelete", ItemRequest("l", "ä0")) == ListResponse(1)
    assert ask_of(provider, "Push", ItemRequest("l", "ä0")) == ListResponse(pushed)
    with pytest.raises(ProviderError, match="full"):
        ask_of(provider, "Set", SetRequest("l2", "y" * 1000, 0))
    for operation in ("Push", "SetAdd", "Set"):
        # Room that was given back can be used, as often as it is.
        for number in range(1000):
            ask_of(provider, "Del", KeyRequest("l"))
            request = SetRequest("l", "y" * 10_000, 9) if operation == "Set" else ItemRequest("l", "y" * 10_000)
            ask_of(provider, operation, request)
            if operation == "SetAdd":
                ask_of(provider, "SetRemove", ItemRequest("l", "y" * 10_000))
            elif number % 2:
                ask_of(provider, "Set", SetRequest("l", "short", 0))


def test_setting_a_key_again_and_again_takes_no_more_memory() -> None:
    storage = MemoryStorage(10_000, Clock())
    for _ in range(5000):
        with storage.writing() as transaction:
            transaction.set_string("k", "v", 1000)
    assert len(storage._expiries) < 1100


def test_actors_in_memory_share_one_store() -> None:
    provider = bound(MemoryKeyValueProvider())
    provider.handle_call("system", "BindActor", encode(CapabilityConfiguration("MOTHER")))
    ask_of(provider, "Set", SetRequest("k", "v", 0))
    assert decode(GetResponse, provider.handle_call("MOTHER", "Get", encode(KeyRequest("k")))).value == "v"
    provider.handle_call("system", "RemoveActor", encode(CapabilityConfiguration(ACTOR)))
    with pytest.raises(ProviderError, match="MACTOR is not bound to wascc:keyvalue"):
        ask_of(provider, "Get", KeyRequest("k"))
    assert decode(GetResponse, provider.handle_call("MOTHER", "Get", encode(KeyRequest("k")))).value == "v"


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
    """Any sequence of operations has the same answers from SQLite, from memory, and from the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.model = Model()
        self.memory = bound(MemoryKeyValueProvider(clock=self.clock))
        self.sqlite = self.open()

    def open(self) -> KeyValueProvider:
        path = str(Path(self.folder.name) / "kv.db")
        return bound(SqliteKeyValueProvider(clock=self.clock), PATH=path, SYNCHRONOUS="normal")

    def teardown(self) -> None:
        self.sqlite.stop()
        self.memory.stop()
        self.folder.cleanup()

    def agree(self, operation: str, request: Message, *arguments: Any) -> None:
        self.model.forget_expired(self.clock.now)
        try:
            expected = getattr(self.model, operation)(*arguments)
        except (TypeError, ValueError):
            expected = REFUSED
        found = []
        for provider in (self.sqlite, self.memory):
            try:
                found.append((ask_of(provider, operation, request), ""))
            except ProviderError as error:
                found.append((REFUSED, str(error)))
        assert found[0] == found[1]
        assert found[0][0] == expected

    @rule(key=KEYS, amount=st.integers(-3, 3))
    def add(self, key: str, amount: int) -> None:
        self.agree("Add", AddRequest(key, amount), key, amount)

    @rule(key=KEYS, value=ITEMS, expires=st.sampled_from([0, 0, 5, 20]))
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

    @rule(seconds=st.sampled_from([1, 4, 15]))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def reopen(self) -> None:
        self.sqlite.stop()
        self.sqlite = self.open()


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
