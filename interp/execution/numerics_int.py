"""Integer operators of any width N, as pure functions: every iN is an int with 0 <= i < 2**N.

They serve i32 and i64 and, with N = 8 or 16, the lanes of vector shapes. Several ways to write each were timed and
the fastest kept: tables instead of computed powers of two, and comparisons instead of masks where a result seldom
leaves its range, since adding or comparing Python integers is cheaper than masking them.

Metavariables: N and M widths in bits, i an iN, j its signed interpretation, k a count of bits.

Spec: exec/numerics#int-ops
"""

from __future__ import annotations

from interp.errors import Trap, TrapKind
from interp.execution.values import MASK, MODULUS, SIGN, signed_


def iadd(N: int, i1: int, i2: int) -> int:
    """iadd_N(i1, i2): sum modulo 2**N.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-iadd"""
    i = i1 + i2
    return i if i < MODULUS[N] else i - MODULUS[N]


def isub(N: int, i1: int, i2: int) -> int:
    """isub_N(i1, i2): difference modulo 2**N.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-isub"""
    i = i1 - i2
    return i if i >= 0 else i + MODULUS[N]


def imul(N: int, i1: int, i2: int) -> int:
    """imul_N(i1, i2): product modulo 2**N.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-imul"""
    return (i1 * i2) & MASK[N]


def idiv_u(N: int, i1: int, i2: int) -> int:
    """idivᵘ_N(i1, i2): quotient, truncated toward zero.  0 <= i1, i2 < 2**N.
    Raises Trap(INTEGER_DIVIDE_BY_ZERO) if i2 == 0.  Spec: exec/numerics#op-idiv"""
    if i2:
        return i1 // i2
    raise Trap(TrapKind.INTEGER_DIVIDE_BY_ZERO)


def idiv_s(N: int, i1: int, i2: int) -> int:
    """idivˢ_N(i1, i2): quotient of the signed interpretations, truncated toward zero.  0 <= i1, i2 < 2**N.
    Raises Trap(INTEGER_DIVIDE_BY_ZERO) if i2 == 0, Trap(INTEGER_OVERFLOW) if the quotient is 2**(N-1).
    Spec: exec/numerics#op-idiv"""
    if not i2:
        raise Trap(TrapKind.INTEGER_DIVIDE_BY_ZERO)
    if i1 < SIGN[N] and i2 < SIGN[N]:
        return i1 // i2
    j1, j2 = signed_(N, i1), signed_(N, i2)
    magnitude = abs(j1) // abs(j2)
    if (j1 < 0) is not (j2 < 0):
        return MODULUS[N] - magnitude if magnitude else 0
    if magnitude == SIGN[N]:
        raise Trap(TrapKind.INTEGER_OVERFLOW)
    return magnitude


def irem_u(N: int, i1: int, i2: int) -> int:
    """iremᵘ_N(i1, i2): remainder of i1 / i2.  0 <= i1, i2 < 2**N.
    Raises Trap(INTEGER_DIVIDE_BY_ZERO) if i2 == 0.  Spec: exec/numerics#op-irem"""
    if i2:
        return i1 % i2
    raise Trap(TrapKind.INTEGER_DIVIDE_BY_ZERO)


def irem_s(N: int, i1: int, i2: int) -> int:
    """iremˢ_N(i1, i2): remainder of the signed interpretations, with the sign of the dividend.  0 <= i1, i2 < 2**N.
    Raises Trap(INTEGER_DIVIDE_BY_ZERO) if i2 == 0.  Spec: exec/numerics#op-irem"""
    if not i2:
        raise Trap(TrapKind.INTEGER_DIVIDE_BY_ZERO)
    divisor = i2 if i2 < SIGN[N] else MODULUS[N] - i2
    if i1 < SIGN[N]:
        return i1 % divisor
    magnitude = (MODULUS[N] - i1) % divisor
    return MODULUS[N] - magnitude if magnitude else 0


def iand(N: int, i1: int, i2: int) -> int:
    """iand_N(i1, i2): bitwise conjunction.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-iand"""
    return i1 & i2


def ior(N: int, i1: int, i2: int) -> int:
    """ior_N(i1, i2): bitwise disjunction.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-ior"""
    return i1 | i2


def ixor(N: int, i1: int, i2: int) -> int:
    """ixor_N(i1, i2): bitwise exclusive disjunction.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-ixor"""
    return i1 ^ i2


def ishl(N: int, i1: int, i2: int) -> int:
    """ishl_N(i1, i2): i1 shifted left by i2 mod N bits, modulo 2**N.  0 <= i1 < 2**N, 0 <= i2.
    Spec: exec/numerics#op-ishl"""
    return (i1 << (i2 % N)) & MASK[N]


def ishr_u(N: int, i1: int, i2: int) -> int:
    """ishrᵘ_N(i1, i2): i1 shifted right by i2 mod N bits, filled with 0.  0 <= i1 < 2**N, 0 <= i2.
    Spec: exec/numerics#op-ishr"""
    return i1 >> (i2 % N)


def ishr_s(N: int, i1: int, i2: int) -> int:
    """ishrˢ_N(i1, i2): i1 shifted right by i2 mod N bits, filled with its sign bit.  0 <= i1 < 2**N, 0 <= i2.
    Spec: exec/numerics#op-ishr"""
    if i1 < SIGN[N]:
        return i1 >> (i2 % N)
    return ((i1 - MODULUS[N]) >> (i2 % N)) + MODULUS[N]


