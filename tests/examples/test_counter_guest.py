"""The counter actor of examples/counter, called through waPC on every engine, and the check of its build."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import msgpack
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interp.engine import ENGINES, EngineUnavailable, Limits, load_engine
from interp.errors import WasmError
from wapc import GuestCallFailure, MessageLimits, WapcHost
from wascap import WascapError, extract

ROOT = Path(__file__).resolve().parents[2]
COUNTER = ROOT / "examples" / "counter"
ACTOR = (COUNTER / "counter.wasm").read_bytes()

GET_FOO = bytes.fromhex(
    "85a66d6574686f64a3474554a470617468a42f666f6fab7175657279537472696e67a7613d3126623d32a668656164657281a661636365"
    "7074a32a2f2aa4626f6479c400"
)
HEALTH_REQUEST = bytes.fromhex("81ab706c616365686f6c646572c2")
ADD_TO_COUNTER1 = bytes.fromhex("82a36b6579a93a636f756e74657231a576616c756501")
COUNTER_IS_7 = bytes.fromhex("81a576616c756507")
ANSWER_7 = (
    bytes.fromhex("84aa737461747573436f6465ccc8a6737461747573a24f4ba6686561646572")
    + b"\x81\xaccontent-type\xb0application/json"
    + bytes.fromhex("a4626f6479c40d7b22636f756e746572223a377d")
)
OUT_OF_MEMORY = "out of memory: the call needs more than this actor may use"
TOO_SHORT = "request: the message ends too early"
WRONG_TYPE = "request: a value has the wrong type"


class KeyValueStore:
    """The host's side: notes the calls, and answers each with `reply`, bytes to return or an exception to raise."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, bytes]] = []
        self.reply: bytes | Exception = COUNTER_IS_7

    def __call__(self, binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        self.calls.append((binding, namespace, operation, payload))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


class Guest:
    """A running actor with its store. The same instance serves all tests: no call may spoil the next."""

    def __init__(self, engine: str, wasm: bytes = ACTOR, max_memory_pages: int = 128) -> None:
        self.store = KeyValueStore()
        limits = Limits(max_memory_pages=max_memory_pages)
        messages = MessageLimits(max_name_bytes=200_000, max_error_bytes=200_000)
        self.host = WapcHost(engine, wasm, self.store, limits=limits, message_limits=messages)

    def handle(self, payload: bytes) -> bytes:
        """The response to HandleRequest."""
        return self.host.call("HandleRequest", payload)

    def failure(self, payload: bytes, operation: str = "HandleRequest") -> str:
        """The text of the error that the actor itself gives: neither a trap nor a limit of the host ends the call."""
        with pytest.raises(GuestCallFailure) as failed:
            self.host.call(operation, payload)
        assert not isinstance(failed.value.__cause__, WasmError)
        return failed.value.text


def _skip_unless_available(name: str) -> None:
    try:
        load_engine(name)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    except ModuleNotFoundError as error:
        if error.name != f"interp.engines.{name}":
            raise
        pytest.skip(f"engine {name} is not part of this version")


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    _skip_unless_available(name)
    return name


@pytest.fixture(scope="module")
def _running(engine: str) -> Guest:
    return Guest(engine)


@pytest.fixture
def guest(_running: Guest) -> Iterator[Guest]:
    _running.store.calls.clear()
    _running.store.reply = COUNTER_IS_7
    yield _running
    _running.store.reply = COUNTER_IS_7
    assert _running.handle(GET_FOO) == ANSWER_7, "the actor is spoilt for the next call"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    pytest.importorskip("ziglang", reason="the Zig compiler is not installed (extra 'examples')")
    spec = importlib.util.spec_from_file_location("counter_build", COUNTER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def request(method: str = "GET", path: str = "/counter1", **more: object) -> bytes:
    message = {"method": method, "path": path, "queryString": "", "header": {}, "body": b"", **more}
    packed: bytes = msgpack.packb(message)
    return packed


def test_imports_and_exports(engine: str) -> None:
    module = load_engine(engine).compile(ACTOR)
    assert {(found.module, found.name) for found in module.imports} == {
        ("wapc", "__guest_request"),
        ("wapc", "__guest_response"),
        ("wapc", "__guest_error"),
        ("wapc", "__host_call"),
        ("wapc", "__host_response_len"),
        ("wapc", "__host_response"),
        ("wapc", "__host_error_len"),
        ("wapc", "__host_error"),
    }
    assert {found.name for found in module.exports} == {"memory", "__guest_call"}


def test_golden_bytes(guest: Guest) -> None:
    assert guest.handle(request()) == ANSWER_7
    assert guest.store.calls == [("default", "wascc:keyvalue", "Add", ADD_TO_COUNTER1)]


def test_captured_request(guest: Guest) -> None:
    assert guest.handle(GET_FOO) == ANSWER_7
    assert msgpack.unpackb(guest.store.calls[0][3]) == {"key": ":foo", "value": 1}


def test_health(guest: Guest) -> None:
    assert guest.host.call("HealthRequest", HEALTH_REQUEST) == b"\xc0"
    assert guest.host.call("HealthRequest", b"") == b"\xc0"
    assert guest.store.calls == []


@pytest.mark.parametrize("operation", ["Nope", "", "handleRequest", "HandleRequest ", "Ünbekannt"])
def test_unknown_operation(guest: Guest, operation: str) -> None:
    assert guest.failure(b"", operation) == f"bad dispatch: no operation is called {operation}"


@pytest.mark.parametrize(
    ("path", "key"), [("/", ":"), ("", ""), ("/a/b//c", ":a:b::c"), ("/é/ß", ":é:ß"), ("/a%2Fb:c", ":a%2Fb:c")]
)
def test_key(guest: Guest, path: str, key: str) -> None:
    guest.handle(request(path=path))
    assert msgpack.unpackb(guest.store.calls[0][3]) == {"key": key, "value": 1}


@pytest.mark.parametrize(
    "payload",
    [
        msgpack.packb({"body": b"x", "queryString": "", "header": {"a": "b"}, "path": "/counter1", "method": "POST"}),
        msgpack.packb({"path": "/counter1", "method": "HEAD", "queryString": "a=b"}),
        msgpack.packb(
            {"new": {"deep": [[1.5, None], {"a": True}]}, "path": "/counter1", "method": "GET", "queryString": ""}
        ),
        msgpack.packb(["GET", "/counter1", "", {"accept": "*/*"}, b"body"]),
        msgpack.packb(["GET", "/counter1", ""]),
        msgpack.packb(["GET", "/counter1", "", {}, [1, 2, 3], "one more", {"and": "more"}]),
        b"\xdf\0\0\0\3\xd9\6method\xda\0\3GET\xdb\0\0\0\4path\xa9/counter1\xabqueryString\xa0",
        request() + b"\0",
        request() + bytes(range(256)),
    ],
)
def test_accepted_forms(guest: Guest, payload: bytes) -> None:
    assert guest.handle(payload) == ANSWER_7
    assert guest.store.calls[0][3] == ADD_TO_COUNTER1


def test_large_body_is_skipped(guest: Guest) -> None:
    assert guest.handle(request("POST", body=bytes(300_000))) == ANSWER_7


@pytest.mark.parametrize("method", ["PUT", "DELETE", "get", "", "GETT", "OPTIONS"])
def test_other_methods(guest: Guest, method: str) -> None:
    response = msgpack.unpackb(guest.handle(request(method)))
    assert (response["statusCode"], response["status"]) == (405, "Method Not Allowed")
    assert response["header"] == {"content-type": "application/json", "allow": "GET, HEAD, POST"}
    assert response["body"] == b'{"error":"method not allowed"}'
    assert guest.store.calls == []


def test_path_length(guest: Guest) -> None:
    longest = "/" + "a" * 1023
    assert guest.handle(request(path=longest)) == ANSWER_7
    assert msgpack.unpackb(guest.store.calls[0][3])["key"] == ":" + "a" * 1023
    response = msgpack.unpackb(guest.handle(request(path=longest + "a")))
    assert (response["statusCode"], response["status"]) == (414, "URI Too Long")
    assert response["body"] == b'{"error":"path too long"}'
    assert len(guest.store.calls) == 1


@pytest.mark.parametrize("payload", [GET_FOO, msgpack.packb(["GET", "/foo", "", {"accept": "*/*"}, b"body"])])
def test_truncated_at_every_length(guest: Guest, payload: bytes) -> None:
    assert {guest.failure(payload[:length]) for length in range(len(payload))} == {TOO_SHORT}
    assert guest.store.calls == []


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (msgpack.packb({"method": "GET", "queryString": ""}), "request: missing field path"),
        (msgpack.packb(["GET", "/"]), "request: missing field queryString"),
        (msgpack.packb([]), "request: missing field method"),
        (msgpack.packb({"path": 5}), WRONG_TYPE),
        (msgpack.packb({"path": b"/"}), WRONG_TYPE),
        (msgpack.packb({1: 2}), WRONG_TYPE),
        (msgpack.packb("GET"), WRONG_TYPE),
        (msgpack.packb(None), WRONG_TYPE),
        (b"\xc1", WRONG_TYPE),
        (b"\x81\xa1x\xc1", WRONG_TYPE),
        (b"\x93\xa3GET\xa2/\xff\xa0", "request: a string is not valid UTF-8"),
        (b"\xdf\xff\xff\xff\xff", TOO_SHORT),
        (b"\xdd\xff\xff\xff\xff\xa3GET\xa1/\xa0" + b"\xdd\xff\xff\xff\xff" * 20, TOO_SHORT),
        (b"\x81\xa1x" + b"\x91" * 5000, TOO_SHORT),
        (b"\x81\xa1x\xc9\xff\xff\xff\xff", TOO_SHORT),
        (b"\x81\xdb\xff\xff\xff\xff", TOO_SHORT),
    ],
)
def test_hostile_requests(guest: Guest, payload: bytes, text: str) -> None:
    assert guest.failure(payload) == text
    assert guest.store.calls == []


