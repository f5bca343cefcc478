"""Open blocks, while a function is translated.

Spec: exec/runtime#labels
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from interp.compiled.counting import Relation
from interp.compiled.facts import Fact, Facts
from interp.compiled.tree import VAR, Block, Expr, Try
from interp.syntax.instructions import Instr


@dataclass(slots=True, eq=False)
class Region:
    """The body of a function or of a `try_table`: its blocks, and for a `try_table` the labels outside that its code
    branches to, each with what is known there."""

    blocks: list[Block] = field(default_factory=list)
    exits: list[Label] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    header: Block | None = None


@dataclass(slots=True, eq=False)
class Label:
    """An open block: what a branch to it assigns, the height of the stack below its results, and the code still to
    come.

    `target` is where a branch to it goes on, None as long as nothing branches to it, and for the function itself. Of an
    `if`, `otherwise` and `else_block` are the second arm to come, `params` what both arms find on the stack. Of a loop,
    `start` is its first block and `guesses` is what was guessed there; of a `try_table`, `start` is the block that ends
    with it, `try_` the terminator, and `around` are the labels that its catch clauses count.
    """

    kind: str
    region: Region
    names: tuple[str, ...]
    height: int
    code: Iterator[Instr]
    offset: int = 0
    target: Block | None = None
    otherwise: tuple[Instr, ...] = ()
    else_block: Block | None = None
    params: tuple[Expr, ...] = ()
    outer_header: Block | None = None
    guesses: Facts = field(default_factory=dict)
    relation: Relation | None = None
    start: Block | None = None
    try_: Try | None = None
    around: list[Label] = field(default_factory=list)
    set: int = 0


def widened(actual: Fact, guess: Fact, full: Fact) -> Fact:
    """What to guess in place of a guess that was wrong: an end of the range that did not hold is given up."""
    return (
        guess[0] if actual[0] >= guess[0] else full[0],
        guess[1] if actual[1] <= guess[1] else full[1],
        min(actual[2], guess[2]),
    )


def is_temp(e: Expr) -> bool:
    """Whether an expression is a temporary, which never changes once it is set."""
    return e.op == VAR and e.imm[0] == "t"


def exit_number(region: Region, label: Label) -> int:
    """The number of the exit of a region to a label outside."""
    if label not in region.exits:
        region.exits.append(label)
    return region.exits.index(label)
