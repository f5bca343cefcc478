"""Lines of Python source: statements, and what all writers of control share.

Spec: exec/instructions
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field

from interp.compiled.facts import SMALL
from interp.compiled.python_data import STATEMENTS, DataWriter
from interp.compiled.python_nans import any_nans, unseen_nans
from interp.compiled.python_signed import mask_variables, signed_variables
from interp.compiled.python_text import WIDTHS
from interp.compiled.python_wide import is_step_of, wide_variables
from interp.compiled.reading import all_blocks
from interp.compiled.tree import CONST, SELECT, VAR, Assign, Block, Do, Expr, Function, Return, Try, divided, item_shift
from interp.validation.context import Context

MAX_FACTOR, MAX_COUNT = 10, 3
"""By what numbers that stay small are multiplied at most, or by which power of two: digits of decimal numbers, items of
arrays."""

MAX_INDENT = 70
"""Levels of indentation, of which Python's tokenizer allows 100."""

MARK = re.compile("\0(\\d+)\1")
"""Stands in a text before a part that needs a line of its own: its number."""

BEGINNING = re.compile(r"(?:.*? = |return )?")

Line = tuple[int, str, int]
"""Indentation, text, and the byte offset in the module of the instruction that the line was made of, or -1."""


class TooDeepError(Exception):
    """The function does not fit in Python's limits of nesting."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the code counts and relies on: whether `fuel` (loops are entered for free) or `time` is limited, whether the
    `depth` of calls is counted rather than left to Python's limit, whether there are `views` of memory (see
    `interp.compiled.any_address`), and whether a memory of i32 addresses may have all of the 4 GiB (`whole`)."""

    fuel: bool = False
    time: bool = False
    depth: bool = False
    views: bool = True
    whole: bool = False

    @property
    def metered(self) -> bool:
        """Whether ticks are taken."""
        return self.fuel or self.time

    @property
    def key(self) -> str:
        """A letter for each option."""
        letters = zip("ftdvw", astuple(self), strict=True)
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
        super().__init__(context, options.views, options.time)
        self.translated = function
        self.options = options
        self.types = function.types
        self.any_nans = any_nans(function)
        self.unseen_nans = unseen_nans(function)
        self.masks = mask_variables(function)
        self.signs = signed_variables(function) | self.masks
        self.wides = wide_variables(function) - self.signs
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
        self.marked: list[int] = []

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

    def put_off(self, node: Do, marked: bool) -> None:
        """A load whose value is written where it is used; `marked` if there may be others beside it."""
        self.offset = node.instr.offset
        text = self.load_text(node)
        if marked:
            text = text._replace(text=f"\0{len(self.marked)}\1{text.text}")
            self.marked.append(self.offset)
        self.inline[node.results[0]] = text

    def do(self, node: Do) -> None:
        """A statement with effects."""
        self.offset, first = node.instr.offset, len(self.lines)
        STATEMENTS.get(node.instr.op.kind, DataWriter.by_function)(self, node)
        for name in node.results:
            self.forget(name)
        if self.marked:
            self.place_marked(first, True)

    def place_marked(self, first: int, traps: bool) -> None:
        """Give what is marked in the lines from `first` on lines of its own, unless nothing else in a line traps."""
        lines, self.lines[first:] = self.lines[first:], []
        for indent, text, offset in lines:
            marked = MARK.search(text) is not None
            self.lines += split(indent, text, self.marked, offset, traps) if marked else [(indent, text, offset)]
        self.marked = []
        self.inline.clear()

    def assign(self, node: Assign) -> None:
        """An assignment; several that need each other's old values at once."""
        first = len(self.lines)
        if not self.inline:
            self.offset = node.offset
        if len(node.names) > 1 and any(reads_any(e, node.names) for e in node.exprs):
            pairs = zip(node.names, node.exprs, strict=True)
            values = [self.signed(e).text if name in self.signs else self.clean(e)[0] for name, e in pairs]
            self.line(f"{', '.join(node.names)} = {', '.join(values)}")
        else:
            for name, e in zip(node.names, node.exprs, strict=True):
                self.assign_one(name, e)
        if self.marked:
            self.place_marked(first, False)
        self.inline.clear()
        for name in node.names:
            self.forget(name)

    def assign_one(self, name: str, e: Expr) -> None:
        """name := e"""
        if name in self.signs:
            self.line(f"{name} = {self.signed(e).text}")
            return
        if e.type in WIDTHS:
            if name in self.wides and is_step_of(name, e):
                self.line(f"{name} = {name} + {e.args[1].imm}")
                return
            small = stays_small(e)
            t = self.choice(e, masked=False) if small and e.op == SELECT else self.number(e)
            self.assign_integer(name, t, WIDTHS[e.type], small)
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


def split(indent: int, text: str, offsets: Sequence[int], offset: int, traps: bool) -> list[Line]:
    """A line for each marked part of a text, of the instruction at the offset of its number, and one for what is before
    them, of the one at `offset`; a single line for a single part, unless something else in the text `traps`."""
    head, *rest = MARK.split(text)
    parts = [(piece.rstrip(), offsets[int(number)]) for number, piece in zip(rest[::2], rest[1::2], strict=True)]
    if len(parts) == 1 and not traps:
        return [(indent, head + rest[1], parts[0][1])]
    beginning = BEGINNING.match(head)
    end = beginning.end() if beginning is not None else 0
    pieces = [(indent + 1, piece, at) for piece, at in parts]
    pieces[-1] = (indent + 1, f"{pieces[-1][1]})", pieces[-1][2])
    return [(indent, f"{head[:end]}({head[end:]}".rstrip(), offset), *pieces]


def stays_small(e: Expr) -> bool:
    """Whether a number that is computed of small ones is a small one too: it is stepped, halved, or multiplied by some
    of the first numbers."""
    if e.op == SELECT:
        return all(stays_small(arg) for arg in e.args[1:])
    if e.op in ("iadd", "imul", "ishl"):
        most = {"iadd": SMALL, "imul": MAX_FACTOR, "ishl": MAX_COUNT}[e.op]
        return e.args[1].op == CONST and e.args[1].imm <= most and stays_small(e.args[0])
    return e.op in (VAR, "ishr_u", "idiv_u", "irem_u") or (e.op == CONST and e.imm <= SMALL)


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
