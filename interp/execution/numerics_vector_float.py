"""Floating-point operators on every lane of a vector, as pure functions.

`fvadd(sh, v1, v2)` is fadd_N on each pair of lanes: fvbinop_sh(fadd, v1, v2) in the words of the specification, and so
on. All but fabs and fneg, which only change sign bits, are made from the operator on one lane.

Metavariables: sh a shape of float lanes, N its width in bits, v a v128, z an fN.

Spec: exec/numerics#float-ops, exec/instructions#exec-instr-vec
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from interp.execution import numerics_float as f
from interp.execution.numerics_vector import REST, SIGNED, SIGNS, flanes, inv_flanes
from interp.syntax.shapes import Shape

Vector = TypeVar("Vector", bound=Callable[..., int])


def named(lanewise: Vector, operator: Callable[..., object]) -> Vector:
    """Call a lane-wise operator after the operator on one lane (fadd: fvadd), and document it with it."""
    lanewise.__name__ = lanewise.__qualname__ = f"fv{operator.__name__[1:]}"
    source = (operator.__doc__ or "").partition("Spec: ")[2]
    lanewise.__doc__ = f"{operator.__name__} on each lane.  Spec: {source}"
    return lanewise


def fvunop(operator: Callable[[int, float], float]) -> Callable[[Shape, int], int]:
    """fvunop_sh(f, v): the function (sh, v) -> v128 that applies f_N to each lane."""

    def lanewise(sh: Shape, v: int) -> int:
        N = sh.N
        return inv_flanes(N, [operator(N, z) for z in flanes(N, v)])

    return named(lanewise, operator)


def fvbinop(operator: Callable[[int, float, float], float]) -> Callable[[Shape, int, int], int]:
    """fvbinop_sh(f, v1, v2): the function (sh, v1, v2) -> v128 that applies f_N to each pair of lanes."""

    def lanewise(sh: Shape, v1: int, v2: int) -> int:
        N = sh.N
        return inv_flanes(N, [operator(N, z1, z2) for z1, z2 in zip(flanes(N, v1), flanes(N, v2), strict=True)])

    return named(lanewise, operator)


def fvternop(operator: Callable[[int, float, float, float], float]) -> Callable[[Shape, int, int, int], int]:
    """fvternop_sh(f, v1, v2, v3): the function (sh, v1, v2, v3) -> v128 that applies f_N to each triple of lanes."""

    def lanewise(sh: Shape, v1: int, v2: int, v3: int) -> int:
        N = sh.N
        triples = zip(flanes(N, v1), flanes(N, v2), flanes(N, v3), strict=True)
        return inv_flanes(N, [operator(N, z1, z2, z3) for z1, z2, z3 in triples])

    return named(lanewise, operator)


def fvrelop(operator: Callable[[int, float, float], int]) -> Callable[[Shape, int, int], int]:
    """fvrelop_sh(f, v1, v2): the function (sh, v1, v2) -> v128 whose lanes are all ones where f_N is 1, else 0."""

    def lanewise(sh: Shape, v1: int, v2: int) -> int:
        N = sh.N
        lanes = [-operator(N, z1, z2) for z1, z2 in zip(flanes(N, v1), flanes(N, v2), strict=True)]
        return int.from_bytes(SIGNED[N].pack(*lanes), "little")

    return named(lanewise, operator)


def fvabs(sh: Shape, v: int) -> int:
    """fabs on each lane.  Spec: exec/numerics#op-fabs"""
    return v & REST[sh.N]


def fvneg(sh: Shape, v: int) -> int:
    """fneg on each lane.  Spec: exec/numerics#op-fneg"""
    return v ^ SIGNS[sh.N]


def fpmin(N: int, z1: float, z2: float) -> float:
    """fpmin_N(z1, z2): z2 if it is smaller, else z1, which may be a NaN.  z1, z2 fN.
    Spec: exec/numerics#op-fpmin"""
    return z2 if z2 < z1 else z1


def fpmax(N: int, z1: float, z2: float) -> float:
    """fpmax_N(z1, z2): z2 if it is larger, else z1, which may be a NaN.  z1, z2 fN.
    Spec: exec/numerics#op-fpmax"""
    return z2 if z1 < z2 else z1


fvsqrt, fvceil, fvfloor = fvunop(f.fsqrt), fvunop(f.fceil), fvunop(f.ffloor)
fvtrunc, fvnearest = fvunop(f.ftrunc), fvunop(f.fnearest)

fvadd, fvsub, fvmul, fvdiv = fvbinop(f.fadd), fvbinop(f.fsub), fvbinop(f.fmul), fvbinop(f.fdiv)
fvmin, fvmax, fvpmin, fvpmax = fvbinop(f.fmin), fvbinop(f.fmax), fvbinop(fpmin), fvbinop(fpmax)

fveq, fvne, fvlt = fvrelop(f.feq), fvrelop(f.fne), fvrelop(f.flt)
fvgt, fvle, fvge = fvrelop(f.fgt), fvrelop(f.fle), fvrelop(f.fge)
