"""The command `python -m conformance.fuzz`: run a campaign, one case of it, or files; save and show what was found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from conformance.fuzz.campaign import Campaign, CampaignError, Runner, run_case, summary
from conformance.fuzz.corpus import CorpusError, load_corpus
from conformance.fuzz.findings import Finding
from conformance.fuzz.properties import MEGABYTE, Bounds, Checker
from conformance.tools import ToolFailedError, ToolMissingError
from host.cli import INTERRUPTED
from interp.engine import EngineUnavailable, load_engine

DEFAULT_CASES = 100_000
DEFAULT_FOLDER = Path("build/fuzz")
MAX_SHOWN = 20
"""Findings that are shown of each campaign; all of them are saved."""

app = typer.Typer(add_completion=False)


def _fail(error: Exception | str, code: int = 2) -> typer.Exit:
    """One line on stderr, and the exit that goes with it."""
    typer.echo(f"fuzz: {error}", err=True)
    return typer.Exit(code)


def _run(campaign: Campaign, console: Console) -> tuple[Runner, bool]:
    """Run a campaign behind a progress bar (on a terminal only); and whether it came to its end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("cases", total=campaign.cases)
        runner = Runner(campaign, lambda done, found: bar.update(task, completed=done, description=f"{found} findings"))
        try:
            runner.run()
        except KeyboardInterrupt:
            return runner, False
    return runner, True


def _report(findings: list[Finding], folder: Path, what: str) -> None:
    """Show and save findings; exit code 1 if there are any."""
    try:
        saved = [(finding, finding.save(folder)) for finding in findings]
    except OSError as error:
        raise _fail(error, 1) from error
    for finding, path in saved[:MAX_SHOWN]:
        typer.echo(f"{finding}\n    {path}")
    if len(saved) > MAX_SHOWN:
        typer.echo(f"… and {len(saved) - MAX_SHOWN} more in {folder}")
    counts = ", ".join(f"{count} {symptom.value}" for symptom, count in summary(findings))
    typer.echo(f"{what}: {counts or 'nothing found'}")
    if findings:
        raise typer.Exit(1)


def _check_files(files: Iterable[Path], checker: Checker) -> list[Finding]:
    """The findings of modules in files.  Raises OSError."""
    return [finding for path in files for finding in checker.check(path.stem, path.read_bytes())]


@app.command()
def fuzz(
    files: Annotated[list[Path] | None, typer.Argument(help="Check these modules instead.", metavar="FILE…")] = None,
    *,
    seed: Annotated[int, typer.Option(help="What all cases follow from.")] = 0,
    cases: Annotated[int, typer.Option(min=1, help="How many cases to run.")] = DEFAULT_CASES,
    case: Annotated[
        int | None, typer.Option(min=0, help="Run this one case only: the last number in the name of a finding.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that run at the same time.")] = os.cpu_count() or 1,
    suite: Annotated[Path | None, typer.Option(envvar="WASM_TESTSUITE", help="The folder of the test suite.")] = None,
    seconds: Annotated[float, typer.Option(min=0.001, help="Longest time for a case.")] = 1.0,
    megabytes: Annotated[int, typer.Option(min=1, help="Most memory for a case.")] = 200,
    findings: Annotated[Path, typer.Option(metavar="FOLDER", help="Where findings are saved.")] = DEFAULT_FOLDER,
) -> None:
    """Fuzz decoding, validation and execution; exit code 0 if nothing was found."""
    bounds = Bounds(seconds, megabytes * MEGABYTE)
    try:
        load_engine("wasmtime")
        if files:
            return _report(_check_files(files, Checker(bounds)), findings, f"{len(files)} files")
        campaign = Campaign(seed, cases, load_corpus(suite), jobs, bounds)
        if case is not None:
            with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
                made, found = run_case(campaign, case, Checker(bounds), Path(scratch))
            return _report(found, findings, f"case {case} ({made.kind.value}; {len(made.wasm)} bytes)")
        runner, ended = _run(campaign, Console(stderr=True))
    except (EngineUnavailable, ToolMissingError, ToolFailedError, CorpusError, CampaignError, OSError) as error:
        raise _fail(error) from error
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(runner.report.kinds.items()))
    what = f"seed {seed}, {len(campaign.corpus)} modules, {runner.report.cases} cases ({kinds})"
    if not ended:
        typer.echo("fuzz: interrupted", err=True)
    try:
        _report(runner.report.findings, findings, what)
    finally:
        if not ended:
            raise typer.Exit(INTERRUPTED)
