"""Modules loaded with the bodies of their functions passed over: what is wrong with a body is said when somebody asks
for it, in the same words, and never later than that."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from conformance.fuzz.framing import CODE_SECTION, Section, join, join_bodies, split, split_bodies
from interp.binary import code, tokens
from interp.binary.modules import decode
from interp.engine import Limits
from interp.errors import Invalid, Malformed, Rejected
from interp.execution.meter import Meter
from interp.execution.modules import instantiate
from interp.execution.runtime import FuncInst, ModuleInst, Store
from interp.reference.machine import Machine
from interp.syntax.instructions import Expr, Instr
from interp.syntax.modules import Func, Module
from interp.syntax.types import FuncType, functype_deftype
from interp.validation.modules import ValidModule, validate
from tests_support import parse

MODULE = """
(module
  (import "host" "called" (func $called))
  (type $t (func (result i32)))
  (table funcref (elem $good $bad))
  (elem declare func $bad)
  (func $good (export "good") (type $t) (i32.const 7))
  (func $bad (export "bad") (type $t) (call $called) (i64.const 7))
  (func (export "call") (type $t) (call $bad))
  (func (export "tail") (type $t) (return_call $bad))
  (func (export "indirect") (param i32) (result i32) (call_indirect (type $t) (local.get 0)))
  (func (export "reference") (type $t) (call_ref $t (ref.func $bad))))
"""
BAD = 2
"""The index of $bad."""


@pytest.fixture(params=[0, 1 << 60], ids=["tokens", "rules"], autouse=True)
def _grammar(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Bodies are looked at by their tokens, or not."""
    monkeypatch.setattr(tokens, "GRAMMAR_PAYS", request.param)
    monkeypatch.setattr(code, "TOKENS_PAY", request.param)
    tokens.language.cache_clear()
    yield
    tokens.language.cache_clear()


def load(wasm: bytes) -> ValidModule:
    return validate(decode(wasm, lazy=True), lazy=True)


def with_body(wasm: bytes, index: int, body: bytes) -> bytes:
    """The module with another function body, locals in front."""
    sections = split(wasm)
    for at, section in enumerate(sections):
        if section.id == CODE_SECTION:
            bodies = split_bodies(section.contents)
            bodies[index] = body
            sections[at] = Section(CODE_SECTION, join_bodies(bodies))
    return join(sections)


def said(action: Callable[[], object]) -> tuple[type, str, object, object, object]:
    """All that the error of an action says."""
    with pytest.raises(Rejected) as caught:
        action()
    error = caught.value
    details = (getattr(error, name, None) for name in ("offset", "rule", "function"))
    return type(error), str(error), *details  # type: ignore[return-value]


MALFORMED = [b"\0\x41", b"\0\x41\7", b"\0\x41\7\x0b\x01", b"\0\x02\x40\x0b", b"\0\xff\x0b", b"\0\xfc\x09\0\x41\7\x0b"]
INVALID = [b"\0\x42\7\x0b", b"\0\x0b", b"\0\x20\0\x0b", b"\0\x10\x63\x41\7\x0b", b"\1\1\x64\7\x41\7\x0b"]


@pytest.mark.parametrize("body", [*MALFORMED, *INVALID], ids=bytes.hex)
def test_an_error_is_the_same_as_in_a_module_that_is_loaded_at_once(body: bytes) -> None:
    wasm = with_body(parse(MODULE.replace("i64.const", "i32.const")), 1, body)
    expected = said(lambda: validate(decode(wasm)))
    valid = load(wasm)
    for _ in range(2):
        assert said(lambda: valid.module.funcs[1].body) == expected
        assert said(lambda: valid.validate_func(BAD)) == expected
    assert said(lambda: validate(decode(wasm, lazy=True))) == expected
    for funcidx in {*range(7)} - {BAD}:
        valid.validate_func(funcidx)


def test_a_valid_module_has_the_bodies_that_it_has_at_once() -> None:
    wasm = parse(MODULE.replace("i64.const", "i32.const"))
    lazy, at_once = load(wasm), validate(decode(wasm))
    assert (lazy.imports, lazy.exports, lazy.context) == (at_once.imports, at_once.exports, at_once.context)
    for ours, theirs in zip(lazy.module.funcs, at_once.module.funcs, strict=True):
        assert ours.locals == theirs.locals
        assert [(i.op, i.offset) for i in ours.body] == [(i.op, i.offset) for i in theirs.body]
        assert ours.body is ours.body


def test_a_lazy_module_can_be_validated_again() -> None:
    wasm = parse(MODULE)
    valid = load(wasm)
    expected = said(lambda: validate(decode(wasm)))
    assert said(lambda: validate(valid.module)) == expected
    assert said(lambda: validate(valid.module, lazy=True).validate_func(BAD)) == expected


def test_there_are_no_functions_beyond_the_last_one() -> None:
    valid = load(parse(MODULE))
    with pytest.raises(IndexError):
        valid.validate_func(7)


