"""What the tests of the compiled engine share: terms with a text and a meaning, and ways to run modules on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import inf
from typing import Any

from hypothesis import strategies as st

from interp.compiled.machine import CompiledMachine
from interp.engine import Engine, Limits, load_engine
from interp.engines.compiled import create
from interp.engines.embedding import PureStore
from interp.errors import Exhaustion, Trap, UncaughtException
from interp.execution.values import fbits, inv_fbits
from interp.syntax.instructions import BY_MNEMONIC
from interp.syntax.types import F32, F64, I32, I64, V128, ValType
from tests_support import parse

WIDTH: dict[ValType, int] = {I32: 32, I64: 64, F32: 32, F64: 64, V128: 128}
FLOATS = (F32, F64)

# ---- Values as bit patterns.


def from_bits(t: ValType, bits: int) -> Any:
    """A bit pattern as a value of a type."""
    return inv_fbits(WIDTH[t], bits) if t in FLOATS else bits


def to_bits(t: ValType, value: Any) -> int:
    """The bit pattern of a value, whose sign an engine may have shown."""
    return fbits(WIDTH[t], value) if t in FLOATS else value % (1 << WIDTH[t])


def edges(t: ValType) -> list[int]:
    """Bit patterns around everything that code might treat differently."""
    N = WIDTH[t]
    if t in FLOATS:
        infinity, quiet, least = (0x7F800000, 0x7FC00000, 1 << 23) if N == 32 else (0x7FF << 52, 0xFFF << 51, 1 << 52)
        found = {0, 1, least - 1, least, infinity - 1, infinity, infinity + 1, quiet, quiet + 5, (1 << (N - 1)) - 1}
        for x in (0.5, 1.0, 1.5, 2.5, 0.1, 7.0, 2.0**31, 2.0**32, 2.0**52, 2.0**63, 2.0**64, 8388609.0, 3e38):
            found |= {fbits(N, x) - 1, fbits(N, x), fbits(N, x) + 1}
        return sorted(bits | sign for bits in found for sign in (0, 1 << (N - 1)))
    if t is V128:
        return [0, 1, (1 << 128) - 1, 0x80 << 120, 0x0123456789ABCDEF_FEDCBA9876543210, 0x8000_7FFF_00FF_FF00 << 30]
    powers = (0, 1, 3, 4, 7, 8, 15, 16, 20, 29, 30, 31, 32, 53, 62, 63)
    near = [(sign << k) + d for k in powers for sign in (1, -1) for d in (-1, 0, 1)]
    return sorted({i % (1 << N) for i in (*near, N, N - 1, N + 1, 0xDEADBEEF, 0x5A5A5A5A5A5A5A5A)})


EDGES = {t: edges(t) for t in WIDTH}


def patterns(t: ValType) -> st.SearchStrategy[int]:
    """Bit patterns of a type: edges, small numbers, anything."""
    N = WIDTH[t]
    return st.sampled_from(EDGES[t]) | st.integers(0, 300) | st.integers(0, (1 << N) - 1)


# ---- Terms: expressions with a text and a meaning by the numerics.

Meaning = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Term:
    """An expression of some parameters: its text, and its value for values of theirs (or a Trap)."""

    type: ValType
    text: str
    value: Meaning
    operands: tuple[Term, ...] = ()

    def __repr__(self) -> str:
        return self.text


def param(k: int, t: ValType) -> Term:
    """A parameter."""
    return Term(t, f"(local.get {k})", lambda args: args[k])


def float_text(t: ValType, bits: int) -> str:
    """A float as the text format writes it."""
    N = WIDTH[t]
    z = inv_fbits(N, bits)
    if z == z:  # noqa: PLR0124 (false for a NaN)
        return {inf: "inf", -inf: "-inf"}.get(z, z.hex())
    payload = bits % (1 << (23 if N == 32 else 52))
    return f"{'-' if bits >> (N - 1) else ''}nan:{payload:#x}"


def constant(t: ValType, bits: int) -> Term:
    """A constant."""
    value = from_bits(t, bits)
    shown = float_text(t, bits) if t in FLOATS else str(bits)
    if t is V128:
        shown = f"i64x2 {bits % (1 << 64)} {bits >> 64}"
    return Term(t, f"({t}.const {shown})", lambda _: value)


def apply(mnemonic: str, *operands: Term, immediates: tuple[int, ...] = (), result: ValType | None = None) -> Term:
    """An instruction whose meaning is a numerics function, applied."""
    op = BY_MNEMONIC[mnemonic]
    sem, params = op.sem, op.params
    assert sem is not None
    before: tuple[Any, ...] = (immediates,) if op.kind == "vshuffle" else immediates
    if result is None:
        assert op.type is not None
        (result,) = op.type.results
    text = f"({' '.join([mnemonic, *map(str, immediates), *[operand.text for operand in operands]])})"
    return Term(
        result, text, lambda args: sem(*params, *before, *[operand.value(args) for operand in operands]), operands
    )


def select(condition: Term, a: Term, b: Term) -> Term:
    """A choice; all its operands are evaluated."""

    def value(args: Sequence[Any]) -> Any:
        first, second, holds = [term.value(args) for term in (a, b, condition)]
        return first if holds else second

    return Term(a.type, f"(select {a.text} {b.text} {condition.text})", value, (a, b, condition))


def func(name: str, params: Sequence[ValType], body: Term) -> str:
    """An exported function that gives a term."""
    return f'(func (export "{name}") (param {" ".join(map(str, params))}) (result {body.type}) {body.text})'


def subterms(term: Term) -> Iterator[Term]:
    """A term and all that it is made of, the larger ones first."""
    found = [term]
    for each in found:
        found += each.operands
    return iter(sorted(found, key=lambda each: -len(each.text)))


def expected(term: Term, args: Sequence[int]) -> Any:
    """What a call gives that gives a term: its bit pattern as a tuple, or the kind of the trap. `args` are values."""
    try:
        return (to_bits(term.type, term.value(args)),)
    except Trap as trap:
        return trap.kind


# ---- Running.


@cache
def engine_of(name: str) -> Engine:
    """An engine, loaded once; what it compiles is kept by nobody, so that all tests see the code of today."""
    return create(cache=False) if name == "compiled" else load_engine(name)


def store_of(name: str, limits: Limits = Limits(), **options: bool) -> PureStore:  # noqa: B008 — frozen
    """A store of a pure engine; `options` are what code of the compiled engine counts or relies on."""
    store = engine_of(name).store(limits)
    assert isinstance(store, PureStore)
    if options and isinstance(store.runner, CompiledMachine):
        store.runner.options = replace(store.runner.options, **options)
    return store


def exports_of(name: str, text: str, limits: Limits = Limits(), **options: bool) -> Any:  # noqa: B008 — frozen
    """The exports of an instance of a module without imports."""
    return store_of(name, limits, **options).instantiate(compiled(name, text), []).exports


@cache
def compiled(name: str, text: str) -> Any:
    """A module, decoded and validated once for each engine."""
    return engine_of(name).compile(parse(text))


def check_terms(some: Sequence[Term], params: Sequence[ValType], operands: Sequence[Sequence[int]]) -> None:
    """Functions that give these terms do so on the compiled engine, for all these operands; what fails is shown by the
    smallest term in it that does."""
    exports = exports_of("compiled", module_of(some, params))
    for k, term in enumerate(some):
        for bits in operands:
            values = [from_bits(t, b) for t, b in zip(params, bits, strict=True)]
            if outcome(exports[str(k)], *values) != expected(term, values):
                parts = list(subterms(term))
                exports = exports_of("compiled", module_of(parts, params))
                found = [
                    (outcome(exports[str(n)], *values), expected(part, values), part) for n, part in enumerate(parts)
                ]
                raise AssertionError(next((each for each in found[::-1] if each[0] != each[1]), term), values)


def module_of(some: Sequence[Term], params: Sequence[ValType]) -> str:
    """A module with a function for each term, named by its number."""
    return f"(module {' '.join([func(str(k), params, term) for k, term in enumerate(some)])})"


def outcome(function: Any, *args: Any) -> Any:
    """What a call gives, with bits instead of values: a tuple of results, or the kind of what ended it."""
    try:
        results = function(*args)
    except Trap as trap:
        return trap.kind
    except Exhaustion as error:
        return error.what
    except UncaughtException:
        return "exception"
    types = function.type.results
    values = results if len(types) > 1 else (results,) * len(types)
    return tuple([to_bits(t, v) if t in WIDTH else v for t, v in zip(types, values, strict=True)])


def assert_same(text: str, calls: Sequence[tuple[Any, ...]], limits: Limits = Limits(), **options: bool) -> list[Any]:  # noqa: B008
    """The calls, one after the other, of one instance on the reference machine and one on the compiled engine end the
    same way; what they gave."""
    reference, ours = exports_of("reference", text, limits), exports_of("compiled", text, limits, **options)
    found = []
    for name, *args in calls:
        outcomes = [outcome(exports[name], *args) for exports in (reference, ours)]
        assert outcomes[0] == outcomes[1], (name, args)
        found.append(outcomes[0])
    memories = [exports["memory"] for exports in (reference, ours) if "memory" in exports]
    assert len({memory.read(0, memory.size << 16) for memory in memories}) <= 1
    return found
