"""Signed modules: framing, the hash, signing and signing again, extraction, all verdicts, altered modules."""

import hashlib
from dataclasses import replace

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from wascap import (
    MAX_TOKEN_BYTES,
    AccountMetadata,
    ActorMetadata,
    Claims,
    ExpiredToken,
    InvalidCapability,
    InvalidIssuer,
    InvalidModuleHash,
    InvalidSubject,
    InvalidTokenFormat,
    KeyPair,
    KeyType,
    MissingMetadata,
    SerializationError,
    TokenTooLarge,
    Utf8Error,
    VerifyError,
    WascapError,
    WasmElementError,
    decode,
    embed,
    encode,
    extract,
    inspect,
    module_hash,
    sign,
    validate,
)

NOW = 1_600_000_000
ACCOUNT = KeyPair.from_seed("SAAGJYAKODWV42YVRMUAIQFT6KFYT4R6A2LAS3WCH3BJ3KSBFKQOAU5LEU")
MODULE = KeyPair.from_seed("SMAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2CRY")
CLAIMS = Claims(
    issuer=ACCOUNT.public_key,
    subject=MODULE.public_key,
    id="DAqsxkrrRvcPTTzjDwRjHK",
    issued_at=NOW,
    metadata=ActorMetadata(name="Echo", capabilities=("wascc:http_server",)),
)
EMPTY = b"\0asm\x01\0\0\0"
EMPTY_HASH = "93A44BBB96C751218E4C00D479E4C14358122A389ACCA16205B1E4D0DC5F9476"
REAL = bytes(
    wasmtime.wat2wasm(
        '(module (func $answer (export "answer") (result i32) i32.const 42) (memory (export "memory") 1))'
    )
)


def leb(value: int, width: int = 0) -> bytes:
    """LEB128, padded to `width` bytes."""
    result = []
    while value >= 0x80 or len(result) + 1 < width:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])


def custom(name: bytes, content: bytes, width: int = 0) -> bytes:
    body = leb(len(name), width) + name + content
    return b"\0" + leb(len(body), width) + body


def jwt(token: str, width: int = 0) -> bytes:
    return custom(b"jwt", token.encode(), width)


def token_for(wasm: bytes, **changes: object) -> str:
    """A token with the hash of `wasm` as it is, every section counted."""
    digest = hashlib.sha256(wasm).hexdigest().upper()
    metadata = replace(CLAIMS.metadata, module_hash=digest)
    return encode(replace(CLAIMS, **{"metadata": metadata, **changes}), ACCOUNT)


def test_the_hash_of_the_empty_module() -> None:
    assert module_hash(EMPTY) == EMPTY_HASH
    assert module_hash(sign(EMPTY, CLAIMS, ACCOUNT)) == EMPTY_HASH


def test_a_signed_module_to_the_byte() -> None:
    token = token_for(EMPTY)
    assert 128 <= len(token) + 4 < 2**14
    size = len(token) + 4
    section = bytes([0, size & 0x7F | 0x80, size >> 7, 3]) + b"jwt" + token.encode()
    assert sign(EMPTY, CLAIMS, ACCOUNT) == EMPTY + section


def test_sign_and_extract() -> None:
    signed = sign(REAL, CLAIMS, ACCOUNT)
    assert signed.startswith(REAL)
    token = extract(signed)
    assert token is not None
    assert token.claims == replace(CLAIMS, metadata=replace(CLAIMS.metadata, module_hash=module_hash(REAL)))
    assert token.jwt == token_for(REAL)
    assert decode(token.jwt, ActorMetadata) == token.claims
    assert validate(token.jwt).ok


def test_a_signed_module_still_runs() -> None:
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module(engine, sign(REAL, CLAIMS, ACCOUNT)), [])
    assert instance.exports(store)["answer"](store) == 42


