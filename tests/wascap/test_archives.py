"""Provider archives: writing and reading, all verdicts, other tools' archives, hostile and mutated ones."""

import gzip
import io
import random
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wascap import (
    ActorMetadata,
    ArchiveError,
    CapabilityProviderMetadata,
    Claims,
    ExpiredToken,
    FileError,
    InvalidBinaryHash,
    InvalidCapability,
    InvalidIssuer,
    InvalidSubject,
    KeyPair,
    KeyType,
    NoSuchTarget,
    ProviderArchive,
    TokenTooEarly,
    TokenTooLarge,
    VerifyError,
    WascapError,
    archive_files,
    encode,
)

NOW = 1_600_000_000
ACCOUNT = KeyPair.from_seed("SAAGJYAKODWV42YVRMUAIQFT6KFYT4R6A2LAS3WCH3BJ3KSBFKQOAU5LEU")
SERVICE = KeyPair.from_seed("SVAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H76SU")
CLAIMS = Claims(
    issuer=ACCOUNT.public_key,
    subject=SERVICE.public_key,
    id="DAqsxkrrRvcPTTzjDwRjHK",
    issued_at=NOW,
    metadata=CapabilityProviderMetadata(
        name="Redis", capability_id="wascc:keyvalue", vendor="acme", revision=7, version="0.1.7", target_hashes={}
    ),
)
BINARIES = {"x86_64-linux": b"\x7fELF" + bytes(700), "aarch64-linux": b"\x7fELF arm", "wasm32-wasi": b"\0asm\x01\0\0\0"}
ARCHIVE = ProviderArchive.sign(CLAIMS, BINARIES, ACCOUNT)
HASHES = dict(ARCHIVE.claims.metadata.target_hashes)

Entry = tuple[tarfile.TarInfo, bytes]


def member(name: str, content: bytes = b"", **changes: object) -> Entry:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for key, value in changes.items():
        setattr(entry, key, value)
    return entry, content


def tar(*members: Entry, format: int = tarfile.GNU_FORMAT) -> bytes:  # noqa: A002 — as tarfile calls it
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as opened:
        for entry, content in members:
            opened.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def members(**replaced: bytes) -> list[Entry]:
    return [member("claims.jwt", ARCHIVE.token.encode())] + [
        member(f"{target}.bin", replaced.get(target.replace("-", "_"), content)) for target, content in BINARIES.items()
    ]


def claiming(**metadata: object) -> str:
    """A well-signed token with other metadata."""
    return encode(replace(ARCHIVE.claims, metadata=replace(ARCHIVE.claims.metadata, **metadata)), ACCOUNT)


def with_token(token: str) -> bytes:
    return tar(member("claims.jwt", token.encode()), *members()[1:])


@pytest.mark.parametrize("compress", [False, True])
def test_what_is_written_is_read(compress: bool) -> None:
    data = ARCHIVE.to_bytes(compress=compress)
    again = ProviderArchive.from_bytes(data)
    assert again == ARCHIVE
    again.verify(NOW)
    assert again.to_bytes(compress=compress) == data
    assert (again.claims.metadata.revision, again.claims.metadata.version) == (7, "0.1.7")
    assert again.targets == ("aarch64-linux", "wasm32-wasi", "x86_64-linux")
    assert data.startswith(b"\x1f\x8b") is compress


def test_the_container_is_a_plain_gnu_tar_without_owner_mode_and_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE.to_bytes())) as opened:
        entries = opened.getmembers()
        assert [entry.name for entry in entries] == [
            "claims.jwt", "aarch64-linux.bin", "wasm32-wasi.bin", "x86_64-linux.bin",
        ]  # fmt: skip
        for entry in entries:
            assert (entry.mode, entry.uid, entry.gid, entry.mtime, entry.uname, entry.gname) == (0, 0, 0, 0, "", "")
    assert ARCHIVE.to_bytes()[257:265] == b"ustar  \0"


def test_the_order_of_binaries_does_not_matter() -> None:
    backwards = ProviderArchive.sign(CLAIMS, dict(reversed(BINARIES.items())), ACCOUNT)
    assert backwards.to_bytes() == ARCHIVE.to_bytes()


