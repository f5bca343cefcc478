"""The container of a provider archive: a tar of plain files, perhaps compressed with gzip, read strictly.

Nothing is unpacked to disk, and nothing but plain files is read: a link, a device, an extended header or a byte that
belongs to no file is refused. So two readers of the same bytes cannot see different files.
Protocol: docs/archives.md#container
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator

from wascap.errors import ArchiveError, shown

MAX_ARCHIVE_BYTES = 256 * 1024 * 1024
"""Largest archive, as it lies on disk and without its compression."""
MAX_MEMBERS = 65
"""Most files of an archive: the claims, and a binary for each of 64 targets."""

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
"""For zlib: the largest window, with the header and the checksum of gzip."""
_STEP = 1024 * 1024
_PLAIN_FILES = {tarfile.REGTYPE, tarfile.AREGTYPE}
_NOT_NUL = re.compile(rb"[^\0]")


def read_files(data: bytes) -> dict[str, bytes]:
    """The files of an archive by name, in their order. Raises ArchiveError."""
    if len(data) > MAX_ARCHIVE_BYTES:
        raise ArchiveError(f"it is larger than {MAX_ARCHIVE_BYTES} bytes")
    files: dict[str, bytes] = {}
    for name, content in _files_of(_uncompressed(data) if data.startswith(_GZIP_MAGIC) else data):
        if name in files:
            raise ArchiveError(f"it holds the file {shown(name)} twice")
        if len(files) == MAX_MEMBERS:
            raise ArchiveError(f"it holds more than {MAX_MEMBERS} files")
        files[name] = content
    return files


def write_files(files: Iterable[tuple[str, bytes]], *, compress: bool) -> bytes:
    """The archive of these files, the same bytes for the same files: no owner, no mode, no time.

    Raises ArchiveError if it is larger than archives may be.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0, len(content)
            tar.addfile(entry, io.BytesIO(content))
    data = buffer.getvalue()
    if len(data) > MAX_ARCHIVE_BYTES:
        raise ArchiveError(f"it would be larger than {MAX_ARCHIVE_BYTES} bytes")
    return gzip.compress(data, mtime=0) if compress else data


def _uncompressed(data: bytes) -> bytes:
    """What gzip packed, which must be all of the data. Stops as soon as it is more than an archive may be."""
    unpacking = zlib.decompressobj(wbits=_GZIP_WINDOW)
    pieces: list[bytes] = []
    size, rest = 0, data
    while not unpacking.eof:
        try:
            piece = unpacking.decompress(rest, _STEP)
        except zlib.error as error:
            raise ArchiveError("its gzip compression is damaged") from error
        rest = unpacking.unconsumed_tail
        if not piece and not rest and not unpacking.eof:
            raise ArchiveError("its gzip compression ends too early")
        size += len(piece)
        if size > MAX_ARCHIVE_BYTES:
            raise ArchiveError(f"it unpacks to more than {MAX_ARCHIVE_BYTES} bytes")
        pieces.append(piece)
    if unpacking.unused_data:
        raise ArchiveError("there is more behind its gzip compression")
    return b"".join(pieces)


def _files_of(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file. Each has one header block, its bytes, and zeros up to the next block; two blocks
    of zeros end the archive."""
    block, offset = tarfile.BLOCKSIZE, 0
    while any(header := data[offset : offset + block]):
        entry = _entry_of(header)
        start = offset + block
        end = start + entry.size
        offset = start + -(-entry.size // block) * block
        if offset > len(data):
            raise ArchiveError(f"it ends within the file {shown(entry.name)}")
        if any(data[end:offset]):
            raise ArchiveError(f"there is something behind the file {shown(entry.name)} that belongs to no file")
        yield entry.name, data[start:end]
    if len(data) - offset < 2 * block:
        raise ArchiveError("it has no end: is it all of the archive?")
    if _NOT_NUL.search(data, offset):
        raise ArchiveError("there is something behind its end")


def _entry_of(header: bytes) -> tarfile.TarInfo:
    try:
        entry = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.TarError, ValueError) as error:
        raise ArchiveError("it is no tar archive, or it is damaged") from error
    if entry.type not in _PLAIN_FILES or entry.linkname or not 0 <= entry.size <= MAX_ARCHIVE_BYTES:
        raise ArchiveError(f"{shown(entry.name)} is not a plain file")
    return entry
