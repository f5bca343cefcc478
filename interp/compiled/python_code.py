"""Functions as Python source: control.

A loop becomes `while True`, in which `continue` begins anew and the end of the body does so too. A scope needs nothing
if all branches to its end stand where control comes to the end anyway, which an `else` around what follows brings
about; otherwise it becomes a `while True` that is never repeated, and `break` leaves it. Python leaves only the innermost
loop: to go further, a branch sets `br` and leaves loop by loop.

CPython nests no more than 20 blocks; a function that would need more, or that would be indented too deep, is written as
a state machine instead: one loop around a search for the current block.

Where fuel or time are limited, each function and each turn of a loop takes one element of `T`, an iterator that all
functions of a store share: `for _ in T` in place of `while True` costs a few nanoseconds.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from interp.compiled.python_data import NEVER_RETURNS, STATEMENTS, DataWriter
from interp.compiled.python_expr import LOGICAL_OR, paren
from interp.compiled.python_inline import inlined
from interp.compiled.python_nans import any_nans
from interp.compiled.structure import count_exits, Choice, Goto, Guarded, If, Loop, Node, Scope, Structure
from interp.compiled.tree import (
    VAR,
    Assign,
    Block,
    Branch,
    Do,
    Exit,
    Expr,
    Function,
    Handler,
    Jump,
    Return,
    Switch,
    TailCall,
    Terminator,
    Try,
)
from interp.syntax.types import F32, F64, I32, I64, V128
from interp.validation.context import Context

MAX_BLOCKS = 18
"""Loops and tries around each other in Python."""

MAX_INDENT = 70
"""Levels of indentation, of which Python's tokenizer allows 100."""

MAX_ELSE = 6
"""Branches to one place that are made ends of `if` statements; with more, nesting would get too deep."""

WIDTHS = {I32: 32, I64: 64}
ZEROS = {I32: "0", I64: "0", F32: "0.0", F64: "0.0", V128: "0"}


class TooDeepError(Exception):
    """The function does not fit in Python's limits of nesting."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the code counts and relies on: whether `fuel` (loops are entered for free) or `time` is limited, whether the
    `depth` of calls is counted rather than left to Python's limit, whether views of memory are in its byte order, and
    whether a memory of i32 addresses may have all of the 4 GiB (`whole`)."""

    fuel: bool = False
    time: bool = False
    depth: bool = False
    native: bool = True
    whole: bool = False

    @property
    def metered(self) -> bool:
        """Whether ticks are taken."""
        return self.fuel or self.time

    @property
    def key(self) -> str:
        """A letter for each option."""
        letters = zip("ftdnw", (self.fuel, self.time, self.depth, self.native, self.whole), strict=True)
        return "".join([letter for letter, on in letters if on]) or "-"


@dataclass(frozen=True, slots=True)
class Source:
    """Python source of a function called `name`, and the byte offset in the module for each of its lines (-1 where it
    comes from no instruction)."""

    name: str
    text: str
    offsets: tuple[int, ...]
    tail_calls: bool


@dataclass(slots=True, eq=False)
class Around:
    """A Python loop around the current line: what `continue` and `break` lead to, and the further places that branches
    leave it for."""

    again: Block | None
    behind: Block | None
    escapes: dict[Block, int] = field(default_factory=dict)


