"""The command `conformance`: run scripts of the test suite on an engine, or put earlier reports side by side."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.coverage import ENGINES as OBSERVABLE
from conformance.expectations import ExpectationsError, load_expectations
from conformance.output import FORMS, Form, OutputError, check_output, present
from conformance.record import Report, ReportError, load_report
from conformance.report import FileReport, RunReport
from conformance.runner import ANY_REJECTION, RunOptions
from conformance.schedule import slow
from conformance.selection import SelectionError, select
from conformance.suite import FetchError, cache_folder, fetch, pinned
from conformance.tools import ToolMissingError, wasm_tools_path
from conformance.workers import DEFAULT_MEMORY, Pool
from host.cli import INTERRUPTED
from interp.cli import EngineName
from interp.engine import EngineUnavailable, load_engine
from interp.errors import escaped
from interp.syntax.features import SETS, UnknownFeatureError, feature_set

DEFAULT_TIMEOUT_SECONDS = 300.0
GIB = 1 << 30
REPORT_SUFFIX = ".json"
REFUSALS = (
    EngineUnavailable, ExpectationsError, FetchError, OSError, OutputError, ReportError, SelectionError,
    ToolMissingError, UnknownFeatureError,
)  # fmt: skip
"""What the person who called must mend; shown as one line."""

app = typer.Typer(add_completion=False)

PathsArgument = Annotated[
    list[Path] | None, typer.Argument(help="Scripts, folders of scripts, or earlier reports (.json).", metavar="PATH…")
]
SuiteOption = Annotated[Path | None, typer.Option(envvar="WASM_TESTSUITE", help="The folder of the test suite.")]
FetchOption = Annotated[
    bool, typer.Option("--fetch", help="If no folder is given, clone the suite (once, into the cache).")
]
FeaturesOption = Annotated[
    str | None,
    typer.Option(metavar="SET", help=f"Skip modules that need more than {', '.join(SETS)}; also 2.0,gc or 3.0,-simd."),
]
PhaseOption = Annotated[
    bool | None,
    typer.Option("--strict-phase/--any-rejection", help="Tell malformed from invalid (unset: if the engine does)."),
]
OutputOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help=f"Write the report to a file ending in {' or '.join(FORMS)}.")
]


def _fail(error: Exception | str, code: int = 2) -> typer.Exit:
    """One line on stderr, and the exit that goes with it."""
    typer.echo(f"conformance: {escaped(' '.join(str(error).split()))}", err=True)
    return typer.Exit(code)


@app.command()
def conformance(
    paths: PathsArgument = None,
    *,
    suite: SuiteOption = None,
    fetch_suite: FetchOption = False,
    engine: Annotated[EngineName, typer.Option(help="The engine to test.")] = EngineName["reference"],
    features: FeaturesOption = None,
    strict_phase: PhaseOption = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Leave out the few scripts that take long.")] = False,
    pattern: Annotated[str, typer.Option("--file", metavar="GLOB", help="Only scripts with such names.")] = "*",
    line: Annotated[int | None, typer.Option(min=1, help="Report only the commands on this line.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Scripts that run at the same time.")] = os.cpu_count() or 1,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for each script.")] = DEFAULT_TIMEOUT_SECONDS,
    memory: Annotated[float, typer.Option(min=0.1, help="GiB for each worker.")] = DEFAULT_MEMORY / GIB,
    coverage: Annotated[bool, typer.Option("--coverage", help="Count the rules that are applied (slow).")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show each kind of command and each file.")] = False,
    output: OutputOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the README's table.")] = False,
) -> None:
    """Run .wast scripts of the WebAssembly test suite on an engine; exit code 0 if nothing unexpected came of it."""
    try:
        form = Form.of(as_json=as_json, as_markdown=as_markdown, verbose=verbose)
        named = list(paths or [])
        earlier = [path for path in named if path.suffix == REPORT_SUFFIX]
        check_output(output, several=len(earlier) > 1)
        if earlier:
            reports = _read(earlier, named)
        else:
            strict = strict_phase if strict_phase is not None else engine.value not in ANY_REJECTION
            options = RunOptions(features=features, strict_phase=strict, line=line, coverage=coverage)
            _check(engine.value, options)
            if fetch_suite and suite is None and not named:
                suite = fetch(pinned(), cache_folder())
            scripts = select(named, suite, pattern, slow() if smoke else ())
            pool = Pool(engine.value, options, jobs, timeout, int(memory * GIB))
            reports = [_run(pool, engine.value, options, scripts, Console(stderr=True)).record()]
        interrupted = not earlier and reports[0].interrupted
        if reports[0].files or not interrupted:
            present(reports, form, output)
        if interrupted:
            raise KeyboardInterrupt
    except REFUSALS as error:
        raise _fail(error) from error
    except KeyboardInterrupt:
        raise _fail("interrupted", INTERRUPTED) from None
    if not all(report.ok for report in reports):
        raise typer.Exit(1)


def _read(earlier: list[Path], named: list[Path]) -> list[Report]:
    """Earlier reports.  Raises ReportError, OSError."""
    if earlier != named:
        raise ReportError("reports are shown and scripts are run: give one or the other")
    return [load_report(path) for path in earlier]


def _check(engine: str, options: RunOptions) -> None:
    """Refuse what cannot be run.  Raises EngineUnavailable, ToolMissingError, UnknownFeatureError, SelectionError."""
    load_engine(engine)
    wasm_tools_path()
    if options.features is not None:
        feature_set(options.features)
    if options.coverage and engine not in OBSERVABLE:
        raise SelectionError(f"only the engine {', '.join(sorted(OBSERVABLE))} can count rules, not {engine}")


def _run(pool: Pool, engine: str, options: RunOptions, scripts: dict[Path, str], console: Console) -> RunReport:
    """Run the scripts behind a progress bar (on a terminal only), until all are done or somebody interrupts."""
    expectations = load_expectations(engine)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    reports: dict[str, FileReport] = {}
    started = time.monotonic()
    interrupted = False
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("scripts", total=len(scripts))
            for report in pool.run(list(scripts), scripts):
                reports[report.file] = report
                progress.update(task, advance=1, description=report.file)
    except KeyboardInterrupt:
        interrupted = True
    return RunReport(
        engine=engine,
        features=options.features,
        strict_phase=options.strict_phase,
        line=options.line,
        files=tuple(reports[name] for name in scripts.values() if name in reports),
        expectations=expectations,
        seconds=time.monotonic() - started,
        observed=options.coverage,
        interrupted=interrupted,
    )
