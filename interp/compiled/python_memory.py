"""Memory instructions as Python source.

Memory is reached through the bytearray `m0` and native views of it (`m0I`, `m0d` …, named by their formats in the
module `struct`), whose indices are addresses divided by the width; where an address may not be a multiple of it, it is
tested first, and functions with names like `ld0I` and `st0I` do what the views cannot. A constant part of an address
is that of a view that begins there: `m0_64I[x]` saves the addition of `m0I[x + 16]`. An index beyond the end raises
IndexError, which `interp.compiled.traps` makes a trap; it is never negative.

Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from typing import Any

from interp.compiled.facts import SMALL
from interp.compiled.python_text import ADD, AND, ATOM, CONDITIONAL, MUL, OR, POSTFIX, SHIFT, Text, paren
from interp.compiled.python_values import ValueWriter, function_name
from interp.compiled.tree import CONST, VAR, VECTOR_ITEM, Do, Expr
from interp.execution.values import MASK, MODULUS, SIGN
from interp.syntax.instructions import MemArg
from interp.syntax.types import (
    F32,
    F64,
    I32,
    I64,
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
    """Writes memory instructions. `native` says that views are little-endian, as memory is; `timed` that a deadline
    is to be kept."""

    def __init__(self, context: Context, native: bool, timed: bool) -> None:
        self.context = context
        self.native = native
        self.timed = timed
        self.types: dict[str, Any] = {}
        self.indexed: dict[tuple[str, int], int] = {}
        self.rests: dict[tuple[str, int], int] = {}
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

    def assign_integer(self, name: str, t: Text, N: int) -> None:
        """name := the exact value; what seldom leaves the range is tested rather than masked, above all addresses."""
        if t.lo >> N == t.hi >> N:
            self.line(f"{name} = {self.plus(t, -(t.lo >> N << N)).text}")
        elif t.lo >= 0 and ((t.hi < 2 * MODULUS[N] and t.prec >= ADD) or name in self.addresses):
            self.line(f"{name} = {t.text}")
            if t.hi <= MASK[N] + SMALL or name in self.addresses:
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
        if base.op == "ishl" and base.args[1].op == CONST and base.args[0].zeros >= shift - base.args[1].imm % N:
            k = shift - base.args[1].imm % N
            x = self.exact(base.args[0])
            return Text(f"{paren(x.text, x.prec, SHIFT)} >> {k}", SHIFT, x.lo >> k, x.hi >> k), 0
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
        if base.op == VAR and base.imm in self.scales:
            k, lo, hi = self.scales[base.imm] - shift, base.lo >> shift, base.hi >> shift
            if k == 0:
                return Text(base.imm, ATOM, lo, hi), 0
            return Text(f"{base.imm} << {k}" if k > 0 else f"{base.imm} >> {-k}", SHIFT, lo, hi), 0
        if base.op == VAR and base.imm not in self.signs:
            lo, hi = base.lo >> shift, base.hi >> shift
            if self.indexed.get((base.imm, shift), 0) > 1:
                return Text(self.share(f"{base.imm} >> {shift}", base.imm), ATOM, lo, hi), 0
            return Text(f"{base.imm} >> {shift}", SHIFT, lo, hi), 0
        t = self.exact(base)
        return Text(f"{paren(t.text, t.prec, SHIFT)} >> {shift}", SHIFT, t.lo >> shift, t.hi >> shift), 0

    def element(self, memory: int, letter: str, base: Expr, offset: int, shift: int) -> str:
        """The text of an aligned place."""
        t, c = self.index(base, shift)
        bits = (32 if base.type is I32 else 64) - shift
        lo, hi = t.lo + c, t.hi + c
        if lo >> bits == hi >> bits:
            return self.place(memory, letter, t, c - (lo >> bits << bits) + (offset >> shift), shift)
        whole = self.plus(t, c)
        index = Text(f"{paren(whole.text, whole.prec, AND)} & {MASK[bits]}", AND, 0, MASK[bits])
        return self.place(memory, letter, index, offset >> shift, shift)

    def place(self, memory: int, letter: str, index: Text, c: int, shift: int) -> str:
        """The text of an item of a view: the one at the sum of an index and a constant."""
        view = f"m{memory}{letter if letter != 'B' else ''}"
        if index.text and index.lo >= 0 and 0 < c << shift < MAX_START:
            later = f"m{memory}_{c << shift}{letter or 'B'}"
            if later in self.views or len(self.views) < MAX_VIEWS:
                self.views.add(later)
                return f"{self.bound_name(later)}[{index.text}]"
        return f"{self.bound_name(view)}[{self.plus(index, c).text}]"

    # ---- Loads and stores.

    def aligned(self, base: Expr, offset: int, shift: int) -> bool:
        """Whether an address is known to be a multiple of the width."""
        return base.zeros >= shift and not offset & MASK[shift]

    def load_text(self, do: Do) -> Text:
        """The text that reads a value."""
        t, width, signed = do.instr.op.params
        memarg: MemArg = do.instr.immediates[0]
        (base,) = do.args
        signed = signed or do.results[0] in self.signs
        letter = {F32: "f", F64: "d"}.get(t) or FORMATS[width, signed]
        if width == 8:
            text = self.byte(memarg.memidx, letter, base, memarg.offset)
        elif t is I64 and self.in_halves(base, memarg, width):
            text, prec = self.load_halves(base, memarg, letter)
            return Text(text, prec, *((-SIGN[64], SIGN[64] - 1) if signed else (0, MASK[64])))
        else:
            text = self.access(base, memarg, (width >> 3).bit_length() - 1, letter)
        prec = POSTFIX if text.endswith("]") else CONDITIONAL
        return Text(text, prec, *((-SIGN[width], SIGN[width] - 1) if signed else (0, MASK[width])))

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

    def byte(self, memory: int, letter: str, base: Expr, offset: int) -> str:
        """The text of a byte."""
        return self.place(memory, letter, *self.terms(base, offset), 0)

    def byte_index(self, base: Expr, offset: int) -> str:
        """The index of a byte."""
        return self.address(base, offset).text

    def access(self, base: Expr, memarg: MemArg, shift: int, letter: str) -> str:
        """The text that reads a number."""
        memory, offset = memarg.memidx, memarg.offset
        if self.native and self.aligned(base, offset, shift):
            return self.element(memory, letter, base, offset, shift)
        if not self.native or (base.zeros >= shift and offset & MASK[shift]):
            return f"ld{memory}{letter}({self.byte_index(base, offset)})"
        name, index, offset = self.tested(base, offset, shift)
        slow = f"{name} + {offset}" if offset else name
        rest = self.rest(base, name, shift)
        place = self.place(memory, letter, index, offset >> shift, shift)
        return f"{place} if not {rest} else ld{memory}{letter}({slow})"

    def in_halves(self, base: Expr, memarg: MemArg, width: int) -> bool:
        """Whether an access of 64 bits is better one of two words: where the module says that its address may be no
        multiple of 8, but is one of 4."""
        if width != 64 or memarg.align != 2 or not self.native or memarg.offset & 3:
            return False
        return not self.aligned(base, memarg.offset, 3)

    def load_halves(self, base: Expr, memarg: MemArg, letter: str) -> tuple[str, int]:
        """The text that reads two words, and its precedence."""
        memory, offset = memarg.memidx, memarg.offset
        high = "i" if letter == "q" else "I"
        if self.aligned(base, offset, 2):
            lower = self.element(memory, "I", base, offset, 2)
            return f"{lower} | {self.element(memory, high, base, offset + 4, 2)} << 32", OR
        name, index, offset = self.tested(base, offset, 2)
        lower, upper = (
            self.place(memory, "I", index, offset >> 2, 2),
            self.place(memory, high, index, (offset >> 2) + 1, 2),
        )
        slow = f"ld{memory}{letter}({name} + {offset})" if offset else f"ld{memory}{letter}({name})"
        return f"{lower} | {upper} << 32 if not {self.rest(base, name, 2)} else {slow}", CONDITIONAL

    def rest(self, base: Expr, name: str, shift: int) -> str:
        """What is left of an address divided by the width; a name where it is asked for again."""
        text = f"{name} & {MASK[shift]}"
        again = text in self.shared or self.rests.get((name, shift), 0) > 1
        return self.share(text, name) if base.op == VAR and again else text

    def tested(self, base: Expr, offset: int, shift: int) -> tuple[str, Text, int]:
        """For an address that may be no multiple of the width: what to test, the index if it is one, and what is to be
        added to what was tested."""
        odd = offset & MASK[shift]
        name = self.location(base, MemArg(0, offset if odd else 0))
        quotient = f"{name} >> {shift}"
        if not odd and base.op == VAR and self.indexed.get((name, shift), 0) > 1:
            return name, Text(self.share(quotient, name), ATOM, 0, MASK[64]), offset
        return name, Text(quotient, SHIFT, 0, MASK[64]), 0 if odd else offset

    def store(self, do: Do) -> None:
        """A store."""
        t, width = do.instr.op.params
        memarg: MemArg = do.instr.immediates[0]
        base, e = do.args
        memory, offset = memarg.memidx, memarg.offset
        if width == 8:
            place = self.byte(memory, "", base, offset)
            self.line(f"{place} = {self.low(e, 8)}")
            return
        shift = (width >> 3).bit_length() - 1
        letter = {F32: "f", F64: "d"}.get(t) or FORMATS[width, False]
        if t is F32:
            self.store_f32(e, base, memarg)
            return
        if t is I64 and self.in_halves(base, memarg, width):
            self.store_halves(e, base, memarg)
            return
        text = self.clean(e)[0] if t is F64 else ""
        if not text:
            value = self.number(e)
            if value.lo < 0 and -SIGN[width] <= value.lo and value.hi < SIGN[width]:
                letter, text = FORMATS[width, True], value.text
            else:
                text = self.low_bits(value, width)
        if self.native and self.aligned(base, offset, shift):
            self.line(f"{self.element(memory, letter, base, offset, shift)} = {text}")
        elif not self.native or (base.zeros >= shift and offset & MASK[shift]):
            self.line(f"st{memory}{letter}({self.byte_index(base, offset)}, {text})")
        else:
            if not text.isidentifier() and not text.isdigit():
                text = self.hoist(text)
            name, index, offset = self.tested(base, offset, shift)
            slow = f"{name} + {offset}" if offset else name
            self.line(f"if {self.rest(base, name, shift)}: st{memory}{letter}({slow}, {text})")
            self.line(f"else: {self.place(memory, letter, index, offset >> shift, shift)} = {text}")

    def store_halves(self, e: Expr, base: Expr, memarg: MemArg) -> None:
        """Two words, the upper one first, which is the one that may be out of bounds."""
        memory, offset = memarg.memidx, memarg.offset
        value = self.atom(e)
        halves = [(f"{value} >> 32", 4), (f"{value} & {MASK[32]}", 0)]
        if e.op == CONST:
            halves = [(str(e.imm >> 32), 4), (str(e.imm & MASK[32]), 0)]
        if self.aligned(base, offset, 2):
            for half, further in halves:
                self.line(f"{self.element(memory, 'I', base, offset + further, 2)} = {half}")
            return
        name, index, offset = self.tested(base, offset, 2)
        slow = f"{name} + {offset}" if offset else name
        self.line(f"if {self.rest(base, name, 2)}: st{memory}Q({slow}, {value})")
        places = [f"{self.place(memory, 'I', index, offset + further >> 2, 2)} = {half}" for half, further in halves]
        self.line(f"else: {'; '.join(places)}")

    def store_f32(self, e: Expr, base: Expr, memarg: MemArg) -> None:
        """A NaN is written by its bits."""
        memory, offset = memarg.memidx, memarg.offset
        text = self.atom(e)
        if self.native and self.aligned(base, offset, 2):
            place = self.element(memory, "f", base, offset, 2)
            if e.op == CONST and text[0] != "k":
                self.line(f"{place} = {text}")
                return
            slow = self.slow_address(base, offset)
            self.line(f"if {text} == {text}: {place} = {text}")
            self.line(f"else: st{memory}f({slow}, {text})")
        else:
            self.line(f"st{memory}f({self.byte_index(base, offset)}, {text})")

    def low(self, e: Expr, width: int) -> str:
        """The lowest bits of an integer."""
        return self.low_bits(self.number(e), width)

    def low_bits(self, t: Text, width: int) -> str:
        """The lowest bits of a text."""
        if t.lo >= 0 and t.hi <= MASK[width]:
            return t.text
        if t.text.isdigit():
            return str(int(t.text) & MASK[width])
        return f"{paren(t.text, t.prec, AND)} & {MASK[width]}"

    def vector_load(self, do: Do) -> None:
        """Bits are read as an integer, of which a numerics function makes the vector."""
        op = do.instr.op
        _, width, _, *params = op.params
        memarg, base = do.instr.immediates[0], do.args[0]
        if width >= VECTOR_ITEM and self.native and self.aligned(base, memarg.offset, 3):
            text = self.element(memarg.memidx, "Q", base, memarg.offset, 3)
            if width > VECTOR_ITEM:
                text = f"{text} | {self.element(memarg.memidx, 'Q', base, memarg.offset + 8, 3)} << {VECTOR_ITEM}"
        else:
            text = f"ld{memarg.memidx}V({self.byte_index(base, memarg.offset)}, {width // 8})"
        if op.sem is not None:
            text = f"{function_name(op.sem.__name__, tuple(params))}({text})"
        self.line(f"{do.results[0]} = {text}")

    def vector_store(self, do: Do) -> None:
        """v128.store: of two halves the upper one first, which is the one that may be out of bounds"""
        memarg, base = do.instr.immediates[0], do.args[0]
        value = self.value(do.args[1])[0]
        if self.native and self.aligned(base, memarg.offset, 3):
            if not value.isidentifier():
                value = self.hoist(value)
            upper = self.element(memarg.memidx, "Q", base, memarg.offset + 8, 3)
            self.line(f"{upper} = {value} >> {VECTOR_ITEM}")
            lower = self.element(memarg.memidx, "Q", base, memarg.offset, 3)
            self.line(f"{lower} = {value} & {MASK[VECTOR_ITEM]}")
            return
        self.line(f"st{memarg.memidx}V({self.byte_index(base, memarg.offset)}, {value}, 16)")

    def lane_load(self, do: Do) -> None:
        """v128.loadN_lane"""
        memarg, lane = do.instr.immediates
        _, width, sh = do.instr.op.params
        text = f"ld{memarg.memidx}V({self.byte_index(do.args[0], memarg.offset)}, {width // 8})"
        name = function_name("ivreplace_lane", (sh, lane))
        self.line(f"{do.results[0]} = {name}({self.value(do.args[1])[0]}, {text})")

    def lane_store(self, do: Do) -> None:
        """v128.storeN_lane"""
        memarg, lane = do.instr.immediates
        _, width, sh = do.instr.op.params
        name = function_name("ivextract_lane_u", (sh, lane))
        lane_text = f"{name}({self.value(do.args[1])[0]})"
        self.line(f"st{memarg.memidx}V({self.byte_index(do.args[0], memarg.offset)}, {lane_text}, {width // 8})")

    def memory_size(self, do: Do) -> None:
        """memory.size"""
        self.line(f"{do.results[0]} = len(m{do.instr.immediates[0]}) >> 16")

    def memory_fill(self, do: Do) -> None:
        """memory.fill"""
        memory = do.instr.immediates[0]
        i, n = self.atom(do.args[0]), self.atom(do.args[2])
        value = do.args[1]
        made = f"bytes({n})" if value.op == CONST and not value.imm & 255 else f"bytes(({self.low(value, 8)},)) * {n}"
        self.move(memory, i, n, made, "")

    def memory_copy(self, do: Do) -> None:
        """memory.copy"""
        to, source = do.instr.immediates
        i1, i2, n = map(self.atom, do.args)
        self.move(to, i1, n, f"m{source}[{i2}:{i2} + {n}]", f" or {i2} + {n} > len(m{source})")

    def move(self, memory: int, i: str, n: str, text: str, more: str) -> None:
        """Overwrite a range of a memory, if it fits."""
        self.line(f"if {i} + {n} > len(m{memory}){more}: raise memory_out_of_bounds()")
        if self.timed:
            self.line(f"meter.bulk({n})")
        self.line(f"m{memory}[{i}:{i} + {n}] = {text}")


def variables(e: Expr) -> set[str]:
    """The variables that an expression reads."""
    return {e.imm} if e.op == VAR else {name for arg in e.args for name in variables(arg)}
