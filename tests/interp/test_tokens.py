"""Code in tokens: what the grammar of tokens matches, the reader reads in the same way, and both ways of decoding and
validating give the same modules and the same errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
import typing_cases_control
import typing_cases_data
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typing_cases_modules import SUBTYPING

from conformance.fuzz.code import encoded
from conformance.fuzz.corpus import Corpus, load_corpus
from conformance.fuzz.determinism import instructions
from conformance.fuzz.mutation import mutate
from interp.binary import code, tokens
from interp.binary.code import FuncCode
from interp.binary.instructions import InstrReader
from interp.binary.modules import ModuleReader, decode
from interp.errors import Invalid, Malformed, Rejected
from interp.syntax.features import CORE, VERSION_2, VERSION_3
from interp.syntax.instructions import BLOCKS, BY_MNEMONIC, OPS, Expr, Op
from interp.syntax.modules import Func, Module
from interp.syntax.notation import show_instr
from interp.validation.bodies import Cases
from interp.validation.instructions import expr_ok
from interp.validation.modules import validate
from tests_support import parse

TYPINGS = (*typing_cases_control.CASES, *typing_cases_data.CASES)
FEATURE_SETS = (VERSION_3, VERSION_2, frozenset[str](), VERSION_3 - {"multi-memory"}, VERSION_3 - {"gc"})
Outcome = tuple[str, object, object, object] | None


@contextlib.contextmanager
def tokens_from(size: int) -> Iterator[None]:
    """Tokens are used in modules with so many bytes of code and more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "GRAMMAR_PAYS", size)
        patch.setattr(code, "TOKENS_PAY", size)
        tokens.language.cache_clear()
        try:
            yield
        finally:
            tokens.language.cache_clear()


ALWAYS, NEVER = 0, 1 << 60


@cache
def corpus() -> Corpus:
    """The modules of the repository, and of the cases of all typing rules."""
    return Corpus((*load_corpus(None).valid, *[parse(case.module(case.body)) for case in TYPINGS]))


def mutant(seed: int) -> bytes:
    """A module with something changed."""
    return mutate(Random(seed), corpus())  # noqa: S311 — reproducible, not secret


@cache
def grammar_of(features: frozenset[str]) -> tokens.Grammar:
    return tokens.grammar(features | {CORE}, has_data_count=True)


def error_of(error: Rejected) -> Outcome:
    """All that an error says."""
    if isinstance(error, Invalid):
        return str(error), error.rule, error.function, error.offset
    return str(error), "", error.offset, ""


def outcome(wasm: bytes, lazy: bool = False) -> Outcome:
    """What is wrong with a module."""
    try:
        valid = validate(decode(wasm, lazy=lazy), lazy=lazy)
        for func in valid.module.funcs:
            _ = func.body
    except Rejected as error:
        return error_of(error)
    return None


def shown(expr: Expr) -> list[tuple[int, str, str]]:
    """All that instructions say."""
    return [(i.offset, show_instr(i), repr(i.immediates[: len(i.op.immediates)])) for i in instructions(expr)]


