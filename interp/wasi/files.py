"""WASI functions on open descriptors: reading, writing, positions, attributes, and listing directories.

Source: WASI legacy/preview1 interface definition; `docs/wasi.md`
"""

from __future__ import annotations

import os

from interp.wasi.abi import (
    ADVICES,
    DIRENT,
    FDSTAT,
    PRESTAT,
    U32,
    U64,
    Errno,
    FdFlags,
    FileType,
    Snapshot,
    filetype_of,
)
from interp.wasi.descriptors import Directory, File, Stream
from interp.wasi.errors import WasiError
from interp.wasi.memory import Iovec
from interp.wasi.process import Process, SystemCall

CHANGEABLE_FLAGS = FdFlags.APPEND | FdFlags.NONBLOCK
"""The flags that an open file can still change; the synchronous modes are for path_open."""


def fd_read(process: Process, fd: int, iovs: int, count: int, read_ptr: int) -> None:
    """Read at the position of the descriptor."""
    buffers = _buffers(process, iovs, count, read_ptr)
    descriptor = process.descriptors.get(fd)
    if isinstance(descriptor, Directory):
        raise WasiError(Errno.ISDIR)
    _scatter(process, buffers, descriptor.read(_total(buffers)), read_ptr)


def fd_pread(process: Process, fd: int, iovs: int, count: int, offset: int, read_ptr: int) -> None:
    """Read at a position, without moving the descriptor's."""
    buffers = _buffers(process, iovs, count, read_ptr)
    _scatter(process, buffers, process.descriptors.file(fd).read(_total(buffers), offset), read_ptr)


def fd_write(process: Process, fd: int, iovs: int, count: int, written_ptr: int) -> None:
    """Write at the position of the descriptor."""
    buffers = _buffers(process, iovs, count, written_ptr)
    descriptor = process.descriptors.get(fd)
    data = process.memory.gather(buffers)
    if isinstance(descriptor, Directory):
        raise WasiError(Errno.ISDIR)
    if isinstance(descriptor, Stream):
        written = descriptor.write(data)
    else:
        written = descriptor.write(data, None, process.params.limits.max_file_bytes)
    process.memory.write_u32(written_ptr, written)


def fd_pwrite(process: Process, fd: int, iovs: int, count: int, offset: int, written_ptr: int) -> None:
    """Write at a position, without moving the descriptor's."""
    buffers = _buffers(process, iovs, count, written_ptr)
    file = process.descriptors.file(fd)
    written = file.write(process.memory.gather(buffers), offset, process.params.limits.max_file_bytes)
    process.memory.write_u32(written_ptr, written)


def _buffers(process: Process, iovs: int, count: int, result_ptr: int) -> list[Iovec]:
    """The buffers, checked together with the result's address before anything is read or written."""
    process.memory.check(result_ptr, U32.size)
    return process.memory.iovecs(iovs, count, process.params.limits)


def _total(buffers: list[Iovec]) -> int:
    return sum(length for _address, length in buffers)


def _scatter(process: Process, buffers: list[Iovec], data: bytes, read_ptr: int) -> None:
    process.memory.scatter(buffers, data)
    process.memory.write_u32(read_ptr, len(data))


def fd_seek(process: Process, fd: int, offset: int, whence: int, position_ptr: int, *, snapshot: Snapshot) -> None:
    """Move the position by `offset` (i64, signed) from the base that the snapshot numbers `whence`."""
    process.memory.check(position_ptr, U64.size)
    file = process.descriptors.file(fd)
    if whence >= len(snapshot.whence):
        raise WasiError(Errno.INVAL)
    signed = offset - 2**64 if offset >= 2**63 else offset
    process.memory.write_u64(position_ptr, os.lseek(file.host.fd, signed, snapshot.whence[whence]))


def fd_tell(process: Process, fd: int, position_ptr: int) -> None:
    """The position."""
    file = process.descriptors.file(fd)
    process.memory.write_u64(position_ptr, os.lseek(file.host.fd, 0, os.SEEK_CUR))


def fd_close(process: Process, fd: int) -> None:
    """Close the descriptor."""
    process.descriptors.close(fd)


def fd_renumber(process: Process, fd: int, to: int) -> None:
    """Move a descriptor over another open one."""
    process.descriptors.renumber(fd, to)


def fd_sync(process: Process, fd: int) -> None:
    """Bring data and metadata to the disk."""
    os.fsync(_on_disk(process, fd).host.fd)


def fd_datasync(process: Process, fd: int) -> None:
    """Bring data to the disk."""
    getattr(os, "fdatasync", os.fsync)(_on_disk(process, fd).host.fd)


def _on_disk(process: Process, fd: int) -> File | Directory:
    descriptor = process.descriptors.get(fd)
    if isinstance(descriptor, Stream):
        raise WasiError(Errno.INVAL)
    return descriptor


def fd_advise(process: Process, fd: int, offset: int, length: int, advice: int) -> None:
    """Take note of how the file will be used: nothing is done with it."""
    process.descriptors.file(fd)
    if advice >= ADVICES:
        raise WasiError(Errno.INVAL)


