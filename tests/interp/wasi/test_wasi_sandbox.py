"""No path of a guest leads out of the directories it was given."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from wasi_support import FREE, RESULT, Guest, Start, contents_of, needs_openat

from interp.wasi import Errno, Preopen, WasiLimits
from interp.wasi.abi import OFlags, Rights

ESCAPES = [
    "..",
    "../secret",
    "/",
    "/etc/passwd",
    "directory/../../secret",
    "./directory/./../../secret",
    "absolute_link",
    "absolute_link/secret",
    "up_link",
    "up_link/secret",
    "directory/up_up_link",
    "chain1",
    "directory/../up_link",
    "../root/file",
]


PATH_CALLS: dict[str, Callable[[Guest, str], Errno]] = {
    "open": lambda guest, path: guest.raw("path_open", 3, 1, *guest.text(path), 0, Rights.FD_READ, 0, 0, RESULT),
    "create": lambda guest, path: guest.raw(
        "path_open", 3, 1, *guest.text(path), OFlags.CREAT, Rights.FD_WRITE, 0, 0, RESULT
    ),
    "filestat": lambda guest, path: guest.raw("path_filestat_get", 3, 1, *guest.text(path), RESULT),
    "mkdir": lambda guest, path: guest.raw("path_create_directory", 3, *guest.text(path + "/x")),
    "rmdir": lambda guest, path: guest.raw("path_remove_directory", 3, *guest.text(path + "/x")),
    "unlink": lambda guest, path: guest.raw("path_unlink_file", 3, *guest.text(path + "/x")),
    "readlink": lambda guest, path: guest.raw("path_readlink", 3, *guest.text(path + "/x"), 1024, 9, RESULT),
    "rename from": lambda guest, path: guest.raw("path_rename", 3, *guest.text(path + "/x"), 3, *guest.text("target")),
    "rename to": lambda guest, path: guest.raw("path_rename", 3, *guest.text("file"), 3, *guest.text(path + "/x")),
}


@needs_openat
@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_out(path: str, start: Start, maze: Path) -> None:
    guest = start(preopens={"/": maze})
    before = contents_of(maze.parent)
    assert {call: PATH_CALLS[call](guest, path) for call in PATH_CALLS} == dict.fromkeys(PATH_CALLS, Errno.PERM)
    assert contents_of(maze.parent) == before


@needs_openat
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("file", b"inside"),
        ("./directory/../file", b"inside"),
        ("directory//.//file", b"deeper inside"),
        ("inside_link/file", b"deeper inside"),
        ("inside_link/deep/back_link", b"inside"),
        ("inside_link/../file", b"inside"),
        ("directory/deep/../../inside_link/deep/../file", b"deeper inside"),
    ],
)
def test_paths_and_links_inside_work(path: str, content: bytes, start: Start, maze: Path) -> None:
    guest = start(preopens={"/": maze})
    fd = guest.open(path)
    assert not isinstance(fd, Errno)
    assert guest.read(fd) == content


@needs_openat
def test_other_links(start: Start, maze: Path) -> None:
    guest = start(preopens={"/": maze})
    assert [guest.open("loop"), guest.open("loop/x")] == [Errno.LOOP, Errno.LOOP]
    assert guest.open("inside_link", follow=False) is Errno.LOOP
    assert guest.open("absolute_inside") is Errno.PERM
    assert guest.open("dangling") is Errno.NOENT
    assert guest.open("dangling", write=True, oflags=OFlags.CREAT | OFlags.EXCL) is Errno.EXIST
    fd = guest.open("dangling", write=True, oflags=OFlags.CREAT)
    assert guest.write(int(fd), b"created") == 7
    assert (maze / "nothing").read_bytes() == b"created"
    guest.ok("path_unlink_file", 3, *guest.text("dangling"))
    assert (maze / "nothing").exists()
    assert not (maze / "dangling").is_symlink()


@needs_openat
def test_an_opened_directory_is_a_sandbox_of_its_own(start: Start, maze: Path) -> None:
    guest = start(preopens={"/": maze})
    fd = guest.open("directory", oflags=OFlags.DIRECTORY)
    assert guest.open("../file", fd=int(fd)) is Errno.PERM
    assert guest.open("deep/../file", fd=int(fd)) == int(fd) + 1


@needs_openat
@pytest.mark.parametrize(
    ("path", "errno"),
    [
        (b"", Errno.NOENT),
        (b"file\0", Errno.INVAL),
        (b"\xff", Errno.ILSEQ),
        (b"x" * 256, Errno.NAMETOOLONG),
        (b"x/" * 2048 + b"x", Errno.NAMETOOLONG),
        (b"./" * 2048 + b"x", Errno.NAMETOOLONG),
        (b"deep/" * 70 + b"x", Errno.NAMETOOLONG),
        (b"./" * 2000 + b"missing", Errno.NOENT),
    ],
)
def test_paths_that_are_no_paths(path: bytes, errno: Errno, start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    directory = root
    for _ in range(70):
        directory /= "deep"
    directory.mkdir(parents=True)
    assert guest.open(path) is errno
    assert guest.raw("path_open", 3, 0, 0, -1, 0, 2, 0, 0, RESULT) is Errno.NAMETOOLONG
    assert guest.raw("path_open", 3, 0, -1, 10, 0, 2, 0, 0, RESULT) is Errno.FAULT


@needs_openat
def test_special_files_are_refused_without_waiting(start: Start, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = start(preopens={"/": root})
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(root)  # socket names are short
        server.bind("socket")
        for name in ("pipe", "socket"):
            assert guest.open(name) is Errno.PERM
            assert guest.open(name, read=False, write=True) is Errno.PERM


@needs_openat
@pytest.mark.parametrize(
    "call", ["create", "mkdir", "rmdir", "unlink", "rename from", "rename to", "truncate", "write"]
)
def test_nothing_changes_in_a_read_only_directory(call: str, start: Start, maze: Path) -> None:
    calls = PATH_CALLS | {
        "truncate": lambda guest, path: guest.open("file", write=True, oflags=OFlags.TRUNC),
        "write": lambda guest, path: guest.open("file", write=True),
    }
    guest = start(preopens={"/": Preopen(maze, read_only=True)})
    before = contents_of(maze.parent)
    assert calls[call](guest, "new" if call == "create" else "directory") is Errno.PERM
    assert contents_of(maze.parent) == before
    fd = guest.open("directory")
    assert guest.open("file", fd=int(fd), write=True) is Errno.PERM
    assert guest.open("file", fd=int(fd), oflags=OFlags.CREAT) == int(fd) + 1
    assert not guest.fdstat(int(fd))[2] & Rights.PATH_CREATE_FILE


@needs_openat
def test_a_directory_swapped_for_a_link_does_not_lead_out(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root}, limits=WasiLimits(max_open_files=4))
    (root / "directory").mkdir()
    (root / "directory" / "secret").write_text("inside")
    (root / "out_link").symlink_to("..")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (root / "directory").rename(root / "aside")
            (root / "out_link").rename(root / "directory")
            (root / "directory").rename(root / "out_link")
            (root / "aside").rename(root / "directory")

    thread = threading.Thread(target=swap)
    thread.start()
    outcomes = set()
    try:
        for _ in range(400):
            guest.free = FREE
            fd = guest.open("directory/secret")
            if isinstance(fd, Errno):
                outcomes.add(fd)
            else:
                outcomes.add(guest.read(fd))
                guest.ok("fd_close", fd)
    finally:
        done.set()
        thread.join()
    assert b"secret" not in outcomes
    assert outcomes <= {b"inside", Errno.NOENT, Errno.PERM, Errno.NOTDIR}
