"""Functions as Python source: control.

A loop becomes `while True`, in which `continue` begins anew and the end of the body does so too. A scope needs nothing
if all branches to its end stand where control comes to the end anyway, which an `else` around what follows brings
about; otherwise it becomes a `while True` that is never repeated, and `break` leaves it. Python leaves only the
innermost loop: to go further, a branch sets `br` and leaves loop by loop.

CPython nests no more than 20 blocks; a function that would need more, or that would be indented too deep, is written
as a state machine instead: one loop around a search for the current block.

Where fuel or time are limited, each turn of a loop takes one element of `T`, an iterator that all functions of a
store share: `for _ in T` in place of `while True` costs a few nanoseconds. With fuel each function does so too; for
time alone it is enough where one goes on to call another.

Spec: exec/instructions
"""

from __future__ import annotations

from interp.compiled.python_lines import Options, Source, TooDeepError
from interp.compiled.python_machine import MachineWriter
from interp.compiled.python_scopes import left_early, metered
from interp.compiled.structure import Structure
from interp.compiled.tree import Function
from interp.syntax.types import F32, F64, I32, I64, V128
from interp.validation.context import Context

ZEROS = {I32: "0", I64: "0", F32: "0.0", F64: "0.0", V128: "0"}


class CodeWriter(MachineWriter):
    """Writes one function."""

    def write(self, name: str) -> Source:
        """The source."""
        prologue = self.prologue()
        nodes = Structure(self.translated.blocks).region()
        ticks = self.options.fuel
        try:
            self.left_early = left_early(nodes, None)
            self.nodes(metered(nodes, self.left_early) if self.options.time and not ticks else nodes, None)
        except (TooDeepError, RecursionError):
            self.reset()
            self.machine(self.translated.blocks)
            ticks = self.options.metered
        body = self.lines
        self.lines = []
        self.indent = 0
        self.offset = -1
        self.line(f"def {name}({', '.join(self.translated.params)}):")
        self.indent = 1
        shift = 0
        if ticks:
            self.line("for _ in T:")
            self.indent = 2
            shift = 1
        for text in prologue:
            self.line(text)
        self.lines += [(indent + shift, text, offset) for indent, text, offset in body]
        text = "\n".join(["    " * indent + text for indent, text, _ in self.lines]) + "\n"
        return Source(name, text, tuple([offset for _, _, offset in self.lines]), self.translated.tail_calls)

    def reset(self) -> None:
        """Begin the body anew."""
        self.lines = []
        self.indent = 1
        self.around = []
        self.blocks = 0
        self.shared = {}
        self.bound = None
        self.left_early = set()

    def prologue(self) -> list[str]:
        """The first lines: what locals hold that are not set yet, and the depth of calls."""
        texts = []
        by_value: dict[str, list[str]] = {}
        for name in self.translated.defaults:
            by_value.setdefault(ZEROS.get(self.types[name], "None"), []).append(name)
        for value, names in by_value.items():
            for start in range(0, len(names), 50):
                texts.append(" = ".join([*names[start : start + 50], value]))
        if self.options.depth:
            texts += ["depth = meter.depth + 1", "if depth > max_depth: raise call_stack()", "meter.depth = depth"]
        return texts


def write(context: Context, function: Function, name: str, options: Options) -> Source:
    """The Python source of a translated function of a module with this context."""
    return CodeWriter(context, function, options).write(name)


__all__ = ["Options", "Source", "write"]
