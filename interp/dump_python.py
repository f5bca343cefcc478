"""The Python that the engine `compiled` makes of functions, beside the instructions that each line was made of.

A line stands for one statement, in which the instructions that gave its operands are folded. Lines of control that only
lead on have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from interp.binary.names import function_names
from interp.compiled import any_address
from interp.compiled.python_lines import Options, Source
from interp.compiled.units import source_of
from interp.dump import functype_of, selected
from interp.errors import printable
from interp.syntax.instructions import Instr
from interp.syntax.modules import Func
from interp.syntax.notation import show_instr
from interp.validation.context import Context
from interp.validation.derivation import derive
from interp.validation.modules import ValidModule

WIDE = 100
"""Columns of a terminal in which both halves have room."""

MAX_CODE = 72
"""Columns that Python has at most before the instructions begin, if they stand behind it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of Python, and the instructions it was made of in their order; `offset` is the byte offset in the module
    of the one that it stands for, or None."""

    text: str
    offset: int | None
    instructions: tuple[Instr, ...]

    def to_json(self) -> dict[str, Any]:
        """The line as data."""
        instructions = [{"offset": instr.offset, "text": show_instr(instr)} for instr in self.instructions]
        return {"text": self.text, "offset": self.offset, "instructions": instructions}


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """A function of a module as Python: its index, its name if it has one, its type, and the lines."""

    index: int
    name: str | None
    type: str
    lines: tuple[Line, ...]

    @property
    def source(self) -> str:
        """The whole source."""
        return "".join([f"{line.text}\n" for line in self.lines])

    def to_json(self) -> dict[str, Any]:
        """The function as data."""
        lines = [line.to_json() for line in self.lines]
        return {"index": self.index, "name": self.name, "type": self.type, "source": self.source, "lines": lines}


@dataclass(slots=True)
class Operand:
    """What an operand is made of that no line has made yet, and the line that made the rest of it, by its offset."""

    instrs: tuple[Instr, ...] = ()
    made_by: int | None = None


@dataclass(slots=True)
class Origins:
    """For each offset that a line stands for, the instructions that it was made of."""

    owners: frozenset[int]
    found: dict[int, list[Instr]] = field(default_factory=dict)
    stacks: list[list[Operand]] = field(default_factory=list)

    def add(self, instr: Instr, depth: int, height: int, popped: int, pushed: int) -> None:
        """The next instruction of the function, with so many blocks around it and so many operands before it."""
        del self.stacks[depth + 1 :]
        self.stacks += [[] for _ in range(depth + 1 - len(self.stacks))]
        stack = self.stacks[depth]
        del stack[height:]
        # In code that cannot be reached, operands come from nowhere.
        stack += [Operand() for _ in range(height - len(stack))]
        taken = stack[max(len(stack) - popped, 0) :]
        del stack[len(stack) - len(taken) :]
        instrs = (*[each for operand in taken for each in operand.instrs], instr)
        made_by = next((operand.made_by for operand in reversed(taken) if operand.made_by is not None), None)
        if instr.offset in self.owners:
            self.found.setdefault(instr.offset, []).extend(instrs)
            stack += [Operand((), instr.offset) for _ in range(pushed)]
        elif instr.bodies or instr.op.kind.startswith("br"):
            stack += [Operand() for _ in range(pushed)]
        elif pushed:
            stack += [Operand(instrs, made_by), *[Operand() for _ in range(pushed - 1)]]
        elif made_by is not None:
            self.found[made_by].extend(instrs)


def origins(context: Context, func: Func, offsets: frozenset[int]) -> dict[int, list[Instr]]:
    """For each of these offsets in a function of a valid module, the instructions folded into what stands there."""
    found = Origins(offsets)
    for node in derive(context, func):
        found.add(node.instr, node.depth, node.height, len(node.popped), len(node.pushed))
    # The end of a function returns what is left.
    results = [instr for operand in (found.stacks or [[]])[0] for instr in operand.instrs]
    made_of = found.found | {func.offset + func.size - 1: results}
    return {offset: sorted(instrs, key=lambda instr: instr.offset) for offset, instrs in made_of.items()}


def only_leads_on(text: str) -> bool:
    """Whether a line is one of control, which may have the offset of the statement before it."""
    text = text.strip()
    return text.endswith(":") or text in ("break", "continue", "pass")


def lines_of(source: Source, context: Context, func: Func) -> Iterator[Line]:
    """The lines of a function. Of several lines that an instruction becomes, the first one shows it."""
    texts = source.text.splitlines()
    made_of = origins(context, func, frozenset(source.offsets))
    statements = {offset for text, offset in zip(texts, source.offsets, strict=True) if not only_leads_on(text)}
    before = -1
    for text, offset in zip(texts, source.offsets, strict=True):
        if offset not in made_of or (only_leads_on(text) and offset in statements):
            yield Line(text, None, ())
            continue
        yield Line(text, offset, tuple(made_of[offset]) if offset != before else ())
        before = offset


def python_functions(valid: ValidModule, function: str | None) -> Iterator[PythonFunction]:
    """The functions of a valid module that are asked for, translated without any limits.

    Raises NoSuchFunctionError.
    """
    names = function_names(valid.module)
    for index, func in selected(valid.module, function):
        lines = tuple(lines_of(source_of(valid, index, Options(views=any_address.available())), valid.context, func))
        yield PythonFunction(index, names.get(index), functype_of(valid.module, func.typeidx), lines)


# ---- For people.


def heading(function: PythonFunction) -> str:
    """Index, name and type of a function."""
    name = f" {printable(function.name)}" if function.name else ""
    return f"function {function.index}{name} {function.type}"


def instructions_text(line: Line) -> str:
    """The offset of the first instruction of a line, and all of them."""
    if not line.instructions:
        return ""
    texts = "; ".join(map(show_instr, line.instructions))
    return f"{line.instructions[0].offset:#08x}  {texts}"


def python_text(function: PythonFunction, *, offsets_only: bool = False) -> Iterator[str]:
    """The lines of a function, with comments that say what they were made of, or where that stands."""
    yield f"# {heading(function)}"
    width = min(MAX_CODE, max(len(line.text) for line in function.lines))
    for line in function.lines:
        comment = instructions_text(line)
        if comment and offsets_only:
            comment = comment.partition(" ")[0]
        yield f"{line.text:{width}}  # {comment}" if comment else line.text


def python_table(function: PythonFunction) -> RenderableType:
    """Two columns: Python with colours, and instructions."""
    title = Text(heading(function))
    table = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column(ratio=1)
    table.add_column(ratio=1, style="dim")
    syntax = Syntax("", "python", background_color="default")
    for line in function.lines:
        code = syntax.highlight(line.text)
        code.rstrip()
        table.add_row(code, Text(instructions_text(line)))
    return table


def show(functions: Iterator[PythonFunction], console: Console) -> None:
    """Print functions: side by side where there is room; where nobody looks at it, as text."""
    for number, function in enumerate(functions):
        if console.is_terminal and console.width >= WIDE:
            console.print(*[""] * bool(number), python_table(function), sep="\n")
            continue
        for text in [""] * bool(number) + list(python_text(function, offsets_only=console.is_terminal)):
            console.out(text, highlight=False)
