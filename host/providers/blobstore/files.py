"""Blobs as files: each container is a folder of the root, each blob a file in it."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from host.logs import printable
from host.providers.base import ProviderError
from host.providers.blobstore.folder import NOT_THERE, Folder, existing_folder, read_all, reporting
from host.providers.blobstore.names import file_name, id_of
from host.providers.blobstore.storage import NoContainerError, Part, Usage, not_empty, shown
from host.providers.values import TextValue

ROOT = TextValue("ROOT")
UPLOADS_FOLDER = b".wascc-uploads"
"""Begins with a dot, as no file name of an id does."""

COUNT_SECONDS = 10.0
"""How long a count of all bytes is believed."""


class FileStorage:
    """A storage in the folder `root`, a path. Raises ProviderError if it cannot be used."""

    def __init__(self, root: str) -> None:
        self._root = existing_folder(ROOT, root)
        self._lock = threading.Lock()
        self._used = Usage()
        self._counted_at = -COUNT_SECONDS
        self.uploads_folder = uploads_folder(self._root, f"{ROOT} '{printable(root)}'")

    def create_container(self, container: str) -> None:
        name = file_name(container)
        with reporting(f"the container '{printable(container)}' cannot be made"):
            try:
                self._root.make_folder(name)
                os.fsync(self._root.descriptor)
                with self._lock:
                    self._used = self._used.plus(1, 0)
            except FileExistsError:
                self._root.folder(name)

    def remove_container(self, container: str) -> None:
        with reporting(f"the container '{printable(container)}' cannot be removed"):
            try:
                os.rmdir(file_name(container), dir_fd=self._root.descriptor)
            except OSError as error:
                if error.errno in NOT_THERE:
                    raise NoContainerError(container) from error
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    raise not_empty(container) from error
                raise

    def has_container(self, container: str) -> bool:
        try:
            self._container(container)
        except NoContainerError:
            return False
        return True

    def check_id(self, blob_id: str) -> None:
        file_name(blob_id)

    def usage(self, fresh: bool) -> Usage:
        with self._lock:
            if fresh or time.monotonic() - self._counted_at >= COUNT_SECONDS:
                with reporting("the blobs cannot be counted"):
                    self._used = self._counted()
                self._counted_at = time.monotonic()
            return self._used

    def blobs(self, container: str) -> Iterator[tuple[str, int]]:
        folder = self._container(container)
        with reporting(f"the container '{printable(container)}' cannot be read"):
            for name, status in folder.files():
                blob_id = id_of(name)
                if blob_id is not None:
                    yield blob_id, status.st_size

    def size(self, container: str, blob_id: str) -> int | None:
        reader = self.open(container, blob_id)
        if reader is None:
            return None
        reader.close()
        return reader.size

    def open(self, container: str, blob_id: str) -> FileReader | None:
        name = file_name(blob_id)
        with reporting(f"{shown(container, blob_id)} cannot be read"):
            try:
                return FileReader(self._container(container).open(name, os.O_RDONLY), shown(container, blob_id))
            except (FileNotFoundError, NoContainerError):
                return None

    def remove(self, container: str, blob_id: str) -> None:
        name = file_name(blob_id)
        with reporting(f"{shown(container, blob_id)} cannot be removed"), suppress(NoContainerError):
            self._container(container).unlink(name)

    def store(self, container: str, blob_id: str, part: Part) -> None:
        name = file_name(blob_id)
        folder = self._container(container)
        with reporting(f"{shown(container, blob_id)} cannot be stored"):
            os.fsync(part.descriptor)
            part.folder.move(part.name, folder, name)
        with self._lock:
            self._used = self._used.plus(1, part.total_bytes)

    def _container(self, container: str) -> Folder:
        name = file_name(container)
        with reporting(f"the container '{printable(container)}' cannot be opened"):
            try:
                return self._root.folder(name)
            except OSError as error:
                if error.errno in NOT_THERE:
                    raise NoContainerError(container) from error
                raise

    def _counted(self) -> Usage:
        used = Usage()
        for name in self._root.folders():
            if name != UPLOADS_FOLDER:
                with suppress(FileNotFoundError):
                    sizes = [status.st_size for _, status in self._root.folder(name).files()]
                    used = used.plus(1 + len(sizes), sum(sizes))
        return used


class FileReader:
    """A blob's file, opened: what replaces the blob later is another file."""

    def __init__(self, descriptor: int, title: str) -> None:
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._title = title

    def read(self, offset: int, length: int) -> bytes:
        with reporting(f"{self._title} cannot be read"):
            data = read_all(self._descriptor, length, offset)
        if len(data) != length:
            raise ProviderError(f"{self._title} has become shorter while it was read")
        return data

    def close(self) -> None:
        os.close(self._descriptor)


def uploads_folder(parent: Folder, title: str) -> Folder:
    """The folder of the uploads in another one, which errors call `title`; made if it is missing."""
    with reporting(f"{title} cannot be used"):
        with suppress(FileExistsError):
            parent.make_folder(UPLOADS_FOLDER)
        if not os.access(b".", os.W_OK | os.X_OK, dir_fd=parent.descriptor):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        folder = parent.folder(UPLOADS_FOLDER)
    if parent.status(UPLOADS_FOLDER.upper()) is not None:
        raise ProviderError(f"{title} cannot be used: its file system takes upper and lower case for the same")
    return folder
