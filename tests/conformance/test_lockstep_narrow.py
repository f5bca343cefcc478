"""Narrowing down: few calls, a small module, the first instruction that differs; and the tools that this is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.fuzz.corpus import load_corpus
from conformance.fuzz.determinism import instructions
from conformance.lockstep.cases import Source, make_case
from conformance.lockstep.compare import LIMITS, Difference, Lockstep, Schedule, binaries_of
from conformance.lockstep.edits import lifted, removals, simpler_immediates, simpler_values, unused, unwrapped
from conformance.lockstep.encode import encode
from conformance.lockstep.engines import load
from conformance.lockstep.findings import Finding, load_replay
from conformance.lockstep.indices import FIELDS, UsedError, size, without
from conformance.lockstep.narrow import VANISHED, Narrowing, narrowed
from conformance.lockstep.reduce import Reducer
from conformance.lockstep.rewriting import effects, rewrite, with_code
from conformance.lockstep.run import Binary, Call, Run, callable_exports
from conformance.lockstep.strategy import modules
from conformance.lockstep.trace import Instrument, TraceRun, first_difference
from interp.binary.modules import decode
from interp.engines.embedding import PureEngine, PureModule
from interp.errors import Rejected
from interp.reference.machine import Machine
from interp.syntax import modules as m
from interp.syntax.instructions import BY_MNEMONIC, Instr
from interp.validation.modules import validate
from tests_support import parse

SEED = 2026


class Swapping(PureEngine):
    """The reference machine that does one instruction in place of another."""

    def __init__(self, wrong: str, done: str) -> None:
        super().__init__("swapping", Machine)
        self._wrong, self._done = BY_MNEMONIC[wrong], BY_MNEMONIC[done]

    def compile(self, wasm: bytes) -> PureModule:
        def change(_: Instr, new: Instr) -> tuple[Instr]:
            return (Instr(self._done if new.op is self._wrong else new.op, new.immediates, new.offset),)

        module = decode(wasm)
        funcs = tuple(with_code(func, rewrite(func.body, change)) for func in module.funcs)
        return super().compile(encode(m.Module(**{**fields_of(module), "funcs": funcs})))


def fields_of(module: m.Module) -> dict[str, Any]:
    return {name: getattr(module, name) for name in m.Module.__dataclass_fields__}


def lockstep(engine: Any) -> Lockstep:
    return Lockstep([load("reference"), engine])


def difference(of: Lockstep, wasm: bytes, *names: str) -> Difference:
    schedule = Schedule(tuple([Call(name, f"test:{k}") for k, name in enumerate(names)]))
    found = of.compare(binaries_of(validate(decode(wasm)), wasm, of.engines), schedule)
    assert found is not None
    return found


WAT = """(module
  (memory (export "m") 1) (global $n (export "n") (mut i32) (i32.const 5))
  (data (i32.const 16) "abcdefgh")
  (func $unused (result i32) (i32.const 3))
  (func $helper (param i32) (result i32)
    (local i32)
    (local.set 1 (i32.mul (local.get 0) (i32.const 3)))
    (block (loop (br_if 1 (i32.gt_u (local.get 1) (i32.const 90)))
      (local.set 1 (i32.add (local.get 1) (i32.load8_u offset=16 (i32.const 2)))) (br 0)))
    (i32.shr_s (i32.sub (i32.const 0) (local.get 1)) (i32.const 2)))
  (func (export "set") (global.set $n (i32.const 7)))
  (func (export "other") (result i32) (i32.const 1))
  (func (export "f") (result i32)
    (if (i32.ne (global.get $n) (i32.const 7)) (then (return (i32.const 0))))
    (drop (i32.add (i32.const 1) (i32.const 2)))
    (i32.store align=1 (i32.const 8) (call $helper (i32.const 11)))
    (i32.xor (i32.load (i32.const 8)) (i32.const -1))))"""


def test_a_difference_becomes_few_calls_a_small_module_and_one_instruction(tmp_path: Path) -> None:
    of = lockstep(Swapping("i32.shr_s", "i32.shr_u"))
    wasm = parse(WAT)
    found = difference(of, wasm, "other", "f", "set", "other", "f")
    assert found.step == 4
    finding = narrowed(of, Finding("test", "again", wasm, found), 20.0)
    assert finding.difference is not None
    assert [call.name for call in finding.difference.schedule.calls] in (["set", "f"], ["f"])
    assert len(finding.reduced) < len(wasm) // 2
    left = [instr.op.mnemonic for func in decode(finding.reduced).funcs for instr in instructions(func.body)]
    assert left.count("i32.shr_s") == 1
    assert len(left) < 16
    assert any("the first instruction whose effect differs" in line and "i32.shr_s" in line for line in finding.place)
    report = finding.save(tmp_path).read_text()
    assert "call 0: 'f'" in report or "call 1: 'f'" in report
    replayed, names, schedule = load_replay(tmp_path / "test.json")
    assert (replayed, names) == (finding.reduced, ("reference", "swapping"))
    assert of.compare(binaries_of(validate(decode(replayed)), replayed, of.engines), schedule) is not None


def test_calls_that_are_needed_before_stay() -> None:
    of = lockstep(Swapping("i32.shr_s", "i32.shr_u"))
    wasm = parse(WAT)
    found = difference(of, wasm, "other", "f", "set", "other", "f")
    fewer = Narrowing(of, found).fewer_calls(wasm, found)
    assert [call.name for call in fewer.schedule.calls[: fewer.step + 1]] == ["set", "f"]


@pytest.mark.parametrize(
    ("swapped", "text"),
    [
        (("i32.shr_s", "i32.shr_u"), "function 1, byte {}: i32.shr_s"),
        (("i32.load8_u", "i32.load8_s"), None),
        (("i32.store", "i32.store8"), "function 4, byte {}: i32.store"),
        (("i32.ne", "i32.eq"), "function 4, byte {}: i32.ne"),
    ],
)
def test_the_first_instruction_that_differs_is_found(swapped: tuple[str, str], text: str | None) -> None:
    wasm = parse(WAT)
    of = lockstep(Swapping(*swapped))
    place = first_difference(of.engines, wasm, Schedule((Call("set", "a"), Call("f", "b"))), 1)
    if text is None:
        assert place is None, "the bytes that are loaded have no sign"
        return
    module = decode(wasm)
    offset = next(i.offset for f in module.funcs for i in instructions(f.body) if i.op.mnemonic == swapped[0])
    assert place is not None
    assert any(text.format(f"{offset:#x}") in line for line in place)


def test_branches_and_traps_are_placed_too() -> None:
    wasm = parse(
        """(module (func (export "f") (param i32) (result i32)
        (block (br_if 0 (i32.const 1)) (unreachable)) (i32.const 4)))"""
    )
    of = lockstep(Swapping("unreachable", "nop"))
    assert first_difference(of.engines, wasm, Schedule((Call("f", "a"),)), 0) is None
    trapping = wasm.replace(b"\x41\x01\x0d", b"\x41\x00\x0d")
    place = first_difference(of.engines, trapping, Schedule((Call("f", "a"),)), 0)
    assert place is not None
    assert "trap: unreachable" in "\n".join(place)


def test_what_vanishes_when_it_is_watched_is_reduced_all_the_same() -> None:
    # The fault is there only while nothing in the function calls: telling the host takes it away.
    class Shy(Swapping):
        def compile(self, wasm: bytes) -> PureModule:
            calls = any(i.op.kind == "call" for f in decode(wasm).funcs for i in instructions(f.body))
            return PureEngine.compile(self, wasm) if calls else super().compile(wasm)

    wasm = parse(
        '(module (func (export "f") (result i32) (i32.add (i32.const 2) (i32.shr_s (i32.const -8) (i32.const 1)))))'
    )
    of = lockstep(Shy("i32.shr_s", "i32.shr_u"))
    finding = narrowed(of, Finding("test", "again", wasm, difference(of, wasm, "f")), 10.0)
    assert finding.place == VANISHED
    assert len(finding.reduced) < len(wasm)


def test_a_difference_that_does_not_come_again_is_said_to() -> None:
    of = lockstep(Swapping("i32.shr_s", "i32.shr_u"))
    wasm = parse(WAT)
    found = difference(of, wasm, "set", "f")
    finding = narrowed(lockstep(load("wasmtime")), Finding("test", "again", wasm, renamed(found)), 5.0)
    assert finding.place == ("the difference did not come again",)
    assert finding.reduced == b""


def renamed(found: Difference) -> Difference:
    return Difference(("reference", "wasmtime"), found.schedule, found.step, found.what, found.left, found.right)


def test_traced_modules_do_the_same(tmp_path: Path) -> None:
    engine = load("reference")
    told = 0
    for index in range(40):
        wasm = make_case(Source.BOTH, SEED, index, tmp_path).wasm
        valid = validate(decode(wasm))
        traced = Instrument(valid).traced()
        plain = Run(engine, Binary.of(valid, wasm), LIMITS)
        watched = TraceRun(engine, Binary.of(valid, traced.wasm), LIMITS)
        assert replace(plain.instantiate(), backtrace=None) == replace(watched.instantiate(), backtrace=None)
        for name in callable_exports(engine.compile(wasm).exports):
            ends = [replace(each.call(Call(name, "x")), backtrace=None) for each in (plain, watched)]
            assert ends[0].equals(ends[1])
        for name, memory in plain.state().memories.items():
            assert watched.state().memories[name] == memory
        told += len(watched.host.events)
        assert all(event.site < len(traced.sites) for event in watched.host.events)
    assert told > 1000


def test_traced_modules_of_the_corpus_are_valid() -> None:
    for wasm in load_corpus(None).valid:
        validate(decode(Instrument(validate(decode(wasm))).traced().wasm))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(modules(), st.data())
def test_edits_that_keep_the_stack_keep_a_module_valid(module: m.Module, data: st.DataObject) -> None:
    valid = validate(decode(encode(module)))
    number = data.draw(st.integers(0, len(valid.module.funcs) - 1))
    func = valid.module.funcs[number]
    known = effects(valid.context, func)
    edits = [*removals(func.body, known), *unused(func.body, known)]
    if not edits:
        return
    edit = data.draw(st.sampled_from(edits))
    funcs = list(valid.module.funcs)
    funcs[number] = with_code(func, edit.applied(func.body))
    try:
        changed = validate(decode(encode(m.Module(**{**fields_of(valid.module), "funcs": tuple(funcs)}))))
    except Rejected as error:
        # A local that cannot be null may have lost what set it; code may be too short to be unreachable.
        assert "local" in str(error) or "type mismatch" in str(error)  # noqa: PT017
    else:
        assert length(changed.module.funcs[number].body) < length(func.body)


def length(body: Any) -> tuple[int, int]:
    """How many instructions code has: first those that are no drops, several of which may replace one, then all."""
    kinds = [instr.op.kind for instr in instructions(body)]
    return sum(kind != "drop" for kind in kinds), len(kinds)


def code_of(wat: str) -> tuple[m.Func, Any]:
    valid = validate(decode(parse(f"(module (memory 1) (func (param i32) (result i32) {wat}))")))
    (func,) = valid.module.funcs
    return func, effects(valid.context, func)


def mnemonics(code: Any) -> list[str]:
    return [instr.op.mnemonic for instr in code]


def test_edits_find_what_can_go() -> None:
    func, known = code_of("(i32.store (i32.const 0) (i32.const 1)) nop (i32.add (local.get 0) (i32.const 2))")
    removed = [mnemonics(edit.applied(func.body)) for edit in removals(func.body, known)]
    assert ["i32.const", "i32.const", "i32.store", "local.get", "i32.const", "i32.add"] in removed, "nop"
    assert ["local.get", "i32.const", "i32.add"] in removed, "both statements"
    simpler = [mnemonics(edit.applied(func.body))[4:] for edit in simpler_values(func.body, known)]
    assert ["i32.const"] in simpler
    assert ["local.get"] in simpler, "an operand in place of the sum"
    func, known = code_of("(i32.const 5) (i32.store (i32.const 0) (i32.const 1)) drop (local.get 0)")
    taken = [mnemonics(edit.applied(func.body)) for edit in unused(func.body, known)]
    assert ["i32.const", "i32.const", "i32.store", "local.get"] in taken
    assert ["i32.const", "i32.const", "i32.const", "drop", "drop", "drop", "local.get"] in taken
    func, known = code_of("(br_table 0 0 0 (i32.load offset=9 align=1 (i32.const 77)) (local.get 0))")
    assert len(list(simpler_immediates(func.body, known))) >= 4


def test_blocks_are_taken_away_where_nothing_branches_to_them() -> None:
    func, known = code_of("(block (result i32) (block (br_if 1 (i32.const 7) (local.get 0)) drop) (i32.const 3))")
    (outer,) = func.body
    assert lifted(outer.bodies[0]) is None
    (freed,) = [edit for edit in unwrapped(func.body, known) if edit.path]
    inner = freed.applied(func.body)[0].bodies[0]
    assert mnemonics(inner) == ["i32.const", "local.get", "br_if", "drop", "i32.const"]
    assert inner[2].immediates == (0,)


def test_reduction_keeps_what_has_to_hold() -> None:
    wasm = parse(WAT)

    def holds(candidate: bytes) -> bool:
        return any(
            i.op.kind == "memory.size" or i.op.mnemonic == "i32.load8_u"
            for f in decode(candidate).funcs
            for i in instructions(f.body)
        )

    reducer = Reducer(wasm, holds, 20.0)
    reduced = decode(reducer.run())
    assert sum(len(list(instructions(func.body))) for func in reduced.funcs) <= 4
    assert holds(reducer.wasm)
    assert reducer.tried > 10
    assert len(reduced.exports) + len(reduced.datas) + len(reduced.globals) == 0
    assert Reducer(wasm, lambda _: True, 0.0).run() == wasm


def test_items_are_taken_out_and_the_rest_is_renumbered() -> None:
    wasm = parse(WAT)
    module = decode(wasm)
    fewer = without(module, "func", 0)
    validate(decode(encode(fewer)))
    assert size(fewer, "func") == size(module, "func") - 1
    assert [(e.name, e.index) for e in fewer.exports if e.kind == "func"] == [("set", 1), ("other", 2), ("f", 3)]
    with pytest.raises(UsedError):
        without(module, "func", 1)
    with pytest.raises(UsedError):
        without(module, "memory", 0)
    assert not without(module, "data", 0).datas


def test_imports_are_taken_out_too() -> None:
    module = decode(parse('(module (import "a" "b" (func)) (import "a" "c" (func $c)) (func (export "f") (call $c)))'))
    fewer = without(module, "func", 0)
    assert [each.name for each in fewer.imports] == ["c"]
    assert fewer.funcs[0].body[0].immediates == (0,)
    assert set(FIELDS) == {"func", "table", "memory", "global", "tag", "elem", "data"}
