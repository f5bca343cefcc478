"""The command `bench`: measure, show and write the report."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from host.cli import INTERRUPTED
from interp.cli import EngineName
from interp.engine import ENGINES

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.report import Report
    from benchmarks.run import Plan

BENCHMARKS = ("load", "calls", "bus", "kernels", "interpreters", "http")
DEFAULT_ROUNDS, QUICK_ROUNDS = 15, 3
DEFAULT_SECONDS, QUICK_SECONDS = 110.0, 6.0

BenchmarkName = Enum("BenchmarkName", {name: name for name in BENCHMARKS})  # type: ignore[misc]


OnlyOption = Annotated[
    list[BenchmarkName] | None,
    typer.Option("--only", metavar="NAME", help=f"Only this one of {', '.join(BENCHMARKS)}; may be given again."),
]
EngineOption = Annotated[
    list[EngineName] | None,
    typer.Option("--engine", metavar="NAME", help=f"Only this one of {', '.join(ENGINES)}; may be given again."),
]
RoundsOption = Annotated[
    int | None, typer.Option(min=1, max=1000, metavar="N", help=f"Rounds at most (default {DEFAULT_ROUNDS}).")
]
SecondsOption = Annotated[
    float | None,
    typer.Option(
        min=0.1, max=86400, metavar="S", help=f"About how long all benchmarks measure (default {DEFAULT_SECONDS:g})."
    ),
]
ModuleOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Measure how this module loads, besides the counter actor.")
]
CallOption = Annotated[
    str | None,
    typer.Option(metavar="WORDS", help="What to call in --module: 'FUNC ARG…', or 'OP PAYLOAD' of a waPC guest."),
]
OutputOption = Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the report to a file.")]


def bench(
    *,
    only: OnlyOption = None,
    engine: EngineOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Some twenty seconds, and wide intervals.")] = False,
    rounds: RoundsOption = None,
    seconds: SecondsOption = None,
    module: ModuleOption = None,
    call: CallOption = None,
    output: OutputOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with every sample.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the README's table.")] = False,
) -> None:
    """Measure the engines side by side: loading, calls, the bus, kernels, and requests over HTTP; and interpreters."""
    from rich.console import Console

    from benchmarks.run import Plan

    if as_json and as_markdown:
        raise typer.BadParameter("--json and --markdown exclude each other")
    if call is not None and module is None:
        raise typer.BadParameter("--call needs --module")
    _check_output(output)
    plan = Plan(
        benchmarks=tuple(each.value for each in only or BenchmarkName),
        engines=tuple(each.value for each in engine or EngineName),
        rounds=rounds or (QUICK_ROUNDS if quick else DEFAULT_ROUNDS),
        seconds=seconds or (QUICK_SECONDS if quick else DEFAULT_SECONDS),
        module=module,
        call=call,
    )
    with _stoppable():
        report = _measure(plan, Console(stderr=True))
    _present(report, output, as_json, as_markdown)


def _check_output(output: Path | None) -> None:
    """Refuse a report that could not be written, before anything is measured."""
    if output is not None and output.suffix != ".json":
        raise typer.BadParameter(f"{output}: a report ends in .json")
    if output is not None and not output.parent.is_dir():
        raise typer.BadParameter(f"{output.parent}: no such folder")
    if output is not None and not os.access(output if output.exists() else output.parent, os.W_OK):
        raise typer.BadParameter(f"{output}: not writable")


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the run like Ctrl-C, so that the processes that were started end too; signals that come while they
    are being ended do not get in the way of that."""
    interrupted = threading.Event()

    def interrupt(_: int, __: FrameType | None) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _measure(plan: Plan, console: Console) -> Report:
    """The report, made behind a progress bar (on a terminal only)."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from benchmarks.errors import BenchmarkError
    from benchmarks.run import run
    from host import HostError
    from interp import EngineUnavailable, WasmError
    from interp.arguments import ArgumentError
    from interp.cli import CommandError
    from wapc import WapcError

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("starting", total=len(plan.benchmarks))

            def progress(position: float, name: str) -> None:
                bar.update(task, completed=position, description=name)

            return run(plan, progress)
    except KeyboardInterrupt:
        raise _fail("interrupted", INTERRUPTED) from None
    except (
        ArgumentError, BenchmarkError, CommandError, EngineUnavailable, HostError, OSError, WapcError, WasmError,
    ) as error:  # fmt: skip
        raise _fail(str(error) or type(error).__name__, 1) from error


def _present(report: Report, output: Path | None, as_json: bool, as_markdown: bool) -> None:
    from rich.console import Console

    from benchmarks.show import markdown, show
    from benchmarks.summary import json_text

    if output is not None:
        try:
            output.write_text(json_text(report) + "\n", encoding="utf-8")
        except OSError as error:
            raise _fail(str(error), 1) from error
    if as_json:
        typer.echo(json_text(report))
    elif as_markdown:
        typer.echo(markdown(report))
    else:
        show(report, Console())


def _fail(text: str, code: int) -> typer.Exit:
    """One line on stderr, and the exit that goes with it."""
    typer.echo(f"error: {text}" if code != INTERRUPTED else text, err=True)
    return typer.Exit(code)
