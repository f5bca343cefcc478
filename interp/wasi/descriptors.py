"""The descriptor table of a WASI process: standard streams, files and directories of the host."""

from __future__ import annotations

import os
import sys
import weakref

from interp.wasi.abi import Errno, FdFlags, FileType, Rights, filetype_of
from interp.wasi.errors import WasiError
from interp.wasi.params import Sink, Source, WasiLimits

if sys.platform != "win32":
    import fcntl

READING = Rights.FD_READ
WRITING = Rights.FD_WRITE | Rights.FD_ALLOCATE | Rights.FD_FILESTAT_SET_SIZE
ANY_FILE = (
    Rights.FD_DATASYNC
    | Rights.FD_SEEK
    | Rights.FD_FDSTAT_SET_FLAGS
    | Rights.FD_SYNC
    | Rights.FD_TELL
    | Rights.FD_ADVISE
    | Rights.FD_FILESTAT_GET
    | Rights.POLL_FD_READWRITE
)
ANY_DIRECTORY = (
    Rights.PATH_OPEN | Rights.FD_READDIR | Rights.PATH_READLINK | Rights.PATH_FILESTAT_GET | Rights.FD_FILESTAT_GET
)
CHANGING_DIRECTORY = (
    Rights.PATH_CREATE_DIRECTORY
    | Rights.PATH_CREATE_FILE
    | Rights.PATH_RENAME_SOURCE
    | Rights.PATH_RENAME_TARGET
    | Rights.PATH_FILESTAT_SET_SIZE
    | Rights.PATH_REMOVE_DIRECTORY
    | Rights.PATH_UNLINK_FILE
)


class HostFile:
    """A file descriptor of the host, closed once: by `close`, or when nothing refers to it any more."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._close = weakref.finalize(self, os.close, fd)

    def close(self) -> None:
        """Close the descriptor; again is harmless."""
        self._close()


class Stream:
    """A standard stream over a file object of the embedder, which stays the embedder's to close."""

    filetype = FileType.CHARACTER_DEVICE
    flags = FdFlags(0)
    rights = Rights.POLL_FD_READWRITE
    inheriting = Rights(0)

    def read(self, size: int) -> bytes:
        """BADF: an output."""
        raise WasiError(Errno.BADF)

    def write(self, data: bytes) -> int:
        """BADF: an input."""
        raise WasiError(Errno.BADF)

    def close(self) -> None:
        """Nothing."""


class InputStream(Stream):
    """A standard input; without a source it is empty."""

    rights = Stream.rights | READING

    def __init__(self, source: Source | None) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" at the end."""
        if self._source is None or size == 0:
            return b""
        data: bytes | None = getattr(self._source, "read1", self._source.read)(size)
        if data is None:
            raise WasiError(Errno.AGAIN)
        if len(data) > size:
            raise WasiError(Errno.IO)
        return data


class OutputStream(Stream):
    """A standard output or error; without a sink it discards."""

    rights = Stream.rights | Rights.FD_WRITE

    def __init__(self, sink: Sink | None) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        """Write and flush; the number of bytes taken."""
        if self._sink is None:
            return len(data)
        written = self._sink.write(data)
        self._sink.flush()
        if written is None:
            raise WasiError(Errno.AGAIN)
        return written


class File:
    """A regular file of the host, inside a preopened directory."""

    filetype = FileType.REGULAR_FILE
    inheriting = Rights(0)

    def __init__(self, host: HostFile, *, readable: bool, writable: bool, flags: FdFlags) -> None:
        self.host = host
        self.readable = readable
        self.writable = writable
        self.flags = flags
        self.rights = ANY_FILE | (READING if readable else Rights(0)) | (WRITING if writable else Rights(0))

    def read(self, size: int, offset: int | None = None) -> bytes:
        """At most `size` bytes at the file's position, or at `offset` (which leaves the position alone)."""
        if not self.readable:
            raise WasiError(Errno.BADF)
        return os.read(self.host.fd, size) if offset is None else os.pread(self.host.fd, size, offset)

    def write(self, data: bytes, offset: int | None, limit: int) -> int:
        """Write at the file's position, or at `offset`; short where the file would exceed `limit` bytes."""
        if not self.writable:
            raise WasiError(Errno.BADF)
        if not data:
            return 0
        start = self._position() if offset is None or FdFlags.APPEND in self.flags else offset
        if start >= limit:
            raise WasiError(Errno.FBIG)
        data = data[: limit - start]
        return os.write(self.host.fd, data) if offset is None else os.pwrite(self.host.fd, data, offset)

    def _position(self) -> int:
        if FdFlags.APPEND in self.flags:
            return os.fstat(self.host.fd).st_size
        return os.lseek(self.host.fd, 0, os.SEEK_CUR)

    def set_flags(self, flags: FdFlags) -> None:
        """Change the append mode; other flags are only remembered."""
        host_flags = fcntl.fcntl(self.host.fd, fcntl.F_GETFL) & ~os.O_APPEND
        fcntl.fcntl(self.host.fd, fcntl.F_SETFL, host_flags | (os.O_APPEND if FdFlags.APPEND in flags else 0))
        self.flags = flags

    def close(self) -> None:
        """Close the host's file."""
        self.host.close()


