"""Directories: listing, creating, removing, renaming, and letting go of them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from wasi_support import RESULT, Guest, Start, needs_openat, open_descriptors

from interp.wasi import Errno, Wasi, WasiLimits, WasiParams
from interp.wasi.abi import FileType


def listing(guest: Guest, fd: int, size: int) -> list[tuple[bytes, int]] | Errno:
    """Names and types, read with a buffer of `size` bytes as a C library does it."""
    entries: list[tuple[bytes, int]] = []
    buffer, cookie = guest.put(bytes(size)), 0
    while True:
        errno = guest.raw("fd_readdir", fd, buffer, size, cookie, RESULT)
        if errno is not Errno.SUCCESS:
            return errno
        data = guest.memory.read(buffer, guest.u32())
        used = 0
        while used + 24 <= len(data):
            following, _inode, length, filetype = struct.unpack_from("<QQIBxxx", data, used)
            name = data[used + 24 : used + 24 + length]
            used += 24 + length
            if len(name) < length:
                break
            entries.append((name, filetype))
            cookie = following
        if len(data) < size:
            return entries


@needs_openat
@pytest.mark.parametrize("size", [40, 64, 100, 4096])
def test_listing_a_directory(start: Start, root: Path, size: int) -> None:
    guest = start(preopens={"/": root})
    (root / "directory").mkdir()
    (root / "link").symlink_to("nowhere")
    names = [f"file{number}" for number in range(20)] + ["żółw"]
    for name in names:
        (root / name).touch()
    found = listing(guest, 3, size)
    expected = [(name.encode(), FileType.REGULAR_FILE) for name in names]
    expected += [(b".", FileType.DIRECTORY), (b"..", FileType.DIRECTORY), (b"directory", FileType.DIRECTORY)]
    expected += [(b"link", FileType.SYMBOLIC_LINK)]
    assert isinstance(found, list)
    assert sorted(found) == sorted(expected)


@needs_openat
def test_a_listing_is_of_one_moment_and_fresh_when_it_starts_again(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "b").touch()
    assert guest.raw("fd_readdir", 3, 1024, 60, 0, RESULT) is Errno.SUCCESS
    (root / "a").touch()
    guest.ok("fd_readdir", 3, 1024, 1000, 2, RESULT)
    assert guest.memory.read(1024, guest.u32())[24:] == b"b"
    found = listing(guest, 3, 1000)
    assert isinstance(found, list)
    assert [name for name, _type in found] == [b".", b"..", b"a", b"b"]


@needs_openat
def test_listing_with_hostile_arguments(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root}, limits=WasiLimits(max_directory_entries=2))
    guest.ok("fd_readdir", 3, 1024, 100, -1, RESULT)
    assert guest.u32() == 0
    guest.ok("fd_readdir", 3, 1024, 0, 0, RESULT)
    assert guest.raw("fd_readdir", 3, 0, -1, 0, RESULT) is Errno.FAULT
    assert guest.raw("fd_readdir", 3, 0, 10, 0, -1) is Errno.FAULT
    assert guest.raw("fd_readdir", 1, 0, 10, 0, RESULT) is Errno.NOTDIR
    for name in "abc":
        (root / name).touch()
    assert listing(guest, 3, 100) is Errno.OVERFLOW


@needs_openat
def test_names_that_are_not_utf8_are_left_out(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    try:
        os.close(os.open(os.fsencode(root) + b"/\xff", os.O_CREAT))
    except OSError:
        pytest.skip("this file system wants names in UTF-8")
    found = listing(guest, 3, 1000)
    assert isinstance(found, list)
    assert [name for name, _type in found] == [b".", b".."]
    assert guest.open(b"\xff") is Errno.ILSEQ


@needs_openat
def test_creating_removing_renaming(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    guest.ok("path_create_directory", 3, *guest.text("a"))
    guest.ok("path_create_directory", 3, *guest.text("a/b/"))
    assert guest.raw("path_create_directory", 3, *guest.text("a")) is Errno.EXIST
    guest.create("a/file", b"data")
    assert guest.raw("path_remove_directory", 3, *guest.text("a")) is Errno.NOTEMPTY
    assert guest.raw("path_remove_directory", 3, *guest.text("a/file")) is Errno.NOTDIR
    assert guest.raw("path_unlink_file", 3, *guest.text("a/b")) is Errno.ISDIR
    assert guest.raw("path_unlink_file", 3, *guest.text("a/file/")) is Errno.NOTDIR
    sub = guest.open("a/b")
    guest.ok("path_rename", 3, *guest.text("a/file"), int(sub), *guest.text("moved"))
    assert (root / "a/b/moved").read_bytes() == b"data"
    guest.ok("path_rename", 3, *guest.text("a/b"), 3, *guest.text("c/"))
    assert guest.raw("path_rename", 3, *guest.text("c/moved"), 3, *guest.text("d/")) is Errno.NOTDIR
    assert guest.raw("path_rename", 3, *guest.text("missing"), 3, *guest.text("d")) is Errno.NOENT
    guest.ok("path_unlink_file", 3, *guest.text("c/moved"))
    guest.ok("path_remove_directory", 3, *guest.text("c"))
    guest.ok("path_remove_directory", 3, *guest.text("a/../a"))
    assert list(root.iterdir()) == []


@needs_openat
def test_reading_links(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "link").symlink_to("target")
    guest.ok("path_readlink", 3, *guest.text("link"), 1024, 100, RESULT)
    assert guest.memory.read(1024, guest.u32()) == b"target"
    guest.ok("path_readlink", 3, *guest.text("link"), 1024, 3, RESULT)
    assert guest.memory.read(1024, guest.u32()) == b"tar"
    assert guest.raw("path_readlink", 3, *guest.text("."), 1024, 3, RESULT) is Errno.INVAL


@needs_openat
def test_close_closes_everything(start: Start, maze: Path) -> None:
    before = open_descriptors()
    guest = start(preopens={"/": maze})
    for path in ("file", "directory", "loop", "../secret", "inside_link/deep/back_link"):
        guest.open(path)
    assert open_descriptors() == before + 4
    guest.wasi.close()
    guest.wasi.close()
    assert open_descriptors() == before
    assert guest.open("file") is Errno.BADF


@needs_openat
def test_a_directory_that_is_not_there(root: Path) -> None:
    before = open_descriptors()
    for missing in (root / "missing", root.parent / "secret"):
        with pytest.raises(OSError, match=missing.name):
            Wasi(WasiParams(preopens={"/": root, "/x": missing}))
    assert open_descriptors() == before


@needs_openat
def test_wasi_is_a_context_manager(root: Path) -> None:
    before = open_descriptors()
    with Wasi(WasiParams(preopens={"/": root})):
        assert open_descriptors() == before + 1
    assert open_descriptors() == before
