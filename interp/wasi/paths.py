"""Paths of a guest, resolved so that they cannot leave the directory they start in.

The kernel never sees a path, only single names relative to an open directory, and never follows a symbolic link:
this module walks the components itself, opens each directory without following links, expands links by hand, and
goes up by going back to the directory it came from. What another process does to the tree meanwhile can make a walk
fail, but cannot make it leave. Absolute paths, absolute links, and `..` above the start are refused (PERM).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from interp.wasi.abi import Errno, FdFlags, OFlags
from interp.wasi.descriptors import Descriptor, Directory, File, HostFile
from interp.wasi.errors import WasiError

MAX_SYMLINKS = 40
MAX_DEPTH = 64
"""How many directories deep a path may go: each is one open descriptor of the host during the walk."""

SUPPORTED = {os.open, os.stat, os.mkdir, os.unlink, os.rmdir, os.rename, os.readlink} <= os.supports_dir_fd
"""Whether this operating system can do it (POSIX systems can)."""

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0) | _NO_FOLLOW
_SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""So that opening what has just been replaced by a pipe or a terminal neither waits nor takes it over."""

_HOST_FLAGS = {
    FdFlags.APPEND: os.O_APPEND,
    FdFlags.DSYNC: getattr(os, "O_DSYNC", 0),
    FdFlags.RSYNC: getattr(os, "O_RSYNC", 0),
    FdFlags.SYNC: getattr(os, "O_SYNC", 0),
}


def open_preopen(path: str | os.PathLike[str]) -> HostFile:
    """Open a directory of the host by its own path. Raises OSError."""
    return HostFile(os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads: `name`, one component that is not `..`, in the open directory `parent` of the host.

    `as_directory` tells that the path was written so that it must name a directory (`a/`, `a/.`).
    """

    parent: int
    name: bytes
    as_directory: bool

    def status(self) -> os.stat_result:
        """The status of what is there, a link not followed; NOTDIR if it had to be a directory and is not."""
        status = os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)
        if self.as_directory and not stat.S_ISDIR(status.st_mode):
            raise WasiError(Errno.NOTDIR)
        return status


@contextmanager
def resolved(base: int, path: bytes, *, follow: bool) -> Iterator[Place]:
    """The place that `path` names below the open directory `base`, valid inside the `with`.

    A symbolic link as last component is followed if `follow` says so; all others are.
    """
    walk = _Walk(base)
    try:
        yield walk.resolve(path, follow)
    finally:
        walk.close()


class _Walk:
    """The directories from the base down to where the walk is, all held open."""

    def __init__(self, base: int) -> None:
        self._directories = [base]
        self._pending: list[bytes] = []
        self._symlinks = 0
        self._as_directory = False

    def close(self) -> None:
        while len(self._directories) > 1:
            os.close(self._directories.pop())

    def resolve(self, path: bytes, follow: bool) -> Place:
        self._push(path)
        while self._pending:
            name = self._pending.pop()
            if name == b"..":
                self._up()
            elif self._pending:
                self._down(name)
            elif not follow or not self._expand(name):
                return Place(self._directories[-1], name, self._as_directory)
        return Place(self._directories[-1], b".", True)

    def _push(self, path: bytes) -> None:
        if not path:
            raise WasiError(Errno.NOENT)
        if path.startswith(b"/"):
            raise WasiError(Errno.PERM)
        components = path.split(b"/")
        if not self._pending and components[-1] in (b"", b".", b".."):
            self._as_directory = True
        self._pending += [name for name in reversed(components) if name not in (b"", b".")]

    def _up(self) -> None:
        if len(self._directories) == 1:
            raise WasiError(Errno.PERM)
        os.close(self._directories.pop())

    def _down(self, name: bytes) -> None:
        if len(self._directories) > MAX_DEPTH:
            raise WasiError(Errno.NAMETOOLONG)
        try:
            self._directories.append(os.open(name, _SEARCH, dir_fd=self._directories[-1]))
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP) or not self._expand(name):
                raise

    def _expand(self, name: bytes) -> bool:
        """Continue with what the link `name` holds; False if it is no link (or does not exist)."""
        try:
            target = os.readlink(name, dir_fd=self._directories[-1])
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return False
            raise
        self._symlinks += 1
        if self._symlinks > MAX_SYMLINKS:
            raise WasiError(Errno.LOOP)
        self._push(target)
        return True


@dataclass(frozen=True, slots=True)
class OpenMode:
    """How path_open opens: for reading, for writing, creation flags, and flags of the descriptor."""

    read: bool
    write: bool
    oflags: OFlags
    flags: FdFlags

    @property
    def host_flags(self) -> int:
        """The flags of the host's open for a regular file."""
        result = _NO_FOLLOW | _NO_WAITING
        result |= (os.O_RDWR if self.read else os.O_WRONLY) if self.write else os.O_RDONLY
        result |= os.O_CREAT if OFlags.CREAT in self.oflags else 0
        result |= os.O_EXCL if OFlags.EXCL in self.oflags else 0
        result |= os.O_TRUNC if OFlags.TRUNC in self.oflags else 0
        for flag, host_flag in _HOST_FLAGS.items():
            result |= host_flag if flag in self.flags else 0
        return result


def open_at(place: Place, mode: OpenMode, *, read_only: bool) -> Descriptor:
    """Open a regular file or a directory; everything else (devices, pipes, sockets) is refused with PERM."""
    creates = OFlags.CREAT in mode.oflags
    try:
        kind: int | None = stat.S_IFMT(place.status().st_mode)
    except FileNotFoundError:
        if not creates:
            raise
        kind = None
    if read_only and (mode.write or OFlags.TRUNC in mode.oflags or (creates and kind is None)):
        raise WasiError(Errno.PERM)
    if kind is not None and creates and OFlags.EXCL in mode.oflags:
        raise WasiError(Errno.EXIST)
    if kind == stat.S_IFDIR:
        return _open_directory(place, mode, read_only)
    if kind == stat.S_IFLNK:
        raise WasiError(Errno.LOOP)
    if kind is None and place.as_directory:
        raise WasiError(Errno.ISDIR)
    if OFlags.DIRECTORY in mode.oflags:
        raise WasiError(Errno.NOTDIR)
    if kind not in (None, stat.S_IFREG):
        raise WasiError(Errno.PERM)
    return _open_file(place, mode)


def _open_directory(place: Place, mode: OpenMode, read_only: bool) -> Directory:
    if mode.write or mode.oflags & (OFlags.CREAT | OFlags.TRUNC):
        raise WasiError(Errno.ISDIR)
    return Directory(HostFile(os.open(place.name, os.O_RDONLY | _DIRECTORY, dir_fd=place.parent)), read_only=read_only)


def _open_file(place: Place, mode: OpenMode) -> File:
    host = HostFile(os.open(place.name, mode.host_flags, 0o666, dir_fd=place.parent))
    if not stat.S_ISREG(os.fstat(host.fd).st_mode):
        host.close()
        raise WasiError(Errno.PERM)
    return File(host, readable=mode.read, writable=mode.write, flags=mode.flags)