def fd_allocate(process: Process, fd: int, offset: int, length: int) -> None:
    """Give the file room for [offset, offset + length) on the disk."""
    file = _growing(process, fd, offset + length)
    if length == 0:
        raise WasiError(Errno.INVAL)
    if not hasattr(os, "posix_fallocate"):
        raise WasiError(Errno.NOTSUP)
    os.posix_fallocate(file.host.fd, offset, length)


def fd_filestat_set_size(process: Process, fd: int, size: int) -> None:
    """Cut the file to `size` bytes, or fill it up with zeros."""
    os.ftruncate(_growing(process, fd, size).host.fd, size)


def _growing(process: Process, fd: int, size: int) -> File:
    file = process.descriptors.file(fd)
    if not file.writable:
        raise WasiError(Errno.BADF)
    if size > process.params.limits.max_file_bytes:
        raise WasiError(Errno.FBIG)
    return file


def fd_fdstat_get(process: Process, fd: int, stat_ptr: int) -> None:
    """File type, flags and rights of the descriptor."""
    descriptor = process.descriptors.get(fd)
    fields = (descriptor.filetype, descriptor.flags, descriptor.rights, descriptor.inheriting)
    process.memory.write_record(stat_ptr, FDSTAT, *fields)


def fd_fdstat_set_flags(process: Process, fd: int, flags: int) -> None:
    """Change append and nonblock; nonblock has no effect. NOTSUP for the synchronous modes."""
    descriptor = process.descriptors.get(fd)
    if flags >= 2 * FdFlags.SYNC:
        raise WasiError(Errno.INVAL)
    if not isinstance(descriptor, File) or (flags ^ descriptor.flags) & ~CHANGEABLE_FLAGS:
        raise WasiError(Errno.NOTSUP)
    descriptor.set_flags(FdFlags(flags))


def put_filestat(process: Process, stat_ptr: int, status: os.stat_result, snapshot: Snapshot) -> None:
    """Store the attributes of a file in the snapshot's layout."""
    process.memory.write_record(
        stat_ptr,
        snapshot.filestat,
        status.st_dev % 2**64,
        status.st_ino % 2**64,
        filetype_of(status.st_mode),
        min(status.st_nlink, snapshot.nlink_max),
        status.st_size,
        max(0, status.st_atime_ns),
        max(0, status.st_mtime_ns),
        max(0, status.st_ctime_ns),
    )


def fd_filestat_get(process: Process, fd: int, stat_ptr: int, *, snapshot: Snapshot) -> None:
    """The attributes of an open file; those of a stream are all zero but its type."""
    descriptor = process.descriptors.get(fd)
    if isinstance(descriptor, Stream):
        process.memory.write_record(stat_ptr, snapshot.filestat, 0, 0, FileType.CHARACTER_DEVICE, 0, 0, 0, 0, 0)
    else:
        put_filestat(process, stat_ptr, os.fstat(descriptor.host.fd), snapshot)


def _preopen_name(process: Process, fd: int) -> bytes:
    descriptor = process.descriptors.get(fd)
    if not isinstance(descriptor, Directory) or descriptor.name is None:
        raise WasiError(Errno.BADF)
    return descriptor.name


def fd_prestat_get(process: Process, fd: int, prestat_ptr: int) -> None:
    """That the descriptor is a preopened directory, and the length of its name."""
    process.memory.write_record(prestat_ptr, PRESTAT, 0, len(_preopen_name(process, fd)))


def fd_prestat_dir_name(process: Process, fd: int, path: int, length: int) -> None:
    """The name of a preopened directory. NAMETOOLONG where it does not fit."""
    name = _preopen_name(process, fd)
    if len(name) > length:
        raise WasiError(Errno.NAMETOOLONG)
    process.memory.write(path, name)


def fd_readdir(process: Process, fd: int, buffer: int, length: int, cookie: int, used_ptr: int) -> None:
    """Directory entries from number `cookie` on, as many as fit, the last one possibly cut."""
    process.memory.check(buffer, length)
    process.memory.check(used_ptr, U32.size)
    directory = process.descriptors.directory(fd)
    entries = directory.entries(cookie, process.params.limits.max_directory_entries)
    data = bytearray()
    while cookie < len(entries) and len(data) < length:
        name, inode, filetype = entries[cookie]
        cookie += 1
        data += DIRENT.pack(cookie, inode, len(name), filetype) + name
    process.memory.write(buffer, bytes(data[:length]))
    process.memory.write_u32(used_ptr, min(len(data), length))


CALLS: tuple[SystemCall, ...] = (
    fd_advise,
    fd_allocate,
    fd_close,
    fd_datasync,
    fd_fdstat_get,
    fd_fdstat_set_flags,
    fd_filestat_set_size,
    fd_pread,
    fd_prestat_dir_name,
    fd_prestat_get,
    fd_pwrite,
    fd_read,
    fd_readdir,
    fd_renumber,
    fd_sync,
    fd_tell,
    fd_write,
)
VERSIONED_CALLS: tuple[SystemCall, ...] = (fd_filestat_get, fd_seek)
