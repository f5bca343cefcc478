"""WapcHost on every engine: starting, replacing, closing, one call at a time, and guests that cannot be."""

from __future__ import annotations

import io
import logging
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from interp.engine import Engine, Limits, load_engine
from interp.errors import Exhaustion, ExhaustionKind, Rejected, Trap
from interp.wasi import ProcExit, WasiParams
from tests_support import parse
from wapc import (
    GuestAborted,
    GuestBusy,
    GuestCallFailure,
    GuestClosed,
    HostCallFailure,
    InitFailed,
    NoSuchFunction,
    PayloadTooLarge,
    ReplacementFailed,
    WapcError,
    WapcHost,
)
from wapc.conformance_kit import BUFFER, Script, Step, numbers

Guests = Callable[[str], bytes]


def host_call_script() -> bytes:
    """Make a host call, answer with its result."""
    return Script().host_call(b"b", b"n", b"o", b"p").answers()


def test_echo_with_some_of_the_imports(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("echo")) as host:
        assert host.call("echo", b"payload") == b"payload"
        assert host.call("echo") == b""
        assert host.call("echo", bytearray(b"array")) == b"array"


def test_an_engine_by_its_name(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine.name, guest("echo")) as host:
        assert host.call("echo", b"payload") == b"payload"


def test_ids_count_up(engine: Engine, guest: Guests) -> None:
    first, second = (WapcHost(engine, guest("echo")) for _ in range(2))
    assert second.id == first.id + 1 > 1


def test_memory_size_is_in_bytes(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("echo")) as host:
        assert host.memory_size == 65536


def test_starters_run_once_in_order(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("starters")) as host:
        assert [host.call("order"), host.call("order")] == [b"siw", b"siw"]


def test_exports_of_other_types_are_no_starters(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("other_starters")) as host:
        assert host.call("any") == b""


def test_a_starter_may_make_host_calls(engine: Engine, guest: Guests) -> None:
    calls = []

    def host_call(*arguments: object) -> bytes:
        calls.append(arguments)
        return b"configuration"

    with WapcHost(engine, guest("start_host_call"), host_call) as host:
        assert host.call("any") == b"configuration"
    assert calls == [("", "", "init", b"")]


def test_a_starter_may_exit_with_zero(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("exit_0")) as host:
        assert host.call("any") == b""


FAILING_GUESTS = [
    ("exit_3", InitFailed, "_start: guest exited with code 3"),
    ("start_trap", InitFailed, "wapc_init: no configuration"),
    ("start_loop", InitFailed, "_start init interrupted, execution deadline exceeded"),
    ("start_section_trap", InitFailed, "unreachable"),
    ("start_section", InitFailed, "a host function was called by the module's start function"),
    ("no_guest_call", NoSuchFunction, "Guest call function (__guest_call) not exported by wasm module."),
    ("wrong_guest_call", NoSuchFunction, "__guest_call has type [i64] -> [i32], but it must be [i32 i32] -> [i32]"),
    ("guest_call_is_global", NoSuchFunction, "__guest_call has type i32, but it must be [i32 i32] -> [i32]"),
    ("no_memory", InitFailed, "no memory exported by wasm module under the name 'memory'"),
    ("memory_is_function", InitFailed, "no memory exported by wasm module under the name 'memory'"),
    ("huge_memory", InitFailed, "instantiation interrupted, memory limit exceeded"),
    ("unknown_import", InitFailed, "unknown import wapc.__host_magic"),
    ("unknown_wasi_import", InitFailed, "unknown import wasi_snapshot_preview1.fd_teleport"),
    ("wrong_wasi_import", InitFailed, "import wasi_snapshot_preview1.fd_close has type [i64] -> [i32], but it is"),
    ("long_import", InitFailed, "unknown import env.\\x1b" + "x" * 195 + "\n"),
    ("imported_memory", InitFailed, "unknown import env.memory"),
    ("old_host_call", InitFailed, "import wapc.__host_call has type [i32 i32 i32 i32 i32 i32] -> [i32], but it is"),
    ("abort_otherwise", InitFailed, "unknown import env.abort"),
]


@pytest.mark.parametrize(("name", "error", "text"), FAILING_GUESTS, ids=[name for name, _, _ in FAILING_GUESTS])
def test_modules_that_cannot_be_guests(
    name: str, error: type[InitFailed], text: str, engine: Engine, guest: Guests
) -> None:
    limits = Limits(deadline_seconds=0.1 if name == "start_loop" else 30, max_memory_pages=100)
    with pytest.raises(InitFailed) as caught:
        WapcHost(engine, guest(name), limits=limits)
    assert type(caught.value) is error
    assert f"{caught.value}\n".startswith(f"Initialization failed: {text}")


