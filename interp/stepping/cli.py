"""The command `step` of `wascc`."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import TYPE_CHECKING, Annotated

import typer

from interp.cli import (
    ArgumentsArgument,
    CommandError,
    DeadlineOption,
    DepthOption,
    DirectoryOption,
    EnvironmentOption,
    FeaturesOption,
    FileArgument,
    FuelOption,
    JsonOption,
    PagesOption,
    in_file,
    read_module,
    wasi_of,
)
from interp.engine import DEFAULT_FEATURES, Limits
from interp.syntax.features import UnknownFeatureError, feature_set

if TYPE_CHECKING:
    from interp.engines.embedding import PureEngine
    from interp.reference.stepper import Stepper
    from interp.stepping.session import Session

LIMITS = Limits()

MAX_PRINTED = 1000
MAX_SILENT = 10_000_000
"""Steps that are printed, and steps that are taken at once without that, if no other number is given."""

MAX_PAGES = 1024
"""Pages of 64 KiB for each memory, if no other number is given: of what steps change, copies are kept to go back."""


def step(
    file: FileArgument,
    func: Annotated[str, typer.Argument(help="A function: its export name, its name, or its index.", metavar="FUNC")],
    args: ArgumentsArgument = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="RULE|FUNC|OFFSET", help="Stop there: a rule (* and ? allowed), a function, a byte 0x…."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the last step.")] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Ask what to do next: forward, back, look around.")
    ] = False,
    maximum: Annotated[
        int | None,
        typer.Option(
            "--max", min=1, help=f"Steps to take [default: {MAX_PRINTED}, or {MAX_SILENT} at once if silent]."
        ),
    ] = None,
    features: FeaturesOption = DEFAULT_FEATURES,
    fuel: FuelOption = None,
    deadline: DeadlineOption = None,
    max_memory_pages: PagesOption = MAX_PAGES,
    max_call_depth: DepthOption = LIMITS.max_call_depth,
    directory: DirectoryOption = None,
    env: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch a function run, one reduction rule of the specification after the other. WASI imports are served; an
    interactive guest finds its input empty, and with --json it writes to stderr."""
    from interp.stepping.session import open_session

    if as_json and interactive:
        raise CommandError("--json and --interactive exclude each other")
    limits = Limits(
        fuel=fuel, deadline_seconds=deadline, max_memory_pages=max_memory_pages, max_call_depth=max_call_depth
    )
    guest_args, given = ([str(file), *(args or [])], []) if func == "_start" else ([str(file)], args or [])
    wasm, engine = read_module(file), reference_engine(features)
    streams = (sys.stderr.buffer if as_json else None, BytesIO() if interactive else None)
    with wasi_of(guest_args, directory or [], env or [], *streams) as wasi:
        with in_file(file):
            session = open_session(engine, wasm, func, given, limits, wasi)
        if until is not None:
            session.stepper.breakpoints.append(session.close_to(until))
        if interactive:
            prompt(session, maximum or MAX_SILENT)
        else:
            print_steps(session, maximum or (MAX_SILENT if quiet else MAX_PRINTED), quiet, as_json)


def reference_engine(features: str) -> PureEngine:
    """The engine whose machine can be watched. Raises CommandError."""
    from interp.engines.reference import create

    try:
        return create(feature_set(features))
    except UnknownFeatureError as error:
        raise CommandError(f"--features: {error}") from error


def prompt(session: Session, maximum: int) -> None:
    """Ask what to do until the end."""
    from interp.stepping.prompt import Prompt

    Prompt(session, maximum).run()


def print_steps(session: Session, maximum: int, quiet: bool, as_json: bool) -> None:
    """Take steps to the end, to a breakpoint, or as many as are allowed; print them, or only the last one. How it ends
    is told, and the exit code is that of `invoke`."""
    from interp.stepping.show import data_of, show_record

    stepper = session.stepper
    if quiet:
        stepper.run(maximum)
    records = [stepper.last()] if quiet else stepper.trace(maximum, to_breakpoint=True)
    try:
        for record in records:
            if record is not None:
                for line in [data_of(record)] if as_json else show_record(record):
                    typer.echo(line)
    except KeyboardInterrupt:
        typer.echo(f"after {stepper.index} steps:", err=True)
        raise
    if stepper.breakpoints and not stepper.met:
        typer.echo(f"{stepper.breakpoints[0].text} was not met", err=True)
    if as_json:
        end_json(stepper)
    else:
        end_text(stepper)


def end_json(stepper: Stepper) -> None:
    """The last line of JSON."""
    from interp.stepping.show import json_text
    from interp.wasi import ProcExit

    outcome = stepper.outcome
    data: dict[str, object] = {"outcome": "breakpoint" if stepper.met else "limit", "steps": stepper.index}
    if outcome is not None:
        message = None if outcome.error is None else str(outcome.error)
        data |= {"outcome": outcome.ending.value, "values": outcome.values, "message": message}
    typer.echo(json_text(data))
    if outcome is not None and outcome.error is not None:
        raise typer.Exit(outcome.error.code if isinstance(outcome.error, ProcExit) else 1)


def end_text(stepper: Stepper) -> None:
    """How it ended; where it stands, if that was a breakpoint. Raises what ended it."""
    from interp.reference.fill import fill
    from interp.stepping.show import show_outcome
    from interp.wasi import ProcExit

    outcome = stepper.outcome
    if outcome is not None and isinstance(outcome.error, ProcExit):
        typer.echo(show_outcome(outcome))
        raise SystemExit(outcome.error.code)
    if outcome is not None and outcome.error is not None:
        raise outcome.error
    if outcome is not None:
        typer.echo(show_outcome(outcome))
    elif stepper.met:
        typer.echo(fill(stepper.config, stepper.describer))
    else:
        typer.echo(f"stopped after {stepper.index} steps, as --max says", err=True)
