"""Translation of variables, memories, tables, references and aggregates.

Spec: exec/instructions
"""

from __future__ import annotations

from typing import Any

from interp.compiled.facts import RULES, WIDTH, narrow
from interp.compiled.labels import is_temp
from interp.compiled.translate import Translator, translates
from interp.compiled.tree import CONST, GLOBAL, VAR, Do, Expr
from interp.execution.values import MASK
from interp.syntax.instructions import Instr, MemArg
from interp.syntax.types import (
    I32,
    V128,
    AbsHeapType,
    AddrType,
    ArrayType,
    RefType,
    ValType,
    close_heaptype,
    unpack,
)


@translates("local.get")
def local_get(t: Translator, instr: Instr) -> None:
    """A local; a constant where it is known to be one."""
    name = f"l{instr.immediates[0]}"
    e = t.var(name)
    if e.lo == e.hi and e.type in WIDTH:
        e = t.const(e.type, e.lo)
    elif not t.set >> instr.immediates[0] & 1:
        t.unset.add(instr.immediates[0])
    t.stack.append(e)


def set_local(t: Translator, instr: Instr, e: Expr) -> None:
    """Assign a local. What was made for it alone gets its name at once, without a temporary."""
    x = instr.immediates[0]
    mask, name = 1 << x, f"l{x}"
    for pending in t.stack:
        if pending.reads & mask:
            t.settle(lambda pending: bool(pending.reads & mask), instr.offset)
            break
    last = t.here().statements[-1] if t.here().statements else None
    if is_temp(e) and isinstance(last, Do) and last.results and last.results[-1] == e.imm and e not in t.stack:
        last.results = (*last.results[:-1], name)
        t.learn(name, e)
    else:
        t.assign((name,), (e,), instr.offset)


@translates("local.set")
def local_set(t: Translator, instr: Instr) -> None:
    """Assign a local."""
    set_local(t, instr, t.stack.pop())


@translates("local.tee")
def local_tee(t: Translator, instr: Instr) -> None:
    """Assign a local and read it."""
    set_local(t, instr, t.stack.pop())
    local_get(t, instr)


@translates("const", "vconst")
def const(t: Translator, instr: Instr) -> None:
    """A constant."""
    if instr.op.type is None:
        raise NotImplementedError(instr.op.mnemonic)
    t.stack.append(t.const(instr.op.type.results[0], instr.immediates[0]))


@translates("global.get")
def global_get(t: Translator, instr: Instr) -> None:
    """A global, which waits like an expression if it cannot change before it is settled."""
    x = instr.immediates[0]
    globaltype = t.context.globals[x]
    e = Expr(GLOBAL, globaltype.valtype, imm=x)
    if e.type in WIDTH:
        e.hi = MASK[WIDTH[e.type]]
    e.reads_global = globaltype.mut
    t.stack.append(e)


@translates("global.set")
def global_set(t: Translator, instr: Instr) -> None:
    """Assign a global."""
    e = t.stack.pop()
    t.settle_globals(instr.offset)
    t.do(instr, (e,), ())


# ---- Memories.


def address(t: Translator, e: Expr, memarg: MemArg, width: int) -> None:
    """An access of so many bits has succeeded: that bounds the variable that its address was."""
    if e.op == VAR and t.context.mems[memarg.memidx].addrtype is AddrType.I32:
        last = t.memory_end - memarg.offset - width // 8
        if 0 <= last < e.hi:
            narrow(t.facts, e, 0, last)


def addrtype(t: Translator, memidx: int) -> ValType:
    """The type of addresses of a memory."""
    return t.context.mems[memidx].addrtype.numtype


def scaled(t: Translator, base: Expr) -> Expr:
    """An address in terms of what it was computed of, if that is a product by a power of two, or a sum that does not
    wrap around: such terms become part of an index."""
    if base.op == VAR:
        e = t.definitions.get(base.imm)
        if e is None or e.type is not base.type or len(e.args) != 2 or e.args[1].op != CONST:
            return base
        x, c = e.args
        N = WIDTH[base.type]
        if e.op == "iadd":
            return scaled_sum(t, x, c, N) if x.hi + c.imm <= MASK[N] else base
        return e if e.op == "ishl" and x.op == VAR else base
    if base.op == "iadd":
        return scaled_sum(t, base.args[0], base.args[1], WIDTH[base.type])
    return base