@pytest.mark.parametrize(
    ("wat", "error", "message"),
    [
        ('(module (func) (export "a" (func 1)))', Invalid, "unknown function 1"),
        ("(module (func (param i32)) (start 0))", Invalid, "start function"),
        ("(module (global i32 (i64.const 1)) (func))", Invalid, "expected i32"),
        ("(module (memory 65537) (func))", Invalid, "65536 pages"),
        ("(module (elem func 3) (func))", Invalid, "unknown function 3"),
    ],
)
def test_what_stands_outside_of_bodies_is_checked_at_once(wat: str, error: type[Rejected], message: str) -> None:
    with pytest.raises(error, match=message):
        load(parse(wat))


def test_locals_are_counted_at_once() -> None:
    wasm = with_body(parse("(module (func))"), 0, b"\1\xd1\x86\x03\x7f\x0b")
    with pytest.raises(Malformed, match="too many locals"):
        load(wasm)
    many = join_bodies([b"\1\xd0\x86\x03\x7f\x0b"] * 101)
    sections = [Section(1, b"\1\x60\0\0"), Section(3, b"\x65" + bytes(101)), Section(CODE_SECTION, many)]
    with pytest.raises(Malformed, match="too many locals"):
        decode(join(sections), lazy=True)


def test_a_body_that_is_longer_than_its_section_is_malformed_at_once() -> None:
    wasm = parse("(module (func))")
    assert wasm.endswith(b"\2\0\x0b")
    with pytest.raises(Malformed, match="unexpected end"):
        decode(wasm.removesuffix(b"\2\0\x0b") + b"\3\0\x0b", lazy=True)


class Instance:
    """MODULE in the reference machine, loaded lazily."""

    def __init__(self) -> None:
        self.calls = 0
        functype = FuncType((), ())
        store = Store(Meter(Limits()))
        self.machine = Machine(store)
        host = store.alloc_host_func(functype, functype_deftype(functype), self.called)
        self.inst: ModuleInst = instantiate(store, load(parse(MODULE)), (host,), self.machine)

    def called(self) -> tuple[()]:
        """The import."""
        self.calls += 1
        return ()

    def call(self, name: str, *args: int) -> list[Any]:
        """Call an export."""
        func = self.inst.exports[name]
        assert isinstance(func, FuncInst)
        return self.machine.invoke(func, args)


@pytest.mark.parametrize(
    ("name", "args"), [("bad", ()), ("call", ()), ("tail", ()), ("indirect", (1,)), ("reference", ())]
)
def test_an_invalid_body_never_runs_however_it_is_reached(name: str, args: tuple[int, ...]) -> None:
    instance = Instance()
    assert instance.call("good") == [7]
    assert instance.call("indirect", 0) == [7]
    for _ in range(2):
        with pytest.raises(Invalid, match="expected i32, found i64") as caught:
            instance.call(name, *args)
        assert caught.value.function == BAD
    assert instance.calls == 0
    assert instance.call("good") == [7]


def test_an_invalid_start_function_never_runs() -> None:
    wat = '(module (import "host" "called" (func $called)) (func $start (call $called) (drop)) (start $start))'
    valid = load(parse(wat))
    calls: list[int] = []
    functype = FuncType((), ())
    store = Store(Meter(Limits()))
    host = store.alloc_host_func(functype, functype_deftype(functype), lambda: calls.append(1) or ())
    with pytest.raises(Invalid, match="operand stack is empty"):
        instantiate(store, valid, (host,), Machine(store))
    assert not calls


def test_all_threads_get_the_same_body() -> None:
    body = "(drop (i32.const 1)) (block (nop) (nop))" * 2000
    valid = load(parse(f"(module (func {body}) (func {body}))"))
    threads = 8
    barrier = Barrier(threads)

    def read(func: Func) -> Expr:
        barrier.wait()
        return func.body

    with ThreadPoolExecutor(threads) as pool:
        for func in valid.module.funcs:
            first, *others = pool.map(read, [func] * threads)
            assert all(body is first for body in others)


class MadeUp:
    """Code that is no bytes at all."""

    def __init__(self, body: Expr) -> None:
        self.body = body
        self.reads = 0

    def read(self) -> Expr:
        """The body."""
        self.reads += 1
        return self.body

    def tokens(self) -> None:
        """There are none."""

    def instr(self, token: bytes) -> Instr:
        """There are none."""
        raise ValueError(token)


def test_a_body_is_read_once_from_any_code() -> None:
    (func,) = decode(parse("(module (func (result i32) (i32.const 1)))")).funcs
    made_up = MadeUp(func.body)
    module = Module(types=decode(parse("(module (type (func (result i32))))")).types)
    made = Func(0, (), made_up, 0, 0)
    given = Func(0, (), func.body, 0, 0)
    assert made_up.reads == 0
    assert made.body is made.body is given.body
    assert made_up.reads == 1
    assert given.code is None
    assert made != Func(0, (), made_up, 0, 0)
    for lazy in (False, True):
        valid = validate(Module(types=module.types, funcs=(made, given)), lazy=lazy)
        valid.validate_func(0)
        assert [f.body for f in valid.module.funcs] == [func.body, func.body]