def test_no_token() -> None:
    for wasm in (EMPTY, REAL, EMPTY + custom(b"name", b""), EMPTY + custom(b"JWT", b"x"), EMPTY + custom(b"jwtx", b"")):
        assert extract(wasm) is None
        assert inspect(wasm) is None


def test_signing_again_replaces_the_token_in_its_place() -> None:
    before, after = custom(b"a", b"1"), custom(b"b", b"2")
    unsigned = EMPTY + before + after
    old = EMPTY + before + jwt(token_for(unsigned)) + after
    new = sign(old, replace(CLAIMS, subject=KeyPair.generate(KeyType.MODULE).public_key), ACCOUNT)
    assert new.startswith(EMPTY + before + b"\0")
    assert new.endswith(after)
    assert new.count(b"\x03jwt") == 1
    assert module_hash(new) == module_hash(old) == module_hash(unsigned)
    assert sign(new, CLAIMS, ACCOUNT) == sign(old, CLAIMS, ACCOUNT) == old


def test_signing_leaves_one_of_several_tokens() -> None:
    one, two, rest = jwt("x.y.z"), jwt("not a token"), custom(b"a", b"1")
    for parts in ([one, two], [one, rest, two], [one, one, one, rest]):
        signed = sign(EMPTY + b"".join(parts), CLAIMS, ACCOUNT)
        kept = rest if rest in parts else b""
        assert signed == EMPTY + jwt(token_for(EMPTY + kept)) + kept
        inspection = inspect(signed, NOW)
        assert inspection is not None
        assert inspection.ok


def test_a_second_token_is_part_of_what_is_signed() -> None:
    signed = sign(REAL, CLAIMS, ACCOUNT)
    token = jwt(token_for(REAL))
    with pytest.raises(InvalidModuleHash):
        extract(signed + token)
    with pytest.raises(InvalidModuleHash):
        extract(EMPTY + token + REAL[8:] + token)


def test_names_and_padded_numbers_are_hashed_as_they_are() -> None:
    padded = EMPTY + custom(b"name", b"content", width=5)
    minimal = EMPTY + custom(b"name", b"content")
    assert module_hash(padded) == hashlib.sha256(padded).hexdigest().upper() != module_hash(minimal)
    token = token_for(padded)
    for width in range(6):
        found = extract(padded + jwt(token, width))
        assert found is not None
        assert found.jwt == token


def test_a_wrong_hash() -> None:
    token = token_for(REAL)
    altered = bytes([*REAL[:-1], REAL[-1] ^ 1])
    with pytest.raises(InvalidModuleHash) as caught:
        extract(altered + jwt(token))
    assert str(caught.value) == "Invalid module hash"
    found = extract(altered + jwt(token), check_hash=False)
    assert found is not None
    assert found.jwt == token
    inspection = inspect(altered + jwt(token), NOW)
    assert inspection is not None
    assert not inspection.ok
    assert not inspection.hash_valid
    assert inspection.validation.ok
    assert inspection.module_hash == hashlib.sha256(altered).hexdigest().upper()
    assert [type(problem) for problem in inspection.problems] == [InvalidModuleHash]


def test_the_hash_is_upper_case() -> None:
    lower = replace(CLAIMS.metadata, module_hash=EMPTY_HASH.lower())
    with pytest.raises(InvalidModuleHash):
        extract(EMPTY + jwt(token_for(EMPTY, metadata=lower)))
    unset = replace(CLAIMS.metadata, module_hash="")
    with pytest.raises(InvalidModuleHash):
        extract(EMPTY + jwt(token_for(EMPTY, metadata=unset)))


def test_extract_judges_the_hash_alone() -> None:
    signed_by_nobody = token_for(EMPTY, expires=1).rsplit(".", 1)[0] + "." + "A" * 86
    assert extract(EMPTY + jwt(signed_by_nobody)) is not None


