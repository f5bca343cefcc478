"""The command `python -m conformance.tampering`: run a campaign, and print what became of each kind of mutation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from conformance.tampering.campaign import Outcome, Report, run

DEFAULT_CASES = 10_000
DEFAULT_FOLDER = Path("build/tampering")
MAX_SHOWN = 20

app = typer.Typer(add_completion=False)


@app.command()
def tampering(
    cases: Annotated[int, typer.Option(min=1, help="How many cases to run.")] = DEFAULT_CASES,
    seed: Annotated[int, typer.Option(help="What all cases follow from.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    findings: Annotated[Path, typer.Option(metavar="FOLDER", help="Where what must not be is saved.")] = DEFAULT_FOLDER,
) -> None:
    """Tamper with tokens, modules and archives; exit code 0 if none was accepted that means something else."""
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("cases", total=cases)
        report = run(seed, cases, lambda done: bar.update(task, completed=done))
    if as_json:
        typer.echo(json.dumps(as_data(report, seed), indent=2))
    else:
        show(report, seed)
    for result in report.bad[:MAX_SHOWN]:
        findings.mkdir(parents=True, exist_ok=True)
        path = findings / f"{result.outcome.name.lower()}-{seed}-{result.case.index}.{result.case.kind.name.lower()}"
        path.write_bytes(result.case.data)
        typer.echo(f"{result.case.mutation}: {result.outcome.value} {result.error}\n    {path}", err=True)
    if report.bad:
        raise typer.Exit(1)


def as_data(report: Report, seed: int) -> dict[str, object]:
    """The counts as JSON has them."""
    return {
        "seed": seed,
        "cases": report.total(),
        "outcomes": {outcome.name.lower(): report.total(outcome) for outcome in Outcome},
        "mutations": [
            {"kind": kind.name.lower(), "mutation": mutation, "outcome": outcome.name.lower(), "cases": count}
            for (kind, mutation, outcome), count in report.counts.items()
        ],
        "errors": dict(report.errors.most_common()),
    }


def show(report: Report, seed: int) -> None:
    """The table: a row for each kind of mutation, a column for each outcome."""
    table = Table(title=f"seed {seed}, {report.total()} cases")
    table.add_column("tampered with")
    table.add_column("how")
    columns = {
        Outcome.REFUSED: "refused", Outcome.SAME: "same meaning", Outcome.ACCEPTED: "accepted",
        Outcome.CRASHED: "crashed",
    }  # fmt: skip
    for title in columns.values():
        table.add_column(title, justify="right")
    for kind, mutation in dict.fromkeys((kind, mutation) for kind, mutation, _ in report.counts):
        counts = [report.counts[kind, mutation, outcome] for outcome in columns]
        table.add_row(kind.value, mutation.replace("_", " "), *map(str, counts))
    table.add_section()
    table.add_row("all", "", *[str(report.total(outcome)) for outcome in columns])
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)
    errors = ", ".join(f"{name} {count}" for name, count in report.errors.most_common())
    typer.echo(f"refused by: {errors}")
