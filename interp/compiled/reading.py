"""What statements and terminators read and assign: the ways through a translated function that its passes share.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from interp.compiled.tree import Assign, Block, Branch, Expr, Return, Statement, Switch, TailCall, Try


def all_blocks(blocks: list[Block]) -> Iterator[Block]:
    """Blocks, and those in the bodies of tries."""
    for block in blocks:
        yield block
        if isinstance(block.terminator, Try):
            yield from all_blocks(block.terminator.body)


def statement_exprs(statement: Statement) -> tuple[Expr, ...]:
    """The expressions in a statement."""
    return statement.exprs if isinstance(statement, Assign) else statement.args


def terminator_exprs(block: Block) -> tuple[Expr, ...]:
    """The expressions in a terminator."""
    terminator = block.terminator
    if isinstance(terminator, Branch):
        return (terminator.condition,)
    if isinstance(terminator, Switch):
        return (terminator.index,)
    if isinstance(terminator, Return):
        return terminator.exprs
    return terminator.args if isinstance(terminator, TailCall) else ()


def rewrite_statement(statement: Statement, rewrite: Callable[[Expr], Expr]) -> None:
    """Put others in place of the expressions in a statement."""
    if isinstance(statement, Assign):
        statement.exprs = tuple(map(rewrite, statement.exprs))
    else:
        statement.args = tuple(map(rewrite, statement.args))


def rewrite_terminator(block: Block, rewrite: Callable[[Expr], Expr]) -> None:
    """Put others in place of the expressions in a terminator."""
    terminator = block.terminator
    if isinstance(terminator, Branch):
        terminator.condition = rewrite(terminator.condition)
    elif isinstance(terminator, Switch):
        terminator.index = rewrite(terminator.index)
    elif isinstance(terminator, Return):
        terminator.exprs = tuple(map(rewrite, terminator.exprs))
    elif isinstance(terminator, TailCall):
        terminator.args = tuple(map(rewrite, terminator.args))


def assigned_names(statement: Statement) -> tuple[str, ...]:
    """The variables that a statement assigns."""
    return statement.names if isinstance(statement, Assign) else statement.results


def counted_names(block: Block) -> set[str]:
    """The variables that a loop counts by, if a block heads one that counts."""
    if block.count is None:
        return set()
    names = (block.count.relation.name, block.count.bound[1], block.count.step)
    return {name for name in names if isinstance(name, str)}


def caught_names(block: Block) -> set[str]:
    """The variables that the catch clauses of a block assign, if it ends in a try."""
    if not isinstance(block.terminator, Try):
        return set()
    return {name for handler in block.terminator.handlers for name in handler.names}