def test_inspect_tells_every_verdict() -> None:
    good = inspect(sign(REAL, CLAIMS, ACCOUNT), NOW)
    assert good is not None
    assert good.ok
    assert good.problems == ()
    wrong = token_for(EMPTY, subject=ACCOUNT.public_key, expires=NOW - 1).rsplit(".", 1)[0] + "." + "A" * 86
    bad = inspect(REAL + jwt(wrong), NOW)
    assert bad is not None
    assert not bad.ok
    kinds = [type(problem) for problem in bad.problems]
    assert kinds == [InvalidModuleHash, VerifyError, ExpiredToken, InvalidSubject]
    assert bad.validation.expires_human == "now"


def test_sign_refuses_the_wrong_kinds_of_keys() -> None:
    with pytest.raises(InvalidIssuer):
        sign(EMPTY, replace(CLAIMS, issuer=MODULE.public_key), MODULE)
    with pytest.raises(InvalidIssuer):
        sign(EMPTY, CLAIMS, KeyPair.generate(KeyType.ACCOUNT))
    with pytest.raises(InvalidSubject):
        sign(EMPTY, replace(CLAIMS, subject=ACCOUNT.public_key), ACCOUNT)
    with pytest.raises(InvalidSubject):
        sign(EMPTY, replace(CLAIMS, subject="me"), ACCOUNT)


def test_a_portable_provider_has_one_capability() -> None:
    for capabilities in (("wascc:keyvalue",), (), None):
        metadata = ActorMetadata(provider=True, capabilities=capabilities)
        assert extract(sign(EMPTY, replace(CLAIMS, metadata=metadata), ACCOUNT)) is not None
    metadata = ActorMetadata(provider=True, capabilities=("wascc:keyvalue", "wascc:messaging"))
    with pytest.raises(InvalidCapability, match=r"^Invalid capability: Capability providers cannot provide multiple"):
        sign(EMPTY, replace(CLAIMS, metadata=metadata), ACCOUNT)


def test_embed_takes_tokens_only() -> None:
    assert embed(EMPTY, token_for(EMPTY)) == sign(EMPTY, CLAIMS, ACCOUNT)
    with pytest.raises(InvalidTokenFormat):
        embed(EMPTY, "token")
    with pytest.raises(TokenTooLarge):
        embed(EMPTY, "A" * (MAX_TOKEN_BYTES + 1))


def section(section_id: int, size: bytes, content: bytes = b"") -> bytes:
    return EMPTY + bytes([section_id]) + size + content


@pytest.mark.parametrize(
    ("wasm", "offset"),
    [
        (b"", 0),
        (b"\0as", 0),
        (b"\0ASM\x01\0\0\0", 0),
        (b"not wasm at all", 0),
        (b"\0asm", 4),
        (b"\0asm\x01\0\0", 4),
        (b"\0asm\x02\0\0\0", 4),
        (b"\0asm\x0d\0\x01\0", 4),
        (EMPTY + b"\x00", 9),
        (EMPTY + b"\x01", 9),
        (section(14, b"\x00"), 8),
        (section(255, b"\x00"), 8),
        (section(1, b"\x80"), 9),
        (section(1, b"\x80\x80\x80\x80\x80"), 9),
        (section(1, b"\x80\x80\x80\x80\x80\x00"), 9),
        (section(1, b"\x80\x80\x80\x80\x10"), 9),
        (section(1, b"\x01"), 8),
        (section(1, b"\xff\xff\xff\xff\x0f", b"x"), 8),
        (section(0, b"\x00"), 10),
        (section(0, b"\x01", b"\x01"), 11),
        (section(0, b"\x03", b"\x03jwt"), 11),
        (section(0, b"\x02", b"\x80\x80"), 10),
        (section(0, b"\x01", b"\x80\x00jwt"), 10),
        (sign(EMPTY, CLAIMS, ACCOUNT)[:-1], 8),
        (sign(EMPTY, CLAIMS, ACCOUNT) + b"\x00", len(sign(EMPTY, CLAIMS, ACCOUNT)) + 1),
    ],
)
def test_malformed_framing_is_refused_with_its_offset(wasm: bytes, offset: int) -> None:
    token = token_for(EMPTY)
    calls = [extract, inspect, module_hash, lambda it: sign(it, CLAIMS, ACCOUNT), lambda it: embed(it, token)]
    for call in calls:
        with pytest.raises(WasmElementError, match=r"^Wasm Element error: ") as caught:
            call(wasm)
        assert caught.value.offset == offset


