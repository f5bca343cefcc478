"""WASI on every engine: parameters, linking, arguments, clocks, random numbers, ending, and hostile arguments."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wasi_support import FREE, RESULT, Start, both_snapshots, compile_wat, needs_openat

from interp.engine import Engine
from interp.errors import Exhaustion, Unlinkable
from interp.wasi import Errno, ProcExit, Wasi, WasiLimits, WasiParams
from interp.wasi.abi import FUNCTION_TYPES, PREVIEW1, UNSTABLE, Snapshot


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
    guest.ok("random_get", 0, 0)
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


ANY_I32 = st.integers(0, 2**32 - 1) | st.integers(0, 12) | st.integers(FREE, FREE + 64)
ANY_I64 = st.integers(0, 2**64 - 1) | st.integers(0, 100)


@st.composite
def any_call(draw: st.DrawFn) -> tuple[str, list[int]]:
    name = draw(st.sampled_from(sorted(set(FUNCTION_TYPES) - {"sock_accept"})))
    functype = FUNCTION_TYPES[name]
    return name, [draw(ANY_I32 if str(param) == "i32" else ANY_I64) for param in functype.params]


@needs_openat
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(any_call(), max_size=15),
    memory=st.binary(max_size=64),
    snapshot=st.sampled_from([PREVIEW1, UNSTABLE]),
)
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
