"""NaNs keep their bits wherever a value goes, and the one that an operator gives is the positive canonical one wherever
its bits are seen, although compiled code computes with whatever Python makes of it.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from compiled_support import compiled, exports_of, store_of

from interp.execution.values import fbits, inv_fbits
from interp.syntax.types import F32, F64, FuncType, ValType

CARRIERS = {
    "nothing": "{x}",
    "local": "(local.set $z {x}) (local.get $z)",
    "tee": "(drop (local.tee $z {x})) (local.get $z)",
    "two locals": "(local.set $z {x}) (local.set $y (local.get $z)) (local.get $y)",
    "global": "(global.set $gT {x}) (global.get $gT)",
    "memory": "(T.store (local.get $a) {x}) (T.load (local.get $a))",
    "aligned memory": "(T.store offset=8 (i32.const 64) {x}) (T.load (i32.const 72))",
    "misaligned memory": "(T.store offset=3 (local.get $a) {x}) (T.load offset=3 (local.get $a))",
    "bytes": "(T.store (i32.const 80) {x}) (T.reinterpret_I (I.load (i32.const 80)))",
    "call": "(call $idT {x})",
    "call with others": "(call $secondT (i32.const 1) {x} (i64.const 2))",
    "two results": "(call $twiceT {x}) (drop)",
    "the other result": "(call $twiceT {x}) (local.set $z) (drop) (local.get $z)",
    "call_indirect": "(call_indirect (type $tT) {x} (i32.const ELEM))",
    "call_ref": "(call_ref $tT {x} (ref.func $idT))",
    "tail call": "(call $tailT {x})",
    "host": "(call $hostT {x})",
    "select": "(select {x} (T.const 1) (local.get $a))",
    "select, the other": "(select (T.const 1) {x} (i32.eqz (local.get $a)))",
    "block": "(block (result T) {x})",
    "branch": "(block (result T) (br 0 {x}))",
    "br_if": "(block (result T) (drop (br_if 0 {x} (local.get $a))) (T.const 1))",
    "br_table": "(block (result T) (block (result T) (br_table 0 1 {x} (i32.and (local.get $a) (i32.const 1)))))",
    "if": "(if (result T) (local.get $a) (then {x}) (else (T.const 0)))",
    "loop parameter": "{x} (loop (param T) (result T) (br_if 0 (i32.eqz (local.tee $a (i32.xor (local.get $a)"
    " (i32.const 8))))))",
    "struct": "(struct.get $sT 0 (struct.new $sT {x}))",
    "struct, set": "(local.set $s (struct.new_default $sT)) (struct.set $sT 0 (ref.cast (ref $sT) (local.get $s)) {x})"
    " (struct.get $sT 0 (ref.cast (ref $sT) (local.get $s)))",
    "array": "(array.get $aT (array.new $aT {x} (i32.const 3)) (i32.const 2))",
    "array, fixed": "(array.get $aT (array.new_fixed $aT 2 (T.const 1) {x}) (i32.const 1))",
    "exception": "(block (result T) (try_table (result T) (catch $eT 0) (throw $eT {x})))",
    "exception of a callee": "(block (result T) (try_table (result T) (catch $eT 0) (call $throwT {x})))",
    "vector": "(SHAPE.extract_lane 1 (SHAPE.splat {x}))",
    "vector, replaced": "(SHAPE.extract_lane 0 (SHAPE.replace_lane 0 (v128.const i64x2 1 2) {x}))",
    "return": "(return {x})",
}
"""Ways from {x} to the result, all of which change nothing. `a` is a local that holds 8."""

MODULE = """(module
  (type $tf32 (func (param f32) (result f32))) (type $tf64 (func (param f64) (result f64)))
  (type $sf32 (struct (field (mut f32)))) (type $sf64 (struct (field (mut f64))))
  (type $af32 (array (mut f32))) (type $af64 (array (mut f64)))
  (import "h" "f32" (func $hostf32 (param f32) (result f32)))
  (import "h" "f64" (func $hostf64 (param f64) (result f64)))
  (memory (export "memory") 1) (table funcref (elem $idf32 $idf64))
  (global $gf32 (export "gf32") (mut f32) (f32.const 0)) (global $gf64 (export "gf64") (mut f64) (f64.const 0))
  (tag $ef32 (param f32)) (tag $ef64 (param f64))
  COMMON
  FUNCTIONS)"""
COMMON = """
  (func $idT (type $tT) (local.get 0))
  (func $secondT (param i32 T i64) (result T) (local.get 1))
  (func $twiceT (param T) (result T T) (local.get 0) (local.get 0))
  (func $tailT (param T) (result T) (return_call $idT (local.get 0)))
  (func $throwT (param T) (result T) (throw $eT (local.get 0)))"""

SOURCES = {
    "bits": "(T.reinterpret_I (local.get $i))",
    "negated": "(T.neg (T.neg (T.reinterpret_I (local.get $i))))",
    "copysign": "(T.copysign (T.reinterpret_I (local.get $i)) (T.reinterpret_I (local.get $i)))",
    "sum": "(T.add (T.reinterpret_I (local.get $i)) (T.const 1))",
    "difference": "(T.sub (T.const inf) (T.const inf))",
    "invalid": "(T.div (T.mul (T.reinterpret_I (local.get $i)) (T.const 0)) (T.const 0))",
    "root": "(T.sqrt (T.neg (T.abs (T.add (T.reinterpret_I (local.get $i)) (T.const 2)))))",
    "converted": "CONVERTED",
    "least": "(T.min (T.reinterpret_I (local.get $i)) (T.const 3))",
    "rounded": "(T.nearest (T.reinterpret_I (local.get $i)))",
    "negative": "(T.neg (T.sub (T.const inf) (T.const inf)))",
    "magnitude": "(T.abs (T.neg (T.mul (T.reinterpret_I (local.get $i)) (T.const 1))))",
    "chosen": "(select (T.reinterpret_I (local.get $i)) (T.sub (T.const inf) (T.const inf)) (local.get $a))",
}
"""NaNs of the bits i, and what operators make of them."""

KEPT = ("bits", "negated", "copysign", "chosen")
"""Sources that give the bits as they were; of all others come canonical NaNs, `negative` is a negative one."""

TYPES: dict[str, ValType] = {"f32": F32, "f64": F64}
NANS = {"f32": (0x7FA00001, 0xFFC00123, 0x7FC00000, 0xFFFFFFFF, 0xFF800001)}
NANS["f64"] = (0x7FF4000000000001, 0xFFF8000000000123, 0x7FF8 << 48, (1 << 64) - 1, (0xFFF << 52) + 1)


def written(text: str, t: str) -> str:
    """A text for a type."""
    other, there, back = ("f64", "promote_f32", "demote_f64") if t == "f32" else ("f32", "demote_f64", "promote_f32")
    converted = f"({t}.{back} ({other}.{there} (T.reinterpret_I (local.get $i))))"
    shape, elem = ("f32x4", "0") if t == "f32" else ("f64x2", "1")
    text = text.replace("CONVERTED", converted).replace("SHAPE", shape).replace("ELEM", elem)
    text = text.replace("reinterpret_I", f"reinterpret_i{t[1:]}").replace("(I.", f"(i{t[1:]}.")
    for before in "($ ":
        text = text.replace(f"{before}T.", f"{before}{t}.")
    for mark in ("$g", "$id", "$second", "$twice", "$t", "$tail", "$host", "$s", "$a", "$e", "$throw"):
        text = text.replace(f"{mark}T", f"{mark}{t}")
    return text.replace(" T)", f" {t})").replace(" T ", f" {t} ").replace("(param T", f"(param {t}")


def functions() -> str:
    """Each source by each carrier, bits to bits."""
    texts = []
    for t, (source, x), (carrier, text) in product(TYPES, SOURCES.items(), CARRIERS.items()):
        N = t[1:]
        body = written(text.replace("{x}", x), t)
        texts.append(
            f"(func $inner{len(texts)} (param $i i{N}) (result {t}) (local $a i32) (local $y {t}) (local $z {t})"
            f" (local $s (ref null any)) (local.set $a (i32.const 8)) {body})"
            f' (func (export "{t} {source} {carrier}") (param i{N}) (result i{N})'
            f" (i{N}.reinterpret_{t} (call $inner{len(texts)} (local.get 0))))"
        )
    return " ".join(texts)


TEXT = MODULE.replace("COMMON", written(COMMON, "f32") + written(COMMON, "f64")).replace("FUNCTIONS", functions())


@pytest.fixture(scope="module")
def exports() -> Any:
    """The module, with hosts that give back what they get."""
    store = store_of("compiled")
    hosts = [store.func_alloc(FuncType((t,), (t,)), lambda z: z) for t in TYPES.values()]
    return store.instantiate(compiled("compiled", TEXT), hosts).exports


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("t", TYPES)
def test_nans_on_their_way(exports: Any, t: str, carrier: str) -> None:
    N = int(t[1:])
    canonical = 0x7FC00000 if N == 32 else 0x7FF8 << 48
    for source, bits in product(SOURCES, NANS[t]):
        wanted = bits if source in KEPT else canonical
        if source == "negative":
            wanted |= 1 << (N - 1)
        found = exports[f"{t} {source} {carrier}"](bits) % (1 << N)
        assert found == wanted, (source, hex(bits), hex(found), hex(wanted))


@pytest.mark.parametrize("t", TYPES)
def test_what_others_see(exports: Any, t: str) -> None:
    """Globals, and the bytes of memory, as the host reads them."""
    N = int(t[1:])
    canonical = 0x7FC00000 if N == 32 else 0x7FF8 << 48
    for source, bits in product(("bits", "sum", "converted"), NANS[t]):
        wanted = bits if source in KEPT else canonical
        exports[f"{t} {source} global"](bits)
        assert fbits(N, exports[f"g{t}"].value) == wanted
        exports[f"{t} {source} aligned memory"](bits)
        assert int.from_bytes(exports["memory"].read(72, N // 8), "little") == wanted


def test_arguments_and_results() -> None:
    """Floats that come from the host and go there, without being computed with in between."""
    text = " ".join(
        f'(func (export "{t}") (param {t}) (result {t}) (local.get 0))'
        f'(func (export "{t} sum") (param {t}) (result {t}) ({t}.add (local.get 0) ({t}.const 1)))'
        f'(func (export "{t} two") (param {t}) (result {t} {t}) (local.get 0) ({t}.mul (local.get 0) (local.get 0)))'
        for t in TYPES
    )
    exports = exports_of("compiled", f"(module {text})")
    for t in TYPES:
        N = int(t[1:])
        canonical = 0x7FC00000 if N == 32 else 0x7FF8 << 48
        for bits in NANS[t]:
            z = inv_fbits(N, bits)
            assert fbits(N, exports[t](z)) == bits
            assert fbits(N, exports[f"{t} sum"](z)) == canonical
            assert [fbits(N, each) for each in exports[f"{t} two"](z)] == [bits, canonical]