@pytest.mark.parametrize(
    "value", [0, 127, 128, 255, 256, 65536, 2**31 - 1, 2**32, 2**63 - 1, -1, -32, -33, -129, -32769, -(2**31), -(2**63)]
)
def test_every_width_of_number(guest: Guest, value: int) -> None:
    guest.store.reply = msgpack.packb({"value": value})
    assert msgpack.unpackb(guest.handle(request()))["body"] == b'{"counter":%d}' % value


@pytest.mark.parametrize(
    "reply", [b"\x91\x07", b"\x81\xa5value\x07junk", b"\x82\xa3new\xc0\xa5value\xd3\0\0\0\0\0\0\0\7"]
)
def test_accepted_replies(guest: Guest, reply: bytes) -> None:
    guest.store.reply = reply
    assert guest.handle(request()) == ANSWER_7


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "the message ends too early"),
        (b"\x81\xa5value\xd3\0", "the message ends too early"),
        (b"\xc0", "a value has the wrong type"),
        (b"\x81\xa5value\xa17", "a value has the wrong type"),
        (b"\x80", "missing field value"),
        (b"\x81\xa5value\xcf\x80\0\0\0\0\0\0\0", "an integer is out of range"),
    ],
)
def test_hostile_replies(guest: Guest, reply: bytes, reason: str) -> None:
    guest.store.reply = reply
    assert guest.failure(request()) == f"reply of the key-value store: {reason}"


