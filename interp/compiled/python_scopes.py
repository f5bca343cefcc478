"""What structured control becomes in Python, found before it is written: which scopes must be loops, where `break`
leads to, and which loops Python can count.

Spec: exec/instructions#exec-br
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from interp.compiled.python_lines import reads_any
from interp.compiled.reading import assigned_names
from interp.compiled.structure import Choice, Goto, Guarded, If, Loop, Metered, Node, Scope, count_exits
from interp.compiled.tree import Assign, Block, Do, Exit, Statement, TailCall

MAX_ELSE = 6
"""Branches to one place that are made ends of `if` statements; with more, nesting would get too deep."""

CALLS = frozenset({"call", "call_indirect", "call_ref"})
"""Kinds of instructions that call a function and come back."""

MAX_LEVELS = 8
"""Conditions and scopes around each other in which a tick may be put off."""

Around = list[tuple[bool, Block, Block | None]]
"""What is around a place: (False, label, None) for scopes, (True, header, what is behind) for loops."""


def left_early(nodes: list[Node], follow: Block | None) -> set[Block]:
    """The labels of the scopes that are left by branches which do not stand at an end, or by too many."""
    finder = Finder()
    finder.find(nodes, follow, [])
    return finder.found | {target for target, n in finder.counts.items() if n > MAX_ELSE}


class Finder:
    """Looks for branches: `counts` those at an end, `found` are the labels of the others."""

    def __init__(self) -> None:
        self.counts: dict[Block, int] = {}
        self.found: set[Block] = set()

    def find(self, nodes: list[Node], follow: Block | None, around: Around) -> None:
        """Look through a sequence, behind which control goes on at `follow`."""
        for node in nodes:
            if isinstance(node, If):
                self.find(node.arm, follow, around)
            elif isinstance(node, Goto):
                self.find_goto(node.target, follow, around)
            elif isinstance(node, Scope):
                self.find(node.body, node.label, [*around, (False, node.label, None)])
            elif isinstance(node, Loop):
                behind = behind_loop(node, follow)
                self.find(node.body, node.header, [*around, (True, node.header, behind)])
                if behind is not None and behind is not follow:
                    self.find_goto(behind, follow, around)
            elif isinstance(node, Choice):
                for arm in node.arms:
                    self.find(arm, follow, around)
            elif isinstance(node, Guarded):
                for arm in node.exits + node.handlers:
                    self.find(arm, follow, around)

    def find_goto(self, target: Block, follow: Block | None, around: Around) -> None:
        """A branch: at an end, to where a loop around ends, or one for which its scope must be a loop."""
        if target is follow:
            if not any(is_loop and header is target for is_loop, header, _ in around[-1:]):
                self.counts[target] = self.counts.get(target, 0) + 1
            return
        for is_loop, block, behind in reversed(around):
            if is_loop and target in (block, behind):
                return
            if not is_loop and block is target:
                self.found.add(target)
                return


def behind_loop(loop: Loop, follow: Block | None) -> Block | None:
    """What `break` in a loop leads to: what follows it, or where most of its branches go."""
    if not loop.exits or follow in loop.exits:
        return follow
    return max(loop.exits, key=lambda target: loop.exits[target])


def counting_loop(node: Loop, behind: Block | None) -> list[Node] | None:
    """The body of a loop that counts without its step and its test, which must be its end; None for other loops."""
    count = node.header.count
    if count is None or not count.entered or not count.steady or len(node.body) < 3:
        return None
    test, last = node.body[-2:]
    if not isinstance(test, If) or not isinstance(last, Goto) or len(test.arm) != 1:
        return None
    (other,) = test.arm
    if not isinstance(other, Goto) or {other.target, last.target} != {node.header, behind}:
        return None
    if repeats(node.body, node.header) != 1 or not isinstance(behind, Block):
        return None
    name = count.relation.name
    for index in range(len(node.body) - 3, -1, -1):
        step = node.body[index]
        if isinstance(step, Assign) and step.names == (name,):
            rest = node.body[index + 1 : -2]
            body = [*node.body[:index], *rest]
            if all(isinstance(other, Assign) and not any(reads_any(e, (name,)) for e in other.exprs) for other in rest):
                return None if any(name in assigned_names(each) for each in statements(body)) else body
            return None
    return None


def all_nodes(nodes: list[Node]) -> Iterator[Node]:
    """Nodes, and those that they are made of."""
    for node in nodes:
        yield node
        for part in parts(node):
            yield from all_nodes(part)


def statements(nodes: list[Node]) -> Iterator[Statement]:
    """All statements of some code."""
    return (node for node in all_nodes(nodes) if isinstance(node, Assign | Do))


MOVING = CALLS | {"memory.grow"}
"""Kinds of instructions after which views of a memory may be others."""


def moves_memory(nodes: list[Node]) -> bool:
    """Whether a memory may grow while code runs."""
    return any(isinstance(each, Do) and each.instr.op.kind in MOVING for each in statements(nodes))


def parts(node: Node) -> list[list[Node]]:
    """The sequences that a node is made of."""
    if isinstance(node, If):
        return [node.arm]
    if isinstance(node, Loop | Scope | Metered):
        return [node.body]
    if isinstance(node, Choice):
        return node.arms
    return [node.body, *node.exits, *node.handlers] if isinstance(node, Guarded) else []


def metered(nodes: list[Node], early: set[Block], levels: int = MAX_LEVELS) -> list[Node]:
    """The nodes of a function, in which a tick is taken where it becomes certain that it may call another one: that is
    enough for a deadline, since loops take ticks of their own. `early` are the scopes that are loops in Python."""
    for number, node in enumerate(nodes):
        if not has_calls([node]):
            continue
        if levels and not has_calls(nodes[number + 1 :]):
            if isinstance(node, Loop):
                return nodes
            if isinstance(node, If):
                changed: Node = replace(node, arm=metered(node.arm, early, levels - 1))
                return [*nodes[:number], changed, *nodes[number + 1 :]]
            if isinstance(node, Scope) and node.label not in early:
                changed = replace(node, body=metered(node.body, early, levels - 1))
                return [*nodes[:number], changed, *nodes[number + 1 :]]
        return [*nodes[:number], Metered(nodes[number:])]
    return nodes


def has_calls(nodes: list[Node]) -> bool:
    """Whether another function may be called."""
    return any(
        isinstance(node, TailCall) or (isinstance(node, Do) and node.instr.op.kind in CALLS)
        for node in all_nodes(nodes)
    )


def repeats(nodes: list[Node], header: Block) -> int:
    """How many branches back to a loop there are."""
    return count_exits(nodes).get(header, 0)


def note_exits(nodes: list[Node], end: Block) -> int:
    """Count the branches out of the body of a try, which go to its end, among those that leave its loops; how many
    there are."""
    found = 0
    for node in nodes:
        if isinstance(node, Exit):
            found += 1
        else:
            arms = node.exits + node.handlers if isinstance(node, Guarded) else parts(node)
            inner = sum([note_exits(arm, end) for arm in arms])
            if isinstance(node, Loop) and inner:
                node.exits[end] = inner
            found += inner
    return found


def with_ends(nodes: list[Node], end: Block) -> list[Node]:
    """The same nodes with a Goto to the end in place of each Exit, to find what must be a loop."""
    out: list[Node] = []
    for node in nodes:
        if isinstance(node, Exit):
            out.append(Goto(end))
        elif isinstance(node, If):
            out.append(If(node.condition, node.negated, with_ends(node.arm, end)))
        elif isinstance(node, Loop):
            body = with_ends(node.body, end)
            out.append(Loop(node.header, body, node.exits))
        elif isinstance(node, Scope):
            out.append(Scope(node.label, with_ends(node.body, end)))
        elif isinstance(node, Choice):
            out.append(Choice(node.index, node.numbers, [with_ends(arm, end) for arm in node.arms]))
        elif isinstance(node, Guarded):
            arms = [[with_ends(arm, end) for arm in part] for part in (node.exits, node.handlers)]
            out.append(Guarded(node.body, arms[0], arms[1], node.terminator))
        else:
            out.append(node)
    return out
