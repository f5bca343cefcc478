"""Structured control as Python source: conditions, loops, choices, exceptions.

Each method that writes a sequence tells whether control may come to the end of its lines.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Sequence

from interp.compiled.python_calls import CallWriter, nested
from interp.compiled.python_data import NEVER_RETURNS
from interp.compiled.python_inline import put_off_loads, read_by
from interp.compiled.python_lines import MAX_INDENT, Around, TooDeepError
from interp.compiled.python_scopes import behind_loop, counting_loop, left_early, moves_memory, note_exits, with_ends
from interp.compiled.python_text import WIDTHS
from interp.compiled.structure import Choice, Goto, Guarded, If, Loop, Metered, Node, Scope
from interp.compiled.tree import Assign, Block, Do, Exit, Handler, Return, TailCall, Try
from interp.execution.values import MASK

MAX_BLOCKS = 18
"""Loops and tries around each other in Python."""


class ControlWriter(CallWriter):
    """Writes structured control."""

    def nodes(self, nodes: list[Node], follow: Block | None) -> bool:
        """A sequence; `follow` is where control goes on behind its lines."""
        nodes, done_until = put_off_loads(nodes, self.translated.reused), 0
        for number, node in enumerate(nodes):
            if number < done_until:
                continue
            if isinstance(node, Assign):
                self.assign(node)
            elif isinstance(node, Do):
                calls = nested(nodes, number, self.translated.reused)
                if calls and self.calls_and_user(nodes[number : number + calls], nodes[number + calls]):
                    if isinstance(nodes[number + calls], Return):
                        return False
                    done_until = number + calls + 1
                    continue
                user = read_by(nodes, number, self.translated.reused)
                if user is not None:
                    self.put_off(node, isinstance(user, Assign | Do))
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
            elif isinstance(node, Metered):
                return self.metered(node, follow)
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

    def captured(self, nodes: list[Node], follow: Block | None) -> tuple[list[tuple[int, str, int]], bool]:
        """The lines of a sequence, one level deeper, not there yet; and whether control comes to their end."""
        outer, self.lines = self.lines, []
        shared = self.fork()
        self.indent += 1
        if self.indent > MAX_INDENT:
            raise TooDeepError
        falls = self.nodes(nodes, follow)
        self.indent -= 1
        lines, self.lines = self.lines, outer
        self.shared = shared
        return lines, falls

    def condition_and_rest(self, node: If, rest: list[Node], follow: Block | None) -> bool | None:
        """A condition; None if what follows it stands at the same depth, otherwise it is written too."""
        inline, self.inline, offset = self.inline, {}, self.offset
        arm, falls = self.captured(node.arm, follow)
        self.inline, self.offset = inline, offset
        text, _ = self.condition(node.condition, node.negated is bool(arm))
        self.inline, reads = {}, bool(inline)
        if arm:
            self.line(f"if {text}:")
            self.lines += arm
            if not falls:
                return None
        other, _ = self.captured(rest, follow)
        if other:
            self.line("else:") if arm else self.lines.append((self.indent, f"if {text}:", offset))
            self.lines += other
        elif reads and not arm:
            # Nothing depends on the condition, but reading memory for it may trap.
            self.lines.append((self.indent, text, offset))
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
        self.offset = -1
        if around.binds:
            for name, local in (self.bound or {}).items():
                self.line(f"{local} = {name}")
            self.bound = None
        if around.escapes:
            self.line("br = 0")
        self.offset = around.again.offset if around.again is not None else -1
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
        behind = behind_loop(node, follow)
        around = Around(node.header, behind, binds=self.bound is None and not moves_memory(node.body))
        if around.binds:
            self.bound = {}
        self.enter(around)
        self.shared = {}
        counting = counting_loop(node, behind)
        if counting is not None:
            return self.counted_loop(node, follow, around, counting)
        lines, _ = self.captured(node.body, node.header)
        if not lines:
            lines.append((self.indent + 1, "pass", -1))
        if self.options.fuel:
            self.lines.append((self.indent, "meter.entered += 1", -1))
        self.leave_loop(around, lines, "for _ in T:" if self.options.metered else "while True:")
        return self.behind_loop(node, follow)

    def behind_loop(self, node: Loop, follow: Block | None) -> bool:
        """Go on behind a loop that was left by `break`."""
        behind = behind_loop(node, follow)
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
        constant, variable, sign = count.bound
        wraps = not sign and constant > MASK[WIDTHS[self.types[name]]]
        if count.used_behind:
            lines.append((self.indent, f"else: {name} = 0" if wraps else f"else: {name} += {step}", -1))
        bound = variable if sign == 1 else f"{constant} - {variable}" if sign else str(constant)
        by = "" if step == 1 else f", {step}"
        header = f"for {name} in range({name}, {bound}{by}):"
        if self.options.metered:
            # The range comes first: where it ends, no tick is taken. All ticks are true, so nothing is left out.
            header = f"for {name} in compress(range({name}, {bound}{by}), T):"
        if self.options.fuel:
            self.lines.append((self.indent, "meter.entered += 1", -1))
        self.leave_loop(around, lines, header)
        return self.behind_loop(node, follow)

    def metered(self, node: Metered, follow: Block | None) -> bool:
        """Take a tick first: a loop that is never repeated. No loop is around it, so nothing in it leaves one."""
        self.blocks += 1
        lines, falls = self.captured(node.body, follow)
        self.blocks -= 1
        if falls:
            lines.append((self.indent + 1, "break", -1))
        self.offset = -1
        self.line("for _ in T:")
        self.lines += lines
        return falls

    # ---- Choices.

    def arms(self, node: Choice, follow: Block | None) -> bool:
        """One of several arms."""
        index, offset = self.exact(node.index), self.offset
        self.inline = {}
        numbers = node.numbers
        runs = [(0, numbers[0])]
        for i, number in enumerate(numbers):
            if number != runs[-1][1]:
                runs.append((i, number))
        arms = [self.captured(arm, follow) for arm in node.arms]
        self.offset = offset
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
        note_exits(body, end)
        scope = Scope(end, body)
        before = len(self.lines)
        self.left_early |= left_early(with_ends([scope], end), None)
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
