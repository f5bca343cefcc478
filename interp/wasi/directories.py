"""WASI functions on paths: opening, creating, removing, renaming, and looking at what is there.

Source: WASI legacy/preview1 interface definition; `docs/wasi.md`
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from interp.wasi.abi import LOOKUP_SYMLINK_FOLLOW, U32, Errno, FdFlags, OFlags, Rights, Snapshot
from interp.wasi.errors import WasiError
from interp.wasi.files import put_filestat
from interp.wasi.paths import OpenMode, Place, open_at, resolved
from interp.wasi.process import Process, SystemCall


@contextmanager
def _place(
    process: Process, fd: int, address: int, length: int, *, follow: bool = False, changing: bool = True
) -> Iterator[Place]:
    """The place that the guest's path names below descriptor `fd`; PERM for a change in a read-only directory."""
    directory = process.descriptors.directory(fd)
    path = process.path(address, length)
    if changing:
        directory.require_writable()
    with resolved(directory.host.fd, path, follow=follow) as place:
        yield place


def path_open(
    process: Process,
    fd: int,
    lookup: int,
    path: int,
    length: int,
    oflags: int,
    rights: int,
    inheriting: int,
    fdflags: int,
    fd_ptr: int,
) -> None:
    """Open a file or directory; of the rights, FD_READ and FD_WRITE say how."""
    process.memory.check(fd_ptr, U32.size)
    if oflags >= 2 * OFlags.TRUNC or fdflags >= 2 * FdFlags.SYNC:
        raise WasiError(Errno.INVAL)
    mode = OpenMode(bool(rights & Rights.FD_READ), bool(rights & Rights.FD_WRITE), OFlags(oflags), FdFlags(fdflags))
    creates = OFlags.CREAT in mode.oflags
    if (creates and OFlags.DIRECTORY in mode.oflags) or (OFlags.TRUNC in mode.oflags and not mode.write):
        raise WasiError(Errno.INVAL)
    follow = bool(lookup & LOOKUP_SYMLINK_FOLLOW) and not (creates and OFlags.EXCL in mode.oflags)
    directory = process.descriptors.directory(fd)
    with _place(process, fd, path, length, follow=follow, changing=False) as place:
        opened = open_at(place, mode, read_only=directory.read_only)
    process.memory.write_u32(fd_ptr, process.descriptors.add(opened))


def path_filestat_get(
    process: Process, fd: int, lookup: int, path: int, length: int, stat_ptr: int, *, snapshot: Snapshot
) -> None:
    """The attributes of a file or directory."""
    follow = bool(lookup & LOOKUP_SYMLINK_FOLLOW)
    with _place(process, fd, path, length, follow=follow, changing=False) as place:
        status = place.status()
    put_filestat(process, stat_ptr, status, snapshot)


def path_readlink(
    process: Process, fd: int, path: int, length: int, buffer: int, buffer_length: int, used_ptr: int
) -> None:
    """What a symbolic link holds, cut to the buffer."""
    process.memory.check(buffer, buffer_length)
    process.memory.check(used_ptr, U32.size)
    with _place(process, fd, path, length, changing=False) as place:
        target = os.readlink(place.name, dir_fd=place.parent)[:buffer_length]
    process.memory.write(buffer, target)
    process.memory.write_u32(used_ptr, len(target))


def path_create_directory(process: Process, fd: int, path: int, length: int) -> None:
    """Create a directory."""
    with _place(process, fd, path, length) as place:
        os.mkdir(place.name, dir_fd=place.parent)


def path_remove_directory(process: Process, fd: int, path: int, length: int) -> None:
    """Remove an empty directory."""
    with _place(process, fd, path, length) as place:
        os.rmdir(place.name, dir_fd=place.parent)


def path_unlink_file(process: Process, fd: int, path: int, length: int) -> None:
    """Remove a file or a symbolic link. ISDIR for a directory."""
    with _place(process, fd, path, length) as place:
        if stat.S_ISDIR(place.status().st_mode):
            raise WasiError(Errno.ISDIR)
        os.unlink(place.name, dir_fd=place.parent)


def path_rename(
    process: Process, fd: int, old_path: int, old_length: int, new_fd: int, new_path: int, new_length: int
) -> None:
    """Rename a file or directory, also into another open directory, replacing what is there as POSIX does."""
    with (
        _place(process, fd, old_path, old_length) as old,
        _place(process, new_fd, new_path, new_length) as new,
    ):
        is_directory = stat.S_ISDIR(old.status().st_mode)
        if new.as_directory and not is_directory:
            raise WasiError(Errno.NOTDIR)
        os.rename(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent)


CALLS: tuple[SystemCall, ...] = (
    path_create_directory,
    path_open,
    path_readlink,
    path_remove_directory,
    path_rename,
    path_unlink_file,
)
VERSIONED_CALLS: tuple[SystemCall, ...] = (path_filestat_get,)
