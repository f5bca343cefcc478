"""`wascc step`: what it prints, where it stops, its prompt, and that no guest can hang it."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests_support import Done, parse, wascc

WASCC = Path(sys.executable).parent / "wascc"

MODULE = """(module
  (memory (export "memory") 1)
  (global $g (mut i64) (i64.const 5)) (global i32 (i32.const 7))
  (table 2 funcref) (elem (i32.const 0) $double)
  (func $double (param i32) (result i32) (i32.add (local.get 0) (local.get 0)))
  (func $work (export "work") (param $n i32) (result i32)
    (local.set $n (call $double (local.get $n)))
    (i32.store (i32.const 4) (local.get $n))
    (global.set $g (i64.const -1))
    (local.get $n))
  (func (export "spin") (loop (br 0)))
  (func $drop (export "trap") (drop (i32.div_u (i32.const 1) (i32.const 0))))
  (func (export "deep") (call 5))
  (func $deep (call $deep)))"""

HELLO = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "hello\\n")
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 6))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $proc_exit (i32.const 7))))"""


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("modules") / "module.wasm"
    path.write_bytes(parse(MODULE))
    return path


def saved(folder: Path, wat: str) -> Path:
    path = folder / "saved.wasm"
    path.write_bytes(parse(wat))
    return path


