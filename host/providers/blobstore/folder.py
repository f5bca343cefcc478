"""Folders by file descriptor: what is opened in one cannot lie outside it, whatever happens to paths meanwhile."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from host.logs import printable
from host.providers.base import ProviderError

FOLDER_MODE, FILE_MODE = 0o700, 0o600
_COMMON = os.O_CLOEXEC | os.O_NOFOLLOW
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""What opening says of nothing, of something of another kind, and of a symbolic link."""


class Folder:
    """An open folder. Names are single file names; symbolic links are never followed. Methods raise OSError.

    The descriptor is closed when nobody refers to the folder any more, so never under an operation.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def at(cls, path: str) -> Folder:
        """The folder of that path, whose links are followed this once."""
        return cls(os.open(Path(path), _READ_FOLDER))

    def folder(self, name: bytes) -> Folder:
        """A folder in this one."""
        return Folder(os.open(name, _READ_FOLDER | _COMMON, dir_fd=self.descriptor))

    def make_folder(self, name: bytes) -> None:
        """Make a folder in this one; FileExistsError if there is something of that name."""
        os.mkdir(name, FOLDER_MODE, dir_fd=self.descriptor)

    def open(self, name: bytes, flags: int) -> int:
        """The descriptor of a regular file in the folder, which with O_CREAT only its owner may read.

        Of anything else FileNotFoundError.
        """
        try:
            descriptor = os.open(name, flags | _COMMON | os.O_NONBLOCK, FILE_MODE, dir_fd=self.descriptor)
        except OSError as error:
            if error.errno in NOT_THERE | {errno.ENXIO, errno.EISDIR}:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error
            raise
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    @contextmanager
    def opened(self, name: bytes, flags: int = os.O_RDONLY) -> Iterator[int]:
        """`open` for the time of a block."""
        descriptor = self.open(name, flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Nobody else, no thread and no process, is in such a block for the same folder."""
        descriptor = os.open(b".", _READ_FOLDER, dir_fd=self.descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def files(self) -> Iterator[tuple[bytes, os.stat_result]]:
        """The regular files in the folder."""
        yield from self._entries(stat.S_ISREG)

    def folders(self) -> Iterator[bytes]:
        """The names of the folders in the folder."""
        for name, _ in self._entries(stat.S_ISDIR):
            yield name

    def _entries(self, wanted: Callable[[int], bool]) -> Iterator[tuple[bytes, os.stat_result]]:
        with os.scandir(self.descriptor) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if wanted(status.st_mode):
                    yield os.fsencode(entry.name), status

    def status(self, name: bytes) -> os.stat_result | None:
        """The state of what has that name, None if nothing has."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def unlink(self, name: bytes) -> None:
        """Remove a file or a link, if it is there."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return

    def move(self, name: bytes, target: Folder, new_name: bytes) -> None:
        """Put a file under a name in another folder of the same file system, at once and in the place of what is there;
        on the disk when this returns, if the file's content is."""
        os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)
        os.fsync(target.descriptor)


@contextmanager
def reporting(what: str) -> Iterator[None]:
    """Turns an OSError of the block into a ProviderError: `what`, and the system's reason."""
    try:
        yield
    except OSError as error:
        raise ProviderError(f"{what}: {error.strerror or type(error).__name__}") from error


def existing_folder(name: str, path: str) -> Folder:
    """The folder that a configuration value of that name says. Raises ProviderError."""
    try:
        with reporting(f"{name} '{printable(path)}' cannot be used"):
            return Folder.at(path)
    except ValueError as error:
        raise ProviderError(f"{name} '{printable(path)}' is no path: {error}") from error


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of the data, wherever the system stops in between. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def read_all(descriptor: int, length: int, offset: int) -> bytes:
    """So many bytes, or as many as there are. Raises OSError."""
    parts = []
    while length and (part := os.pread(descriptor, length, offset)):
        parts.append(part)
        length, offset = length - len(part), offset + len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
