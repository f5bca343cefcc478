"""The files of the cache: what is known of one module, and code of its functions.

A file begins with a keyed digest of its index and of the identity of what it belongs to; the index holds a digest of
every other part. So nothing in it is interpreted that was not written with the user's key for the same module.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from hashlib import blake2b
from hmac import compare_digest
from types import CodeType
from zlib import compress, decompress

from interp.compiled.cache_folder import UntrustedError
from interp.compiled.units import Details, Unit

MAGIC = b"\0wascc code 1\r\n\xff"
MAC, LENGTH, DIGEST = 32, 8, 16
"""Bytes of the keyed digest, of the length of the index that follows it, and of the digests in the index."""
HEADER = len(MAGIC) + MAC + LENGTH
PERSON = b"wascc code"
COMPRESSION = 1
"""Level of zlib for details: those that compress better take longer than they are worth."""

Name = tuple[int, str]
"""Function index and options."""
Place = tuple[int, int, bytes]
"""Where a part begins, in bytes behind the index, how many it has, and its digest."""
Part = tuple[bytes, bytes]
"""The bytes and their digest."""


def digest_of(identity: bytes, index: bytes, key: bytes) -> bytes:
    """The keyed digest of an index and what it belongs to; all identities have the same length."""
    return blake2b(identity + index, key=key, digest_size=MAC, person=PERSON).digest()


def part_of(data: bytes) -> Part:
    """Bytes with their digest."""
    return data, blake2b(data, digest_size=DIGEST).digest()


class Contents:
    """What a file holds: whether the module is known to be valid, and for each name two parts, which are code and its
    details. Parts are verified when they are asked for."""

    __slots__ = ("_base", "_data", "_index", "valid")

    def __init__(self) -> None:
        """What there is without a file."""
        self.valid = False
        self._data = b""
        self._base = 0
        self._index: dict[Name, tuple[Place, Place]] = {}

    @classmethod
    def of(cls, data: bytes, identity: bytes, key: bytes) -> Contents:
        """Raises UntrustedError unless the index was written with this key for this identity."""
        base = HEADER + int.from_bytes(data[HEADER - LENGTH : HEADER], "little")
        if not data.startswith(MAGIC) or not HEADER < base <= len(data):
            raise UntrustedError("no file of this cache, or not all of it")
        index = data[HEADER:base]
        if not compare_digest(digest_of(identity, index, key), data[len(MAGIC) : len(MAGIC) + MAC]):
            raise UntrustedError("not written with this key for this module")
        contents = cls()
        contents.valid, contents._index = marshal.loads(index)  # noqa: S302 — written by this user, says the digest
        contents._data, contents._base = data, base
        return contents

    def part(self, name: Name, which: int) -> Part | None:
        """The code (0) or the details (1) for a name; None if there is nothing, or not what was written."""
        places = self._index.get(name)
        if places is None:
            return None
        start, size, digest = places[which]
        start += self._base
        part = part_of(self._data[start : start + size])
        return part if compare_digest(part[1], digest) else None

    def parts(self) -> dict[Name, tuple[Part, Part]]:
        """All parts that are what was written."""
        found = {}
        for name in self._index:
            code, details = self.part(name, 0), self.part(name, 1)
            if code is not None and details is not None:
                found[name] = (code, details)
        return found


def file_of(valid: bool, parts: Mapping[Name, tuple[Part, Part]], identity: bytes, key: bytes) -> bytes:
    """The file that holds this."""
    index: dict[Name, tuple[Place, ...]] = {}
    body: list[bytes] = []
    end = 0
    for name, both in parts.items():
        places: list[Place] = []
        for data, digest in both:
            places.append((end, len(data), digest))
            body.append(data)
            end += len(data)
        index[name] = tuple(places)
    packed = marshal.dumps((valid, index))
    length = len(packed).to_bytes(LENGTH, "little")
    return b"".join([MAGIC, digest_of(identity, packed, key), length, packed, *body])


def pack(unit: Unit) -> tuple[Part, Part]:
    """The parts that a unit is kept as.  Raises ValueError if its code is nothing that can be kept."""
    details = unit.details
    code = marshal.dumps((unit.code, unit.tail_calls))
    return part_of(code), part_of(compress(marshal.dumps((details.offsets, details.source)), COMPRESSION))


def unpack_code(part: Part) -> tuple[CodeType, bool]:
    """The code, and whether it ends in calls, of a part that was verified."""
    code, tail_calls = marshal.loads(part[0])  # noqa: S302 — verified
    return code, tail_calls


def unpack_details(part: Part) -> Details:
    """The details of a part that was verified."""
    offsets, source = marshal.loads(decompress(part[0]))  # noqa: S302 — verified
    return Details(offsets, source)
