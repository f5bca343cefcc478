"""The commands `ps` and `logs`: what runs, and what it logs, asked of running hosts by their control sockets."""

from __future__ import annotations

import json
import shutil
import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

ActorLevel = Enum(  # type: ignore[misc]
    "ActorLevel", {name: name for name in ("off", "error", "warn", "info", "debug", "trace")}
)
SHOWN_ID = 12
"""How many characters of an id or a digest the tables show."""
WIDE = 120
"""How many columns a terminal has to have for tables with whole keys."""

HostOption = Annotated[
    str | None,
    typer.Option("--host", help="Which host: how its id begins, its process id, or its manifest.", metavar="HOST"),
]
ActorOption = Annotated[
    str | None, typer.Option(help="Only this actor: its public key, how that begins, or its name.", metavar="ACTOR")
]


def ps(
    host: HostOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that the hosts say as JSON.")] = False,
) -> None:
    """Show the hosts that run, with their actors, capabilities and bindings."""
    from host.control.client import chosen_host, running_hosts

    hosts = running_hosts()
    if host is not None or not hosts:
        hosts = [chosen_host(hosts, host)]
    if as_json:
        typer.echo(json.dumps(hosts, indent=2))
        return
    for each in hosts:
        show_host(each)


def logs(
    host: HostOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 100,
    actor: ActorOption = None,
    level: Annotated[ActorLevel | None, typer.Option(help="Only lines at least this important.")] = None,
    set_level: Annotated[
        ActorLevel | None, typer.Option(help="Show nothing, but set the level of the host, or of the actor's messages.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON object.")] = False,
) -> None:
    """Show the last lines of a running host's log, follow it, or change what is logged."""
    from host.control.client import ask

    if set_level is not None:
        for reply in ask(host, request="set_level", level=set_level.value, actor=actor):
            typer.echo(reply.get("done", ""))
        return
    chosen = None if level is None else level.value
    replies = ask(host, request="logs", lines=lines, follow=follow, actor=actor, level=chosen)
    for line in shown_lines(replies, as_json):
        # Whoever reads them in a pipe reads them now.
        typer.echo(line)
        sys.stdout.flush()


def shown_lines(replies: Iterator[dict[str, Any]], as_json: bool) -> Iterator[str]:
    """The lines of a log as they are printed."""
    from host.log_records import Line
    from host.logs import printable

    for reply in replies:
        if "missed" in reply:
            typer.echo(f"{reply['missed']} lines were left out here", err=True)
        if "line" in reply:
            line = Line(**reply["line"])
            yield line.to_json() if as_json else printable(f"[{line.time} {line.level:<7}] {line.message}")


def show_host(status: dict[str, Any]) -> None:
    """Print one host."""
    from wascap.cli.shared import new_table, show_table

    def short(text: object) -> str:
        return str(text)[:SHOWN_ID]

    # Keys as a whole would leave no room for the rest; how they begin is enough for other commands.
    is_narrow = sys.stdout.isatty() and shutil.get_terminal_size().columns < WIDE
    shown_key = short if is_narrow else str

    heading = f"{status['host']}  pid {status['pid']}, up {duration(status['uptime_seconds'])}"
    typer.echo(safe(heading))
    typer.echo(safe(f"manifest {status['manifest'] or 'none'}, wascc {status['version']}"))
    actors = new_table("actor", "key", "revision", "module", "instances", "state", "calls", "failures", title=None)
    for actor in status["actors"]:
        instances = f"{actor['instances']['made']} of {actor['instances']['most']}"
        digest = short(actor["module"].removeprefix("sha256:"))
        revision = "" if actor["revision"] is None else str(actor["revision"])
        row = (actor["name"], shown_key(actor["key"]), revision, digest, instances, actor["state"], actor["calls"])
        actors.add_row(*(safe(cell) for cell in (*row, actor["failures"])))
    capabilities = new_table("capability", "binding", "provider", title=None)
    for each in status["capabilities"]:
        capabilities.add_row(*(safe(cell) for cell in (each["id"], each["binding"], each["name"])))
    bindings = new_table("bound actor", "capability", "binding", title=None)
    for each in status["bindings"]:
        bindings.add_row(*(safe(cell) for cell in (shown_key(each["actor"]), each["capability"], each["binding"])))
    for table in (actors, capabilities, bindings):
        if table.row_count:
            show_table(table)


def safe(cell: object) -> str:
    """Text for a table: nothing that a terminal, or the library that draws the table, obeys."""
    from rich.markup import escape

    from host.logs import printable

    return escape(printable(str(cell)))


def duration(seconds: float) -> str:
    """A time in words: `3 d 4 h`, `5 h 6 min`, `7 min 8 s`, `9 s`."""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