class CodeWriter(DataWriter):
    """Writes one function."""

    def __init__(self, context: Context, function: Function, options: Options) -> None:
        super().__init__(context, options.native, options.time)
        self.translated = function
        self.options = options
        self.types = function.types
        self.any_nans = any_nans(function)
        self.lines: list[tuple[int, str, int]] = []
        self.indent = 1
        self.offset = -1
        self.names = 0
        self.around: list[Around] = []
        self.blocks = 0
        self.left_early: set[Block] = set()
        self.numbers: dict[Block, int] = {}
        self.tries = 0
        self.pcs: dict[Block, int] = {}
        self.tries_around: dict[Block, tuple[Try, ...]] = {}
        self.exits: tuple[str, Block] = ("", Block(None))

    # ---- Lines.

    def line(self, text: str) -> None:
        """One more line."""
        self.lines.append((self.indent, text, self.offset))

    def hoist_name(self) -> str:
        """A new name."""
        self.names += 1
        return f"x{self.names}"

    def hoist(self, text: str) -> str:
        """A name that holds the value of the text from now on."""
        name = self.hoist_name()
        self.line(f"{name} = {text}")
        return name

    def fork(self) -> dict[str, tuple[str, str]]:
        """What is shared where control forks; to be set again on the other way."""
        return dict(self.shared)

    # ---- The whole function.

    def write(self, name: str) -> Source:
        """The source."""
        prologue = self.prologue()
        nodes = Structure(self.translated.blocks).region()
        try:
            self.find_wrapped(nodes, None, [])
            self.nodes(nodes, None)
        except (TooDeepError, RecursionError):
            self.reset()
            self.machine(self.translated.blocks)
        body = self.lines
        self.lines = []
        self.indent = 0
        self.offset = -1
        self.line(f"def {name}({', '.join(self.translated.params)}):")
        self.indent = 1
        shift = 0
        if self.options.metered:
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

    # ---- Which scopes must be loops for Python.

    def find_wrapped(self, nodes: list[Node], follow: Block | None, around: list[object]) -> None:
        """Note the scopes that are left by branches which do not stand at an end."""
        counts: dict[Block, int] = {}
        self.find(nodes, follow, [], counts)
        self.left_early |= {target for target, n in counts.items() if n > MAX_ELSE}

    def find(
        self, nodes: list[Node], follow: Block | None, around: list[tuple[bool, Block, Block | None]],
        counts: dict[Block, int],
    ) -> None:  # fmt: skip
        """`around` holds (False, label, None) for scopes, (True, header, what is behind) for loops."""
        for node in nodes:
            if isinstance(node, If):
                self.find(node.arm, follow, around, counts)
            elif isinstance(node, Goto):
                self.find_goto(node.target, follow, around, counts)
            elif isinstance(node, Scope):
                self.find(node.body, node.label, [*around, (False, node.label, None)], counts)
            elif isinstance(node, Loop):
                behind = self.behind(node, follow)
                self.find(node.body, node.header, [*around, (True, node.header, behind)], counts)
                if behind is not None and behind is not follow:
                    self.find_goto(behind, follow, around, counts)
            elif isinstance(node, Choice):
                for arm in node.arms:
                    self.find(arm, follow, around, counts)
            elif isinstance(node, Guarded):
                for arm in node.exits + node.handlers:
                    self.find(arm, follow, around, counts)

    def find_goto(
        self, target: Block, follow: Block | None, around: list[tuple[bool, Block, Block | None]],
        counts: dict[Block, int],
    ) -> None:  # fmt: skip
        """A branch: at an end, to where a loop around ends, or one for which its scope must be a loop."""
        if target is follow:
            if not any(is_loop and header is target for is_loop, header, _ in around[-1:]):
                counts[target] = counts.get(target, 0) + 1
            return
        for is_loop, block, behind in reversed(around):
            if is_loop and target in (block, behind):
                return
            if not is_loop and block is target:
                self.left_early.add(target)
                return

    def behind(self, loop: Loop, follow: Block | None) -> Block | None:
        """What `break` in a loop leads to: what follows it, or where most of its branches go."""
        if not loop.exits or follow in loop.exits:
            return follow
        return max(loop.exits, key=lambda target: loop.exits[target])

    # ---- Structured code. Each of these methods tells whether control may come to the end of its lines.

    def nodes(self, nodes: list[Node], follow: Block | None) -> bool:
        """A sequence; `follow` is where control goes on behind its lines."""
        self.count_indices(nodes)
        for number, node in enumerate(nodes):
            if isinstance(node, Assign):
                self.assign(node)
            elif isinstance(node, Do):
                if inlined(nodes, number, self.translated.reused):
                    self.put_off(node)
                    continue
                self.do(node)
                if node.instr.op.kind in NEVER_RETURNS:
                    return False
            elif isinstance(node, If):
                done = self.condition_and_rest(node, nodes[number + 1 :], follow)
                if done is not None:
                    return done
            elif isinstance(node, Goto):
                return self.goto(node.target, follow)
            elif isinstance(node, Scope):
                self.scope(node)
            elif isinstance(node, Loop):
                return self.loop(node, follow)
            elif isinstance(node, Choice):
                return self.arms(node, follow)
            elif isinstance(node, Guarded):
                return self.guarded(node, follow)
            elif isinstance(node, Return):
                self.return_(node)
                return False
            elif isinstance(node, TailCall):
                self.offset = node.instr.offset
                self.leave(self.tail_call(node.instr, node.args))
                return False
            elif isinstance(node, Exit):
                return self.exit(node, follow)
        return True

    def count_indices(self, nodes: Sequence[Node]) -> None:
        """How often the statements of a sequence use each variable as an address."""
        counts: dict[tuple[str, int], int] = {}
        for node in nodes:
            if isinstance(node, Do) and node.instr.op.kind in ("load", "store") and node.args[0].op == VAR:
                key = (node.args[0].imm, (node.instr.op.params[1] >> 3).bit_length() - 1)
                counts[key] = counts.get(key, 0) + 1
        self.indexed = counts

    def put_off(self, node: Do) -> None:
        """A load whose value is written where it is used."""
        self.offset = node.instr.offset
        self.inline[node.results[0]] = self.load_text(node)

    def do(self, node: Do) -> None:
        """A statement with effects."""
        self.offset = node.instr.offset
        STATEMENTS.get(node.instr.op.kind, DataWriter.by_function)(self, node)
        for name in node.results:
            self.forget(name)

    def assign(self, node: Assign) -> None:
        """An assignment; several that need each other's old values at once."""
        if not self.inline:
            self.offset = node.offset
        if len(node.names) > 1 and any(reads_any(e, node.names) for e in node.exprs):
            values = [self.clean(e)[0] for e in node.exprs]
            self.line(f"{', '.join(node.names)} = {', '.join(values)}")
        else:
            for name, e in zip(node.names, node.exprs, strict=True):
                self.assign_one(name, e)
        self.inline.clear()
        for name in node.names:
            self.forget(name)

    def assign_one(self, name: str, e: Expr) -> None:
        """name := e"""
        if e.type in WIDTHS:
            t = self.number(e)
            self.assign_integer(name, t, WIDTHS[e.type])
            return
        text, _ = self.operand(e)
        self.line(f"{name} = {text}")
        if self.dirty(e) and name not in self.any_nans:
            self.line(f"if {name} != {name}: {name} = k_f64_7ff8000000000000")

    def return_(self, node: Return) -> None:
        """Leave the function with its results."""
        self.offset = node.offset
        values = [self.clean(e)[0] for e in node.exprs]
        self.leave(", ".join(values))

    def leave(self, text: str) -> None:
        """Return what a text says."""
        if self.options.depth:
            if text and not text.isidentifier():
                text = self.hoist(f"({text})" if "," in text else text)
            self.line("meter.depth = depth - 1")
        self.line(f"return {text}" if text else "return")

    def block_of(self, header: str) -> None:
        """A line that opens a block."""
        self.line(header)
        self.indent += 1
        if self.indent > MAX_INDENT:
            raise TooDeepError

    def captured(self, nodes: list[Node], follow: Block | None) -> tuple[list[tuple[int, str, int]], bool]:
        """The lines of a sequence, one level deeper, which are not there yet; and whether control comes to their end."""
        outer, self.lines = self.lines, []
        shared, indexed = self.fork(), self.indexed
        self.indent += 1
        if self.indent > MAX_INDENT:
            raise TooDeepError
        falls = self.nodes(nodes, follow)
        self.indent -= 1
        lines, self.lines = self.lines, outer
        self.shared, self.indexed = shared, indexed
        return lines, falls

    def condition_and_rest(self, node: If, rest: list[Node], follow: Block | None) -> bool | None:
        """A condition; None if what follows it stands at the same depth, otherwise it is written too."""
        inline, self.inline, offset = self.inline, {}, self.offset
        arm, falls = self.captured(node.arm, follow)
        self.inline, self.offset = inline, offset
        text, _ = self.condition(node.condition, node.negated is bool(arm))
        self.inline = {}
        if arm:
            self.line(f"if {text}:")
            self.lines += arm
            if not falls:
                return None
        other, _ = self.captured(rest, follow)
        if other:
            self.line("else:") if arm else self.lines.append((self.indent, f"if {text}:", offset))
            self.lines += other
        return True

    def goto(self, target: Block, follow: Block | None) -> bool:
        """A branch: nothing at all, continue, break, or break with a note where to go on."""
        if target is follow:
            return True
        self.jump(target)
        return False

    def jump(self, target: Block) -> None:
        """Leave the current lines for `target`."""
        top = self.around[-1]
        if target is top.again:
            self.line("continue")
        elif target is top.behind:
            self.line("break")
        else:
            number = self.numbers.setdefault(target, len(self.numbers) + 1)
            for around in reversed(self.around):
                if target in (around.again, around.behind):
                    break
                around.escapes[target] = number
            self.line(f"br = {number}")
            self.line("break")

    def enter(self, around: Around) -> None:
        """A Python loop begins."""
        self.around.append(around)
        self.blocks += 1
        if self.blocks > MAX_BLOCKS:
            raise TooDeepError

    def leave_loop(self, around: Around, lines: list[tuple[int, str, int]], header: str) -> None:
        """A Python loop, and behind it where the branches go on that left it for further places."""
        self.around.pop()
        self.blocks -= 1
        self.shared = {}
        if around.escapes:
            self.line("br = 0")
        self.line(header)
        self.lines += lines
        for target, number in around.escapes.items():
            self.block_of(f"if br == {number}:")
            self.jump(target)
            self.indent -= 1

    def scope(self, node: Scope) -> None:
        """A body that branches leave for what follows."""
        if node.label not in self.left_early:
            self.nodes(node.body, node.label)
            self.shared = {}
            return
        around = Around(None, node.label)
        self.enter(around)
        lines, falls = self.captured(node.body, node.label)
        if falls:
            lines.append((self.indent + 1, "break", -1))
        self.leave_loop(around, lines, "while True:")

    def loop(self, node: Loop, follow: Block | None) -> bool:
        """A loop; the end of its body begins it anew."""
        behind = self.behind(node, follow)
        around = Around(node.header, behind)
        self.enter(around)
        self.shared = {}
        counting = counting_loop(node, behind)
        if counting is not None:
            return self.counted_loop(node, follow, around, counting)
        lines, _ = self.captured(node.body, node.header)
        if not lines:
            lines.append((self.indent + 1, "pass", -1))
        if self.options.fuel:
            self.line("meter.entered += 1")
        self.leave_loop(around, lines, "for _ in T:" if self.options.metered else "while True:")
        return self.behind_loop(node, follow)

    def behind_loop(self, node: Loop, follow: Block | None) -> bool:
        """Go on behind a loop that was left by `break`."""
        behind = self.behind(node, follow)
        if behind is None or not node.exits:
            return False
        if behind is not follow:
            if behind in node.exits:
                self.jump(behind)
            return False
        return True

    def counted_loop(self, node: Loop, follow: Block | None, around: Around, body: list[Node]) -> bool:
        """A loop that Python counts; at its end the variable is stepped once more."""
        count = node.header.count
        name, step = count.relation.name, count.step
        lines, _ = self.captured(body, node.header)
        if not lines:
            lines.append((self.indent + 1, "pass", -1))
        lines.append((self.indent, f"else: {name} += {step}", -1))
        constant, variable, sign = count.bound
        bound = variable if sign == 1 else f"{constant} - {variable}" if sign else str(constant)
        by = "" if step == 1 else f", {step}"
        header = f"for {name} in range({name}, {bound}{by}):"
        if self.options.metered:
            # The range comes first: where it ends, no tick is taken.
            header = f"for {name}, _ in zip(range({name}, {bound}{by}), T):"
        if self.options.fuel:
            self.line("meter.entered += 1")
        self.leave_loop(around, lines, header)
        return self.behind_loop(node, follow)

    # ---- Choices.

    def arms(self, node: Choice, follow: Block | None) -> bool:
        """One of several arms."""
        index = self.exact(node.index)
        self.inline = {}
        numbers = node.numbers
        runs = [(0, numbers[0])]
        for i, number in enumerate(numbers):
            if number != runs[-1][1]:
                runs.append((i, number))
        arms = [self.captured(arm, follow) for arm in node.arms]
        big = [number for number, (lines, _) in enumerate(arms) if len(lines) > 2]
        if any(sum(number == n for _, number in runs) > 1 for n in big) and len(numbers) > 2:
            name = self.hoist(index.text)
            default = numbers[-1]
            table = ", ".join(map(str, numbers[:-1]))
            name = self.hoist(f"({table},)[{name}] if {name} < {len(numbers) - 1} else {default}")
            runs = [(number, number) for number in range(len(arms))]
        else:
            name = index.text if index.text.isidentifier() else self.hoist(index.text)
        self.search(name, runs, arms, 0)
        return any(falls for _, falls in arms)

    def search(
        self, name: str, runs: list[tuple[int, int]], arms: list[tuple[list[tuple[int, str, int]], bool]], depth: int
    ) -> None:
        """A binary search: `runs` are the first index of each run and the arm of the run."""
        if len(runs) == 1:
            lines, _ = arms[runs[0][1]]
            shift = depth - 1
            self.lines += [(indent + shift, text, offset) for indent, text, offset in lines]
            if not lines and depth:
                self.line("pass")
            return
        middle = len(runs) // 2
        if len(runs) == 2 and runs[1][0] == runs[0][0] + 1:
            header = f"if {name} == {runs[0][0]}:"
        else:
            header = f"if {name} < {runs[middle][0]}:"
        self.block_of(header)
        self.search(name, runs[:middle], arms, depth + 1)
        self.indent -= 1
        self.block_of("else:")
        self.search(name, runs[middle:], arms, depth + 1)
        self.indent -= 1

    # ---- Exceptions.

    def guarded(self, node: Guarded, follow: Block | None) -> bool:
        """A body with handlers; `ex` says how it was left."""
        self.tries += 1
        ex = f"ex{self.tries}"
        try_ = node.terminator
        self.block_of("try:")
        end = Block(None)
        outer, self.around = self.around, []
        self.blocks += 1
        if self.blocks > MAX_BLOCKS:
            raise TooDeepError
        self.region_in(node.body, end, ex)
        self.around = outer
        self.blocks -= 1
        self.indent -= 1
        self.handlers(try_, len(node.exits), ex)
        self.shared = {}
        arms = [self.captured(arm, follow) for arm in node.exits + node.handlers]
        runs = [(number, number) for number in range(len(arms))]
        if runs:
            self.search(ex, runs, arms, 0)
        return any(falls for _, falls in arms)

    def region_in(self, body: list[Node], end: Block, ex: str) -> None:
        """The body of a try: branches out of it go to its end."""
        exits, self.exits = self.exits, (ex, end)
        self.shared = {}
        scope = Scope(end, body)
        before = len(self.lines)
        counts: dict[Block, int] = {}
        self.find(with_ends([scope], end), None, [], counts)
        self.left_early |= {target for target, n in counts.items() if n > MAX_ELSE}
        self.scope(scope)
        if len(self.lines) == before:
            self.line("pass")
        self.exits = exits

    def exit(self, node: Exit, follow: Block | None) -> bool:
        """Leave the body of a try."""
        ex, end = self.exits
        self.line(f"{ex} = {node.number}")
        return self.goto(end, follow)

    def handlers(self, try_: Try, exits: int, ex: str) -> None:
        """The clauses that catch, tried one by one."""
        if not try_.handlers:
            self.line("finally: pass")
            return
        self.offset = try_.instr.offset
        self.block_of("except Thrown as thrown_:")
        self.line("exn = thrown_.exn")
        if self.options.depth:
            self.line("meter.depth = depth")
        self.clauses(try_.handlers, [f"{ex} = {exits + number}" for number in range(len(try_.handlers))])
        self.indent -= 1

    def clauses(self, handlers: Sequence[Handler], texts: list[str]) -> None:
        """Catch clauses, each with a line that says where to go on; what none of them catches is thrown on."""
        for number, (handler, text) in enumerate(zip(handlers, texts, strict=True)):
            catch = handler.catch
            test = "True" if catch.tagidx is None else f"exn.tag is tag{catch.tagidx}"
            self.block_of(f"{'el' if number else ''}if {test}:")
            names = list(handler.names)
            if catch.takes_ref:
                self.line(f"{names.pop()} = exn")
            if names:
                self.line(f"{', '.join(names)}, = exn.fields")
            self.line(text)
            self.indent -= 1
            if catch.tagidx is None:
                return
        self.line("else: raise" if handlers else "raise")

    # ---- The state machine.

    def machine(self, blocks: list[Block]) -> None:
        """All blocks in one loop, found by a binary search for the number of the current one; those in the bodies of tries
        too, whose handlers are found by that number."""
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
            self.count_indices(block.statements)
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
        """The number of one of many blocks; those that lead back are numbered from the end, so that they take a tick."""
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
            if all(isinstance(other, Assign) and not any(reads_any(e, (name,)) for e in other.exprs) for other in rest):
                return [*node.body[:index], *rest]
            return None
    return None


def repeats(nodes: list[Node], header: Block) -> int:
    """How many branches back to a loop there are."""
    return count_exits(nodes).get(header, 0)


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


def reads_any(e: Expr, names: Sequence[str]) -> bool:
    """Whether an expression reads one of these variables."""
    return e.imm in names if e.op == VAR else any(reads_any(arg, names) for arg in e.args)


def write(context: Context, function: Function, name: str, options: Options) -> Source:
    """The Python source of a translated function of a module with this context."""
    return CodeWriter(context, function, options).write(name)
