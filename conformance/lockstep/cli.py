"""The command `python -m conformance.lockstep`: run many modules on several engines, one case again, or what a finding
left; show and save what differs."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from conformance.lockstep.campaign import DEFAULT_MEMORY, Campaign, Report, Worker, run
from conformance.lockstep.cases import Source
from conformance.lockstep.compare import Lockstep, binaries_of
from conformance.lockstep.engines import DEFAULT_ENGINES, load, named
from conformance.lockstep.findings import Finding, ReplayError, load_replay
from conformance.lockstep.pool import PoolError
from conformance.schedule import rank
from conformance.script import ScriptError
from conformance.selection import SelectionError, select
from conformance.tools import ToolFailedError, ToolMissingError, wasm_tools_path
from host.cli import INTERRUPTED
from interp.binary.modules import decode
from interp.engine import EngineUnavailable
from interp.errors import Rejected, escaped
from interp.validation.modules import validate

DEFAULT_MODULES = 1000
DEFAULT_FOLDER = Path("build/lockstep")
MAX_SHOWN = 10
"""Findings that are shown of a run; all of them are saved."""

REFUSALS = (
    EngineUnavailable, ToolMissingError, ToolFailedError, PoolError, ReplayError, SelectionError, ScriptError, Rejected,
    OSError,
)  # fmt: skip
"""What the person who called must mend; shown as one line."""

app = typer.Typer(add_completion=False)


def _fail(error: Exception | str, code: int = 2) -> typer.Exit:
    """One line on stderr, and the exit that goes with it."""
    typer.echo(f"lockstep: {' '.join(str(error).split())}", err=True)
    return typer.Exit(code)


def _slow_first(scripts: Mapping[Path, str]) -> list[Path]:
    """Scripts in the order in which they are run."""
    return sorted(scripts, key=lambda path: rank(scripts[path]))


def _run(campaign: Campaign, folder: Path, console: Console) -> Report:
    """Run a campaign behind a progress bar (on a terminal only), saving each finding as it comes."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        what = "scripts" if campaign.scripts else "modules"
        task = bar.add_task(what, total=len(campaign.scripts) or campaign.modules)
        return run(campaign, partial(_progress, bar, task, folder))


def _progress(bar: Progress, task: TaskID, folder: Path, _: int, finding: Finding | None) -> None:
    if finding is not None:
        finding.save(folder)
        bar.console.print(escaped(finding.summary), markup=False, highlight=False)
    bar.advance(task)


def _show(findings: list[Finding], folder: Path) -> None:
    """Findings for people."""
    for finding in findings[:MAX_SHOWN]:
        typer.echo("\n".join(map(escaped, finding.lines())))
        typer.echo(f"  in {folder / finding.case}.txt\n")
    if len(findings) > MAX_SHOWN:
        typer.echo(f"… and {len(findings) - MAX_SHOWN} more in {folder}")


def _report(report: Report, folder: Path, *, as_json: bool) -> None:
    """Print what came of a run; exit code 1 if there are findings, INTERRUPTED if it did not come to its end."""
    campaign = report.campaign
    if as_json:
        data = {
            "engines": list(campaign.engines), "source": campaign.source.value, "seed": campaign.seed,
            "modules": report.cases, "seconds": round(report.seconds, 3), "interrupted": report.interrupted,
            "findings": [finding.to_json() for finding in report.findings],
        }  # fmt: skip
        typer.echo(json.dumps(data, indent=1))
    else:
        _show(report.findings, folder)
        engines = ", ".join(campaign.engines)
        found = f"{len(report.findings)} differ" if report.findings else "no difference"
        kind = "scripts" if campaign.scripts else f"modules of seed {campaign.seed}"
        what = f"{report.cases} {kind} ({campaign.source.value})"
        typer.echo(f"{what} on {engines} in {report.seconds:.1f} s: {found}")
    if report.interrupted:
        raise _fail("interrupted", INTERRUPTED)
    if report.findings:
        raise typer.Exit(1)


def _replay(path: Path) -> None:
    """Run what a finding left.  Raises what REFUSALS says."""
    wasm, names, schedule = load_replay(path)
    lockstep = Lockstep([load(name) for name in names])
    found = lockstep.compare(binaries_of(validate(decode(wasm)), wasm, lockstep.engines), schedule)
    typer.echo(f"{path}: {found or 'no difference'}")
    if found is not None:
        raise typer.Exit(1)


def _one(campaign: Campaign, index: int, folder: Path) -> None:
    """Run one case in this process.  Raises what REFUSALS says."""
    with tempfile.TemporaryDirectory(prefix="lockstep-") as scratch:
        finding = Worker(campaign, Path(scratch))(index)
    if finding is None:
        typer.echo(f"case {index}: no difference")
        return
    finding.save(folder)
    _show([finding], folder)
    raise typer.Exit(1)


@app.command()
def lockstep(
    replays: Annotated[
        list[Path] | None, typer.Argument(help="Run again what findings left (.json).", metavar="FILE…")
    ] = None,
    *,
    modules: Annotated[int, typer.Option(min=1, help="How many modules to run.")] = DEFAULT_MODULES,
    seed: Annotated[int, typer.Option(help="What all cases follow from.")] = 0,
    source: Annotated[Source, typer.Option(help="Where modules come from.")] = Source.BOTH,
    engines: Annotated[
        str, typer.Option(metavar="A,B,…", help="Engines; the others are compared with the first.")
    ] = ",".join(DEFAULT_ENGINES),
    suite: Annotated[
        Path | None, typer.Option(envvar="WASM_TESTSUITE", help="The test suite's folder, or one script of it.")
    ] = None,
    case: Annotated[int | None, typer.Option(min=0, help="Run this one case only.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that run at the same time.")] = os.cpu_count() or 1,
    narrow: Annotated[int, typer.Option(min=0, help="Findings that each process narrows down.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time to narrow down each of them.")] = 30.0,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Where findings are saved.")] = DEFAULT_FOLDER,
    backtraces: Annotated[
        bool, typer.Option("--backtraces/--no-backtraces", help="Compare where traps came from.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run modules on several engines in lock step; exit code 0 only if nothing differs."""
    try:
        for path in replays or ():
            _replay(path)
        if replays:
            return None
        wasm_tools_path()
        scripts = tuple(_slow_first(select([], suite))) if source is Source.SUITE else ()
        names = named(engines)
        campaign = Campaign(
            names, source, seed, modules, jobs, narrow, seconds, DEFAULT_MEMORY, scripts, backtraces=backtraces
        )
        if case is not None:
            return _one(campaign, case, output)
        report = _run(campaign, output, Console(stderr=True))
        return _report(report, output, as_json=as_json)
    except REFUSALS as error:
        raise _fail(error) from error
    except KeyboardInterrupt:
        raise _fail("interrupted", INTERRUPTED) from None
