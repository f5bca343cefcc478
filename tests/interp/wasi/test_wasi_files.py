"""Open files: positions, flags, sizes, attributes, limits."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

from wasi_support import RESULT, Start, both_snapshots, needs_openat

from interp.wasi import Errno, WasiLimits
from interp.wasi.abi import UNSTABLE, FdFlags, FileType, OFlags, Rights, Snapshot


@needs_openat
@both_snapshots
def test_writing_seeking_reading(start: Start, root: Path, snapshot: Snapshot) -> None:
    guest = start(snapshot=snapshot, preopens={"/": root})
    fd = guest.create("file", b"0123456789")
    assert guest.seek(fd, 3, os.SEEK_SET) == 3
    assert guest.read(fd, 2) == b"34"
    assert guest.seek(fd, -1, os.SEEK_CUR) == 4
    assert guest.seek(fd, -2, os.SEEK_END) == 8
    guest.ok("fd_tell", fd, RESULT)
    assert guest.u64() == 8
    assert guest.read(fd) == b"89"
    assert guest.seek(fd, -1, os.SEEK_SET) is Errno.INVAL
    assert guest.raw("fd_seek", fd, 0, 3, RESULT) is Errno.INVAL
    assert guest.raw("fd_seek", fd, 0, -1, RESULT) is Errno.INVAL
    guest.ok("fd_pread", fd, *guest.iovecs((1024, 4)), 5, RESULT)
    assert guest.memory.read(1024, 4) == b"5678"
    guest.ok("fd_pwrite", fd, *guest.iovecs(guest.text(b"ab")), 0, RESULT)
    for name in ("fd_sync", "fd_datasync"):
        guest.ok(name, fd)
    guest.ok("fd_advise", fd, 0, 0, 5)
    assert guest.raw("fd_advise", fd, 0, 0, 6) is Errno.INVAL
    guest.ok("fd_close", fd)
    assert (root / "file").read_bytes() == b"ab23456789"


@needs_openat
def test_offsets_beyond_what_the_host_knows(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    fd = guest.create("file", b"x")
    assert guest.raw("fd_pread", fd, *guest.iovecs((1024, 1)), -1, RESULT) is Errno.INVAL
    assert guest.raw("fd_pwrite", fd, *guest.iovecs((1024, 1)), -1, RESULT) is Errno.FBIG
    assert guest.raw("fd_allocate", fd, -1, 1) is Errno.FBIG
    assert guest.raw("fd_filestat_set_size", fd, -1) is Errno.FBIG


@needs_openat
def test_open_flags(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "file").write_bytes(b"content")
    (root / "directory").mkdir()
    assert guest.open("missing") is Errno.NOENT
    assert guest.open("file", oflags=OFlags.CREAT | OFlags.EXCL) is Errno.EXIST
    assert guest.open("directory", oflags=OFlags.CREAT | OFlags.EXCL) is Errno.EXIST
    assert guest.open("file", oflags=OFlags.DIRECTORY) is Errno.NOTDIR
    assert guest.open("file/") is Errno.NOTDIR
    assert guest.open("file/x") is Errno.NOTDIR
    assert guest.open("directory", write=True) is Errno.ISDIR
    assert guest.open("new/", write=True, oflags=OFlags.CREAT) is Errno.ISDIR
    assert guest.open("file", oflags=OFlags.TRUNC) is Errno.INVAL
    assert guest.open("x", write=True, oflags=OFlags.CREAT | OFlags.DIRECTORY) is Errno.INVAL
    assert [guest.open("file", oflags=16), guest.open("file", fdflags=32)] == [Errno.INVAL, Errno.INVAL]
    assert (root / "file").read_bytes() == b"content"
    fd = guest.open("file", write=True, oflags=OFlags.TRUNC)
    assert isinstance(fd, int) and not isinstance(fd, Errno)  # noqa: PT018
    assert (root / "file").read_bytes() == b""
    only_write = guest.open("file", read=False, write=True)
    only_read = guest.open("file")
    assert [guest.read(int(only_write)), guest.write(int(only_read), b"x")] == [Errno.BADF, Errno.BADF]
    assert guest.raw("fd_filestat_set_size", int(only_read), 0) is Errno.BADF


@needs_openat
def test_nothing_is_opened_when_the_result_has_no_place(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    path = guest.text("new")
    assert guest.raw("path_open", 3, 0, *path, OFlags.CREAT, Rights.FD_WRITE, 0, 0, -1) is Errno.FAULT
    assert list(root.iterdir()) == []
    assert guest.create("new") == 4


@needs_openat
def test_appending(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "file").write_bytes(b"one")
    fd = guest.open("file", write=True, fdflags=FdFlags.APPEND)
    assert guest.write(int(fd), b" two") == 4
    assert guest.fdstat(int(fd))[1] == FdFlags.APPEND
    guest.ok("fd_fdstat_set_flags", int(fd), 0)
    assert guest.seek(int(fd), 0, os.SEEK_SET) == 0
    assert guest.write(int(fd), b"ONE") == 3
    guest.ok("fd_fdstat_set_flags", int(fd), FdFlags.APPEND | FdFlags.NONBLOCK)
    assert guest.write(int(fd), b" three") == 6
    assert (root / "file").read_bytes() == b"ONE two three"
    assert guest.raw("fd_fdstat_set_flags", int(fd), FdFlags.SYNC) is Errno.NOTSUP
    assert guest.raw("fd_fdstat_set_flags", int(fd), 64) is Errno.INVAL


@needs_openat
def test_sizes(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root}, limits=WasiLimits(max_file_bytes=100))
    fd = guest.create("file", b"0123456789")
    guest.ok("fd_filestat_set_size", fd, 4)
    assert (root / "file").read_bytes() == b"0123"
    guest.ok("fd_allocate", fd, 0, 50)
    assert (root / "file").stat().st_size == 50
    assert guest.raw("fd_allocate", fd, 0, 0) is Errno.INVAL
    assert guest.raw("fd_allocate", fd, 90, 11) is Errno.FBIG
    assert guest.raw("fd_filestat_set_size", fd, 101) is Errno.FBIG
    assert guest.seek(fd, 90, os.SEEK_SET) == 90
    assert [guest.write(fd, bytes(50)), guest.write(fd, b"x")] == [10, Errno.FBIG]
    assert guest.raw("fd_pwrite", fd, *guest.iovecs((0, 10)), 95, RESULT) is Errno.SUCCESS
    assert guest.u32() == 5
    guest.ok("fd_fdstat_set_flags", fd, FdFlags.APPEND)
    assert guest.write(fd, b"x") is Errno.FBIG
    assert guest.raw("fd_pwrite", fd, *guest.iovecs((0, 10)), 0, RESULT) is Errno.FBIG
    assert (root / "file").stat().st_size == 100


@needs_openat
@both_snapshots
def test_filestat(start: Start, root: Path, snapshot: Snapshot) -> None:
    guest = start(snapshot=snapshot, preopens={"/": root})
    fd = guest.create("file", b"12345")
    os.link(root / "file", root / "link")
    layout = "<QQBxxxIQQQQ" if snapshot is UNSTABLE else "<QQB7xQQQQQ"
    status = (root / "file").stat()
    times = (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
    expected = (status.st_dev, status.st_ino, FileType.REGULAR_FILE, 2, 5, *times)
    guest.ok("fd_filestat_get", fd, RESULT)
    assert struct.unpack(layout, guest.memory.read(RESULT, struct.calcsize(layout))) == expected
    guest.memory.write(RESULT, bytes(64))
    guest.ok("path_filestat_get", 3, 0, *guest.text("./file"), RESULT)
    assert struct.unpack(layout, guest.memory.read(RESULT, struct.calcsize(layout))) == expected
    guest.ok("fd_filestat_get", 1, RESULT)
    assert guest.memory.read(RESULT + 16, 1) == bytes([FileType.CHARACTER_DEVICE])


@needs_openat
def test_filestat_of_links_and_directories(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "directory").mkdir()
    (root / "link").symlink_to("directory")
    types = {}
    for follow in (0, 1):
        guest.ok("path_filestat_get", 3, follow, *guest.text("link"), RESULT)
        types[follow] = guest.memory.read(RESULT + 16, 1)[0]
    assert types == {0: FileType.SYMBOLIC_LINK, 1: FileType.DIRECTORY}
    guest.ok("fd_filestat_get", 3, RESULT)
    assert guest.memory.read(RESULT + 16, 1)[0] == FileType.DIRECTORY


@needs_openat
def test_preopened_directories_introduce_themselves(start: Start, root: Path) -> None:
    guest = start(preopens={"/data": root, "żółw": str(root)})
    for fd, name in ((3, b"/data"), (4, "żółw".encode())):
        guest.ok("fd_prestat_get", fd, RESULT)
        assert struct.unpack("<BxxxI", guest.memory.read(RESULT, 8)) == (0, len(name))
        guest.ok("fd_prestat_dir_name", fd, 1024, len(name))
        assert guest.memory.read(1024, len(name)) == name
        assert guest.raw("fd_prestat_dir_name", fd, 1024, len(name) - 1) is Errno.NAMETOOLONG
    assert [guest.raw("fd_prestat_get", fd, RESULT) for fd in (1, 5)] == [Errno.BADF] * 2
    (root / "sub").mkdir()
    sub = guest.open("sub")
    assert guest.raw("fd_prestat_get", int(sub), RESULT) is Errno.BADF
    assert guest.fdstat(3)[0] == FileType.DIRECTORY


@needs_openat
def test_directories_are_no_files(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    assert [guest.read(3), guest.write(3, b"x")] == [Errno.ISDIR, Errno.ISDIR]
    assert guest.raw("fd_seek", 3, 0, 0, RESULT) is Errno.BADF
    assert guest.raw("fd_fdstat_set_flags", 3, 0) is Errno.NOTSUP
    guest.ok("fd_sync", 3)


@needs_openat
def test_only_so_many_files_are_open(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root}, limits=WasiLimits(max_open_files=4))
    (root / "file").touch()
    assert [guest.open("file") for _ in range(4)] == [4, 5, 6, Errno.MFILE]
    guest.ok("fd_close", 5)
    assert guest.open("file") == 5


@needs_openat
def test_renumbering(start: Start, root: Path) -> None:
    out = io.BytesIO()
    guest = start(preopens={"/": root}, stdout=out)
    fd = guest.create("file")
    guest.ok("fd_renumber", fd, fd)
    guest.ok("fd_renumber", fd, 1)
    assert guest.write(1, b"to the file") == 11
    assert (root / "file").read_bytes() == b"to the file"
    assert [guest.raw("fd_renumber", *pair) for pair in ((fd, 1), (1, 77))] == [Errno.BADF] * 2
