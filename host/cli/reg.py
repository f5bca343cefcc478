"""The command `wascc reg`: actors and provider archives in OCI registries."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.cli.up import LatestOption
from wascap.cli.shared import JsonOption, read_module, write_whole

if TYPE_CHECKING:
    from host.registry.artifacts import Artifact
    from host.registry.client import Registry
    from host.registry.connection import Progress

reg = typer.Typer(help="Pull from OCI registries, and push to them.", no_args_is_help=True)

SUFFIXES = {"actor": ".wasm", "provider archive": ".par"}

ReferenceArgument = Annotated[
    str, typer.Argument(help="HOST[:PORT]/REPOSITORY:TAG, or …@sha256:DIGEST.", metavar="REFERENCE")
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Without encryption, which otherwise is for this machine's registries alone.")
]
SecondsOption = Annotated[
    float, typer.Option("--timeout", min=1, help="How long it may take in all.", metavar="SECONDS")
]


@reg.command("pull")
def reg_pull(
    reference: ReferenceArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file (default: named like the repository).")
    ] = None,
    digest: Annotated[
        str | None, typer.Option("--digest", "-d", help="Only if the manifest has this digest, sha256:….")
    ] = None,
    allow_latest: LatestOption = False,
    insecure: InsecureOption = False,
    timeout: SecondsOption = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Fetch an actor or a provider archive, verified against its digests."""
    with carried() as progress:
        artifact = registry(allow_latest, insecure, timeout).pull(reference, digest, progress)
    path = output or default_path(artifact)
    write_whole(path, artifact.data)
    show("Pulled", artifact, path, as_json)


@reg.command("push")
def reg_push(
    reference: ReferenceArgument,
    file: Annotated[Path, typer.Argument(help="A signed module or a provider archive.", metavar="FILE")],
    allow_latest: LatestOption = False,
    insecure: InsecureOption = False,
    timeout: SecondsOption = 300.0,
    as_json: JsonOption = False,
) -> None:
    """Put a signed actor or a provider archive into a registry."""
    data = read_module(file)
    with carried() as progress:
        artifact = registry(allow_latest, insecure, timeout).push(reference, data, file.name, progress)
    show("Pushed", artifact, file, as_json)


def registry(allow_latest: bool, insecure: bool, seconds: float) -> Registry:
    """The registries that the options allow."""
    from host.registry.client import Registry
    from host.registry.options import RegistryOptions

    return Registry(RegistryOptions(insecure, allow_latest, seconds))


def default_path(artifact: Artifact) -> Path:
    """A file here, called as the repository is.  Raises RegistryError for what is no actor and no archive."""
    from host.errors import RegistryError
    from host.registry.artifacts import kind_of
    from host.registry.reference import Reference

    name = Reference.parse(artifact.reference).repository.rpartition("/")[2]
    try:
        return Path(name + SUFFIXES[kind_of(artifact.data).name])
    except RegistryError as error:
        raise RegistryError(f"{error.message}; with --output FILE it is written all the same") from error


@contextmanager
def carried() -> Iterator[Progress | None]:
    """A bar on the terminal that shows how much was carried; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    with Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("")

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update


def show(done: str, artifact: Artifact, path: Path, as_json: bool) -> None:
    """What was pulled or pushed."""
    if as_json:
        shown = {
            "reference": artifact.reference, "digest": artifact.digest, "layer": artifact.layer.digest,
            "media_type": artifact.layer.media_type, "bytes": len(artifact.data), "file": str(path),
            "cached": artifact.cached,
        }  # fmt: skip
        typer.echo(json.dumps(shown))
        return
    where = " (from the cache)" if artifact.cached else ""
    typer.echo(f"{done} {path}, {len(artifact.data):,} bytes{where}")
    typer.echo(artifact.reference)
