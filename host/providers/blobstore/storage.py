"""What the semantics of the blob store need of a storage, and how a blob is cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from host.codec.blobstore import FileChunk
from host.logs import printable
from host.providers.base import ProviderError
from host.providers.blobstore.folder import Folder

DEFAULT_CHUNK_BYTES = 2**19
MAX_CHUNK_BYTES = 2**24
MAX_CHUNKS = 2**20


@dataclass(frozen=True, slots=True)
class Layout:
    """A blob of `total_bytes` in chunks of `chunk_size` bytes, the last of which may be shorter."""

    total_bytes: int
    chunk_size: int

    @classmethod
    def of(cls, total_bytes: int, chunk_size: int) -> Layout:
        """The layout that a message asks for; chunk size 0 is DEFAULT_CHUNK_BYTES. Raises ProviderError."""
        chosen = chunk_size or DEFAULT_CHUNK_BYTES
        if min(chosen, total_bytes) > MAX_CHUNK_BYTES:
            raise ProviderError(f"chunkSize {chunk_size} is over the limit of {MAX_CHUNK_BYTES} bytes for a chunk")
        return cls(total_bytes, chosen)

    @classmethod
    def for_upload(cls, chunk: FileChunk, max_blob_bytes: int) -> Layout:
        """The layout of the upload that a chunk belongs to. Raises ProviderError."""
        if chunk.total_bytes > max_blob_bytes:
            raise ProviderError(
                f"totalBytes {chunk.total_bytes} is over the limit of {max_blob_bytes} bytes for a blob"
            )
        layout = cls.of(chunk.total_bytes, chunk.chunk_size)
        if layout.chunks > MAX_CHUNKS:
            raise ProviderError(f"{layout.chunks} chunks are too many, at most {MAX_CHUNKS}; choose a larger chunkSize")
        return layout

    def check_chunk(self, chunk: FileChunk) -> None:
        """Raises ProviderError for a chunk that is not of this layout; an empty blob may have one without bytes."""
        if chunk.sequence_no >= max(self.chunks, 1):
            raise ProviderError(f"there is no chunk {chunk.sequence_no}: {self.chunks} in all")
        expected = self.length(chunk.sequence_no)
        if len(chunk.chunk_bytes) != expected:
            raise ProviderError(f"chunk {chunk.sequence_no} has {len(chunk.chunk_bytes)} bytes, not {expected}")

    @property
    def chunks(self) -> int:
        """How many chunks there are; an empty blob has none."""
        return -(-self.total_bytes // self.chunk_size)

    def offset(self, sequence_no: int) -> int:
        """Where a chunk begins."""
        return sequence_no * self.chunk_size

    def length(self, sequence_no: int) -> int:
        """How many bytes a chunk has; 0 behind the last."""
        return max(0, min(self.chunk_size, self.total_bytes - self.offset(sequence_no)))


@dataclass(frozen=True, slots=True)
class Part:
    """All bytes of an upload: an open file and its name in the folder of the uploads."""

    folder: Folder
    name: bytes
    descriptor: int
    total_bytes: int


class Usage(NamedTuple):
    """How many containers and blobs there are, and the bytes of the blobs."""

    entries: int = 0
    total_bytes: int = 0

    def plus(self, entries: int, total_bytes: int) -> Usage:
        """With so many more."""
        return Usage(self.entries + entries, self.total_bytes + total_bytes)

    def check(self, max_entries: int, max_bytes: int) -> None:
        """Raises ProviderError for more than that."""
        if self.entries > max_entries:
            raise ProviderError(f"one more is over the limit of {max_entries} containers and blobs")
        if self.total_bytes > max_bytes:
            raise ProviderError(f"{self.total_bytes} bytes of blobs and uploads are over the limit of {max_bytes}")


class ChangedError(ProviderError):
    """A blob is no longer as it was when it was opened."""


class Reader(Protocol):
    """One state of a blob, whatever happens to it meanwhile."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the blob, so many. Raises ProviderError, ChangedError where the state is not to be had any more."""

    def close(self) -> None: ...


class Storage(Protocol):
    """Containers and their blobs. Thread-safe; every method raises ProviderError for what goes wrong."""

    def create_container(self, container: str) -> None:
        """Make it, unless it is there."""

    def remove_container(self, container: str) -> None:
        """Remove an empty container."""

    def has_container(self, container: str) -> bool:
        """Whether it is there."""

    def check_id(self, blob_id: str) -> None:
        """Refuse an id that no blob can have."""

    def usage(self, fresh: bool) -> Usage:
        """What all blobs take; `fresh` asks for a new count. Nothing where that is no matter of the host."""

    def blobs(self, container: str) -> Iterator[tuple[str, int]]:
        """The ids in a container, with their sizes."""

    def size(self, container: str, blob_id: str) -> int | None:
        """Bytes of a blob, None if there is none."""

    def open(self, container: str, blob_id: str) -> Reader | None:
        """The blob as it is now, None if there is none."""

    def remove(self, container: str, blob_id: str) -> None:
        """Remove a blob, if it is there."""

    def store(self, container: str, blob_id: str, part: Part) -> None:
        """Make a complete upload the blob, at once and in the place of a former one; its file is gone afterwards."""


class NoContainerError(ProviderError):
    """A container is not there."""

    def __init__(self, container: str) -> None:
        super().__init__(f"there is no container '{printable(container)}'")


def not_empty(container: str) -> ProviderError:
    """The error of removing a container that has blobs."""
    return ProviderError(f"the container '{printable(container)}' is not empty")


def shown(container: str, blob_id: str) -> str:
    """How errors and log lines name a blob."""
    return f"the blob '{printable(blob_id)}' in '{printable(container)}'"