def scaled_sum(t: Translator, x: Expr, y: Expr, N: int) -> Expr:
    """The sum of scaled terms."""
    return t.expr("iadd", x.type, (scaled(t, x), scaled(t, y)), (N,))


@translates("load", "vload")
def load(t: Translator, instr: Instr) -> None:
    """The value at an address."""
    type_, width = instr.op.params[:2]
    (base,) = t.pop_n(1)
    (e,) = t.do(instr, (scaled(t, base),), (type_,))
    if type_ in WIDTH and width < WIDTH[type_] and not instr.op.params[2]:
        t.facts[e.imm] = (0, MASK[width], 0)
        e = t.var(e.imm)
    address(t, base, instr.immediates[0], width)
    t.stack.append(e)


@translates("store", "vstore")
def store(t: Translator, instr: Instr) -> None:
    """A value is written at an address."""
    base, value = t.pop_n(2)
    t.do(instr, (scaled(t, base), value), ())
    address(t, base, instr.immediates[0], instr.op.params[1])


@translates("vload_lane")
def vload_lane(t: Translator, instr: Instr) -> None:
    """A lane is read at an address."""
    t.push_do(instr, t.pop_n(2), V128)


@translates("vstore_lane", "memory.fill", "memory.copy", "memory.init", "table.set", "table.fill", "table.copy",
            "table.init", "struct.set", "array.set", "array.fill", "array.copy", "array.init_data", "array.init_elem",
            "data.drop", "elem.drop")  # fmt: skip
def effect(t: Translator, instr: Instr) -> None:
    """An instruction that leaves nothing."""
    t.do(instr, t.pop_n(OPERANDS[instr.op.kind]), ())


OPERANDS = {
    "vstore_lane": 2, "memory.fill": 3, "memory.copy": 3, "memory.init": 3, "table.set": 2, "table.fill": 3,
    "table.copy": 3, "table.init": 3, "struct.set": 2, "array.set": 3, "array.fill": 4, "array.copy": 5,
    "array.init_data": 4, "array.init_elem": 4, "data.drop": 0, "elem.drop": 0,
}  # fmt: skip
"""How many operands the instructions take that leave nothing."""


@translates("memory.size", "memory.grow")
def memory_size(t: Translator, instr: Instr) -> None:
    """The size in pages, before it grows."""
    n = 1 if instr.op.kind == "memory.grow" else 0
    t.push_do(instr, t.pop_n(n), addrtype(t, instr.immediates[0]))


# ---- Tables.


@translates("table.get")
def table_get(t: Translator, instr: Instr) -> None:
    """An element."""
    t.push_do(instr, t.pop_n(1), t.context.tables[instr.immediates[0]].reftype)


@translates("table.size", "table.grow")
def table_size(t: Translator, instr: Instr) -> None:
    """The size in elements, before it grows."""
    n = 2 if instr.op.kind == "table.grow" else 0
    t.push_do(instr, t.pop_n(n), t.context.tables[instr.immediates[0]].addrtype.numtype)


# ---- References.


def reftype(t: Translator, null: bool, heaptype: Any) -> RefType:
    """A reference type, closed."""
    return RefType(null, close_heaptype(heaptype, t.context.types))


@translates("ref.null")
def ref_null(t: Translator, instr: Instr) -> None:
    """null"""
    t.stack.append(t.const(reftype(t, True, instr.immediates[0]), None))


@translates("ref.func")
def ref_func(t: Translator, instr: Instr) -> None:
    """A function, which is there before code runs."""
    x = instr.immediates[0]
    t.stack.append(Expr("ref.func", RefType(False, t.context.funcs[x]), imm=x))


@translates("ref.is_null", "ref.eq", "ref.test", "ref.i31")
def pure(t: Translator, instr: Instr) -> None:
    """What is known of references without looking into them."""
    kind = instr.op.kind
    args = t.pop_n(2 if kind == "ref.eq" else 1)
    params = (instr.op.params[0], instr.immediates[0]) if kind == "ref.test" else ()
    result: ValType = RefType(False, AbsHeapType.I31) if kind == "ref.i31" else I32
    t.push(t.expr(kind, result, args, params))


