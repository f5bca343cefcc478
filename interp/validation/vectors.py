"""Typing of vector instructions with lane indices, and of loads and stores of vectors (specification 3.4).

Spec: valid/instructions#vector-instructions
"""

from __future__ import annotations

from interp.errors import Invalid
from interp.syntax.instructions import Instr
from interp.syntax.types import V128
from interp.validation.algorithm import Validator
from interp.validation.memories import memory_of
from interp.validation.rules import instr_ok


def lane_ok(laneidx: int, bound: int) -> None:
    """laneidx < bound.  Raises Invalid("invalid lane index")."""
    if laneidx >= bound:
        raise Invalid(f"invalid lane index {laneidx}: there are {bound} lanes")


@instr_ok("vshuffle")
def vshuffle(v: Validator, instr: Instr) -> None:
    """sh.shuffle i* : v128 v128 -> v128"""
    (sh,) = instr.op.params
    for laneidx in instr.immediates[0]:
        lane_ok(laneidx, 2 * sh.dim)
    v.expect_all((V128, V128))
    v.push(V128)


@instr_ok("vextract_lane")
def vextract_lane(v: Validator, instr: Instr) -> None:
    """sh.extract_lane_sx? i : v128 -> unpack(sh)"""
    (sh,) = instr.op.params
    lane_ok(instr.immediates[0], sh.dim)
    v.expect(V128)
    v.push(sh.unpacked)


@instr_ok("vreplace_lane")
def vreplace_lane(v: Validator, instr: Instr) -> None:
    """sh.replace_lane i : v128 unpack(sh) -> v128"""
    (sh,) = instr.op.params
    lane_ok(instr.immediates[0], sh.dim)
    v.expect_all((V128, sh.unpacked))
    v.push(V128)


@instr_ok("vload")
def vload(v: Validator, instr: Instr) -> None:
    """v128.loadN_variant x memarg : at -> v128"""
    width = instr.op.params[1]
    v.expect(memory_of(v, instr.immediates[0], width).addrtype.numtype)
    v.push(V128)


@instr_ok("vload_lane")
def vload_lane(v: Validator, instr: Instr) -> None:
    """v128.loadN_lane x memarg i : at v128 -> v128"""
    memarg, laneidx = instr.immediates
    _, width, sh = instr.op.params
    mem = memory_of(v, memarg, width)
    lane_ok(laneidx, sh.dim)
    v.expect_all((mem.addrtype.numtype, V128))
    v.push(V128)


@instr_ok("vstore")
def vstore(v: Validator, instr: Instr) -> None:
    """v128.store x memarg : at v128 -> []"""
    width = instr.op.params[1]
    mem = memory_of(v, instr.immediates[0], width)
    v.expect_all((mem.addrtype.numtype, V128))


@instr_ok("vstore_lane")
def vstore_lane(v: Validator, instr: Instr) -> None:
    """v128.storeN_lane x memarg i : at v128 -> []"""
    memarg, laneidx = instr.immediates
    _, width, sh = instr.op.params
    mem = memory_of(v, memarg, width)
    lane_ok(laneidx, sh.dim)
    v.expect_all((mem.addrtype.numtype, V128))
