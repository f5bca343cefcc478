"""Statements as Python source: memories, tables, globals, calls, references, aggregates.

Memory is reached through the bytearray `m0` and native views of it (`m0I`, `m0d` …, named by their formats in the module
`struct`), whose indices are addresses divided by the width; where an address may not be a multiple of it, it is tested
first, and functions with names like `ld0I` and `st0I` do what the views cannot. An index beyond the end raises
IndexError, which `interp.compiled.traps` makes a trap; it is never negative.

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from interp.compiled.python_expr import CONDITIONAL, SMALL, ADD, AND, ATOM, MUL, POSTFIX, SHIFT, Text, paren
from interp.compiled.python_values import ValueWriter, function_name
from interp.compiled.tree import CONST, VAR, Do, Expr
from interp.execution.values import MASK, MODULUS, SIGN
from interp.syntax.instructions import Instr, MemArg
from interp.syntax.types import (
    F32,
    F64,
    I32,
    ArrayType,
    FieldType,
    HeapType,
    PackType,
    StructType,
    TypeIdx,
)
from interp.validation.context import Context

FORMATS = {(8, False): "B", (8, True): "b", (16, False): "H", (16, True): "h", (32, False): "I", (32, True): "i",
           (64, False): "Q", (64, True): "q"}  # fmt: skip
"""Width in bits and signedness of an access -> the format of the view."""

PACKED = {PackType.I8: 8, PackType.I16: 16}


class DataWriter(ValueWriter):
    """Writes the statements of one function. `native` says that views are little-endian, as memory is; `timed` that a deadline
    is to be kept."""

    def __init__(self, context: Context, native: bool, timed: bool) -> None:
        self.context = context
        self.native = native
        self.timed = timed
        self.types: dict[str, Any] = {}
        self.indexed: dict[tuple[str, int], int] = {}
        self.shared: dict[str, tuple[str, str]] = {}
        self.inline: dict[str, Text] = {}

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

    def assign_integer(self, name: str, t: Text, N: int, exact: str = "") -> None:
        """name := the exact value; what seldom leaves the range is tested rather than masked."""
        if t.lo >> N == t.hi >> N:
            self.line(f"{name} = {self.plus(t, -(t.lo >> N << N)).text}")
        elif t.lo >= 0 and t.hi < 2 * MODULUS[N] and t.prec >= ADD:
            self.line(f"{name} = {t.text}")
            if t.hi <= MASK[N] + SMALL:
                self.line(f"if {name} > {SMALL}: {name} &= {MASK[N]}")
            else:
                self.line(f"if {name} > {MASK[N]}: {name} -= {MODULUS[N]}")
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
        N = 32 if base.type is I32 else 64
        t, c = self.affine(base)
        lo, hi = t.lo + c, t.hi + c
        if lo >> N == hi >> N:
            # All of the range wraps around in the same way, mostly not at all.
            c -= lo >> N << N
            return self.plus(t, c + offset)
        name = self.hoist_name()
        self.assign_integer(name, self.plus(t, c), N)
        return self.plus(Text(name, ATOM, 0, MASK[N]), offset)

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
        """base >> shift, for a base whose lowest bits are known to be 0, as the sum of an integer and a constant: computed
        where the numbers are small, congruent modulo 2**(N - shift)."""
        N = 32 if base.type is I32 else 64
        if base.op == CONST:
            return Text("", ATOM, 0, 0), base.imm >> shift
        if base.op == "ishl" and base.args[1].op == CONST and base.args[1].imm >= shift:
            x, k = self.bounded(base.args[0]), base.args[1].imm - shift
            if k == 0:
                return x, 0
            return Text(f"{paren(x.text, x.prec, SHIFT)} << {k}", SHIFT, x.lo << k, x.hi << k), 0
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
        if base.op == VAR:
            lo, hi = base.lo >> shift, base.hi >> shift
            if self.indexed.get((base.imm, shift), 0) > 1:
                return Text(self.share(f"{base.imm} >> {shift}", base.imm), ATOM, lo, hi), 0
            return Text(f"{base.imm} >> {shift}", SHIFT, lo, hi), 0
        t = self.exact(base)
        return Text(f"{paren(t.text, t.prec, SHIFT)} >> {shift}", SHIFT, t.lo >> shift, t.hi >> shift), 0

    def element(self, base: Expr, offset: int, shift: int) -> str:
        """The index of an aligned access."""
        t, c = self.index(base, shift)
        bits = (32 if base.type is I32 else 64) - shift
        lo, hi = t.lo + c, t.hi + c
        if lo >> bits == hi >> bits:
            return self.plus(t, c - (lo >> bits << bits) + (offset >> shift)).text
        whole = self.plus(t, c)
        return self.plus(Text(f"{paren(whole.text, whole.prec, AND)} & {MASK[bits]}", AND, 0, 0), offset >> shift).text

    # ---- Loads and stores.

    def aligned(self, base: Expr, offset: int, shift: int) -> bool:
        """Whether an address is known to be a multiple of the width."""
        return base.zeros >= shift and not offset & MASK[shift]

    def load_text(self, do: Do) -> Text:
        """The text that reads a value."""
        t, width, signed = do.instr.op.params
        memarg: MemArg = do.instr.immediates[0]
        (base,) = do.args
        letter = {F32: "f", F64: "d"}.get(t) or FORMATS[width, signed]
        if width == 8:
            view = f"m{memarg.memidx}" if letter == "B" else f"m{memarg.memidx}b"
            text = f"{view}[{self.byte_index(base, memarg.offset)}]"
        else:
            text = self.access(base, memarg, (width >> 3).bit_length() - 1, letter)
        prec = POSTFIX if text.endswith("]") else CONDITIONAL
        return Text(text, prec, *((-SIGN[width], SIGN[width] - 1) if signed else (0, MASK[width])))

    def load(self, do: Do) -> None:
        """A load; floats of 32 bits that are NaNs are read as integers, since views would quiet them."""
        t = do.instr.op.params[0]
        memarg: MemArg = do.instr.immediates[0]
        (name,), (base,) = do.results, do.args
        text = self.load_text(do)
        if t is F64:
            self.line(f"{name} = {text.text}")
        elif t is F32:
            address = self.slow_address(base, memarg.offset)
            if name in variables(base):
                address = self.hoist(address)
            self.line(f"{name} = {text.text}")
            self.line(f"if {name} != {name}: {name} = ld{memarg.memidx}f({address})")
        else:
            self.assign_integer(name, text, int(t.value[1:]))

    def byte_index(self, base: Expr, offset: int) -> str:
        """The index of a byte."""
        return self.address(base, offset).text

    def access(self, base: Expr, memarg: MemArg, shift: int, letter: str) -> str:
        """The text that reads a number."""
        memory, offset = memarg.memidx, memarg.offset
        if self.native and self.aligned(base, offset, shift):
            return f"m{memory}{letter}[{self.element(base, offset, shift)}]"
        if not self.native or (base.zeros >= shift and offset & MASK[shift]):
            return f"ld{memory}{letter}({self.byte_index(base, offset)})"
        name, quotient, offset = self.tested(base, offset, shift)
        slow = f"{name} + {offset}" if offset else name
        rest = self.rest(base, name, shift)
        return f"m{memory}{letter}[{quotient}] if not {rest} else ld{memory}{letter}({slow})"

    def rest(self, base: Expr, name: str, shift: int) -> str:
        """What is left of an address divided by the width; a name where it is asked for again."""
        text = f"{name} & {MASK[shift]}"
        return self.share(text, name) if base.op == VAR and self.indexed.get((name, shift), 0) > 1 else text

    def tested(self, base: Expr, offset: int, shift: int) -> tuple[str, str, int]:
        """For an address that may be no multiple of the width: what to test, the index if it is one, and what is to be
        added to what was tested."""
        if offset & MASK[shift]:
            name = self.location(base, MemArg(0, offset))
            return name, f"{name} >> {shift}", 0
        name = self.location(base, MemArg(0, 0))
        quotient = f"{name} >> {shift}"
        if base.op == VAR and self.indexed.get((name, shift), 0) > 1:
            quotient = self.share(quotient, name)
            return name, f"{quotient} + {offset >> shift}" if offset else quotient, offset
        return name, f"{name} + {offset} >> {shift}" if offset else quotient, offset

    def store(self, do: Do) -> None:
        """A store."""
        t, width = do.instr.op.params
        memarg: MemArg = do.instr.immediates[0]
        base, e = do.args
        memory, offset = memarg.memidx, memarg.offset
        if width == 8:
            index = self.byte_index(base, offset)
            self.line(f"m{memory}[{index}] = {self.low(e, 8)}")
            return
        shift = (width >> 3).bit_length() - 1
        letter = {F32: "f", F64: "d"}.get(t) or FORMATS[width, False]
        if t is F32:
            self.store_f32(e, base, memarg)
            return
        text = self.clean(e)[0] if t is F64 else self.low(e, width)
        if self.native and self.aligned(base, offset, shift):
            self.line(f"m{memory}{letter}[{self.element(base, offset, shift)}] = {text}")
        elif not self.native or (base.zeros >= shift and offset & MASK[shift]):
            self.line(f"st{memory}{letter}({self.byte_index(base, offset)}, {text})")
        else:
            if not text.isidentifier() and not text.isdigit():
                text = self.hoist(text)
            name, quotient, offset = self.tested(base, offset, shift)
            slow = f"{name} + {offset}" if offset else name
            self.line(f"if {self.rest(base, name, shift)}: st{memory}{letter}({slow}, {text})")
            self.line(f"else: m{memory}{letter}[{quotient}] = {text}")

    def store_f32(self, e: Expr, base: Expr, memarg: MemArg) -> None:
        """A NaN is written by its bits."""
        memory, offset = memarg.memidx, memarg.offset
        text = self.atom(e)
        if self.native and self.aligned(base, offset, 2):
            index = self.element(base, offset, 2)
            if e.op == CONST and text[0] != "k":
                self.line(f"m{memory}f[{index}] = {text}")
                return
            slow = self.slow_address(base, offset)
            self.line(f"if {text} == {text}: m{memory}f[{index}] = {text}")
            self.line(f"else: st{memory}f({slow}, {text})")
        else:
            self.line(f"st{memory}f({self.byte_index(base, offset)}, {text})")

    def low(self, e: Expr, width: int) -> str:
        """The lowest bits of an integer."""
        t = self.number(e)
        if t.lo >= 0 and t.hi <= MASK[width]:
            return t.text
        if e.op == CONST:
            return str(e.imm & MASK[width])
        return f"{paren(t.text, t.prec, AND)} & {MASK[width]}"

    def vector_load(self, do: Do) -> None:
        """Bits are read as an integer, of which a numerics function makes the vector."""
        op = do.instr.op
        _, width, _, *params = op.params
        memarg = do.instr.immediates[0]
        text = f"ld{memarg.memidx}V({self.byte_index(do.args[0], memarg.offset)}, {width // 8})"
        if op.sem is not None:
            text = f"{function_name(op.sem.__name__, tuple(params))}({text})"
        self.line(f"{do.results[0]} = {text}")

    def vector_store(self, do: Do) -> None:
        """v128.store"""
        memarg = do.instr.immediates[0]
        self.line(f"st{memarg.memidx}V({self.byte_index(do.args[0], memarg.offset)}, {self.value(do.args[1])[0]}, 16)")

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

    # ---- What functions of the instance do.

    def by_function(self, do: Do) -> None:
        """An instruction that a function with its name and immediates does; the results are its results."""
        name = do.instr.op.kind.replace(".", "_") + "_".join(map(str, do.instr.immediates))
        self.assign_results(do.results, f"{name}({', '.join([self.cleanest(e)[0] for e in do.args])})")

    def assign_results(self, names: Sequence[str], text: str) -> None:
        """names := what a call gives"""
        self.line(f"{', '.join(names)} = {text}" if names else text)

    def global_set(self, do: Do) -> None:
        """global.set"""
        self.line(f"g{do.instr.immediates[0]}.value = {self.cleanest(do.args[0])[0]}")

    def arguments(self, args: Sequence[Expr]) -> str:
        """The arguments of a call."""
        return ", ".join([self.clean(e)[0] for e in args])

    def call_function(self, do: Do) -> None:
        """call"""
        self.assign_results(do.results, f"f{do.instr.immediates[0]}({self.arguments(do.args)})")

    def call_indirect(self, do: Do) -> None:
        """call_indirect: lists that hold only functions of one type, and what traps in place of others"""
        typeidx, tableidx = do.instr.immediates
        args = self.arguments(do.args[:-1])
        index = self.exact(do.args[-1]).text
        self.assign_results(do.results, f"c{tableidx}_{typeidx}[{index}]({args})")

    def call_ref(self, do: Do) -> None:
        """call_ref"""
        args, func = self.arguments(do.args[:-1]), self.atom(do.args[-1])
        if func == "None":
            func = self.hoist(func)
        self.assign_results(do.results, f"{func}.prepared({args})")

    def tail_call(self, instr: Instr, args: Sequence[Expr]) -> str:
        """What a function gives that leaves with a call: the function and its arguments, for whoever called it."""
        kind = instr.op.kind
        if kind == "return_call":
            return f"Tail(ref{instr.immediates[0]}, ({''.join([self.clean(e)[0] + ', ' for e in args])}))"
        values = f"({''.join([self.clean(e)[0] + ', ' for e in args[:-1]])})"
        if kind == "return_call_ref":
            return f"Tail(non_null({self.value(args[-1])[0]}), {values})"
        typeidx, tableidx = instr.immediates
        return f"Tail(callee{tableidx}_{typeidx}({self.exact(args[-1]).text}), {values})"

    # ---- Numbers.

    def partial_operator(self, do: Do) -> None:
        """An operator that may trap: division by what may be 0, for which Python raises ZeroDivisionError."""
        op = do.instr.op
        name = op.sem.__name__ if op.sem is not None else ""
        if name.startswith("trunc"):
            return self.truncation(do)
        N, (a, b) = op.params[0], do.args
        slow = function_name(name, op.params)
        x, y = self.atom(a), self.atom(b)
        fast = f"{x} {'//' if 'div' in name else '%'} {y}"
        known = name.endswith("_u") or (a.hi < SIGN[N] and b.hi < SIGN[N])
        if not known:
            tests = " and ".join([f"{v} <= {MASK[N - 1]}" for v, e in ((x, a), (y, b)) if e.hi >= SIGN[N]])
            fast = f"{fast} if {tests} else {slow}({x}, {y})"
        self.line(f"{do.results[0]} = {fast}")
        return None

    def truncation(self, do: Do) -> None:
        """trunc_s, trunc_u: Python truncates what is in range"""
        op = do.instr.op
        _, N = op.params
        signed = op.mnemonic.endswith("_s")
        x = self.atom(do.args[0])
        slow = f"{function_name('trunc_s' if signed else 'trunc_u', op.params)}({x})"
        # Well inside of the range there is no need to know where exactly it ends.
        end = float(SIGN[N] if signed else MODULUS[N]) - 2048.0
        text = f"int({x}) if {-end if signed else 0.0} < {x} < {end} else {slow}"
        self.store_result(do.results[0], Text(text, 0, -SIGN[N] if signed else 0, MASK[N]))

    # ---- References.

    def non_null(self, do: Do) -> None:
        """ref.as_non_null"""
        self.line(f"if {self.atom(do.args[0])} is None: raise null_reference()")

    def cast(self, do: Do) -> None:
        """ref.cast"""
        null, heaptype = do.instr.op.params[0], do.instr.immediates[0]
        self.line(f"if not match_ref({self.atom(do.args[0])}, {self.reftype(null, heaptype)}): raise cast_failure()")

    def reftype(self, null: bool, heaptype: HeapType) -> str:
        """The name of a reference type."""
        what = heaptype.index if isinstance(heaptype, TypeIdx) else heaptype
        return f"rt_{int(null)}_{what}"

    def i31_get(self, do: Do) -> None:
        """i31.get"""
        x = self.named(do.args[0])
        text = Text(f"{x}.value", POSTFIX, 0, MASK[31])
        if do.instr.op.params[0]:
            text = Text(f"({x}.value ^ {SIGN[31]}) - {SIGN[31]}", ADD, -SIGN[31], SIGN[31] - 1)
        self.assign_integer(do.results[0], text, 32)

    def named(self, e: Expr) -> str:
        """A name for a reference, even for null."""
        x = self.atom(e)
        return self.hoist(x) if x == "None" else x

    # ---- Aggregates.

    def packed(self, field: FieldType, e: Expr) -> str:
        """What a field holds of a value."""
        width = PACKED.get(field.storagetype) if isinstance(field.storagetype, PackType) else None
        return self.cleanest(e)[0] if width is None else self.low(e, width)

    def unpacked(self, name: str, text: str, field: FieldType, signed: bool | None) -> None:
        """name := the value of a field"""
        width = PACKED.get(field.storagetype) if isinstance(field.storagetype, PackType) else None
        if width is None or not signed:
            self.line(f"{name} = {text}")
        else:
            sign = SIGN[width]
            self.assign_integer(name, Text(f"({text} ^ {sign}) - {sign}", ADD, -sign, sign - 1), 32)

    def structtype(self, x: int) -> StructType:
        """A structure type of the module."""
        return self.context.structtype(x)

    def struct_new(self, do: Do) -> None:
        """struct.new"""
        x = do.instr.immediates[0]
        fields = self.structtype(x).fields
        values = ", ".join([self.packed(field, e) for field, e in zip(fields, do.args, strict=True)])
        self.line(f"{do.results[0]} = StructInst(meter, type{x}, [{values}])")

    def struct_get(self, do: Do) -> None:
        """struct.get"""
        x, i = do.instr.immediates
        text = f"{self.named(do.args[0])}.fields[{i}]"
        self.unpacked(do.results[0], text, self.structtype(x).fields[i], do.instr.op.params[0])

    def struct_set(self, do: Do) -> None:
        """struct.set"""
        x, i = do.instr.immediates
        value = self.packed(self.structtype(x).fields[i], do.args[1])
        self.line(f"{self.named(do.args[0])}.fields[{i}] = {value}")

    def arraytype(self, x: int) -> ArrayType:
        """An array type of the module."""
        return self.context.arraytype(x)

    def array_new_fixed(self, do: Do) -> None:
        """array.new_fixed"""
        x = do.instr.immediates[0]
        field = self.arraytype(x).field
        values = ", ".join([self.packed(field, e) for e in do.args])
        self.line(f"{do.results[0]} = ArrayInst(meter, type{x}, [{values}])")

    def array_new(self, do: Do) -> None:
        """array.new: what the field holds goes to the function"""
        x = do.instr.immediates[0]
        value = self.packed(self.arraytype(x).field, do.args[0])
        self.line(f"{do.results[0]} = array_new{x}({value}, {self.exact(do.args[1]).text})")

    def array_get(self, do: Do) -> None:
        """array.get"""
        x = do.instr.immediates[0]
        text = f"{self.named(do.args[0])}.fields[{self.exact(do.args[1]).text}]"
        self.unpacked(do.results[0], text, self.arraytype(x).field, do.instr.op.params[0])

    def array_set(self, do: Do) -> None:
        """array.set"""
        value = self.packed(self.arraytype(do.instr.immediates[0]).field, do.args[2])
        self.line(f"{self.named(do.args[0])}.fields[{self.exact(do.args[1]).text}] = {value}")

    def array_len(self, do: Do) -> None:
        """array.len"""
        self.line(f"{do.results[0]} = len({self.named(do.args[0])}.fields)")

    def array_fill(self, do: Do) -> None:
        """array.fill"""
        x = do.instr.immediates[0]
        array, i, value, n = do.args
        texts = [self.value(array)[0], self.exact(i).text, self.packed(self.arraytype(x).field, value),
                 self.exact(n).text]  # fmt: skip
        self.line(f"array_fill({', '.join(texts)})")

    def array_copy(self, do: Do) -> None:
        """array.copy"""
        self.line(f"array_copy({', '.join([self.value(e)[0] for e in do.args])})")

    # ---- What never ends normally.

    def unreachable(self, do: Do) -> None:
        """unreachable"""
        self.line("raise unreachable()")

    def throw(self, do: Do) -> None:
        """throw"""
        values = ", ".join([self.cleanest(e)[0] for e in do.args])
        self.line(f"raise Thrown(ExnInst(meter, tag{do.instr.immediates[0]}, [{values}]))")

    def throw_ref(self, do: Do) -> None:
        """throw_ref"""
        self.line(f"raise thrown({self.value(do.args[0])[0]})")


def variables(e: Expr) -> set[str]:
    """The variables that an expression reads."""
    return {e.imm} if e.op == VAR else {name for arg in e.args for name in variables(arg)}


Statement = Callable[[Any, Do], None]

STATEMENTS: dict[str, Statement] = {
    "load": DataWriter.load, "store": DataWriter.store, "vload": DataWriter.vector_load,
    "vstore": DataWriter.vector_store, "vload_lane": DataWriter.lane_load, "vstore_lane": DataWriter.lane_store,
    "memory.size": DataWriter.memory_size, "memory.fill": DataWriter.memory_fill,
    "memory.copy": DataWriter.memory_copy, "global.set": DataWriter.global_set, "call": DataWriter.call_function,
    "call_indirect": DataWriter.call_indirect, "call_ref": DataWriter.call_ref, "binop": DataWriter.partial_operator,
    "cvtop": DataWriter.partial_operator, "ref.as_non_null": DataWriter.non_null, "ref.cast": DataWriter.cast,
    "i31.get": DataWriter.i31_get, "struct.new": DataWriter.struct_new, "struct.get": DataWriter.struct_get,
    "struct.set": DataWriter.struct_set, "array.new_fixed": DataWriter.array_new_fixed,
    "array.new": DataWriter.array_new, "array.get": DataWriter.array_get, "array.set": DataWriter.array_set,
    "array.len": DataWriter.array_len, "array.fill": DataWriter.array_fill, "array.copy": DataWriter.array_copy,
    "unreachable": DataWriter.unreachable, "throw": DataWriter.throw, "throw_ref": DataWriter.throw_ref,
}  # fmt: skip
"""How the kinds of instructions with effects are written; the others are functions of the instance."""

NEVER_RETURNS = frozenset({"unreachable", "throw", "throw_ref"})
