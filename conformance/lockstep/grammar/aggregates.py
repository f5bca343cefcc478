"""Aggregate instructions: structures, arrays, and numbers of 31 bits as references.

Spec: syntax/instructions#aggregate-instructions
"""

from __future__ import annotations

from conformance.lockstep.grammar.body import REFERENCES, Body, Code, statement, value
from conformance.lockstep.grammar.references import nullable
from conformance.lockstep.grammar.rows import mnemonic
from interp.execution import numerics
from interp.syntax.types import (
    I32,
    AbsHeapType,
    ArrayType,
    FieldType,
    PackType,
    RefType,
    TypeIdx,
    ValType,
    is_defaultable,
    unpack,
)

I31 = RefType(False, AbsHeapType.I31)
MAX_LENGTH = 12
"""Elements of an array, mostly."""


def get_suffix(body: Body, field: FieldType) -> str:
    """How a get of a field is called: packed ones are extended."""
    return body.c.pick(("_u", "_s")) if isinstance(field.storagetype, PackType) else ""


def i31_reference(body: Body, t: RefType) -> Code | None:
    """ref.i31."""
    if not body.plan.matches(I31, t):
        return None
    return [*body.leaf(I32), body.ins("ref.i31")]


def structure(body: Body, t: RefType) -> Code | None:
    """A new structure of the type or of one below it."""
    found = [(x, st) for x, st in body.plan.structs() if body.plan.matches(RefType(False, TypeIdx(x)), t)]
    if not found:
        return None
    x, st = body.c.pick(found)
    types = tuple([unpack(field.storagetype) for field in st.fields])
    if all(map(is_defaultable, types)) and (body.enough() or body.c.chance(40)):
        return [body.ins("struct.new_default", x)]
    return [*body.operands(types), body.ins("struct.new", x)]


def array(body: Body, t: RefType) -> Code | None:
    """A new array of the type."""
    found = [(x, at) for x, at in body.plan.arrays() if body.plan.matches(RefType(False, TypeIdx(x)), t)]
    if not found:
        return None
    x, at = body.c.pick(found)
    element = unpack(at.field.storagetype)
    form = body.c.below(5)
    if form == 0 and not body.enough():
        return [*body.value(element), *length(body), body.ins("array.new", x)]
    if form == 1 and not body.enough():
        n = body.c.below(4)
        return [*body.operands((element,) * n), body.ins("array.new_fixed", x, n)]
    if form == 2:
        code = from_segment(body, x, at)
        if code is not None:
            return code
    return [*length(body), body.ins("array.new_default", x)]


REFERENCES += [i31_reference, structure, array]


def length(body: Body) -> Code:
    """A number of elements."""
    return [body.const(I32, body.c.below(MAX_LENGTH))]


def position(body: Body) -> Code:
    """An index of an element, mostly of one that is there."""
    form = body.c.below(10)
    if form < 7:
        return [body.const(I32, body.c.below(3))]
    code = body.value(I32)
    if form < 9:
        code += [body.const(I32, 3), body.ins(mnemonic(numerics.iand, 32))]
    return code


def segments(body: Body, at: ArrayType) -> tuple[str, list[int]]:
    """The kind of segments that an array may be made of, and which there are."""
    storagetype = at.field.storagetype
    if isinstance(storagetype, RefType):
        found = [s for s, elem in enumerate(body.plan.elems) if body.plan.matches(elem.type, storagetype)]
        return "elem", found
    return "data", list(range(len(body.plan.datas)))


def from_segment(body: Body, x: int, at: ArrayType) -> Code | None:
    """array.new_data or array.new_elem, of segments that may be dropped already."""
    kind, found = segments(body, at)
    if not found:
        return None
    numbers = [body.const(I32, body.c.pick((0, 0, 1))), body.const(I32, body.c.pick((0, 0, 1, 2)))]
    return [*numbers, body.ins(f"array.new_{kind}", x, body.c.pick(found))]


def reference_to(body: Body, x: int) -> Code:
    """A structure or array of type x, null now and then."""
    t = RefType(True, TypeIdx(x))
    found = body.locals_of(t)
    if found and body.c.chance(50):
        return [body.ins("local.get", body.c.pick(found))]
    return body.value(t) if body.c.chance(15) else body.some_reference(RefType(False, t.heaptype))


@value(6)
def field_value(body: Body, t: ValType) -> Code | None:
    """struct.get."""
    found = [
        (x, k, field)
        for x, st in body.plan.structs()
        for k, field in enumerate(st.fields)
        if body.plan.matches(unpack(field.storagetype), t)
    ]
    if not found:
        return None
    x, k, field = body.c.pick(found)
    return [*reference_to(body, x), body.ins(f"struct.get{get_suffix(body, field)}", x, k)]


@value(6)
def element_value(body: Body, t: ValType) -> Code | None:
    """array.get."""
    found = [(x, at) for x, at in body.plan.arrays() if body.plan.matches(unpack(at.field.storagetype), t)]
    if not found:
        return None
    x, at = body.c.pick(found)
    return [*reference_to(body, x), *position(body), body.ins(f"array.get{get_suffix(body, at.field)}", x)]


@value(4)
def number_of_aggregate(body: Body, t: ValType) -> Code | None:
    """i31.get_s, i31.get_u, array.len."""
    if t != I32 or not body.plan.profile.aggregates:
        return None
    form = body.c.below(3)
    if form == 2:
        arrays = body.plan.arrays()
        return [*reference_to(body, body.c.pick(arrays)[0]), body.ins("array.len")]
    source = [*body.leaf(I32), body.ins("ref.i31")] if body.c.chance(85) else body.value(nullable(I31))
    return [*source, body.ins("i31.get_s" if form else "i31.get_u")]


@statement(4)
def set_field(body: Body) -> Code | None:
    """struct.set."""
    found = [(x, k, field) for x, st in body.plan.structs() for k, field in enumerate(st.fields) if field.mut]
    if not found:
        return None
    x, k, field = body.c.pick(found)
    return [*reference_to(body, x), *body.value(unpack(field.storagetype)), body.ins("struct.set", x, k)]


@statement(4)
def set_element(body: Body) -> Code | None:
    """array.set."""
    found = [(x, at) for x, at in body.plan.arrays() if at.field.mut]
    if not found:
        return None
    x, at = body.c.pick(found)
    element = body.value(unpack(at.field.storagetype))
    return [*reference_to(body, x), *position(body), *element, body.ins("array.set", x)]


@statement(4)
def bulk_elements(body: Body) -> Code | None:
    """array.fill, array.copy, array.init_data, array.init_elem."""
    found = [(x, at) for x, at in body.plan.arrays() if at.field.mut]
    if not found:
        return None
    x, at = body.c.pick(found)
    form = body.c.below(4)
    start = [*reference_to(body, x), *position(body)]
    few = body.const(I32, body.c.below(4))
    if form < 2:
        return [*start, *body.value(unpack(at.field.storagetype)), few, body.ins("array.fill", x)]
    if form == 2:
        return [*start, *reference_to(body, x), *position(body), few, body.ins("array.copy", x, x)]
    kind, usable = segments(body, at)
    if not usable:
        return None
    numbers = [body.const(I32, body.c.pick((0, 0, 1))), body.const(I32, body.c.pick((0, 0, 1, 2)))]
    return [*start, *numbers, body.ins(f"array.init_{kind}", x, body.c.pick(usable))]
