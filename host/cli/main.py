"""Where `wascc` starts: finds the sub-commands that the layers registered, and turns errors into one clear line.

Each layer registers its commands as entry points (group `wascc.commands`), so the host need not import them.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from importlib.metadata import entry_points, version
from typing import NoReturn

import typer

from host.cli import INTERRUPTED

COMMAND_GROUP = "wascc.commands"
ORDER = (
    *("up", "ps", "logs", "call", "explain", "manifest"),
    *("keys", "claims", "par", "reg"),
    *("invoke", "step", "validate", "dump", "conformance", "bench"),
)
"""How the help lists the commands; others come after these."""

COMPLETION_VARIABLE = "_WASCC_COMPLETE"


def show_version(wanted: bool) -> None:
    """The option --version."""
    if wanted:
        typer.echo(f"wascc {version('wascc')}")
        raise typer.Exit


def root(
    _: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Show the version."),
) -> None:
    """Sign WebAssembly actors, host them securely, and see inside the machine that runs them."""


def build_app(only: str | None = None) -> typer.Typer:
    """The command with all sub-commands that are installed, or with one of them if there is one of that name."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(root)
    found = {entry.name: entry for entry in entry_points(group=COMMAND_GROUP)}
    if only in found:
        found = {only: found[only]}
    for name in sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)):
        command = found[name].load()
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def expected_errors() -> tuple[type[BaseException], ...]:
    """The errors that say in one line what a person must know; anything else is a fault of the program."""
    from host.errors import HostError
    from host.providers.base import ProviderError
    from interp import EngineUnavailable, WasmError
    from interp.arguments import ArgumentError
    from interp.cli import CommandError
    from interp.dump import NoSuchFunctionError
    from wapc import WapcError
    from wascap import WascapError

    return (
        ArgumentError, CommandError, EngineUnavailable, HostError, NoSuchFunctionError, OSError, ProviderError,
        WapcError, WascapError, WasmError,
    )  # fmt: skip


def shown(error: BaseException) -> str:
    """The text of an error, in one line; of a manifest's, a line for each problem; of an operating system's error, the
    file first."""
    from host.manifest import ManifestError
    from host.redaction import secrets
    from interp.errors import escaped

    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return escaped(f"{error.filename}: {error.strerror}")
    if isinstance(error, ManifestError):
        return "\n".join(escaped(secrets.redacted(line)) for line in str(error).splitlines())
    return escaped(secrets.redacted(str(error))) or type(error).__name__


def was_interrupted(end: SystemExit | KeyboardInterrupt) -> bool:
    """Whether Ctrl-C made the command line end, which typer turns into an exit without a word."""
    context = end.__context__
    return isinstance(end, KeyboardInterrupt) or (
        context is not None and isinstance(context.__cause__, KeyboardInterrupt)
    )


def leave(code: int) -> NoReturn:
    """End now, without waiting for a thread that may run guest code for ever."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def prepare_streams() -> None:
    """See to it that whatever is printed can be: what the encoding lacks is escaped, closed streams lead nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """The console script."""
    prepare_streams()
    try:
        run()
    except SystemExit as exit_:
        # A thread may still run guest code that nothing can stop; it must not keep the program alive.
        if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
            leave(exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None))
        raise


def run() -> None:
    """Run the command line; ends in SystemExit."""
    try:
        # What completes a command line has to know all commands; otherwise only the one to run is loaded.
        completing = COMPLETION_VARIABLE in os.environ
        build_app(None if completing else next(iter(sys.argv[1:]), None))(prog_name="wascc")
    except (SystemExit, KeyboardInterrupt) as end:
        if was_interrupted(end):
            typer.echo("interrupted", err=True)
        if isinstance(end, KeyboardInterrupt):
            leave(INTERRUPTED)
        raise
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except expected_errors() as error:
        typer.echo(f"error: {shown(error)}", err=True)
        sys.exit(1)
