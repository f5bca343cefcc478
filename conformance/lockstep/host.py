"""The host's side of a module that is run in lock step: functions that give every engine the same, and note how they
were called.

What a function returns follows from its arguments and from how many calls there were before. A few, by their names
(`grammar.plan.HOSTS`), act on the instance: they grow or write its memory, set a global, call back, or raise an
exception of the host's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from conformance.lockstep.choices import Choices
from conformance.lockstep.grammar.constants import constant
from conformance.lockstep.values import Shown
from interp.engine import Extern, Func, Global, Memory
from interp.execution.values import MASK, signed_
from interp.syntax.types import AbsHeapType, FuncType, NumType, RefType, ValType, VecType

MAX_NESTED = 2
"""Host functions that call back while so many already do, do not."""

MULTIPLIER = 0x9E37_79B9_7F4A_7C15
REENTERED = "f0"
"""The export that is called back: the first function of a generated module, which calls nothing through references."""


@dataclass(frozen=True, slots=True)
class HostObject:
    """An object of the host, as `externref` and `anyref` may refer to."""

    number: int


HostCall = tuple[str, tuple[Shown, ...]]
"""A call of a host function: its name, and its arguments as they are shown."""

OBJECTS = (HostObject(1), HostObject(2))


class HostFailureError(Exception):
    """What a host function raises; it must come out of every engine unchanged."""


def argument(c: Choices, t: ValType, exports: Mapping[str, Extern]) -> Any:
    """A value of a type as Python code gives it: numbers worth trying, null, a function of the instance, an object of
    the host. Raises TypeError for references that cannot be null."""
    if isinstance(t, NumType | VecType):
        return constant(c, t)
    if not isinstance(t, RefType) or not t.null:
        raise TypeError(f"no argument of type {t}")
    if t.heaptype in (AbsHeapType.EXTERN, AbsHeapType.ANY) and c.chance(70):
        return c.pick(OBJECTS)
    if t.heaptype is AbsHeapType.FUNC and c.chance(60):
        return exports.get(REENTERED)
    return None


class Host:
    """What a module of one instance imports, whose exported functions have these `signatures`. `calls` notes each call:
    name and arguments, as `show` gives them."""

    def __init__(self, show_value: Callable[[ValType, Any], Shown], signatures: Mapping[str, FuncType]) -> None:
        self.calls: list[HostCall] = []
        self.exports: Mapping[str, Extern] = {}
        self._show = show_value
        self._signatures = signatures
        self._nested = 0
        self._count = 0

    def function(self, name: str, ft: FuncType) -> Callable[..., Any]:
        """The host function that an import of this name gets."""
        special: dict[str, Callable[..., Any]] = {
            "grow": self._grow,
            "poke": self._poke,
            "set": self._set,
            "reenter": self._reenter,
            "fail": _fail,
        }
        act = special.get(name)

        def call(*args: Any) -> Any:
            shown = tuple([self._show(t, arg) for t, arg in zip(ft.params, args, strict=True)])
            self.calls.append((name, shown))
            self._count += 1
            state = self._count
            for each in shown:
                state = (state * MULTIPLIER + (each.bits or 0) + 1) & MASK[64]
            if act is not None:
                acted = act(*args)
                if acted is not None or not ft.results:
                    return acted
            results = self._results(state, ft, args)
            return results if len(results) > 1 else results[0] if results else None

        return call

    def _results(self, state: int, ft: FuncType, args: tuple[Any, ...]) -> tuple[Any, ...]:
        c = Choices(Random(state).randrange)  # noqa: S311 (repeatable, not secret)
        given = {t: arg for t, arg in zip(ft.params, args, strict=True) if isinstance(t, RefType)}
        return tuple([given[t] if t in given else argument(c, t, self.exports) for t in ft.results])

    def _grow(self, _: int) -> int | None:
        memory = self.exports.get("m0")
        if not isinstance(memory, Memory):
            return None
        old = memory.grow(1)
        return -1 if old is None else old

    def _poke(self, addr: int, value: int) -> None:
        memory = self.exports.get("m0")
        if isinstance(memory, Memory) and memory.size:
            memory.write(addr % (memory.size * 65536), bytes([value & 0xFF]))

    def _set(self, value: int) -> None:
        for extern in self.exports.values():
            if isinstance(extern, Global) and extern.type.mut and isinstance(extern.type.valtype, NumType):
                t = extern.type.valtype
                N = int(t.value[1:])
                extern.value = signed_(N, value & MASK[N]) if t.value[0] == "i" else float(value & 0xFFFF)
                return

    def _reenter(self, number: int) -> int | None:
        func = self.exports.get(REENTERED)
        if not isinstance(func, Func) or self._nested >= MAX_NESTED:
            return None
        c = Choices(Random(number).randrange)  # noqa: S311
        try:
            args = [argument(c, t, self.exports) for t in self._signatures[REENTERED].params]
        except TypeError:
            return None
        self._nested += 1
        try:
            results = func(*args)
        finally:
            self._nested -= 1
        types = self._signatures[REENTERED].results
        values = (results,) if len(types) == 1 else results or ()
        shown = [self._show(t, value) for t, value in zip(types, values, strict=True)]
        self.calls.append(("reentered", tuple(shown)))
        return None


def _fail(number: int) -> None:
    if number & 3 == 3:
        raise HostFailureError(str(number))