def test_hashes_are_of_each_binary() -> None:
    assert HASHES["wasm32-wasi"] == "93A44BBB96C751218E4C00D479E4C14358122A389ACCA16205B1E4D0DC5F9476"
    assert ARCHIVE.binary("aarch64-linux") == b"\x7fELF arm"
    with pytest.raises(NoSuchTarget) as caught:
        ARCHIVE.binary("mips-linux")
    assert str(caught.value) == (
        "No binary found in provider archive for 'mips-linux'; it has aarch64-linux, wasm32-wasi, x86_64-linux"
    )


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_other_tools_are_read(format_: int) -> None:
    """With owners, modes, times, in any order, with as much padding at the end as they like."""
    changed = [
        (entry, content)
        for entry, content in (
            member(entry.name, content, mode=0o644, uid=1000, gid=1000, uname="me", gname="us", mtime=NOW)
            for entry, content in reversed(members())
        )
    ]
    archive = ProviderArchive.from_bytes(tar(*changed, format=format_))
    assert archive.binaries == BINARIES
    archive.verify(NOW)
    shortest = tar(*members()).rstrip(b"\0")
    assert ProviderArchive.from_bytes(shortest + bytes(-len(shortest) % 512 + 1024)).binaries == BINARIES


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "redis.par.gz"
    path.write_bytes(ARCHIVE.to_bytes(compress=True))
    assert ProviderArchive.from_file(path) == ARCHIVE
    for bad in (tmp_path / "none.par", tmp_path, "a\0b"):
        with pytest.raises(FileError):
            ProviderArchive.from_file(bad)


def test_a_binary_is_added_and_everything_else_stays() -> None:
    more = ARCHIVE.with_binary("x86_64-windows", b"MZ", ACCOUNT)
    assert more.binaries == {**BINARIES, "x86_64-windows": b"MZ"}
    assert replace(more.claims.metadata, target_hashes={}) == replace(ARCHIVE.claims.metadata, target_hashes={})
    assert more.claims.id != ARCHIVE.claims.id
    ProviderArchive.from_bytes(more.to_bytes()).verify()
    newer = more.with_binary("x86_64-windows", b"MZ2", ACCOUNT, revision=8, version="0.2")
    assert (newer.claims.metadata.revision, newer.claims.metadata.version) == (8, "0.2")
    assert newer.binary("x86_64-windows") == b"MZ2"


def test_only_the_account_that_signed_an_archive_changes_it() -> None:
    with pytest.raises(InvalidIssuer, match=ACCOUNT.public_key):
        ARCHIVE.with_binary("x86_64-windows", b"MZ", KeyPair.generate(KeyType.ACCOUNT))
    tampered = replace(ARCHIVE, binaries={**BINARIES, "wasm32-wasi": b"evil"})
    with pytest.raises(InvalidBinaryHash):
        tampered.with_binary("x86_64-windows", b"MZ", ACCOUNT)
    forged = replace(ARCHIVE, token=ARCHIVE.token[:-4] + "AAAA")
    with pytest.raises(VerifyError):
        forged.with_binary("x86_64-windows", b"MZ", ACCOUNT)


@pytest.mark.parametrize("times", [{"expires": NOW}, {"not_before": 2**40}, {"not_before": NOW, "expires": NOW + 5}])
def test_an_archive_out_of_its_time_can_be_changed_and_keeps_its_times(times: dict[str, int]) -> None:
    archive = ProviderArchive.sign(replace(CLAIMS, **times), BINARIES, ACCOUNT)
    changed = archive.with_binary("arm-linux", b"", ACCOUNT)
    assert (changed.claims.expires, changed.claims.not_before) == (archive.claims.expires, archive.claims.not_before)


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        (replace(CLAIMS, issuer=SERVICE.public_key), InvalidIssuer),
        (replace(CLAIMS, issuer=SERVICE.public_key, subject=SERVICE.public_key), InvalidIssuer),
        (replace(CLAIMS, subject=ACCOUNT.public_key), InvalidSubject),
        (replace(CLAIMS, subject=KeyPair.generate(KeyType.MODULE).public_key), InvalidSubject),
        (replace(CLAIMS, issuer=KeyPair.generate(KeyType.ACCOUNT).public_key), InvalidIssuer),
        (replace(CLAIMS, metadata=replace(CLAIMS.metadata, capability_id="")), InvalidCapability),
    ],
)
def test_what_must_not_be_signed(claims: Claims[CapabilityProviderMetadata], error: type[WascapError]) -> None:
    with pytest.raises(error):
        ProviderArchive.sign(claims, BINARIES, ACCOUNT)


@pytest.mark.parametrize(
    "targets",
    [
        (), ("",), ("linux",), ("x86_64-linux-gnu",), ("../evil-linux",), ("X86-linux",), ("x86-",), ("a" * 33 + "-b",),
        ("x86-linux\n",), tuple(f"arch{index}-linux" for index in range(65)),
    ],
)  # fmt: skip
def test_impossible_targets(targets: tuple[str, ...]) -> None:
    with pytest.raises(ArchiveError):
        ProviderArchive.sign(CLAIMS, dict.fromkeys(targets, b""), ACCOUNT)


