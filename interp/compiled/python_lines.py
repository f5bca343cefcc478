"""Lines of Python source: statements, and what all writers of control share.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from interp.compiled.python_data import STATEMENTS, DataWriter
from interp.compiled.python_nans import any_nans, unseen_nans
from interp.compiled.python_scaled import scaled_variables
from interp.compiled.python_signed import mask_variables, signed_variables
from interp.compiled.python_text import WIDTHS
from interp.compiled.reading import all_blocks
from interp.compiled.structure import Node
from interp.compiled.tree import VAR, Assign, Block, Do, Expr, Function, Return, Try, divided, item_shift
from interp.execution.values import MASK
from interp.validation.context import Context

MAX_INDENT = 70
"""Levels of indentation, of which Python's tokenizer allows 100."""

Line = tuple[int, str, int]
"""Indentation, text, and the byte offset in the module of the instruction that the line was made of, or -1."""


class TooDeepError(Exception):
    """The function does not fit in Python's limits of nesting."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the code counts and relies on: whether `fuel` (loops are entered for free) or `time` is limited, whether the
    `depth` of calls is counted rather than left to Python's limit, whether views of memory are in its byte order, and
    whether a memory of i32 addresses may have all of the 4 GiB (`whole`)."""

    fuel: bool = False
    time: bool = False
    depth: bool = False
    native: bool = True
    whole: bool = False
    general: bool = False

    @property
    def metered(self) -> bool:
        """Whether ticks are taken."""
        return self.fuel or self.time

    @property
    def key(self) -> str:
        """A letter for each option."""
        options = (self.fuel, self.time, self.depth, self.native, self.whole, self.general)
        letters = zip("ftdnwg", options, strict=True)
        return "".join([letter for letter, on in letters if on]) or "-"


@dataclass(frozen=True, slots=True)
class Source:
    """Python source of a function called `name`, and the byte offset in the module for each of its lines (-1 where it
    comes from no instruction)."""

    name: str
    text: str
    offsets: tuple[int, ...]
    tail_calls: bool


@dataclass(slots=True, eq=False)
class Around:
    """A Python loop around the current line: what `continue` and `break` lead to, the further places that branches
    leave it for, and whether shared names get local ones before it."""

    again: Block | None
    behind: Block | None
    escapes: dict[Block, int] = field(default_factory=dict)
    binds: bool = False