@pytest.mark.parametrize("text", ["no such binding", "größer als erlaubt", "x" * 5000])
def test_error_of_the_host_is_passed_on(guest: Guest, text: str) -> None:
    guest.store.reply = RuntimeError(text)
    assert guest.failure(request()) == f"Host error: {text}"
    assert len(guest.store.calls) == 1


def test_out_of_memory(engine: str) -> None:
    small = Guest(engine, max_memory_pages=2)
    assert small.handle(request(body=bytes(70_000))) == ANSWER_7
    assert small.failure(request(body=bytes(140_000))) == OUT_OF_MEMORY
    assert small.failure(b"", "x" * 140_000) == OUT_OF_MEMORY
    small.store.reply = bytes(140_000)
    assert small.failure(request()) == OUT_OF_MEMORY
    small.store.reply = RuntimeError("x" * 140_000)
    assert small.failure(request()) == OUT_OF_MEMORY
    small.store.reply = RuntimeError("there is room for this text, but not for a copy of it" + "x" * 80_000)
    assert small.failure(request()) == "Host error: "
    small.store.reply = COUNTER_IS_7
    assert small.handle(GET_FOO) == ANSWER_7


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=10,
)
REQUESTS = st.one_of(
    st.binary(),
    VALUES.map(msgpack.packb),
    st.lists(VALUES, max_size=6).map(msgpack.packb),
    st.dictionaries(st.sampled_from(["method", "path", "queryString", "header", "body", "x"]), VALUES).map(
        msgpack.packb
    ),
    st.builds(
        lambda at, byte: GET_FOO[:at] + bytes([byte]) + GET_FOO[at + 1 :],
        st.integers(0, len(GET_FOO) - 1),
        st.integers(0, 255),
    ),
)
AS_IS = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]


def _answers_or_explains(guest: Guest, payload: bytes, reply: bytes) -> None:
    guest.store.calls.clear()
    guest.store.reply = reply
    failure = None
    try:
        response = msgpack.unpackb(guest.handle(payload))
    except GuestCallFailure as error:
        failure = error
    if failure is None:
        assert response["statusCode"] in {200, 405, 414}
    else:
        assert not isinstance(failure.__cause__, WasmError)
        assert failure.text.startswith(("request: ", "reply of the key-value store: "))
    for *_, message in guest.store.calls:
        assert set(msgpack.unpackb(message)) == {"key", "value"}


