"""The rules of the encoding one by one: what is accepted, what is refused, and which field is blamed."""

import struct
import time
from dataclasses import dataclass
from typing import Any

import msgpack
import pytest

from host.codec import MAX_PAYLOAD_BYTES, CodecError, Message, decode, encode
from host.codec.blobstore import FileChunk, StreamRequest
from host.codec.core import CapabilityConfiguration, CapabilityDescriptor, Direction, OperationDescriptor
from host.codec.eventstreams import Event, StreamQuery, TimeRange
from host.codec.extras import GeneratorResult
from host.codec.http import Request, Response, bad_request, internal_server_error, json, not_found, ok
from host.codec.keyvalue import AddRequest, KeyRequest, KeysRequest, SetQueryResponse
from host.codec.messaging import BrokerMessage, RequestMessage
from host.codec.schema import schema_of
from host.codec.sqldb import BatchRequest, QueryResult, Statement

DESCRIPTOR: dict[str, Any] = {
    "id": "a:b",
    "name": "n",
    "version": "1",
    "revision": 0,
    "long_description": "",
    "supported_operations": [{"name": "Op", "direction": {1: None}, "doctext": ""}],
}


def packed(value: Any) -> bytes:
    payload: bytes = msgpack.packb(value)
    return payload


def test_any_order_and_unknown_keys() -> None:
    payload = packed({"later": {"deep": [1, {"x": b""}]}, 7: 1, "value": -1, b"key": "no", "key": "k", None: None})
    assert decode(AddRequest, payload) == AddRequest("k", -1)


def test_array_of_fields_and_nested_arrays() -> None:
    operation = OperationDescriptor("Op", Direction.TO_PROVIDER, "")
    payload = packed(["a:b", "n", "1", 0, "", [["Op", {1: None}, ""]]])
    assert decode(CapabilityDescriptor, payload) == CapabilityDescriptor("a:b", "n", "1", 0, "", (operation,))


def test_defaults_may_be_missing() -> None:
    assert decode(Request, packed({"method": "G", "path": "/", "queryString": ""})) == Request("G", "/", "")
    assert decode(Request, packed(["G", "/", ""])) == Request("G", "/", "")
    assert decode(RequestMessage, packed({"subject": "s", "timeout": 5})) == RequestMessage("s", timeout=5)
    assert decode(StreamQuery, packed({"streamId": "s", "count": 0})) == StreamQuery("s", count=0)
    assert decode(KeysRequest, packed({})) == KeysRequest()
    assert decode(CapabilityConfiguration, packed({"module": "M"})) == CapabilityConfiguration("M")
    assert decode(GeneratorResult, packed({"sequenceNumber": 1, "randomNumber": 2})).guid is None


def test_empty_bytes_also_as_nil_as_assemblyscript_writes_them() -> None:
    fields = {"statusCode": 200, "status": "OK", "header": {}, "body": None}
    assert decode(Response, packed(fields)).body == b""


def test_none_is_nil_or_left_out() -> None:
    assert msgpack.unpackb(encode(StreamQuery("s", None, count=0))) == {"streamId": "s", "range": None, "count": 0}
    assert msgpack.unpackb(encode(StreamRequest("i", "c", 1))) == {"id": "i", "container": "c", "chunkSize": 1}
    assert list(msgpack.unpackb(encode(FileChunk(0, "c", "i", 1, 1, "x", b"")))) == [
        "sequenceNo", "container", "id", "totalBytes", "chunkSize", "context", "chunkBytes"
    ]  # fmt: skip


@pytest.mark.parametrize("body", [b"ab", "ab", [0x61, 0x62]])
def test_bytes_also_as_string_or_array(body: Any) -> None:
    payload = packed({"statusCode": 200, "status": "", "body": body})
    assert decode(Response, payload).body == b"ab"


@pytest.mark.parametrize("items", [[], [0, 255], [127, 128, 0], [200] * 70000])
def test_bytes_as_array(items: list[int]) -> None:
    payload = packed({"statusCode": 200, "status": "", "body": items})
    assert decode(Response, payload).body == bytes(items)


@pytest.mark.parametrize("amount", [-(2**31), -33, -1, 0, 127, 128, 255, 256, 65536, 2**31 - 1])
def test_integers_take_the_shortest_form(amount: int) -> None:
    payload = encode(AddRequest("", amount))
    assert payload == packed({"key": "", "value": amount})
    assert decode(AddRequest, payload).value == amount


def test_integers_are_also_read_in_longer_forms() -> None:
    assert decode(AddRequest, b"\x92\xa0\xd3" + (-5).to_bytes(8, "big", signed=True)).value == -5


