"""A folder that only the user can have written to. Files are looked at through a descriptor of the folder where there
are such descriptors, and nothing is followed: what was checked is what is read.

On platforms whose files have no owner and no mode in the sense of POSIX, the user's own folder is trusted as it is.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

FOLDER_VARIABLE = "WASCC_CACHE_DIR"
NAME = "wascc"

DESCRIPTORS = os.open in os.supports_dir_fd
OWNERS = hasattr(os, "geteuid")
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
"""For others than the owner."""
ACCESSIBLE = stat.S_IRWXG | stat.S_IRWXO
"""For others than the owner."""

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
FILE_FLAGS = NOFOLLOW | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
FOLDER_FLAGS = os.O_RDONLY | NOFOLLOW | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)

TEMPORARY = "writing-"
STALE_SECONDS = 3600.0
"""A file that was being written so long ago never will be."""
TOUCH_SECONDS = 24 * 3600.0
"""A file that is read is marked as used, if it was not for so long."""
BLOCK = 4096
"""Bytes that a file takes at least."""


class UntrustedError(Exception):
    """A file or folder is not what the user alone can have made; the message says why."""


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """Where the environment says, or where users have caches by the customs of the platform; None where there is no
    home."""
    own = environ.get(FOLDER_VARIABLE)
    if own:
        return Path(own).absolute() / NAME
    if sys.platform == "win32":
        places = [environ.get("LOCALAPPDATA", "")]
    elif sys.platform == "darwin":
        places = ["~/Library/Caches"]
    else:
        places = [environ.get("XDG_CACHE_HOME", ""), "~/.cache"]
    # The XDG Base Directory Specification says that a relative path is to be ignored.
    found = (Path(os.path.expanduser(place)) for place in places)  # noqa: PTH111 — that one raises without a home
    return next((place / NAME for place in found if place.is_absolute()), None)


def check(found: os.stat_result, is_kind: Callable[[int], bool], forbidden: int) -> None:
    """Raises UntrustedError unless this is such a file of the user, with none of the forbidden bits of its mode."""
    if not is_kind(found.st_mode):
        raise UntrustedError("not a file of the kind that it should be")
    if OWNERS and found.st_uid != os.geteuid():
        raise UntrustedError("owned by somebody else")
    if OWNERS and found.st_mode & forbidden:
        raise UntrustedError("open to others")


@dataclass(frozen=True, slots=True)
class Found:
    """A file's bytes, and when it was written or used last (seconds, as `time.time`)."""

    data: bytes
    used: float


class OpenFolder:
    """A folder that exists, and is the user's alone; to be used as a context manager.  All methods raise OSError."""

    def __init__(self, path: Path) -> None:
        """Raises UntrustedError, OSError."""
        self.path = path
        self.fd: int | None = None
        if not DESCRIPTORS:
            check(path.lstat(), stat.S_ISDIR, WRITABLE)
            return
        self.fd = os.open(path, FOLDER_FLAGS)
        try:
            check(os.fstat(self.fd), stat.S_ISDIR, WRITABLE)
        except UntrustedError:
            os.close(self.fd)
            raise

    def __enter__(self) -> OpenFolder:
        return self

    def __exit__(self, *_: object) -> None:
        if self.fd is not None:
            os.close(self.fd)

    def place(self, name: str) -> str:
        """A file's name as functions take it that take a descriptor of its folder too."""
        return name if self.fd is not None else str(self.path / name)

    def read(self, name: str, limit: int, forbidden: int = WRITABLE) -> Found:
        """A file of at most `limit` bytes.  Raises UntrustedError."""
        fd = os.open(self.place(name), os.O_RDONLY | FILE_FLAGS, dir_fd=self.fd)
        try:
            found = os.fstat(fd)
            check(found, stat.S_ISREG, forbidden)
            if found.st_size > limit:
                raise UntrustedError("larger than it should be")
            return Found(os.read(fd, found.st_size), found.st_mtime)
        finally:
            os.close(fd)

    def touch(self, name: str) -> None:
        """Mark a file as used."""
        os.utime(self.place(name), dir_fd=self.fd)

    @contextmanager
    def temporary(self, data: bytes) -> Iterator[str]:
        """A new file with these bytes, which is removed if it is still there at the end of the context."""
        name = TEMPORARY + token_hex(12)
        fd = os.open(self.place(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE_FLAGS, 0o600, dir_fd=self.fd)
        try:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
            finally:
                os.close(fd)
            yield name
        finally:
            self.remove(name)

    def replace(self, name: str, data: bytes) -> None:
        """Make these bytes the file of this name, all at once."""
        with self.temporary(data) as written:
            os.replace(self.place(written), self.place(name), src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def create(self, name: str, data: bytes) -> None:
        """Make these bytes the file of this name, all at once, unless there is one."""
        with self.temporary(data) as written, suppress(FileExistsError):
            if os.link in os.supports_dir_fd:
                os.link(self.place(written), self.place(name), src_dir_fd=self.fd, dst_dir_fd=self.fd)
            else:
                # Where this is so, a file is not renamed to one that exists.
                os.rename(self.place(written), self.place(name))  # noqa: PTH104

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self.place(name), dir_fd=self.fd)

    def shrink(self, suffix: str, most_bytes: int, most_files: int) -> None:
        """Remove those files with this suffix that were not used for the longest time, until there are no more than so
        many, which take no more than so many bytes in all; and what was never written to its end."""
        kept: list[tuple[float, int, str]] = []
        with os.scandir(self.path if self.fd is None else self.fd) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(suffix):
                        kept.append((found.st_mtime, -(-found.st_size // BLOCK) * BLOCK, entry.name))
                    elif entry.name.startswith(TEMPORARY) and found.st_mtime < time.time() - STALE_SECONDS:
                        self.remove(entry.name)
        total = sum([size for _, size, _ in kept])
        for removed, (_, size, name) in enumerate(sorted(kept)):
            if total <= most_bytes and len(kept) - removed <= most_files:
                break
            self.remove(name)
            total -= size


def make_folder(path: Path) -> None:
    """Make a folder for the user alone, and those around it, if it is not there.  Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