def prompted(monkeypatch: pytest.MonkeyPatch, text: str, *args: str | Path) -> list[str]:
    """The lines that an interactive session prints which gets these commands."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    done = wascc("step", *args, "-i")
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout.splitlines()


def test_each_step_is_printed(module: Path) -> None:
    done = wascc("step", module, "work", "3")
    assert (done.stderr, done.returncode) == ("", 0)
    lines = done.stdout.splitlines()
    assert lines[0] == "    1 Step_read/call_ref-func"
    assert lines[2].strip() == "https://webassembly.github.io/spec/core/exec/instructions.html#exec-invoke"
    assert "      (i32.const 3) (i32.const 3) i32.add ↪ (i32.const 6)" in lines
    assert "      memory 0[0x4 : 4]: 00 00 00 00 → 06 00 00 00" in lines
    assert "      global 0: (i64.const 5) → (i64.const -1)" in lines
    assert "      local 0: (i32.const 3) → (i32.const 6)" in lines
    assert lines[-1] == "ended with (i32.const 6)"
    assert "\x1b" not in done.stdout


def test_records_are_lines_of_json(module: Path) -> None:
    done = wascc("step", module, "work", "3", "--json")
    *records, end = map(json.loads, done.stdout.splitlines())
    assert end == {"outcome": "values", "steps": len(records), "values": ["(i32.const 6)"], "message": None}
    assert [record["index"] for record in records] == list(range(1, len(records) + 1))
    stored = next(record for record in records if record["rule"] == "Step/store-num-val")
    assert stored["changes"] == [
        {"what": "memory", "address": 0, "index": 4, "count": 4, "old": "00 00 00 00", "new": "06 00 00 00"}
    ]


@pytest.mark.parametrize("name", ["double", "0"])
def test_a_function_may_be_named_by_its_name_or_index(module: Path, name: str) -> None:
    assert wascc("step", module, name, "4").stdout.endswith("ended with (i32.const 8)\n")


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("binop-val", "(i32.const 3) (i32.const 3) i32.add ↪ (i32.const 6)"),
        ("Step/store-*", "(i32.const 4) (i32.const 6) i32.store ↪ ε"),
        ("double", "(i32.const 3) (ref.func 0) (call_ref 0) ↪ (frame_1{locals (i32.const 3)} (label_1{ε} "
                   "(local.get 0) (local.get 0) i32.add))"),
        ("func:0", "(i32.const 3) (ref.func 0) (call_ref 0) ↪ (frame_1{locals (i32.const 3)} (label_1{ε} "
                   "(local.get 0) (local.get 0) i32.add))"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("quiet", [False, True])
def test_until_stops_where_it_is_told(module: Path, until: str, last: str, quiet: bool) -> None:
    done = wascc("step", module, "work", "3", "--until", until, *(["--quiet"] if quiet else []))
    assert (done.stderr, done.returncode) == ("", 0)
    lines = done.stdout.splitlines()
    assert next(line for line in reversed(lines) if "↪" in line).strip() == last
    assert sum("↪" in line for line in lines) == 1 or not quiet
    assert any(line.startswith("(frame_1{locals") for line in lines)


def test_until_an_offset(module: Path) -> None:
    listing = json.loads(wascc("dump", module, "--function", "work", "--json").stdout)
    instructions = listing["functions"][0]["instructions"]
    offset = next(i["offset"] for i in instructions if i["text"] == "i32.store")
    done = wascc("step", module, "work", "3", "--until", hex(offset), "--json")
    *records, end = map(json.loads, done.stdout.splitlines())
    assert end["outcome"] == "breakpoint"
    assert all(record["offset"] != offset for record in records)
    following = wascc("step", module, "work", "3", "--max", str(len(records) + 1), "--json").stdout.splitlines()
    assert json.loads(following[-2])["offset"] == offset


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["none"], "there is no function 'none'; exported are: work, spin, trap, deep"),
        (["99"], "there is no function '99'"),
        (["work"], "1 arguments are needed (i32), 0 are given"),
        (["work", "x"], "'x' is no i32"),
        (["work", "1", "--until", "nonsense"], "'nonsense' is no rule, no function, and no byte offset 0x…"),
        (["work", "1", "--until", "drop"], "'drop' is a rule and a function; write rule:drop or func:drop"),
        (["work", "1", "--until", "0x3"], "no instruction stands at byte 0x3"),
        (["work", "1", "--json", "-i"], "--json and --interactive exclude each other"),
        (["work", "1", "--features", "9.9"], "--features: "),
    ],
)
def test_errors_are_one_line(module: Path, args: list[str], message: str) -> None:
    done = wascc("step", module, *args)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"\0asm", b"junk", bytes(2000)])
def test_what_is_no_module_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.wasm"
    path.write_bytes(content)
    done = wascc("step", path, "f")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_a_trap_is_the_error(module: Path) -> None:
    done = wascc("step", module, "trap")
    assert done.returncode == 1
    assert "trap-frame" in done.stdout
    assert done.stderr.startswith("error: integer divide by zero in drop (function 3) at byte 0x")
    as_json = wascc("step", module, "trap", "--json")
    assert as_json.returncode == 1
    assert json.loads(as_json.stdout.splitlines()[-1])["outcome"] == "trap"
    assert as_json.stderr == ""


def test_no_more_steps_than_allowed(module: Path) -> None:
    done = wascc("step", module, "spin", "--max", "20")
    assert sum("↪" in line for line in done.stdout.splitlines()) == 20
    assert (done.stderr, done.returncode) == ("stopped after 20 steps, as --max says\n", 0)
    assert sum("↪" in line for line in wascc("step", module, "spin").stdout.splitlines()) == 1000


@pytest.mark.parametrize(
    ("options", "name", "error"),
    [
        (["--fuel", "50"], "spin", "fuel exhausted"),
        (["--deadline", "0.1"], "spin", "deadline exceeded"),
        (["--max-call-depth", "9"], "deep", "call stack exhausted"),
    ],
)
def test_the_limits_of_invoke_hold(module: Path, options: list[str], name: str, error: str) -> None:
    done = wascc("step", module, name, "--quiet", *options)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {error} in ")


def test_a_start_function_without_end_is_ended(tmp_path: Path) -> None:
    path = saved(tmp_path, '(module (func $s (loop (br 0))) (start $s) (func (export "f")))')
    done = wascc("step", path, "f", "--fuel", "1000")
    assert done.returncode == 1
    assert done.stderr.startswith("error: fuel exhausted")


def test_what_a_guest_writes_does_not_mix_with_json(tmp_path: Path) -> None:
    done = wascc("step", saved(tmp_path, HELLO), "_start", "--json")
    assert (done.stderr, done.returncode) == ("hello\n", 7)
    assert all(map(json.loads, done.stdout.splitlines()))


def test_a_wasi_guest_is_served(tmp_path: Path) -> None:
    done = wascc("step", saved(tmp_path, HELLO), "_start")
    assert done.returncode == 7
    lines = done.stdout.splitlines()
    assert "hello" in lines
    assert "      memory 0[0x8 : 4]: 00 00 00 00 → 06 00 00 00" in lines
    assert any(line.split()[1:2] == ["host-call"] for line in lines)


def test_other_imports_are_refused(tmp_path: Path) -> None:
    done = wascc("step", saved(tmp_path, '(module (import "env" "f" (func)) (func (export "g")))'), "g")
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr == "error: the module imports what this command cannot give: env.f\n"


def test_text_modules_will_do(tmp_path: Path) -> None:
    path = tmp_path / "module.wat"
    path.write_text(MODULE)
    assert wascc("step", path, "work", "3").stdout.endswith("ended with (i32.const 6)\n")


def test_the_prompt_goes_forward_and_back(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "step 2\nover\nbreak store*\n\nc\nback\nb 100\nc\nrc\nout\nquit\nstep\n"
    lines = prompted(monkeypatch, text, module, "work", "3")
    prompts = [line for line in lines if line.startswith("[")]
    assert prompts == [
        "[0] step 2", "[2] over", "[9] break store*", "[9] ", "[9] c", "[12] back", "[11] b 100", "[0] c", "[12] rc",
        "[0] out", "[12] quit",
    ]  # fmt: skip
    assert sum("Step/store-num-val" in line for line in lines) == 3


def test_the_prompt_shows_the_state(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "c\nback 4\nprint\np locals\np globals\np tables\np memory 0 17\np memory 0xffff\np m 0x99999\nwhere\nconfig\n"
    )
    lines = prompted(monkeypatch, text, module, "work", "3")
    assert "  0 (i32.const 6)" in lines
    assert "  1 (i32.const 7)  (immutable)" in lines
    assert "  0 2 elements: (ref.func 0) ref.null" in lines
    assert "0x00000000  00 00 00 00 06 00 00 00 00 00 00 00 00 00 00 00  ................" in lines
    assert "0x0000ffff  00                                               ." in lines
    assert "the memory has 0x10000 bytes" in lines
    assert any(line.startswith("#0   work (function 1) at byte 0x") for line in lines)
    assert any(line.startswith("next (global.set 0), byte 0x") for line in lines)
    assert "(frame_1{locals (i32.const 6)}" in lines


def test_the_prompt_says_what_it_does_not_understand(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = ["nonsense", "back x", "back 1 2", "break nothing", "delete 3", "print everything", "print memory a"]
    text = "\n".join([*bad, "print memory 0 1 9", "", "b", "q", ""])
    lines = prompted(monkeypatch, text, module, "work", "3")
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 9
    assert errors[0] == "error: there is no command 'nonsense'; try help"
    assert any(line.startswith("step [N]") for line in prompted(monkeypatch, "help\n", module, "work", "3"))


def test_breakpoints_can_be_removed(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = prompted(monkeypatch, "break\nbr double\nbr binop-val\nd 1\nc\ndelete\nc\n", module, "work", "3")
    assert lines[1:6] == ["[0] break", "no breakpoints", "[0] br double", "  1 function double", "[0] br binop-val"]
    assert "  1 Step_pure/binop-val" in lines
    assert lines[-1] == "ended with (i32.const 6)"


def test_one_can_go_back_from_the_end_of_a_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = prompted(monkeypatch, "c\nb 3\nc\n", saved(tmp_path, HELLO), "_start")
    assert lines.count("ended: guest exited with code 7") == 2
    assert lines.count("hello") == 1


def session(module: Path, name: str, max_steps: int = 10**12) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [WASCC, "step", module, name, "-i", "--max", str(max_steps)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def test_ctrl_c_interrupts_a_run_and_the_prompt_goes_on(module: Path) -> None:
    with session(module, "spin") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("c\n")
        process.stdin.flush()
        while "[0] c" not in process.stdout.readline():
            pass
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        process.stdin.write("print locals\nback\nquit\n")
        process.stdin.flush()
        output = process.stdout.read()
    assert process.returncode == 0
    assert "interrupted\n" in output
    assert "there are no locals\n" in output
    assert output.splitlines()[-1].endswith("] quit")


def test_ctrl_c_ends_what_is_not_interactive(module: Path) -> None:
    command = [WASCC, "step", module, "spin", "--quiet", "--max", str(10**12)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    assert (output, process.returncode) == ("", 130)
    assert "Traceback" not in errors


def test_help_is_there() -> None:
    done: Done = wascc("step", "--help")
    assert done.returncode == 0
    assert "--until" in done.stdout
