"""Waiting: clocks, descriptors, deadlines."""

from __future__ import annotations

import struct
import time

import pytest
from wasi_support import RESULT, Guest, Start, both_snapshots

from interp.errors import Exhaustion, ExhaustionKind
from interp.wasi import Errno, WasiLimits
from interp.wasi.abi import PREVIEW1, UNSTABLE, Snapshot


def subscription(snapshot: Snapshot, userdata: int, tag: int, *values: int) -> bytes:
    """A subscription: a clock with (id, timeout, flags), or a descriptor with (fd)."""
    head = struct.pack("<QB7x", userdata, tag)
    if tag:
        return (head + struct.pack("<I", *values)).ljust(snapshot.subscription.size, b"\0")
    clock, timeout, flags = values
    identifier = struct.pack("<Q", 99) if snapshot is UNSTABLE else b""
    return head + identifier + struct.pack("<I4xQQH6x", clock, timeout, 0, flags)


def poll(guest: Guest, *subscriptions: bytes) -> list[tuple[int, Errno, int]] | Errno:
    events = guest.put(bytes(32 * len(subscriptions)))
    errno = guest.raw("poll_oneoff", guest.put(b"".join(subscriptions)), events, len(subscriptions), RESULT)
    if errno is not Errno.SUCCESS:
        return errno
    records = guest.memory.read(events, 32 * guest.u32())
    return [(userdata, Errno(error), tag) for userdata, error, tag in struct.iter_unpack("<QHB21x", records)]


@both_snapshots
def test_polling_a_clock(start: Start, snapshot: Snapshot) -> None:
    guest = start(snapshot=snapshot)
    before = time.monotonic_ns()
    assert poll(guest, subscription(snapshot, 7, 0, 1, 20_000_000, 0)) == [(7, Errno.SUCCESS, 0)]
    assert time.monotonic_ns() - before >= 20_000_000
    now = time.time_ns()
    assert poll(guest, subscription(snapshot, 8, 0, 0, now - 5, 1)) == [(8, Errno.SUCCESS, 0)]
    both = poll(guest, subscription(snapshot, 1, 0, 1, 10**12, 0), subscription(snapshot, 2, 0, 0, 0, 0))
    assert both == [(2, Errno.SUCCESS, 0)]


@both_snapshots
def test_polling_descriptors_never_waits(start: Start, snapshot: Snapshot) -> None:
    guest = start(snapshot=snapshot)
    events = poll(
        guest,
        subscription(snapshot, 1, 1, 0),
        subscription(snapshot, 2, 2, 1),
        subscription(snapshot, 3, 1, 77),
        subscription(snapshot, 4, 0, 1, 2**63, 0),
    )
    assert events == [(1, Errno.SUCCESS, 1), (2, Errno.SUCCESS, 2), (3, Errno.BADF, 1)]


def test_polling_nonsense(start: Start) -> None:
    guest = start(limits=WasiLimits(max_subscriptions=2))
    clock = subscription(PREVIEW1, 1, 0, 1, 0, 0)
    assert poll(guest) is Errno.INVAL
    assert poll(guest, clock, clock, clock) is Errno.INVAL
    assert poll(guest, subscription(PREVIEW1, 1, 9, 0)) is Errno.INVAL
    assert poll(guest, subscription(PREVIEW1, 1, 0, 9, 0, 0)) == [(1, Errno.INVAL, 0)]
    assert poll(guest, subscription(PREVIEW1, 1, 0, 2, 0, 0)) == [(1, Errno.NOTSUP, 0)]
    assert guest.raw("poll_oneoff", -8, 0, 1, RESULT) is Errno.FAULT
    assert guest.raw("poll_oneoff", 0, -8, 1, RESULT) is Errno.FAULT
    assert guest.raw("poll_oneoff", 0, 0, -1, RESULT) is Errno.INVAL


def test_waiting_ends_at_the_deadline(start: Start) -> None:
    guest = start()
    guest.wasi.deadline = time.monotonic() + 0.02
    with pytest.raises(Exhaustion) as caught:
        poll(guest, subscription(PREVIEW1, 1, 0, 1, 2**64 - 1, 0))
    assert caught.value.what is ExhaustionKind.DEADLINE
    assert time.monotonic() >= guest.wasi.deadline
    with pytest.raises(Exhaustion):
        guest.raw("random_get", 0, 1000)
    guest.wasi.deadline = None
    guest.ok("random_get", 0, 1000)