@given(payload=REQUESTS)
@settings(max_examples=60, deadline=None, suppress_health_check=AS_IS)
def test_any_request_is_answered_or_explained(guest: Guest, payload: bytes) -> None:
    _answers_or_explains(guest, payload, COUNTER_IS_7)


@given(reply=REQUESTS)
@settings(max_examples=40, deadline=None, suppress_health_check=AS_IS)
def test_any_reply_is_used_or_explained(guest: Guest, reply: bytes) -> None:
    _answers_or_explains(guest, GET_FOO, reply)


@pytest.fixture(scope="module")
def checked_guest(build: ModuleType) -> Guest:
    """The actor built with the compiler's safety checks: an access outside of a slice traps."""
    _skip_unless_available("wasmtime")
    return Guest("wasmtime", build.compile_actor(optimize="safe"))


@given(payload=REQUESTS, reply=REQUESTS)
@settings(max_examples=120, deadline=None)
def test_no_access_leaves_its_slice(checked_guest: Guest, payload: bytes, reply: bytes) -> None:
    _answers_or_explains(checked_guest, payload, reply)


def _run_build(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "build.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)


@pytest.fixture
def elsewhere(build: ModuleType, tmp_path: Path) -> Path:
    """A copy of the example in another folder."""
    folder = tmp_path / "another folder" / "counter"
    shutil.copytree(COUNTER, folder)
    return folder


def test_build_is_reproducible(elsewhere: Path) -> None:
    result = _run_build(elsewhere, "--check")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "counter.wasm is what its source gives, and its token is good\n"


def test_check_finds_changed_source(elsewhere: Path) -> None:
    source = elsewhere / "src" / "counter.zig"
    source.write_text(source.read_text().replace("longest_path = 1024", "longest_path = 1025"))
    result = _run_build(elsewhere, "--check")
    assert (result.returncode, result.stdout) == (1, "")
    assert "it is not what its source gives" in result.stderr
    assert result.stderr.count("\n") == 1
    assert (elsewhere / "counter.wasm").read_bytes() == ACTOR


def test_module_names_no_source_file() -> None:
    assert b".zig" not in ACTOR
    assert str(ROOT).encode() not in ACTOR


def test_module_is_webassembly_1() -> None:
    wasm_tools = shutil.which("wasm-tools", path=str(Path(sys.executable).parent))
    if wasm_tools is None:
        pytest.skip("wasm-tools is not installed (extra 'conformance')")
    command = [wasm_tools, "validate", "--features=wasm1", str(COUNTER / "counter.wasm")]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda wasm: wasm[: wasm.rindex(b"\x03jwt") - 3], "it is not signed"),
        (lambda wasm: wasm[:-1] + (b"A" if wasm[-1:] != b"A" else b"Q"), "the signature does not match"),
        (lambda wasm: wasm.replace(b"GET, HEAD", b"GET; HEAD"), "Invalid module hash"),
        (lambda wasm: wasm[:100], "Wasm Element error"),
    ],
)
def test_check_finds_damage(build: ModuleType, damage: Callable[[bytes], bytes], reason: str) -> None:
    build.check(ACTOR, ACTOR)
    with pytest.raises((build.BuildError, WascapError), match=reason):
        build.check(ACTOR, damage(ACTOR))


def test_signing_anew(build: ModuleType) -> None:
    signed = build.sign_actor(ACTOR)
    assert signed != ACTOR
    build.check(ACTOR, signed)


def test_check_finds_other_claims(build: ModuleType) -> None:
    claims = build.replace(build._claims(), metadata=build.replace(build.METADATA, capabilities=("wascc:logging",)))
    signed = build.sign(ACTOR, claims, build._key("account"))
    with pytest.raises(build.BuildError, match="its claims"):
        build.check(ACTOR, signed)


def test_error_of_the_compiler_is_shown(elsewhere: Path) -> None:
    (elsewhere / "src" / "msgpack.zig").write_text("nonsense")
    result = _run_build(elsewhere)
    assert (result.returncode, result.stdout) == (1, "")
    assert "msgpack.zig:1:" in result.stderr
    assert "Traceback" not in result.stderr


def test_manifest_names_the_actor() -> None:
    manifest = yaml.safe_load((COUNTER / "manifest.yaml").read_text())
    token = extract(ACTOR)
    assert token is not None
    assert {binding["actor"] for binding in manifest["bindings"]} == {token.claims.subject}
    bound = {binding["capability"] for binding in manifest["bindings"]}
    assert bound == set(token.claims.metadata.capabilities or ())
    assert bound == {capability["path"] for capability in manifest["capabilities"]}
    assert (COUNTER / manifest["actors"][0]).read_bytes() == ACTOR