def test_64_targets_are_possible() -> None:
    archive = ProviderArchive.sign(CLAIMS, {f"arch{index}-linux": b"%d" % index for index in range(64)}, ACCOUNT)
    assert ProviderArchive.from_bytes(archive.to_bytes()) == archive


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"expires": NOW - 1}, ExpiredToken),
        ({"not_before": NOW + 1}, TokenTooEarly),
    ],
)
def test_times_are_verified(changes: dict[str, int], error: type[WascapError]) -> None:
    archive = ProviderArchive.from_bytes(ProviderArchive.sign(replace(CLAIMS, **changes), BINARIES, ACCOUNT).to_bytes())
    with pytest.raises(error):
        archive.verify(NOW)
    assert not archive.inspect(NOW).ok


def test_the_signature_is_verified() -> None:
    body = ARCHIVE.token.rpartition(".")[0]
    forged = encode(replace(ARCHIVE.claims, issuer=SERVICE.public_key), SERVICE).rpartition(".")[2]
    archive = ProviderArchive.from_bytes(with_token(f"{body}.{forged}"))
    with pytest.raises(VerifyError):
        archive.verify(NOW)


@pytest.mark.parametrize(
    ("issuer", "subject", "error"),
    [
        (KeyPair.generate(KeyType.OPERATOR), SERVICE, InvalidIssuer),
        (SERVICE, SERVICE, InvalidIssuer),
        (ACCOUNT, ACCOUNT, InvalidSubject),
        (ACCOUNT, KeyPair.generate(KeyType.MODULE), InvalidSubject),
    ],
)
def test_the_kinds_of_keys_are_verified(issuer: KeyPair, subject: KeyPair, error: type[WascapError]) -> None:
    claims = replace(ARCHIVE.claims, issuer=issuer.public_key, subject=subject.public_key)
    archive = ProviderArchive.from_bytes(with_token(encode(claims, issuer)))
    with pytest.raises(error):
        archive.verify(NOW)


def test_an_object_with_other_claims_or_binaries_is_not_believed() -> None:
    other = replace(ARCHIVE, claims=replace(ARCHIVE.claims, subject="V"))
    with pytest.raises(ArchiveError, match="not those of its token"):
        other.verify(NOW)
    with pytest.raises(InvalidBinaryHash):
        replace(ARCHIVE, binaries={**BINARIES, "wasm32-wasi": b""}).verify(NOW)
    with pytest.raises(ArchiveError, match="do not name"):
        replace(ARCHIVE, binaries={**BINARIES, "arm-linux": b""}).verify(NOW)


def test_every_binary_is_checked() -> None:
    for target in BINARIES:
        data = tar(*members(**{target.replace("-", "_"): b"other"}))
        with pytest.raises(InvalidBinaryHash) as caught:
            ProviderArchive.from_bytes(data)
        assert str(caught.value) == f"File hash and verify hash do not match for '{target}'"
        archive = ProviderArchive.from_bytes(data, check_hashes=False)
        assert archive.inspect(NOW).hashes_valid == {each: each != target for each in archive.targets}
        with pytest.raises(InvalidBinaryHash):
            archive.verify(NOW)


def test_hashes_are_in_upper_case_as_they_are_written() -> None:
    with pytest.raises(InvalidBinaryHash):
        ProviderArchive.from_bytes(
            with_token(claiming(target_hashes={target: text.lower() for target, text in HASHES.items()}))
        )


