"""The command line of these measurements."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli import check_target, failures, names, progress_bar, stoppable
from benchmarks.stores import STORES

PARTS = ("serving", "calls", "changes", "start", "trouble", "tampering")
PartName = Enum("PartName", {name: name for name in PARTS})  # type: ignore[misc]
ENGINES = ("compiled", "wasmtime")
WIDTH = 120
"""Of tables that no terminal shows."""
QUICK = 0.1
"""The part of the time and of the requests that --quick leaves."""


def operation(
    only: Annotated[list[PartName] | None, typer.Option(help="Measure this part alone; may be repeated.")] = None,
    engines: Annotated[str | None, typer.Option(metavar="NAMES", help="Engines, with commas between them.")] = None,
    stores: Annotated[str | None, typer.Option(metavar="NAMES", help="Key-value stores, with commas.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds for each of the timed parts.")] = 60.0,
    requests: Annotated[int, typer.Option(min=100, help="Acknowledged requests in trouble.")] = 10_000,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="Connections in trouble.")] = 64,
    updates: Annotated[int, typer.Option(min=0, help="Live updates in trouble.")] = 20,
    actors: Annotated[int, typer.Option(min=1, max=1000, help="Actors of the host that is started.")] = 50,
    cases: Annotated[int, typer.Option(min=1, help="Cases of tampering.")] = 10_000,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the time and of the requests.")] = False,
    output: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write every sample to a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with every sample.")] = False,
) -> None:
    """Measure how a host does in operation: requests over HTTP on each store, calls beside Extism, changes of each
    store, the start of many actors, what survives live updates, traps and a restart of Redis, and tampering with what
    is signed. Exit code 1 if something is not as asked."""
    from pydantic import TypeAdapter
    from rich.console import Console

    from benchmarks.operation.churn import Trouble
    from benchmarks.operation.report import OperationReport, show
    from benchmarks.operation.run import Plan, run

    check_target(output, "a report", (".json",))
    part = QUICK if quick else 1.0
    plan = Plan(
        tuple(each.value for each in only or PartName),
        names("engine", engines, ENGINES),
        names("store", stores, STORES),
        max(1.0, seconds * part),
        actors,
        Trouble(max(100, round(requests * part)), connections, updates),
        max(1, round(cases * part)),
    )
    with failures(), stoppable():
        with progress_bar(Console(stderr=True)) as progress:
            report = run(plan, progress)
        text = TypeAdapter(OperationReport).dump_json(report, indent=2).decode()
        if output is not None:
            output.write_text(text)
        if as_json:
            typer.echo(text)
        else:
            console = Console()
            show(report, console if console.is_terminal else Console(width=WIDTH))
    for fault in report.faults:
        typer.echo(f"not as asked: {fault}", err=True)
    if report.faults:
        raise typer.Exit(1)
