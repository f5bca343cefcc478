"""Keys: the published seeds and public keys, precise refusals, and that secrets stay secret."""

import base64
import binascii
import copy
import logging
import traceback
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from wascap import (
    ChecksumFailure,
    CodecFailure,
    EncryptionError,
    FileError,
    IncorrectKeyType,
    InvalidKeyLength,
    InvalidPrefix,
    InvalidSeedLength,
    KeyPair,
    KeyType,
    SignatureError,
    VerifyError,
    WascapError,
)

SEEDS = {
    "SAAPN4W3EG6KCJGUQTKTJ5GSB5NHK5CHAJL4DBGFUM3HHROI4XUEP4OBK4": (
        KeyType.ACCOUNT,
        "ACODERUVFFAWZQDSS6SBIACUA5O6SXF7HJ3YTYXBALHZP3P7R4BUO4J2",
    ),
    "SAAGJYAKODWV42YVRMUAIQFT6KFYT4R6A2LAS3WCH3BJ3KSBFKQOAU5LEU": (
        KeyType.ACCOUNT,
        "AAGRUXXTGSP4C27RWPTMCHCJF56JD53EQPA2R7RPC5VI4E274KPRMMJ5",
    ),
    "SMAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2CRY": (
        KeyType.MODULE,
        "MAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLXP",
    ),
    "SNAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2D5U": (
        KeyType.SERVER,
        "NAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RSWB",
    ),
    "SVAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H76SU": (
        KeyType.SERVICE,
        "VAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RSLE",
    ),
}
SEED, (_, PUBLIC_KEY) = next(iter(SEEDS.items()))

PUBLISHED_PUBLIC_KEYS = [
    "MB4OLDIC3TCZ4Q4TGGOVAZC43VXFE2JQVRAXQMQFXUCREOOFEKOKZTY2",
    "MDFD7XZ5KBOPLPHQKHJEMPR54XIW6RAG5D7NNKN22NP7NSEWNTJZP7JN",
    "MASCXFM4R6X63UD5MSCDZYCJNPBVSIU6RKMXUPXRKAOSBQ6UY3VT3NPZ",
    "MDOYAT2KHJ6N5DAY5X7JKGIBMKABTPXRX2KHUJI6APOVNKQDMRTIUSY2",
    "MDW7BWQDVYBRC6WKSJRRZL27R73EVBWQINYLPFDRCWDZDFQO4JMO4U6J",
    "MBHRSJORBXAPRCALK6EKOBBCNAPMRTM6ODLXNLOV5TKPDMPXMTCMR4DW",
    "MDJUPIQFWEHWE4XHPWHOJLW42SJDPVBQVDC2NV3T3O4ELXXVOXLA5M4I",
    "MDNPIQOU5EEHTP4TKY2APFOJTTEYYARN3ZIJTRWRYWHX6B4MFSO6ZCRT",
    "MCLCW6CMMYIVQRPFACTQZJYTP4CR3YKJZNF5W7YWTLREH7QZEEETXSUB",
    "MCYWHMJW5VW5U7ZRDQV7JU45GHSR2SA6OZJ2MPHQCFALR2CGFA2NAMZM",
]

PREFIXES = {
    KeyType.ACCOUNT: ("A", 0x00),
    KeyType.CLUSTER: ("C", 0x10),
    KeyType.MODULE: ("M", 0x60),
    KeyType.SERVER: ("N", 0x68),
    KeyType.OPERATOR: ("O", 0x70),
    KeyType.USER: ("U", 0xA0),
    KeyType.SERVICE: ("V", 0xA8),
}

key_types = st.sampled_from(KeyType)
raw_seeds = st.binary(min_size=32, max_size=32)


def with_checksum(body: bytes) -> str:
    """The text of a key, made here a second time to have any prefix and still a right checksum."""
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")


@pytest.mark.parametrize("seed", SEEDS)
def test_published_seeds(seed: str) -> None:
    key_type, public_key = SEEDS[seed]
    pair = KeyPair.from_seed(seed)
    assert (pair.key_type, pair.public_key, pair.seed) == (key_type, public_key, seed)


def test_raw_seed_is_the_ed25519_seed() -> None:
    pair = KeyPair.from_seed("SMAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2CRY")
    assert pair.sign(b"data") == SigningKey(bytes(range(32))).sign(b"data").signature


