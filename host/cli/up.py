"""The commands `up` and `call`: run a host, and call an actor once."""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interp.cli import DEFAULT, EngineName, interruptible

if TYPE_CHECKING:
    from collections.abc import Callable

    from host.builder import HostBuilder
    from host.host import Host
    from host.log_records import RecentLines
    from host.manifest import Manifest

LogFormat = Enum("LogFormat", {name: name for name in ("text", "json")})  # type: ignore[misc]
LogLevel = Enum("LogLevel", {name: name for name in ("debug", "info", "warning", "error")})  # type: ignore[misc]

IMPATIENCE_SECONDS = 0.5
DEFAULT_MANIFESTS = ("manifest.yaml", "manifest.yml", "manifest.json")

EngineOption = Annotated[EngineName, typer.Option("--engine", help="What runs the actors.")]
ExpandOption = Annotated[bool, typer.Option("--expand-env", "-e", help="Replace ${VAR} and ${VAR:default}.")]
DeadlineOption = Annotated[
    float | None, typer.Option(min=0.001, help="Seconds for each call of an actor.", metavar="SECONDS")
]
FuelOption = Annotated[int | None, typer.Option(min=1, help="Units of fuel for each call of an actor.")]
LatestOption = Annotated[bool, typer.Option("--allow-latest", help="Take what a tag latest names in a registry today.")]
InsecureOption = Annotated[
    bool, typer.Option("--insecure-registries", help="Speak to any registry without encryption.")
]
PagesOption = Annotated[int | None, typer.Option(min=1, help="Pages of 64 KiB for each actor's memory.")]


def start_logging(level: str, log_format: str = "text", *others: logging.Handler) -> None:
    """Log to stderr, and to the handlers given, from this level on; other libraries from WARNING on."""
    from host.log_records import JsonFormatter, TextFormatter, set_log_level

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter(sys.stderr.isatty()))
    logging.basicConfig(level=logging.WARNING, handlers=[handler, *others])
    set_log_level(level.upper())


def builder_of(engine: str, deadline: float | None, fuel: int | None, pages: int | None) -> HostBuilder:
    """A host of that engine; limits that are not given are the defaults for actors."""
    from dataclasses import replace

    from host.builder import HostBuilder
    from wapc import DEFAULT_LIMITS

    wanted = {"deadline_seconds": deadline, "fuel": fuel, "max_memory_pages": pages}
    given: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    return HostBuilder().with_engine(engine).with_limits(replace(DEFAULT_LIMITS, **given))


