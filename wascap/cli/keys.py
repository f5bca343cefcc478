"""The command `wascc keys`."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from wascap.cli.shared import KEY_HELP, DirectoryOption, JsonOption, new_table, show_table
from wascap.errors import WascapError
from wascap.keystore import default_directory, find_key, key_file_name, list_keys, save
from wascap.nkeys import KeyPair, KeyType

keys = typer.Typer(help="Make and look at keys.", no_args_is_help=True)

HIDDEN_TYPES = {"PRIVATE", "SEED"}
KeyTypeName = Enum("KeyTypeName", {t.name.lower(): t.name.lower() for t in KeyType if t.name not in HIDDEN_TYPES})  # type: ignore[misc]


@keys.command("gen")
def keys_gen(
    key_type: Annotated[KeyTypeName, typer.Argument(help="What the key is for.", metavar="TYPE")],
    name: Annotated[str | None, typer.Argument(help="Keep it as NAME_TYPE.nk in the folder of key files.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Keep it in this file.", metavar="FILE")] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key: printed with its seed, or kept in a file that only you may read."""
    if name is not None and output is not None:
        raise typer.BadParameter("NAME and --output both say where the key is kept; give one of them")
    if name is not None and (not name or Path(name).name != name):
        raise typer.BadParameter(f"{name!r} is no name for a key; to keep it elsewhere give --output FILE")
    key = KeyPair.generate(KeyType[key_type.name.upper()])
    path = output
    if path is None and name is not None:
        path = (directory or default_directory()) / key_file_name(name, key)
    if path is not None:
        save(key, path)
    shown = {"public_key": key.public_key} | ({"seed": key.seed} if path is None else {"file": str(path)})
    if as_json:
        typer.echo(json.dumps(shown))
        return
    typer.echo(f"Public key: {key.public_key}")
    if path is not None:
        typer.echo(f"Seed kept in: {path}")
        return
    typer.echo(f"Seed: {key.seed}\n\nThe seed is private: who has it can sign in this key's name.")


@keys.command("list")
def keys_list(directory: DirectoryOption = None, as_json: JsonOption = False) -> None:
    """The key files in the folder, with the public keys."""
    folder = directory or default_directory()
    found = list_keys(folder) if directory or folder.exists() else []
    if as_json:
        typer.echo(json.dumps([{"file": name, **describe(key)} for name, key in found]))
        return
    if not found:
        typer.echo(f"No keys in {folder}")
        return
    table = new_table("File", "Kind", "Public key", title=f"Keys in {folder}")
    for name, key in found:
        shown = describe(key)
        table.add_row(name, shown.get("type", ""), shown.get("public_key", f"[red]{shown.get('error')}[/]"))
    show_table(table)


def describe(key: KeyPair | WascapError) -> dict[str, str]:
    """What may be shown of a key file."""
    if isinstance(key, KeyPair):
        return {"type": key.key_type.name.lower(), "public_key": key.public_key}
    return {"error": str(key)}


@keys.command("show")
def keys_show(
    key: Annotated[str, typer.Argument(help=f"{KEY_HELP[0].upper()}{KEY_HELP[1:]}, or a public key.")],
    seed: Annotated[bool, typer.Option("--seed", help="Print the seed too, which is secret.")] = False,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """What kind of key it is, and its public key."""
    found = find_key(key, directory)
    shown = describe(found) | ({"seed": found.seed} if seed else {})
    if as_json:
        typer.echo(json.dumps(shown))
    else:
        typer.echo("\n".join(f"{name.replace('_', ' ').capitalize()}: {value}" for name, value in shown.items()))
