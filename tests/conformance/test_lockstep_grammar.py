"""Generated modules: valid, terminating, made of nearly all instructions; and written as they are read."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields, is_dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.fuzz.corpus import load_corpus
from conformance.fuzz.determinism import instructions
from conformance.lockstep.cases import Source, case_name, make_case, source_of
from conformance.lockstep.choices import Choices
from conformance.lockstep.compare import LIMITS
from conformance.lockstep.encode import EncodeError, encode, sleb
from conformance.lockstep.engines import load
from conformance.lockstep.grammar import generate
from conformance.lockstep.grammar.constants import FLOATS, constant, integer
from conformance.lockstep.run import Binary, Call, Run, callable_exports
from conformance.lockstep.strategy import modules
from interp.binary.modules import decode
from interp.binary.reader import StrictReader
from interp.execution.values import fbits
from interp.syntax import modules as m
from interp.syntax.instructions import OPS, Imm, Instr
from interp.syntax.types import F32, F64, FUNCREF, I32, I64, V128, GlobalType, RefType, ValType, functype_deftype
from interp.validation.modules import validate

SEED = 2026
MODULES = 2000


def plain(x: Any) -> Any:
    """What a part of a module says, without offsets and custom sections, so that it can be compared."""
    if isinstance(x, Instr):
        return x.op.mnemonic, plain(x.immediates)
    if isinstance(x, m.Func):
        return x.typeidx, plain(x.locals), plain(x.body)
    if isinstance(x, tuple):
        return tuple(map(plain, x))
    if isinstance(x, float):
        return fbits(32, x), fbits(64, x)
    kept_offset = isinstance(x, m.Active)
    if is_dataclass(x) and not isinstance(x, type) and type(x).__module__ == m.__name__:
        return [plain(getattr(x, f.name)) for f in fields(x) if kept_offset or f.name not in ("offset", "customs")]
    return x


@pytest.fixture(scope="module")
def wasmtime() -> Any:
    return load("wasmtime")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(modules())
def test_drawn_modules_are_valid_here_and_on_wasmtime(wasmtime: Any, module: m.Module) -> None:
    wasm = encode(module)
    validate(decode(wasm))
    wasmtime.compile(wasm)


@pytest.mark.parametrize("below", [lambda n: 0, lambda n: n - 1, lambda n: n // 2], ids=["first", "last", "middle"])
def test_any_source_of_choices_gives_a_valid_module(below: Any) -> None:
    validate(decode(encode(generate(Choices(below)))))


def test_nearly_all_instructions_are_used() -> None:
    used: Counter[str] = Counter()
    sizes = []
    for index in range(MODULES):
        found = [
            instr.op.mnemonic
            for func in generate(Choices.seeded(SEED, index)).funcs
            for instr in instructions(func.body)
        ]
        used.update(found)
        sizes.append(len(found))
    missing = sorted({op.mnemonic for op in OPS} - set(used))
    assert len(missing) <= len(OPS) * 5 // 100, missing
    assert 50 < sum(sizes) / MODULES < 300, "small on average"
    assert max(sizes) > 500, "but some are long"


def test_deep_nesting_is_used() -> None:
    def depth(code: Any) -> int:
        return max((1 + max(map(depth, instr.bodies)) for instr in code if instr.bodies), default=0)

    depths = [max(depth(func.body) for func in generate(Choices.seeded(SEED, index)).funcs) for index in range(300)]
    assert sum(deepest > 20 for deepest in depths) > 5, "beyond what CPython can nest"


def test_a_module_follows_from_its_seed(tmp_path: Path) -> None:
    for source in (Source.GENERATED, Source.SMITH, Source.BOTH):
        assert make_case(source, 1, 3, tmp_path) == make_case(source, 1, 3, tmp_path)
        assert make_case(source, 1, 3, tmp_path).wasm != make_case(source, 2, 3, tmp_path).wasm
    assert {source_of(Source.BOTH, index) for index in range(20)} == {Source.GENERATED, Source.SMITH}
    assert make_case(Source.BOTH, 1, 0, tmp_path).seed == case_name(Source.BOTH, 1, 0) == "generated-1-0"


def test_most_calls_end_with_values_and_hardly_any_without_end() -> None:
    kinds: Counter[str] = Counter()
    engine = load("reference")
    for index in range(150):
        wasm = encode(generate(Choices.seeded(SEED, index)))
        run = Run(engine, Binary.of(validate(decode(wasm)), wasm), LIMITS)
        run.instantiate()
        for name in callable_exports(engine.compile(wasm).exports):
            kinds[run.call(Call(name, f"{index}")).kind] += 1
    assert kinds["values"] > kinds.total() * 0.6, kinds
    assert kinds["trap"] > kinds.total() * 0.05, kinds
    assert kinds["exhaustion"] < kinds.total() * 0.02, kinds
    assert kinds["error"] == 0


def test_modules_are_written_as_they_are_read(tmp_path: Path) -> None:
    found = list(load_corpus(None).valid)
    found += [make_case(Source.BOTH, SEED, index, tmp_path).wasm for index in range(80)]
    for wasm in found:
        module = decode(wasm)
        assert plain(decode(encode(module))) == plain(module)


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers_are_read_as_they_are_written(value: int) -> None:
    written = sleb(value)
    reader = StrictReader(written)
    assert reader.read_int(64) == value
    assert reader.pos == len(written)


def test_closed_types_are_not_written() -> None:
    closed = RefType(True, functype_deftype(validate(m.Module()).context.blocktype(None)))
    for t in (closed, RefType(False, functype_deftype(validate(m.Module()).context.blocktype(None)))):
        with pytest.raises(EncodeError):
            encode(m.Module(globals=(m.Global(GlobalType(False, t), (), 0),)))


def test_every_kind_of_immediate_can_be_written() -> None:
    from conformance.lockstep.encode import IMMEDIATES

    assert set(IMMEDIATES) == set(Imm)


@pytest.mark.parametrize("t", [I32, I64, F32, F64, V128])
def test_constants_are_in_range(t: ValType) -> None:
    c = Choices.seeded(SEED)
    for _ in range(500):
        value = constant(c, t)
        if t in (F32, F64):
            assert isinstance(value, float)
        else:
            assert 0 <= value < 1 << (128 if t is V128 else int(str(t)[1:]))


def test_constants_hold_what_is_worth_trying() -> None:
    for N, patterns in FLOATS.items():
        assert len(set(patterns)) > 25
        assert all(0 <= bits < 1 << N for bits in patterns)
    c = Choices.seeded(SEED)
    found = {integer(c, 32) for _ in range(3000)}
    assert found >= {0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0xFF, 0x10000}
    with pytest.raises(TypeError):
        constant(c, FUNCREF)


@given(st.integers(1, 1000), st.randoms(use_true_random=False))
def test_choices_stay_in_range(n: int, random: Random) -> None:
    c = Choices(random.randrange)
    assert c.pick(range(n)) in range(n)
    assert 5 <= c.between(5, 5 + n) <= 5 + n
    assert c.weighted(((n, "a"), (1, "b"))) in "ab"
    assert not Choices(lambda _: 0).chance(99)
    assert Choices(lambda n: n - 1).chance(1)