class Directory:
    """A directory of the host: preopened under `name`, or opened below a preopened one (`name` is None)."""

    filetype = FileType.DIRECTORY
    flags = FdFlags(0)

    def __init__(self, host: HostFile, *, read_only: bool, name: bytes | None = None) -> None:
        self.host = host
        self.read_only = read_only
        self.name = name
        self._entries: list[tuple[bytes, int, FileType]] | None = None
        changing = Rights(0) if read_only else CHANGING_DIRECTORY
        self.rights = ANY_DIRECTORY | changing
        self.inheriting = self.rights | ANY_FILE | READING | (Rights(0) if read_only else WRITING)

    def require_writable(self) -> None:
        """PERM in a read-only directory."""
        if self.read_only:
            raise WasiError(Errno.PERM)

    def entries(self, start: int, limit: int) -> list[tuple[bytes, int, FileType]]:
        """Name, inode and type of all entries, as they were when the listing started (`start` 0), sorted by name.

        OVERFLOW for more than `limit` entries. Names that are not UTF-8 cannot be told to a guest and are left out.
        """
        if self._entries is None or start == 0:
            self._entries = _list_directory(self.host.fd, limit)
        return self._entries

    def close(self) -> None:
        """Close the host's directory."""
        self.host.close()


def _list_directory(fd: int, limit: int) -> list[tuple[bytes, int, FileType]]:
    inode = os.fstat(fd).st_ino
    found: list[tuple[bytes, int, FileType]] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            if len(found) >= limit:
                raise WasiError(Errno.OVERFLOW)
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
                found.append((entry.name.encode(), entry.inode(), filetype_of(mode)))
            except (FileNotFoundError, UnicodeEncodeError):
                continue
    own = [(name, inode, FileType.DIRECTORY) for name in (b".", b"..")]
    return own + sorted(found)


Descriptor = Stream | File | Directory


class DescriptorTable:
    """The open descriptors of a guest by number; the lowest free number is given first."""

    def __init__(self, limits: WasiLimits) -> None:
        self._limit = limits.max_open_files + 3
        self._open: dict[int, Descriptor] = {}

    def add(self, descriptor: Descriptor) -> int:
        """Give `descriptor` a number. MFILE (and the descriptor closed) when the table is full."""
        if len(self._open) >= self._limit:
            descriptor.close()
            raise WasiError(Errno.MFILE)
        fd = next(fd for fd in range(self._limit) if fd not in self._open)
        self._open[fd] = descriptor
        return fd

    def get(self, fd: int) -> Descriptor:
        """The open descriptor. BADF if there is none."""
        try:
            return self._open[fd]
        except KeyError:
            raise WasiError(Errno.BADF) from None

    def file(self, fd: int) -> File:
        """The descriptor, a file. SPIPE for a stream, BADF for a directory."""
        descriptor = self.get(fd)
        if isinstance(descriptor, Stream):
            raise WasiError(Errno.SPIPE)
        if isinstance(descriptor, Directory):
            raise WasiError(Errno.BADF)
        return descriptor

    def directory(self, fd: int) -> Directory:
        """The descriptor, a directory. NOTDIR otherwise."""
        descriptor = self.get(fd)
        if not isinstance(descriptor, Directory):
            raise WasiError(Errno.NOTDIR)
        return descriptor

    def close(self, fd: int) -> None:
        """Close one descriptor."""
        self.get(fd).close()
        del self._open[fd]

    def renumber(self, fd: int, to: int) -> None:
        """Move descriptor `fd` to the number of the open descriptor `to`, which is closed."""
        moved, replaced = self.get(fd), self.get(to)
        if fd == to:
            return
        replaced.close()
        self._open[to] = moved
        del self._open[fd]

    def close_all(self) -> None:
        """Close everything."""
        for descriptor in self._open.values():
            descriptor.close()
        self._open.clear()
