"""Reading files that somebody else names: regular ones alone, which neither wait for a writer nor go on for ever."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular_file(path: Path) -> BufferedReader:
    """A regular file, opened for reading. Raises OSError, also for a pipe or a device, and ValueError for an impossible
    name."""
    return open(path, "rb", opener=_opener)


def _opener(path: str, flags: int) -> int:
    # Without blocking: to open a pipe would wait for its writer.
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no regular file", path)
