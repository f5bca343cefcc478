"""Module instances as namespaces in which generated code runs.

A name in generated code says what it is by its letters and numbers; it is looked up when the first function that uses
it is linked. A function is linked at its first call: until then its place is held by another one, which afterwards puts
the function itself wherever it was put.

Spec: exec/runtime#module-instances
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from functools import cache, partial
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from interp.compiled.bulk import BULK
from interp.compiled.memories import calls_of, checked_callee, loader, storer, views_of
from interp.compiled.names import resolve
from interp.compiled.traps import UNIT, Thrown
from interp.compiled.units import Units
from interp.errors import Exhaustion, ExhaustionKind, Trap, TrapKind
from interp.execution.runtime import ExnInst, FuncInst, ModuleInst, TableInst
from interp.syntax.types import AbsHeapType, RefType

if TYPE_CHECKING:
    from interp.compiled.machine import CompiledMachine

NAME = re.compile(r"([a-z_]+?)(?:(\d+)(?:_(\d+))?([a-zA-Z]?))?")
"""Letters, one or two indices, and for views of memory their format."""


class Tail:
    """What a function leaves with that ends in a call: whom its caller is to call in its place."""

    __slots__ = ("args", "func")

    def __init__(self, func: FuncInst, args: tuple[Any, ...]) -> None:
        self.func = func
        self.args = args


MAX_DIRECT = 6
"""Arguments of a call at the end of a function that Python passes without a call of its own in C."""


def trampoline(inner: Callable[..., Any], n: int) -> Callable[..., Any]:
    """A function of n parameters that makes the calls that `inner` ends in, one after the other."""
    call: Callable[..., Any] = template(TRAMPOLINE, n)(inner, Tail, call_tail)
    return call


def call_tail(tail: Tail) -> Any:
    """Make one call that a function ended in. Written so that Python calls code from code without using C's stack, as
    far as possible."""
    func, args = tail.func, tail.args
    if hasattr(func.prepared, "places"):
        func.prepared.link()
    function = func.tail or func.prepared
    match len(args):
        case 0:
            return function()
        case 1:
            return function(args[0])
        case 2:
            return function(args[0], args[1])
        case 3:
            return function(args[0], args[1], args[2])
    return function(*args)


TRAMPOLINE = """
def make(inner, Tail, call_tail):
    def call({params}):
        result = inner({params})
        while type(result) is Tail:
            result = call_tail(result)
        return result
    return call
"""

LAZY = """
def make(link):
    def lazy({params}):
        return link()({params})
    return lazy
