"""How a host that runs for long gives memory back to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

M_MMAP_THRESHOLD = -3
THRESHOLD_BYTES = 128 * 1024
"""glibc's own default, which it raises by itself unless it is set."""


def give_back_large_blocks() -> None:
    """Have the C library return each large block to the system when it is freed; nothing happens where it is not glibc.

    Left alone, glibc keeps blocks of the size of a guest's memory for later once some have been freed, in pieces that
    a host with live updates and replaced instances uses worse and worse.  Source: mallopt(3)
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, THRESHOLD_BYTES)
