"""Bodies of C functions that look like those of compiled programs: what a compiler makes of them has its loops, blocks,
loads, stores, calls and checks in about the mixture of real actors.

What is written ends, and traps nowhere when it is given at least LEAST_LENGTH bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

LEAST_LENGTH = 64
MOST_TURNS = 6
MOST_LOOPS = 2
"""Of a loop, and of loops in each other: how much a call may take."""

STATE_FIELDS = ("id", "flags", "kind", "parent", "state", "name_length")
WORDS = (
    *("content-type", "accept", "host", "GET", "POST", "true", "false", "null", "error", "actor", "binding"),
    *("namespace", "operation", "payload", "subject", "issuer", "keepalive", "gzip", "identity", "chunked"),
)


class Dice:
    """Numbers that look like chance, the same on every machine and in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1, where limit is at most 2**32."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self._state >> 32) * limit >> 32

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def chance(self, percent: int) -> bool:
        """True so often in a hundred times."""
        return self.below(100) < percent


class Body:
    """A body that is being written. Its variables are `a` to `d` (uint32_t), `m` and `k` (uint64_t), `x` and `y`
    (double), `data` and `length`, `record`, and `context`; `give_up` is the statement that ends it early."""

    def __init__(self, dice: Dice, calls: Callable[[], str], tables: Sequence[str]) -> None:
        self.dice = dice
        self.lines: list[str] = []
        self._calls = calls
        self._tables = tables
        self._names = 0
        self._depth = 1
        self._loops = 0
        self._statements = (
            *[self._assignment] * 9,
            *[self._wide_assignment] * 4,
            *[self._float_assignment] * 3,
            *[self._field] * 14,
            *[self._record] * 8,
            *[self._call] * 8,
            *[self._check] * 5,
            *[self._if] * 6,
            *[self._loop] * 4,
            *[self._bytes_loop] * 2,
            *[self._switch] * 2,
            self._while,
            self._comparison,
            self._buffer,
            self._output,
        )

    def write(self, statements: int) -> list[str]:
        """The lines of about so many statements."""
        while len(self.lines) < statements:
            self._statement()
        return self.lines

    def _statement(self) -> None:
        self.dice.pick(self._statements)()

    def _line(self, text: str) -> None:
        self.lines.append("    " * self._depth + text)

    def _block(self, head: str, statements: int, tail: str = "}") -> None:
        self._line(f"{head} {{")
        self._depth += 1
        for _ in range(statements):
            self._statement()
        self._depth -= 1
        self._line(tail)

    def _name(self) -> str:
        self._names += 1
        return f"v{self._names}"

    def _few(self) -> int:
        """How many statements a block has: fewer the deeper it is."""
        return 1 + self.dice.below(max(1, 5 - self._depth))

    # Expressions

    def _number(self) -> str:
        dice = self.dice
        return str(dice.below(dice.pick((4, 16, 256, 256, 65536, 2**32)))) + "u"

    def _narrow(self, depth: int = 2) -> str:
        """An expression of type uint32_t."""
        dice = self.dice
        kind = dice.below(14) if depth else dice.below(4)
        if kind < 3:
            return dice.pick("abcd")
        if kind == 3:
            return self._number()
        left, right = self._narrow(depth - 1), self._narrow(depth - 1)
        if kind < 9:
            return f"({left} {dice.pick(('+', '-', '*', '&', '|', '^', '+', '-'))} {right})"
        if kind == 9:
            return f"({left} {dice.pick(('>>', '<<'))} {1 + dice.below(31)})"
        if kind == 10:
            return f"({left} {dice.pick(('/', '%'))} ({right} | 1u))"
        return dice.pick(
            (
                f"AT({left} & {LEAST_LENGTH - 1}u)",
                f"(uint32_t)record->{dice.pick(STATE_FIELDS)}",
                f"(uint32_t)record->{dice.pick(STATE_FIELDS)}",
                f"context->records[{left} % RECORDS].{dice.pick(STATE_FIELDS)}",
                f"{dice.pick(self._tables)}[{left} & 63u]",
                f"(uint32_t)({dice.pick('mk')} >> {dice.below(40)})",
                f"rotl32({left}, {1 + dice.below(31)}u)",
                f"({self._condition(depth - 1)} ? {left} : {right})",
                f"(uint32_t)((int32_t){left} >> {1 + dice.below(20)})",
                f"(uint32_t)__builtin_popcount({left})",
            )
        )

    def _wide(self, depth: int = 2) -> str:
        """An expression of type uint64_t."""
        dice = self.dice
        kind = dice.below(9) if depth else dice.below(3)
        if kind < 3:
            return dice.pick(("m", "k", "(uint64_t)a", "(uint64_t)c"))
        left, right = self._wide(depth - 1), self._wide(depth - 1)
        if kind < 6:
            return f"({left} {dice.pick(('+', '-', '*', '^', '&', '|'))} {right})"
        return dice.pick(
            (
                f"({left} >> {1 + dice.below(60)})",
                f"rotr64({left}, {1 + dice.below(63)}u)",
                "record->stamp",
                f"(uint64_t)(int64_t)(int32_t){self._narrow(depth - 1)}",
                f"get_varint(data, length, {self._narrow(0)} & 31u)",
                f"({left} / ({right} | 1u))",
                f"(uint64_t){self._narrow(depth - 1)} << {8 * dice.below(5)}",
            )
        )

    def _float(self, depth: int = 2) -> str:
        """An expression of type double."""
        dice = self.dice
        kind = dice.below(8) if depth else dice.below(3)
        if kind < 3:
            return dice.pick(("x", "y", f"{dice.below(1000)}.{dice.below(1000):03}"))
        left, right = self._float(depth - 1), self._float(depth - 1)
        if kind < 6:
            return f"({left} {dice.pick('+-*')} {right})"
        return dice.pick(
            (
                f"(double){self._narrow(depth - 1)}",
                "record->weight",
                "(double)record->ratio",
                f"__builtin_fabs({left})",
                f"__builtin_floor({left})",
                f"({left} / ({right} + 1.5))",
                f"(double)(int64_t){self._wide(0)}",
            )
        )

    def _condition(self, depth: int = 1) -> str:
        dice = self.dice
        comparison = dice.pick(("<", ">", "==", "!=", "<=", ">="))
        kind = dice.below(10)
        if kind < 6:
            return f"{self._narrow(depth)} {comparison} {self._narrow(depth)}"
        if kind == 6:
            return f"(int32_t){self._narrow(depth)} {dice.pick('<>')} {dice.below(100)}"
        if kind == 7:
            return f"{self._wide(depth)} {comparison} {self._wide(0)}"
        if kind == 8:
            return f"{self._float(depth)} {dice.pick('<>')} {self._float(0)}"
        return f"{self._narrow(0)} & {1 << dice.below(16)}u"

    # Statements

    def _assignment(self) -> None:
        self._line(f"{self.dice.pick('abcd')} {self.dice.pick(('=', '+=', '^=', '='))} {self._narrow()};")

    def _wide_assignment(self) -> None:
        self._line(f"{self.dice.pick('mk')} {self.dice.pick(('=', '+=', '^='))} {self._wide()};")

    def _float_assignment(self) -> None:
        self._line(f"{self.dice.pick('xy')} {self.dice.pick(('=', '+=', '-='))} {self._float()};")

    def _field(self) -> None:
        dice = self.dice
        kind = dice.below(8)
        if kind == 0:
            self._line(f"record = &context->records[{self._narrow(1)} % RECORDS];")
        elif kind == 1:
            self._line(f"record->stamp = {self._wide()};")
        elif kind == 2:
            self._line(f"record->weight += {self._float()};")
        elif kind == 3:
            self._line(f"record->level = (int8_t){self._narrow(1)};")
            self._line("a += (uint32_t)(record->level + record->offset);")
        elif kind == 4:
            self._line(f"record->ratio = (float){self._float(1)};")
        else:
            field, type_ = dice.pick(
                (("id", "uint32_t"), ("flags", "uint32_t"), ("kind", "uint16_t"), ("parent", "uint16_t"),
                 ("state", "uint8_t"), ("offset", "int16_t"))
            )  # fmt: skip
            self._line(f"record->{field} = ({type_}){self._narrow()};")

    def _record(self) -> None:
        """Several fields of a record at once: it is set, copied, or compared."""
        dice = self.dice
        other = f"context->records[{self._narrow(0)} % RECORDS]"
        kind = dice.below(4)
        if kind == 0:
            self._line(f"record->id = {other}.id + {self._narrow(0)};")
            self._line("record->name_length = (record->flags ^ record->id) & 15u;")
            self._line("record->name = data + record->name_length;")
        elif kind == 1:
            self._line(f"{other} = *record;")
        elif kind == 2:
            name = self._name()
            self._line(f"struct record *{name} = &{other};")
            self._line(f"if ({name}->{dice.pick(STATE_FIELDS)} < record->{dice.pick(STATE_FIELDS)}) {{")
            self._line(f"    {name}->flags = record->flags + {name}->id;")
            self._line(f"    {name}->stamp ^= record->stamp;")
            self._line("}")
        else:
            self._line(f"context->errors += record->{dice.pick(STATE_FIELDS)} == {self._narrow(0)};")
            self._line("context->written += record->name_length & 3u;")

    def _call(self) -> None:
        self._line(self._calls())

    def _check(self) -> None:
        self._line(f"if ({self._condition()} && {self._condition(0)}) {{")
        self._line(f"    fail(context, {1 + self.dice.below(900)});")
        if self.dice.chance(60):
            self._line("    goto done;")
        self._line("}")

    def _if(self) -> None:
        if self.dice.chance(45):
            self._block(f"if ({self._condition()})", self._few(), "} else {")
            self._depth += 1
            for _ in range(self._few()):
                self._statement()
            self._depth -= 1
            self._line("}")
        else:
            self._block(f"if ({self._condition()})", self._few())

    def _repeated(self, head: str, statements: int) -> None:
        if self._loops == MOST_LOOPS:
            self._assignment()
            return
        self._loops += 1
        self._block(head, statements)
        self._loops -= 1

    def _loop(self) -> None:
        i = self._name()
        limit = f"({self._narrow(0)} % {MOST_TURNS}u)" if self.dice.chance(60) else str(2 + self.dice.below(MOST_TURNS))
        self._repeated(f"for (uint32_t {i} = 0; {i} < {limit}; {i}++)", self._few())

    def _while(self) -> None:
        left = self._name()
        self._line(f"uint32_t {left} = {self._narrow(1)};")
        self._repeated(f"while (({left} >>= {6 + self.dice.below(8)}) != 0)", self._few())

    def _bytes_loop(self) -> None:
        i, byte = self._name(), self._name()
        self._line(f"for (uint32_t {i} = {self._narrow(0)} & 15u; {i} < {16 + self.dice.below(16)}u; {i}++) {{")
        self._line(f"    uint32_t {byte} = AT({i});")
        if self.dice.chance(50):
            self._line(f"    if ({byte} == '{self.dice.pick(':;,/= ')}') break;")
        self._line(f"    a = a * {self.dice.pick((31, 33, 131))} + {byte};")
        self._line("}")

    def _switch(self) -> None:
        dice = self.dice
        cases = dice.pick((4, 6, 8, 12, 16, 24))
        self._line(f"switch ({self._narrow(1)} % {cases + dice.below(3)}u) {{")
        for case in range(cases):
            if dice.chance(12):
                continue
            self._line(f"case {case}:")
            self._depth += 1
            for _ in range(1 + dice.below(2)):
                dice.pick((self._assignment, self._field, self._wide_assignment, self._call))()
            if not dice.chance(8):
                self._line("break;")
            self._depth -= 1
        self._line("default:")
        self._line(f"    b = {self._narrow(1)};")
        self._line("}")

    def _comparison(self) -> None:
        dice = self.dice
        for index in range(1 + dice.below(4)):
            word = dice.pick(WORDS)
            self._line(
                f'{"else " if index else ""}if (equals(data + {dice.below(16)}, length - 16, "{word}", {len(word)}))'
            )
            self._line(f"    c = {self._number()};")

    def _buffer(self) -> None:
        name, size = self._name(), self.dice.pick((8, 16, 32, 64))
        self._line(f"uint8_t {name}[{size}];")
        self._line(f"memcpy({name}, data, {size});")
        self._line(f"{name}[{self._narrow(1)} % {size}u] ^= (uint8_t)b;")
        self._line(f"m = hash_bytes({name}, {size}, m);")

    def _output(self) -> None:
        if self.dice.chance(50):
            self._line(f'put_text(context, "{self.dice.pick(WORDS)}: ");')
        self._line(f"put_varint(context, {self.dice.pick((self._narrow, self._wide))(1)});")
