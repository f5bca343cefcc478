"""Loops that count by the index of what they read: pointers that are stepped along with a counter become multiples of
it.

In a counted loop (see `interp.compiled.counting`), a local that is stepped once a turn is a linear function of the
turn. Where it is an address, and only used as one, its step and its division by the width of the access are saved by
writing it as `(q << k) + c`: either q is what the loop counts by already, or nothing else needs that, and the loop
counts by a new local from 0 on, or from the index of a pointer.

Spec: exec/instructions#exec-loop
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice

from interp.compiled.counting import DIFFERS, Count, Relation
from interp.compiled.facts import WIDTH, Fact, constant
from interp.compiled.liveness import Liveness
from interp.compiled.reading import assigned_names, counted_names, terminator_exprs
from interp.compiled.rewriting import Rewriter
from interp.compiled.split import MAX_WORK
from interp.compiled.translate import Translator
from interp.compiled.tree import (
    CONST,
    VAR,
    Assign,
    Block,
    Branch,
    Do,
    Expr,
    Function,
    Jump,
    Try,
    divided,
    item_shift,
    local_bit,
    reads,
    successors,
)
from interp.compiled.unread import read_counts
from interp.execution.values import MASK, SIGN
from interp.syntax.types import I32, ValType

MAX_STEPPED = 64
"""Locals of a loop that are looked at."""

SHIFT_COST, ADD_COST, STEP_GAIN = 9, 11, 11
"""Nanoseconds on one machine; what matters is which is more."""


@dataclass(slots=True)
class Uses:
    """How the code of a loop uses a local besides stepping it: `indices` counts the addresses it is a term of, by the
    exponents of the widths; `others` all else."""

    indices: dict[int, int] = field(default_factory=dict)
    others: int = 0

    @property
    def shift(self) -> int | None:
        """The one exponent of all addresses; None if there are others."""
        return next(iter(self.indices)) if len(self.indices) == 1 else None


@dataclass(frozen=True, slots=True)
class Stepped:
    """A local that is stepped once a turn: by how much (signed), what holds at its start and in the loop, where its
    step stands in the last block, and how it is used."""

    name: str
    step: int
    start: Fact
    fact: Fact
    at: int
    uses: Uses

    @property
    def known(self) -> bool:
        """Whether its value at the start is known."""
        return self.start[0] == self.start[1]


@dataclass(frozen=True, slots=True)
class Index:
    """What a loop counts by: a local that is stepped by `step`, its value at the start, and what holds of it. A new one
    needs the number of turns, and may be the index of a `pointer`."""

    name: str
    step: int
    type: ValType
    start: Expr
    fact: Fact
    turns: Expr | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Linear:
    """A local by the index q of its loop: (q << k) + c."""

    k: int
    c: int


def count_by_indices(t: Translator, function: Function) -> bool:
    """Rewrite the loops of a function, but not where exceptions are caught; whether there is any that counts."""
    if any(isinstance(block.terminator, Try) for block in function.blocks):
        return False
    loops = [block for block in function.blocks if block.count is not None and block.back_edges == 1]
    if len(function.types) * len(function.blocks) > MAX_WORK:
        return False
    if loops:
        liveness, counts = Liveness(function), read_counts(function)
        t.facts = {}  # What holds at the end says nothing of other places.
        for header in loops:
            loop = CountedLoop(t, function, header, liveness, counts)
            if loop.fits():
                loop.rewrite()
    return bool(loops)


class CountedLoop:
    """One loop: its blocks, the last of which alone branches back, and where it leads to."""

    def __init__(
        self, t: Translator, function: Function, header: Block, liveness: Liveness, counts: dict[str, int]
    ) -> None:
        self.t = t
        self.function = function
        self.header = header
        self.count: Count = header.count
        self.liveness = liveness
        self.counts = counts
        self.latch = next(b for b in function.blocks if b.index >= header.index and header in successors(b.terminator))
        self.blocks = self.body()
        self.stepped: dict[str, Stepped] = {}
        self.ways: dict[str, str] = {}

    def body(self) -> set[Block]:
        """The blocks from which the last one can be reached within the loop."""
        found, waiting = {self.header, self.latch}, [self.latch]
        while waiting:
            block = waiting.pop()
            if block is not self.header:
                waiting += [source for source in block.sources if source not in found]
                found.update(block.sources)
        return found

    def fits(self) -> bool:
        """Whether the loop has the form that is rewritten."""
        count = self.count
        (entry,) = self.header.sources if len(self.header.sources) == 1 else (None,)
        if not count.steady or not count.entered or isinstance(count.step, str) or entry is None:
            return False
        if not isinstance(entry.terminator, Jump) or not isinstance(self.latch.terminator, Branch):
            return False
        self.entry = entry
        assigned = self.assignments()
        behind = self.behind()
        for name, (step, fact) in islice(count.others.items(), MAX_STEPPED):
            at = self.step_of(name, step, assigned)
            if at is None or any(self.liveness.alive(name, block) for block in behind):
                continue
            if not self.counts_inside(name):
                start = count.starts[name]
                self.stepped[name] = Stepped(name, step, start, fact, at, self.uses(name))
        return (
            count.relation.name in self.stepped or self.step_of(count.relation.name, count.step, assigned) is not None
        )

    def assignments(self) -> dict[str, int]:
        """How often the loop assigns each variable."""
        found: dict[str, int] = {}
        for block in self.blocks:
            for statement in block.statements:
                for name in assigned_names(statement):
                    found[name] = found.get(name, 0) + 1
        return found

    def behind(self) -> set[Block]:
        """Where control goes on when it leaves the loop."""
        targets = {target for block in self.blocks for target in successors(block.terminator)}
        return targets - self.blocks

    def step_of(self, name: str, step: int, assigned: dict[str, int]) -> int | None:
        """Where the last block steps a local, if that is all that the loop assigns to it."""
        if assigned.get(name) != 1:
            return None
        for at, statement in enumerate(self.latch.statements):
            if isinstance(statement, Assign) and statement.names == (name,):
                (e,) = statement.exprs
                if e.op == VAR and assigned.get(e.imm) == 1:
                    # By way of another variable.
                    before = [other for other in self.latch.statements[:at] if assigned_names(other) == (e.imm,)]
                    if before and isinstance(before[0], Assign):
                        self.ways[name] = e.imm
                        e = before[0].exprs[0]
                full = MASK[WIDTH[self.function.types[name]]]
                steps = e.op == "iadd" and e.args[0].op == VAR and e.args[0].imm == name and e.args[1].op == CONST
                return at if steps and e.args[1].imm == step & full else None
        return None

    def counts_inside(self, name: str) -> bool:
        """Whether another loop inside counts by a local, or up to it."""
        inner = any(name in counted_names(block) for block in self.blocks if block is not self.header)
        return inner or name == self.count.bound[1]

    def uses(self, name: str) -> Uses:
        """How the loop uses a local, apart from its step and the test at the end."""
        uses, bit, way = Uses(), local_bit(name), self.ways.get(name, "")
        for block in self.blocks:
            for statement in block.statements:
                if isinstance(statement, Do):
                    for number, e in enumerate(statement.args):
                        if e.reads & bit:
                            self.use(statement, number, e, name, uses)
                elif statement.names != (name,) and (statement.names != (way,) or self.counts.get(way) != 1):
                    uses.others += sum(reads(e, name) for e in statement.exprs)
            if block is not self.latch or name != self.count.relation.name:
                uses.others += sum(reads(e, name) for e in terminator_exprs(block))
        return uses

    def use(self, statement: Do, number: int, e: Expr, name: str, uses: Uses) -> None:
        """An operand of an instruction with effects uses a local."""
        n = reads(e, name)
        shift = item_shift(statement.instr)
        if number == 0 and shift is not None:
            found = divided(e, shift).count(name)
            aligned = not statement.instr.immediates[0].offset & MASK[shift]
            if found == n == 1 and aligned:
                uses.indices[shift] = uses.indices.get(shift, 0) + 1
                return
        uses.others += n

    # ---- What to count by.

    def rewrite(self) -> None:
        """Choose what the loop counts by, and write all that follows from it."""
        old = self.count.relation.name
        index = self.new_index()
        counts_anew = index is not None
        if index is None:
            start = self.count.starts[old]
            if start[0] != start[1]:
                return
            type_ = self.function.types[old]
            index = Index(old, int(self.count.step), type_, self.t.const(type_, start[0]), self.count.fact)
        replaced: dict[str, Linear] = {}
        for name, stepped in self.stepped.items():
            found = self.multiple(stepped, index) if counts_anew or name != old else None
            if found is not None:
                replaced[name] = found
        if counts_anew:
            if not replaced or (self.stepped[old].uses != Uses() and old not in replaced):
                return
            self.count_by(index)
        if replaced:
            self.replace(index, replaced)

    def new_index(self) -> Index | None:
        """A new local to count by, if nothing needs what the loop counts by now, or only addresses do."""
        primary = self.stepped.get(self.count.relation.name)
        if primary is None or self.function.types[primary.name] is not I32:
            return None
        turns = self.turns()
        if turns is None:
            return None
        pointer = primary
        if primary.uses == Uses():
            pointers = [stepped for stepped in self.stepped.values() if self.is_pointer(stepped)]
            if not pointers:
                return None
            pointer = max(pointers, key=lambda stepped: sum(stepped.uses.indices.values()))
        elif not self.is_pointer(primary) or not (primary.uses.shift or primary.start[0] >= SIGN[32]):
            return None
        shift, t = pointer.uses.shift or 0, self.t
        name, step = self.new_local(), pointer.step >> shift
        if pointer.known:
            hi = step * self.count.turns
            return Index(name, step, I32, t.const(I32, 0), (0, hi, constant(step)[2]), turns) if step > 0 else None
        begin = self.variable(pointer.name, pointer.start)
        start = t.expr("ishr_u", I32, (begin, t.const(I32, shift)), (32,))
        lo, hi, zeros = pointer.fact
        fact = (lo >> shift, hi >> shift, max(zeros - shift, 0))
        if not 0 <= fact[0] + min(step, 0) <= fact[1] + max(step, 0) <= MASK[32]:
            return None
        return Index(name, step, I32, start, fact, turns, pointer.name)

    def new_local(self) -> str:
        """A name that no local has yet."""
        return f"l{max(int(name[1:].partition('_')[0]) for name in self.function.types if name[0] == 'l') + 1}"

    def is_pointer(self, stepped: Stepped) -> bool:
        """Whether a local is an address of items of one width, and stepped by whole items."""
        shift = stepped.uses.shift
        if shift is None or self.function.types[stepped.name] is not I32:
            return False
        return not stepped.step & MASK[shift] and min(stepped.start[2], stepped.fact[2]) >= shift

    def turns(self) -> Expr | None:
        """How many turns the loop takes, computed before it; None if that takes a division."""
        count, t = self.count, self.t
        i, step = count.relation.name, int(count.step)
        constant_, variable, sign = count.bound
        start = count.starts[i]
        if variable is None and start[0] == start[1]:
            return t.const(I32, len(range(start[0], constant_, step)) & MASK[32])
        size = abs(step)
        if size & (size - 1) or (size > 1 and count.relation.kind != DIFFERS) or (count.turns + 1) * size > MASK[32]:
            return None
        bound = t.const(I32, constant_ & MASK[32])
        if variable is not None:
            b = self.variable(variable, count.starts[variable])
            bound = b if sign == 1 else t.expr("isub", I32, (bound, b), (32,))
        pair = (bound, self.variable(i, start)) if step > 0 else (self.variable(i, start), bound)
        n = t.expr("isub", I32, pair, (32,))
        return t.expr("ishr_u", I32, (n, t.const(I32, size.bit_length() - 1)), (32,))

    def variable(self, name: str, fact: Fact) -> Expr:
        """A local, of which a fact holds."""
        e = Expr(VAR, self.function.types[name], imm=name, reads=local_bit(name))
        e.lo, e.hi, e.zeros = fact
        return e

    def multiple(self, stepped: Stepped, index: Index) -> Linear | None:
        """A local by the index, if that is possible, and better than stepping it."""
        ratio, rest = divmod(stepped.step, index.step)
        type_ = self.function.types[stepped.name]
        if type_ is not index.type or rest or ratio <= 0 or ratio & (ratio - 1):
            return None
        k = ratio.bit_length() - 1
        cost = stepped.uses.others * (ADD_COST + (SHIFT_COST if k else 0)) - STEP_GAIN
        for shift, n in stepped.uses.indices.items():
            if shift > min(k, stepped.start[2], stepped.fact[2]):
                return None
            cost += n * (SHIFT_COST if shift < k else -SHIFT_COST if shift else 0)
        if cost >= 0:
            return None
        if index.pointer == stepped.name:
            return Linear(k, 0)
        if index.start.op != CONST or not stepped.known:
            return None
        return Linear(k, (stepped.start[0] - (index.start.imm << k)) & MASK[WIDTH[type_]])

    # ---- The new code.

    def count_by(self, index: Index) -> None:
        """Let the loop count by a new local, which is stepped where the old one was."""
        t, latch, old = self.t, self.latch, self.stepped[self.count.relation.name]
        turns, stepping = index.turns, latch.statements[old.at]
        if turns is None or not isinstance(stepping, Assign):
            raise RuntimeError("a loop whose turns are not known gets no new index")
        offset = stepping.offset
        self.function.types[index.name] = I32
        length = t.expr("imul", I32, (turns, t.const(I32, index.step & MASK[32])), (32,))
        stop = t.expr("iadd", I32, (length, index.start) if index.start.op == CONST else (index.start, length), (32,))
        self.entry.statements.append(Assign((index.name,), (index.start,), offset))
        end: tuple[int, str | None, int] = (stop.imm, None, 0)
        if stop.op != CONST:
            name = self.new_local()
            self.function.types[name] = I32
            self.entry.statements.append(Assign((name,), (stop,), offset))
            end = (0, name, 1)
            stop = self.variable(name, (stop.lo, stop.hi, stop.zeros))
        step = index.step & MASK[32]
        relation = Relation(index.name, DIFFERS, step, end[1], end[0], False)
        self.header.count = replace(
            self.count, relation=relation, step=index.step, bound=end, fact=index.fact, used_behind=False
        )
        value = self.variable(index.name, index.fact)
        after = t.expr("iadd", I32, (value, t.const(I32, step)), (32,))
        latch.statements[old.at] = Assign((index.name,), (after,), offset)
        branch = latch.terminator
        if isinstance(branch, Branch):
            kind = "ine" if branch.then is self.header else "ieq"
            stepped = self.variable(index.name, (0, MASK[32], 0))
            branch.condition = Expr(kind, I32, (stepped, stop), (32,))
            branch.condition.hi = 1

    def replace(self, index: Index, replaced: dict[str, Linear]) -> None:
        """Write the replaced locals by what the loop counts by, and leave out their steps."""
        before = {name: self.linear(index, linear, False, False) for name, linear in replaced.items()}
        for block in self.blocks:
            if block is not self.latch:
                rewriter = Rewriter(self.t, before)
                for statement in block.statements:
                    rewriter.statement(statement)
                rewriter.terminator(block)
        indexed, gone, kept = False, set(), []
        rewriter = Rewriter(self.t, before)
        for number, statement in enumerate(self.latch.statements):
            name = next(iter(assigned_names(statement)), "")
            if name in replaced and self.stepped[name].at == number:
                gone.add(name)
            else:
                rewriter.statement(statement)
                kept.append(statement)
                if name != index.name:
                    continue
                indexed = True
                gone.add(self.count.relation.name)
            now = {name: self.linear(index, linear, name in gone, indexed) for name, linear in replaced.items()}
            rewriter = Rewriter(self.t, now)
        self.latch.statements = kept
        rewriter.terminator(self.latch)

    def linear(self, index: Index, linear: Linear, stepped: bool, indexed: bool) -> Expr:
        """A local by the index, where each may have been stepped in this turn."""
        t, N = self.t, WIDTH[index.type]
        lo, hi, zeros = index.fact
        q = self.variable(index.name, (0, MASK[N], 0) if indexed else (lo, hi, zeros))
        c = linear.c + ((stepped - indexed) * index.step << linear.k)
        scaled = t.expr("ishl", index.type, (q, t.const(index.type, linear.k)), (N,))
        return t.expr("iadd", index.type, (scaled, t.const(index.type, c & MASK[N])), (N,))
