"""Reduction of memory instructions (specification 4.6).

`c` is the configuration, `x` memory and segment indices, `i`, `j` byte addresses, `n` a count of bytes. The rules of
memory.fill, memory.copy and memory.init trap if the range does not fit, else end if it is empty, else move one byte and
leave the rest to the same instruction again; unobserved, one step moves the whole range.
Spec: exec/instructions#memory-instructions
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from interp.errors import TrapKind
from interp.execution.values import fbits, inv_fbits
from interp.reference.configuration import Config, RuleFunction, family, point, rule
from interp.reference.table import value
from interp.syntax.instructions import BY_MNEMONIC, Instr, MemArg, Op

OUT_OF_BOUNDS = TrapKind.MEMORY_OUT_OF_BOUNDS
UNSIGNED = {8: Struct("<B"), 16: Struct("<H"), 32: Struct("<I"), 64: Struct("<Q")}
SIGNED = {8: Struct("<b"), 16: Struct("<h"), 32: Struct("<i")}
FLOAT64 = Struct("<d")


def reader(op: Op) -> Any:
    """How a load reads its value: (bytes, address) -> value.  Spec: exec/numerics#aux-bytes"""
    t, width, signed = op.params
    if t.value == "f64":
        unpack = FLOAT64.unpack_from
        return lambda data, ea: unpack(data, ea)[0]
    if t.value == "f32":
        unpack = UNSIGNED[32].unpack_from
        return lambda data, ea: inv_fbits(32, unpack(data, ea)[0])
    if signed:
        unpack, mask = SIGNED[width].unpack_from, 2 ** int(t.value[1:]) - 1
        return lambda data, ea: unpack(data, ea)[0] & mask
    unpack = UNSIGNED[width].unpack_from
    return lambda data, ea: unpack(data, ea)[0]


def writer(op: Op) -> Any:
    """How a store writes its value: (bytes, address, value).  Spec: exec/numerics#aux-bytes"""
    t, width = op.params
    if t.value == "f64":
        return FLOAT64.pack_into
    pack = UNSIGNED[width].pack_into
    if t.value == "f32":
        return lambda data, ea, z: pack(data, ea, fbits(32, z))
    mask = 2**width - 1
    return lambda data, ea, i: pack(data, ea, i & mask)


def whole(op: Op) -> bool:
    """Whether a load or store moves all bits of its type."""
    return bool(int(op.params[0].value[1:]) == op.params[1])


@family(
    "load", "Step_read/load-num-oob", "Step_read/load-num-val", "Step_read/load-pack-oob", "Step_read/load-pack-val"
)
def load(op: Op) -> RuleFunction:
    """(at.const i) (t.loadN_sx x ao) ~> (t.const c), c from the bytes at i + ao.offset, or trap"""
    read, n = reader(op), op.params[1] // 8
    name = "Step_read/load-num-" if whole(op) else "Step_read/load-pack-"
    oob, val = name + "oob", name + "val"

    def apply(c: Config, x: MemArg) -> str:
        data = c.frame.module.mems[x.memidx].bytes
        vals = c.vals
        ea = vals[-1] + x.offset
        if ea + n > len(data):
            vals.pop()
            return c.trap(OUT_OF_BOUNDS, oob)
        vals[-1] = read(data, ea)
        return val

    return apply


@family("store", "Step/store-num-oob", "Step/store-num-val", "Step/store-pack-oob", "Step/store-pack-val")
def store(op: Op) -> RuleFunction:
    """(at.const i) (t.const c) (t.storeN x ao) ~> eps, the bytes of c at i + ao.offset, or trap"""
    write, n = writer(op), op.params[1] // 8
    name = "Step/store-num-" if whole(op) else "Step/store-pack-"
    oob, done = name + "oob", name + "val"

    def apply(c: Config, x: MemArg) -> str:
        data = c.frame.module.mems[x.memidx].bytes
        vals = c.vals
        val = vals.pop()
        ea = vals.pop() + x.offset
        if ea + n > len(data):
            return c.trap(OUT_OF_BOUNDS, oob)
        write(data, ea, val)
        return done

    return apply


@rule("memory.size", "Step_read/memory.size")
def memory_size(c: Config, x: int) -> str:
    """(memory.size x) ~> (at.const n), n the size in pages"""
    c.vals.append(c.frame.module.mems[x].size)
    return "Step_read/memory.size"


@rule("memory.grow", "Step/memory.grow-succeed", "Step/memory.grow-fail")
def memory_grow(c: Config, x: int) -> str:
    """(at.const n) (memory.grow x) ~> the old size, or -1"""
    mem = c.frame.module.mems[x]
    size = mem.size
    if mem.grow(c.vals[-1]):
        c.vals[-1] = size
        return "Step/memory.grow-succeed"
    c.vals[-1] = 2 ** int(mem.type.addrtype.value[1:]) - 1
    return "Step/memory.grow-fail"


