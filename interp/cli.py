"""The commands `invoke`, `validate` and `dump` of `wascc`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar

import typer

from interp.engine import DEFAULT_ENGINE, DEFAULT_FEATURES, ENGINES, Limits, load_engine
from interp.errors import Rejected
from interp.syntax.features import UnknownFeatureError

if TYPE_CHECKING:
    from interp.engine import Engine, Instance, Module, Store
    from interp.wasi import Wasi

EngineName = Enum("EngineName", {name: name for name in ENGINES})  # type: ignore[misc]
EngineOption = Annotated[EngineName, typer.Option("--engine", help="What runs the module.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
FileArgument = Annotated[
    Path, typer.Argument(help="A WebAssembly module (.wasm, or .wat in the text format).", metavar="FILE")
]
FeaturesOption = Annotated[
    str,
    typer.Option(metavar="SET", help="Refuse what needs more: 1.0, 2.0, 3.0, single features, or as in 2.0,gc,-simd."),
]

FuelOption = Annotated[int | None, typer.Option(min=0, help="Units of fuel: function entries and backward branches.")]
DeadlineOption = Annotated[float | None, typer.Option(min=0, help="Seconds that it may run.", metavar="SECONDS")]
PagesOption = Annotated[int, typer.Option(min=0, help="Pages of 64 KiB for each memory.")]
DepthOption = Annotated[int, typer.Option(min=1, help="Nested calls.")]
DirectoryOption = Annotated[list[str] | None, typer.Option("--dir", help="Give a WASI guest this folder (GUEST=HOST).")]
EnvironmentOption = Annotated[
    list[str] | None, typer.Option("--env", help="Give a WASI guest this variable (NAME=VALUE).")
]
ArgumentsArgument = Annotated[
    list[str] | None, typer.Argument(help="Its arguments (-- before negative ones).", metavar="ARG…")
]

T = TypeVar("T")
LIMITS = Limits()
DEFAULT = EngineName[DEFAULT_ENGINE]
MAX_MODULE_BYTES = 1 << 30


class CommandError(Exception):
    """What the person who called must mend; shown as one line."""


TEXT_SUFFIX = ".wat"


def read_module(path: Path) -> bytes:
    """The binary module in a file; a text module (.wat) is converted.  Raises CommandError, OSError."""
    from interp.text.converter import TextError, ToolFailedError, ToolMissingError, binary_of

    with path.open("rb") as file:
        # What a device or a pipe holds, its size does not say.
        content = file.read(MAX_MODULE_BYTES + 1)
    if len(content) > MAX_MODULE_BYTES:
        raise CommandError(f"{path}: larger than {MAX_MODULE_BYTES} bytes")
    if path.suffix != TEXT_SUFFIX or content.startswith(b"\0asm"):
        return content
    try:
        return binary_of(content)
    except (TextError, ToolFailedError, ToolMissingError) as error:
        raise CommandError(f"{path}: {error}") from error


@contextmanager
def in_file(file: Path) -> Iterator[None]:
    """Say which file was rejected.  Raises CommandError."""
    try:
        yield
    except Rejected as error:
        raise CommandError(f"{file}: {error}") from error


def selected_engine(name: EngineName, features: str) -> Engine:
    """The engine that options ask for.  Raises CommandError, EngineUnavailable."""
    try:
        return load_engine(name.value, features)
    except UnknownFeatureError as error:
        raise CommandError(f"--features: {error}") from error


def validate(
    file: FileArgument,
    engine: EngineOption = DEFAULT,
    features: FeaturesOption = DEFAULT_FEATURES,
    derivation: Annotated[
        str | None,
        typer.Option(metavar="FUNC", help="Show how each instruction of this function (index or name) is typed."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decode and validate a module; exit code 0 only if it is valid."""
    wasm = read_module(file)
    try:
        module = selected_engine(engine, features).compile(wasm)
    except Rejected as error:
        if as_json:
            typer.echo(json.dumps({"valid": False, "error": type(error).__name__, "message": str(error)}))
            raise typer.Exit(1) from error
        raise CommandError(f"{file}: {error}") from error
    if derivation is not None:
        show_derivation(wasm, derivation, as_json)
    elif as_json:
        typer.echo(json.dumps({"valid": True, "imports": len(module.imports), "exports": len(module.exports)}))
    else:
        typer.echo(f"{file}: valid ({len(module.imports)} imports, {len(module.exports)} exports)")


def show_derivation(wasm: bytes, function: str, as_json: bool) -> None:
    """Print the typing derivation of a function of a valid module.  Raises NoSuchFunctionError."""
    from interp.binary.modules import decode
    from interp.dump import selected
    from interp.validation.derivation import derivation_json, derivation_text
    from interp.validation.modules import validate as validated

    valid = validated(decode(wasm))
    for index, func in selected(valid.module, function):
        if as_json:
            typer.echo(json.dumps({"function": index, **derivation_json(valid.context, func)}))
        else:
            for line in derivation_text(valid.context, func):
                typer.echo(line)