class LineWriter(DataWriter):
    """Keeps the lines of one function, and writes statements."""

    def __init__(self, context: Context, function: Function, options: Options) -> None:
        super().__init__(context, options.native, options.time)
        self.translated = function
        self.options = options
        self.types = function.types
        self.any_nans = any_nans(function)
        self.unseen_nans = unseen_nans(function)
        self.masks = mask_variables(function)
        self.signs = signed_variables(function) | self.masks
        self.scales = scaled_variables(function, self.signs) if options.native else {}
        self.addresses = addresses(function)
        self.lines: list[tuple[int, str, int]] = []
        self.indent = 1
        self.offset = -1
        self.names = 0
        self.around: list[Around] = []
        self.blocks = 0
        self.left_early: set[Block] = set()
        self.numbers: dict[Block, int] = {}
        self.tries = 0
        self.pcs: dict[Block, int] = {}
        self.tries_around: dict[Block, tuple[Try, ...]] = {}
        self.exits: tuple[str, Block] = ("", Block(None))

    # ---- Lines.

    def line(self, text: str) -> None:
        """One more line."""
        self.lines.append((self.indent, text, self.offset))

    def hoist_name(self) -> str:
        """A new name."""
        self.names += 1
        return f"x{self.names}"

    def hoist(self, text: str) -> str:
        """A name that holds the value of the text from now on."""
        name = self.hoist_name()
        self.line(f"{name} = {text}")
        return name

    def fork(self) -> dict[str, tuple[str, str]]:
        """What is shared where control forks; to be set again on the other way."""
        return dict(self.shared)

    # ---- Statements.

    def count_indices(self, nodes: Sequence[Node]) -> None:
        """How often the statements of a sequence use each variable as an address, and test what is left of it when it
        is divided by a width; which is the same for what lies whole items behind it."""
        counts: dict[tuple[str, int], int] = {}
        rests: dict[tuple[str, int], int] = {}
        origins: dict[str, tuple[str, int]] = {}
        for node in nodes:
            if isinstance(node, Assign) and len(node.names) == 1:
                origin = aligned_sum(node.exprs[0])
                if origin is not None:
                    origins[node.names[0]] = origin
            elif isinstance(node, Do) and (shift := item_shift(node.instr)) is not None:
                base = node.args[0]
                for name in divided(base, shift):
                    counts[name, shift] = counts.get((name, shift), 0) + 1
                name, zeros = (base.imm, shift) if base.op == VAR and base.zeros < shift else ("", 0)
                while name and zeros >= shift:
                    rests[name, shift] = rests.get((name, shift), 0) + 1
                    name, zeros = origins.pop(name, ("", 0))
        self.indexed, self.rests = counts, rests

    def put_off(self, node: Do) -> None:
        """A load whose value is written where it is used."""
        self.offset = node.instr.offset
        self.inline[node.results[0]] = self.load_text(node)

    def do(self, node: Do) -> None:
        """A statement with effects."""
        self.offset = node.instr.offset
        STATEMENTS.get(node.instr.op.kind, DataWriter.by_function)(self, node)
        for name in node.results:
            self.forget(name)

    def assign(self, node: Assign) -> None:
        """An assignment; several that need each other's old values at once."""
        if not self.inline:
            self.offset = node.offset
        if len(node.names) > 1 and any(reads_any(e, node.names) for e in node.exprs):
            pairs = zip(node.names, node.exprs, strict=True)
            values = [self.signed(e).text if name in self.signs else self.clean(e)[0] for name, e in pairs]
            self.line(f"{', '.join(node.names)} = {', '.join(values)}")
        else:
            for name, e in zip(node.names, node.exprs, strict=True):
                self.assign_one(name, e)
        self.inline.clear()
        for name in node.names:
            self.forget(name)
        origin = aligned_sum(node.exprs[0]) if len(node.names) == 1 and self.shared else None
        if origin is not None:
            for shift in range(1, min(origin[1], 3) + 1):
                found = self.shared.get(f"{origin[0]} & {MASK[shift]}")
                if found is not None:
                    self.shared[f"{node.names[0]} & {MASK[shift]}"] = (found[0], node.names[0])

    def assign_one(self, name: str, e: Expr) -> None:
        """name := e"""
        if name in self.signs:
            self.line(f"{name} = {self.signed(e).text}")
            return
        if name in self.scales:
            shift = self.scales[name]
            self.assign_integer(name, self.plus(*self.index(e, shift)), 32 - shift)
            return
        if e.type in WIDTHS:
            t = self.number(e)
            self.assign_integer(name, t, WIDTHS[e.type])
            return
        text, _ = self.operand(e)
        self.line(f"{name} = {text}")
        if self.dirty(e) and name not in self.any_nans:
            self.line(f"if {name} != {name}: {name} = k_f64_7ff8000000000000")

    def return_(self, node: Return) -> None:
        """Leave the function with its results."""
        self.offset = node.offset
        values = [self.clean(e)[0] for e in node.exprs]
        self.leave(", ".join(values))

    def leave(self, text: str) -> None:
        """Return what a text says."""
        if self.options.depth:
            if text and not text.isidentifier():
                text = self.hoist(f"({text})" if "," in text else text)
            self.line("meter.depth = depth - 1")
        self.line(f"return {text}" if text else "return")

    def block_of(self, header: str) -> None:
        """A line that opens a block."""
        self.line(header)
        self.indent += 1
        if self.indent > MAX_INDENT:
            raise TooDeepError


def aligned_sum(e: Expr) -> tuple[str, int] | None:
    """For the sum of a variable and a multiple of a power of two: the variable, and the exponent."""
    if e.op != "iadd" or e.args[0].op != VAR:
        return None
    return e.args[0].imm, e.args[1].zeros


def addresses(function: Function) -> set[str]:
    """The variables that are addresses, or terms of addresses."""
    found: set[str] = set()
    for block in all_blocks(function.blocks):
        for statement in block.statements:
            if isinstance(statement, Do) and item_shift(statement.instr) is not None:
                found.update(divided(statement.args[0], 0))
    return found


def reads_any(e: Expr, names: Sequence[str]) -> bool:
    """Whether an expression reads one of these variables."""
    return e.imm in names if e.op == VAR else any(reads_any(arg, names) for arg in e.args)
