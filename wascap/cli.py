"""The commands `keys` and `claims` of `wascc`."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wascap.capabilities import CAPABILITY_NAMES, capability_name
from wascap.errors import FileError, MissingToken, WascapError
from wascap.keystore import default_directory, find_key, key_file_name, list_keys, save
from wascap.nkeys import KeyPair, KeyType

if TYPE_CHECKING:
    from rich.table import Table

    from wascap.embedding import ModuleInspection

keys = typer.Typer(help="Make and look at keys.", no_args_is_help=True)
claims = typer.Typer(help="Sign modules, and see what they claim.", no_args_is_help=True)

DAY = 86400
MAX_MODULE_BYTES = 1 << 30
HIDDEN_TYPES = {"PRIVATE", "SEED"}
KeyTypeName = Enum("KeyTypeName", {t.name.lower(): t.name.lower() for t in KeyType if t.name not in HIDDEN_TYPES})  # type: ignore[misc]

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DirectoryOption = Annotated[
    Path | None, typer.Option("--directory", "-d", help="The folder of key files ($WASCC_KEYS, or ~/.wascc/keys).")
]
KEY_HELP = "a key file, a name in the folder of key files, or a seed"


def read_module(path: Path) -> bytes:
    """The bytes of a module file.  Raises FileError."""
    try:
        if path.stat().st_size > MAX_MODULE_BYTES:
            raise FileError(f"{path} is larger than {MAX_MODULE_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise FileError(str(error)) from error


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file in one go: it is written as a whole or not at all.  Raises FileError."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            mode = path.stat().st_mode if path.exists() else 0o666 & ~current_umask()
            Path(temporary).chmod(mode & 0o777)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(str(error)) from error


def current_umask() -> int:
    """The process's file mode mask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


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


def flag(capability: str, *names: str) -> Any:
    """The option for one of the known capabilities."""
    return typer.Option(
        *names, help=f"Claim {capability_name(capability)} ({capability}).", rich_help_panel="Capabilities"
    )