@translates("ref.as_non_null", "ref.cast")
def ref_as_non_null(t: Translator, instr: Instr) -> None:
    """A trap, or the same reference."""
    ref = t.stack.pop()
    if not is_temp(ref):
        ref = t.settled(ref, instr.offset)
    t.do(instr, (ref,), ())
    t.stack.append(ref)


@translates("any.convert_extern", "extern.convert_any")
def convert(t: Translator, instr: Instr) -> None:
    """The same reference, seen from the other side."""


@translates("i31.get")
def i31_get(t: Translator, instr: Instr) -> None:
    """The number in a reference."""
    t.push_do(instr, t.pop_n(1), I32)


# ---- Aggregates.


@translates("struct.new", "struct.new_default")
def struct_new(t: Translator, instr: Instr) -> None:
    """A structure of its fields."""
    x = instr.immediates[0]
    n = len(t.context.structtype(x).fields) if instr.op.kind == "struct.new" else 0
    t.push_do(instr, t.pop_n(n), RefType(False, t.context.types[x]))


@translates("struct.get")
def struct_get(t: Translator, instr: Instr) -> None:
    """A field."""
    x, i = instr.immediates
    t.push_do(instr, t.pop_n(1), unpack(t.context.structtype(x).fields[i].storagetype))


@translates("array.new", "array.new_default", "array.new_fixed", "array.new_data", "array.new_elem")
def array_new(t: Translator, instr: Instr) -> None:
    """An array of its elements."""
    kind = instr.op.kind
    n = {"array.new_default": 1, "array.new_fixed": instr.immediates[-1]}.get(kind, 2)
    t.push_do(instr, t.pop_n(n), RefType(False, t.context.types[instr.immediates[0]]))


@translates("array.get")
def array_get(t: Translator, instr: Instr) -> None:
    """An element."""
    t.push_do(instr, t.pop_n(2), element(t, instr))


def element(t: Translator, instr: Instr) -> ValType:
    """The type of elements on the stack."""
    arraytype: ArrayType = t.context.arraytype(instr.immediates[0])
    return unpack(arraytype.field.storagetype)


@translates("array.len")
def array_len(t: Translator, instr: Instr) -> None:
    """The number of elements."""
    t.push_do(instr, t.pop_n(1), I32)


# ---- Operators that are not defined for all operands, and those with immediates.


@translates("binop", "cvtop")
def operator(t: Translator, instr: Instr) -> None:
    """An operator that may trap is a statement, unless its operand is a constant for which it does not."""
    op = instr.op
    if op.type is None or op.sem is None:
        raise NotImplementedError(op.mnemonic)
    name = op.sem.__name__
    args = t.pop_n(len(op.type.params))
    if name in TRAPPING and not (name in DIVISIONS and defined(name, op.params[0], args[1])):
        (e,) = t.do(instr, args, op.type.results)
        rule = RULES.get(name)
        if rule is not None:
            fact = rule(*op.params, *args)
            t.facts[e.imm] = fact
            e = t.var(e.imm)
        t.stack.append(e)
    else:
        t.push(t.expr(name, op.type.results[0], args, op.params))


DIVISIONS = frozenset({"idiv_u", "idiv_s", "irem_u", "irem_s"})
TRAPPING = DIVISIONS | {"trunc_u", "trunc_s"}
"""Names of the numerics functions that may trap."""


def defined(name: str, N: int, divisor: Expr) -> bool:
    """Whether a division by this cannot trap."""
    return divisor.lo > 0 and (name != "idiv_s" or divisor.hi < MASK[N])


@translates("vshuffle", "vextract_lane", "vreplace_lane")
def lanes(t: Translator, instr: Instr) -> None:
    """The immediates come first, then the operands."""
    op = instr.op
    if op.sem is None:
        raise NotImplementedError(op.mnemonic)
    result: ValType = op.params[0].unpacked if op.kind == "vextract_lane" else V128
    args = t.pop_n(1 if op.kind == "vextract_lane" else 2)
    t.push(t.expr(op.sem.__name__, result, args, (*op.params, *instr.immediates)))
