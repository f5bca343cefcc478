"""The command `bench`: measure, show and write the report."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from host.cli import INTERRUPTED
from interp.engine import ENGINES

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.plan import Plan
    from benchmarks.report import Report

BENCHMARKS = ("load", "calls", "bus", "kernels", "start", "long", "limits", "interpreters", "http")
NONE = "none"
LONG_MINUTES = 3
"""Who has to wait longer than this is told."""

BenchmarkName = Enum("BenchmarkName", {name: name for name in BENCHMARKS})  # type: ignore[misc]


OnlyOption = Annotated[
    list[BenchmarkName] | None,
    typer.Option("--only", metavar="NAME", help=f"Only this one of {', '.join(BENCHMARKS)}; may be given again."),
]
EnginesOption = Annotated[str | None, typer.Option(metavar="A,B", help=f"Only these engines of {', '.join(ENGINES)}.")]
PeersOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Compare with these only: pwasm, ppci, pywasm, pywasm3, and python for the kernels by hand; or none.",
    ),
]
KernelsOption = Annotated[
    str | None, typer.Option(metavar="A,B", help="Only these kernels; a name that there is not lists them.")
]
RoundsOption = Annotated[int | None, typer.Option(min=1, max=1000, metavar="N", help="Rounds at most (default 15).")]
SecondsOption = Annotated[
    float | None,
    typer.Option(
        min=0.1, max=86400, metavar="S", help="About how long all benchmarks measure (default 600); each has its share."
    ),
]
ModuleOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Measure how this module loads, besides the counter actor.")
]
CallOption = Annotated[
    str | None,
    typer.Option(metavar="WORDS", help="What to call in --module: 'FUNC ARG…', or 'OP PAYLOAD' of a waPC guest."),
]
FromOption = Annotated[
    Path | None, typer.Option("--from", metavar="FILE.json", help="Show an earlier report instead of measuring.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the report to a file: .json for every sample, .html with plots."),
]
PlotOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw the kernels' times into a file: .svg or .png.")
]
CompareOption = Annotated[
    Path | None, typer.Option(metavar="FILE.json", help="Say what has changed since that report, beyond noise.")
]


def bench(
    *,
    only: OnlyOption = None,
    engines: EnginesOption = None,
    peers: PeersOption = None,
    kernels: KernelsOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look: two minutes, six kernels, wide intervals.")
    ] = False,
    rounds: RoundsOption = None,
    seconds: SecondsOption = None,
    module: ModuleOption = None,
    call: CallOption = None,
    earlier: FromOption = None,
    output: OutputOption = None,
    plot: PlotOption = None,
    compare: CompareOption = None,
    fail_on_slower: Annotated[
        bool, typer.Option("--fail-on-slower", help="Exit code 1 if --compare finds that.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with every sample.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the README's tables.")] = False,
) -> None:
    """Measure engines, other implementations and Python by hand side by side: how fast, how soon, how much memory."""
    from rich.console import Console

    from benchmarks.plan import (
        ALL_KERNELS,
        ALL_PEERS,
        DEFAULT_ROUNDS,
        DEFAULT_SECONDS,
        QUICK_KERNELS,
        QUICK_ROUNDS,
        QUICK_SECONDS,
        Plan,
    )
    from benchmarks.present import Wanted, present, read_report

    if as_json and as_markdown:
        raise typer.BadParameter("--json and --markdown exclude each other")
    if call is not None and module is None:
        raise typer.BadParameter("--call needs --module")
    if fail_on_slower and compare is None:
        raise typer.BadParameter("--fail-on-slower needs --compare")
    check_target(output, "a report", (".json", ".html"))
    check_target(plot, "a plot", (".svg", ".png"))
    all_kernels = tuple(kernel.name for kernel in ALL_KERNELS)
    plan = Plan(
        benchmarks=tuple(each.value for each in only or BenchmarkName),
        engines=names("engine", engines, tuple(ENGINES)),
        peers=names("peer", peers, ALL_PEERS),
        kernels=QUICK_KERNELS if quick and kernels is None else names("kernel", kernels, all_kernels),
        rounds=rounds or (QUICK_ROUNDS if quick else DEFAULT_ROUNDS),
        seconds=seconds or (QUICK_SECONDS if quick else DEFAULT_SECONDS),
        quick=quick,
        module=module,
        call=call,
    )
    wanted = Wanted(output, plot, as_json, as_markdown)
    with failures():
        before = None if compare is None else read_report(compare)
        if earlier is not None:
            report = read_report(earlier)
        else:
            with stoppable():
                report = _measure(plan, Console(stderr=True))
        changes = present(report, before, wanted)
    if fail_on_slower and changes is not None and changes.slower:
        raise typer.Exit(1)


def names(what: str, given: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """The names in a list with commas; all that there are if none is given."""
    if given is None:
        return known
    found = tuple(name.strip() for name in given.split(",") if name.strip())
    if what == "peer" and found == (NONE,):
        return ()
    for name in found:
        if name not in known:
            raise typer.BadParameter(f"no {what} is called {name!r}; there are {', '.join(known)}")
    if not found:
        raise typer.BadParameter(f"no {what} is named; there are {', '.join(known)}")
    return found


def check_target(target: Path | None, what: str, suffixes: tuple[str, ...]) -> None:
    """Refuse a file that could not be written, before anything is measured."""
    if target is None:
        return
    if target.suffix not in suffixes:
        raise typer.BadParameter(f"{target}: {what} ends in {' or '.join(suffixes)}")
    if not target.parent.is_dir():
        raise typer.BadParameter(f"{target.parent}: no such folder")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise typer.BadParameter(f"{target}: not writable")


@contextmanager
def stoppable() -> Iterator[None]:
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
    """The report, made behind a progress bar."""
    from benchmarks.run import run

    minutes = round(plan.total_seconds() / 60)
    if console.is_terminal and minutes >= LONG_MINUTES:
        console.print(f"This takes about {minutes} minutes; --quick is for a first look.", highlight=False)
    with progress_bar(console) as progress:
        return run(plan, progress)


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[float, str], None]]:
    """A bar on a terminal, and nothing elsewhere; told which fraction (0 to 1) is done, and what is being done."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda fraction, name: bar.update(task, completed=fraction, description=name)


@contextmanager
def failures() -> Iterator[None]:
    """What goes wrong becomes one line and an exit code."""
    from benchmarks.errors import BenchmarkError
    from host import HostError
    from interp import EngineUnavailable, WasmError
    from interp.arguments import ArgumentError
    from interp.cli import CommandError
    from wapc import WapcError

    try:
        yield
    except KeyboardInterrupt:
        raise _fail("interrupted", INTERRUPTED) from None
    except (
        ArgumentError, BenchmarkError, CommandError, EngineUnavailable, HostError, OSError, WapcError, WasmError,
    ) as error:  # fmt: skip
        raise _fail(_told(error), 1) from error


def _fail(text: str, code: int) -> typer.Exit:
    """One line on stderr, and the exit that goes with it."""
    typer.echo(f"error: {text}" if code != INTERRUPTED else text, err=True)
    return typer.Exit(code)


def _told(error: Exception) -> str:
    """What went wrong, in a line; of files the name first, as everywhere else."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
