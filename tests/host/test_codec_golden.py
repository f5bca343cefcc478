"""Bytes captured from real modules, or computed by the same rules: each is decoded, and encoded again."""

import pytest

from host.codec import CodecError, Message, decode, decode_empty, encode
from host.codec.blobstore import FileChunk
from host.codec.core import (
    CapabilityConfiguration,
    CapabilityDescriptor,
    Direction,
    HealthRequest,
    OperationDescriptor,
)
from host.codec.extras import GeneratorRequest, GeneratorResult
from host.codec.http import Request, Response
from host.codec.keyvalue import AddRequest, AddResponse, GetResponse, KeyRequest, SetRequest
from host.codec.logging import LEVEL_WARN, WriteLogRequest
from host.codec.messaging import BrokerMessage, RequestMessage
from host.codec.sqldb import BatchRequest, BatchResult, ExecuteResult, QueryRequest, QueryResult, Statement
from host.codec.telnet import SessionStarted, TelnetMessage

ECHO_BODY = b'{"method":"GET","path":"/foo","query_string":"a=1&b=2","headers":{"accept":"*/*"},"body":[]}'
WASI_DEMO = CapabilityDescriptor(
    id="wascc:wasidemo",
    name="waSCC Portable Provider Demo",
    version="0.1.0",
    revision=0,
    long_description="Sample illustrating that an actor can also be a capability provider",
    supported_operations=(
        OperationDescriptor("DoCustomThing", Direction.TO_ACTOR, "Performs the custom, ultra-top secret operation"),
    ),
)
GOLDEN: list[tuple[str, Message]] = [
    (
        "85a66d6574686f64a3474554a470617468a42f666f6fab7175657279537472696e67a7613d3126623d32a668656164657281a66163"
        "63657074a32a2f2aa4626f6479c400",
        Request("GET", "/foo", "a=1&b=2", {"accept": "*/*"}),
    ),
    (
        "84aa737461747573436f6465ccc8a6737461747573a24f4ba668656164657280a4626f6479c45c7b226d6574686f64223a22474554"
        "222c2270617468223a222f666f6f222c2271756572795f737472696e67223a22613d3126623d32222c2268656164657273223a7b22"
        "616363657074223a222a2f2a227d2c22626f6479223a5b5d7d",
        Response(200, "OK", {}, ECHO_BODY),
    ),
    ("81ab706c616365686f6c646572c2", HealthRequest()),
    ("82a36b6579a93a636f756e74657231a576616c756501", AddRequest(":counter1", 1)),
    ("81a576616c756507", AddResponse(7)),
    (
        "84aa737461747573436f6465ccc8a6737461747573a24f4ba668656164657280a4626f6479c40d7b22636f756e746572223a377d",
        Response(200, "OK", {}, b'{"counter":7}'),
    ),
    (
        "85a467756964c2a873657175656e6365c2a672616e646f6dc3a36d696e00a36d617864",
        GeneratorRequest(guid=False, sequence=False, random=True, min=0, max=100),
    ),
    (
        "85a467756964c3a873657175656e6365c2a672616e646f6dc2a36d696e00a36d617800",
        GeneratorRequest(guid=True, sequence=False, random=False, min=0, max=0),
    ),
    (
        "85a467756964c3a873657175656e6365c3a672616e646f6dc2a36d696e00a36d617800",
        GeneratorRequest(guid=True, sequence=True, random=False, min=0, max=0),
    ),
    (
        "83a467756964c0ae73657175656e63654e756d62657209ac72616e646f6d4e756d62657200",
        GeneratorResult(None, sequence_number=9, random_number=0),
    ),
    (
        "82a56c6576656c02a4626f6479b8526563656976656420616e20485454502072657175657374",
        WriteLogRequest(LEVEL_WARN, "Received an HTTP request"),
    ),
    (
        "83a77375626a656374a474657374a77265706c79546fa7696e626f782e31a4626f6479c40568656c6c6f",
        BrokerMessage("test", "inbox.1", b"hello"),
    ),
    (
        "86a26964ae77617363633a7761736964656d6fa46e616d65bc776153434320506f727461626c652050726f76696465722044656d6f"
        "a776657273696f6ea5302e312e30a87265766973696f6e00b06c6f6e675f6465736372697074696f6ed94353616d706c6520696c6c"
        "757374726174696e67207468617420616e206163746f722063616e20616c736f2062652061206361706162696c6974792070726f76"
        "69646572b4737570706f727465645f6f7065726174696f6e739183a46e616d65ad446f437573746f6d5468696e67a9646972656374"
        "696f6e8100c0a7646f6374657874d92f506572666f726d732074686520637573746f6d2c20756c7472612d746f7020736563726574"
        "206f7065726174696f6e",
        WASI_DEMO,
    ),
    ("82a66d6f64756c65a24d58a676616c75657381a141a142", CapabilityConfiguration("MX", {"A": "B"})),
    ("81a36b6579a8636f756e74657231", KeyRequest("counter1")),
    ("82a576616c7565a23132a6657869737473c3", GetResponse("12", True)),
    ("83a36b6579a8636f756e74657231a576616c7565a23132a76578706972657364", SetRequest("counter1", "12", 100)),
    (
        "83a77375626a656374b0757365722e70726f66696c652e313735a4626f6479c40f726177207175657279206279746573a774696d65"
        "6f757464",
        RequestMessage("user.profile.175", b"raw query bytes", timeout=100),
    ),
    (
        "86aa73657175656e63654e6f05a9636f6e7461696e6572a9636f6e7461696e6572a26964a4626c6f62aa746f74616c4279746573cd"
        "d098a96368756e6b53697a65cd0400aa6368756e6b4279746573c4050102030405",
        FileChunk(5, "container", "blob", 53400, 1024, None, b"\1\2\3\4\5"),
    ),
    (
        "83a373716ca953454c454354202431aa706172616d6574657273968100c08101c38102ff8103cb3ff80000000000008104a2c3a98105"
        "c40100a76d6178526f777300",
        QueryRequest("SELECT $1", (None, True, -1, 1.5, "é", b"\0")),
    ),
    (
        "83a7636f6c756d6e7392a16ea173a4726f777392928102018104a161928102028100c0a97472756e6361746564c3",
        QueryResult(("n", "s"), ((1, "a"), (2, None)), truncated=True),
    ),
    (
        "81aa73746174656d656e74739182a373716cad44454c4554452046524f4d2074aa706172616d657465727390",
        BatchRequest((Statement("DELETE FROM t"),)),
    ),
    (
        "81a7726573756c74739184ac6166666563746564526f777301ac6c617374496e73657274496407a7636f6c756d6e7390a4726f777390",
        BatchResult((ExecuteResult(1, 7),)),
    ),
    ("81a773657373696f6ea3732d31", SessionStarted("s-1")),
    ("82a773657373696f6ea3732d31a474657874a568c3a96c6f", TelnetMessage("s-1", "hélo")),
]