@pytest.mark.parametrize(
    "wasm", [b"", b"\0asm", b"\0asm\x01\0\0\0\x01", b"no module", b"\0asm\x01\0\0\0" + b"\xff" * 50]
)
def test_bytes_that_are_no_module(wasm: bytes, engine: Engine) -> None:
    with pytest.raises(InitFailed, match=r"^Initialization failed: ") as caught:
        WapcHost(engine, wasm)
    assert isinstance(caught.value.__cause__, Rejected)


def test_replace_module_swaps_and_starts(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("echo")) as host:
        assert host.call("order", b"payload") == b"payload"
        host.replace_module(guest("starters"))
        assert host.call("order", b"payload") == b"siw"


def test_replace_module_keeps_the_wasi_parameters(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("echo"), wasi=WasiParams(stdin=io.BytesIO(b"input"))) as host:
        host.replace_module(guest("wasi_stdio"))
        assert host.call("any", b"") == b"input"


@pytest.mark.parametrize(("name", "error", "text"), FAILING_GUESTS[:6], ids=[name for name, _, _ in FAILING_GUESTS[:6]])
def test_a_failed_replacement_leaves_the_old_module(
    name: str, error: type[InitFailed], text: str, engine: Engine, guest: Guests
) -> None:
    with WapcHost(engine, guest("exit_in_call"), limits=Limits(deadline_seconds=0.3)) as host:
        assert host.call("count") == b"\x01"
        with pytest.raises(ReplacementFailed) as caught:
            host.replace_module(guest(name))
        assert str(caught.value).startswith(f"Module replacement failed: {text}")
        assert type(caught.value.__cause__) is error
        assert host.call("count") == b"\x02"


def test_replacing_by_no_module(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("echo")) as host:
        with pytest.raises(ReplacementFailed, match=r"^Module replacement failed: "):
            host.replace_module(b"no module")
        assert host.call("echo", b"still") == b"still"


def test_after_close_everything_is_refused(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("echo")) as host:
        pass
    host.close()
    for use in (lambda: host.call("echo"), lambda: host.replace_module(guest("echo")), lambda: host.memory_size):
        with pytest.raises(GuestClosed, match=f"^guest module {host.id} is closed$"):
            use()


def test_an_operation_that_is_not_unicode(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("echo")) as host, pytest.raises(WapcError, match="not valid Unicode"):
        host.call("\udc80")


def test_traps_are_the_cause_and_are_located(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("puppet")) as host:
        with pytest.raises(GuestCallFailure) as caught:
            host.call("run", Script().step(Step.TRAP).returns(1))
        trap = caught.value.__cause__
        assert isinstance(trap, Trap)
        assert caught.value.text == str(trap)
        assert "function" in caught.value.text
        assert "byte 0x" in caught.value.text


def test_limits_are_the_cause_and_the_guest_is_restarted(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("puppet"), limits=Limits(deadline_seconds=0.3)) as host:
        host.call("run", Script().step(Step.GROW, 1).answers())
        grown = host.memory_size
        with pytest.raises(GuestCallFailure) as caught:
            host.call("run", Script().step(Step.LOOP).returns(1))
        assert isinstance(caught.value.__cause__, Exhaustion)
        assert caught.value.__cause__.what is ExhaustionKind.DEADLINE
        assert host.call("run", Script().step(Step.CALLS).answers()) == numbers(1)
        assert host.memory_size == grown - 65536


def test_a_restart_that_fails_is_tried_again(engine: Engine, guest: Guests, tmp_path: Path) -> None:
    given, moved = tmp_path / "given", tmp_path / "moved"
    given.mkdir()
    limits = Limits(deadline_seconds=0.3)
    with WapcHost(engine, guest("puppet"), limits=limits, wasi=WasiParams(preopens={"/": given})) as host:
        with pytest.raises(GuestCallFailure):
            host.call("run", Script().step(Step.LOOP).returns(1))
        given.rename(moved)
        for _ in range(2):
            with pytest.raises(InitFailed, match="cannot open a preopened directory"):
                host.call("run", Script().step(Step.CALLS).answers())
        moved.rename(given)
        assert host.call("run", Script().step(Step.CALLS).answers()) == numbers(1)


def test_an_interrupt_in_the_console_log_passes_through_the_guest(engine: Engine, guest: Guests) -> None:
    def interrupt(_id: int, _text: str) -> None:
        raise KeyboardInterrupt

    with WapcHost(engine, guest("puppet"), console_log=interrupt) as host:
        with pytest.raises(KeyboardInterrupt):
            host.call("run", Script().log(b"text").returns(1))
        assert host.call("run", Script().step(Step.CALLS).answers()) == numbers(1)


def test_a_guest_that_exits_is_restarted(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("exit_in_call")) as host:
        assert [host.call("count"), host.call("count")] == [b"\x01", b"\x02"]
        with pytest.raises(GuestCallFailure, match=r"^Guest call failure: guest exited with code 7$") as caught:
            host.call("exit")
        assert isinstance(caught.value.__cause__, ProcExit)
        assert host.call("count") == b"\x01"


