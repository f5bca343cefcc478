"""Standard streams, and the buffers of reads and writes."""

from __future__ import annotations

import io
import os
from pathlib import Path

from wasi_support import RESULT, Start

from interp.wasi import Errno, WasiLimits
from interp.wasi.abi import FileType, Rights


def test_output_is_written_and_flushed(start: Start, tmp_path: Path) -> None:
    err = io.BytesIO()
    with (tmp_path / "out").open("wb") as out:
        guest = start(stdout=out, stderr=err)
        one, two = guest.text(b"one "), guest.text(b"two")
        guest.ok("fd_write", 1, *guest.iovecs(one, (0, 0), two), RESULT)
        assert guest.u32() == 7
        assert (tmp_path / "out").read_bytes() == b"one two"
        assert guest.write(2, b"error") == 5
    assert err.getvalue() == b"error"


def test_without_streams_input_is_empty_and_output_discarded(start: Start) -> None:
    guest = start()
    assert [guest.write(1, b"text"), guest.write(2, b"text"), guest.read(0)] == [4, 4, b""]


def test_input_is_scattered(start: Start) -> None:
    guest = start(stdin=io.BytesIO(b"abcdefgh"))
    guest.ok("fd_read", 0, *guest.iovecs((1024, 3), (2048, 0), (3072, 2)), RESULT)
    assert (guest.u32(), guest.memory.read(1024, 4), guest.memory.read(3072, 3)) == (5, b"abc\0", b"de\0")
    assert [guest.read(0), guest.read(0)] == [b"fgh", b""]


class NothingYet(io.RawIOBase):
    """A stream that would block."""

    def read(self, size: int = -1) -> None:
        return None

    def write(self, data: object) -> None:  # type: ignore[override]
        return None


class TooMuch:
    """A stream that does not keep to what it is asked."""

    def read(self, size: int) -> bytes:
        return bytes(size + 1)


def test_streams_that_misbehave(start: Start) -> None:
    guest = start(stdin=NothingYet(), stdout=NothingYet(), stderr=io.BytesIO())
    assert [guest.read(0), guest.write(1, b"text")] == [Errno.AGAIN, Errno.AGAIN]
    assert start(stdin=TooMuch()).read(0) is Errno.IO
    closed = io.BytesIO()
    closed.close()
    guest = start(stdin=closed, stdout=closed)
    assert [guest.read(0), guest.write(1, b"text")] == [Errno.INVAL, Errno.INVAL]


def test_a_broken_pipe_is_an_error_number(start: Start) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as out:  # noqa: PTH123 (a descriptor)
        assert start(stdout=out).write(1, b"text") is Errno.PIPE


def test_streams_have_one_direction_and_no_position(start: Start) -> None:
    guest = start()
    assert [guest.write(0, b"x"), guest.read(1), guest.read(9), guest.write(-1, b"x")] == [Errno.BADF] * 4
    assert guest.raw("fd_seek", 1, 0, 0, RESULT) is Errno.SPIPE
    assert guest.raw("fd_tell", 1, RESULT) is Errno.SPIPE
    assert guest.raw("fd_pread", 0, *guest.iovecs((1024, 1)), 0, RESULT) is Errno.SPIPE
    assert guest.raw("fd_sync", 1) is Errno.INVAL
    assert guest.raw("fd_fdstat_set_flags", 1, 1) is Errno.NOTSUP
    assert guest.open("x", fd=1) is Errno.NOTDIR


def test_streams_look_like_a_terminal_so_that_guests_flush_lines(start: Start) -> None:
    filetype, _flags, rights, _inheriting = start().fdstat(1)
    assert filetype == FileType.CHARACTER_DEVICE
    assert rights & Rights.FD_WRITE
    assert not rights & (Rights.FD_SEEK | Rights.FD_TELL)


def test_closing_a_stream_leaves_the_embedders_open(start: Start) -> None:
    out = io.BytesIO()
    guest = start(stdout=out)
    guest.ok("fd_close", 1)
    assert [guest.write(1, b"x"), guest.raw("fd_close", 1), out.closed] == [Errno.BADF, Errno.BADF, False]


def test_buffers_at_hostile_addresses(start: Start) -> None:
    out = io.BytesIO()
    guest = start(stdout=out, limits=WasiLimits(max_iovecs=4))
    memory_end = 16 * 65536
    for buffers in ([(memory_end - 1, 2)], [(0, 1), (0, 2**32 - 1)], [(2**32 - 1, 2**32 - 1)], [(memory_end + 1, 0)]):
        assert guest.raw("fd_write", 1, *guest.iovecs(*buffers), RESULT) is Errno.FAULT
    assert guest.raw("fd_write", 1, memory_end - 4, 1, RESULT) is Errno.FAULT
    assert guest.raw("fd_write", 1, *guest.iovecs((0, 1)), -1) is Errno.FAULT
    assert guest.raw("fd_write", 1, *guest.iovecs(*[(0, 1)] * 5), RESULT) is Errno.INVAL
    assert guest.raw("fd_write", 1, 0, -1, RESULT) is Errno.INVAL
    assert out.getvalue() == b""


def test_nothing_is_read_when_a_later_buffer_is_bad(start: Start) -> None:
    guest = start(stdin=io.BytesIO(b"input"), limits=WasiLimits(max_transfer_bytes=3))
    for bad in ((16 * 65536 - 1, 2), (2**32 - 1, 1)):
        assert guest.raw("fd_read", 0, *guest.iovecs((1024, 3), bad), RESULT) is Errno.FAULT
    assert guest.raw("fd_read", 0, *guest.iovecs((1024, 3)), -1) is Errno.FAULT
    assert guest.read(0) == b"inp"


def test_one_transfer_moves_only_so_much(start: Start) -> None:
    out = io.BytesIO()
    guest = start(stdout=out, stdin=io.BytesIO(bytes(1000)), limits=WasiLimits(max_transfer_bytes=100))
    guest.ok("fd_write", 1, *guest.iovecs((0, 60), (0, 60), (0, 60)), RESULT)
    assert (guest.u32(), len(out.getvalue())) == (100, 100)
    assert guest.read(0, 500) == bytes(100)
