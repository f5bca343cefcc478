"""The providers of the blob store: what the operations mean, and the values of their bindings."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from host.codec.blobstore import (
    CAPABILITY,
    OP_CREATE_CONTAINER,
    OP_GET_OBJECT_INFO,
    OP_GET_UPLOAD_INFO,
    OP_LIST_OBJECTS,
    OP_RECEIVE_CHUNK,
    OP_REMOVE_CONTAINER,
    OP_REMOVE_OBJECT,
    OP_START_DOWNLOAD,
    OP_START_UPLOAD,
    OP_UPLOAD_CHUNK,
    Blob,
    BlobList,
    Container,
    FileChunk,
    StreamRequest,
    UploadInfo,
)
from host.logs import printable
from host.providers.answers import gathered
from host.providers.base import Provider, ProviderError
from host.providers.blobstore.downloads import Downloads
from host.providers.blobstore.files import ROOT, FileStorage
from host.providers.blobstore.s3_settings import S3_VALUES, S3Settings
from host.providers.blobstore.storage import ChangedError, Layout, NoContainerError, Storage, Usage, shown
from host.providers.blobstore.uploads import Key, NoUploadError, UploadLimits, Uploads
from host.providers.optional import import_with_extra
from host.providers.values import IntegerValue

MAX_CONTEXT_CHARACTERS = 2**14
MAX_LISTED_MISSING = 1000
NO_BLOB = Blob("none", "none", 0)

_ENTRY_BYTES = 60
"""At least what a listed blob takes beside its texts."""

MAX_BLOB_BYTES = IntegerValue("MAX_BLOB_BYTES", 2**30, 0, 2**40)
MAX_BYTES = IntegerValue("MAX_BYTES", 2**34, 0, 2**50)
MAX_ENTRIES = IntegerValue("MAX_ENTRIES", 100_000, 1, 10**9)
MAX_UPLOADS = IntegerValue("MAX_UPLOADS", 16, 1, 1000)
UPLOAD_EXPIRES = IntegerValue("UPLOAD_EXPIRES", 86_400, 1, 31_536_000)
MAX_DOWNLOADS = IntegerValue("MAX_DOWNLOADS", 4, 1, 64)
LIMIT_VALUES = frozenset({MAX_BLOB_BYTES, MAX_BYTES, MAX_ENTRIES, MAX_UPLOADS, UPLOAD_EXPIRES, MAX_DOWNLOADS})


@dataclass(frozen=True, slots=True)
class Place:
    """Where blobs are: a storage, the uploads for it, and what tells it from others with the same uploads folder."""

    storage: Storage
    uploads: Uploads
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a binding made for its actor."""

    place: Place
    limits: UploadLimits
    max_blob_bytes: int
    downloads: Downloads

    def key(self, actor: str, container: str, blob_id: str) -> Key:
        return Key(actor, self.place.scope, container, blob_id)


