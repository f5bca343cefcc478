"""What is known of integers: for each numerics function, the range of its results and their lowest bits, from those of
its operands.

A fact (lo, hi, zeros) says that lo <= i <= hi for the iN as an unsigned number, and that its lowest `zeros` bits are 0.
Functions without a row here may give any iN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.compiled.tree import Expr
from interp.execution.values import MASK
from interp.syntax.types import I32, I64

Fact = tuple[int, int, int]
Facts = dict[str, Fact]
"""Variable -> what is known of it; variables that are not there may have any value of their type."""


WIDTH: dict[Any, int] = {I32: 32, I64: 64}
FULL: dict[Any, Fact] = {t: (0, MASK[N], 0) for t, N in WIDTH.items()}
"""Of each integer type, its width and what holds of all of it."""

SMALL = (1 << 30) - 1
"""Python compares and adds integers up to this fastest."""


def trailing_zeros(i: int) -> int:
    """How many of the lowest bits of a constant are 0; 64 for 0."""
    return (i & -i).bit_length() - 1 if i else 64


def constant(i: int) -> Fact:
    """The fact of a constant."""
    return i, i, trailing_zeros(i)


def join(a: Fact, b: Fact) -> Fact:
    """What holds of both."""
    return min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2])


def implies(a: Fact, b: Fact) -> bool:
    """Whether whatever a holds of, b holds of."""
    return b[0] <= a[0] and a[1] <= b[1] and a[2] >= b[2]


def _iadd(N: int, a: Expr, b: Expr) -> Fact:
    zeros, lo, hi = min(a.zeros, b.zeros), a.lo + b.lo, a.hi + b.hi
    if hi <= MASK[N]:
        return lo, hi, zeros
    if lo > MASK[N]:
        return lo - MASK[N] - 1, hi - MASK[N] - 1, zeros
    return 0, MASK[N], zeros


def _isub(N: int, a: Expr, b: Expr) -> Fact:
    zeros, lo, hi = min(a.zeros, b.zeros), a.lo - b.hi, a.hi - b.lo
    if lo >= 0:
        return lo, hi, zeros
    if hi < 0:
        return lo + MASK[N] + 1, hi + MASK[N] + 1, zeros
    return 0, MASK[N], zeros


def _imul(N: int, a: Expr, b: Expr) -> Fact:
    zeros = min(a.zeros + b.zeros, N)
    if a.hi * b.hi <= MASK[N]:
        return a.lo * b.lo, a.hi * b.hi, zeros
    return 0, MASK[N], zeros


def _iand(N: int, a: Expr, b: Expr) -> Fact:
    lo = 0
    if b.lo == b.hi:
        # A mask that clears only the lowest bits rounds down.
        k, bits = trailing_zeros(b.lo), MASK[a.hi.bit_length()]
        if b.lo & bits == bits >> k << k:
            lo = a.lo >> k << k
    return lo, min(a.hi, b.hi), max(a.zeros, b.zeros)


def _bits(a: Expr, b: Expr) -> int:
    return MASK[max(a.hi, b.hi).bit_length()]


def _ior(N: int, a: Expr, b: Expr) -> Fact:
    return max(a.lo, b.lo), _bits(a, b), min(a.zeros, b.zeros)


def _ixor(N: int, a: Expr, b: Expr) -> Fact:
    return 0, _bits(a, b), min(a.zeros, b.zeros)


def _ishl(N: int, a: Expr, b: Expr) -> Fact:
    if b.lo != b.hi:
        return 0, MASK[N], a.zeros
    k = b.lo % N
    zeros = min(a.zeros + k, N)
    if a.hi << k <= MASK[N]:
        return a.lo << k, a.hi << k, zeros
    return 0, MASK[N] >> k << k, zeros


def _ishr_u(N: int, a: Expr, b: Expr) -> Fact:
    if b.lo != b.hi:
        return (0 if b.hi >= N else a.lo >> b.hi), (a.hi if b.hi >= N else a.hi >> b.lo), 0
    k = b.lo % N
    return a.lo >> k, a.hi >> k, max(a.zeros - k, 0)


def _ishr_s(N: int, a: Expr, b: Expr) -> Fact:
    return _ishr_u(N, a, b) if a.hi <= MASK[N - 1] else (0, MASK[N], 0)


def _idiv_u(N: int, a: Expr, b: Expr) -> Fact:
    return a.lo // b.hi if b.hi else 0, a.hi // max(b.lo, 1), 0


def _irem_u(N: int, a: Expr, b: Expr) -> Fact:
    return 0, min(a.hi, max(b.hi - 1, 0)), 0


def _idiv_s(N: int, a: Expr, b: Expr) -> Fact:
    return _idiv_u(N, a, b) if max(a.hi, b.hi) <= MASK[N - 1] else (0, MASK[N], 0)


def _irem_s(N: int, a: Expr, b: Expr) -> Fact:
    return _irem_u(N, a, b) if max(a.hi, b.hi) <= MASK[N - 1] else (0, MASK[N], 0)


def _count(N: int, a: Expr) -> Fact:
    return 0, N, 0


def _truth(*_: object) -> Fact:
    return 0, 1, 0


def _wrap(M: int, N: int, a: Expr) -> Fact:
    return (a.lo, a.hi, a.zeros) if a.hi <= MASK[N] else (0, MASK[N], min(a.zeros, N))


def _extend_u(M: int, N: int, a: Expr) -> Fact:
    return a.lo, a.hi, a.zeros


def _extend_s(M: int, N: int, a: Expr) -> Fact:
    return (a.lo, a.hi, a.zeros) if a.hi <= MASK[M - 1] else (0, MASK[N], 0)


def _iextend_s(N: int, M: int, a: Expr) -> Fact:
    return (a.lo, a.hi, a.zeros) if a.hi <= MASK[M - 1] else (0, MASK[N], 0)


def _select(condition: Expr, a: Expr, b: Expr) -> Fact:
    zeros = min(a.zeros, b.zeros)
    least, most = (a.lo, b.lo), (a.hi, b.hi)
    if condition.op in ("ilt_u", "ile_u", "igt_u", "ige_u") and a.op == b.op == "var":
        names = [arg.imm for arg in condition.args if arg.op == "var"]
        if names in ([a.imm, b.imm], [b.imm, a.imm]):
            # The lesser or the greater of both.
            lesser = (condition.op[1] == "l") == (names[0] == a.imm)
            return (min(least), min(most), zeros) if lesser else (max(least), max(most), zeros)
    return min(least), max(most), zeros


RULES: dict[str, Callable[..., Fact]] = {
    "iadd": _iadd, "isub": _isub, "imul": _imul, "iand": _iand, "ior": _ior, "ixor": _ixor, "ishl": _ishl,
    "ishr_u": _ishr_u, "ishr_s": _ishr_s, "idiv_u": _idiv_u, "irem_u": _irem_u, "idiv_s": _idiv_s, "irem_s": _irem_s,
    "iclz": _count, "ictz": _count, "ipopcnt": _count, "wrap": _wrap, "extend_u": _extend_u, "extend_s": _extend_s,
    "iextend_s": _iextend_s, "select": _select, "ieqz": _truth, "inez": _truth, "ivall_true": _truth,
    **dict.fromkeys(("ieq", "ine", "ilt_s", "ilt_u", "igt_s", "igt_u", "ile_s", "ile_u", "ige_s", "ige_u"), _truth),
    **dict.fromkeys(("feq", "fne", "flt", "fgt", "fle", "fge"), _truth),
}  # fmt: skip
"""Name of a numerics function -> (its widths, its operands) -> the fact of its result."""

# ---- What a taken branch says of the variables in its condition.

NEGATED = {
    "ieq": "ine", "ilt_u": "ige_u", "ilt_s": "ige_s", "igt_u": "ile_u", "igt_s": "ile_s",
}  # fmt: skip
NEGATED |= {b: a for a, b in NEGATED.items()}
"""Each comparison of integers and the one that holds where it does not."""

MIRRORED = {"ilt_u": "igt_u", "ile_u": "ige_u", "ilt_s": "igt_s", "ile_s": "ige_s", "ieq": "ieq", "ine": "ine"}
MIRRORED |= {b: a for a, b in MIRRORED.items()}
"""Each comparison of integers and the one of the operands the other way around."""


def refine(facts: Facts, condition: Expr, holds: bool) -> None:
    """Add to `facts` what follows from the condition, an i32, being other than 0 (or 0, if not `holds`)."""
    op = condition.op
    if op == "ieqz":
        refine(facts, condition.args[0], not holds)
    elif op == "var":
        narrow(facts, condition, 1, condition.hi) if holds else narrow(facts, condition, 0, 0)
    elif op in NEGATED:
        a, b = condition.args
        relation = op if holds else NEGATED[op]
        compare(facts, relation, a, b, condition.params[0])
        compare(facts, MIRRORED[relation], b, a, condition.params[0])


def narrow(facts: Facts, e: Expr, lo: int, hi: int) -> None:
    """The variable e lies in lo <= e <= hi too, or a variable and a constant have such a sum; nothing is added where
    that contradicts what is known."""
    if e.op == "var":
        known = facts.get(e.imm, (e.lo, e.hi, e.zeros))
        lo, hi = max(e.lo, known[0], lo), min(e.hi, known[1], hi)
        if lo <= hi:
            facts[e.imm] = (lo, hi, max(e.zeros, known[2]))
    elif e.op == "iadd" and e.args[1].op == "const":
        v, c = e.args[0], e.args[1].imm
        full = MASK[e.params[0]]
        lo, hi = (max(e.lo, lo) - c) & full, (min(e.hi, hi) - c) & full
        if lo <= hi:
            narrow(facts, v, lo, hi)
        elif v.op == "var":
            # The range wraps around: of its two parts, only one may be possible.
            known = facts.get(v.imm, (v.lo, v.hi, v.zeros))
            if max(known[0], v.lo) > hi:
                narrow(facts, v, lo, full)
            elif min(known[1], v.hi) < lo:
                narrow(facts, v, 0, hi)


def compare(facts: Facts, relation: str, a: Expr, b: Expr, N: int) -> None:
    """Narrow the variable a, which stands in this relation to b."""
    if relation == "ieq":
        narrow(facts, a, b.lo, b.hi)
    elif relation == "ine":
        if b.lo == b.hi:
            narrow(facts, a, a.lo + (a.lo == b.lo), a.hi - (a.hi == b.lo))
    elif relation in ("ilt_u", "ile_u"):
        narrow(facts, a, 0, b.hi - (relation == "ilt_u"))
    elif relation in ("igt_u", "ige_u"):
        narrow(facts, a, b.lo + (relation == "igt_u"), MASK[N])
    elif b.hi <= MASK[N - 1]:
        if relation in ("igt_s", "ige_s"):
            narrow(facts, a, b.lo + (relation == "igt_s"), MASK[N - 1])
        elif a.hi <= MASK[N - 1]:
            narrow(facts, a, 0, b.hi - (relation == "ilt_s"))
