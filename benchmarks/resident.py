"""How much memory this process has in use, in bytes; None where the system does not tell.

Linux counts for the program that runs now; the counter that getrusage reads has the parent's memory in it as well,
since it outlives `exec`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
"""What sets the peak to what is resident now (proc(5))."""


def forget_peak() -> None:
    """Count the peak anew from here on, where that is possible."""
    with suppress(OSError):
        CLEAR.write_text(FORGET_PEAK)


def resident_bytes() -> int | None:
    """What is in memory now."""
    return _field("VmRSS")


def peak_bytes() -> int | None:
    """The most that was in memory at the same time."""
    return _field("VmHWM")


def _field(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1]) * 1024
