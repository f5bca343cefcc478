"""Messages of the blob store. All sizes are bytes; blobs travel in numbered chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from host.codec.schema import OMIT_NONE, Message
from host.codec.types import U64

CAPABILITY = "wascc:blobstore"
OP_CREATE_CONTAINER = "CreateContainer"
OP_REMOVE_CONTAINER = "RemoveContainer"
OP_LIST_OBJECTS = "ListObjects"
OP_REMOVE_OBJECT = "RemoveObject"
OP_GET_OBJECT_INFO = "GetObjectInfo"
OP_START_UPLOAD = "StartUpload"
OP_UPLOAD_CHUNK = "UploadChunk"
OP_GET_UPLOAD_INFO = "GetUploadInfo"
OP_START_DOWNLOAD = "StartDownload"
OP_RECEIVE_CHUNK = "ReceiveChunk"

Context = Annotated[str | None, OMIT_NONE]
"""What the actor wants to see again in every chunk of a download; of an upload, which content it is."""


@dataclass(frozen=True, slots=True)
class Container(Message):
    """CreateContainer, RemoveContainer, ListObjects."""

    id: str


@dataclass(frozen=True, slots=True)
class ContainerList(Message):
    """Several containers."""

    containers: tuple[Container, ...]


@dataclass(frozen=True, slots=True)
class Blob(Message):
    """RemoveObject, GetUploadInfo and GetObjectInfo, whose reply it is too (id and container `none` if there is no such
    blob)."""

    id: str
    container: str
    byte_size: U64


@dataclass(frozen=True, slots=True)
class BlobList(Message):
    """Reply to ListObjects."""

    blobs: tuple[Blob, ...]


@dataclass(frozen=True, slots=True)
class FileChunk(Message):
    """StartUpload (without bytes), UploadChunk and ReceiveChunk; numbered from 0."""

    sequence_no: U64
    container: str
    id: str
    total_bytes: U64
    chunk_size: U64
    context: Context = None
    chunk_bytes: bytes = b""


@dataclass(frozen=True, slots=True)
class StreamRequest(Message):
    """StartDownload; `sequence_no` is the first chunk to send, none is 0."""

    id: str
    container: str
    chunk_size: U64
    context: Context = None
    sequence_no: Annotated[U64 | None, OMIT_NONE] = None


@dataclass(frozen=True, slots=True)
class UploadInfo(Message):
    """Reply to GetUploadInfo: the sizes and the context that the upload was started with, and the numbers of the first
    chunks that are missing."""

    total_bytes: U64
    chunk_size: U64
    missing: tuple[U64, ...]
    context: Context = None


@dataclass(frozen=True, slots=True)
class Transfer(Message):
    """An actor's own note of a download under way."""

    blob_id: str
    container: str
    chunk_size: U64
    total_size: U64
    total_chunks: U64
    context: Context = None