def test_a_keyboard_interrupt_passes_through_the_guest(engine: Engine, guest: Guests) -> None:
    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    with WapcHost(engine, guest("puppet"), interrupt) as host:
        with pytest.raises(KeyboardInterrupt):
            host.call("run", host_call_script())
        assert host.call("run", Script().step(Step.CALLS).answers()) == numbers(1)


def test_the_hosts_exception_is_on_the_guests_failure(engine: Engine, guest: Guests) -> None:
    def refuse(*_: object) -> bytes:
        raise LookupError("nothing here")

    with WapcHost(engine, guest("puppet"), refuse) as host:
        script = Script().host_call(b"b", b"n", b"o", b"p").step(Step.TRAP).returns(0)
        with pytest.raises(GuestCallFailure) as caught:
            host.call("run", script)
        assert isinstance(caught.value.host_exception, LookupError)
        assert isinstance(caught.value.__cause__, Trap)


def test_calls_from_inside_a_host_call_are_refused(engine: Engine, guest: Guests) -> None:
    refused: list[type] = []

    def host_call(*_: object) -> bytes:
        for use in (lambda: host.call("run"), lambda: host.replace_module(guest("echo")), host.close):
            with pytest.raises(HostCallFailure, match="Error occurred during host call: guest module") as caught:
                use()
            refused.append(type(caught.value))
        return str(host.memory_size).encode()

    with WapcHost(engine, guest("puppet"), host_call) as host:
        script = Script().host_call(b"b", b"n", b"o", b"p").step(Step.HOST_RESPONSE, BUFFER)
        assert host.call("run", script.step(Step.RESPONSE, BUFFER, 6).returns(1)) == b"262144"
        assert refused == [HostCallFailure] * 3
        assert host.call("run", Script().respond(b"ok").returns(1)) == b"ok"


def test_an_unhandled_refusal_is_the_guests_host_error(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("puppet"), lambda *_: host.call("run")) as host:
        assert host.call("run", host_call_script()) == numbers(0)


def test_another_thread_is_refused_while_the_guest_is_busy(engine: Engine, guest: Guests) -> None:
    errors: list[BaseException] = []

    def use(action: Callable[[], object]) -> None:
        try:
            action()
        except WapcError as error:
            errors.append(error)

    def host_call(*_: object) -> bytes:
        for action in (lambda: host.call("run"), host.close, lambda: host.memory_size):
            thread = threading.Thread(target=use, args=(action,))
            thread.start()
            thread.join()
        return b""

    with WapcHost(engine, guest("puppet"), host_call) as host:
        assert host.call("run", host_call_script()) == numbers(1)
        assert [type(error) for error in errors] == [GuestBusy] * 3
        assert host.call("run", Script().respond(b"ok").returns(1)) == b"ok"


def test_threads_may_take_turns(engine: Engine, guest: Guests) -> None:
    results: list[bytes] = []
    with WapcHost(engine, guest("puppet")) as host:
        for _ in range(3):
            script = Script().step(Step.CALLS).answers()
            thread = threading.Thread(target=lambda: results.append(host.call("run", script)))  # noqa: B023
            thread.start()
            thread.join()
    assert results == [numbers(1), numbers(2), numbers(3)]


def test_guests_call_each_other_through_their_hosts(engine: Engine, guest: Guests) -> None:
    with (
        WapcHost(engine, guest("echo")) as echo,
        WapcHost(engine, guest("puppet"), lambda _b, _n, operation, payload: echo.call(operation, payload)) as host,
    ):
        script = Script().host_call(b"", b"", b"echo", b"hello").step(Step.HOST_RESPONSE, BUFFER)
        assert host.call("run", script.step(Step.RESPONSE, BUFFER, 5).returns(1)) == b"hello"


def test_guests_are_isolated(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("exit_in_call")) as one, WapcHost(engine, guest("exit_in_call")) as two:
        assert [one.call("count"), one.call("count"), two.call("count")] == [b"\x01", b"\x02", b"\x01"]


@pytest.mark.parametrize(
    ("payload", "text"),
    [(b"", "Oh; a.ts (3,14)"), (b"1", "abort;  (4294967295,0)"), (b"12", "out of bounds memory access")],
)
def test_assemblyscript_abort(payload: bytes, text: str, engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("abort")) as host:
        with pytest.raises(GuestCallFailure) as caught:
            host.call("any", payload)
        assert caught.value.text.startswith(text)
        assert isinstance(caught.value.__cause__, Trap if payload == b"12" else GuestAborted)