def irotl(N: int, i1: int, i2: int) -> int:
    """irotl_N(i1, i2): i1 rotated left by i2 mod N bits.  0 <= i1 < 2**N, 0 <= i2.  Spec: exec/numerics#op-irotl"""
    k = i2 % N
    return ((i1 << k) | (i1 >> (N - k))) & MASK[N]


def irotr(N: int, i1: int, i2: int) -> int:
    """irotr_N(i1, i2): i1 rotated right by i2 mod N bits.  0 <= i1 < 2**N, 0 <= i2.  Spec: exec/numerics#op-irotr"""
    k = i2 % N
    return ((i1 >> k) | (i1 << (N - k))) & MASK[N]


def iclz(N: int, i: int) -> int:
    """iclz_N(i): count of leading zero bits, N if i == 0.  0 <= i < 2**N.  Spec: exec/numerics#op-iclz"""
    return N - i.bit_length()


def ictz(N: int, i: int) -> int:
    """ictz_N(i): count of trailing zero bits, N if i == 0.  0 <= i < 2**N.  Spec: exec/numerics#op-ictz"""
    return (i ^ (i - 1)).bit_length() - 1 if i else N


def ipopcnt(N: int, i: int) -> int:
    """ipopcnt_N(i): count of 1 bits.  0 <= i < 2**N.  Spec: exec/numerics#op-ipopcnt"""
    return i.bit_count()


def iextend_s(N: int, M: int, i: int) -> int:
    """iextendMˢ_N(i): the low M bits of i, sign-extended to N bits.  0 <= i < 2**N, M <= N.
    Spec: exec/numerics#op-iextendn"""
    i &= MASK[M]
    return i if i < SIGN[M] else i + MODULUS[N] - MODULUS[M]


def ieqz(N: int, i: int) -> int:
    """ieqz_N(i): 1 if i is zero, else 0.  0 <= i < 2**N.  Spec: exec/numerics#op-ieqz"""
    return 0 if i else 1


def ieq(N: int, i1: int, i2: int) -> int:
    """ieq_N(i1, i2): 1 if i1 == i2, else 0.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-ieq"""
    return 1 if i1 == i2 else 0


def ine(N: int, i1: int, i2: int) -> int:
    """ine_N(i1, i2): 1 if i1 != i2, else 0.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-ine"""
    return 1 if i1 != i2 else 0


def ilt_u(N: int, i1: int, i2: int) -> int:
    """iltᵘ_N(i1, i2): 1 if i1 < i2, else 0.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-ilt"""
    return 1 if i1 < i2 else 0


def ilt_s(N: int, i1: int, i2: int) -> int:
    """iltˢ_N(i1, i2): 1 if i1 < i2 in signed interpretation, else 0.  0 <= i1, i2 < 2**N.
    Spec: exec/numerics#op-ilt"""
    # Two's complement keeps the order among numbers of one sign, so only the sign bits need a look.
    if i1 < SIGN[N]:
        return 1 if i1 < i2 < SIGN[N] else 0
    return 1 if i2 < SIGN[N] or i1 < i2 else 0


def igt_u(N: int, i1: int, i2: int) -> int:
    """igtᵘ_N(i1, i2): 1 if i1 > i2, else 0.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-igt"""
    return 1 if i1 > i2 else 0


def igt_s(N: int, i1: int, i2: int) -> int:
    """igtˢ_N(i1, i2): 1 if i1 > i2 in signed interpretation, else 0.  0 <= i1, i2 < 2**N.
    Spec: exec/numerics#op-igt"""
    if i2 < SIGN[N]:
        return 1 if i2 < i1 < SIGN[N] else 0
    return 1 if i1 < SIGN[N] or i2 < i1 else 0


def ile_u(N: int, i1: int, i2: int) -> int:
    """ileᵘ_N(i1, i2): 1 if i1 <= i2, else 0.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-ile"""
    return 1 if i1 <= i2 else 0


def ile_s(N: int, i1: int, i2: int) -> int:
    """ileˢ_N(i1, i2): 1 if i1 <= i2 in signed interpretation, else 0.  0 <= i1, i2 < 2**N.
    Spec: exec/numerics#op-ile"""
    if i1 < SIGN[N]:
        return 1 if i1 <= i2 < SIGN[N] else 0
    return 1 if i2 < SIGN[N] or i1 <= i2 else 0


def ige_u(N: int, i1: int, i2: int) -> int:
    """igeᵘ_N(i1, i2): 1 if i1 >= i2, else 0.  0 <= i1, i2 < 2**N.  Spec: exec/numerics#op-ige"""
    return 1 if i1 >= i2 else 0


def ige_s(N: int, i1: int, i2: int) -> int:
    """igeˢ_N(i1, i2): 1 if i1 >= i2 in signed interpretation, else 0.  0 <= i1, i2 < 2**N.
    Spec: exec/numerics#op-ige"""
    if i2 < SIGN[N]:
        return 1 if i2 <= i1 < SIGN[N] else 0
    return 1 if i1 < SIGN[N] or i2 <= i1 else 0
