"""What the tests of the blob store share: an actor's side of it, on the file system and on an S3 server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from uuid import uuid4

import provider_support
import pytest
from servers import ServerProcess, s3_server

from host.codec import decode, encode
from host.codec.blobstore import Blob, BlobList, Container, FileChunk, StreamRequest, UploadInfo
from host.providers.blobstore import FileBlobStoreProvider, S3BlobStoreProvider
from host.providers.blobstore.providers import BlobStoreProvider

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Receivers:
    """A dispatcher that notes the chunks that actors receive; `reaction` is what they do then."""

    def __init__(self) -> None:
        self.got: list[tuple[str, FileChunk]] = []
        self.reaction: Callable[[FileChunk], None] = lambda chunk: None
        self.changed = threading.Condition()

    def dispatch(self, actor: str, operation: str, payload: bytes) -> bytes:
        assert operation == "ReceiveChunk"
        chunk = decode(FileChunk, payload)
        self.reaction(chunk)
        with self.changed:
            self.got.append((actor, chunk))
            self.changed.notify_all()
        return b""

    def wait(self, number: int) -> list[FileChunk]:
        """The first so many chunks."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= number, timeout=20), len(self.got)
            return [chunk for _, chunk in self.got[:number]]


class Store:
    """A provider with what actors ask of it."""

    def __init__(self, provider: BlobStoreProvider, values: dict[str, str]) -> None:
        self.provider = provider
        self.values = values
        self.receivers = Receivers()
        provider.configure_dispatch(self.receivers)
        self.bind("MA")

    def bind(self, actor: str, **values: str) -> None:
        provider_support.bind(self.provider, actor, **(self.values | values))

    def unbind(self, actor: str) -> None:
        provider_support.remove(self.provider, actor)

    def restarted(self) -> Store:
        """The store of a host that is started again."""
        self.provider.stop()
        return Store(type(self.provider)(), self.values)

    def create(self, container: str = "things", actor: str = "MA") -> None:
        payload = self.provider.handle_call(actor, "CreateContainer", encode(Container(container)))
        assert decode(Container, payload) == Container(container)

    def remove_container(self, container: str = "things", actor: str = "MA") -> None:
        assert self.provider.handle_call(actor, "RemoveContainer", encode(Container(container))) == b""

    def list(self, container: str = "things", actor: str = "MA") -> dict[str, int]:
        blobs = decode(BlobList, self.provider.handle_call(actor, "ListObjects", encode(Container(container)))).blobs
        assert {blob.container for blob in blobs} <= {container}
        assert [blob.id for blob in blobs] == sorted(blob.id for blob in blobs)
        return {blob.id: blob.byte_size for blob in blobs}

    def info(self, blob_id: str, container: str = "things", actor: str = "MA") -> Blob:
        return decode(Blob, self.provider.handle_call(actor, "GetObjectInfo", encode(Blob(blob_id, container, 0))))

    def remove(self, blob_id: str, container: str = "things", actor: str = "MA") -> None:
        assert self.provider.handle_call(actor, "RemoveObject", encode(Blob(blob_id, container, 0))) == b""

    def start(
        self, blob_id: str, total: int, size: int = 4, container: str = "things", actor: str = "MA",
        context: str | None = None,
    ) -> None:  # fmt: skip
        payload = encode(FileChunk(0, container, blob_id, total, size, context))
        assert self.provider.handle_call(actor, "StartUpload", payload) == b""

    def send(
        self, blob_id: str, content: bytes, number: int, size: int = 4, container: str = "things", actor: str = "MA",
        context: str | None = None,
    ) -> None:  # fmt: skip
        data = content[number * size : (number + 1) * size]
        payload = encode(FileChunk(number, container, blob_id, len(content), size, context, data))
        assert self.provider.handle_call(actor, "UploadChunk", payload) == b""

    def upload(
        self, blob_id: str, content: bytes, size: int = 4, numbers: Iterable[int] | None = None,
        container: str = "things", actor: str = "MA",
    ) -> None:  # fmt: skip
        self.start(blob_id, len(content), size, container, actor)
        for number in range(-(-len(content) // size)) if numbers is None else numbers:
            self.send(blob_id, content, number, size, container, actor)

    def missing(self, blob_id: str, container: str = "things", actor: str = "MA") -> UploadInfo:
        return decode(
            UploadInfo, self.provider.handle_call(actor, "GetUploadInfo", encode(Blob(blob_id, container, 0)))
        )

    def download(
        self, blob_id: str, size: int = 4, container: str = "things", actor: str = "MA", first: int | None = None
    ) -> None:
        payload = encode(StreamRequest(blob_id, container, size, "seen again", first))
        assert self.provider.handle_call(actor, "StartDownload", payload) == b""

    def content(self, blob_id: str, container: str = "things", actor: str = "MA") -> bytes:
        """The whole blob, as the storage has it."""
        reader = self.provider._bound[actor].place.storage.open(container, blob_id)
        assert reader is not None
        try:
            return reader.read(0, reader.size)
        finally:
            reader.close()


def refused(call: Callable[[], object]) -> str:
    """The one line that an operation is refused with, without the secret of the S3 storage."""
    return provider_support.refused(call, SECRET)


def file_store(root: Path, **values: str) -> Store:
    return Store(FileBlobStoreProvider(), {"ROOT": str(root), **values})


def s3_values(server: ServerProcess, uploads: Path | None = None) -> dict[str, str]:
    """The values of a binding to a server, with a prefix that nobody else has."""
    values = {
        "ENDPOINT": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "BUCKET_PREFIX": f"t{uuid4().hex[:12]}-",
    }
    return values if uploads is None else values | {"UPLOADS": str(uploads)}


def s3_store(server: ServerProcess, uploads: Path | None = None, **values: str) -> Store:
    return Store(S3BlobStoreProvider(), s3_values(server, uploads) | values)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server