def test_the_number_of_sections_is_bounded() -> None:
    empty_sections = b"\x00\x01\x00" * 100_000
    assert extract(EMPTY + empty_sections) is None
    with pytest.raises(WasmElementError, match="more than 100000 sections"):
        extract(EMPTY + empty_sections + b"\x00\x01\x00")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", InvalidTokenFormat),
        (b"a.b", InvalidTokenFormat),
        (b"\xff\xfe.a.b", Utf8Error),
        (b"A" * (MAX_TOKEN_BYTES + 1), TokenTooLarge),
        (b"\xff" * (MAX_TOKEN_BYTES + 1), TokenTooLarge),
        (token_for(EMPTY, metadata=None).encode(), MissingMetadata),
        (token_for(EMPTY, metadata=AccountMetadata()).encode(), SerializationError),
    ],
)
def test_sections_that_hold_no_actor_token(content: bytes, error: type[WascapError]) -> None:
    wasm = EMPTY + custom(b"jwt", content)
    for call in (extract, inspect):
        with pytest.raises(error):
            call(wasm)


SIGNED = sign(REAL, CLAIMS, ACCOUNT)


def is_good(wasm: bytes) -> bool:
    """Whether a careful host would load the module: it has a token and no verdict is bad."""
    try:
        inspection = inspect(wasm, NOW)
    except WascapError:
        return False
    return inspection is not None and inspection.ok


def test_no_bit_of_a_signed_module_can_be_flipped() -> None:
    assert is_good(SIGNED)
    altered = bytearray(SIGNED)
    for position in range(len(SIGNED)):
        for bit in range(8):
            altered[position] ^= 1 << bit
            assert not is_good(bytes(altered)), (position, bit)
            altered[position] ^= 1 << bit


def test_no_part_of_a_signed_module_can_be_cut_off() -> None:
    assert not any(is_good(SIGNED[:length]) for length in range(len(SIGNED)))


@given(st.binary(max_size=64))
def test_nothing_can_be_put_behind_a_signed_module(tail: bytes) -> None:
    assert is_good(SIGNED + tail) == (tail == b"")


sections = st.builds(
    custom,
    st.sampled_from([b"jwt", b"name", b"", b"\xff"]),
    st.binary(max_size=40) | st.just(token_for(EMPTY).encode()),
    st.integers(0, 6),
) | st.binary(max_size=20)


@given(st.binary() | st.lists(sections).map(lambda parts: EMPTY + b"".join(parts)))
@settings(max_examples=200)
def test_any_bytes_are_a_module_or_refused(data: bytes) -> None:
    for call in (extract, inspect, module_hash, is_good, lambda wasm: sign(wasm, CLAIMS, ACCOUNT)):
        try:
            call(data)
        except WascapError as error:
            str(error).encode()


@given(st.lists(st.tuples(st.sampled_from([b"jwt", b"a", b"name"]), st.binary(max_size=30), st.integers(0, 5))))
def test_every_module_can_be_signed_and_then_is_good(parts: list[tuple[bytes, bytes, int]]) -> None:
    wasm = EMPTY + b"".join(custom(*part) for part in parts)
    signed = sign(wasm, CLAIMS, ACCOUNT)
    assert is_good(signed)
    assert sign(signed, CLAIMS, ACCOUNT) == signed
    kept = b"".join(custom(*part) for part in parts if part[0] != b"jwt")
    assert module_hash(signed) == hashlib.sha256(EMPTY + kept).hexdigest().upper()
