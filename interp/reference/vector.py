"""Reduction of vector instructions (specification 4.6): each rule serves all rows of its kind, whose meaning is the
numerics function in the instruction table.

`c` is the configuration, `x` the operand prepared for the instruction, `sh` a shape, `i` a lane index. A rule that the
specification gives a set of results takes the one that its deterministic profile names. The rules vunop-trap,
vbinop-trap and vternop-trap are for operators that are not defined everywhere, of which there is none today.
Spec: exec/instructions#vector-instructions
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from interp.errors import Trap
from interp.reference.configuration import VALUE, Config, RuleFunction, family, operand, rule
from interp.reference.numeric import meaning
from interp.syntax.instructions import Instr, Op
from interp.syntax.types import DefType, PackType


def operator(op: Op) -> Callable[..., Any]:
    """The numerics function of a row, its shapes filled in."""
    return partial(meaning(op), *op.params)


def unary(op: Op, name: str) -> RuleFunction:
    """val1 op ~> val by the rule `name`"""
    apply_operator = operator(op)

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        vals[-1] = apply_operator(vals[-1])
        return name

    return apply


def binary(op: Op, name: str) -> RuleFunction:
    """val1 val2 op ~> val by the rule `name`"""
    apply_operator = operator(op)

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        val2 = vals.pop()
        vals[-1] = apply_operator(vals[-1], val2)
        return name

    return apply


def ternary(op: Op, name: str) -> RuleFunction:
    """val1 val2 val3 op ~> val by the rule `name`"""
    apply_operator = operator(op)

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        val3, val2 = vals.pop(), vals.pop()
        vals[-1] = apply_operator(vals[-1], val2, val3)
        return name

    return apply


@rule("vconst")
def vconst(c: Config, x: int) -> str:
    """v128.const c is a value."""
    c.vals.append(x)
    return VALUE


@family("vvunop", "Step_pure/vvunop")
def vvunop(op: Op) -> RuleFunction:
    """(v128.const c1) v128.vvunop ~> (v128.const c), c = vvunop(c1)"""
    return unary(op, "Step_pure/vvunop")


@family("vvbinop", "Step_pure/vvbinop")
def vvbinop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) v128.vvbinop ~> (v128.const c), c = vvbinop(c1, c2)"""
    return binary(op, "Step_pure/vvbinop")


@family("vvternop", "Step_pure/vvternop")
def vvternop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) (v128.const c3) v128.vvternop ~> (v128.const c), c = vvternop(c1, c2, c3)"""
    return ternary(op, "Step_pure/vvternop")


@family("vvtestop", "Step_pure/vvtestop")
def vvtestop(op: Op) -> RuleFunction:
    """(v128.const c1) v128.any_true ~> (i32.const c), c = 1 if c1 != 0, else 0"""
    return unary(op, "Step_pure/vvtestop")


@family("vunop", "Step_pure/vunop-val", "Step_pure/vunop-trap")
def vunop(op: Op) -> RuleFunction:
    """(v128.const c1) sh.vunop ~> (v128.const c), c = vunop_sh(c1), or trap where it is not defined"""
    apply_operator = operator(op)

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        try:
            vals[-1] = apply_operator(vals[-1])
        except Trap as trap:
            vals.pop()
            return c.trap(trap.kind, "Step_pure/vunop-trap")
        return "Step_pure/vunop-val"

    return apply


@family("vbinop", "Step_pure/vbinop-val", "Step_pure/vbinop-trap")
def vbinop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) sh.vbinop ~> (v128.const c), c = vbinop_sh(c1, c2), or trap where it is not
    defined"""
    apply_operator = operator(op)

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        c2 = vals.pop()
        try:
            vals[-1] = apply_operator(vals[-1], c2)
        except Trap as trap:
            vals.pop()
            return c.trap(trap.kind, "Step_pure/vbinop-trap")
        return "Step_pure/vbinop-val"

    return apply


@family("vternop", "Step_pure/vternop-val", "Step_pure/vternop-trap")
def vternop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) (v128.const c3) sh.vternop ~> (v128.const c), c = vternop_sh(c1, c2, c3), or trap
    where it is not defined"""
    apply_operator = operator(op)

    def apply(c: Config, x: None) -> str:
        vals = c.vals
        c3, c2 = vals.pop(), vals.pop()
        try:
            vals[-1] = apply_operator(vals[-1], c2, c3)
        except Trap as trap:
            vals.pop()
            return c.trap(trap.kind, "Step_pure/vternop-trap")
        return "Step_pure/vternop-val"

    return apply


@family("vtestop", "Step_pure/vtestop")
def vtestop(op: Op) -> RuleFunction:
    """(v128.const c1) sh.vtestop ~> (i32.const c), c = vtestop_sh(c1)"""
    return unary(op, "Step_pure/vtestop")


@family("vrelop", "Step_pure/vrelop")
def vrelop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) sh.vrelop ~> (v128.const c), c = vrelop_sh(c1, c2)"""
    return binary(op, "Step_pure/vrelop")


