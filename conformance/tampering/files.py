"""Mutations of signed modules and of provider archives."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from conformance.fuzz import mutation as bytewise
from conformance.fuzz.framing import CUSTOM_SECTION, PREAMBLE, Section, join, read_uleb, split, uleb
from conformance.tampering.originals import EXPIRED, attackers_account, originals
from conformance.tampering.tokens import TOKEN_MUTATIONS
from wascap import ProviderArchive

SECTION = b"jwt"
BLOCK = tarfile.BLOCKSIZE

FileMutation = Callable[[Random, bytes, bytes], bytes]
"""A signed file, and another one -> what it became."""


def name_of(section: Section) -> bytes | None:
    """The name of a custom section, None of another one."""
    if section.id != CUSTOM_SECTION:
        return None
    size, start = read_uleb(section.contents, 0)
    return section.contents[start : start + size]


def taken_apart(wasm: bytes) -> tuple[bytes | None, tuple[Section, ...]]:
    """The content of the first section of tokens, None if there is none, and all other sections."""
    sections = split(wasm)
    at = next((index for index, section in enumerate(sections) if name_of(section) == SECTION), None)
    if at is None:
        return None, tuple(sections)
    contents = sections[at].contents
    size, start = read_uleb(contents, 0)
    return contents[start + size :], (*sections[:at], *sections[at + 1 :])


def token_section(token: bytes, name: bytes = SECTION) -> Section:
    """A custom section with a token."""
    return Section(CUSTOM_SECTION, uleb(len(name)) + name + token)


def _token(wasm: bytes) -> bytes:
    return taken_apart(wasm)[0] or b""


def _with_section(rng: Random, wasm: bytes, section: Section) -> bytes:
    """The module with one more section somewhere."""
    sections = split(wasm)
    at = rng.randrange(len(sections) + 1)
    return join([*sections[:at], section, *sections[at:]])


def other_token(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """The token has mutated."""
    token, sections = taken_apart(wasm)
    mutated = rng.choice(TOKEN_MUTATIONS)(rng, (token or b"").decode(), _token(other).decode())
    return join([*sections, token_section(mutated.encode())])


def token_of_another(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """The token is that of another module, or of something else."""
    taken = rng.choice((_token(other), *[token.encode() for token in originals().tokens]))
    return join([*taken_apart(wasm)[1], token_section(taken)])


def second_token(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """There are two sections of tokens, the same one twice, or of different modules, in any order."""
    return _with_section(rng, wasm, token_section(_token(rng.choice((wasm, other)))))


def moved_token(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """The token's section stands elsewhere, which changes nothing."""
    token, sections = taken_apart(wasm)
    return _with_section(rng, join(sections), token_section(token or b""))


