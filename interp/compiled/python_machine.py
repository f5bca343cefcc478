"""Control as a state machine: for functions that nest deeper than Python does.

Spec: exec/instructions
"""

from __future__ import annotations

from interp.compiled.python_control import ControlWriter
from interp.compiled.python_text import LOGICAL_OR, paren
from interp.compiled.tree import Assign, Block, Branch, Exit, Jump, Return, Switch, TailCall, Terminator, Try


class MachineWriter(ControlWriter):
    """Writes blocks as they are."""

    def machine(self, blocks: list[Block]) -> None:
        """All blocks in one loop, found by a binary search for the number of the current one; those in the bodies of
        tries too, whose handlers are found by that number."""
        self.number_blocks(blocks, ())
        guarded = any(tries for tries in self.tries_around.values())
        self.line("pc = 0")
        self.block_of("while True:")
        if guarded:
            self.block_of("try:")
            self.block_of("while True:")
        chains = [block for block in self.pcs if not follows(block)]
        arms = []
        for block in chains:
            outer, self.lines = self.lines, []
            self.indent += 1
            self.shared = {}
            self.chain(block)
            self.indent -= 1
            arms.append((self.lines, False))
            self.lines = outer
        self.search("pc", [(self.pcs[block], number) for number, block in enumerate(chains)], arms, 0)
        if guarded:
            self.indent -= 2
            self.machine_handlers()
        self.indent -= 1

    def number_blocks(self, blocks: list[Block], tries: tuple[Try, ...]) -> None:
        """Number the blocks, those of inner regions too; `tries` are around them, the innermost first."""
        waiting = [(blocks, tries)]
        while waiting:
            blocks, tries = waiting.pop()
            for block in blocks:
                if block.index > 0 and not block.sources:
                    continue
                self.pcs[block] = len(self.pcs)
                self.tries_around[block] = tries
                if isinstance(block.terminator, Try):
                    waiting.append((block.terminator.body, (block.terminator, *tries)))

    def machine_handlers(self) -> None:
        """What catches in a state machine: the clauses of the tries around the block that threw."""
        self.block_of("except Thrown as thrown_:")
        self.line("exn = thrown_.exn")
        if self.options.depth:
            self.line("meter.depth = depth")
        regions: dict[tuple[Try, ...], int] = {}
        numbers = [regions.setdefault(self.tries_around[block], len(regions)) for block in self.pcs]
        self.line(f"region = ({''.join([f'{number}, ' for number in numbers])})[pc]")
        arms = []
        for tries in regions:
            outer, self.lines = self.lines, []
            self.indent += 1
            handlers = [handler for try_ in tries for handler in try_.handlers]
            self.clauses(handlers, [f"pc = {self.pcs[handler.target]}" for handler in handlers])
            self.indent -= 1
            arms.append((self.lines, False))
            self.lines = outer
        self.search("region", [(number, number) for number in range(len(arms))], arms, 0)
        self.indent -= 1

    def chain(self, block: Block) -> None:
        """A block, and those that can only follow it."""
        while True:
            for statement in block.statements:
                if isinstance(statement, Assign):
                    self.assign(statement)
                else:
                    self.do(statement)
            terminator = block.terminator
            if not isinstance(terminator, Jump) or not follows(terminator.target):
                break
            block = terminator.target
        self.transition(terminator, block)

    def transition(self, terminator: Terminator, block: Block) -> None:
        """The number of the next block."""
        if isinstance(terminator, Jump):
            self.line(f"pc = {self.next(terminator.target, block)}")
        elif isinstance(terminator, Branch):
            text, prec = self.condition(terminator.condition)
            then, otherwise = self.next(terminator.then, block), self.next(terminator.otherwise, block)
            self.line(f"pc = {then} if {paren(text, prec, LOGICAL_OR)} else {otherwise}")
        elif isinstance(terminator, Switch):
            self.switch(terminator, block)
        elif isinstance(terminator, Return):
            self.return_(terminator)
        elif isinstance(terminator, TailCall):
            self.offset = terminator.instr.offset
            self.leave(self.tail_call(terminator.instr, terminator.args))
        elif isinstance(terminator, Exit):
            self.line(f"pc = {self.pcs[self.tries_around[block][0].exits[terminator.number]]}")
        elif isinstance(terminator, Try):
            self.line(f"pc = {self.pcs[terminator.body[0]]}")

    def switch(self, terminator: Switch, block: Block) -> None:
        """The number of one of many blocks, after a tick if the way there leads back."""
        name = self.hoist(self.exact(terminator.index).text)
        targets = terminator.targets
        numbers = [self.pcs[target] for target in targets]
        table = "".join([f"{number}, " for number in numbers[:-1]])
        self.line(f"pc = ({table})[{name}] if {name} < {len(targets) - 1} else {numbers[-1]}")
        back = sorted({self.pcs[target] for target in targets if self.is_back(target, block)})
        if back and self.options.metered:
            self.line(f"if pc in ({''.join([f'{number}, ' for number in back])}): next_pc(pc)")

    def is_back(self, target: Block, block: Block) -> bool:
        """Whether an edge leads back to a loop."""
        return bool(target.back_edges) and self.pcs[target] <= self.pcs[block]

    def next(self, target: Block, block: Block) -> str:
        """The number of a block, after a tick if the way there leads back."""
        number = self.pcs[target]
        return f"next_pc({number})" if self.options.metered and self.is_back(target, block) else str(number)


def follows(block: Block) -> bool:
    """Whether a block has one edge, which is a jump, and is not begun anew."""
    return (
        len(block.sources) == 1
        and not block.back_edges
        and isinstance(block.sources[0].terminator, Jump)
        and block.index > 0
    )
