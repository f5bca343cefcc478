"""The C source of an actor of some 800 functions, in units that are compiled one by one."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.kernels.big_actor.statements import LEAST_LENGTH, WORDS, Body, Dice

FUNCTIONS = 800
UNIT = 50
"""How many functions the actor has, and how many of them are in a file."""

SEED = 4
TABLES_OF_A_UNIT = 24
METHODS = 16
"""How many functions a table of function pointers has."""

PARTS = ("parse", "encode", "decode", "check", "update", "find", "merge", "route", "format", "sign", "match", "apply")


@dataclass(frozen=True, slots=True)
class Kind:
    """Functions of one type: their head, how their variables begin, what they give, and how they are called."""

    head: str
    begin: dict[str, str]
    result: str
    give: str
    call: str


HANDLER = Kind(
    "int32_t {name}(struct context *context, const uint8_t *data, uint32_t length)",
    {},
    "int32_t",
    "context->error ? -1 : (int32_t)(a & 0x7FFFFFFF)",
    "if ({name}(context, data, length) < 0) d++;",
)
KINDS = (
    HANDLER,
    HANDLER,
    Kind(
        "uint32_t {name}(struct context *context, uint32_t a, uint32_t b)",
        {"a": "", "b": ""},
        "uint32_t",
        "a ^ b ^ (uint32_t)m",
        "{narrow} = {name}(context, a, {narrow});",
    ),
    Kind(
        "uint64_t {name}(struct context *context, uint64_t m, uint32_t a)",
        {"m": "", "a": ""},
        "uint64_t",
        "m + (k ^ d)",
        "k ^= {name}(context, m, {narrow});",
    ),
    Kind(
        "double {name}(struct context *context, double x, uint32_t a)",
        {"x": "", "a": ""},
        "double",
        "x + y * b",
        "y = {name}(context, x, {narrow});",
    ),
    Kind(
        "void {name}(struct context *context, struct record *record)",
        {"record": ""},
        "",
        "",
        "{name}(context, &context->records[{narrow} % RECORDS]);",
    ),
    Kind(
        "int32_t {name}(struct context *context, struct record *record, const uint8_t *data, uint32_t length, "
        "uint32_t a, uint64_t m, double x)",
        {"record": "", "a": "", "m": "", "x": ""},
        "int32_t",
        "(int32_t)(a + b + (uint32_t)k)",
        "b += (uint32_t){name}(context, record, data, length, {narrow}, m ^ k, x);",
    ),
)

BEGIN = {
    "a": "uint32_t a = length + {number};",
    "b": "uint32_t b = (uint32_t)(context->error ^ {number});",
    "m": "uint64_t m = {number};",
    "x": "double x = {number};",
    "record": "struct record *record = &context->records[{number} % RECORDS];",
}
"""Variables that are not parameters of all functions, and how they begin where they are none."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the actor."""

    name: str
    kind: Kind
    statements: int


def functions(count: int) -> list[Function]:
    """So many functions: most are short, few are long."""
    dice = Dice(SEED)
    found = []
    for index in range(count):
        # The product of numbers that are equally probable is small more often than it is great.
        size = 20 + dice.below(91) * (1 + dice.below(12)) * (1 + dice.below(6)) // 6
        kind = KINDS[0] if index % 25 == 0 else dice.pick(KINDS)
        found.append(Function(f"{dice.pick(PARTS)}_{dice.pick(PARTS)}_{index}", kind, size))
    return found


def sources(count: int) -> dict[str, str]:
    """The C files of so many functions by name, which include actor.h and need runtime.c; the same on every machine."""
    all_functions = functions(count)
    units = {
        f"unit{number:02}.c": _unit(number, all_functions, range(begin, min(count, begin + UNIT)))
        for number, begin in enumerate(range(0, count, UNIT))
    }
    return {"functions.h": _header(all_functions), "handlers.c": _handlers(all_functions), **units}


def _header(all_functions: list[Function]) -> str:
    heads = "".join(f"{function.kind.head.format(name=function.name)};\n" for function in all_functions)
    return f'#include "actor.h"\n\n{heads}'


def _handlers(all_functions: list[Function]) -> str:
    names = ",\n    ".join(function.name for function in all_functions if function.kind is HANDLER)
    return (
        f'#include "functions.h"\n\nmethod *const handlers[] = {{\n    {names},\n}};\n'
        "const uint32_t handler_count = sizeof handlers / sizeof handlers[0];\n"
    )


def _unit(number: int, all_functions: list[Function], indices: range) -> str:
    dice = Dice(SEED * 1000 + number)
    tables = [f"table_{number}_{index}" for index in range(TABLES_OF_A_UNIT)]
    parts = ['#include "functions.h"\n']
    for table in tables:
        numbers = ", ".join(str(dice.below(2**32)) + "u" for _ in range(64))
        parts.append(f"static const uint32_t {table}[64] = {{{numbers}}};\n")
    handlers = [function.name for function in all_functions if function.kind is HANDLER]
    methods = ", ".join(dice.pick(handlers) for _ in range(METHODS))
    parts.append(f"static method *const methods[{METHODS}] = {{{methods}}};\n")
    parts += [_function(dice, all_functions, index, tables) for index in indices]
    return "\n".join(parts)


def _function(dice: Dice, all_functions: list[Function], index: int, tables: list[str]) -> str:
    def call() -> str:
        narrow = dice.pick("abcd")
        if dice.chance(12):
            return f"if (methods[{narrow} % {METHODS}u](context, data, length) < 0) goto done;"
        # Most calls are of functions nearby.
        near = (index + 1 + dice.below(60)) if dice.chance(70) else dice.below(len(all_functions))
        other = all_functions[near % len(all_functions)]
        return other.kind.call.format(name=other.name, narrow=narrow)

    function = all_functions[index]
    kind = function.kind
    lines = [kind.head.format(name=function.name) + " {"]
    if "data" not in kind.head:
        lines += ["const uint8_t *data = context->data;", "uint32_t length = context->length;"]
    lines += [text.format(number=dice.below(65536)) for name, text in BEGIN.items() if name not in kind.begin]
    lines += ["uint32_t c = a ^ b, d = length;", "uint64_t k = m * 31;", "double y = x + 0.5;"]
    if kind.result:
        lines.append(f"{kind.result} result = 0;")
    give_up = "return result;" if kind.result else "return;"
    lines.append(f"if (length < {LEAST_LENGTH} || context->depth >= context->most_depth) {give_up}")
    lines.append("context->depth++;")
    lines += [line.removeprefix("    ") for line in Body(dice, call, tables).write(function.statements)]
    lines.append("record->flags ^= a + b + c + d;")
    lines.append("record->stamp += m ^ k;")
    lines.append("record->weight += x - y;")
    if dice.chance(20):
        lines.append(f'put_text(context, "{dice.pick(WORDS)}");')
    lines.append("done:")
    if kind.give:
        lines.append(f"result = {kind.give};")
    lines.append("context->depth--;")
    if kind.result:
        lines.append("return result;")
    return "\n    ".join(lines) + "\n}\n"
