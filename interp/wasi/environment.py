"""WASI functions of the process itself: arguments, environment, clocks, random numbers, waiting, and ending.

Source: WASI legacy/preview1 interface definition; `docs/wasi.md`
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import accumulate

from interp.wasi.abi import (
    EVENT,
    SUBSCRIPTION_CLOCK_ABSTIME,
    SUBSCRIPTION_UNION_OFFSET,
    U32,
    ClockId,
    Errno,
    EventType,
    Snapshot,
)
from interp.wasi.errors import ProcExit, WasiError
from interp.wasi.process import Process, SystemCall

RANDOM_CHUNK = 65536
SLEEP_CHUNK = 3600.0
"""Seconds of one sleep: the host's sleep takes no number of any size."""

NANOSECONDS = 10**9

SIGNALS = (
    *("none", "hup", "int", "quit", "ill", "trap", "abrt", "bus", "fpe", "kill", "usr1", "segv", "usr2", "pipe"),
    *("alrm", "term", "chld", "cont", "stop", "tstp", "ttin", "ttou", "urg", "xcpu", "xfsz", "vtalrm", "prof"),
    *("winch", "poll", "pwr", "sys"),
)
"""signal, in the order of the interface definition."""
SIGNALS_IGNORED = frozenset({"none", "pipe", "chld", "cont", "urg", "winch"})
SIGNALS_STOPPING = frozenset({"stop", "tstp", "ttin", "ttou"})

Event = tuple[int, Errno, EventType]


def args_sizes_get(process: Process, count_ptr: int, size_ptr: int) -> None:
    """Number of arguments, and bytes they take."""
    _put_sizes(process, process.params.arguments(), count_ptr, size_ptr)


def args_get(process: Process, argv: int, buffer: int) -> None:
    """The arguments, each with a NUL, and their addresses."""
    _put_strings(process, process.params.arguments(), argv, buffer)


def environ_sizes_get(process: Process, count_ptr: int, size_ptr: int) -> None:
    """Number of environment entries, and bytes they take."""
    _put_sizes(process, process.params.environment(), count_ptr, size_ptr)


def environ_get(process: Process, environ: int, buffer: int) -> None:
    """The environment as `NAME=value`, each with a NUL, and their addresses."""
    _put_strings(process, process.params.environment(), environ, buffer)


def _put_sizes(process: Process, strings: list[bytes], count_ptr: int, size_ptr: int) -> None:
    process.memory.write_u32(count_ptr, len(strings))
    process.memory.write_u32(size_ptr, sum(len(string) + 1 for string in strings))


def _put_strings(process: Process, strings: list[bytes], pointers: int, buffer: int) -> None:
    entries = [string + b"\0" for string in strings]
    data = b"".join(entries)
    process.memory.check(buffer, len(data))
    addresses = list(accumulate(map(len, entries), initial=buffer))[:-1]
    process.memory.write(pointers, b"".join(map(U32.pack, addresses)))
    process.memory.write(buffer, data)


_CLOCKS: dict[ClockId, tuple[float, Callable[[], int]]] = {
    ClockId.REALTIME: (time.get_clock_info("time").resolution, time.time_ns),
    ClockId.MONOTONIC: (time.get_clock_info("monotonic").resolution, time.monotonic_ns),
    ClockId.PROCESS_CPUTIME: (time.get_clock_info("process_time").resolution, time.process_time_ns),
    ClockId.THREAD_CPUTIME: (time.get_clock_info("thread_time").resolution, time.thread_time_ns),
}
"""The resolution of each clock in seconds, and its time in nanoseconds."""


def _clock(clock_id: int) -> tuple[float, Callable[[], int]]:
    try:
        return _CLOCKS[ClockId(clock_id)]
    except ValueError:
        raise WasiError(Errno.INVAL) from None


def clock_res_get(process: Process, clock_id: int, resolution_ptr: int) -> None:
    """The resolution of a clock in nanoseconds."""
    resolution, _now = _clock(clock_id)
    process.memory.write_u64(resolution_ptr, max(1, round(resolution * NANOSECONDS)))


def clock_time_get(process: Process, clock_id: int, precision: int, time_ptr: int) -> None:
    """The time of a clock in nanoseconds; always as precise as it can be."""
    _resolution, now = _clock(clock_id)
    process.memory.write_u64(time_ptr, now())


