"""What the key-value operations do, the same on every backend."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from keyvalue_support import ACTOR, REPLIES, Ask, Clock, ask_of, bound
from redis_support import RedisClock, url_of

from host.codec import Message, decode, encode
from host.codec.core import CapabilityConfiguration
from host.codec.keyvalue import (
    AddRequest,
    DelResponse,
    GetResponse,
    ItemRequest,
    KeyRequest,
    KeysRequest,
    ListRangeResponse,
    ListResponse,
    RangeRequest,
    SetQueryResponse,
    SetRequest,
    SetResponse,
)
from host.providers.base import ProviderError
from host.providers.keyvalue import MemoryKeyValueProvider, RedisKeyValueProvider, SqliteKeyValueProvider
from host.providers.keyvalue.memory import MemoryStorage
from host.providers.keyvalue.providers import KeyValueProvider


@pytest.fixture(params=["sqlite", "memory", "redis"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def clock(backend: str, request: pytest.FixtureRequest) -> Any:
    return RedisClock(request.getfixturevalue("redis_client")) if backend == "redis" else Clock()


@pytest.fixture
def provider(backend: str, request: pytest.FixtureRequest, tmp_path: Path, clock: Any) -> Iterator[KeyValueProvider]:
    match backend:
        case "sqlite":
            made = bound(SqliteKeyValueProvider(clock=clock), PATH=str(tmp_path / "kv.db"), SYNCHRONOUS="normal")
        case "memory":
            made = bound(MemoryKeyValueProvider(clock=clock))
        case _:
            made = bound(RedisKeyValueProvider(), URL=url_of(request.getfixturevalue("redis")))
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
        ("SetUnion", KeysRequest(("set",) * 100_001), "SetUnion takes at most 100000 keys"),
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


def test_expiry(ask: Ask, clock: Any) -> None:
    ask("Set", SetRequest("k", "1", 1000))
    ask("Set", SetRequest("for ever", "1", 0))
    clock.now += 900
    assert ask("Add", AddRequest("k", 1)).value == 2
    clock.now += 100
    assert ask("Get", KeyRequest("k")) == GetResponse("", False)
    assert ask("KeyExists", KeyRequest("k")).exists is False
    assert ask("Add", AddRequest("k", 1)).value == 1
    clock.now += 10_000_000
    assert ask("Get", KeyRequest("k")).exists is True
    assert ask("Get", KeyRequest("for ever")).exists is True


def test_what_expired_can_become_something_else(ask: Ask, clock: Any) -> None:
    ask("Set", SetRequest("k", "1", 1))
    clock.now += 1
    assert ask("Push", ItemRequest("k", "x")).new_count == 1
    clock.now += 10
    assert ask("Range", RangeRequest("k", 0, -1)).values == ("x",)


def test_setting_again_ends_the_former_time(ask: Ask, clock: Any) -> None:
    ask("Set", SetRequest("early", "0", 1000))
    for _ in range(1500):
        ask("Set", SetRequest("k", "1", 1000))
    ask("Set", SetRequest("k", "2", 0))
    clock.now += 1100
    assert ask("Get", KeyRequest("k")).value == "2"
    assert ask("Get", KeyRequest("early")).exists is False
    ask("Set", SetRequest("other", "3", 500))
    clock.now += 600
    assert ask("Get", KeyRequest("k")).value == "2"
    assert ask("Get", KeyRequest("other")).exists is False


def test_answers_too_large_for_a_message(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.providers.answers.MAX_PAYLOAD_BYTES", 100)
    for key in "ab":
        ask("SetAdd", ItemRequest(key, key * 60))
        ask("Push", ItemRequest("list", key * 60))
    for operation, request in (("SetUnion", KeysRequest(("a", "b"))), ("Range", RangeRequest("list", 0, -1))):
        with pytest.raises(ProviderError, match="the values are over the limit of 100 bytes or"):
            ask(operation, request)
    assert ask("SetQuery", KeyRequest("a")).values == ("a" * 60,)
    assert ask("Range", RangeRequest("list", 1, 1)).values == ("a" * 60,)


def test_answers_of_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small value takes fifty times the memory of its bytes."""
    monkeypatch.setattr("host.providers.answers.MAX_VALUES", 3)
    provider = bound(MemoryKeyValueProvider())
    for _ in range(4):
        ask_of(provider, "Push", ItemRequest("list", "x"))
    assert len(ask_of(provider, "Range", RangeRequest("list", 1, -1)).values) == 3
    with pytest.raises(ProviderError, match="bytes or 3 values for an answer"):
        ask_of(provider, "Range", RangeRequest("list", 0, -1))
    provider.stop()


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