@given(st.sampled_from(OPS), st.binary(max_size=24), st.sampled_from(FEATURE_SETS))
@settings(max_examples=2000, deadline=None)
@example(BY_MNEMONIC["br_table"], b"\x02\x00\x81\x01\x00\x00", VERSION_3)
@example(BY_MNEMONIC["i64.const"], b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", VERSION_3)
@example(BY_MNEMONIC["i64.const"], b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x40", VERSION_3)
@example(BY_MNEMONIC["i32.const"], b"\xff\xff\xff\xff\x08", VERSION_3)
@example(BY_MNEMONIC["local.get"], b"\xff\xff\xff\xff\x10", VERSION_3)
@example(BY_MNEMONIC["block"], b"\x80\x80\x80\x80\x10", VERSION_3)
@example(BY_MNEMONIC["block"], b"\x80\x80\x80\x80\x0f", VERSION_3)
@example(BY_MNEMONIC["block"], b"\x7b", frozenset())
@example(BY_MNEMONIC["i32.load"], b"\x42\x00\x00", VERSION_3)
@example(BY_MNEMONIC["memory.size"], b"\x01", VERSION_2)
@example(BY_MNEMONIC["call_indirect"], b"\x00\x01", frozenset())
def test_what_is_a_token_is_read_to_the_same_byte(op: Op, rest: bytes, features: frozenset[str]) -> None:
    data = encoded(op) + rest
    match = grammar_of(features).token.match(data)
    if match is None:
        return
    reader = InstrReader(data, features)
    found, readers, _ = reader.read_row()
    for read in readers:
        read()
    assert found is op
    assert reader.pos == match.end()


def test_every_instruction_is_a_token_in_its_shortest_form() -> None:
    for op in OPS:
        data = encoded(op) + (b"\1\x7f" if op.mnemonic == "select t" else bytes(40))
        reader = InstrReader(data)
        _, readers, _ = reader.read_row()
        for read in readers:
            read()
        match = grammar_of(VERSION_3).token.match(data)
        assert match is not None, op
        assert match.end() == reader.pos, op


def test_no_instruction_is_a_token_without_its_feature() -> None:
    for op in OPS:
        if op.since != CORE:
            grammar = grammar_of(VERSION_3 - {op.since})
            assert all(grammar.token.match(encoded(op) + rest) is None for rest in (bytes(40), b"\1\x7f")), op


def test_without_a_data_count_no_token_needs_one() -> None:
    grammar = tokens.grammar(VERSION_3 | {CORE}, has_data_count=False)
    assert grammar.token.match(b"\xfc\x09\x00") is None
    assert not tokens.is_expression(grammar, b"\xfc\x09\x00\x0b", 0, 4)


NOT_KNOWN = {
    "a br_table with more labels": f"(func (br_table {'0 ' * (tokens.MAX_LABELS + 2)} (i32.const 0)))",
    "more catch clauses": f"(tag) (func (block (try_table {'(catch 0 0)' * (tokens.MAX_CLAUSES + 1)})))",
}


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_the_grammar_does_not_know_is_read(name: str) -> None:
    with tokens_from(ALWAYS):
        (func,) = validate(decode(parse(f"(module {NOT_KNOWN[name]})"))).module.funcs
    assert func.code is None
    assert func.body


@pytest.mark.parametrize(
    ("body", "is_expression"),
    [
        (b"\x0b", True),
        (b"", False),
        (b"\x01", False),
        (b"\x01\x0b", True),
        (b"\x0b\x01", False),
        (b"\x0b\x0b", False),
        (b"\x05\x0b", False),
        (b"\x02\x40\x0b\x0b", True),
        (b"\x02\x40\x05\x0b\x0b", False),
        (b"\x41\x00\x04\x40\x05\x0b\x0b", True),
        (b"\x41\x00\x04\x40\x05\x05\x0b\x0b", False),
        (b"\x41\x00\x04\x40\x02\x40\x05\x0b\x0b\x0b", False),
        (b"\x02\x40\x0b", False),
        (b"\x06\x0b", False),
    ],
)
def test_expressions_are_told_by_how_they_nest(body: bytes, is_expression: bool) -> None:
    data = b"\x0b" + body + b"\x0b\x0b"
    assert tokens.is_expression(grammar_of(VERSION_3), data, 1, 1 + len(body)) == is_expression


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"\x0b", b"\x05", b"\x02\x40", b"\x04\x40", b"\x01", b"\x20\x80\x00", b"\x06"])))
def test_what_is_an_expression_is_read_as_one(parts: list[bytes]) -> None:
    data = b"".join(parts)
    reader = InstrReader(data)
    try:
        reader.read_expression()
    except Malformed:
        expected = False
    else:
        expected = reader.pos == len(data)
    assert tokens.is_expression(grammar_of(VERSION_3), data, 0, len(data)) == expected


