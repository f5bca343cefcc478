"""Memory instructions as Python source.

Memory is reached through the bytearray `m0` and views of it, named by their formats in the module `struct`: an item of
`a0I` is the number at that address, one of `m0I` the number at four times that address, where an address is known to be
such a product. Without views (see `interp.compiled.any_address`) there are functions like `ld0I` and `st0I`. A constant
part of an address is that of a view that begins there: `a0_64I[x]` saves the addition of `a0I[x + 64]`. An index beyond
the end raises IndexError, which `interp.compiled.traps` makes a trap; it is never negative.

Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from typing import Any

from interp.compiled.facts import SMALL
from interp.compiled.python_text import ADD, AND, ATOM, MUL, POSTFIX, SHIFT, WIDTHS, Text, paren
from interp.compiled.python_values import ValueWriter, function_name
from interp.compiled.python_wide import is_step
from interp.compiled.tree import CONST, SELECT, VECTOR_ITEM, Do, Expr, variables
from interp.engine import PAGE
from interp.execution.meter import BULK
from interp.execution.values import MASK, MODULUS, SIGN
from interp.syntax.instructions import MemArg
from interp.syntax.types import (
    F32,
    F64,
    I32,
)
from interp.validation.context import Context

FORMATS = {(8, False): "B", (8, True): "b", (16, False): "H", (16, True): "h", (32, False): "I", (32, True): "i",
           (64, False): "Q", (64, True): "q"}  # fmt: skip
"""Width in bits and signedness of an access -> the format of the view."""

MAX_VIEWS = 32
"""Views of a function that begin behind the start of a memory: each is made anew where the memory grows."""

MAX_START = 1 << 31
"""Where such views begin at the latest."""


class MemoryWriter(ValueWriter):
    """Writes memory instructions, `with_views` or without; `timed` says that a deadline is to be kept."""

    def __init__(self, context: Context, with_views: bool, timed: bool) -> None:
        self.context = context
        self.with_views = with_views
        self.timed = timed
        self.types: dict[str, Any] = {}
        self.shared: dict[str, tuple[str, str]] = {}
        self.inline: dict[str, Text] = {}
        self.views: set[str] = set()
        self.addresses: set[str] = set()

    def share(self, text: str, variable: str) -> str:
        """A name for the value of a text that reads one variable, the same as long as that does not change."""
        found = self.shared.get(text)
        if found is None:
            found = self.shared[text] = (self.hoist(text), variable)
        return found[0]

    def forget(self, name: str) -> None:
        """A variable is assigned: what was shared of it holds no longer."""
        if self.shared:
            self.shared = {text: entry for text, entry in self.shared.items() if entry[1] != name}

    # ---- Results.

    def store_result(self, name: str, text: Text) -> None:
        """name := an integer that is congruent to the value."""
        N = 32 if self.types[name] is I32 else 64
        self.assign_integer(name, text, N)

    def assign_integer(self, name: str, t: Text, N: int, small: bool = False) -> None:
        """name := the exact value; what seldom leaves the range is tested rather than masked: addresses, and what stays
        `small`."""
        small = small or name in self.addresses
        if t.lo >> N == t.hi >> N:
            self.line(f"{name} = {self.plus(t, -(t.lo >> N << N)).text}")
        elif t.lo >= 0 and (small or (t.hi < 2 * MODULUS[N] and t.prec >= ADD)):
            self.line(f"{name} = {t.text}")
            if small or t.hi <= MASK[N] + SMALL:
                self.line(f"if {name} > {SMALL}: {name} &= {MASK[N]}")
            else:
                # The first test is the quicker one, and mostly decides.
                self.line(f"if {name} > {SMALL} and {name} > {MASK[N]}: {name} -= {MODULUS[N]}")
        elif -MODULUS[N] <= t.lo and t.hi <= MASK[N]:
            self.line(f"{name} = {t.text}")
            self.line(f"if {name} < 0: {name} += {MODULUS[N]}")
        else:
            self.line(f"{name} = {paren(t.text, t.prec, AND)} & {MASK[N]}")

    # ---- Addresses.

    def affine(self, e: Expr) -> tuple[Text, int]:
        """An integer as the sum of another one and a constant, which is congruent to the value."""
        if e.op == CONST:
            return Text("", ATOM, 0, 0), e.imm
        if e.op == "iadd" and e.args[1].op == CONST:
            N = 32 if e.type is I32 else 64
            c = e.args[1].imm
            return self.bounded(e.args[0]), c if c < SIGN[N] else c - MODULUS[N]
        return self.bounded(e), 0

    def address(self, base: Expr, offset: int = 0) -> Text:
        """An effective address: the exact address and the offset."""
        return self.plus(*self.terms(base, offset))

    def terms(self, base: Expr, offset: int) -> tuple[Text, int]:
        """An effective address as the sum of an integer and a constant."""
        N = 32 if base.type is I32 else 64
        t, c = self.affine(base)
        lo, hi = t.lo + c, t.hi + c
        if lo >> N == hi >> N:
            # All of the range wraps around in the same way, mostly not at all.
            return t, c - (lo >> N << N) + offset
        name = self.hoist_name()
        self.addresses.add(name)
        self.assign_integer(name, self.plus(t, c), N)
        return Text(name, ATOM, 0, MASK[N]), offset

    def plus(self, t: Text, c: int) -> Text:
        """The sum of an integer and a constant."""
        if not t.text:
            return Text(str(c), ATOM, c, c)
        if not c:
            return t
        sign, size = ("+", c) if c > 0 else ("-", -c)
        return Text(f"{paren(t.text, t.prec, ADD)} {sign} {size}", ADD, t.lo + c, t.hi + c)

    def slow_address(self, base: Expr, offset: int) -> str:
        """The same as one text, for where speed does not matter."""
        t, c = self.affine(base)
        return self.plus(self.masked(self.plus(t, c), 32 if base.type is I32 else 64), offset).text

    def location(self, base: Expr, memarg: MemArg) -> str:
        """A name or number for an effective address, which is never negative."""
        t = self.address(base, memarg.offset)
        return t.text if t.prec == ATOM else self.hoist(t.text)

    def hoist_name(self) -> str:
        """A new name for what is assigned on lines of its own."""
        raise NotImplementedError

    def index(self, base: Expr, shift: int) -> tuple[Text, int]:
        """base >> shift, for a base whose lowest bits are known to be 0, as the sum of an integer and a constant:
        computed where the numbers are small, congruent modulo 2**(N - shift)."""
        N = 32 if base.type is I32 else 64
        if base.op == CONST:
            return Text("", ATOM, 0, 0), base.imm >> shift
        if base.op == "ishl" and base.args[1].op == CONST and base.args[1].imm % N >= shift:
            x, k = self.bounded(base.args[0]), base.args[1].imm % N - shift
            if k == 0:
                return x, 0
            return Text(f"{paren(x.text, x.prec, SHIFT)} << {k}", SHIFT, x.lo << k, x.hi << k), 0
        if base.op == "imul" and base.args[1].op == CONST and base.args[1].zeros >= shift:
            x, k = self.bounded(base.args[0]), base.args[1].imm >> shift
            if x.lo >= 0 and k <= SMALL:
                return Text(f"{paren(x.text, x.prec, MUL)} * {k}", MUL, x.lo * k, x.hi * k), 0
        if base.op == "iadd" and all(arg.zeros >= shift for arg in base.args):
            a, b = base.args
            if b.op == CONST:
                t, c = self.index(a, shift)
                return t, c + ((b.imm if b.imm < SIGN[N] else b.imm - MODULUS[N]) >> shift)
            (x, cx), (y, cy) = self.index(a, shift), self.index(b, shift)
            if not x.text or not y.text:
                return (x, y)[not x.text], cx + cy
            text = f"{paren(x.text, x.prec, ADD)} + {paren(y.text, y.prec, MUL)}"
            return Text(text, ADD, x.lo + y.lo, x.hi + y.hi), cx + cy
        t = self.exact(base)
        return Text(f"{paren(t.text, t.prec, SHIFT)} >> {shift}", SHIFT, t.lo >> shift, t.hi >> shift), 0

    def item(self, memory: int, letter: str, base: Expr, offset: int, shift: int) -> str:
        """The text of a number at an address that is a multiple of its width, as an item of a view of such."""
        t, c = self.index(base, shift)
        bits = (32 if base.type is I32 else 64) - shift
        lo, hi = t.lo + c, t.hi + c
        if lo >> bits == hi >> bits:
            return self.place(memory, letter, t, c - (lo >> bits << bits) + (offset >> shift), shift)
        whole = self.plus(t, c)
        index = Text(f"{paren(whole.text, whole.prec, AND)} & {MASK[bits]}", AND, 0, MASK[bits])
        return self.place(memory, letter, index, offset >> shift, shift)

    def place(self, memory: int, letter: str, index: Text, c: int, shift: int, kind: str = "m") -> str:
        """The text of an item of a view: the one at the sum of an index and a constant."""
        view = f"{kind}{memory}{letter if letter != 'B' else ''}"
        if index.text and index.lo >= 0 and 0 < c << shift < MAX_START:
            later = f"{kind}{memory}_{c << shift}{letter or 'B'}"
            if later in self.views or len(self.views) < MAX_VIEWS:
                self.views.add(later)
                return f"{self.bound_name(later)}[{index.text}]"
        return f"{self.bound_name(view)}[{self.plus(index, c).text}]"

    # ---- Loads and stores.

    def number_at(self, memory: int, letter: str, base: Expr, offset: int, shift: int) -> str:
        """The text of a number of 2**shift bytes in memory, where there are views."""
        multiple = base.zeros >= shift and not offset & MASK[shift]
        if multiple and shifts(base, shift) < shifts(base, 0):
            return self.item(memory, letter, base, offset, shift)
        return self.place(memory, letter, *self.terms(base, offset), 0, "a")

    def load_text(self, do: Do) -> Text:
        """The text that reads a value."""
        t, width, signed = do.instr.op.params
        memarg: MemArg = do.instr.immediates[0]
        (base,) = do.args
        signed = signed or do.results[0] in self.signs
        letter = {F32: "f", F64: "d"}.get(t) or FORMATS[width, signed]
        if width == 8:
            text = self.place(memarg.memidx, letter, *self.terms(base, memarg.offset), 0)
        elif self.with_views:
            text = self.number_at(memarg.memidx, letter, base, memarg.offset, (width >> 3).bit_length() - 1)
        else:
            text = f"ld{memarg.memidx}{letter}({self.address(base, memarg.offset).text})"
        return Text(text, POSTFIX, *((-SIGN[width], SIGN[width] - 1) if signed else (0, MASK[width])))

    def load(self, do: Do) -> None:
        """A load; floats of 32 bits that are NaNs are read as integers, since views would quiet them; unless only
        operators see them, to which all NaNs are the same."""
        t = do.instr.op.params[0]
        memarg: MemArg = do.instr.immediates[0]
        (name,), (base,) = do.results, do.args
        text = self.load_text(do)
        if t is F64 or name in self.unseen_nans:
            self.line(f"{name} = {text.text}")
        elif t is F32:
            address = self.slow_address(base, memarg.offset)
            if name in variables(base):
                address = self.hoist(address)
            self.line(f"{name} = {text.text}")
            self.line(f"if {name} != {name}: {name} = ld{memarg.memidx}f({address})")
        elif name in self.signs:
            self.line(f"{name} = {text.text}")
        else:
            self.assign_integer(name, text, int(t.value[1:]))

    def store(self, do: Do) -> None:
        """A store; of a f32 that is a NaN the bits are written."""
        t, width = do.instr.op.params
        memarg: MemArg = do.instr.immediates[0]
        base, e = do.args
        memory, offset = memarg.memidx, memarg.offset
        letter = {F32: "f", F64: "d"}.get(t) or FORMATS[width, False]
        if t is F32:
            text = self.atom(e)
        elif t is F64:
            text = self.clean(e)[0]
        elif is_step(e) and width == WIDTHS[e.type]:
            text = self.exact(e).text
        elif is_step(e) and e.args[0].hi <= MASK[width] and self.number(e.args[0]).text == e.args[0].imm:
            x, c = e.args[0].imm, e.args[1].imm
            text = f"{x} + {c} if {x} <= {MASK[width] - c} else {x} + {c} & {MASK[width]}"
        else:
            value = self.choice(e, masked=False) if e.op == SELECT else self.number(e)
            if value.lo < 0 and -SIGN[width] <= value.lo and value.hi < SIGN[width]:
                letter, text = FORMATS[width, True], value.text
            else:
                text = self.low_bits(value, width)
        if width == 8:
            place = self.place(memory, letter, *self.terms(base, offset), 0)
        elif self.with_views:
            place = self.number_at(memory, letter, base, offset, (width >> 3).bit_length() - 1)
        else:
            self.line(f"st{memory}{letter}({self.address(base, offset).text}, {text})")
            return
        if t is F32 and not (e.op == CONST and e.imm == e.imm):
            slow = self.slow_address(base, offset)
            self.line(f"if {text} == {text}: {place} = {text}")
            self.line(f"else: st{memory}f({slow}, {text})")
        else:
            self.line(f"{place} = {text}")

    def low(self, e: Expr, width: int) -> str:
        """The lowest bits of an integer."""
        return self.low_bits(self.number(e), width)

    def low_bits(self, t: Text, width: int) -> str:
        """The lowest bits of a text."""
        if t.lo >= 0 and t.hi <= MASK[width]:
            return t.text
        if t.text.isdigit():
            return str(int(t.text) & MASK[width])
        if t.lo >= 0 and t.hi <= MASK[width + 1] and t.prec == ATOM:
            # Mostly there is nothing to mask, and the test is quicker.
            return f"{t.text} if {t.text} <= {MASK[width]} else {t.text} & {MASK[width]}"
        return f"{paren(t.text, t.prec, AND)} & {MASK[width]}"

    def vector_load(self, do: Do) -> None:
        """Bits are read as an integer, of which a numerics function makes the vector."""
        op = do.instr.op
        _, width, _, *params = op.params
        memarg, base = do.instr.immediates[0], do.args[0]
        if width >= VECTOR_ITEM and self.with_views:
            text = self.number_at(memarg.memidx, "Q", base, memarg.offset, 3)
            if width > VECTOR_ITEM:
                upper = self.number_at(memarg.memidx, "Q", base, memarg.offset + VECTOR_ITEM // 8, 3)
                text = f"{text} | {upper} << {VECTOR_ITEM}"
        else:
            text = f"ld{memarg.memidx}V({self.address(base, memarg.offset).text}, {width // 8})"
        if op.sem is not None:
            text = f"{function_name(op.sem.__name__, tuple(params))}({text})"
        self.line(f"{do.results[0]} = {text}")

    def vector_store(self, do: Do) -> None:
        """v128.store: of two halves the upper one first, which is the one that may be out of bounds"""
        memarg, base = do.instr.immediates[0], do.args[0]
        memory, offset = memarg.memidx, memarg.offset
        if not self.with_views:
            self.line(f"st{memory}V({self.address(base, offset).text}, {self.value(do.args[1])[0]}, 16)")
            return
        value = self.atom(do.args[1])
        upper = self.number_at(memory, "Q", base, offset + VECTOR_ITEM // 8, 3)
        self.line(f"{upper} = {value} >> {VECTOR_ITEM}")
        lower = self.number_at(memory, "Q", base, offset, 3)
        self.line(f"{lower} = {value} & {MASK[VECTOR_ITEM]}")

    def lane_load(self, do: Do) -> None:
        """v128.loadN_lane"""
        memarg, lane = do.instr.immediates
        _, width, sh = do.instr.op.params
        text = f"ld{memarg.memidx}V({self.address(do.args[0], memarg.offset).text}, {width // 8})"
        name = function_name("ivreplace_lane", (sh, lane))
        self.line(f"{do.results[0]} = {name}({self.value(do.args[1])[0]}, {text})")

    def lane_store(self, do: Do) -> None:
        """v128.storeN_lane"""
        memarg, lane = do.instr.immediates
        _, width, sh = do.instr.op.params
        name = function_name("ivextract_lane_u", (sh, lane))
        lane_text = f"{name}({self.value(do.args[1])[0]})"
        self.line(f"st{memarg.memidx}V({self.address(do.args[0], memarg.offset).text}, {lane_text}, {width // 8})")

    def memory_size(self, do: Do) -> None:
        """memory.size"""
        self.line(f"{do.results[0]} = len(m{do.instr.immediates[0]}) >> 16")

    def memory_fill(self, do: Do) -> None:
        """memory.fill"""
        memory = do.instr.immediates[0]
        i, n = self.atom(do.args[0]), self.atom(do.args[2])
        value = do.args[1]
        made = f"bytes({n})" if value.op == CONST and not value.imm & 255 else f"bytes(({self.low(value, 8)},)) * {n}"
        self.move(memory, i, n, made, [self.beyond(memory, do.args[0], do.args[2], i, n)])

    def memory_copy(self, do: Do) -> None:
        """memory.copy"""
        to, source = do.instr.immediates
        i1, i2, n = map(self.atom, do.args)
        beyond = [self.beyond(to, do.args[0], do.args[2], i1, n), self.beyond(source, do.args[1], do.args[2], i2, n)]
        self.move(to, i1, n, f"m{source}[{i2}:{i2} + {n}]", beyond)

    def beyond(self, memory: int, addr: Expr, size: Expr, i: str, n: str) -> str:
        """A test whether a range leaves a memory; nothing where its least size is enough."""
        least = self.context.mems[memory].limits.min * PAGE
        return "" if addr.hi + size.hi <= least else f"{i} + {n} > len(m{memory})"

    def move(self, memory: int, i: str, n: str, text: str, beyond: list[str]) -> None:
        """Overwrite a range of a memory, if it and where it comes from fit."""
        tests = list(filter(None, beyond))
        if tests:
            self.line(f"if {' or '.join(tests)}: raise memory_out_of_bounds()")
        if self.timed:
            self.line(f"meter.moved += {n}")
            self.line(f"if meter.moved >= {BULK}: meter.bulk(0)")
        self.line(f"m{memory}[{i}:{i} + {n}] = {text}")


def shifts(e: Expr, shift: int) -> int:
    """How many shifts it takes to divide an address by 2**shift, each term by itself."""
    if e.op == "iadd":
        return sum([shifts(arg, shift) for arg in e.args])
    if e.op == "ishl" and e.args[1].op == CONST:
        return int(e.args[1].imm != shift)
    return int(e.op not in (CONST, "imul") and shift > 0)