@pytest.mark.parametrize("text", PUBLISHED_PUBLIC_KEYS)
def test_published_public_keys_have_right_checksums(text: str) -> None:
    pair = KeyPair.from_public_key(text)
    assert (pair.key_type, pair.public_key) == (KeyType.MODULE, text)


@pytest.mark.parametrize("key_type", KeyType)
def test_letters_and_prefixes(key_type: KeyType) -> None:
    letter, prefix = PREFIXES[key_type]
    pair = KeyPair.generate(key_type)
    assert (key_type.letter, key_type.prefix) == (letter, prefix)
    assert pair.public_key.startswith(letter)
    assert len(pair.public_key) == 56
    assert pair.seed.startswith(f"S{letter}")
    assert len(pair.seed) == 58


@given(key_types, st.binary(max_size=200))
def test_signatures_verify_with_the_public_half(key_type: KeyType, data: bytes) -> None:
    pair = KeyPair.generate(key_type)
    signature = pair.sign(data)
    assert len(signature) == 64
    KeyPair.from_public_key(pair.public_key).verify(data, signature)
    with pytest.raises(VerifyError):
        pair.verify(data + b"x", signature)
    with pytest.raises(VerifyError):
        KeyPair.generate(key_type).verify(data, signature)


@given(key_types, raw_seeds)
def test_text_forms_round_trip(key_type: KeyType, raw: bytes) -> None:
    first = 0x90 | key_type.prefix >> 5
    pair = KeyPair.from_seed(with_checksum(bytes([first, (key_type.prefix & 31) << 3]) + raw))
    assert pair.key_type is key_type
    assert pair.public_key == with_checksum(bytes([key_type.prefix]) + bytes(SigningKey(raw).verify_key))
    assert KeyPair.from_seed(pair.seed).public_key == pair.public_key


@pytest.mark.parametrize("signature", [b"", b"\0" * 63, b"\0" * 65, b"\0" * 64])
def test_signatures_of_wrong_form_are_refused(signature: bytes) -> None:
    with pytest.raises(VerifyError):
        KeyPair.from_seed(SEED).verify(b"data", signature)


def test_a_key_of_small_order_signs_nothing() -> None:
    identity = bytes([1]) + bytes(31)
    pair = KeyPair.from_public_key(with_checksum(b"\x00" + identity))
    with pytest.raises(VerifyError):
        pair.verify(b"data", identity + bytes(32))


def test_a_public_half_has_no_seed() -> None:
    pair = KeyPair.from_public_key(PUBLIC_KEY)
    with pytest.raises(IncorrectKeyType, match="This keypair has no seed"):
        _ = pair.seed
    with pytest.raises(SignatureError, match="Cannot sign without a seed key"):
        pair.sign(b"data")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", InvalidSeedLength),
        (SEED[:-1], InvalidSeedLength),
        (SEED + "A", InvalidSeedLength),
        (SEED + "\n", InvalidSeedLength),
        (PUBLIC_KEY, InvalidSeedLength),
        (SEED.lower(), CodecFailure),
        (SEED[:20] + "1" + SEED[21:], CodecFailure),
        (SEED[:20] + "=" + SEED[21:], CodecFailure),
        (SEED[:20] + "é" + SEED[21:], CodecFailure),
        (SEED[:20] + " " + SEED[21:], CodecFailure),
        ("=" * 58, CodecFailure),
        (SEED[:-1] + "5", CodecFailure),
        ("F" + SEED[1:], InvalidPrefix),
        (with_checksum(bytes([0x90, 1 << 3]) + bytes(32)), InvalidPrefix),
        (with_checksum(bytes([0x90 | 0x78 >> 5, (0x78 & 31) << 3]) + bytes(32)), InvalidPrefix),
        (with_checksum(bytes([0x90, 0x01]) + bytes(32)), InvalidPrefix),
        (SEED[:20] + ("A" if SEED[20] != "A" else "B") + SEED[21:], ChecksumFailure),
        ("SM" + SEED[2:], ChecksumFailure),
    ],
)
def test_wrong_seeds_are_refused_precisely(text: str, error: type[EncryptionError]) -> None:
    with pytest.raises(error) as caught:
        KeyPair.from_seed(text)
    assert type(caught.value) is error
    assert str(caught.value).startswith("Encryption error: ")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", InvalidKeyLength),
        (SEED, InvalidKeyLength),
        (PUBLIC_KEY[:-1], InvalidKeyLength),
        (PUBLIC_KEY.lower(), CodecFailure),
        (PUBLIC_KEY[:-1] + "0", CodecFailure),
        (with_checksum(bytes([0x90]) + bytes(32)), InvalidPrefix),
        (with_checksum(bytes([0x78]) + bytes(32)), InvalidPrefix),
        (with_checksum(bytes([0x01]) + bytes(32)), InvalidPrefix),
        ("M" + PUBLIC_KEY[1:], ChecksumFailure),
        (PUBLIC_KEY[:-1] + ("A" if PUBLIC_KEY[-1] != "A" else "B"), ChecksumFailure),
    ],
)
def test_wrong_public_keys_are_refused_precisely(text: str, error: type[EncryptionError]) -> None:
    with pytest.raises(error) as caught:
        KeyPair.from_public_key(text)
    assert type(caught.value) is error


