"""Modules that are made to be hard to decode or to validate: small ones that mean much, and ones that are just large.

Each is one function of `MODULES`. As a program, this reads names of them from its input (and the bytes of address space
that one may use), decodes and validates each in a process of its own with little memory and time, and prints what came
of it as one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Iterable

from conformance.fuzz.framing import Section, join, join_bodies, uleb
from interp.binary.modules import decode
from interp.errors import Rejected
from interp.validation.modules import validate

MEGABYTE = 1 << 20
ADDRESS_SPACE = 1500 * MEGABYTE
CPU_SECONDS = 40

TYPE, IMPORT, FUNC, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEM, CODE, DATA, DATACOUNT, TAG = range(1, 14)
NO_TYPE = b"\x60\0\0"
"""[] -> []"""

VALID = "valid"

Maker = Callable[[], bytes]
MODULES: dict[str, tuple[Maker, str]] = {}
"""Name -> how the bytes are made, and what must come of it: VALID, or the class of the error and a part of its text."""


def bad(expected: str) -> Callable[[Maker], Maker]:
    """Register a module."""

    def register(maker: Maker) -> Maker:
        MODULES[maker.__name__] = maker, expected
        return maker

    return register


def vec(elements: Iterable[bytes]) -> bytes:
    """vec(…) of elements in binary form."""
    listed = list(elements)
    return uleb(len(listed)) + b"".join(listed)


def sleb(value: int) -> bytes:
    """value >= 0 as signed LEB128."""
    return (
        uleb(value)
        if not value >> (max(value.bit_length() - 1, 0) // 7 * 7) & 0x40
        else uleb(value, len(uleb(value)) + 1)
    )


def functype(params: bytes, results: bytes = b"") -> bytes:
    """functype of value types that are one byte each."""
    return b"\x60" + uleb(len(params)) + params + uleb(len(results)) + results


def module(types: Iterable[bytes], bodies: Iterable[bytes], typeidxs: Iterable[int] | None = None) -> bytes:
    """A module of functions, all of type 0 if nothing else is said; a body starts with its locals."""
    bodies = list(bodies)
    indices = [0] * len(bodies) if typeidxs is None else typeidxs
    return join([Section(TYPE, vec(types)), Section(FUNC, vec(map(uleb, indices))), Section(CODE, join_bodies(bodies))])


def function(body: bytes, *types: bytes) -> bytes:
    """A module of one function [] -> [] (type 0) without locals; `body` needs no end."""
    return module((NO_TYPE, *types), [b"\0" + body + b"\x0b"])


def types_only(*types: bytes) -> bytes:
    """A module of nothing but types."""
    return join([Section(TYPE, vec(types))])


def nested(opening: bytes, depth: int, closing: bytes = b"\x0b", inside: bytes = b"") -> bytes:
    """A function of blocks in blocks."""
    return function(opening * depth + inside + closing * depth)


@bad(VALID)
def blocks_nested_100_000_deep() -> bytes:
    return nested(b"\x02\x40", 100_000)


@bad(VALID)
def loops_nested_10_000_deep() -> bytes:
    return nested(b"\x03\x40", 10_000, inside=b"\x0c" + uleb(9_999))


@bad(VALID)
def ifs_nested_10_000_deep() -> bytes:
    return nested(b"\x41\0\x04\x40", 10_000, closing=b"\x05\x0b")


@bad(VALID)
def try_tables_nested_10_000_deep() -> bytes:
    return nested(b"\x1f\x40\0", 10_000)


@bad("Malformed: unexpected end")
def blocks_that_never_end() -> bytes:
    return function(b"\x02\x40" * 100_000)


@bad("Invalid: unknown label")
def a_branch_out_of_nested_blocks() -> bytes:
    return nested(b"\x02\x40", 10_000, inside=b"\x0c" + uleb(10_001))


@bad(VALID)
def a_br_table_of_1_000_000_labels() -> bytes:
    return nested(b"\x02\x40", 3, inside=b"\x41\0\x0e" + uleb(1_000_000) + b"\0\1\2\3" * 250_000 + b"\0")


@bad(VALID)
def a_br_table_to_10_000_blocks() -> bytes:
    depth = 10_000
    return nested(b"\x02\x40", depth, inside=b"\x41\0\x0e" + vec(map(uleb, range(depth))) + b"\0")


@bad("Malformed: unexpected end")
def a_br_table_of_4_294_967_295_labels() -> bytes:
    return function(b"\x41\0\x0e" + uleb(2**32 - 1))


def many(count: int) -> bytes:
    return b"\x7f" * count


@bad(VALID)
def br_tables_to_blocks_of_many_results() -> bytes:
    blocks = b"".join([b"\x02" + sleb(k + 1) for k in range(100)])
    table = b"\0\x0e" + vec(map(uleb, range(100))) + b"\0"
    ends = b"\x0b\0" * 100
    types = [functype(b"", many(k) + b"\x7e" + many(999 - k)) for k in range(100)]
    return function(blocks + table * 200 + ends, *types)


@bad(VALID)
def calls_with_many_operands() -> bytes:
    signature = functype(many(1000), many(1000))
    return module(
        (NO_TYPE, signature), [b"\0" + b"\x41\0" * 1000 + b"\x10\1" * 20_000 + b"\0\x0b", b"\0\0\x0b"], [0, 1]
    )


@bad(VALID)
def calls_with_many_operands_that_cannot_be_reached() -> bytes:
    signature = functype(many(1000), many(1000))
    return module((NO_TYPE, signature), [b"\0" + b"\0\x10\1" * 20_000 + b"\0\x0b", b"\0\0\x0b"], [0, 1])


@bad(VALID)
def calls_with_many_operands_of_subtypes() -> bytes:
    signature = functype(b"\x6d" * 1000, b"\x6b" * 1000)
    bodies = [b"\0" + b"\xd0\x6b" * 1000 + b"\x10\1" * 1_000 + b"\0\x0b", b"\0\0\x0b"]
    return module((NO_TYPE, signature), bodies, [0, 1])


@bad(VALID)
def blocks_with_many_operands() -> bytes:
    signature = functype(many(1000), many(1000))
    return function(b"\x41\0" * 1000 + b"\x02\1\x0b" * 20_000 + b"\0", signature)


@bad(VALID)
def branches_with_many_operands() -> bytes:
    return function(b"\x02\1" + b"\x41\0" * 1001 + b"\x0d\0\x41\0" * 10_000 + b"\0\x0b\0", functype(b"", many(1000)))


@bad("Invalid: too many")
def operands_that_double() -> bytes:
    return module((NO_TYPE, functype(b"", many(1000))), [b"\0" + b"\x10\1" * 100_000 + b"\0\x0b", b"\0\0\x0b"], [0, 1])


@bad("Malformed: too many")
def a_function_type_of_500_000_parameters() -> bytes:
    return types_only(functype(many(500_000)))


@bad(VALID)
def arrays_of_10_000_elements_that_cannot_be_reached() -> bytes:
    return function(b"\0" + (b"\xfb\x08\1" + uleb(10_000) + b"\x1a") * 8_000, b"\x5e\x7f\0")


@bad(VALID)
def structures_of_10_000_fields_made_often() -> bytes:
    return function(b"\0" + b"\xfb\0\1\x1a" * 8_000, b"\x5f" + uleb(10_000) + b"\x7f\0" * 10_000)


@bad(VALID)
def default_structures_of_10_000_fields_made_often() -> bytes:
    return function(b"\xfb\1\1\x1a" * 8_000, b"\x5f" + uleb(10_000) + b"\x7f\0" * 10_000)


@bad(VALID)
def catches_of_many_operands() -> bytes:
    tag = Section(TAG, vec([b"\0\2"]))
    types = vec([NO_TYPE, functype(b"", many(1000)), functype(many(1000))])
    body = b"\0\x02\1" + b"\x1f\x40" + uleb(10_000) + b"\0\0\0" * 10_000 + b"\x0b\0\x0b\0\x0b"
    return join([Section(TYPE, types), Section(FUNC, b"\1\0"), tag, Section(CODE, join_bodies([body]))])


@bad("Malformed: too many locals")
def locals_4_294_967_295() -> bytes:
    return module([NO_TYPE], [b"\1" + uleb(2**32 - 1) + b"\x7f\x0b"])


@bad("Malformed: too many locals")
def locals_4_294_967_295_in_many_runs() -> bytes:
    return module([NO_TYPE], [uleb(100_000) + (uleb(2**32 - 1) + b"\x7f") * 100_000 + b"\x0b"])


@bad(VALID)
def runs_of_no_locals() -> bytes:
    return module([NO_TYPE], [uleb(50_000) + b"\0\x7f" * 50_000 + b"\x0b"])


@bad("Malformed: too many locals")
def functions_5000_of_50_000_locals() -> bytes:
    return module([NO_TYPE], [b"\1" + uleb(50_000 - k) + b"\x7f\x0b" for k in range(5000)])


@bad(VALID)
def functions_10_of_50_000_locals_without_default() -> bytes:
    return module([NO_TYPE], [b"\1" + uleb(50_000 - k) + b"\x64\x70\x0b" for k in range(10)])


@bad(VALID)
def functions_20_000() -> bytes:
    return module([NO_TYPE], [b"\0\x0b"] * 20_000)


@bad(VALID)
def types_15_000() -> bytes:
    return types_only(*[functype(many(k % 7), many(k % 11)) for k in range(15_000)])


@bad(VALID)
def different_types_10_000() -> bytes:
    return types_only(*[functype(bytes([0x7F - (k >> 2 * i & 3) for i in range(8)])) for k in range(10_000)])


@bad(VALID)
def types_each_of_the_one_before() -> bytes:
    return types_only(NO_TYPE, *[b"\x60\1\x63" + sleb(k) + b"\0" for k in range(10_000)])


@bad(VALID)
def types_each_twice_of_the_one_before() -> bytes:
    return types_only(NO_TYPE, *[b"\x60\2\x63" + sleb(k) + b"\x63" + sleb(k) + b"\0" for k in range(5_000)])


@bad("Invalid: type mismatch")
def an_error_about_a_type_of_types() -> bytes:
    types = [b"\x60\2\x63" + sleb(k) + b"\x63" + sleb(k) + b"\0" for k in range(10_000)]
    return function(b"\xd0" + sleb(10_000) + b"\x41\0\x6a\x1a", *types)


@bad("Invalid: has more than 63 super types")
def types_each_a_subtype_of_the_one_before() -> bytes:
    return types_only(b"\x50\0\x60\0\0", *[b"\x50\1" + uleb(k) + b"\x60\0\0" for k in range(10_000)])


@bad(VALID)
def a_recursive_type_of_10_000_types() -> bytes:
    count = 10_000
    members = b"".join(
        [b"\x60\2\x63" + sleb((k + 1) % count) + b"\x63" + sleb(k * 7 % count) + b"\0" for k in range(count)]
    )
    return join([Section(TYPE, b"\1\x4e" + uleb(count) + members)])


@bad(VALID)
def equal_recursive_types() -> bytes:
    count = 100
    groups = [
        b"\x4e" + uleb(count) + b"".join([b"\x60\1\x63" + sleb(first + (k + 1) % count) + b"\0" for k in range(count)])
        for first in range(0, 20_000, count)
    ]
    return types_only(*groups)


@bad("Invalid: unknown type")
def a_type_of_a_later_one() -> bytes:
    return types_only(b"\x60\1\x63\1\0", NO_TYPE)


@bad("Invalid: unknown type")
def a_subtype_of_itself() -> bytes:
    return types_only(b"\x50\1\0\x60\0\0")


@bad("Invalid: unknown type")
def subtypes_of_each_other() -> bytes:
    return types_only(b"\x4e\2\x50\1\1\x60\0\0\x50\1\0\x60\0\0")


@bad("Invalid: duplicate export name")
def exports_of_one_name() -> bytes:
    return join([Section(MEMORY, b"\1\0\0"), Section(EXPORT, vec([b"\1a\2\0"] * 20_000))])


@bad(VALID)
def exports_of_many_names() -> bytes:
    return join(
        [
            Section(MEMORY, b"\1\0\0"),
            Section(EXPORT, vec([b"\3" + k.to_bytes(3, "big") + b"\2\0" for k in ascii_numbers(30_000)])),
        ]
    )


def ascii_numbers(count: int) -> Iterable[int]:
    """So many numbers of three bytes that are ASCII."""
    return ((k >> 14 & 127) << 16 | (k >> 7 & 127) << 8 | k & 127 for k in range(count))


@bad("Malformed: length out of bounds")
def a_name_of_4_294_967_295_bytes() -> bytes:
    return join([Section(EXPORT, b"\1" + uleb(2**32 - 1) + b"a")])


@bad(VALID)
def custom_sections_30_000() -> bytes:
    return join([Section(0, b"\0")] * 30_000)


@bad(VALID)
def a_constant_expression_of_50_000_additions() -> bytes:
    return join([Section(GLOBAL, b"\1\x7f\0\x41\0" + b"\x41\1\x6a" * 50_000 + b"\x0b")])


@bad("Invalid: type mismatch")
def a_constant_expression_of_100_000_constants() -> bytes:
    return join([Section(GLOBAL, b"\1\x7f\0" + b"\x41\0" * 100_000 + b"\x0b")])


@bad(VALID)
def elements_20_000() -> bytes:
    segment = b"\1\0" + uleb(20_000) + b"\0" * 20_000
    return join(
        [
            Section(TYPE, vec([NO_TYPE])),
            Section(FUNC, b"\1\0"),
            Section(ELEM, b"\1" + segment),
            Section(CODE, b"\1\2\0\x0b"),
        ]
    )


@bad(VALID)
def data_segments_30_000() -> bytes:
    return join([Section(DATA, vec([b"\1\0"] * 30_000))])


@bad(VALID)
def imports_30_000() -> bytes:
    return join([Section(TYPE, vec([NO_TYPE])), Section(IMPORT, vec([b"\0\0\0\0"] * 30_000))])


@bad(VALID)
def instructions_200_000() -> bytes:
    return function(b"\x01" * 200_000)


@bad("Invalid: invalid result arity")
def a_select_of_1_000_000_types() -> bytes:
    return function(b"\0\x1c" + uleb(1_000_000) + many(1_000_000))


@bad("Malformed: integer representation too long")
def a_number_of_1_000_000_bytes() -> bytes:
    return function(b"\x41" + b"\x80" * 1_000_000 + b"\0\x1a")


def judge(name: str) -> str:
    """What comes of a module."""
    try:
        validate(decode(MODULES[name][0]()))
    except Rejected as error:
        return f"{type(error).__name__}: {error}"
    return VALID


def answer(name: str, address_space: int = ADDRESS_SPACE) -> dict[str, object]:
    """What comes of a module in a process with little memory and time; `died` is the signal that ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        try:
            verdict = judge(name)
        except BaseException as error:
            verdict = f"{type(error).__name__}: {str(error)[:200]}"
        os.write(writing, verdict[:500].encode("utf-8", "replace"))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        verdict = pipe.read().decode()
    _, status, usage = os.wait4(child, 0)
    died = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    return {"verdict": verdict, "died": died, "seconds": usage.ru_utime + usage.ru_stime, "kilobytes": usage.ru_maxrss}


if __name__ == "__main__":
    for line in sys.stdin:
        asked, *limits = line.split()
        sys.stdout.write(json.dumps(answer(asked, *map(int, limits))) + "\n")
        sys.stdout.flush()
