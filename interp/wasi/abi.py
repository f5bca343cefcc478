"""The binary interface of WASI preview 1 and of its predecessor `wasi_unstable`, as data.

Error numbers, flags, function types and record layouts; nothing here does anything. All numbers are little endian.
The two snapshots share their functions and differ in three layouts only, kept in `Snapshot`.

Source: WASI legacy/preview0 and legacy/preview1 interface definitions; `docs/wasi.md` lists what is supported
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct

from interp.syntax.types import I32, I64, FuncType

Errno = IntEnum(
    "Errno",
    "SUCCESS TOOBIG ACCES ADDRINUSE ADDRNOTAVAIL AFNOSUPPORT AGAIN ALREADY BADF BADMSG BUSY CANCELED CHILD"
    " CONNABORTED CONNREFUSED CONNRESET DEADLK DESTADDRREQ DOM DQUOT EXIST FAULT FBIG HOSTUNREACH IDRM ILSEQ"
    " INPROGRESS INTR INVAL IO ISCONN ISDIR LOOP MFILE MLINK MSGSIZE MULTIHOP NAMETOOLONG NETDOWN NETRESET NETUNREACH"
    " NFILE NOBUFS NODEV NOENT NOEXEC NOLCK NOLINK NOMEM NOMSG NOPROTOOPT NOSPC NOSYS NOTCONN NOTDIR NOTEMPTY"
    " NOTRECOVERABLE NOTSOCK NOTSUP NOTTY NXIO OVERFLOW OWNERDEAD PERM PIPE PROTO PROTONOSUPPORT PROTOTYPE RANGE ROFS"
    " SPIPE SRCH STALE TIMEDOUT TXTBSY XDEV NOTCAPABLE",
    start=0,
)
"""errno, in the order of the interface definition (its `2big` is TOOBIG here)."""

_HOST_ERRNO = {
    getattr(errno, host_name): error
    for error in Errno
    if hasattr(errno, host_name := "E2BIG" if error is Errno.TOOBIG else f"E{error.name}")
}


def errno_of(error: OSError) -> Errno:
    """The WASI error number for what the operating system said; IO where there is no counterpart."""
    return _HOST_ERRNO.get(error.errno or 0, Errno.IO)


class Rights(IntFlag):
    """rights: what a descriptor says it can do, in the order of the interface definition."""

    FD_DATASYNC = 1 << 0
    FD_READ = 1 << 1
    FD_SEEK = 1 << 2
    FD_FDSTAT_SET_FLAGS = 1 << 3
    FD_SYNC = 1 << 4
    FD_TELL = 1 << 5
    FD_WRITE = 1 << 6
    FD_ADVISE = 1 << 7
    FD_ALLOCATE = 1 << 8
    PATH_CREATE_DIRECTORY = 1 << 9
    PATH_CREATE_FILE = 1 << 10
    PATH_OPEN = 1 << 13
    FD_READDIR = 1 << 14
    PATH_READLINK = 1 << 15
    PATH_RENAME_SOURCE = 1 << 16
    PATH_RENAME_TARGET = 1 << 17
    PATH_FILESTAT_GET = 1 << 18
    PATH_FILESTAT_SET_SIZE = 1 << 19
    FD_FILESTAT_GET = 1 << 21
    FD_FILESTAT_SET_SIZE = 1 << 22
    PATH_REMOVE_DIRECTORY = 1 << 25
    PATH_UNLINK_FILE = 1 << 26
    POLL_FD_READWRITE = 1 << 27


class FileType(IntEnum):
    """filetype of a descriptor or directory entry."""

    UNKNOWN = 0
    BLOCK_DEVICE = 1
    CHARACTER_DEVICE = 2
    DIRECTORY = 3
    REGULAR_FILE = 4
    SOCKET_DGRAM = 5
    SOCKET_STREAM = 6
    SYMBOLIC_LINK = 7


_FILE_TYPES = {
    stat.S_IFBLK: FileType.BLOCK_DEVICE,
    stat.S_IFCHR: FileType.CHARACTER_DEVICE,
    stat.S_IFDIR: FileType.DIRECTORY,
    stat.S_IFREG: FileType.REGULAR_FILE,
    stat.S_IFSOCK: FileType.SOCKET_STREAM,
    stat.S_IFLNK: FileType.SYMBOLIC_LINK,
}


def filetype_of(mode: int) -> FileType:
    """The file type in a host's st_mode."""
    return _FILE_TYPES.get(stat.S_IFMT(mode), FileType.UNKNOWN)


class OFlags(IntFlag):
    """oflags of path_open."""

    CREAT = 1
    DIRECTORY = 2
    EXCL = 4
    TRUNC = 8


class FdFlags(IntFlag):
    """fdflags of a descriptor."""

    APPEND = 1
    DSYNC = 2
    NONBLOCK = 4
    RSYNC = 8
    SYNC = 16


LOOKUP_SYMLINK_FOLLOW = 1
SUBSCRIPTION_CLOCK_ABSTIME = 1
ADVICES = 6
"""How many advices fd_advise knows."""


class EventType(IntEnum):
    """eventtype of a subscription and of its event."""

    CLOCK = 0
    FD_READ = 1
    FD_WRITE = 2


class ClockId(IntEnum):
    """clockid."""

    REALTIME = 0
    MONOTONIC = 1
    PROCESS_CPUTIME = 2
    THREAD_CPUTIME = 3


U32 = Struct("<I")
U64 = Struct("<Q")
IOVEC = Struct("<II")
FDSTAT = Struct("<BxHxxxxQQ")
PRESTAT = Struct("<BxxxI")
DIRENT = Struct("<QQIBxxx")
EVENT = Struct("<QHB5xQH6x")
"""userdata, error, type, then number of bytes and flags (of an fd event)."""

SUBSCRIPTION_UNION_OFFSET = 16
"""Where the file descriptor of an fd subscription is, in both snapshots."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What differs between the two snapshots.

    `whence` holds the host's seek base for each whence number. `filestat` packs device, inode, file type, links, size,
    then access, modification and change time; its link count has `nlink_max` as greatest number. `subscription` reads
    userdata, tag, clock id, timeout, precision and flags. `missing` are functions the snapshot does not have.
    """

    module: str
    whence: tuple[int, int, int]
    filestat: Struct
    nlink_max: int
    subscription: Struct
    missing: frozenset[str] = frozenset()


PREVIEW1 = Snapshot(
    "wasi_snapshot_preview1",
    (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END),
    Struct("<QQB7xQQQQQ"),
    2**64 - 1,
    Struct("<QB7xI4xQQH6x"),
)
UNSTABLE = Snapshot(
    "wasi_unstable",
    (os.SEEK_CUR, os.SEEK_END, os.SEEK_SET),
    Struct("<QQB3xIQQQQ"),
    2**32 - 1,
    Struct("<QB7x8xI4xQQH6x"),
    frozenset({"sock_accept"}),
)
SNAPSHOTS = {snapshot.module: snapshot for snapshot in (PREVIEW1, UNSTABLE)}

_PARAMETERS = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_get": "ii",
    "fd_prestat_dir_name": "iii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_exit": "i",
    "proc_raise": "i",
    "random_get": "ii",
    "sched_yield": "",
    "sock_accept": "iii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}

FUNCTION_TYPES = {
    name: FuncType(
        tuple(I32 if letter == "i" else I64 for letter in letters),
        () if name == "proc_exit" else (I32,),
    )
    for name, letters in _PARAMETERS.items()
}
"""The type of each function; the result is an errno, only proc_exit has none."""