def test_every_mistyped_character_of_a_seed_is_noticed() -> None:
    for position, letter in product(range(58), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"):
        if letter != SEED[position]:
            with pytest.raises(EncryptionError):
                KeyPair.from_seed(SEED[:position] + letter + SEED[position + 1 :])


@given(st.text(max_size=80) | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567=", min_size=56, max_size=58))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    for read in (KeyPair.from_seed, KeyPair.from_public_key):
        with pytest.raises(EncryptionError):
            read(text)


def test_key_files(tmp_path) -> None:
    path = tmp_path / "echo_account.nk"
    for ending in ("", "\n", "\r\n", " \n\n"):
        path.write_bytes((SEED + ending).encode())
        assert KeyPair.from_file(path).public_key == PUBLIC_KEY
        assert KeyPair.from_file(str(path)).seed == SEED


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", InvalidSeedLength),
        (SEED[:-4].encode() + b"\xff\xfe\xfd\xfc", CodecFailure),
        (b"\n" + SEED.encode(), InvalidSeedLength),
        (SEED.encode() + b"\n" * 10_000, FileError),
    ],
)
def test_wrong_key_files(tmp_path, content: bytes, error: type[WascapError]) -> None:
    path = tmp_path / "wrong.nk"
    path.write_bytes(content)
    with pytest.raises(error):
        KeyPair.from_file(path)


def test_missing_key_files(tmp_path) -> None:
    with pytest.raises(FileError, match="I/O error: ") as caught:
        KeyPair.from_file(tmp_path / "missing.nk")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(FileError):
        KeyPair.from_file(tmp_path)
    with pytest.raises(FileError):
        KeyPair.from_file("nul\0.nk")


def test_no_repr_or_log_shows_a_seed(caplog) -> None:
    pair = KeyPair.from_seed(SEED)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("%s %r %s", pair, pair, [copy.copy(pair)])
    assert PUBLIC_KEY in repr(pair)
    assert "public half only" in repr(KeyPair.from_public_key(PUBLIC_KEY))
    assert SEED[4:40] not in caplog.text
    assert PUBLIC_KEY in caplog.text


@pytest.mark.parametrize(
    "text", [SEED[:-1], SEED[:-1] + "5", SEED[:-1] + "é", SEED[:-1] + "\udc80", "F" + SEED[1:], SEED[:-3] + "AAA"]
)
def test_no_error_holds_a_mistyped_seed(tmp_path, text: str) -> None:
    path = tmp_path / "mistyped.nk"
    path.write_bytes(text.encode(errors="surrogateescape"))
    readers = [lambda: KeyPair.from_seed(text), lambda: KeyPair.from_public_key(text), lambda: KeyPair.from_file(path)]
    for read in readers:
        with pytest.raises(EncryptionError) as caught:
            read()
        error: BaseException | None = caught.value
        assert SEED[4:40] not in "".join(traceback.format_exception(caught.value))
        while error is not None:
            assert SEED[4:40] not in repr(vars(error)) + repr(error.args)
            error = error.__cause__ or error.__context__
