"""What a generated module has besides code: types, imports, memories, tables, globals, tags, segments, and the types of
its functions. Chosen first, so that every function knows what it may use."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.lockstep.choices import Choices
from conformance.lockstep.grammar.constants import const, constant
from conformance.lockstep.grammar.rows import CHAINED, mnemonic, width
from interp.execution import numerics
from interp.execution.modules import instr as row_instr
from interp.syntax import modules as m
from interp.syntax.instructions import Expr, Instr
from interp.syntax.types import (
    EQREF,
    EXNREF,
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    V128,
    AbsHeapType,
    AddrType,
    ArrayType,
    CompType,
    FieldType,
    FuncType,
    GlobalType,
    Limits,
    MemType,
    PackType,
    RecType,
    RefType,
    ResultType,
    StorageType,
    StructType,
    SubType,
    TableType,
    TypeIdx,
    ValType,
)
from interp.validation.context import Context
from interp.validation.matching import match_valtype
from interp.validation.types import type_ok

ANYREF = RefType(True, AbsHeapType.ANY)
I31REF = RefType(True, AbsHeapType.I31)
HOST_MODULE = "host"
MAX_PAGES = 4
MAX_DATA = 200
MAX_ELEMENTS = 24
"""Pages and elements that memories and tables may grow to, and bytes of data in a segment."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Which parts of WebAssembly a module uses: few at a time, so that each is frequent where it is used.

    `size` is about how many instructions a function may have.
    """

    size: int
    funcs: int
    wide: bool
    floats: bool
    simd: bool
    relaxed: bool
    references: bool
    aggregates: bool
    exceptions: bool
    tables: bool
    tail_calls: bool
    addr64: bool
    memories: int
    hosts: bool

    @classmethod
    def chosen(cls, c: Choices, size: int | None = None) -> Profile:
        """A profile; `size` in place of a chosen one."""
        simd, aggregates, exceptions = c.chance(25), c.chance(20), c.chance(20)
        return cls(
            size=size or c.weighted(((3, 20), (5, 45), (4, 80), (1, 160))),
            funcs=c.weighted(((3, 1), (4, 2), (3, 3), (2, 5))),
            wide=c.chance(70),
            floats=c.chance(45),
            simd=simd,
            relaxed=simd and c.chance(15),
            references=aggregates or exceptions or c.chance(20),
            aggregates=aggregates,
            exceptions=exceptions,
            tables=c.chance(60 if aggregates else 35),
            tail_calls=c.chance(25),
            addr64=c.chance(10),
            memories=c.weighted(((16, 1), (2, 2), (2, 0))),
            hosts=c.chance(55),
        )


@dataclass(slots=True)
class Plan:
    """A module without its functions' code. Function indices begin with the imports; the first `leaves` functions of
    the module itself may be called through references, and call nothing that way. `checksum` is a global in which code
    notes values that it has no other use for, so that they are seen from outside. The first memory and the first global
    may be imported."""

    profile: Profile
    types: list[SubType] = field(default_factory=list)
    context: Context = field(default_factory=Context)
    imports: list[tuple[str, FuncType]] = field(default_factory=list)
    mems: list[MemType] = field(default_factory=list)
    tables: list[TableType] = field(default_factory=list)
    globals: list[tuple[GlobalType, Expr]] = field(default_factory=list)
    tags: list[FuncType] = field(default_factory=list)
    elems: list[m.Elem] = field(default_factory=list)
    datas: list[m.Data] = field(default_factory=list)
    funcs: list[FuncType] = field(default_factory=list)
    leaves: int = 0
    palette: list[tuple[int, ValType]] = field(default_factory=list)
    imports_memory: bool = False
    imports_global: bool = False
    checksum: int | None = None

    def define(self, subtype: SubType) -> int:
        """A new type, in a recursive type of its own: its index."""
        self.types.append(subtype)
        type_ok(self.context, RecType((subtype,)))
        return len(self.types) - 1

    def typeidx(self, comptype: CompType) -> int:
        """The index of a final type without supertypes, which is defined if it is not there yet."""
        subtype = SubType(True, (), comptype)
        return self.types.index(subtype) if subtype in self.types else self.define(subtype)

    def matches(self, t1: ValType, t2: ValType) -> bool:
        """Whether t1 is a subtype of t2."""
        return t1 == t2 or match_valtype(self.context.close_valtype(t1), self.context.close_valtype(t2))

    def functype(self, funcidx: int) -> FuncType:
        """The type of an imported function or of one of its own."""
        if funcidx < len(self.imports):
            return self.imports[funcidx][1]
        return self.funcs[funcidx - len(self.imports)]

    def leaf_indices(self) -> range:
        """The functions that may be referred to."""
        return range(len(self.imports), len(self.imports) + self.leaves)

    def structs(self) -> list[tuple[int, StructType]]:
        """The structure types with their indices."""
        return [(x, t.comptype) for x, t in enumerate(self.types) if isinstance(t.comptype, StructType)]

    def arrays(self) -> list[tuple[int, ArrayType]]:
        """The array types with their indices."""
        return [(x, t.comptype) for x, t in enumerate(self.types) if isinstance(t.comptype, ArrayType)]


def ins(mnemonic: str, *immediates: object) -> Instr:
    """An instruction by its mnemonic."""
    return row_instr(mnemonic, 0, *immediates)


def plan(c: Choices, size: int | None = None) -> Plan:
    """Choose what a module has; `size`, if given, is about how many instructions each function may have."""
    made = Plan(Profile.chosen(c, size))
    plan_palette(made)
    if made.profile.aggregates:
        plan_aggregates(made, c)
    plan_functions(made, c)
    plan_memories(made, c)
    plan_globals(made, c)
    if made.profile.exceptions:
        made.tags = [FuncType(result_types(made, c, 2), ()) for _ in range(c.between(1, 3))]
    if made.profile.tables:
        plan_tables(made, c)
    return made


def plan_palette(made: Plan) -> None:
    """The types of values that the module works with, and how often each is chosen."""
    p = made.profile
    made.palette = [(6, I32)]
    made.palette += [(4, I64)] if p.wide else []
    made.palette += [(3, F64), (3, F32)] if p.floats else []
    made.palette += [(6, V128)] if p.simd else []
    made.palette += [(1, FUNCREF), (1, EXTERNREF)] if p.references else []
    made.palette += [(1, ANYREF), (1, EQREF), (1, I31REF)] if p.aggregates else []
    made.palette += [(1, EXNREF)] if p.exceptions else []


def result_types(made: Plan, c: Choices, most: int) -> ResultType:
    """Up to `most` types."""
    return tuple([c.weighted(made.palette) for _ in range(c.below(most + 1))])


def plan_aggregates(made: Plan, c: Choices) -> None:
    """Structure types, one below another, one that refers to itself, and array types of several elements."""
    numeric = [t for _, t in made.palette if not isinstance(t, RefType)]

    def some_field(fields: list[StorageType]) -> FieldType:
        return FieldType(c.chance(75), c.pick(fields))

    plain: list[StorageType] = [*numeric, PackType.I8, PackType.I16, EQREF]
    base = tuple([some_field(plain) for _ in range(c.between(1, 3))])
    top = made.define(SubType(False, (), StructType(base)))
    below = (*base, some_field([*plain, RefType(True, TypeIdx(top))]))
    made.define(SubType(c.chance(50), (TypeIdx(top),), StructType(below)))
    own = len(made.types)
    made.define(SubType(True, (), StructType((FieldType(True, RefType(True, TypeIdx(own))), some_field(plain)))))
    made.define(SubType(True, (), ArrayType(FieldType(True, c.pick((PackType.I8, PackType.I16))))))
    made.define(SubType(True, (), ArrayType(FieldType(True, c.pick(numeric)))))
    if c.chance(50):
        made.define(
            SubType(True, (), ArrayType(FieldType(True, c.pick((EQREF, RefType(True, TypeIdx(top)), FUNCREF)))))
        )
    made.palette += [(1, RefType(True, TypeIdx(x))) for x in range(len(made.types))]


HOSTS: dict[str, FuncType] = {
    "mix_i": FuncType((I32, I32), (I32,)),
    "mix_l": FuncType((I64,), (I64,)),
    "mix_many": FuncType((I32, I64), (I64, I32)),
    "mix_f": FuncType((F64, F32), (F32,)),
    "mix_none": FuncType((), ()),
    "mix_v": FuncType((V128,), (V128,)),
    "mix_r": FuncType((FUNCREF, EXTERNREF), (EXTERNREF,)),
    "grow": FuncType((I32,), (I32,)),
    "poke": FuncType((I32, I32), ()),
    "set": FuncType((I64,), ()),
    "reenter": FuncType((I32,), (I32,)),
    "fail": FuncType((I32,), (I32,)),
}
"""What the host offers, by name: functions that derive their results from their arguments, one that grows a memory, one
that writes to it, one that sets a global, one that calls back, and one that may raise an exception of its own."""


def plan_functions(made: Plan, c: Choices) -> None:
    """Imported functions, and the types of the module's own."""
    palette = {t for _, t in made.palette}
    if made.profile.hosts:
        usable = [name for name, ft in HOSTS.items() if palette.issuperset(ft.params + ft.results)]
        names = [c.pick(usable) for _ in range(c.between(1, 3))]
        made.imports = [(name, HOSTS[name]) for name in names]
    for _ in range(made.profile.funcs):
        made.funcs.append(FuncType(result_types(made, c, 4), result_types(made, c, 3) or (c.weighted(made.palette),)))
    if c.chance(12):
        made.funcs[-1] = FuncType((), ())
    for _, ft in made.imports:
        made.typeidx(ft)
    for ft in made.funcs:
        made.typeidx(ft)
    made.leaves = c.between(1, max(1, len(made.funcs) - 1))
    if made.profile.references and c.chance(40):
        made.palette.append((1, RefType(True, TypeIdx(made.typeidx(made.funcs[0])))))