BAD_CONTAINERS: list[tuple[str, Callable[[], bytes], str]] = [
    ("empty", lambda: b"", "no end"),
    ("no tar", lambda: b"hello", "no tar archive"),
    ("zip", lambda: b"PK\x03\x04" + bytes(2000), "no tar archive"),
    ("nothing in it", tar, "Not enough files"),
    ("no binary", lambda: tar(*members()[:1]), "Not enough files"),
    ("no claims", lambda: tar(*members()[1:]), "Not enough files"),
    ("one binary missing", lambda: tar(*members()[:-1]), "'wasm32-wasi', which its claims name, is missing"),
    ("one too many", lambda: tar(*members(), member("arm-linux.bin", b"x")), "do not name the target 'arm-linux'"),
    ("claims twice", lambda: tar(*members(), members()[0]), "'claims.jwt' twice"),
    ("binary twice", lambda: tar(*members(), members()[1]), "twice"),
    ("odd name", lambda: tar(*members(), member("README.md", b"x")), "neither claims.jwt nor"),
    ("path", lambda: tar(*members(), member("../../etc/x-y.bin", b"x")), "neither claims.jwt nor"),
    ("absolute", lambda: tar(*members(), member("/x-y.bin", b"x")), "neither claims.jwt nor"),
    ("leading dot", lambda: tar(member("./claims.jwt", ARCHIVE.token.encode()), *members()[1:]), "Not enough files"),
    ("upper case", lambda: tar(*members(), member("X86-LINUX.bin", b"x")), "neither claims.jwt nor"),
    ("folder", lambda: tar(member("x", type=tarfile.DIRTYPE), *members()), "not a plain file"),
    ("symbolic link", lambda: tar(*members(), member("x-y.bin", type=tarfile.SYMTYPE, linkname="/etc")), "plain"),
    ("hard link", lambda: tar(*members(), member("x-y.bin", type=tarfile.LNKTYPE, linkname="claims.jwt")), "plain"),
    ("device", lambda: tar(*members(), member("x-y.bin", type=tarfile.CHRTYPE)), "not a plain file"),
    ("pipe", lambda: tar(*members(), member("x-y.bin", type=tarfile.FIFOTYPE)), "not a plain file"),
    ("long name", lambda: tar(member("a" * 200, b"x"), *members()), "not a plain file"),
    ("extended header", lambda: tar(member("é" * 90, b"x"), *members(), format=tarfile.PAX_FORMAT), "not a plain file"),
    ("behind the end", lambda: tar(*members()) + b"more", "behind its end"),
    ("second archive behind it", lambda: tar(*members()) * 2, "behind its end"),
    ("no end", lambda: tar(*members()).rstrip(b"\0").ljust(6 * 512, b"\0"), "no end|ends within"),
    ("cut", lambda: tar(*members())[:1300], "ends within"),
    ("gzip cut", lambda: gzip.compress(tar(*members()))[:-9], "ends too early"),
    ("gzip with more", lambda: gzip.compress(tar(*members())) + b"x", "more behind"),
    ("gzip twice", lambda: gzip.compress(tar(*members())) * 2, "more behind"),
    ("gzip in gzip", lambda: gzip.compress(gzip.compress(tar(*members()))), "no tar archive"),
    ("gzip of nothing", lambda: gzip.compress(b""), "no end"),
    ("damaged gzip", lambda: b"\x1f\x8b\x08" + bytes(50), "damaged"),
    ("gzip's head alone", lambda: b"\x1f\x8b", "ends too early"),
    ("too many files", lambda: tar(*(member(f"a{index}-b.bin") for index in range(66))), "more than 65 files"),
    ("base-256 size", lambda: huge(b"\x80" + b"\xff" * 11), "plain|within|damaged"),
    ("negative size", lambda: huge(b"\xff" * 12), "plain|damaged"),
    ("octal size", lambda: huge(b"77777777777\0"), "plain"),
    ("nonsense size", lambda: huge(b"99999999999\0"), "damaged"),
]  # fmt: skip


def huge(size: bytes) -> bytes:
    """An archive whose first file says that it is so large, with a right checksum."""
    data = bytearray(tar(*members()))
    data[124:136] = size
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


@pytest.mark.parametrize(("make", "text"), [row[1:] for row in BAD_CONTAINERS], ids=[row[0] for row in BAD_CONTAINERS])
def test_bad_containers_are_one_clear_error(make: Callable[[], bytes], text: str) -> None:
    with pytest.raises(ArchiveError, match=text) as caught:
        ProviderArchive.from_bytes(make())
    assert str(caught.value).startswith("Invalid provider archive: ")
    assert str(caught.value).isprintable()


def test_what_hides_between_files_is_refused() -> None:
    data = bytearray(tar(*members()))
    data[512 + len(ARCHIVE.token)] = 1
    with pytest.raises(ArchiveError, match="belongs to no file"):
        ProviderArchive.from_bytes(bytes(data))


@pytest.mark.parametrize("token", ["", "a.b", "\xff", "x" * 70000])
def test_bad_tokens_are_the_errors_of_tokens(token: str) -> None:
    with pytest.raises(WascapError) as caught:
        ProviderArchive.from_bytes(with_token(token))
    assert isinstance(caught.value, TokenTooLarge) is (len(token) > 65536)


def test_a_token_of_an_actor_is_no_token_of_a_provider() -> None:
    claims = Claims(issuer=ACCOUNT.public_key, subject=SERVICE.public_key, metadata=ActorMetadata(name="x"))
    with pytest.raises(WascapError, match="capid"):
        ProviderArchive.from_bytes(with_token(encode(claims, ACCOUNT)))


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "MAX_ARCHIVE_BYTES", 16 << 20)
    packer = zlib.compressobj(9, wbits=31)
    piece = bytes(1 << 20)
    bomb = b"".join(packer.compress(piece) for _ in range(100)) + packer.flush()
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match="unpacks to more than"):
            archive_files.read_files(bomb)
        assert tracemalloc.get_traced_memory()[1] < archive_files.MAX_ARCHIVE_BYTES + (4 << 20)
    finally:
        tracemalloc.stop()