def byte_point(mnemonic: str, instr: Instr, memidx: int) -> Any:
    """The point of a byte-wide load or store that a bulk instruction stands for."""
    return point(Instr(BY_MNEMONIC[mnemonic], (MemArg(0, 0, memidx),), instr.offset), [])


@rule("memory.fill", "Step_read/memory.fill-oob", "Step_read/memory.fill-zero", "Step_read/memory.fill-succ")
def memory_fill(c: Config, x: int) -> str:
    """(at.const i) val (at.const n) (memory.fill x)
    ~> (at.const i) val (i32.store8 x) (at.const i+1) val (at.const n-1) (memory.fill x)"""
    vals = c.vals
    n, val, i = vals.pop(), vals.pop(), vals.pop()
    data = c.frame.module.mems[x].bytes
    if i + n > len(data):
        return c.trap(OUT_OF_BOUNDS, "Step_read/memory.fill-oob")
    if n == 0:
        return "Step_read/memory.fill-zero"
    if c.observed:
        instr = c.current()
        vals += (i, val)
        rest = [value(instr, v) for v in (i + 1, val, n - 1)]
        c.insert((byte_point("i32.store8", instr, x), *rest, (memory_fill, x, instr)))
    else:
        c.meter.bulk(n)
        data[i : i + n] = bytes([val & 0xFF]) * n
    return "Step_read/memory.fill-succ"


@rule(
    "memory.copy",
    "Step_read/memory.copy-oob",
    "Step_read/memory.copy-zero",
    "Step_read/memory.copy-le",
    "Step_read/memory.copy-gt",
)
def memory_copy(c: Config, x: tuple[int, int]) -> str:
    """(at1.const i1) (at2.const i2) (at.const n) (memory.copy x1 x2), where k = n-1
    ~> (at1.const i1) (at2.const i2) (i32.load8_u x2) (i32.store8 x1)
       (at1.const i1+1) (at2.const i2+1) (at.const k) (memory.copy x1 x2) if i1 <= i2, else
       (at1.const i1+k) (at2.const i2+k) (i32.load8_u x2) (i32.store8 x1)
       (at1.const i1) (at2.const i2) (at.const k) (memory.copy x1 x2)"""
    x1, x2 = x
    vals, mems = c.vals, c.frame.module.mems
    n, i2, i1 = vals.pop(), vals.pop(), vals.pop()
    data1, data2 = mems[x1].bytes, mems[x2].bytes
    if i1 + n > len(data1) or i2 + n > len(data2):
        return c.trap(OUT_OF_BOUNDS, "Step_read/memory.copy-oob")
    if n == 0:
        return "Step_read/memory.copy-zero"
    up = i1 <= i2
    if c.observed:
        instr = c.current()
        first, then = (0, (i1 + 1, i2 + 1)) if up else (n - 1, (i1, i2))
        vals += (i1 + first, i2 + first)
        move = (byte_point("i32.load8_u", instr, x2), byte_point("i32.store8", instr, x1))
        rest = [value(instr, v) for v in (*then, n - 1)]
        c.insert((*move, *rest, (memory_copy, x, instr)))
    else:
        c.meter.bulk(n)
        data1[i1 : i1 + n] = data2[i2 : i2 + n]
    return "Step_read/memory.copy-le" if up else "Step_read/memory.copy-gt"


@rule("memory.init", "Step_read/memory.init-oob", "Step_read/memory.init-zero", "Step_read/memory.init-succ")
def memory_init(c: Config, x: tuple[int, int]) -> str:
    """(at.const i) (i32.const j) (i32.const n) (memory.init x y)
    ~> (at.const i) (i32.const data.bytes[j]) (i32.store8 x)
       (at.const i+1) (i32.const j+1) (i32.const n-1) (memory.init x y)"""
    vals, module = c.vals, c.frame.module
    data, source = module.mems[x[1]].bytes, module.datas[x[0]].bytes
    n, j, i = vals.pop(), vals.pop(), vals.pop()
    if i + n > len(data) or j + n > len(source):
        return c.trap(OUT_OF_BOUNDS, "Step_read/memory.init-oob")
    if n == 0:
        return "Step_read/memory.init-zero"
    if c.observed:
        instr = c.current()
        vals += (i, source[j])
        rest = [value(instr, v) for v in (i + 1, j + 1, n - 1)]
        c.insert((byte_point("i32.store8", instr, x[1]), *rest, (memory_init, x, instr)))
    else:
        c.meter.bulk(n)
        data[i : i + n] = source[j : j + n]
    return "Step_read/memory.init-succ"


@rule("data.drop", "Step/data.drop")
def data_drop(c: Config, x: int) -> str:
    """(data.drop x) ~> eps, data.bytes = eps"""
    c.frame.module.datas[x].bytes = b""
    return "Step/data.drop"
