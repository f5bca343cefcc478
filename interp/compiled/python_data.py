"""Statements as Python source: tables, globals, calls, references, aggregates.

What is no single operation of Python is a function of the instance, called by a name of the instruction and its
immediates (`interp.compiled.bulk`).

Spec: exec/instructions
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from interp.compiled.python_memory import MemoryWriter
from interp.compiled.python_text import ADD, POSTFIX, Text
from interp.compiled.python_values import function_name
from interp.compiled.tree import Do, Expr
from interp.execution.values import MASK, MODULUS, SIGN
from interp.syntax.instructions import Instr
from interp.syntax.types import (
    ArrayType,
    FieldType,
    HeapType,
    PackType,
    StructType,
    TypeIdx,
)

PACKED = {PackType.I8: 8, PackType.I16: 16}


class DataWriter(MemoryWriter):
    """Writes the statements of one function."""

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
        """call, call_indirect, call_ref"""
        self.assign_results(do.results, self.call_text(do))

    def call_text(self, do: Do) -> str:
        """A call without what becomes of its results. What is called indirectly comes from lists that hold only
        functions of one type, and what traps in place of others."""
        kind, x = do.instr.op.kind, do.instr.immediates[0]
        if kind == "call":
            return f"f{x}({self.arguments(do.args)})"
        args = self.arguments(do.args[:-1])
        if kind == "call_indirect":
            return f"c{do.instr.immediates[1]}_{x}[{self.exact(do.args[-1]).text}]({args})"
        func = self.atom(do.args[-1])
        if func == "None":
            func = self.hoist(func)
        return f"{func}.prepared({args})"

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
        x = self.reference(do.args[0])
        text = Text(f"{x}.value", POSTFIX, 0, MASK[31])
        if do.instr.op.params[0]:
            text = Text(f"({x}.value ^ {SIGN[31]}) - {SIGN[31]}", ADD, -SIGN[31], SIGN[31] - 1)
        self.assign_integer(do.results[0], text, 32)

    def reference(self, e: Expr) -> str:
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
        text = f"{self.reference(do.args[0])}.fields[{i}]"
        self.unpacked(do.results[0], text, self.structtype(x).fields[i], do.instr.op.params[0])

    def struct_set(self, do: Do) -> None:
        """struct.set"""
        x, i = do.instr.immediates
        value = self.packed(self.structtype(x).fields[i], do.args[1])
        self.line(f"{self.reference(do.args[0])}.fields[{i}] = {value}")

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
        text = f"{self.reference(do.args[0])}.fields[{self.exact(do.args[1]).text}]"
        self.unpacked(do.results[0], text, self.arraytype(x).field, do.instr.op.params[0])

    def array_set(self, do: Do) -> None:
        """array.set"""
        value = self.packed(self.arraytype(do.instr.immediates[0]).field, do.args[2])
        self.line(f"{self.reference(do.args[0])}.fields[{self.exact(do.args[1]).text}] = {value}")

    def array_len(self, do: Do) -> None:
        """array.len"""
        self.line(f"{do.results[0]} = len({self.reference(do.args[0])}.fields)")

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


Statement = Callable[[Any, Do], None]

STATEMENTS: dict[str, Statement] = {
    "load": DataWriter.load, "store": DataWriter.store, "vload": DataWriter.vector_load,
    "vstore": DataWriter.vector_store, "vload_lane": DataWriter.lane_load, "vstore_lane": DataWriter.lane_store,
    "memory.size": DataWriter.memory_size, "memory.fill": DataWriter.memory_fill,
    "memory.copy": DataWriter.memory_copy, "global.set": DataWriter.global_set,
    **dict.fromkeys(("call", "call_indirect", "call_ref"), DataWriter.call_function),
    "binop": DataWriter.partial_operator, "cvtop": DataWriter.partial_operator,
    "ref.as_non_null": DataWriter.non_null, "ref.cast": DataWriter.cast,
    "i31.get": DataWriter.i31_get, "struct.new": DataWriter.struct_new, "struct.get": DataWriter.struct_get,
    "struct.set": DataWriter.struct_set, "array.new_fixed": DataWriter.array_new_fixed,
    "array.new": DataWriter.array_new, "array.get": DataWriter.array_get, "array.set": DataWriter.array_set,
    "array.len": DataWriter.array_len, "array.fill": DataWriter.array_fill, "array.copy": DataWriter.array_copy,
    "unreachable": DataWriter.unreachable, "throw": DataWriter.throw, "throw_ref": DataWriter.throw_ref,
}  # fmt: skip
"""How the kinds of instructions with effects are written; the others are functions of the instance."""

NEVER_RETURNS = frozenset({"unreachable", "throw", "throw_ref"})