class BlobStoreProvider(Provider, ABC):
    """What the operations mean, on the storage of the actor that asks; `docs/providers/blobstore.md`."""

    capability = CAPABILITY
    to_actor = {OP_RECEIVE_CHUNK: "Hands the actor a chunk of a blob that it downloads"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._bound: dict[str, Bound] = {}
        self.route(OP_CREATE_CONTAINER, Container, self._create_container, "Makes a container")
        self.route(OP_REMOVE_CONTAINER, Container, self._remove_container, "Removes an empty container")
        self.route(OP_LIST_OBJECTS, Container, self._list, "Lists the blobs in a container")
        self.route(OP_REMOVE_OBJECT, Blob, self._remove, "Removes a blob")
        self.route(OP_GET_OBJECT_INFO, Blob, self._info, "Tells the size of a blob")
        self.route(OP_START_UPLOAD, FileChunk, self._start_upload, "Begins the upload of a blob, or goes on with it")
        self.route(OP_UPLOAD_CHUNK, FileChunk, self._upload, "Takes in a chunk of an upload")
        self.route(OP_GET_UPLOAD_INFO, Blob, self._upload_info, "Tells which chunks of an upload are missing")
        self.route(OP_START_DOWNLOAD, StreamRequest, self._start_download, "Sends the chunks of a blob to the actor")

    @abstractmethod
    def open_place(self, values: Mapping[str, str]) -> Place:
        """The storage that the values of a binding say. Raises ProviderError."""

    def bind(self, actor: str, values: Mapping[str, str]) -> None:
        """Open the storage; downloads under way go on from the former one."""
        limits = UploadLimits(
            max_uploads=MAX_UPLOADS.of(values),
            max_bytes=MAX_BYTES.of(values),
            max_entries=MAX_ENTRIES.of(values),
            expires=UPLOAD_EXPIRES.of(values),
        )
        max_blob_bytes = MAX_BLOB_BYTES.of(values)
        max_downloads = MAX_DOWNLOADS.of(values)
        place = self.open_place(values)
        with self._lock:
            former = self._bound.get(actor)
            downloads = Downloads(actor, max_downloads) if former is None else former.downloads
            downloads.most = max_downloads
            self._bound[actor] = Bound(place, limits, max_blob_bytes, downloads)

    def unbind(self, actor: str) -> None:
        """Send the actor nothing more. Its uploads stay for when it is bound again."""
        with self._lock:
            self._bound.pop(actor).downloads.end()

    def _of(self, actor: str) -> Bound:
        with self._lock:
            bound = self._bound.get(actor)
        if bound is None:
            raise self.not_bound(actor)
        return bound

    def _create_container(self, actor: str, container: Container) -> Container:
        bound = self._of(actor)
        if not bound.place.storage.has_container(container.id):
            bound.limits.check(bound.place.storage.usage, Usage(entries=1))
            bound.place.storage.create_container(container.id)
        return container

    def _remove_container(self, actor: str, container: Container) -> None:
        self._of(actor).place.storage.remove_container(container.id)

    def _list(self, actor: str, container: Container) -> BlobList:
        entry_bytes = len(container.id.encode()) + _ENTRY_BYTES
        blobs = self._of(actor).place.storage.blobs(container.id)
        taken = gathered(blobs, lambda blob: len(blob[0].encode()) + entry_bytes)
        return BlobList(tuple(Blob(blob_id, container.id, size) for blob_id, size in sorted(taken)))

    def _remove(self, actor: str, blob: Blob) -> None:
        bound = self._of(actor)
        bound.place.uploads.discard(bound.key(actor, blob.container, blob.id))
        bound.place.storage.remove(blob.container, blob.id)

    def _info(self, actor: str, blob: Blob) -> Blob:
        size = self._of(actor).place.storage.size(blob.container, blob.id)
        return NO_BLOB if size is None else Blob(blob.id, blob.container, size)

    def _start_upload(self, actor: str, chunk: FileChunk) -> None:
        bound = self._of(actor)
        layout = Layout.for_upload(chunk, bound.max_blob_bytes)
        check_context(chunk.context)
        storage, uploads = bound.place.storage, bound.place.uploads
        storage.check_id(chunk.id)
        if not storage.has_container(chunk.container):
            raise NoContainerError(chunk.container)
        key = bound.key(actor, chunk.container, chunk.id)
        uploads.start(key, layout, chunk.context, bound.limits, storage.usage)
        uploads.finish(key, partial(storage.store, chunk.container, chunk.id))

    def _upload(self, actor: str, chunk: FileChunk) -> None:
        bound = self._of(actor)
        layout = Layout.for_upload(chunk, bound.max_blob_bytes)
        layout.check_chunk(chunk)
        storage, uploads = bound.place.storage, bound.place.uploads
        key = bound.key(actor, chunk.container, chunk.id)
        try:
            if uploads.write(key, layout, chunk.context, chunk.sequence_no, chunk.chunk_bytes):
                uploads.finish(key, partial(storage.store, chunk.container, chunk.id))
        except NoUploadError:
            if not _holds(storage, layout, chunk):
                raise

    def _upload_info(self, actor: str, blob: Blob) -> UploadInfo:
        bound = self._of(actor)
        plan, missing = bound.place.uploads.info(bound.key(actor, blob.container, blob.id), MAX_LISTED_MISSING)
        return UploadInfo(plan.total_bytes, plan.chunk_size, missing, plan.context)

    def _start_download(self, actor: str, request: StreamRequest) -> None:
        bound = self._of(actor)
        check_context(request.context)
        reader = bound.place.storage.open(request.container, request.id)
        if reader is None:
            raise ProviderError(f"there is no blob '{printable(request.id)}' in '{printable(request.container)}'")
        try:
            layout, first = Layout.of(reader.size, request.chunk_size), request.sequence_no or 0
            if first and first >= layout.chunks:
                raise ProviderError(
                    f"{shown(request.container, request.id)} has no chunk {first}: {layout.chunks} in all"
                )
        except BaseException:
            reader.close()
            raise
        chunk = FileChunk(first, request.container, request.id, reader.size, layout.chunk_size, request.context)
        bound.downloads.start(reader, chunk, layout, self.dispatcher)


class FileBlobStoreProvider(BlobStoreProvider):
    """Blobs as files in the folder that each binding names; actors that name the same folder share them."""

    name = "waSCC Blob Store Provider (File System)"
    long_description = "Containers of blobs, kept as files in a folder."
    value_names = LIMIT_VALUES | {ROOT}

    def open_place(self, values: Mapping[str, str]) -> Place:
        """The folder ROOT."""
        root = ROOT.of(values)
        if not root:
            raise ProviderError(f"{ROOT} must name an existing folder")
        storage = FileStorage(root)
        return Place(storage, Uploads(storage.uploads_folder))


class S3BlobStoreProvider(BlobStoreProvider):
    """Blobs as objects in S3-compatible storage; each container is a bucket. Uploads are kept in a folder until they
    are complete."""

    name = "waSCC Blob Store Provider (S3)"
    long_description = "Containers of blobs, kept as buckets of objects in S3-compatible storage."
    value_names = LIMIT_VALUES | S3_VALUES

    def __init__(self) -> None:
        super().__init__()
        self._s3 = import_with_extra("host.providers.blobstore.s3", "s3")

    def open_place(self, values: Mapping[str, str]) -> Place:
        """The storage at ENDPOINT, and the folder UPLOADS."""
        storage = self._s3.S3Storage(S3Settings.of(values))
        return Place(storage, Uploads(storage.uploads_folder), storage.scope)


def check_context(context: str | None) -> None:
    """Raises ProviderError for a context that is too long."""
    if context is not None and len(context) > MAX_CONTEXT_CHARACTERS:
        raise ProviderError(f"the context has {len(context)} characters; at most {MAX_CONTEXT_CHARACTERS}")


def _holds(storage: Storage, layout: Layout, chunk: FileChunk) -> bool:
    """Whether the blob is there and has this very chunk: then the upload is complete, and the chunk came once more."""
    reader = storage.open(chunk.container, chunk.id)
    if reader is None:
        return False
    try:
        offset = layout.offset(chunk.sequence_no)
        return reader.size == layout.total_bytes and reader.read(offset, len(chunk.chunk_bytes)) == chunk.chunk_bytes
    except ChangedError:
        return False
    finally:
        reader.close()
