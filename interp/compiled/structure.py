"""From basic blocks to structured control: loops, scopes that a branch may leave, conditions.

A block with one edge to it stands where that edge starts. Any other one stands behind the `Scope` around everything
that branches to it. Which scope or loop that is follows from dominance (Ramsey, "Beyond Relooper", 2022), except that a
block behind a loop is never drawn into the loop, however few edges lead to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from interp.compiled.tree import (
    Assign,
    Block,
    Branch,
    Do,
    End,
    Exit,
    Expr,
    Jump,
    Return,
    Switch,
    TailCall,
    Try,
)


@dataclass(slots=True, eq=False)
class If:
    """If the condition holds (or does not, where `negated`), `arm`, which does not end normally; else what follows."""

    condition: Expr
    negated: bool
    arm: list[Node]


@dataclass(slots=True, eq=False)
class Loop:
    """A body that is begun anew by a Goto to `header`; it never ends normally. `exits` counts the blocks outside that
    its code goes to."""

    header: Block
    body: list[Node]
    exits: dict[Block, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Scope:
    """A body that is left by a Goto to `label`, whose code follows."""

    label: Block
    body: list[Node]


@dataclass(slots=True, eq=False)
class Goto:
    """Go on at a block: the header of a loop around, or the label of a scope around."""

    target: Block


@dataclass(slots=True, eq=False)
class Choice:
    """One of several arms by an i32: `numbers` says which, the last one for all numbers beyond."""

    index: Expr
    numbers: tuple[int, ...]
    arms: list[list[Node]]


@dataclass(slots=True, eq=False)
class Guarded:
    """A body with handlers; what follows an exit, and what follows when a handler has caught."""

    body: list[Node]
    exits: list[list[Node]]
    handlers: list[list[Node]]
    terminator: Try


@dataclass(slots=True, eq=False)
class Metered:
    """The rest of a sequence, which takes a tick before it begins."""

    body: list[Node]


Node: TypeAlias = "Assign | Do | If | Loop | Scope | Goto | Choice | Guarded | Metered | Return | TailCall | Exit"


class Structure:
    """Structures the blocks of one region."""

    def __init__(self, blocks: list[Block]) -> None:
        thread_jumps(blocks)
        self.blocks = blocks
        self.placed: set[Block] = set()
        self.open: set[Block] = set()
        self.merges: dict[Block, list[Block]] = {}
        self.after: dict[Block, list[Block]] = {}
        self.attach()

    def attach(self) -> None:
        """Find for each block that does not stand at its one edge where it stands instead."""
        idom: dict[Block, Block] = {}
        for block in self.blocks[1:]:
            sources = block.sources
            if not sources:
                continue
            dominator = sources[0]
            for other in sources[1:]:
                while dominator is not other:
                    if dominator.index > other.index:
                        dominator = idom[dominator]
                    else:
                        other = idom[other]  # noqa: PLW2901
            idom[block] = dominator
            at, last = dominator, None
            loop = innermost(at)
            while loop is not None and not inside(block, loop):
                last = loop
                loop = around(loop)
            if last is not None and not (len(sources) == 1 and is_leaf(block)):
                self.after.setdefault(last, []).append(block)
                self.placed.add(block)
            elif len(sources) > 1:
                self.merges.setdefault(dominator, []).append(block)
                self.placed.add(block)

    def region(self) -> list[Node]:
        """The structured code of the region."""
        nodes: list[Node] = []
        self.tree(self.blocks[0], nodes)
        count_exits(nodes)
        return nodes

    def tree(self, block: Block, nodes: list[Node], body_of: Block | None = None) -> None:
        """Append a block and all that stands behind it; of the loop `body_of` only what is inside."""
        pending: list[tuple[int, list[Block]]] = []
        current: Block | None = block
        while current is not None:
            start = len(nodes)
            if current.back_edges and current is not body_of:
                body: list[Node] = []
                self.open.add(current)
                self.tree(current, body, current)
                nodes.append(Loop(current, body))
                pending.append((start, self.after.get(current, [])[::-1]))
                current = None
            else:
                pending.append((start, self.merges.get(current, [])[::-1]))
                current = self.block(current, nodes)
            while current is None and pending:
                start, waiting = pending[-1]
                if waiting:
                    current = waiting.pop()
                    nodes[start:] = [Scope(current, nodes[start:])]
                else:
                    pending.pop()

    def block(self, block: Block, nodes: list[Node]) -> Block | None:
        """Append statements and terminator of a block; the block that follows here, if one does."""
        nodes.extend(block.statements)
        terminator = block.terminator
        if isinstance(terminator, Jump):
            return self.follow(terminator.target, nodes)
        if isinstance(terminator, Branch):
            arm: list[Node] = []
            # The arm that goes elsewhere is the short one; the other one goes on at the same depth.
            negated = self.stands(terminator.then) and not self.stands(terminator.otherwise)
            taken, rest = (
                (terminator.otherwise, terminator.then) if negated else (terminator.then, terminator.otherwise)
            )
            self.arm(taken, arm)
            nodes.append(If(terminator.condition, negated, arm))
            return self.follow(rest, nodes)
        if isinstance(terminator, Switch):
            nodes.append(self.choice(terminator))
        elif isinstance(terminator, Try):
            nodes.append(self.guarded(terminator))
        elif isinstance(terminator, Return | TailCall | Exit):
            nodes.append(terminator)
        return None

    def stands(self, target: Block) -> bool:
        """Whether a block stands where the edge to it starts."""
        return target not in self.placed and target not in self.open

    def follow(self, target: Block, nodes: list[Node]) -> Block | None:
        """The block, if it follows here; else a Goto to it is appended."""
        if self.stands(target):
            return target
        nodes.append(Goto(target))
        return None

    def arm(self, target: Block, nodes: list[Node]) -> None:
        """Append a whole arm."""
        block = self.follow(target, nodes)
        if block is not None:
            self.tree(block, nodes)

    def choice(self, switch: Switch) -> Choice:
        """The arms of a switch, each once."""
        order = list(dict.fromkeys(switch.targets))
        numbers = {target: number for number, target in enumerate(order)}
        arms: list[list[Node]] = [[] for _ in order]
        for target, arm in zip(order, arms, strict=True):
            self.arm(target, arm)
        return Choice(switch.index, tuple([numbers[target] for target in switch.targets]), arms)

    def guarded(self, try_: Try) -> Guarded:
        """A try with its body structured."""
        exits: list[list[Node]] = [[] for _ in try_.exits]
        handlers: list[list[Node]] = [[] for _ in try_.handlers]
        for target, nodes in zip(try_.exits, exits, strict=True):
            self.arm(target, nodes)
        for handler, nodes in zip(try_.handlers, handlers, strict=True):
            self.arm(handler.target, nodes)
        return Guarded(Structure(try_.body).region(), exits, handlers, try_)


MAX_LEAF = 4
"""Statements of a block that ends the function, up to which it stands inside of a loop that only leads to it."""


def is_leaf(block: Block) -> bool:
    """Whether a block is short and ends the function."""
    return len(block.statements) <= MAX_LEAF and isinstance(block.terminator, Return | End)


def thread_jumps(blocks: list[Block]) -> None:
    """Let edges to blocks that do nothing but jump lead to where those jump."""
    for block in reversed(blocks):
        terminator = block.terminator
        if not isinstance(terminator, Jump) or block.statements or block.back_edges or block.index == 0:
            continue
        target = terminator.target
        if target.index <= block.index or any(isinstance(source.terminator, Try) for source in block.sources):
            continue
        target.sources.remove(block)
        for source in block.sources:
            redirect(source, block, target)
            target.sources.append(source)
        block.sources = []


def redirect(source: Block, block: Block, target: Block) -> None:
    """Let an edge lead elsewhere."""
    terminator = source.terminator
    if isinstance(terminator, Jump):
        terminator.target = target
    elif isinstance(terminator, Branch):
        if terminator.then is block:
            terminator.then = target
        else:
            terminator.otherwise = target
    elif isinstance(terminator, Switch):
        terminator.targets = tuple([target if t is block else t for t in terminator.targets])


def innermost(block: Block) -> Block | None:
    """The header of the innermost loop that a block is in, which may be the block itself."""
    return block if block.back_edges else around(block)


def around(block: Block) -> Block | None:
    """The header of the innermost loop around a block, or around the loop that it heads."""
    header = block.outer
    while header is not None and not header.back_edges:
        header = header.outer
    return header


def inside(block: Block, loop: Block) -> bool:
    """Whether a block stands in a loop."""
    header = around(block)
    while header is not None and header is not loop:
        header = around(header)
    return header is loop


def count_exits(nodes: list[Node]) -> dict[Block, int]:
    """Where the Gotos of some code go that do not stay inside of it; noted for each loop."""
    found: dict[Block, int] = {}
    for node in nodes:
        inner: dict[Block, int] = {}
        if isinstance(node, Goto):
            inner = {node.target: 1}
        elif isinstance(node, If):
            inner = count_exits(node.arm)
        elif isinstance(node, Scope):
            inner = count_exits(node.body)
            inner.pop(node.label, None)
        elif isinstance(node, Loop):
            inner = count_exits(node.body)
            inner.pop(node.header, None)
            node.exits = inner
        elif isinstance(node, Choice | Guarded):
            arms = node.arms if isinstance(node, Choice) else node.exits + node.handlers
            for arm in arms:
                add(inner, count_exits(arm))
        add(found, inner)
    return found


def add(total: dict[Block, int], more: dict[Block, int]) -> None:
    """Sum of two counts."""
    for target, n in more.items():
        total[target] = total.get(target, 0) + n