def dump(
    file: FileArgument,
    function: Annotated[str | None, typer.Option(help="Only this function: its index, name, or export name.")] = None,
    python: Annotated[
        bool, typer.Option("--python", help="The Python that the engine 'compiled' makes of functions, line by line.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a module holds: sections, imports, exports, and the code of its functions with its offsets."""
    from interp.binary.modules import decode
    from interp.dump import dump_json, dump_text

    wasm = read_module(file)
    if python:
        dump_python(file, wasm, function, as_json)
        return
    with in_file(file):
        module = decode(wasm)
    if as_json:
        typer.echo(json.dumps(dump_json(module, function), indent=2))
        return
    for line in dump_text(module, function):
        typer.echo(line)


def dump_python(file: Path, wasm: bytes, function: str | None, as_json: bool) -> None:
    """Print functions of a module as Python, which it must be valid for.  Raises CommandError, NoSuchFunctionError."""
    from rich.console import Console

    from interp.binary.modules import decode
    from interp.dump_python import python_functions, show
    from interp.validation.modules import validate as validated

    with in_file(file):
        valid = validated(decode(wasm))
    functions = python_functions(valid, function)
    if as_json:
        typer.echo(json.dumps([each.to_json() for each in functions], indent=2))
    else:
        show(functions, Console())


def invoke(
    file: FileArgument,
    func: Annotated[str, typer.Argument(help="The name of the exported function.", metavar="FUNC")],
    args: ArgumentsArgument = None,
    engine: EngineOption = DEFAULT,
    features: FeaturesOption = DEFAULT_FEATURES,
    fuel: FuelOption = None,
    deadline: DeadlineOption = None,
    max_memory_pages: PagesOption = LIMITS.max_memory_pages,
    max_call_depth: DepthOption = LIMITS.max_call_depth,
    directory: DirectoryOption = None,
    env: EnvironmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call an exported function of a module; prints its results, one a line. WASI imports are served."""
    limits = Limits(
        fuel=fuel, deadline_seconds=deadline, max_memory_pages=max_memory_pages, max_call_depth=max_call_depth
    )
    guest_args = [str(file), *(args or [])] if func == "_start" else [str(file)]
    wasi = wasi_of(guest_args, directory or [], env or [])
    chosen, wasm = selected_engine(engine, features), read_module(file)
    with in_file(file):
        results = interruptible(lambda: call(chosen, wasm, func, args or [], limits, wasi))
    typer.echo(json.dumps({"results": results}) if as_json else "\n".join(results), nl=as_json or bool(results))


def wasi_of(
    args: list[str],
    directories: list[str],
    env: list[str],
    output: BinaryIO | None = None,
    stdin: BinaryIO | None = None,
) -> Wasi:
    """The world of a WASI guest: our own standard streams (`output` instead of stdout, `stdin` instead of ours), and
    what the options give it."""
    from interp.wasi import Wasi, WasiParams

    pairs = [text.partition("=") for text in env]
    if any(not separator for _, separator, _ in pairs):
        raise CommandError("--env takes NAME=VALUE")
    preopens = {guest: host or guest for guest, _, host in (text.partition("=") for text in directories)}
    variables = {name: value for name, _, value in pairs}
    streams = (stdin or sys.stdin.buffer, output or sys.stdout.buffer, sys.stderr.buffer)
    try:
        return Wasi(WasiParams(args, variables, preopens, *streams))
    except ValueError as error:
        raise CommandError(str(error)) from error


def call(engine: Engine, wasm: bytes, func: str, args: list[str], limits: Limits, wasi: Wasi) -> list[str]:
    """Instantiate and call; the results as text.  Raises WasmError, CommandError, SystemExit for a guest that exits."""
    from interp.arguments import parse_arguments, show_results
    from interp.engine import Func
    from interp.wasi import ProcExit

    store = engine.store(limits)
    try:
        module = engine.compile(wasm)
        instance = instantiate(store, module, wasi)
        export = instance.exports.get(func)
        if not isinstance(export, Func):
            names = ", ".join(e.name for e in module.exports if isinstance(instance.exports[e.name], Func)) or "none"
            raise CommandError(f"no function is exported as {func!r}; there are: {names}")
        values = parse_arguments(export.type.params, [] if func == "_start" else args)
        return show_results(export.type.results, export(*values))
    except ProcExit as exit_:
        raise SystemExit(exit_.code) from None
    finally:
        wasi.close()


def instantiate(store: Store, module: Module, wasi: Wasi) -> Instance:
    """An instance whose WASI imports are served.  Raises CommandError for other imports."""
    from interp.engine import Memory

    served = wasi.imports(store, module)
    missing = [f"{i.module}.{i.name}" for i in module.imports if (i.module, i.name) not in served]
    if missing:
        raise CommandError(f"the module imports what this command cannot give: {', '.join(missing[:5])}")
    instance = store.instantiate(module, [served[i.module, i.name] for i in module.imports])
    memory = instance.exports.get("memory")
    if isinstance(memory, Memory):
        wasi.attach(memory)
    return instance


def interruptible(function: Callable[[], T], stop: Event | None = None) -> T:
    """Run in a thread, so that Ctrl-C ends the program even while a JIT runs code that never returns.

    Raises what the function raises, and KeyboardInterrupt once `stop` is set; the function then runs on.
    """

    outcome: list[tuple[Any, BaseException | None]] = []

    def target() -> None:
        try:
            outcome.append((function(), None))
        except BaseException as error:  # raised again in the main thread
            outcome.append((None, error))

    thread = Thread(target=target, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.02)
        if stop is not None and stop.is_set():
            raise KeyboardInterrupt
    result, error = outcome[0]
    if error is not None:
        raise error
    answer: T = result
    return answer