def random_get(process: Process, buffer: int, length: int) -> None:
    """Random bytes of the operating system."""
    process.memory.check(buffer, length)
    while length:
        chunk = min(length, RANDOM_CHUNK)
        process.memory.write(buffer, os.urandom(chunk))
        buffer += chunk
        length -= chunk
        process.check_deadline()


def sched_yield(process: Process) -> None:
    """Let other threads run."""
    time.sleep(0)


def proc_exit(process: Process, code: int) -> None:
    """End the guest. Raises ProcExit."""
    raise ProcExit(code)


def proc_raise(process: Process, signal: int) -> None:
    """Send the guest a signal: ignored, ended as a shell reports it (128 + signal), or NOTSUP for stopping."""
    if signal >= len(SIGNALS):
        raise WasiError(Errno.INVAL)
    if SIGNALS[signal] in SIGNALS_STOPPING:
        raise WasiError(Errno.NOTSUP)
    if SIGNALS[signal] not in SIGNALS_IGNORED:
        raise ProcExit(128 + signal)


def poll_oneoff(
    process: Process, subscriptions: int, events_ptr: int, count: int, stored_ptr: int, *, snapshot: Snapshot
) -> None:
    """Wait until a clock is due. Descriptors never wait: they are ready, or BADF.

    Raises Exhaustion(DEADLINE) where the wait would end after the deadline of the call, and at that time.
    """
    size = snapshot.subscription.size
    if not 0 < count <= process.params.limits.max_subscriptions:
        raise WasiError(Errno.INVAL)
    process.memory.check(events_ptr, count * EVENT.size)
    process.memory.check(stored_ptr, U32.size)
    data = process.memory.read(subscriptions, count * size)
    ready: list[Event] = []
    clocks: list[tuple[int, int]] = []
    for start in range(0, count * size, size):
        _subscribe(process, data[start : start + size], snapshot, ready, clocks)
    now = time.monotonic_ns()
    if not ready and clocks:
        earliest = min(due for due, _userdata in clocks)
        _sleep_until(process, earliest)
        now = max(earliest, time.monotonic_ns())
    ready += [(userdata, Errno.SUCCESS, EventType.CLOCK) for due, userdata in clocks if due <= now]
    process.memory.write(events_ptr, b"".join(EVENT.pack(*event, 0, 0) for event in ready))
    process.memory.write_u32(stored_ptr, len(ready))


def _subscribe(
    process: Process, record: bytes, snapshot: Snapshot, ready: list[Event], clocks: list[tuple[int, int]]
) -> None:
    userdata, tag, clock_id, timeout, _precision, flags = snapshot.subscription.unpack(record)
    if tag == EventType.CLOCK:
        try:
            clocks.append((_due(clock_id, timeout, flags), userdata))
        except WasiError as error:
            ready.append((userdata, error.errno, EventType.CLOCK))
    elif tag in (EventType.FD_READ, EventType.FD_WRITE):
        (fd,) = U32.unpack_from(record, SUBSCRIPTION_UNION_OFFSET)
        error_number = Errno.SUCCESS
        try:
            process.descriptors.get(fd)
        except WasiError as error:
            error_number = error.errno
        ready.append((userdata, error_number, EventType(tag)))
    else:
        raise WasiError(Errno.INVAL)


def _due(clock_id: int, timeout: int, flags: int) -> int:
    """When a clock subscription is due, in nanoseconds of the monotonic clock."""
    _resolution, now = _clock(clock_id)
    if clock_id not in (ClockId.REALTIME, ClockId.MONOTONIC):
        raise WasiError(Errno.NOTSUP)
    wait = timeout - now() if flags & SUBSCRIPTION_CLOCK_ABSTIME else timeout
    return time.monotonic_ns() + max(0, wait)


def _sleep_until(process: Process, due: int) -> None:
    wake = due / NANOSECONDS
    if process.deadline is not None:
        wake = min(wake, process.deadline)
    while (left := wake - time.monotonic()) > 0:
        time.sleep(min(left, SLEEP_CHUNK))
    process.check_deadline()


CALLS: tuple[SystemCall, ...] = (
    args_get,
    args_sizes_get,
    environ_get,
    environ_sizes_get,
    clock_res_get,
    clock_time_get,
    random_get,
    sched_yield,
    proc_exit,
    proc_raise,
)
VERSIONED_CALLS: tuple[SystemCall, ...] = (poll_oneoff,)