def plan_memories(made: Plan, c: Choices) -> None:
    """Memories of a page or two that may grow a little, and data in them and for them."""
    for x in range(made.profile.memories):
        addrtype = AddrType.I64 if made.profile.addr64 and (x == 0 or c.chance(50)) else AddrType.I32
        minimum = c.weighted(((10, 1), (2, 2), (1, 0)))
        made.mems.append(MemType(addrtype, Limits(minimum, c.between(minimum, MAX_PAGES))))
        if minimum:
            for place in (0, 8, 65536 * minimum - MAX_DATA)[c.below(2) : c.between(1, 3)]:
                data = c.bits(8 * MAX_DATA).to_bytes(MAX_DATA, "little")[: c.between(MAX_DATA // 2, MAX_DATA)]
                made.datas.append(m.Data(data, m.Active(x, (const(addrtype.numtype, place),)), 0))
    made.imports_memory = bool(made.mems) and c.chance(20)
    if (made.mems or made.profile.aggregates) and c.chance(50):
        made.datas.append(m.Data(bytes([c.below(256) for _ in range(c.below(32))]), m.Passive(), 0))


def initial(made: Plan, c: Choices, t: ValType) -> Expr:
    """A constant expression of a type: a constant, a global that is there already, a sum or product of integers."""
    known = [x for x, (gt, _) in enumerate(made.globals) if gt == GlobalType(False, t)]
    if known and c.chance(50):
        return (ins("global.get", c.pick(known)),)
    if t in CHAINED and c.chance(25):
        operator = ins(mnemonic(c.pick((numerics.iadd, numerics.isub, numerics.imul)), width(t)))
        return (const(t, constant(c, t)), const(t, constant(c, t)), operator)
    if not isinstance(t, RefType):
        return (const(t, constant(c, t)),)
    if t == FUNCREF and made.leaves and c.chance(60):
        return (ins("ref.func", c.pick(made.leaf_indices())),)
    if t.heaptype is AbsHeapType.I31 and c.chance(60):
        return (const(I32, constant(c, I32)), ins("ref.i31"))
    return (ins("ref.null", t.heaptype),)


def plan_globals(made: Plan, c: Choices) -> None:
    """Globals, most of them mutable."""
    for _ in range(c.below(4)):
        t = c.weighted(made.palette)
        made.globals.append((GlobalType(c.chance(70), t), initial(made, c, t)))
    made.imports_global = bool(made.globals) and c.chance(20)
    if c.chance(90):
        made.checksum = len(made.globals)
        made.globals.append((GlobalType(True, I64), initial(made, c, I64)))


def plan_tables(made: Plan, c: Choices) -> None:
    """Tables of functions, perhaps one of something else, and segments for them."""
    for x in range(c.between(1, 2)):
        reftype = FUNCREF if x == 0 else c.pick((FUNCREF, EXTERNREF, *([EQREF] if made.profile.aggregates else [])))
        addrtype = AddrType.I64 if made.profile.addr64 and c.chance(50) else AddrType.I32
        size = c.between(1, 10)
        made.tables.append(TableType(addrtype, Limits(size, c.between(size, MAX_ELEMENTS)), reftype))
        if reftype != FUNCREF:
            made.elems.append(m.Elem(reftype, tuple([initial(made, c, reftype) for _ in range(2)]), m.Passive(), 0))
            continue
        funcs = [c.pick(made.leaf_indices()) for _ in range(c.between(1, size))]
        code = tuple([(ins("ref.func", x),) for x in funcs])
        if x == 0:
            made.elems.append(m.Elem(FUNCREF, code, m.Active(0, (const(addrtype.numtype, 0),)), 0))
        made.elems.append(m.Elem(FUNCREF, (*code[:2], (ins("ref.null", AbsHeapType.FUNC),)), m.Passive(), 0))