def test_a_grammar_is_made_when_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "GRAMMAR_PAYS", 100)
    language = tokens.Language(VERSION_3 | {CORE}, has_data_count=True)
    assert language.grammar(60) is None
    made = language.grammar(60)
    assert made is not None
    assert language.grammar(0) is made


@pytest.mark.parametrize("lazy", [False, True])
def test_small_modules_are_read_without_tokens(lazy: bool) -> None:
    with tokens_from(ALWAYS), pytest.MonkeyPatch.context() as patch:
        for size, used in ((1000, True), (1100, False)):
            patch.setattr(code, "TOKENS_PAY", size)
            (func,) = decode(parse(f"(module (func {'nop ' * 1050}))"), lazy=lazy).funcs
            assert (func.code is not None and func.code.tokens() is not None) == used
            assert len(func.body) == 1050


def both(wasm: bytes) -> tuple[Module, Module]:
    """The module decoded with tokens and without."""
    with tokens_from(ALWAYS):
        known = decode(wasm)
    with tokens_from(NEVER):
        return known, decode(wasm)


def test_bodies_are_the_same_from_tokens() -> None:
    count = 0
    for wasm in corpus().valid:
        known, read = both(wasm)
        for ours, theirs in zip(known.funcs, read.funcs, strict=True):
            count += ours.code is not None
            assert theirs.code is None
            assert shown(ours.body) == shown(theirs.body)
            assert (ours.typeidx, ours.locals, ours.offset, ours.size) == (
                theirs.typeidx, theirs.locals, theirs.offset, theirs.size
            )  # fmt: skip
    assert count > 100


def verdicts(module: Module, func: Func, cases: Cases) -> tuple[bool, bool]:
    """What is found about a known body from its tokens, and by the rules alone."""
    context = validate(module, lazy=True).context
    ft = context.functype(func.typeidx)
    locals_ = ft.params + tuple([context.close_valtype(t) for t in func.locals])
    assert func.code is not None
    try:
        expr_ok(context, func.body, ft.results, locals_)
    except Invalid:
        return cases.body_ok(func.code, locals_, ft.results), False
    return cases.body_ok(func.code, locals_, ft.results), True


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_tokens_and_rules_agree_about_each_body(seed: int) -> None:
    wasm = mutant(seed)
    with tokens_from(ALWAYS), contextlib.suppress(Rejected):
        module = decode(wasm)
        context = validate(module, lazy=True).context
        for func in module.funcs:
            if func.code is not None:
                found, expected = verdicts(module, func, Cases(context, func.code))
                assert found == expected, (seed, func)


def test_every_typing_rule_refuses_the_same_from_tokens() -> None:
    refused = [case.module(case.refused) for case in TYPINGS if case.refused is not None]
    refused += [case.module(case.not_upper) for case in SUBTYPING]
    for text in refused:
        wasm = parse(text)
        with tokens_from(NEVER):
            expected = outcome(wasm)
        assert expected is not None, text
        with tokens_from(ALWAYS):
            assert outcome(wasm) == expected, text


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_errors_are_the_same_from_tokens(seed: int) -> None:
    wasm = mutant(seed)
    with tokens_from(NEVER):
        expected = outcome(wasm)
    with tokens_from(ALWAYS):
        assert outcome(wasm) == expected


def test_instructions_of_tokens_hold_nothing() -> None:
    body = b"\x00\x41\x01\x04\x40\x05\x0b\x0b"
    with tokens_from(ALWAYS):
        wasm = b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a" + bytes([len(body) + 2, 1, len(body)]) + body
        (func,) = ModuleReader(wasm).read().funcs
    assert isinstance(func.code, FuncCode)
    assert func.code.tokens() == [b"\x41\x01", b"\x04\x40", b"\x05", b"\x0b", b"\x0b"]
    assert func.code.instr(b"\x04\x40").immediates == (None, (), ())
    assert func.code.instr(b"\x04\x40").op in BLOCKS
    for token in (b"\x05", b"\x0b"):
        with pytest.raises(ValueError, match="no instruction"):
            func.code.instr(token)
