"""Typing derivations: every instruction with its rule and type, and the types add up."""

import csv
import json
from pathlib import Path

import pytest

from interp.binary.modules import decode
from interp.syntax.instructions import Instr
from interp.syntax.types import F32, F64, I32, I64, ResultType
from interp.validation.derivation import MAX_SHOWN, Node, derivation_text, derive
from interp.validation.modules import ValidModule, validate
from tests_support import parse, wascc

ROOT = Path(__file__).parents[2]
RULES = ROOT / "tests" / "data" / "spectec-rules.csv"

RICH = """(module
  (type $s (struct (field (mut i32)) (field i8))) (type $a (array (mut i16))) (type $ft (func (param i32) (result i64)))
  (tag $t (param i32)) (memory 1) (table $tab 3 funcref) (global $g (mut f64) (f64.const 1)) (elem declare func $callee)
  (func $callee (type $ft) (i64.const 1))
  (func $blocks (param i32 f32) (result f64) (local i64 v128)
    (i64.const 7)
    (block (result f64)
      (f64.const 2) (local.get 0) (br_if 0)
      (drop) (i32.const 1) (block (param i32) (result f64) (drop) (f64.const 3)))
    (f64.add (global.get $g))
    (local.set 2 (i64.add (local.get 2) (i64.const 1)))
    (drop (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.load (i32.const 4)))))
    (br_table 0 0 (local.get 0)) (unreachable))
  (func $heap (result i32) (local (ref null $s))
    (local.set 0 (struct.new $s (i32.const 1) (i32.const 2)))
    (struct.set $s 0 (local.get 0) (array.len (array.new_fixed $a 2 (i32.const 1) (i32.const 2))))
    (drop (ref.cast (ref null $s) (ref.null any)))
    (block $h (result i32) (try_table (catch $t $h) (throw $t (i32.const 1))) (i32.const 2)))
  (func $calls (param i32) (result i64)
    (drop (call $callee (local.get 0)))
    (drop (call_indirect $tab (type $ft) (local.get 0) (i32.const 0)))
    (drop (call_ref $ft (local.get 0) (ref.func $callee)))
    (drop (select (i64.const 1) (i64.const 2) (local.get 0)))
    (loop (result i64) (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
      (v128.store (i32.const 0) (i32x4.splat (local.get 0))) (return_call $callee (local.get 0)))))"""


def valid(wat: str) -> ValidModule:
    return validate(decode(parse(wat)))


def nodes_of(module: ValidModule, index: int) -> list[Node]:
    imported = len(module.context.funcs) - len(module.module.funcs)
    return list(derive(module.context, module.module.funcs[index - imported]))


def count(instrs: tuple[Instr, ...]) -> int:
    return sum(1 + sum(map(count, instr.bodies)) for instr in instrs)


@pytest.mark.parametrize("index", range(4))
def test_every_instruction_has_a_rule_of_the_specification(index: int) -> None:
    module = valid(RICH)
    nodes = nodes_of(module, index)
    assert len(nodes) == count(module.module.funcs[index].body)
    with RULES.open() as file:
        rules = {f"{row['relation']}/{row['rule']}".rstrip("/") for row in csv.DictReader(file)}
    assert {node.rule for node in nodes} <= rules


ENDS = {"br", "br_table", "return", "return_call", "throw", "unreachable"}


@pytest.mark.parametrize("index", range(4))
def test_types_add_up_along_every_block(index: int) -> None:
    module = valid(RICH)
    nodes = {node.instr: node for node in nodes_of(module, index)}
    pending = [(module.module.funcs[index].body, list[object]())]
    checked = 0
    while pending:
        body, stack = pending.pop()
        for instr in body:
            node = nodes[instr]
            assert stack == list(node.operands)
            assert len(stack) == node.height
            assert stack[len(stack) - len(node.popped) :] == list(node.popped)
            stack = [*stack[: len(stack) - len(node.popped)], *node.pushed]
            for inner in instr.bodies:
                pending.append((inner, list(module.context.blocktype(instr.immediates[0]).params)))
            checked += 1
            if instr.op.kind in ENDS:
                break
    assert checked > len(nodes) // 2


def test_what_the_rules_look_up_is_told() -> None:
    context = {entry for node in nodes_of(valid(RICH), 1) for entry in node.context}
    assert {"C.locals[0] = i32", "C.labels[0] = [f64]", "C.globals[0] = (mut f64)", "C.mems[0] = 1"} <= context
    context = {entry for node in nodes_of(valid(RICH), 3) for entry in node.context}
    assert {"C.funcs[0] = [i32] -> [i64]", "C.tables[0] = 3 funcref", "C.types[2] = (func [i32] -> [i64])"} <= context


@pytest.mark.parametrize(
    ("body", "popped", "pushed"),
    [
        ("(i32.add (i32.const 1) (i32.const 2)) drop", (I32, I32), (I32,)),
        ("(f64.const 1) (br_if 0 (i32.const 1)) drop", (I32,), ()),
        ("(i64.const 1) (block (param i64) drop)", (I64,), ()),
        ("(drop (select (f32.const 1) (f32.const 2) (i32.const 0)))", (F32, F32, I32), (F32,)),
        ("(drop (f64.promote_f32 (f32.const 1)))", (F32,), (F64,)),
        ("(br 0) (i32.add) drop", (I32, I32), (I32,)),
    ],
)
def test_the_type_of_an_instruction(body: str, popped: ResultType, pushed: ResultType) -> None:
    nodes = nodes_of(valid(f"(module (func {body}))"), 0)
    assert (popped, pushed) in [(node.popped, node.pushed) for node in nodes]


def test_a_node_holds_few_operands_however_many_there_are() -> None:
    body = "(i64.const 1) " * 3000 + "drop " * 3000
    nodes = nodes_of(valid(f"(module (func {body}))"), 0)
    assert max(node.height for node in nodes) == 3000
    assert max(len(node.operands) for node in nodes) == MAX_SHOWN
    text = list(derivation_text(*((v := valid(f"(module (func {body}))")).context, v.module.funcs[0])))
    assert max(map(len, text)) < 200


def test_the_command_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "rich.wasm"
    path.write_bytes(parse(RICH))
    done = wascc("validate", path, "--derivation", "callee")
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines()[0] == "Func_ok: [i32] -> [i64]"
    assert "Instr_ok/const; operands []" in done.stdout
    data = json.loads(wascc("validate", path, "--derivation", "blocks", "--json").stdout)
    assert data["function"] == 1
    assert [node["offset"] for node in data["instructions"]] == [n.instr.offset for n in nodes_of(valid(RICH), 1)]
    missing = wascc("validate", path, "--derivation", "none")
    assert (missing.returncode, missing.stderr) == (1, "error: the module defines no function 'none'\n")
    bad = tmp_path / "bad.wat"
    bad.write_text("(module (func $f (result i32) (i64.const 1)))")
    assert "type mismatch" in wascc("validate", bad, "--derivation", "f").stderr


@pytest.mark.parametrize("name", ["gcd", "report"])
def test_the_examples_are_the_same_in_both_formats(name: str) -> None:
    folder = ROOT / "examples" / "study"
    assert parse((folder / f"{name}.wat").read_text()) == (folder / f"{name}.wasm").read_bytes()
