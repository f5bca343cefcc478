"""Vectors taken apart: a v128 variable that is only used lane by lane becomes a variable for each lane.

A v128 is an int of 128 bits, on which bitwise operators and additions of lanes are fast, but taking it apart into
floats and putting it together again costs more than four operators on floats. So a variable whose operators all work on
f32x4, f64x2 or i32x4 lanes is kept as its lanes; where a whole vector is needed after all it is put together (`join`).

Spec: syntax/instructions#vector-instructions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interp.compiled.facts import RULES, constant
from interp.compiled.reading import all_blocks, rewrite_terminator, terminator_exprs
from interp.compiled.tree import (
    CONST,
    SELECT,
    VAR,
    Assign,
    Do,
    Expr,
    Function,
    Statement,
)
from interp.execution.numerics_vector import flanes, ilanes
from interp.execution.values import MASK
from interp.syntax.instructions import BY_MNEMONIC, Instr, MemArg
from interp.syntax.shapes import F32X4, F64X2, I32X4, Shape
from interp.syntax.types import F32, F64, I32, I64, V128, ValType

JOIN = "join"
"""The operator that makes a vector of its lanes; `params` is the shape."""

SCALAR: dict[Shape, tuple[ValType, int]] = {F32X4: (F32, 32), F64X2: (F64, 64), I32X4: (I32, 32)}
"""The shapes that vectors are taken apart in: type and width of a lane."""

LANEWISE = {
    "fvadd": "fadd", "fvsub": "fsub", "fvmul": "fmul", "fvdiv": "fdiv", "fvsqrt": "fsqrt", "fvneg": "fneg",
    "fvabs": "fabs", "fvmin": "fmin", "fvmax": "fmax", "ivadd": "iadd", "ivsub": "isub", "ivmul": "imul",
}  # fmt: skip
"""Functions of vectors that apply one function of numbers to each lane."""

COMPARISONS = {f"fv{name}": f"f{name}" for name in ("eq", "ne", "lt", "gt", "le", "ge")}
"""Functions of vectors of floats that give a mask: all bits of each lane for which one function of numbers holds."""

BITWISE = frozenset({"iand", "ior", "ixor"})
LANE_LOADS = {F32X4: "f32.load", F64X2: "f64.load", I32X4: "i32.load"}
LANE_STORES = {F32X4: "f32.store", F64X2: "f64.store", I32X4: "i32.store"}


def scalarize(function: Function) -> None:
    """Take the vectors of a function apart, where that pays."""
    if V128 not in function.types.values():
        return
    shapes = chosen(function)
    if shapes:
        Scalarizer(function, shapes).run()


# ---- Which variables.


def shape_of(e: Expr) -> Shape | None:
    """The shape of the lanes that an operator gives; None where they do not matter, or are of another shape."""
    if e.op in LANEWISE or e.op in ("fvsplat", "ivsplat", "fvreplace_lane", "ivreplace_lane"):
        shape: Shape = e.params[0]
        return shape if shape in SCALAR else None
    if e.op in COMPARISONS and e.params[0] is F32X4:
        return I32X4
    return F32X4 if e.op in ("vconvert_s", "vconvert_u") and e.params == (I32X4, F32X4) else None


def operand_shape(e: Expr) -> Shape | None:
    """The shape of the lanes that an operator takes."""
    if e.op in COMPARISONS or e.op in ("fvextract_lane", "ivextract_lane_u"):
        shape: Shape = e.params[0]
        return shape if shape in SCALAR else None
    if e.op in ("vconvert_s", "vconvert_u"):
        return I32X4 if e.params == (I32X4, F32X4) else None
    return shape_of(e)


NEUTRAL = BITWISE | {SELECT, "inez", "inot", "iandnot", "ibitselect"}
"""Operators that any lanes will do for."""


def chosen(function: Function) -> dict[str, Shape]:
    """The variables to take apart, each with the shape of its lanes."""
    votes: dict[str, dict[Shape | None, int]] = {n: {} for n, t in function.types.items() if t is V128}

    def vote(e: Expr, shape: Shape | None, neutral: bool = False) -> None:
        if e.op == VAR and e.imm in votes and not neutral:
            counts = votes[e.imm]
            counts[shape] = counts.get(shape, 0) + 1

    def visit(e: Expr) -> None:
        if e.type is V128 or any(arg.type is V128 for arg in e.args):
            shape = operand_shape(e)
            for arg in e.args:
                if arg.type is V128:
                    vote(arg, shape, e.op in NEUTRAL)
        for arg in e.args:
            visit(arg)

    for name in function.params:
        votes.pop(name, None)
    for block in all_blocks(function.blocks):
        for statement in block.statements:
            if isinstance(statement, Assign):
                for name, e in zip(statement.names, statement.exprs, strict=True):
                    visit(e)
                    if name in votes and e.op not in (VAR, CONST, *NEUTRAL):
                        vote(Expr(VAR, V128, imm=name), shape_of(e))
            else:
                whole = statement.instr.op.mnemonic not in ("v128.load", "v128.store")
                for e in statement.args:
                    visit(e)
                    if e.type is V128 and whole:
                        vote(e, None)
                if whole:
                    for name in statement.results:
                        if name in votes:
                            vote(Expr(VAR, V128, imm=name), None)
        for e in terminator_exprs(block):
            visit(e)
            vote(e, None)
    return {
        name: max((s for s in counts if s is not None), key=lambda s: (s is not I32X4, counts[s]))
        for name, counts in votes.items()
        if counts and None not in counts
    }


# ---- The function without them.


def number(op: str, t: ValType, args: tuple[Expr, ...], params: tuple[Any, ...] = (), imm: Any = None) -> Expr:
    """An expression of one lane, with what is known of it."""
    e = Expr(op, t, args, params, imm)
    if t in (I32, I64):
        N = 32 if t is I32 else 64
        rule = RULES.get(op)
        if op == CONST:
            e.lo, e.hi, e.zeros = constant(imm)
        elif rule is not None:
            e.lo, e.hi, e.zeros = rule(*params, *args)
        else:
            e.hi = MASK[N]
    return e


def lane_name(name: str, i: int) -> str:
    """The variable of a lane."""
    return f"{name}_{i}"


class Scalarizer:
    """Rewrites a function; `shapes` are the variables to take apart."""

    def __init__(self, function: Function, shapes: dict[str, Shape]) -> None:
        self.function = function
        self.shapes = shapes
        self.temps = 0
        self.out: list[Statement] = []
        self.offset = 0

    def run(self) -> None:
        """Rewrite all blocks."""
        function = self.function
        for name, shape in self.shapes.items():
            for i in range(shape.dim):
                function.types[lane_name(name, i)] = SCALAR[shape][0]
        function.defaults = [
            lane for name in function.defaults for lane in (self.lane_names(name) if name in self.shapes else [name])
        ]
        for block in all_blocks(function.blocks):
            self.out = []
            for statement in block.statements:
                if isinstance(statement, Assign):
                    self.assign(statement)
                else:
                    self.do(statement)
            rewrite_terminator(block, self.rewrite)
            block.statements = self.out

    def lane_names(self, name: str) -> list[str]:
        """The variables of all lanes."""
        return [lane_name(name, i) for i in range(self.shapes[name].dim)]

    def assign(self, statement: Assign) -> None:
        """An assignment, lane by lane; of several variables at once, all lanes at once."""
        self.offset = statement.offset
        names: list[str] = []
        exprs: list[Expr] = []
        for name, e in zip(statement.names, statement.exprs, strict=True):
            shape = self.shapes.get(name)
            if shape is None:
                names.append(name)
                exprs.append(self.rewrite(e))
            else:
                names += self.lane_names(name)
                exprs += self.lanes(e, shape)
        if len(statement.names) == 1:
            for name, e in zip(names, exprs, strict=True):
                self.out.append(Assign((name,), (e,), self.offset))
        else:
            self.out.append(Assign(tuple(names), tuple(exprs), self.offset))

    def do(self, statement: Do) -> None:
        """An instruction; a load or store of a vector that is taken apart is one of each of its lanes."""
        instr = statement.instr
        self.offset = instr.offset
        if instr.op.mnemonic == "v128.load" and statement.results[0] in self.shapes:
            (name,) = statement.results
            shape = self.shapes[name]
            base = self.settled(self.rewrite(statement.args[0]))
            for i, lane in enumerate(self.lane_names(name)):
                self.out.append(Do(self.lane_access(instr, LANE_LOADS[shape], shape, i), (base,), (lane,)))
        elif instr.op.mnemonic == "v128.store" and self.preferred(statement.args[1]) is not None:
            shape = self.preferred(statement.args[1]) or F32X4
            base = self.settled(self.rewrite(statement.args[0]))
            lanes = [self.settled(lane) for lane in self.lanes(statement.args[1], shape)]
            # The last lane goes first: if it fits, all of them do.
            for i in reversed(range(shape.dim)):
                self.out.append(Do(self.lane_access(instr, LANE_STORES[shape], shape, i), (base, lanes[i]), ()))
        else:
            self.out.append(Do(instr, tuple(map(self.rewrite, statement.args)), statement.results))

    def lane_access(self, instr: Instr, mnemonic: str, shape: Shape, i: int) -> Instr:
        """The load or store of one lane."""
        memarg: MemArg = instr.immediates[0]
        size = shape.N >> 3
        align = min(memarg.align, size.bit_length() - 1)
        return Instr(BY_MNEMONIC[mnemonic], (MemArg(align, memarg.offset + size * i, memarg.memidx),), instr.offset)

    def preferred(self, e: Expr) -> Shape | None:
        """The shape in which a vector is there already."""
        if e.op == VAR:
            return self.shapes.get(e.imm)
        return shape_of(e) if any(self.taken_apart(arg) for arg in e.args) else None

    def taken_apart(self, e: Expr) -> bool:
        """Whether a variable that is taken apart is in an expression."""
        return e.imm in self.shapes if e.op == VAR else any(map(self.taken_apart, e.args))

    def settled(self, e: Expr) -> Expr:
        """A variable that holds a number or vector from now on."""
        if e.op in (VAR, CONST):
            if e.op == VAR:
                self.function.reused.add(e.imm)
            return e
        self.temps += 1
        name = f"v{self.temps}"
        self.function.types[name] = e.type
        self.out.append(Assign((name,), (e,), self.offset))
        var = number(VAR, e.type, (), imm=name)
        var.lo, var.hi, var.zeros = e.lo, e.hi, e.zeros
        return var

    # ---- Expressions.

    def rewrite(self, e: Expr) -> Expr:
        """An expression without the variables that are taken apart."""
        if not self.taken_apart(e):
            return e
        if e.type is V128:
            shape = self.preferred(e)
            if shape is not None:
                return number(JOIN, V128, tuple(self.lanes(e, shape)), (shape,))
        elif e.op in ("fvextract_lane", "ivextract_lane_u"):
            shape = self.preferred(e.args[0])
            if shape is not None and shape is e.params[0]:
                return self.lanes(e.args[0], shape)[int(e.params[1])]
        elif e.op == "inez":
            shape = self.preferred(e.args[0]) or (I32X4 if self.bitwise_lanes(e.args[0]) else None)
            if shape is I32X4:
                a, b, c, d = self.lanes(e.args[0], I32X4)
                total = number(
                    "ior", I32, (number("ior", I32, (a, b), (32,)), number("ior", I32, (c, d), (32,))), (32,)
                )
                return number("ine", I32, (total, number(CONST, I32, (), imm=0)), (32,))
        args = tuple(map(self.rewrite, e.args))
        copy = number(e.op, e.type, args, e.params, e.imm)
        copy.lo, copy.hi, copy.zeros, copy.reads_global = e.lo, e.hi, e.zeros, e.reads_global
        return copy

    def bitwise_lanes(self, e: Expr) -> bool:
        """Whether a bitwise operator is best applied to each lane."""
        return e.op in BITWISE and any(self.preferred(arg) is I32X4 for arg in e.args)

    def lanes(self, e: Expr, shape: Shape) -> list[Expr]:
        """The lanes of a vector, as expressions of numbers."""
        t, N = SCALAR[shape]
        if e.op == VAR and self.shapes.get(e.imm) is shape:
            return [self.lane_var(name, t) for name in self.lane_names(e.imm)]
        if e.op == CONST:
            values = ilanes(N, e.imm) if shape is I32X4 else flanes(N, e.imm)
            return [number(CONST, t, (), imm=value) for value in values]
        write: Callable[[Expr, Shape], list[Expr]] | None = None
        if shape_of(e) is shape:
            write = self.lanewise
        elif e.op in BITWISE and shape is I32X4:
            write = self.bitwise
        elif e.op == SELECT:
            write = self.select
        if write is not None:
            return write(e, shape)
        own = self.preferred(e)
        if own is not None and own is not shape and SCALAR[own][1] == N:
            params = (str(SCALAR[own][0]), str(t))
            return [number("reinterpret", t, (self.settled(lane),), params) for lane in self.lanes(e, own)]
        whole = self.settled(self.rewrite(e))
        op = "ivextract_lane_u" if shape is I32X4 else "fvextract_lane"
        return [number(op, t, (whole,), (shape, i)) for i in range(shape.dim)]

    def lane_var(self, name: str, t: ValType) -> Expr:
        """The variable of a lane."""
        e = number(VAR, t, (), imm=name)
        e.hi = MASK[32] if t is I32 else 0
        return e

    def select(self, e: Expr, shape: Shape) -> list[Expr]:
        """A choice between two vectors."""
        condition = self.settled(self.rewrite(e.args[0]))
        pairs = zip(self.lanes(e.args[1], shape), self.lanes(e.args[2], shape), strict=True)
        return [number(SELECT, SCALAR[shape][0], (condition, a, b)) for a, b in pairs]

    def bitwise(self, e: Expr, shape: Shape) -> list[Expr]:
        """A bitwise operator on each lane."""
        pairs = zip(self.lanes(e.args[0], shape), self.lanes(e.args[1], shape), strict=True)
        return [number(e.op, I32, pair, (32,)) for pair in pairs]

    def lanewise(self, e: Expr, shape: Shape) -> list[Expr]:
        """An operator that works lane by lane."""
        t, N = SCALAR[shape]
        if e.op in ("fvsplat", "ivsplat"):
            return [self.settled(self.rewrite(e.args[0]))] * shape.dim
        if e.op in ("fvreplace_lane", "ivreplace_lane"):
            lanes = self.lanes(e.args[0], shape)
            lanes[e.params[1]] = self.rewrite(e.args[1])
            return lanes
        if e.op in ("vconvert_s", "vconvert_u"):
            name = "convert_s" if e.op == "vconvert_s" else "convert_u"
            return [number(name, F32, (lane,), (32, 32)) for lane in self.lanes(e.args[0], I32X4)]
        if e.op in COMPARISONS:
            ones, zero = number(CONST, I32, (), imm=MASK[32]), number(CONST, I32, (), imm=0)
            pairs = zip(self.lanes(e.args[0], F32X4), self.lanes(e.args[1], F32X4), strict=True)
            tests = [number(COMPARISONS[e.op], I32, pair, (32,)) for pair in pairs]
            return [number(SELECT, I32, (test, ones, zero)) for test in tests]
        operands = zip(*[self.lanes(arg, shape) for arg in e.args], strict=True)
        return [number(LANEWISE[e.op], t, args, (N,)) for args in operands]