"""


def lazy_of_none(link: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """What LAZY makes for no parameters; like those for some more, it is here because that takes no time."""

    def lazy() -> Any:
        return link()()

    return lazy


def lazy_of_one(link: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """For one."""

    def lazy(a0: Any) -> Any:
        return link()(a0)

    return lazy


def lazy_of_two(link: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """For two."""

    def lazy(a0: Any, a1: Any) -> Any:
        return link()(a0, a1)

    return lazy


def lazy_of_three(link: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """For three."""

    def lazy(a0: Any, a1: Any, a2: Any) -> Any:
        return link()(a0, a1, a2)

    return lazy


LAZIES = (lazy_of_none, lazy_of_one, lazy_of_two, lazy_of_three)
"""By number of parameters."""


@cache
def template(source: str, n: int) -> Callable[..., Any]:
    """The function `make` of a source, with n parameters filled in."""
    scope: dict[str, Any] = {}
    params = ", ".join([f"a{index}" for index in range(n)])
    exec(compile(source.replace("{params}", params), "<wasm call>", "exec"), scope)  # noqa: S102 — of this file alone
    make: Callable[..., Any] = scope["make"]
    return make


def lazy_function(instance: LinkedInstance, func: FuncInst) -> Callable[..., Any]:
    """Stands for a function that was not called yet; its attribute `places` holds the containers and keys where it was
    put."""

    def link() -> Callable[..., Any]:
        if func.prepared is lazy:
            instance.link(func)
        prepared: Callable[..., Any] = func.prepared
        return prepared

    n = len(func.type.params)
    lazy: Any = (LAZIES[n] if n < len(LAZIES) else template(LAZY, n))(link)
    lazy.places, lazy.link = [], link
    function: Callable[..., Any] = lazy
    return function


class LinkedInstance:
    """The namespace of a module instance, and what finds the names in it."""

    def __init__(self, machine: CompiledMachine, moduleinst: ModuleInst, units: Units) -> None:
        self.machine = machine
        self.moduleinst = moduleinst
        self.units = units
        self.context = units.valid.context
        floats, doubles = array("f", [0.0]), array("d", [0.0])
        self.namespace: dict[str, Any] = {
            "__builtins__": {}, UNIT: self, "meter": machine.store.meter, "Thrown": Thrown, "Tail": Tail,
            "F": memoryview(floats), "D": memoryview(doubles), "DQ": memoryview(doubles).cast("B").cast("Q"),
            "unreachable": partial(Trap, TrapKind.UNREACHABLE), "thrown": thrown, "non_null": non_null,
            "memory_out_of_bounds": partial(Trap, TrapKind.MEMORY_OUT_OF_BOUNDS),
            "null_reference": partial(Trap, TrapKind.NULL_REFERENCE),
            "cast_failure": partial(Trap, TrapKind.CAST_FAILURE),
            "call_stack": partial(Exhaustion, ExhaustionKind.CALL_STACK),
            "max_depth": machine.store.meter.limits.max_call_depth,
        }  # fmt: skip
        machine.ticks.attach(self.namespace)
        first = sum(func.module is not moduleinst for func in moduleinst.funcs)
        for func in moduleinst.funcs[first:]:
            func.prepared = lazy_function(self, func)

    def offsets(self, code: CodeType) -> tuple[int, ...]:
        """The byte offsets of the lines of a function."""
        return self.units.unit(int(code.co_name[1:]), self.machine.options_of(self.moduleinst)).offsets

    def link(self, func: FuncInst) -> None:
        """Make a function and put it wherever it is waited for."""
        unit = self.units.unit(func.funcidx, self.machine.options_of(self.moduleinst))
        self.provide(unit.code)
        function = FunctionType(unit.code, self.namespace, unit.code.co_name)
        lazy = func.prepared
        if unit.tail_calls:
            func.tail = function
            func.prepared = trampoline(function, len(func.type.params))
        else:
            func.prepared = function
        for container, key in lazy.places:
            if container[key] is lazy:
                container[key] = func.prepared

    def provide(self, code: CodeType) -> None:
        """Give code the names that it uses and that are not there yet."""
        for name in code.co_names:
            if name not in self.namespace and name not in ATTRIBUTES:
                self.namespace[name] = self.find(name)

    def find(self, name: str) -> Any:
        """What a name stands for."""
        known = resolve(name)
        if known is not None:
            return known
        match = NAME.fullmatch(name)
        if match is None:
            return self.abstract_reftype(name)
        kind, first, second, letter = match.groups()
        bulk = BULK.get(kind)
        if bulk is not None:
            function, indices = bulk
            immediates = (int(first or 0), int(second or 0))[:indices]
            return partial(function, self.machine.store, self.moduleinst, *immediates)
        return FINDERS[kind](self, name, int(first), int(second or 0), letter)

    # ---- By kind of name.

    def function(self, name: str, x: int, _: int, __: str) -> Any:
        """f: what to call for a function of the module."""
        prepared = self.moduleinst.funcs[x].prepared
        places = getattr(prepared, "places", None)
        if places is not None:
            places.append((self.namespace, name))
        return prepared

    def funcinst(self, name: str, x: int, _: int, __: str) -> FuncInst:
        """ref: a function as a reference."""
        return self.moduleinst.funcs[x]

    def globalinst(self, name: str, x: int, _: int, __: str) -> Any:
        """g: a global"""
        return self.moduleinst.globals[x]

    def memory(self, name: str, x: int, start: int, letter: str) -> Any:
        """m: the bytes of a memory, or a view of them that begins at an address."""
        mem = self.moduleinst.mems[x]
        return views_of(mem).use((letter, start, False), self.namespace, name) if letter else mem.bytes

    def addresses(self, name: str, x: int, start: int, letter: str) -> Any:
        """a: a view of a memory that begins at an address, and whose indices are addresses."""
        return views_of(self.moduleinst.mems[x]).use((letter, start, True), self.namespace, name)

    def calls(self, name: str, x: int, y: int, _: str) -> list[Any]:
        """c: what to call by the elements of table x if they have type y."""
        return calls_of(self.moduleinst.tables[x]).of(self.context.types[y])

    def callee(self, name: str, x: int, y: int, _: str) -> Callable[[int], FuncInst]:
        """callee: a function of type y in table x."""
        table: TableInst = self.moduleinst.tables[x]
        return partial(checked_callee, table, self.context.types[y])

    def loader(self, name: str, x: int, _: int, letter: str) -> Callable[..., Any]:
        """ld: what reads from a memory at any address."""
        return loader(self.moduleinst.mems[x], letter)

    def storer(self, name: str, x: int, _: int, letter: str) -> Callable[..., None]:
        """st: what writes to a memory at any address."""
        return storer(self.moduleinst.mems[x], letter)

    def tag(self, name: str, x: int, _: int, __: str) -> Any:
        """tag: a tag"""
        return self.moduleinst.tags[x]

    def deftype(self, name: str, x: int, _: int, __: str) -> Any:
        """type: a defined type"""
        return self.context.types[x]

    def reftype(self, name: str, null: int, x: int, _: str) -> RefType:
        """rt_: a reference type by a type index."""
        return RefType(bool(null), self.context.types[x])

    def abstract_reftype(self, name: str) -> RefType:
        """rt_: a reference type by the name of an abstract heap type."""
        _, null, heaptype = name.split("_")
        return RefType(bool(int(null)), AbsHeapType(heaptype))


def thrown(exn: ExnInst | None) -> Thrown:
    """What throw_ref raises.  Raises Trap for null."""
    if exn is None:
        raise Trap(TrapKind.NULL_EXCEPTION_REFERENCE)
    return Thrown(exn)


def non_null(func: FuncInst | None) -> FuncInst:
    """The function of return_call_ref.  Raises Trap for null."""
    if func is None:
        raise Trap(TrapKind.NULL_FUNCTION_REFERENCE)
    return func


ATTRIBUTES = frozenset(
    {"value", "fields", "prepared", "tag", "exn", "depth", "entered", "bit_length", "bit_count", "bulk", "moved"}
)
"""Names in generated code that are attributes."""

Finder = Callable[[LinkedInstance, str, int, int, str], Any]


FINDERS: dict[str, Finder] = {
    "f": LinkedInstance.function, "ref": LinkedInstance.funcinst, "g": LinkedInstance.globalinst,
    "m": LinkedInstance.memory, "a": LinkedInstance.addresses, "c": LinkedInstance.calls,
    "callee": LinkedInstance.callee,
    "ld": LinkedInstance.loader, "st": LinkedInstance.storer, "tag": LinkedInstance.tag,
    "type": LinkedInstance.deftype, "rt_": LinkedInstance.reftype,
}  # fmt: skip
