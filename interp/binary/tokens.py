"""Instructions of the binary format as a regular language (specification 5.4), made of the rows of the instruction
table: regular expressions that cut code into tokens, the bytes of one instruction each, far faster than it is read.

A token is an instruction without what a block holds, an `else` or an `end`. The expressions know what compilers write;
what they do not know (long vectors, mostly) is left to the reader, which knows all. What they match, the reader reads
to the same byte. They match in one way only and in linear time, whatever the bytes are.

Spec: binary/instructions
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from re import DOTALL, Pattern
from re import compile as regex

from interp.binary.instructions import EMPTY_BLOCKTYPE, MEMIDX_FLAG
from interp.binary.reader import HEAPTYPES, LONG, REF, REF_NULL, VALTYPE_FEATURES, VALTYPES
from interp.syntax import features as f
from interp.syntax.instructions import BLOCKS, ELSE, END, OPS, Imm, Op

MAX_LABELS = 127
"""Labels of a br_table, besides the default one, that are a token; their count is one byte."""
MAX_CLAUSES = 7
"""Catch clauses of a try_table that is a token."""
GRAMMAR_PAYS = 16 * 1024
"""Bytes of code that are read in the time in which a grammar is made."""
TOKENS_PAY = 4 * 1024
"""Bytes of code that a module must have, so that its instructions come again often enough for tokens to be of use."""

END_TOKEN, ELSE_TOKEN = bytes([END]), bytes([ELSE])
IF_OPCODE = bytes([op.opcode for op in BLOCKS if op.kind == "if" and isinstance(op.opcode, int)])


@dataclass(frozen=True, slots=True)
class Grammar:
    """`token` matches a token. `control` matches tokens that do not nest and captures the token behind them, one that
    does; where there is none that it knows, it matches all the rest and captures nothing."""

    token: Pattern[bytes]
    control: Pattern[bytes]


def one_of(codes: Iterable[int]) -> bytes:
    """One byte out of several."""
    ranges: list[list[int]] = []
    for code in sorted(codes):
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return b"[%s]" % b"".join(b"\\x%02x-\\x%02x" % (first, last) for first, last in ranges)


def either(*choices: bytes) -> bytes:
    """One of several choices, of which at most one matches."""
    return b"(?:%s)" % b"|".join(choices)


def leb(N: int, *last: tuple[int, int], short: tuple[int, int] = (0, 0x7F)) -> bytes:
    """LEB128 of at most N bits: bytes from 0x80 on and one of the range `short`, or as many as there may be and one of
    the ranges `last`.  Spec: binary/values#integers"""
    longest = -(-N // 7) - 1
    end = one_of(code for first, final in last for code in range(first, final + 1))
    one = one_of(range(short[0], short[1] + 1))
    return either(one, b"[\\x80-\\xff]{1,%d}%s" % (longest - 1, one), b"[\\x80-\\xff]{%d}%s" % (longest, end))


def uint(N: int) -> bytes:
    """uN, 32 or 64."""
    return leb(N, (0, (1 << N % 7) - 1))


def sint(N: int) -> bytes:
    """sN, 32 or 64."""
    return leb(N, (0, (1 << N % 7 - 1) - 1), (0x80 - (1 << N % 7 - 1), 0x7F))


INDEX = uint(32)
SMALL = b"[\\x00-\\x7f]"
"""An index of one byte, as labels are."""
TYPE_INDEX = leb(33, (0, 0x0F), short=(0, 0x3F))
"""A positive s33."""


def immediates(features: frozenset[str]) -> dict[Imm, bytes]:
    """How immediates are written, by kind; as `InstrReader` reads them."""

    def selected(codes: Iterable[int]) -> list[int]:
        return [code for code in codes if VALTYPE_FEATURES.get(code, f.GC) in features]

    heaptype = [one_of(selected(HEAPTYPES))] if selected(HEAPTYPES) else []
    valtype = [one_of(selected(VALTYPES))]
    offset = uint(64 if f.MEMORY64 in features else 32)
    memarg = [one_of(range(MEMIDX_FLAG)) + offset]
    if f.FUNCTION_REFERENCES in features:
        heaptype.append(TYPE_INDEX)
        valtype.append(one_of([REF, REF_NULL]) + either(*heaptype))
    if f.MULTI_MEMORY in features:
        memarg.append(one_of(range(MEMIDX_FLAG, 2 * MEMIDX_FLAG)) + INDEX + offset)
    blocktype = [one_of([EMPTY_BLOCKTYPE]), *valtype, *([TYPE_INDEX] if f.MULTI_VALUE in features else [])]
    catch = either(b"[\\x00\\x01]%s%s" % (SMALL, SMALL), b"[\\x02\\x03]" + SMALL)
    return {
        **dict.fromkeys(Imm, INDEX),
        Imm.BLOCKTYPE: either(*blocktype),
        Imm.LABELIDX_LIST: counted(SMALL, MAX_LABELS),
        Imm.TABLEIDX: INDEX if f.REFERENCE_TYPES in features else b"\\x00",
        Imm.MEMIDX: INDEX if f.MULTI_MEMORY in features else b"\\x00",
        Imm.VALTYPE_LIST: b"\\x01" + either(*valtype),
        Imm.HEAPTYPE: either(*heaptype) if heaptype else b"(?!)",
        Imm.MEMARG: either(*memarg),
        Imm.I32: sint(32),
        Imm.I64: sint(64),
        Imm.F32: b"....",
        Imm.F64: b"........",
        Imm.V128: b".{16}",
        Imm.LANEIDX: b".",
        Imm.LANEIDX_16: b".{16}",
        Imm.CATCH_LIST: counted(catch, MAX_CLAUSES),
        Imm.CASTOP: b"[\\x00-\\x03]",
    }


def counted(element: bytes, most: int) -> bytes:
    """A vector of at most so many elements.  Spec: binary/conventions#vectors"""
    return either(*(b"\\x%02x%s{%d}" % (count, element, count) for count in range(most + 1)))


def opcodes(ops: Iterable[Op]) -> list[bytes]:
    """The opcodes of some rows; numbers behind a prefix are at their shortest."""
    alike: dict[tuple[bytes, bytes], list[int]] = defaultdict(list)
    for op in ops:
        prefix, number = (b"", op.opcode) if isinstance(op.opcode, int) else (one_of(op.opcode[:1]), op.opcode[1])
        if prefix and number >= LONG:
            alike[prefix, one_of([number // LONG])].append(number % LONG + LONG)
        else:
            alike[prefix, b""].append(number)
    return [prefix + one_of(codes) + rest for (prefix, rest), codes in alike.items()]


def alternatives(ops: Iterable[Op], features: frozenset[str]) -> list[bytes]:
    """Patterns that together match the tokens of some rows, the most frequent first: those with an index, those without
    immediates, constants, loads and stores, all of these without a prefix."""
    written = immediates(features)
    alike: dict[tuple[bool, bytes], list[Op]] = {}
    for pattern in (INDEX, b"", written[Imm.I32], written[Imm.MEMARG]):
        alike[False, pattern] = []
    for op in ops:
        key = isinstance(op.opcode, tuple), b"".join([written[imm] for imm in op.immediates])
        alike.setdefault(key, []).append(op)
    ordered = sorted(alike.items(), key=lambda item: item[0][0])
    return [opcode + pattern for (_, pattern), group in ordered for opcode in opcodes(group)]


class Language:
    """The code of modules with the same features, with or without a data count section."""

    def __init__(self, features: frozenset[str], has_data_count: bool) -> None:
        self._features, self._has_data_count = features, has_data_count
        self._bytes = 0
        self._grammar: Grammar | None = None

    def grammar(self, size: int) -> Grammar | None:
        """The grammar, for `size` bytes of code to be read; None until so many have come in all that it pays."""
        self._bytes += size
        if self._grammar is None and self._bytes >= GRAMMAR_PAYS:
            self._grammar = grammar(self._features, self._has_data_count)
        return self._grammar


@lru_cache(maxsize=64)
def language(features: frozenset[str], has_data_count: bool) -> Language:
    """The same language for the same arguments."""
    return Language(features, has_data_count)


def grammar(features: frozenset[str], has_data_count: bool) -> Grammar:
    """The tokens with no more than the features, in a module with or without a data count section; without one, an
    instruction that needs it is no token."""
    ops = [op for op in OPS if op.since in features and (has_data_count or Imm.DATAIDX not in op.immediates)]
    plain = alternatives([op for op in ops if op not in BLOCKS], features)
    nesting = [one_of([END, ELSE]), *alternatives([op for op in ops if op in BLOCKS], features)]
    token = regex(b"|".join([*plain[:3], *nesting, *plain[3:]]), DOTALL)
    control = regex(b"(?:%s)*+(%s)|.+" % (b"|".join(plain), b"|".join(nesting)), DOTALL)
    return Grammar(token, control)


def is_expression(known: Grammar, data: bytes, start: int, stop: int) -> bool:
    """Whether `data[start:stop]` is an expression to its `end`, all in tokens that are known.

    Spec: binary/instructions#expressions
    """
    may_turn: list[bool] = []  # for every open block, whether an `else` may follow
    tokens = iter(known.control.findall(data, start, stop))
    for token in tokens:
        if token == END_TOKEN:
            if not may_turn:
                return next(tokens, None) is None
            may_turn.pop()
        elif token == ELSE_TOKEN:
            if not may_turn or not may_turn.pop():
                return False
            may_turn.append(False)
        elif token:
            may_turn.append(token[:1] == IF_OPCODE)
        else:
            return False
    return False
