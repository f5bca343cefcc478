"""What engines may choose, taken away: a module in which every NaN that arithmetic makes is the canonical one.

The pure engines always choose that NaN, so for them the module is the same; a JIT has to run the changed module to be
compared by bits. Relaxed instructions remain free, so modules with these are only compared among pure engines.
Spec: exec/numerics#nan-propagation, exec/relops
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from conformance.fuzz.determinism import VARYING, instructions
from conformance.lockstep.grammar.constants import const
from conformance.lockstep.grammar.plan import ins
from conformance.lockstep.grammar.rows import mnemonic, width
from conformance.lockstep.rewriting import Locals, rewrite, with_code
from interp.execution import numerics
from interp.execution.values import canonical_nan, fbits
from interp.syntax import modules as m
from interp.syntax.features import RELAXED_SIMD
from interp.syntax.instructions import Instr
from interp.syntax.shapes import SHAPES
from interp.syntax.types import V128, NumType
from interp.validation.modules import ValidModule


def has_relaxed(module: m.Module) -> bool:
    """Whether a module has instructions whose meaning an engine chooses."""
    return any(instr.op.since == RELAXED_SIMD for func in module.funcs for instr in instructions(func.body))


def canonicalise(valid: ValidModule) -> m.Module:
    """The module with the canonical NaN in place of every NaN whose bits an engine may choose."""
    return replace(valid.module, funcs=tuple([_canonicalise(valid, func) for func in valid.module.funcs]))


def _canonicalise(valid: ValidModule, func: m.Func) -> m.Func:
    if not any(instr.op in VARYING for instr in instructions(func.body)):
        return func
    locals_ = Locals(valid, func)

    def change(old: Instr, new: Instr) -> Iterable[Instr]:
        return [new, *_canonical(new, locals_)] if old.op in VARYING and old.op.since != RELAXED_SIMD else [new]

    code = rewrite(func.body, change)
    return with_code(func, code, locals_.types)


def _canonical(instr: Instr, locals_: Locals) -> list[Instr]:
    """What makes the result of an instruction canonical: NaN unless it equals itself, in each lane."""
    shape = SHAPES.get(instr.op.mnemonic.partition(".")[0])
    t = NumType(instr.op.mnemonic[:3]) if shape is None else V128
    x = locals_.of(t)
    again = [ins("local.get", x), ins("local.get", x)]
    if shape is None:
        N = width(t)
        return [
            ins("local.tee", x), const(t, canonical_nan(N)), *again, ins(mnemonic(numerics.feq, N)), ins("select"),
        ]  # fmt: skip
    lane = fbits(shape.N, canonical_nan(shape.N))
    nan = sum(lane << k * shape.N for k in range(shape.dim))
    chosen = [ins(mnemonic(numerics.fveq, shape)), ins(mnemonic(numerics.ibitselect))]
    return [ins("local.tee", x), const(V128, nan), *again, *chosen]
