"""The command `wascc manifest`: its JSON Schema for editors, and the reference of its fields."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

manifest = typer.Typer(help="The form of manifests.", no_args_is_help=True)


@manifest.command("schema")
def schema() -> None:
    """Print the JSON Schema of manifests, which editors check and complete them by."""
    from host.manifest.schema import json_schema_text

    typer.echo(json_schema_text(), nl=False)


@manifest.command("reference")
def reference(
    into: Annotated[
        Path | None, typer.Option(help="Put them into this page, between its marks.", metavar="FILE")
    ] = None,
) -> None:
    """Print the fields of manifests as tables in Markdown."""
    from host.manifest.schema import reference as text
    from host.manifest.schema import with_reference

    if into is None:
        typer.echo(text(), nl=False)
        return
    try:
        page = with_reference(into.read_text(encoding="utf-8"))
    except ValueError as error:
        raise typer.BadParameter(f"{into}: {error}") from error
    into.write_text(page, encoding="utf-8")
