"""Calls as operands: `l0 = f1(l0 - 1) + f1(l0 - 2)` in place of a variable for each result.

Only results that are used once, by the statement right behind the calls, in the order of the calls. Each call gets a
line of its own within the statement, so that a traceback tells which one it went through.

Spec: exec/instructions#exec-call
"""

from __future__ import annotations

from collections.abc import Sequence

from interp.compiled.python_lines import MARK, LineWriter, split
from interp.compiled.python_text import POSTFIX, WIDTHS, Text
from interp.compiled.structure import Node
from interp.compiled.tree import VAR, Assign, Do, Expr, Return, reads
from interp.execution.values import MASK
from interp.syntax.types import F64

INFIX = frozenset({"iadd", "isub", "imul", "ior", "ixor", "fadd", "fsub", "fmul"})
"""Functions that Python has signs for, between operands that are evaluated once, the left one first."""


def is_call(node: Node, reused: set[str]) -> bool:
    """Whether a node is a call whose one result may be an operand."""
    if not isinstance(node, Do) or node.instr.op.kind not in ("call", "call_indirect"):
        return False
    one = len(node.results) == 1 and node.results[0][0] == "t" and node.results[0] not in reused
    return one and not any(e.reads_global for e in node.args)


def operands(user: Node) -> tuple[Expr, ...]:
    """The expressions in which a statement may have calls, in the order of their evaluation."""
    if isinstance(user, Assign | Return):
        return user.exprs if len(user.exprs) == 1 else ()
    if isinstance(user, Do) and user.instr.op.kind == "call":
        return user.args
    return ()


def read_in_order(e: Expr, names: set[str]) -> list[str] | None:
    """The variables among `names` that an expression reads, in the order in which it does; None where that, or how
    often, is not certain."""
    if e.op == VAR:
        return [e.imm] if e.imm in names else []
    if not any(reads(e, name) for name in names):
        return []
    if e.op not in INFIX or (e.type not in WIDTHS and e.type is not F64):
        return None
    found: list[str] = []
    for arg in e.args:
        more = read_in_order(arg, names)
        if more is None:
            return None
        found += more
    return found


def nested(nodes: Sequence[Node], number: int, reused: set[str]) -> int:
    """How many calls from a place on are operands of the statement behind them; 0 if they are not."""
    last = number
    names: list[str] = []
    while last < len(nodes) - 1:
        node = nodes[last]
        if not is_call(node, reused) or not isinstance(node, Do) or any(reads(e, t) for e in node.args for t in names):
            break
        names.append(node.results[0])
        last += 1
    exprs = operands(nodes[last])
    if not names or any(e.reads_global for e in exprs):
        return 0
    found = [read_in_order(e, set(names)) for e in exprs]
    return len(names) if None not in found and [name for row in found for name in row or ()] == names else 0


class CallWriter(LineWriter):
    """Writes statements with calls as operands."""

    def calls_and_user(self, calls: Sequence[Node], user: Node) -> bool:
        """Write a statement together with the calls before it; False, and nothing written, if that does not do."""
        lines, names, shared, offset = len(self.lines), self.names, dict(self.shared), self.offset
        offsets = []
        for number, call in enumerate(calls):
            if isinstance(call, Do):
                self.offset = call.instr.offset
                offsets.append(self.offset)
                name, text = call.results[0], f"\0{number}\1{self.call_text(call)}"
                self.inline[name] = Text(text, POSTFIX, 0, MASK[WIDTHS.get(self.types[name], 64)])
        self.offset = (
            user.instr.offset if isinstance(user, Do) else user.offset if isinstance(user, Return | Assign) else -1
        )
        at = self.offset
        if isinstance(user, Assign):
            self.assign(user)
        elif isinstance(user, Return):
            self.return_(user)
        elif isinstance(user, Do):
            self.do(user)
        self.inline.clear()
        marked = [index for index in range(lines, len(self.lines)) if MARK.search(self.lines[index][1])]
        if len(marked) == 1:
            index = marked[0]
            indent, text, _ = self.lines[index]
            if [int(number) for number in MARK.findall(text)] == list(range(len(calls))):
                self.lines[index : index + 1] = split(indent, text, offsets, at, isinstance(user, Do))
                return True
        del self.lines[lines:]
        self.names, self.shared, self.offset = names, shared, offset
        return False
