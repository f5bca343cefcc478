"""How much of the native stack WebAssembly may use: compiled code keeps its calls there.

Code checks at function entries that no more is used than was allowed since its store was entered, host functions in
between included. What is allowed must be there, or the process crashes.
"""

from __future__ import annotations

import os
import sys
import threading

BYTES_PER_CALL = 128
"""Stack space allowed for one call; a small function takes 16 to 64 bytes, one with many locals several hundred."""

MIN_STACK = 16384
"""Stack space that is allowed at least."""

NATIVE_STACK = 8 << 20
SMALL_NATIVE_STACK = 1 << 20
UNLIMITED_NATIVE_STACK = 2 << 20
"""Stack of a thread by default: with glibc and on macOS; on Windows and with other C libraries; with glibc if the limit
of the process is `unlimited`."""


def native_stack() -> int:
    """Bytes of stack that every thread may be expected to have."""
    small = sys.platform == "win32" or (sys.platform == "linux" and "CS_GNU_LIBC_VERSION" not in os.confstr_names)
    sizes = [SMALL_NATIVE_STACK if small else NATIVE_STACK]
    chosen = threading.stack_size()
    if chosen:
        threading.stack_size(chosen)  # asking has reset it
        sizes.append(chosen)
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 — there is none on Windows

        soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
        sizes.append(UNLIMITED_NATIVE_STACK if soft == resource.RLIM_INFINITY else soft)
    return min(sizes)


def stack_for(max_call_depth: int) -> int:
    """Bytes of stack that a store may use, at most half of the native stack."""
    return max(MIN_STACK, min(max_call_depth * BYTES_PER_CALL, native_stack() // 2))
