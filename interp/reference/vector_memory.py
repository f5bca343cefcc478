"""Reduction of the loads and stores of vectors (specification 4.6).

`c` is the configuration, `x` the memory argument, `i` an address, `j` a lane index, `ea` the effective address.
Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from interp.errors import TrapKind
from interp.reference.configuration import Config, RuleFunction, family
from interp.reference.numeric import meaning
from interp.syntax.instructions import MemArg, Op

OUT_OF_BOUNDS = TrapKind.MEMORY_OUT_OF_BOUNDS


@family(
    "vload",
    "Step_read/vload-oob",
    "Step_read/vload-val",
    "Step_read/vload-pack-oob",
    "Step_read/vload-pack-val",
    "Step_read/vload-splat-oob",
    "Step_read/vload-splat-val",
    "Step_read/vload-zero-oob",
    "Step_read/vload-zero-val",
)
def vload(op: Op) -> RuleFunction:
    """(at.const i) (v128.loadN_variant x) ~> (v128.const c), c made of the N bits at i + x.offset, or trap"""
    _, width, variant, *params = op.params
    n = width // 8
    vector: Callable[[int], int] | None = None if op.sem is None else partial(op.sem, *params)
    name = "Step_read/vload-" if variant == "val" else f"Step_read/vload-{variant}-"
    oob, val = f"{name}oob", f"{name}val"

    def apply(c: Config, x: MemArg) -> str:
        data = c.frame.module.mems[x.memidx].bytes
        vals = c.vals
        ea = vals[-1] + x.offset
        if ea + n > len(data):
            vals.pop()
            return c.trap(OUT_OF_BOUNDS, oob)
        loaded = int.from_bytes(data[ea : ea + n], "little")
        vals[-1] = loaded if vector is None else vector(loaded)
        return val

    return apply


@family("vload_lane", "Step_read/vload_lane-oob", "Step_read/vload_lane-val")
def vload_lane(op: Op) -> RuleFunction:
    """(at.const i) (v128.const c1) (v128.loadN_lane x j) ~> (v128.const c), c is c1 with the N bits at i + x.offset as
    lane j, or trap"""
    _, width, sh = op.params
    n, replace_lane = width // 8, meaning(op)

    def apply(c: Config, operand: tuple[MemArg, int]) -> str:
        x, j = operand
        data = c.frame.module.mems[x.memidx].bytes
        vals = c.vals
        c1 = vals.pop()
        ea = vals[-1] + x.offset
        if ea + n > len(data):
            vals.pop()
            return c.trap(OUT_OF_BOUNDS, "Step_read/vload_lane-oob")
        vals[-1] = replace_lane(sh, j, c1, int.from_bytes(data[ea : ea + n], "little"))
        return "Step_read/vload_lane-val"

    return apply


@family("vstore", "Step/vstore-oob", "Step/vstore-val")
def vstore(op: Op) -> RuleFunction:
    """(at.const i) (v128.const c) (v128.store x) ~> eps, the bytes of c at i + x.offset, or trap"""
    n = op.params[1] // 8

    def apply(c: Config, x: MemArg) -> str:
        data = c.frame.module.mems[x.memidx].bytes
        vals = c.vals
        val = vals.pop()
        ea = vals.pop() + x.offset
        if ea + n > len(data):
            return c.trap(OUT_OF_BOUNDS, "Step/vstore-oob")
        data[ea : ea + n] = val.to_bytes(n, "little")
        return "Step/vstore-val"

    return apply


@family("vstore_lane", "Step/vstore_lane-oob", "Step/vstore_lane-val")
def vstore_lane(op: Op) -> RuleFunction:
    """(at.const i) (v128.const c) (v128.storeN_lane x j) ~> eps, the N bits of lane j of c at i + x.offset, or trap"""
    _, width, sh = op.params
    n, extract_lane = width // 8, meaning(op)

    def apply(c: Config, operand: tuple[MemArg, int]) -> str:
        x, j = operand
        data = c.frame.module.mems[x.memidx].bytes
        vals = c.vals
        val = vals.pop()
        ea = vals.pop() + x.offset
        if ea + n > len(data):
            return c.trap(OUT_OF_BOUNDS, "Step/vstore_lane-oob")
        data[ea : ea + n] = extract_lane(sh, j, val).to_bytes(n, "little")
        return "Step/vstore_lane-val"

    return apply