@pytest.mark.parametrize(("hexadecimal", "message"), GOLDEN, ids=lambda item: getattr(type(item), "__name__", ""))
def test_golden_bytes_both_ways(hexadecimal: str, message: Message) -> None:
    payload = bytes.fromhex(hexadecimal)
    assert decode(type(message), payload) == message
    assert encode(message) == payload


def test_response_of_an_actor_with_a_stray_byte_at_its_end() -> None:
    payload = bytes.fromhex(
        "84aa737461747573436f6465ccc8a6737461747573a24f4ba668656164657280a4626f6479c40b7b22636f756e74223a377d00"
    )
    assert decode(Response, payload) == Response(200, "OK", {}, b'{"count":7}')


def test_older_dialect_of_arrays() -> None:
    assert decode(AddRequest, bytes.fromhex("92a23a6301")) == AddRequest(":c", 1)
    body = bytes(range(0x71, 0x8D))
    items = b"".join(bytes([item]) if item < 0x80 else bytes([0xCC, item]) for item in body)
    payload = bytes.fromhex("94ccc8a24f4b80dc001c") + items
    assert decode(Response, payload) == Response(200, "OK", {}, body)


@pytest.mark.parametrize("payload", [b"", b"\xc0", b"\xc0\x00"])
def test_empty_results(payload: bytes) -> None:
    decode_empty(payload)


@pytest.mark.parametrize("payload", [b"\x80", b"\x00", b"\xa0"])
def test_a_result_where_none_is_expected(payload: bytes) -> None:
    with pytest.raises(CodecError, match="expected an empty result"):
        decode_empty(payload)
