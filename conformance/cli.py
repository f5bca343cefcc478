"""The command `conformance`: run scripts of the test suite on an engine, show and write the report."""

from __future__ import annotations

import json
import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.expectations import ExpectationsError, load_expectations
from conformance.features import FEATURES
from conformance.report import FileReport, RunReport
from conformance.runner import ANY_REJECTION, RunOptions
from conformance.selection import SelectionError, select, smoke
from conformance.show import show
from conformance.tools import ToolMissingError, wasm_tools_path
from conformance.workers import Pool
from host.cli import INTERRUPTED
from interp.cli import EngineName
from interp.engine import EngineUnavailable, load_engine

DEFAULT_TIMEOUT_SECONDS = 300.0
app = typer.Typer(add_completion=False)
FeatureSet = Enum("FeatureSet", {name: name for name in FEATURES})  # type: ignore[misc]


def _fail(error: Exception | str, code: int = 2) -> typer.Exit:
    """One line on stderr, and the exit that goes with it."""
    typer.echo(f"conformance: {error}", err=True)
    return typer.Exit(code)


def _check_output(output: Path | None) -> None:
    """Refuse a report that could not be written, before anything is run."""
    if output is None:
        return
    if output.suffix != ".json":
        raise _fail(f"{output}: a report ends in .json")
    if not output.parent.is_dir():
        raise _fail(f"{output.parent}: no such folder")


def _run(pool: Pool, scripts: dict[Path, str], console: Console) -> tuple[FileReport, ...]:
    """Run the scripts behind a progress bar (on a terminal only): their reports, in the order of the scripts."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    reports: dict[str, FileReport] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("scripts", total=len(scripts))
        for report in pool.run(list(scripts), scripts):
            reports[report.file] = report
            progress.update(task, advance=1, description=report.file)
    return tuple(reports[name] for name in scripts.values())


def _write(report: RunReport, output: Path | None, as_json: bool) -> None:
    text = json.dumps(report.to_json(), indent=2)
    if output is not None:
        try:
            output.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise _fail(error, 1) from error
    if as_json:
        typer.echo(text)
    else:
        show(report, Console())


@app.command()
def conformance(
    paths: Annotated[list[Path] | None, typer.Argument(help="Scripts, or folders of scripts.", metavar="PATH…")] = None,
    *,
    suite: Annotated[Path | None, typer.Option(envvar="WASM_TESTSUITE", help="The folder of the test suite.")] = None,
    engine: Annotated[EngineName, typer.Option(help="The engine to test.")] = EngineName["reference"],
    features: Annotated[FeatureSet | None, typer.Option(help="Skip modules that need more than this set.")] = None,
    strict_phase: Annotated[
        bool | None,
        typer.Option("--strict-phase/--any-rejection", help="Tell malformed from invalid (unset: if the engine does)."),
    ] = None,
    smoke_only: Annotated[bool, typer.Option("--smoke", help="The scripts of smoke.toml, with its features.")] = False,
    pattern: Annotated[str, typer.Option("--file", metavar="GLOB", help="Only scripts with such names.")] = "*",
    line: Annotated[int | None, typer.Option(min=1, help="Report only the commands on this line.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Scripts that run at the same time.")] = os.cpu_count() or 1,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for each script.")] = DEFAULT_TIMEOUT_SECONDS,
    output: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the report to a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run .wast scripts of the WebAssembly test suite on an engine; exit code 0 if nothing unexpected came of it."""
    _check_output(output)
    feature_set = features.value if features is not None else smoke().features if smoke_only else None
    strict = strict_phase if strict_phase is not None else engine.value not in ANY_REJECTION
    try:
        load_engine(engine.value)
        wasm_tools_path()
        expectations = load_expectations(engine.value)
        scripts = select(paths or [], suite, pattern, smoke().files if smoke_only else None)
    except (EngineUnavailable, ToolMissingError, ExpectationsError, SelectionError) as error:
        raise _fail(error) from error
    options = RunOptions(features=feature_set, strict_phase=strict, line=line)
    try:
        files = _run(Pool(engine.value, options, jobs, timeout), scripts, Console(stderr=True))
    except KeyboardInterrupt:
        raise _fail("interrupted", INTERRUPTED) from None
    report = RunReport(engine.value, feature_set, strict, line, files, expectations)
    _write(report, output, as_json)
    if not report.ok:
        raise typer.Exit(1)