def test_guest_output_goes_to_the_logger(engine: Engine, guest: Guests, caplog: pytest.LogCaptureFixture) -> None:
    with WapcHost(engine, guest("wasi_stdio")) as host, caplog.at_level(logging.INFO, "wapc"):
        assert host.call("any", b"one\ntw\x1bo") == b""
        lines = [f"Guest module {host.id}: one", rf"Guest module {host.id}: tw\x1bo"]
        assert sorted(caplog.messages) == sorted(lines * 2)


def test_guest_output_goes_where_the_parameters_say(engine: Engine, guest: Guests) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    params = WasiParams(stdin=io.BytesIO(b"input"), stdout=out, stderr=err)
    with WapcHost(engine, guest("wasi_stdio"), wasi=params) as host:
        assert host.call("any", b"output") == b"input"
    assert (out.getvalue(), err.getvalue()) == (b"output", b"output")


def test_the_console_log_gets_id_and_text(engine: Engine, guest: Guests) -> None:
    logs: list[tuple[int, str]] = []
    with WapcHost(engine, guest("puppet"), console_log=lambda *entry: logs.append(entry)) as host:
        host.call("run", Script().log(b"two\nlines").respond(b"").returns(1))
    assert logs == [(host.id, "two\nlines")]


def test_a_log_flood_is_cut_for_each_call(engine: Engine, guest: Guests, caplog: pytest.LogCaptureFixture) -> None:
    script = Script()
    address, _length = script.text(b"x" * 8192)
    for _ in range(200):
        script.step(Step.LOG, address, 8192)
    payload = script.respond(b"").returns(1)
    with WapcHost(engine, guest("puppet")) as host, caplog.at_level(logging.INFO, "wapc"):
        host.call("run", payload)
        assert 100 < len(caplog.messages) < 130
        assert caplog.messages[-1].endswith("further output of this call is not logged")
        caplog.clear()
        host.call("run", payload)
        assert len(caplog.messages) > 100


def test_sleep_ends_with_the_deadline(engine: Engine, guest: Guests) -> None:
    with WapcHost(engine, guest("wasi_sleep"), limits=Limits(deadline_seconds=0.3)) as host:
        assert host.call("") == b""
        with pytest.raises(GuestCallFailure, match="guest code interrupted, execution deadline exceeded"):
            host.call("x" * 4000)
        assert host.call("x") == b""


def test_a_directory_that_cannot_be_opened(engine: Engine, guest: Guests, tmp_path: Path) -> None:
    params = WasiParams(preopens={"/": tmp_path / "missing"})
    with pytest.raises(InitFailed, match=r"cannot open a preopened directory: .*missing"):
        WapcHost(engine, guest("echo"), wasi=params)


def times_open(directory: Path) -> int:
    """How often this process has the directory open."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("needs /proc to count open descriptors")
    found = 0
    for descriptor in descriptors.iterdir():
        with suppress(FileNotFoundError):
            found += descriptor.readlink() == directory
    return found


def test_no_file_descriptor_is_left_open(engine: Engine, guest: Guests, tmp_path: Path) -> None:
    params = WasiParams(preopens={"/": tmp_path})
    with WapcHost(engine, guest("exit_in_call"), wasi=params) as host:
        for _ in range(3):
            with pytest.raises(GuestCallFailure):
                host.call("exit")
            host.call("count")
            with pytest.raises(ReplacementFailed):
                host.replace_module(guest("exit_3"))
            host.replace_module(guest("exit_in_call"))
            with pytest.raises(InitFailed):
                WapcHost(engine, guest("start_trap"), wasi=params)
            assert times_open(tmp_path) == 1
    assert times_open(tmp_path) == 0


def test_an_unknown_engine(guest: Guests) -> None:
    with pytest.raises(ImportError, match="no engine is called"):
        load_engine("abacus")
    with pytest.raises(ImportError, match="no engine is called"):
        WapcHost("abacus", guest("echo"))


@pytest.mark.parametrize(
    "error",
    [InitFailed("text"), GuestCallFailure("text"), PayloadTooLarge("response", 2, 1), GuestBusy("text")],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: WapcError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), copy.text) == (type(error), str(error), error.text)


HUNGRY = """(module (import "wapc" "__guest_response" (func $response (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "__guest_call") (param $operation i32) (param i32) (result i32)
    (if (i32.eq (local.get $operation) (i32.const 4))
      (then (if (i32.ne (memory.grow (i32.const 90)) (i32.const -1)) (then unreachable)) unreachable))
    (call $response (i32.const 0) (i32.const 0)) (i32.const 1)))"""


def test_a_guest_that_traps_with_its_memory_full_is_restarted(engine: Engine) -> None:
    with WapcHost(engine, parse(HUNGRY), limits=Limits(max_memory_pages=100)) as host:
        assert host.call("ok") == b""
        with pytest.raises(GuestCallFailure):
            host.call("grow")
        assert host.call("ok") == b""
        assert host.memory_size == 65536