@claims.command("sign")
def claims_sign(
    source: Annotated[Path, typer.Argument(help="The module to sign.", metavar="SOURCE")],
    output: Annotated[Path, typer.Argument(help="The signed module (may be SOURCE).", metavar="OUTPUT")],
    issuer: Annotated[str, typer.Option("--issuer", "-i", help=f"The account that signs: {KEY_HELP}.")],
    subject: Annotated[str, typer.Option("--subject", "-u", help=f"The module's key: {KEY_HELP}, or its public key.")],
    name: Annotated[str | None, typer.Option("--name", "-n", help="A name for people.")] = None,
    keyvalue: Annotated[bool, flag("wascc:keyvalue", "--keyvalue", "-k")] = False,
    messaging: Annotated[bool, flag("wascc:messaging", "--messaging", "-g")] = False,
    http_server: Annotated[bool, flag("wascc:http_server", "--http-server", "-s")] = False,
    http_client: Annotated[bool, flag("wascc:http_client", "--http-client")] = False,
    blobstore: Annotated[bool, flag("wascc:blobstore", "--blobstore", "-f")] = False,
    extras: Annotated[bool, flag("wascc:extras", "--extras", "-z")] = False,
    logging: Annotated[bool, flag("wascc:logging", "--logging", "-l")] = False,
    eventstreams: Annotated[bool, flag("wascc:eventstreams", "--eventstreams", "-e")] = False,
    cap: Annotated[
        list[str] | None,
        typer.Option(
            "--cap", "-c", help="Claim this capability id, or a callee's key.", rich_help_panel="Capabilities"
        ),
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", "-t", help="A tag.")] = None,
    provider: Annotated[bool, typer.Option("--provider", "-p", help="The module is a capability provider.")] = False,
    revision: Annotated[int | None, typer.Option("--rev", "-r", help="A number that grows.")] = None,
    version: Annotated[str | None, typer.Option("--ver", "-v", help="A version for people.")] = None,
    call_alias: Annotated[str | None, typer.Option("--call-alias", help="A name to be called by.")] = None,
    expires: Annotated[
        float | None,
        typer.Option("--expires", "-x", help="Expires after DAYS (default: never).", metavar="DAYS"),
    ] = None,
    not_before: Annotated[
        float | None, typer.Option("--nbf", "-b", help="Valid from DAYS on (default: at once).", metavar="DAYS")
    ] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed signed claims in a module; claims that it has already are replaced."""
    from wascap import ActorMetadata, Claims, normalize_call_alias, sign
    from wascap.clock import current_time

    known = {
        "wascc:keyvalue": keyvalue, "wascc:messaging": messaging, "wascc:http_client": http_client,
        "wascc:http_server": http_server, "wascc:blobstore": blobstore, "wascc:logging": logging,
        "wascc:extras": extras, "wascc:eventstreams": eventstreams,
    }  # fmt: skip
    capabilities = tuple(dict.fromkeys([*(capid for capid, wanted in known.items() if wanted), *(cap or [])]))
    if provider and len(capabilities) != 1:
        raise typer.BadParameter("a capability provider has exactly one capability")
    now = current_time()
    metadata = ActorMetadata(
        name=name, tags=tuple(tag or ()), capabilities=capabilities, revision=revision, version=version,
        call_alias=normalize_call_alias(call_alias) if call_alias else None, provider=provider,
    )  # fmt: skip
    signer = key_of(issuer, directory, KeyType.ACCOUNT, "issuer")
    module_key = key_of(subject, directory, KeyType.MODULE, "subject")
    body = Claims(
        issuer=signer.public_key, subject=module_key.public_key, issued_at=now, metadata=metadata,
        expires=in_days(now, expires), not_before=in_days(now, not_before),
    )  # fmt: skip
    write_whole(output, sign(read_module(source), body, signer))
    if as_json:
        shown = {"file": str(output), "subject": module_key.public_key, "capabilities": list(capabilities)}
        typer.echo(json.dumps(shown))
    else:
        typer.echo(f"Successfully signed {output} with capabilities: {','.join(capabilities)}")
        typer.echo(f"Its public key, by which manifests name it: {module_key.public_key}")


def key_of(text: str, directory: Path | None, key_type: KeyType, role: str) -> KeyPair:
    """The key that an option names, which must be of the right kind.  Raises WascapError, BadParameter."""
    key = find_key(text, directory)
    if key.key_type is not key_type:
        raise typer.BadParameter(
            f"the {role} must be a key of kind {key_type.name.lower()}, not {key.key_type.name.lower()}"
        )
    return key


def in_days(now: int, days: float | None) -> int | None:
    """A time so many days from now, in seconds since 1970.  Raises BadParameter."""
    if days is None:
        return None
    try:
        moment = now + int(days * DAY)
    except (OverflowError, ValueError) as error:
        raise typer.BadParameter(f"{days} is no number of days") from error
    if not 0 <= moment < 1 << 63:
        raise typer.BadParameter(f"{days} days from now is out of range")
    return moment


@claims.command("inspect")
def claims_inspect(
    file: Annotated[Path, typer.Argument(help="A signed module.", metavar="FILE")],
    raw: Annotated[bool, typer.Option("--raw", "-r", help="Print the bare token.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a module claims, and whether it may be believed."""
    inspection = inspect_file(file)
    if raw:
        typer.echo(inspection.token.jwt)
    elif as_json:
        typer.echo(json.dumps(report(inspection), indent=2))
    else:
        show_inspection(inspection)


@claims.command("verify")
def claims_verify(
    file: Annotated[Path, typer.Argument(help="A signed module.", metavar="FILE")],
    operator: Annotated[Path | None, typer.Option(help="A file with the operator's token: verify the chain.")] = None,
    account: Annotated[Path | None, typer.Option(help="A file with the account's token.")] = None,
    trust: Annotated[list[str] | None, typer.Option(help="Public key of an operator to trust.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a signed module; exit code 0 only if every verdict is good."""
    from wascap import verify_module_chain

    if (operator is None) != (account is None):
        raise typer.BadParameter("--operator and --account go together")
    if trust and operator is None:
        raise typer.BadParameter("--trust needs --operator and --account, whose chain it is for")
    inspection = inspect_file(file)
    problems = [str(problem) for problem in inspection.problems]
    if operator is not None and account is not None and not problems:
        tokens = [read_module(path).decode("ascii", errors="replace").strip() for path in (operator, account)]
        try:
            verify_module_chain(tokens[0], tokens[1], read_module(file), trusted_operators=trust)
        except WascapError as error:
            problems.append(str(error))
    if as_json:
        typer.echo(json.dumps({"valid": not problems, "problems": problems}))
    elif not problems:
        typer.echo(f"{file}: valid, signed by {inspection.token.claims.issuer}")
    if problems:
        if not as_json:
            typer.echo(f"error: {file}: {'; '.join(problems)}", err=True)
        raise typer.Exit(1)


def inspect_file(file: Path) -> ModuleInspection:
    """Every verdict on a module file.  Raises WascapError."""
    from wascap import inspect

    inspection = inspect(read_module(file))
    if inspection is None:
        raise MissingToken(str(file))
    return inspection


@dataclass(frozen=True, slots=True)
class Verdict:
    """One question that was answered about a module."""

    name: str
    good: bool
    text: str


def verdicts(inspection: ModuleInspection) -> list[Verdict]:
    """Each question and its answer."""
    v = inspection.validation
    kinds = "; ".join(str(problem) for problem in inspection.entity_problems)
    return [
        Verdict("signature", v.signature_valid, "valid" if v.signature_valid else "does not match"),
        Verdict("hash", inspection.hash_valid, "matches" if inspection.hash_valid else "the module was changed"),
        Verdict("expires", not v.expired, v.expires_human),
        Verdict("not_before", not v.cannot_use_yet, v.not_before_human),
        Verdict("keys", not kinds, kinds or "of the right kinds"),
    ]


def report(inspection: ModuleInspection) -> dict[str, Any]:
    """What `inspect --json` prints."""
    body, metadata = inspection.token.claims, inspection.token.claims.metadata
    return {
        "name": body.display_name, "issuer": body.issuer, "subject": body.subject, "id": body.id,
        "issued_at": body.issued_at, "expires": body.expires, "not_before": body.not_before,
        "capabilities": list(metadata.capabilities or ()), "tags": list(metadata.tags or ()),
        "revision": metadata.revision, "version": metadata.version, "call_alias": metadata.call_alias,
        "provider": metadata.provider, "module_hash": inspection.module_hash,
        "signature_valid": inspection.validation.signature_valid, "hash_valid": inspection.hash_valid,
        "expired": inspection.validation.expired, "cannot_use_yet": inspection.validation.cannot_use_yet,
        "valid": inspection.ok, "problems": [str(problem) for problem in inspection.problems],
    }  # fmt: skip


def moment(seconds: int | None, otherwise: str) -> str:
    """A time as people read it, in UTC."""
    if seconds is None:
        return otherwise
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds since 1970"


def show_inspection(inspection: ModuleInspection) -> None:
    """The table of `inspect`."""
    from rich.text import Text

    body, metadata = inspection.token.claims, inspection.token.claims.metadata
    capabilities = [f"{capid} ({CAPABILITY_NAMES[capid]})" if capid in CAPABILITY_NAMES else capid
                    for capid in metadata.capabilities or ()]  # fmt: skip
    table = new_table("", "", title=None, show_header=False)
    rows = [
        ("Name", body.display_name),
        ("Issuer (account)", body.issuer),
        ("Subject (module)", body.subject),
        ("Capabilities" if not metadata.provider else "Provides", "\n".join(capabilities) or "none"),
        ("Tags", ", ".join(metadata.tags or ()) or "none"),
        ("Version", f"{metadata.version or 'none'} (revision {metadata.revision or 0})"),
        ("Issued", moment(body.issued_at, "unknown")),
        ("Expires", moment(body.expires, "never")),
        ("Can be used from", moment(body.not_before, "now on")),
        ("Call alias", metadata.call_alias or "none"),
        ("Module hash", inspection.module_hash),
        ("Token id", body.id),
    ]
    for label, value in rows:
        table.add_row(label, Text(printable(value)))
    for verdict in verdicts(inspection):
        mark = "good" if verdict.good else "BAD"
        shown = Text(f"{mark}: {printable(verdict.text)}", style="green" if verdict.good else "bold red")
        table.add_row(f"Verdict: {verdict.name.replace('_', ' ')}", shown)
    show_table(table)


def printable(text: str) -> str:
    """Text of a token without anything that could act on a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def new_table(*columns: str, title: str | None, show_header: bool = True) -> Table:
    """A table of the look that all tables here have."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE if show_header else box.ROUNDED, title=title, show_header=show_header)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def show_table(table: Table) -> None:
    """Print a table: as wide as the terminal, or as wide as it needs where there is none."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(table)