@family("vshiftop", "Step_pure/vshiftop")
def vshiftop(op: Op) -> RuleFunction:
    """(v128.const c1) (i32.const i) sh.vshiftop ~> (v128.const c), c = vshiftop_sh(c1, i)"""
    return binary(op, "Step_pure/vshiftop")


@family("vbitmask", "Step_pure/vbitmask")
def vbitmask(op: Op) -> RuleFunction:
    """(v128.const c1) sh.bitmask ~> (i32.const c), c = vbitmaskop_sh(c1)"""
    return unary(op, "Step_pure/vbitmask")


@family("vswizzlop", "Step_pure/vswizzlop")
def vswizzlop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) sh.vswizzlop ~> (v128.const c), c = vswizzlop_sh(c1, c2)"""
    return binary(op, "Step_pure/vswizzlop")


@operand("vshuffle")
def prepare_vshuffle(instr: Instr, types: list[DefType]) -> bytes:
    """The sixteen lane indices."""
    return bytes(instr.immediates[0])


@family("vshuffle", "Step_pure/vshuffle")
def vshuffle(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) (sh.shuffle i*) ~> (v128.const c), c = vshufflop_sh(i*, c1, c2)"""
    apply_operator = operator(op)

    def apply(c: Config, x: bytes) -> str:
        vals = c.vals
        c2 = vals.pop()
        vals[-1] = apply_operator(x, vals[-1], c2)
        return "Step_pure/vshuffle"

    return apply


@family("vsplat", "Step_pure/vsplat")
def vsplat(op: Op) -> RuleFunction:
    """(t.const c1) sh.splat ~> (v128.const c), c1 in every lane of c"""
    return unary(op, "Step_pure/vsplat")


@family("vextract_lane", "Step_pure/vextract_lane-num", "Step_pure/vextract_lane-pack")
def vextract_lane(op: Op) -> RuleFunction:
    """(v128.const c1) (sh.extract_lane_sx? i) ~> (t.const c2), c2 the lane i of c1, extended if it is packed"""
    apply_operator = operator(op)
    packed = isinstance(op.params[0].lanetype, PackType)
    name = "Step_pure/vextract_lane-pack" if packed else "Step_pure/vextract_lane-num"

    def apply(c: Config, i: int) -> str:
        vals = c.vals
        vals[-1] = apply_operator(i, vals[-1])
        return name

    return apply


@family("vreplace_lane", "Step_pure/vreplace_lane")
def vreplace_lane(op: Op) -> RuleFunction:
    """(v128.const c1) (t.const c2) (sh.replace_lane i) ~> (v128.const c), c is c1 with c2 as lane i"""
    apply_operator = operator(op)

    def apply(c: Config, i: int) -> str:
        vals = c.vals
        c2 = vals.pop()
        vals[-1] = apply_operator(i, vals[-1], c2)
        return "Step_pure/vreplace_lane"

    return apply


@family("vextunop", "Step_pure/vextunop")
def vextunop(op: Op) -> RuleFunction:
    """(v128.const c1) sh2.vextunop_sh1 ~> (v128.const c), c = vextunop_sh1,sh2(c1)"""
    return unary(op, "Step_pure/vextunop")


@family("vextbinop", "Step_pure/vextbinop")
def vextbinop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) sh2.vextbinop_sh1 ~> (v128.const c), c = vextbinop_sh1,sh2(c1, c2)"""
    return binary(op, "Step_pure/vextbinop")


@family("vextternop", "Step_pure/vextternop")
def vextternop(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) (v128.const c3) sh2.vextternop_sh1 ~> (v128.const c),
    c = vextternop_sh1,sh2(c1, c2, c3)"""
    return ternary(op, "Step_pure/vextternop")


@family("vnarrow", "Step_pure/vnarrow")
def vnarrow(op: Op) -> RuleFunction:
    """(v128.const c1) (v128.const c2) sh2.narrow_sh1_sx ~> (v128.const c), c = vnarrowop_sh1,sh2(c1, c2)"""
    return binary(op, "Step_pure/vnarrow")


@family("vcvtop", "Step_pure/vcvtop")
def vcvtop(op: Op) -> RuleFunction:
    """(v128.const c1) sh2.vcvtop_sh1 ~> (v128.const c), c = vcvtop_sh1,sh2(c1)"""
    return unary(op, "Step_pure/vcvtop")
