"""What the first half of the compiler makes of a function: basic blocks of statements over typed expression trees.

An expression is pure and cannot trap; whatever has an effect, may trap, or reads what a statement may change is a
statement whose operands are expressions and whose results are variables. So expressions may be evaluated at any time
between the statements around them, several times or never. Values are those of `interp.execution.values`.

Variables are the locals of the function (`l0`, `l1` … as the specification counts them), temporaries assigned in one
place (`t1` …), and the results of blocks and parameters of loops (`r1` …), assigned wherever control joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from interp.syntax.instructions import Catch, Instr
from interp.syntax.types import ValType

CONST, VAR, GLOBAL, SELECT = "const", "var", "global.get", "select"
"""The operators of expressions that are no numerics function: a constant (`imm` is its value), a variable (`imm` is
its name), a global (`imm` is its index), and a choice between the second and third argument by the first."""


class Expr:
    """An expression: `op` is the name of a numerics function or one of CONST, VAR, GLOBAL, SELECT; `params` what the
    function takes first (widths in bits, shapes, immediates), `args` the operands.

    Of an integer, `lo <= value <= hi` (as an iN, unsigned) and its lowest `zeros` bits are 0. `reads` has a bit for
    each local that it reads, `reads_global` says that it reads a mutable global; `size` counts operators.
    """

    __slots__ = ("args", "hi", "imm", "lo", "op", "params", "reads", "reads_global", "size", "type", "zeros")

    def __init__(
        self,
        op: str,
        type_: ValType,
        args: tuple[Expr, ...] = (),
        params: tuple[Any, ...] = (),
        imm: Any = None,
        reads: int = 0,
    ) -> None:
        self.op = op
        self.type = type_
        self.args = args
        self.params = params
        self.imm = imm
        self.lo = 0
        self.hi = 0
        self.zeros = 0
        size, reads_global = 1, False
        for arg in args:
            reads |= arg.reads
            size += arg.size
            reads_global = reads_global or arg.reads_global
        self.reads: int = reads
        self.reads_global: bool = reads_global
        self.size: int = size

    def __repr__(self) -> str:
        if self.op in (CONST, VAR, GLOBAL):
            return str(self.imm)
        return f"{self.op}({', '.join(map(repr, self.args))})"


class Assign:
    """variables := expressions, all evaluated before the first is assigned; `offset` places it in the module."""

    __slots__ = ("exprs", "names", "offset")

    def __init__(self, names: tuple[str, ...], exprs: tuple[Expr, ...], offset: int) -> None:
        self.names = names
        self.exprs = exprs
        self.offset = offset


class Do:
    """results := an instruction applied to `args`, with its effects and traps."""

    __slots__ = ("args", "instr", "results")

    def __init__(self, instr: Instr, args: tuple[Expr, ...], results: tuple[str, ...]) -> None:
        self.instr = instr
        self.args = args
        self.results = results


Statement = Assign | Do


Definitions = dict[str, Expr]
"""Local -> the expression it was assigned, as long as neither has changed."""

Origins = dict[str, tuple[int, str, int]]
"""Variable -> the loop (its byte offset) and the local whose value at the start of this turn it has, but for a constant
that was added."""

Last = tuple[Expr, bool] | None
"""The condition that was decided last, and how, as long as nothing in it has changed."""


@dataclass(slots=True, eq=False)
class State:
    """What is known at the start of a block: facts of integers (lo, hi, zeros) by variable, definitions, origins, the
    last condition, and a bit for each local that has been assigned."""

    facts: dict[str, tuple[int, int, int]]
    definitions: Definitions
    origins: Origins
    last: Last
    set: int


class Block:
    """A basic block: statements, then the one terminator. `preds` counts the forward edges that lead here, `sources`
    are the blocks they come from; `outer` is the header of the innermost loop around it in the text, `back_edges`
    counts the branches back to it; `state` is what is known at its start, `count` how a loop counts that it heads (see
    `interp.compiled.counting`), `offset` where in the module that loop begins."""

    __slots__ = ("back_edges", "count", "index", "offset", "outer", "sources", "state", "statements", "terminator")

    def __init__(self, outer: Block | None) -> None:
        self.index = -1
        self.statements: list[Statement] = []
        self.terminator: Terminator = END
        self.sources: list[Block] = []
        self.outer = outer
        self.back_edges = 0
        self.state: State | None = None
        self.count: Any = None
        self.offset = -1

    def __repr__(self) -> str:
        return f"block {self.index}"


@dataclass(slots=True, eq=False)
class End:
    """Control does not come here: the last statement never ends normally."""


@dataclass(slots=True, eq=False)
class Jump:
    """Go on at `target`."""

    target: Block


@dataclass(slots=True, eq=False)
class Branch:
    """Go on at `then` if the condition, an i32, is not 0, else at `otherwise`."""

    condition: Expr
    then: Block
    otherwise: Block


@dataclass(slots=True, eq=False)
class Switch:
    """Go on at targets[i], or at the last one if i is not below their number less one."""

    index: Expr
    targets: tuple[Block, ...]


@dataclass(slots=True, eq=False)
class Return:
    """Leave the function with its results."""

    exprs: tuple[Expr, ...]
    offset: int


@dataclass(slots=True, eq=False)
class TailCall:
    """Leave the function with the results of a call, whose operands are `args`."""

    instr: Instr
    args: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Handler:
    """A catch clause: where to go on, and the variables that what is caught is assigned to."""

    catch: Catch
    names: tuple[str, ...]
    target: Block


@dataclass(slots=True, eq=False)
class Try:
    """Run the body, a part of the function with blocks of its own; go on at one of `exits`, to which its blocks leave
    by `Exit`, or where a handler says."""

    body: list[Block]
    exits: list[Block]
    handlers: tuple[Handler, ...]
    instr: Instr


@dataclass(slots=True, eq=False)
class Exit:
    """Leave the body of the innermost Try for its exit of this number."""

    number: int


Terminator = End | Jump | Branch | Switch | Return | TailCall | Try | Exit
END = End()


@dataclass(slots=True)
class Function:
    """A translated function: names of its parameters, types of all its variables, and its blocks, the entry first, each
    behind the blocks that lead to it forward. `defaults` are the locals behind the parameters that may be read before
    they are set, `tail_calls` says whether it leaves by a TailCall,
    `reused` are the temporaries that are used more than once."""

    params: tuple[str, ...]
    results: tuple[ValType, ...]
    types: dict[str, ValType]
    blocks: list[Block]
    defaults: list[str] = field(default_factory=list)
    tail_calls: bool = False
    reused: set[str] = field(default_factory=set)


def successors(terminator: Terminator) -> Iterable[Block]:
    """The blocks where control may go on, each once for each way there."""
    if isinstance(terminator, Jump):
        return (terminator.target,)
    if isinstance(terminator, Branch):
        return (terminator.then, terminator.otherwise)
    if isinstance(terminator, Switch):
        return terminator.targets
    if isinstance(terminator, Try):
        return (*terminator.exits, *(handler.target for handler in terminator.handlers))
    return ()


def local_bit(name: str) -> int:
    """The bit that stands for a local, or for any variable that was made of it, in the `reads` of expressions."""
    return 1 << int(name[1:].partition("_")[0])


def variables(e: Expr) -> Iterator[str]:
    """The variables that an expression reads, each as often as it does, in the order of their evaluation."""
    if e.op == VAR:
        yield e.imm
    for arg in e.args:
        yield from variables(arg)


def reads(e: Expr, name: str) -> int:
    """How often an expression reads a variable."""
    return int(e.imm == name) if e.op == VAR else sum([reads(arg, name) for arg in e.args])


def item_shift(instr: Instr) -> int | None:
    """The exponent of the width in bytes of the items that an instruction reads or writes as such; vectors are two
    items of 64 bits. None for all others."""
    kind, params = instr.op.kind, instr.op.params
    if kind in ("load", "store"):
        return int(params[1] >> 3).bit_length() - 1
    if kind in ("vload", "vstore") and params[1] >= VECTOR_ITEM:
        return 3
    return None


VECTOR_ITEM = 64
"""Bits of the items that vectors are read and written by."""


def divided(e: Expr, shift: int) -> list[str]:
    """The variables that are divided by 2**shift to find an index for an address."""
    if e.op == VAR:
        return [e.imm]
    if e.op == "iadd" and all(arg.zeros >= shift for arg in e.args):
        return [name for arg in e.args for name in divided(arg, shift)]
    return []