@contextmanager
def stop_signals() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the program at once."""
    stop = Event()
    first: list[float] = []

    def handle(number: int, _: FrameType | None) -> None:
        # Some programs send a signal twice; only a later one says that it takes too long.
        if stop.is_set() and time.monotonic() - first[0] > IMPATIENCE_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if not stop.is_set():
            first.append(time.monotonic())
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def default_manifest() -> Path:
    """The manifest in the current folder.  Raises BadParameter."""
    for name in DEFAULT_MANIFESTS:
        if Path(name).is_file():
            return Path(name)
    raise typer.BadParameter(f"no manifest is given, and there is no {DEFAULT_MANIFESTS[0]} here")


def up(
    manifest: Annotated[Path | None, typer.Argument(help="What to run (default: manifest.yaml here).")] = None,
    engine: EngineOption = DEFAULT,
    expand_env: ExpandOption = False,
    deadline: DeadlineOption = None,
    fuel: FuelOption = None,
    max_memory_pages: PagesOption = None,
    log_level: Annotated[LogLevel, typer.Option(help="What to log on stderr.")] = LogLevel["info"],
    allow_latest: LatestOption = False,
    insecure_registries: InsecureOption = False,
    log_format: Annotated[LogFormat, typer.Option(help="How: lines of text, or of JSON.")] = LogFormat["text"],
    watch: Annotated[bool, typer.Option("--watch", help="Apply changes of the manifest and of its modules.")] = False,
) -> None:
    """Run a host with the actors, capabilities and bindings of a manifest, until SIGINT or SIGTERM."""
    from host.cli import INTERRUPTED
    from host.cli.main import leave
    from host.cli.memory import give_back_large_blocks
    from host.log_records import RecentLines, run_one_host
    from host.manifest import Manifest
    from host.registry.options import RegistryOptions

    path = manifest or default_manifest()
    registry = RegistryOptions(insecure_registries, allow_latest)
    give_back_large_blocks()
    recent = RecentLines()
    start_logging(log_level.value, log_format.value, recent)

    def read() -> Manifest:
        return Manifest.from_file(path, expand_env=expand_env)

    # Before signals only set an event: a pipe that nobody writes to can be waited for.
    wanted = read()
    builder = builder_of(engine.value, deadline, fuel, max_memory_pages).with_registry(registry)
    with stop_signals() as stop, builder.build() as host:
        run_one_host(host.id)
        try:
            following = interruptible(lambda: follow(host, path, read, wanted, watch), stop)
        except KeyboardInterrupt:
            # A guest may be in an endless start; nothing is served yet, so nothing needs to be wound up.
            leave(INTERRUPTED)
        with control_socket(host, path, recent):
            if following is not None:
                Thread(target=following, args=(stop,), name="watching", daemon=True).start()
            while not stop.wait(1.0):
                pass


def follow(
    host: Host, path: Path, read: Callable[[], Manifest], wanted: Manifest, watch: bool
) -> Callable[[Event], None] | None:
    """Apply a manifest; where its changes are to be applied too, what does that until an event is set."""
    if not watch:
        host.apply_manifest(wanted)
        return None
    from host.manifest.deployment import Deployment
    from host.manifest.watching import Watcher

    return Watcher(Deployment(host, wanted), path, read, wanted).run


@contextmanager
def control_socket(host: Host, path: Path, recent: RecentLines) -> Iterator[None]:
    """Answer `wascc ps` and `wascc logs` meanwhile."""
    from host.control.server import serve_control_socket

    control = serve_control_socket(host, path, recent)
    try:
        yield
    finally:
        if control is not None:
            control.stop()


def read_payload(text: str | None, as_msgpack: bool) -> bytes:
    """The payload of `call`: text, the content of a file (@FILE), or of stdin (-); JSON text as msgpack on demand."""
    import msgpack

    if text == "-":
        payload = sys.stdin.buffer.read()
    elif text is not None and text.startswith("@"):
        payload = Path(text[1:]).read_bytes()
    else:
        payload = (text or "").encode()
    if not as_msgpack:
        return payload
    try:
        packed: bytes = msgpack.packb(json.loads(payload))
    except (ValueError, OverflowError, RecursionError) as error:
        raise typer.BadParameter(f"the payload is no JSON text: {error}") from error
    return packed


def call(
    actor: Annotated[
        str, typer.Argument(help="A signed module, or with --manifest an actor's key or name.", metavar="ACTOR")
    ],
    operation: Annotated[str, typer.Argument(help="The operation, such as HealthRequest.", metavar="OP")],
    payload: Annotated[str | None, typer.Argument(help="Text, @FILE, or - for stdin.", metavar="PAYLOAD")] = None,
    manifest: Annotated[Path | None, typer.Option(help="Run the actor with what this manifest sets up.")] = None,
    engine: EngineOption = DEFAULT,
    expand_env: ExpandOption = False,
    deadline: DeadlineOption = None,
    fuel: FuelOption = None,
    max_memory_pages: PagesOption = None,
    as_msgpack: Annotated[bool, typer.Option("--msgpack", help="PAYLOAD is JSON; send it as msgpack.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The response is msgpack; print it as JSON.")] = False,
    allow_latest: LatestOption = False,
    insecure_registries: InsecureOption = False,
    log_level: Annotated[LogLevel, typer.Option(help="What to log on stderr.")] = LogLevel["warning"],
) -> None:
    """Load an actor, call one of its operations, and print the response."""
    from host.registry.options import RegistryOptions

    start_logging(log_level.value)
    request = read_payload(payload, as_msgpack)
    builder = builder_of(engine.value, deadline, fuel, max_memory_pages)
    builder.with_registry(RegistryOptions(insecure_registries, allow_latest))
    response = interruptible(lambda: call_once(builder, actor, operation, request, manifest, expand_env))
    if as_json:
        typer.echo(json.dumps(as_data(response), default=show_bytes))
    elif sys.stdout.isatty():
        typer.echo(for_terminal(response))
    else:
        sys.stdout.buffer.write(response)
        sys.stdout.buffer.flush()


def for_terminal(response: bytes) -> str:
    """A response as a terminal may show it: lines and tabs stay, whatever else is not printable is escaped."""
    text = response.decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)


def call_once(
    builder: HostBuilder, actor: str, operation: str, request: bytes, manifest: Path | None, expand_env: bool
) -> bytes:
    """Start a host, have one of its actors carry out one operation, shut down; the response."""
    from host.actor import Actor, called
    from host.manifest import Manifest

    with builder.build() as host:
        if manifest is not None:
            host.apply_manifest(Manifest.from_file(manifest, expand_env=expand_env))
        found = called(actor, host.actors())
        if len(found) > 1:
            raise typer.BadParameter(f"{len(found)} actors of the manifest are called {actor}")
        if found:
            return host.call_actor(found[0], operation, request)
        if manifest is not None and not Path(actor).is_file():
            raise typer.BadParameter(f"no actor of the manifest is called {actor}, and there is no such file")
        loaded = Actor.from_file(actor)
        if loaded.public_key not in host.actors():
            host.add_actor(loaded)
        return host.call_actor(loaded.public_key, operation, request)


def as_data(response: bytes) -> Any:
    """The first msgpack value of a response, None if it is empty.  Raises CodecError."""
    import msgpack

    from host.codec import CodecError

    if not response:
        return None
    unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=len(response))
    unpacker.feed(response)
    try:
        return unpacker.unpack()
    except (ValueError, msgpack.UnpackException) as error:
        raise CodecError("the response is not msgpack") from error


def show_bytes(value: Any) -> Any:
    """Bytes in JSON: as text where they are text, as a list of numbers otherwise."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return list(value)
    return str(value)