@pytest.mark.parametrize(
    ("kind", "value", "field", "reason"),
    [
        (AddRequest, {"key": "k"}, "AddRequest.value", "missing"),
        (AddRequest, ["k"], "AddRequest.value", "missing"),
        (AddRequest, ["k", 1, 2], "AddRequest", "array of 3 items for 2 fields"),
        (AddRequest, {"key": "k", "value": "1"}, "AddRequest.value", "expected integer, found string"),
        (AddRequest, {"key": "k", "value": True}, "AddRequest.value", "expected integer, found boolean"),
        (AddRequest, {"key": "k", "value": 1.0}, "AddRequest.value", "expected integer, found float"),
        (AddRequest, {"key": "k", "value": None}, "AddRequest.value", "expected integer, found nil"),
        (AddRequest, {"key": "k", "value": 2**31}, "AddRequest.value", "2147483648 is not in the range of i32"),
        (AddRequest, {"key": "k", "value": -(2**31) - 1}, "AddRequest.value", "is not in the range of i32"),
        (AddRequest, {"key": b"k", "value": 1}, "AddRequest.key", "expected string, found bytes"),
        (KeyRequest, {"key": ["k"]}, "KeyRequest.key", "expected string, found array"),
        (KeyRequest, "key", "KeyRequest", "expected a map or an array, found string"),
        (KeysRequest, {"keys": ["a", 1]}, "KeysRequest.keys", "expected string, found integer"),
        (KeysRequest, {"keys": {"a": "b"}}, "KeysRequest.keys", "expected array, found map"),
        (Response, {"statusCode": -1, "status": ""}, "Response.statusCode", "-1 is not in the range of u32"),
        (Response, [200, "", {"a": 1}], "Response.header", "expected string, found integer"),
        (Response, [200, "", {}, [256]], "Response.body", "256 is not a byte"),
        (Response, [200, "", {}, [-1]], "Response.body", "-1 is not a byte"),
        (Response, [200, "", {}, [[1]]], "Response.body", "expected integer, found array"),
        (Response, [200, "", {}, 5], "Response.body", "expected bytes, found integer"),
        (FileChunk, [2**64 - 1, "", "", -1, 0], "FileChunk.totalBytes", "-1 is not in the range of u64"),
        (
            CapabilityDescriptor,
            DESCRIPTOR | {"supported_operations": [["Op", {3: None}, ""]]},
            "CapabilityDescriptor.supported_operations.direction",
            "Direction has no variant 3",
        ),
        (OperationDescriptor, ["Op", {-1: None}, ""], "OperationDescriptor.direction", "no variant -1"),
        (OperationDescriptor, ["Op", {0: 1}, ""], "OperationDescriptor.direction", "carries no value"),
        (OperationDescriptor, ["Op", {}, ""], "OperationDescriptor.direction", "a map of one entry"),
        (OperationDescriptor, ["Op", 0, ""], "OperationDescriptor.direction", "expected map, found integer"),
        (Statement, ["", [1]], "Statement.parameters", "expected map, found integer"),
        (Statement, ["", [{}]], "Statement.parameters", "expected a map of one entry for SqlValue"),
        (Statement, ["", [{0: None, 1: True}]], "Statement.parameters", "expected a map of one entry for SqlValue"),
        (Statement, ["", [{6: 1}]], "Statement.parameters", "SqlValue has no variant 6"),
        (Statement, ["", [{-1: 1}]], "Statement.parameters", "SqlValue has no variant -1"),
        (Statement, ["", [{"0": None}]], "Statement.parameters", "expected integer, found string"),
        (Statement, ["", [{0: 0}]], "Statement.parameters", "expected nil, found integer"),
        (Statement, ["", [{1: 1}]], "Statement.parameters", "expected boolean, found integer"),
        (Statement, ["", [{2: 2**63}]], "Statement.parameters", "is not in the range of i64"),
        (Statement, ["", [{2: 1.0}]], "Statement.parameters", "expected integer, found float"),
        (Statement, ["", [{3: 1}]], "Statement.parameters", "expected float, found integer"),
        (Statement, ["", [{4: b""}]], "Statement.parameters", "expected string, found bytes"),
        (QueryResult, [[], [[{5: 1}]], True], "QueryResult.rows", "expected bytes, found integer"),
    ],
)
def test_refused_when_decoding(kind: type[Message], value: Any, field: str, reason: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode(kind, packed(value))
    assert caught.value.field == field
    assert reason in caught.value.reason
    assert str(caught.value) == f"{field}: {caught.value.reason}"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "the payload ends too early"),
        (b"\x82\xa3key\xa1k\xa5value", "the payload ends too early"),
        (b"\x82\xa3key\xdb\xff\xff\xff\xff", "the payload ends too early"),
        (b"\xdf\xff\xff\xff\xff", "the payload ends too early"),
        (b"\xdd\xff\xff\xff\xff", "the payload ends too early"),
        (b"\x82\xa3key\xa1k\xa3key\xa1k", "given twice"),
        (b"\x82\xa3key\xa1\xff", "not UTF-8"),
        (b"\xc1", "expected a map or an array, found a reserved byte"),
        (b"\x81\xa1x\xc1", "not MessagePack"),
        (b"\x81\xa1x" + b"\x91" * 100_000 + b"\xc0", "nested too deeply"),
        (b"\x81" + b"\x81" * 100_000, "nested too deeply"),
        (b"\x91" * 100_000, "expected string, found array"),
    ],
)
def test_broken_payloads(payload: bytes, reason: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode(AddRequest, payload)
    assert reason in caught.value.reason


def test_claimed_lengths_allocate_nothing() -> None:
    # Each of these arrays claims four thousand million items, inside the one before.
    nested = b"\xdd\xff\xff\xff\xff" * 900
    with pytest.raises(CodecError):
        decode(KeyRequest, b"\x81\xa1x" + nested)
    with pytest.raises(CodecError, match="the payload ends too early"):
        decode(KeysRequest, b"\x81\xa4keys" + nested)


def test_payloads_over_the_limit() -> None:
    with pytest.raises(CodecError, match="over the limit"):
        decode(KeyRequest, bytes(MAX_PAYLOAD_BYTES + 1))
    with pytest.raises(CodecError, match="over the limit"):
        encode(Response(200, "", {}, bytes(MAX_PAYLOAD_BYTES)))


@pytest.mark.parametrize(
    ("message", "start", "item"),
    [
        (KeysRequest, b"\x91", b"\xa0"),
        (BatchRequest, b"\x91", b"\x91\xa0"),
        (Statement, b"\x92\xa0", b"\x81\x00\xc0"),
        (BatchRequest, b"\x91\x91\x92\xa0", b"\x81\x00\xc0"),
    ],
)
def test_small_items_that_would_take_minutes_and_gigabytes(message: type[Message], start: bytes, item: bytes) -> None:
    count = MAX_PAYLOAD_BYTES // 4 // len(item)
    payload = start + b"\xdd" + struct.pack(">I", count) + item * count
    begin = time.monotonic()
    with pytest.raises(CodecError, match=r"more than 1048576 entries and items in the payload$"):
        decode(message, payload)
    assert time.monotonic() - begin < 1


def test_maps_of_too_many_entries() -> None:
    for start in (b"\x93\xa0\xa0", b""):  # the values of an event, and the event itself
        with pytest.raises(CodecError, match="more than 1048576 entries and items"):
            decode(Event, start + b"\xdf" + struct.pack(">I", 2**21) + b"\xa0\xa0" * 2**21)


def test_bytes_may_be_many_items() -> None:
    body = bytes(range(256)) * 2**13
    payload = b"\x93\xa0\xa0\xdd" + struct.pack(">I", len(body)) + b"".join(map(msgpack.packb, body))
    assert decode(BrokerMessage, payload).body == body


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (AddRequest("k", 2**31), "AddRequest.value: 2147483648 is not in the range of i32"),
        (AddRequest("k", True), "AddRequest.value: expected an integer, found bool"),
        (AddRequest(b"k", 1), "AddRequest.key: expected a string, found bytes"),  # type: ignore[arg-type]
        (KeyRequest("\ud800"), "KeyRequest: a string holds a lone surrogate"),
        (SetQueryResponse("ab"), "SetQueryResponse.values: expected a list, found str"),  # type: ignore[arg-type]
        (Response(200, "", {}, "x"), "Response.body: expected bytes, found str"),  # type: ignore[arg-type]
        (Response(200, "", {"a": 1}), "Response.header: expected a string, found int"),  # type: ignore[dict-item]
        (Response(200, "", ["a"]), "Response.header: expected a map, found list"),  # type: ignore[arg-type]
        (OperationDescriptor("", "both", ""), "direction: expected a Direction, found str"),  # type: ignore[arg-type]
        (StreamQuery("", AddRequest("", 1), count=0), "range: expected TimeRange, found AddRequest"),  # type: ignore[arg-type]
        (Statement("", (2**63,)), "Statement.parameters: 9223372036854775808 is not in the range of i64"),
        (Statement("", ([],)), "Statement.parameters: expected a SqlValue, found list"),  # type: ignore[arg-type]
        (StreamQuery("", TimeRange(0, -1), count=0), "StreamQuery.range.maxTime: -1 is not in the range of u64"),
    ],
)
def test_refused_when_encoding(message: Message, reason: str) -> None:
    with pytest.raises(CodecError) as caught:
        encode(message)
    assert reason in str(caught.value)


def test_floats_of_32_bits_are_read_too() -> None:
    assert decode(Statement, b"\x92\xa0\x91\x81\x03\xca" + struct.pack(">f", 0.5)) == Statement("", (0.5,))
    (nan,) = decode(Statement, encode(Statement("", (float("nan"),)))).parameters
    assert repr(nan) == "nan"


def test_values_of_a_configuration_are_not_shown() -> None:
    assert "hunter2" not in repr(CapabilityConfiguration("M", {"PASSWORD": "hunter2"}))


def test_helper_responses() -> None:
    assert ok(b"x") == Response(200, "OK", {}, b"x")
    assert not_found() == Response(404, "Not Found")
    assert bad_request() == Response(400, "Bad Request")
    assert internal_server_error("é") == Response(500, "Internal Server Error", {}, b"\xc3\xa9")
    assert json({"a": [1, None]}, 201, "Created") == Response(201, "Created", {}, b'{"a":[1,null]}')


def test_annotation_without_a_wire_form() -> None:
    @dataclass(frozen=True, slots=True)
    class Wrong(Message):
        value: complex

    with pytest.raises(TypeError, match="has no wire form"):
        schema_of(Wrong)