def test_sizes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_files, "MAX_ARCHIVE_BYTES", 8192)
    with pytest.raises(ArchiveError, match="would be larger"):
        ProviderArchive.sign(CLAIMS, {"a-b": bytes(10000)}, ACCOUNT).to_bytes()
    with pytest.raises(ArchiveError, match="larger than 8192"):
        ProviderArchive.from_bytes(bytes(8193))
    with pytest.raises(ArchiveError, match="unpacks to more"):
        ProviderArchive.from_bytes(gzip.compress(tar(*members())))


TARGETS = st.from_regex(r"[a-z0-9_]{1,32}-[a-z0-9_]{1,32}", fullmatch=True)


@given(
    binaries=st.dictionaries(TARGETS, st.binary(max_size=2000), min_size=1, max_size=6),
    name=st.none() | st.text(max_size=50),
    revision=st.none() | st.integers(-(2**31), 2**31 - 1),
    version=st.none() | st.text(max_size=20),
    compress=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_archive_survives(
    binaries: dict[str, bytes], name: str | None, revision: int | None, version: str | None, compress: bool
) -> None:
    metadata = replace(CLAIMS.metadata, name=name, revision=revision, version=version)
    archive = ProviderArchive.sign(replace(CLAIMS, metadata=metadata), binaries, ACCOUNT)
    again = ProviderArchive.from_bytes(archive.to_bytes(compress=compress))
    assert again == archive
    again.verify()
    target = next(iter(binaries))
    rewritten = again.with_binary(target, b"new", ACCOUNT).claims.metadata
    assert (rewritten.name, rewritten.revision, rewritten.version) == (name, revision, version)


def mutated(data: bytes, random_: random.Random) -> bytes:
    """`data` with a few bytes or whole blocks changed, moved, doubled or removed."""
    result = bytearray(data)
    for _ in range(random_.choice((1, 1, 1, 2, 5))):
        position = random_.randrange(len(result) or 1)
        block = position // 512 * 512
        match random_.randrange(7):
            case 0:
                result[position : position + 1] = bytes([random_.randrange(256)])
            case 1 if result:
                result[min(position, len(result) - 1)] ^= 1 << random_.randrange(8)
            case 2:
                del result[position : position + random_.randrange(1, 600)]
            case 3:
                result[position:position] = random_.randbytes(random_.randrange(1, 600))
            case 4:
                result[block:block] = result[block : block + 512]
            case 5:
                del result[block : block + 512]
            case _:
                other = random_.randrange(len(result) or 1) // 512 * 512
                result[block : block + 512], result[other : other + 512] = (
                    result[other : other + 512],
                    result[block : block + 512],
                )
    return bytes(result)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_no_mutated_archive_is_accepted_with_other_content(compress: bool, seed: int) -> None:
    """8 times 500; what is still accepted has the very same token and binaries."""
    random_ = random.Random(seed)  # noqa: S311 — the same mutations every time
    original = ARCHIVE.to_bytes(compress=compress)
    errors = []
    for _ in range(500):
        try:
            archive = ProviderArchive.from_bytes(mutated(original, random_))
            archive.verify(NOW)
        except WascapError as error:
            errors.append(str(error))
        else:
            assert archive == ARCHIVE
    assert len(errors) > 250
    assert all(text.isprintable() for text in errors)


@pytest.mark.parametrize("seed", range(4))
def test_no_binary_of_a_repaired_archive_is_accepted_with_other_content(seed: int) -> None:
    """Mutations that keep the container in order: 4 times 300 members changed and packed as they should be."""
    random_ = random.Random(seed)  # noqa: S311
    for _ in range(300):
        changed = [(entry, content) for entry, content in members()]
        index = random_.randrange(len(changed))
        name, content = changed[index][0].name, mutated(changed[index][1], random_)
        if content == changed[index][1]:
            continue
        changed[index] = member(name, content)
        with pytest.raises(WascapError):
            ProviderArchive.from_bytes(tar(*changed)).verify(NOW)


@given(data=st.binary(max_size=3000), packed=st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_bytes_end_in_one_error(data: bytes, packed: bool) -> None:
    with pytest.raises(WascapError):
        ProviderArchive.from_bytes(gzip.compress(data) if packed else data)