def renamed_section(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """The token's section has another name, or another section has its."""
    sections = split(wasm)
    custom = [index for index, section in enumerate(sections) if section.id == CUSTOM_SECTION]
    at = rng.choice(custom)
    size, start = read_uleb(sections[at].contents, 0)
    name = rng.choice((SECTION, b"JWT", b"jwt ", b"jw", b"jwt\0", b"wasmcloud_jwt", b""))
    sections[at] = Section(CUSTOM_SECTION, uleb(len(name)) + name + sections[at].contents[start + size :])
    return join(sections)


def more_in_the_token(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """Something stands before or behind the token in its section, say sections that another reader would see."""
    token, sections = taken_apart(wasm)
    extra = rng.choice(
        (b"\n", b" ", b"\0", b"." + _token(other), join(split(other))[len(PREAMBLE) :], rng.randbytes(9))
    )
    content = (token or b"") + extra if rng.random() < 0.7 else extra + (token or b"")
    return join([*sections, token_section(content)])


def changed_module(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """Anything but the token has mutated."""
    token, sections = taken_apart(wasm)
    changed = bytewise.mutate_once(rng, join(sections), other)
    return changed + join([token_section(token or b"")])[len(PREAMBLE) :]


def more_sections(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """A section comes in: a custom one, one of another module, an empty one."""
    section = rng.choice((Section(CUSTOM_SECTION, b"\x01x"), rng.choice(split(other)), Section(rng.randrange(14), b"")))
    return _with_section(rng, wasm, section)


def padded(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """The size of a section, or of a custom section's name, is padded."""
    sections = split(wasm)
    at = rng.randrange(len(sections))
    section, size = sections[at], rng.randint(2, 6)
    contents = section.contents
    if section.id == CUSTOM_SECTION and rng.random() < 0.5:
        number, start = read_uleb(contents, 0)
        contents, size = uleb(number, rng.randint(2, 5)) + contents[start:], 1
    framed = bytes([section.id]) + uleb(len(contents), size) + contents
    return join(sections[:at]) + framed + join(sections[at + 1 :])[len(PREAMBLE) :]


def any_bytes(rng: Random, data: bytes, other: bytes) -> bytes:
    """Any mutation of bytes, anywhere in the file."""
    return bytewise.mutate_bytes(rng, data, other)


def flipped(rng: Random, data: bytes, other: bytes) -> bytes:
    """A bit of the file becomes its opposite."""
    return bytewise.flip_bit(rng, data, other)


def expired(rng: Random, wasm: bytes, other: bytes) -> bytes:
    """A module whose time is over; its token says that it is not, or is left as it is."""
    over = rng.choice(originals().expired)
    token, sections = taken_apart(over)
    changed = (token or b"").replace(str(EXPIRED).encode(), b"9999999999")
    return join([*sections, token_section(rng.choice((token or b"", changed)))])


MODULE_MUTATIONS: tuple[FileMutation, ...] = (
    other_token, token_of_another, second_token, moved_token, renamed_section, more_in_the_token, changed_module,
    more_sections, padded, any_bytes, flipped, expired,
)  # fmt: skip

Members = list[tuple[str, bytes]]


def members_of(archive: bytes) -> Members:
    """The files of a good archive, by the standard library."""
    data = gzip.decompress(archive) if archive.startswith(b"\x1f\x8b") else archive
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return [(entry.name, (tar.extractfile(entry) or io.BytesIO()).read()) for entry in tar.getmembers()]


def packed(members: Members, kind: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    """A tar of these files by the standard library; the last one has this kind, and `fields` in its header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for index, (name, content) in enumerate(members):
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0, len(content)
            if index == len(members) - 1:
                entry.type = kind
                for field, value in fields.items():
                    setattr(entry, field, value)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def archive_with_other_token(rng: Random, archive: bytes, other: bytes) -> bytes:
    """The token has mutated, or is that of another archive."""
    (name, token), *binaries = members_of(archive)
    theirs = members_of(other)[0][1]
    mutated = rng.choice(TOKEN_MUTATIONS)(rng, token.decode(), theirs.decode()).encode()
    return packed([(name, rng.choice((mutated, mutated, mutated, theirs))), *binaries])


def archive_with_other_binaries(rng: Random, archive: bytes, other: bytes) -> bytes:
    """A binary has mutated, is missing, is that of another target or archive, or is one too many."""
    members = members_of(archive)
    at = rng.randrange(1, len(members))
    name, content = members[at]
    swapped = [
        members[0],
        *[(first, second) for (first, _), (_, second) in zip(members[1:], members[:0:-1], strict=True)],
    ]
    form = rng.randrange(5)
    if form == 0:
        members[at] = name, bytewise.mutate_bytes(rng, content, members_of(other)[at][1])
    elif form == 1:
        del members[at]
    elif form == 2:
        members = swapped
    elif form == 3:
        members[at] = name, members_of(other)[at][1]
    else:
        members.insert(rng.randrange(len(members) + 1), (rng.choice(("riscv64-linux.bin", name, "x.txt")), content))
    return packed(members)


def archive_with_other_names(rng: Random, archive: bytes, other: bytes) -> bytes:
    """A file has another name, or comes twice."""
    members = members_of(archive)
    at = rng.randrange(len(members))
    name, content = members[at]
    names = (
        "claims.jwt",
        "./" + name,
        "/" + name,
        "../" + name,
        name.upper(),
        name + "/",
        "x86_64-macos.bin",
        "a\0" + name,
    )
    if rng.random() < 0.7:
        members[at] = rng.choice(names), content
    else:
        members.append((name, rng.choice((content, members_of(other)[at][1]))))
    return packed(members)


def archive_with_other_headers(rng: Random, archive: bytes, other: bytes) -> bytes:
    """A header says something else, with a right checksum: another kind of entry, a link, a mode, an owner."""
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE,
             tarfile.DIRTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, tarfile.FIFOTYPE, tarfile.AREGTYPE)  # fmt: skip
    fields: list[dict[str, Any]] = [{}, {"linkname": "claims.jwt"}, {"mode": 0o777}, {"uid": 0}, {"uname": "root"}]
    members = members_of(archive)
    rng.shuffle(members)
    return packed(members, rng.choice((*kinds, tarfile.REGTYPE)), **rng.choice(fields))


def two_archives(rng: Random, archive: bytes, other: bytes) -> bytes:
    """Something stands behind the archive, or within its padding, or its compression is another one."""
    plain = gzip.decompress(archive) if archive.startswith(b"\x1f\x8b") else archive
    padding = bytearray(plain)
    holes = [at for at in range(BLOCK, len(plain)) if plain[at] == 0]
    padding[rng.choice(holes)] = rng.randrange(1, 256)
    return rng.choice(
        (archive + other, archive + b"x", plain.rstrip(b"\0"), bytes(padding), gzip.compress(archive),
         gzip.compress(plain) + gzip.compress(plain), plain[: -2 * BLOCK] + other, gzip.compress(plain)[:-4])
    )  # fmt: skip


def archive_of_another(rng: Random, archive: bytes, other: bytes) -> bytes:
    """Another account has signed it anew."""
    found = ProviderArchive.from_bytes(archive)
    signer = attackers_account()
    return ProviderArchive.sign(replace(found.claims, issuer=signer.public_key), found.binaries, signer).to_bytes()


ARCHIVE_MUTATIONS: tuple[FileMutation, ...] = (
    archive_with_other_token, archive_with_other_binaries, archive_with_other_names, archive_with_other_headers,
    two_archives, any_bytes, flipped, archive_of_another,
)  # fmt: skip
