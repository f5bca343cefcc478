"""What the commands of this package share: options, files, keys, times, and how things are shown."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wascap.errors import FileError
from wascap.keystore import find_key
from wascap.nkeys import KeyPair, KeyType

if TYPE_CHECKING:
    from rich.table import Table

    from wascap.errors import WascapError
    from wascap.validation import TokenValidation

DAY = 86400
MAX_MODULE_BYTES = 1 << 30

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DirectoryOption = Annotated[
    Path | None, typer.Option("--directory", "-d", help="The folder of key files ($WASCC_KEYS, or ~/.wascc/keys).")
]
NameOption = Annotated[str | None, typer.Option("--name", "-n", help="A name for people.")]
RevisionOption = Annotated[int | None, typer.Option("--rev", "-r", help="A number that grows.")]
VersionOption = Annotated[str | None, typer.Option("--ver", "-v", help="A version for people.")]
ExpiresOption = Annotated[
    float | None, typer.Option("--expires", "-x", help="Expires after DAYS (default: never).", metavar="DAYS")
]
NOT_BEFORE_HELP = "Valid from DAYS on (default: at once)."
OperatorOption = Annotated[
    Path | None, typer.Option("--operator", help="A file with the operator's token: verify the chain.")
]
AccountOption = Annotated[Path | None, typer.Option("--account", help="A file with the account's token.")]
TrustOption = Annotated[list[str] | None, typer.Option("--trust", help="Public key of an operator to trust.")]
KEY_HELP = "a key file, a name in the folder of key files, or a seed"


def read_module(path: Path) -> bytes:
    """The bytes of a module file.  Raises FileError."""
    try:
        with path.open("rb") as file:
            # What a device or a pipe holds, its size does not say.
            data = file.read(MAX_MODULE_BYTES + 1)
    except OSError as error:
        raise FileError(str(error)) from error
    if len(data) > MAX_MODULE_BYTES:
        raise FileError(f"{path} is larger than {MAX_MODULE_BYTES} bytes")
    return data


def chain_tokens(operator: Path | None, account: Path | None, trust: list[str] | None) -> tuple[str, str] | None:
    """The tokens of operator and account in these files, None if there are none.  Raises FileError, BadParameter."""
    if operator is None and account is None:
        if trust:
            raise typer.BadParameter("--trust needs --operator and --account, whose chain it is for")
        return None
    if operator is None or account is None:
        raise typer.BadParameter("--operator and --account go together")
    first, second = (read_module(path).decode("ascii", errors="replace").strip() for path in (operator, account))
    return first, second


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file in one go: it is written as a whole or not at all. Where the path is a link, that is the file that
    it leads to; a device or a pipe is written to, and stays one.  Raises FileError."""
    try:
        path = Path(os.path.realpath(path))
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
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


def moment(seconds: int | None, otherwise: str) -> str:
    """A time as people read it, in UTC."""
    if seconds is None:
        return otherwise
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{seconds} seconds since 1970"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One question that was answered about a module or an archive."""

    name: str
    good: bool
    text: str


def token_verdicts(
    validation: TokenValidation, entity_problems: Iterable[WascapError], *of_content: Verdict
) -> list[Verdict]:
    """Each question about a token and its answer; those about what the token is for come after the signature."""
    kinds = "; ".join(str(problem) for problem in entity_problems)
    return [
        Verdict("signature", validation.signature_valid, "valid" if validation.signature_valid else "does not match"),
        *of_content,
        Verdict("expires", not validation.expired, validation.expires_human),
        Verdict("not before", not validation.cannot_use_yet, validation.not_before_human),
        Verdict("keys", not kinds, kinds or "of the right kinds"),
    ]


def show_facts(rows: Iterable[tuple[str, str | Sequence[str]]], verdicts: Iterable[Verdict]) -> None:
    """The table of `inspect`: what is said (a text, or several, each on a line), and whether it may be believed."""
    from rich.text import Text

    table = new_table("", "", title=None, show_header=False)
    for label, value in rows:
        lines = (value,) if isinstance(value, str) else value
        table.add_row(Text(printable(label)), Text("\n".join(map(printable, lines))))
    for verdict in verdicts:
        mark = "good" if verdict.good else "BAD"
        shown = Text(f"{mark}: {printable(verdict.text)}", style="green" if verdict.good else "bold red")
        table.add_row(Text(printable(f"Verdict: {verdict.name}")), shown)
    show_table(table)


def show_verdict(file: Path, problems: list[str], issuer: str, as_json: bool) -> None:
    """What `verify` prints.  Raises Exit if there are problems."""
    if as_json:
        typer.echo(json.dumps({"valid": not problems, "problems": problems}))
    elif not problems:
        typer.echo(f"{file}: valid, signed by {issuer}")
    if problems:
        if not as_json:
            typer.echo(f"error: {file}: {printable('; '.join(problems))}", err=True)
        raise typer.Exit(1)


def printable(text: str) -> str:
    """Text of a token on one line, without anything that could act on a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


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
