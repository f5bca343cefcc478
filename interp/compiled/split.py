"""Locals that serve several purposes, taken apart.

Compilers let values that are never alive at the same time share a local. What is known of a local as a whole (whether
it holds pointers, or floats that only operators made) is lost by that. So each assignment gets a variable of its own,
except where several of them may reach the same place: those share one.

Spec: exec/runtime#activation-frames
"""

from __future__ import annotations

from dataclasses import replace

from interp.compiled.liveness import flow
from interp.compiled.reading import assigned_names, counted_names, statement_exprs, terminator_exprs
from interp.compiled.tree import VAR, Assign, Block, Expr, Function, Try, successors

MAX_WORK = 200_000
"""Locals times blocks, up to which a function is looked at."""

State = dict[str, int]
"""Local -> the web of assignments that its value may come from."""


def split_locals(function: Function) -> None:
    """Give the locals of a function a variable for each purpose; not where exceptions are caught."""
    locals_ = [name for name in function.types if name[0] == "l"]
    if len(locals_) * len(function.blocks) > MAX_WORK:
        return
    if any(isinstance(block.terminator, Try) for block in function.blocks):
        return
    Splitter(function, locals_).run()


class Splitter:
    """Finds the webs of one function, by joining those that meet, and renames its variables."""

    def __init__(self, function: Function, locals_: list[str]) -> None:
        self.function = function
        self.parents: list[int] = []
        self.owners: list[str] = []
        self.entry: State = {name: self.web(name) for name in locals_}
        self.ends: dict[Block, State] = {}
        self.starts: dict[Block, State] = {}

    def web(self, name: str) -> int:
        """A new web of a local."""
        self.parents.append(len(self.parents))
        self.owners.append(name)
        return len(self.parents) - 1

    def root(self, web: int) -> int:
        """The web that stands for all it was joined with: the oldest one."""
        parents = self.parents
        while parents[web] != web:
            parents[web] = parents[parents[web]]
            web = parents[web]
        return web

    def join(self, a: int, b: int) -> None:
        """Two webs are one."""
        if a != b:
            a, b = self.root(a), self.root(b)
            self.parents[max(a, b)] = min(a, b)

    def run(self) -> None:
        """Find the webs, then rename."""
        assigned: dict[Block, list[list[int]]] = {}
        self.alive = alive(self.function)
        for block in self.function.blocks:
            state = self.start(block)
            self.starts[block] = dict(state)
            assigned[block] = [self.assign(state, assigned_names(statement)) for statement in block.statements]
            self.ends[block] = state
        for block in self.function.blocks:
            for target in successors(block.terminator):
                if target.back_edges and target.index <= block.index:
                    living = self.alive[target]
                    for name, web in self.starts[target].items():
                        if living >> int(name[1:]) & 1:
                            self.join(web, self.ends[block][name])
        self.rename(assigned)

    def start(self, block: Block) -> State:
        """The webs at the start of a block, joined where they differ between the ways there and the value is used."""
        if not block.sources:
            return dict(self.entry)
        state = dict(self.ends[block.sources[0]])
        living = self.alive[block]
        for source in block.sources[1:]:
            for name, web in self.ends[source].items():
                if web != state[name] and living >> int(name[1:]) & 1:
                    self.join(web, state[name])
        return state

    def assign(self, state: State, names: tuple[str, ...]) -> list[int]:
        """New webs for the locals that a statement assigns, in order; -1 for other variables."""
        webs = []
        for name in names:
            if name in state:
                state[name] = self.web(name)
                webs.append(state[name])
            else:
                webs.append(-1)
        return webs

    # ---- Renaming.

    def rename(self, assigned: dict[Block, list[list[int]]]) -> None:
        """Give each web its name: the oldest one of a local keeps that of the local."""
        names: dict[int, str] = {}
        numbers: dict[str, int] = {}
        for web, name in enumerate(self.owners):
            root = self.root(web)
            if root == web:
                number = numbers[name] = numbers.get(name, -1) + 1
                names[web] = name if number == 0 else f"{name}_v{number}"
                self.function.types[names[web]] = self.function.types[name]
        self.names = names
        self.done: set[int] = set()
        for block in self.function.blocks:
            state = self.starts[block]
            self.rename_count(block, state)
            for statement, webs in zip(block.statements, assigned[block], strict=True):
                for e in statement_exprs(statement):
                    self.rename_expr(e, state)
                old = assigned_names(statement)
                new = tuple([n if w < 0 else names[self.root(w)] for n, w in zip(old, webs, strict=True)])
                if isinstance(statement, Assign):
                    statement.names = new
                else:
                    statement.results = new
                state.update({n: w for n, w in zip(old, webs, strict=True) if w >= 0})
            for e in terminator_exprs(block):
                self.rename_expr(e, state)

    def rename_expr(self, e: Expr, state: State) -> None:
        """Rename the variables in an expression, once."""
        if not e.reads or id(e) in self.done:
            return
        self.done.add(id(e))
        if e.op == VAR:
            e.imm = self.names[self.root(state[e.imm])]
        for arg in e.args:
            self.rename_expr(arg, state)

    def rename_count(self, block: Block, state: State) -> None:
        """The variables that a loop counts by, as they are called at its start."""
        count = block.count
        if count is None:
            return
        _, variable, sign = count.bound

        def renamed(name: str) -> str:
            return self.names[self.root(state[name])]

        relation = replace(count.relation, name=renamed(count.relation.name))
        bound = (count.bound[0], variable if variable is None else renamed(variable), sign)
        step = renamed(count.step) if isinstance(count.step, str) else count.step
        others = {renamed(name): stepped for name, stepped in count.others.items()}
        starts = {renamed(name): fact for name, fact in count.starts.items()}
        block.count = replace(count, relation=relation, bound=bound, step=step, others=others, starts=starts)


def alive(function: Function) -> dict[Block, int]:
    """For each block a bit for each local whose value at its start may be used."""
    used: dict[Block, int] = {}
    assigned: dict[Block, int] = {}
    for block in function.blocks:
        reads = sets = 0
        for statement in block.statements:
            for e in statement_exprs(statement):
                reads |= e.reads & ~sets
            for name in assigned_names(statement):
                if name[0] == "l":
                    sets |= 1 << int(name[1:])
        for e in terminator_exprs(block):
            reads |= e.reads & ~sets
        reads |= counted_locals(block)
        used[block], assigned[block] = reads, sets
    return flow(function, used, assigned)


def counted_locals(block: Block) -> int:
    """The locals that a loop counts by: their bits."""
    return sum([1 << int(name[1:]) for name in counted_names(block)])
