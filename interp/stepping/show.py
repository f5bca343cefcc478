"""Steps, values and configurations as text for a terminal. Colours are for terminals only; a pipe gets plain text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from interp.errors import BacktraceFrame, escaped, printable
from interp.execution.runtime import MemInst, ModuleInst
from interp.reference.fill import operand_terms
from interp.reference.record import ChangeRecord, StepRecord
from interp.reference.stepper import Ending, Outcome, Reason, Stepper
from interp.reference.terms import ELLIPSIS, EPSILON, STEPS_TO, show_head, show_sequence

MAX_ELEMENTS = 64
"""Elements of a table, globals and locals that are printed."""

MAX_BYTES = 4096
ROW = 16
"""Bytes of a memory that are printed, at most and in a line."""

INDENT = " " * 6
RULE = 26
"""Columns for the name of a rule; few are longer."""

REASONS = {
    Reason.LIMIT: "stopped after as many steps as are allowed at once",
    Reason.INTERRUPTED: "interrupted",
    Reason.START: "at the start",
}
"""Why steps were taken no further, where that is not plain to see."""


def show_record(record: StepRecord) -> Iterator[str]:
    """A step: its number and rule and where it happened, the reduction, what it changed, where the rule stands."""
    place = place_of(record)
    rule = typer.style(record.rule.ljust(RULE) if place else record.rule, fg="cyan", bold=True)
    yield f"{record.index:5} {rule}{f' {place}' if place else ''}"
    arrow = typer.style(STEPS_TO, fg="yellow")
    yield f"{INDENT}{record.redex} {arrow} {record.result}"
    for change in record.changes:
        yield f"{INDENT}{typer.style(show_change(change), fg='green')}"
    yield f"{INDENT}{typer.style(record.address, dim=True)}"


def place_of(record: StepRecord) -> str:
    """The function and the offset, as far as there are any."""
    if record.function is None:
        return ""
    name = printable(record.name) if record.name else f"function {record.function}"
    return f"{name}, byte {record.offset:#x}" if record.offset is not None else name


def show_change(change: ChangeRecord) -> str:
    """What a step changed: `local 1: (i32.const 0) → (i32.const 5)`."""
    where = f" {change.address}" if change.address is not None else ""
    if change.index is not None:
        where += f"[{index_of(change)}]" if change.address is not None else f" {change.index}"
    return f"{change.what}{where}: {change.old} → {change.new}"


def index_of(change: ChangeRecord) -> str:
    """The elements that a change is about; addresses of bytes in hexadecimal."""
    shown = hex if change.what == "memory" else str
    start = change.index or 0
    return shown(start) if change.count == 1 else f"{shown(start)} : {change.count}"


def show_outcome(outcome: Outcome) -> str:
    """How a computation ended."""
    if outcome.ending is Ending.VALUES:
        return f"ended with {show_sequence(outcome.values)}"
    return (
        f"ended: {escaped(str(outcome.error))}"
        if outcome.ending is Ending.HOST
        else f"ended in {outcome.ending.value}: {escaped(str(outcome.error))}"
    )


def show_operands(stepper: Stepper) -> Iterator[str]:
    """The operands in the contexts of the current function, the innermost last; a line for each context."""
    config = stepper.config
    first = next((i for i in range(len(config.contexts) - 1, 0, -1) if config.contexts[i].kind == "frame"), 0)
    for index in range(first, len(config.contexts)):
        ctx = config.contexts[index]
        label = ctx.kind if ctx.kind == "top" else f"{ctx.kind}_{ctx.arity}"
        yield f"{label:10} {show_sequence(operand_terms(config, index, stepper.describer, MAX_ELEMENTS))}"


def show_locals(stepper: Stepper) -> Iterator[str]:
    """The locals of the current function."""
    frame = stepper.config.frame
    for index, shown in enumerate(stepper.describer.locals(frame, frame.locals, MAX_ELEMENTS)):
        yield f"{index:3} {shown}"


def show_globals(stepper: Stepper, inst: ModuleInst) -> Iterator[str]:
    """The globals of the module."""
    for index, global_ in enumerate(inst.globals[:MAX_ELEMENTS]):
        value = stepper.describer.terms.value(global_.type.valtype, global_.value, inst.types)
        yield f"{index:3} {value}{'' if global_.type.mut else '  (immutable)'}"
    if len(inst.globals) > MAX_ELEMENTS:
        yield ELLIPSIS


def show_tables(stepper: Stepper, inst: ModuleInst) -> Iterator[str]:
    """The tables of the module, with their first elements."""
    for index, table in enumerate(inst.tables):
        refs = [stepper.describer.terms.ref(table.type.reftype, ref, inst.types) for ref in table.refs[:MAX_ELEMENTS]]
        more = [ELLIPSIS] if len(table.refs) > MAX_ELEMENTS else []
        yield f"{index:3} {len(table.refs)} elements: {show_head([*refs, *more], None)}"


def show_memory(mem: MemInst, start: int, count: int) -> Iterator[str]:
    """Bytes of a memory from an address on: sixteen a line, in hexadecimal and as characters."""
    end = min(start + min(count, MAX_BYTES), len(mem.bytes))
    for row in range(start, end, ROW):
        data = bytes(mem.bytes[row : min(row + ROW, end)])
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
        yield f"{row:#010x}  {data.hex(' '):47}  {text}"
    if start >= end:
        yield f"the memory has {len(mem.bytes):#x} bytes"


def show_next(stepper: Stepper) -> Iterator[str]:
    """The instruction that is next, and where it stands; nothing at the end of a block."""
    ctx = stepper.config.ctx
    if ctx.pc < len(ctx.code):
        point = ctx.code[ctx.pc]
        at = f", byte {point[2].offset:#x}" if ctx.frame.func is not None else ""
        yield f"next {stepper.describer.point(point, ctx.frame)}{at}"


def show_backtrace(frames: Sequence[BacktraceFrame]) -> Iterator[str]:
    """The active functions, the innermost first."""
    for number, frame in enumerate(frames):
        yield f"#{number:<3} {frame}"
    if not frames:
        yield f"no function is active ({EPSILON})"


def data_of(value: Any) -> str:
    """A record or a configuration as a line of JSON."""
    return json_text(value.to_json())


def json_text(value: object) -> str:
    """A value as JSON in which letters and signs of any script stay, and what a terminal obeys is escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
