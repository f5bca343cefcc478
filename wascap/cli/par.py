"""The command `wascc par`: provider archives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wascap.capabilities import capability_name
from wascap.cli.shared import (
    KEY_HELP,
    NOT_BEFORE_HELP,
    AccountOption,
    DirectoryOption,
    ExpiresOption,
    JsonOption,
    NameOption,
    OperatorOption,
    RevisionOption,
    TrustOption,
    Verdict,
    VersionOption,
    chain_tokens,
    in_days,
    key_of,
    moment,
    read_module,
    show_facts,
    show_verdict,
    token_verdicts,
    write_whole,
)
from wascap.nkeys import KeyType

if TYPE_CHECKING:
    from wascap.archives import ArchiveInspection, ProviderArchive

par = typer.Typer(help="Make provider archives, and see what they hold.", no_args_is_help=True)

ARCHIVE_SUFFIX = ".par"
GZIP_SUFFIX = ".gz"

ArchiveArgument = Annotated[Path, typer.Argument(help="A provider archive.", metavar="ARCHIVE")]
TargetOption = Annotated[
    str,
    typer.Option("--arch", "-a", help="What the binary is for: <arch>-<os>, or wasm32-wasi.", metavar="TARGET"),
]
BinaryOption = Annotated[Path, typer.Option("--binary", "-b", help="The provider's binary.", metavar="FILE")]
IssuerOption = Annotated[str, typer.Option("--issuer", "-i", help=f"The account that signs: {KEY_HELP}.")]


@par.command("create")
def par_create(
    target: TargetOption,
    binary: BinaryOption,
    capability_id: Annotated[str, typer.Option("--capid", "-c", help="The capability id that it provides.")],
    vendor: Annotated[str, typer.Option("--vendor", help="Who made it.")],
    issuer: IssuerOption,
    subject: Annotated[
        str, typer.Option("--subject", "-u", help=f"The provider's service key: {KEY_HELP}, or its public key.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The archive (default: named like the binary); .gz packs it."),
    ] = None,
    name: NameOption = None,
    revision: RevisionOption = None,
    version: VersionOption = None,
    expires: ExpiresOption = None,
    not_before: Annotated[float | None, typer.Option("--nbf", help=NOT_BEFORE_HELP, metavar="DAYS")] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an archive of a provider with a binary for one target; `insert` adds those for others."""
    from wascap import CapabilityProviderMetadata, Claims, ProviderArchive
    from wascap.clock import current_time

    now = current_time()
    signer = key_of(issuer, directory, KeyType.ACCOUNT, "issuer")
    provider = key_of(subject, directory, KeyType.SERVICE, "subject")
    metadata = CapabilityProviderMetadata(
        name=name, capability_id=capability_id, vendor=vendor, revision=revision, version=version, target_hashes={}
    )
    claims = Claims(
        issuer=signer.public_key, subject=provider.public_key, issued_at=now, metadata=metadata,
        expires=in_days(now, expires), not_before=in_days(now, not_before),
    )  # fmt: skip
    archive = ProviderArchive.sign(claims, {target: read_module(binary)}, signer)
    write_archive(archive, output or binary.with_suffix(ARCHIVE_SUFFIX), as_json)


@par.command("insert")
def par_insert(
    file: ArchiveArgument,
    target: TargetOption,
    binary: BinaryOption,
    issuer: IssuerOption,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The new archive (default: ARCHIVE).")] = None,
    revision: RevisionOption = None,
    version: VersionOption = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a binary for a target to an archive, or replace it; the account that signed the archive signs it anew."""
    from wascap import ProviderArchive

    signer = key_of(issuer, directory, KeyType.ACCOUNT, "issuer")
    archive = ProviderArchive.from_file(file)
    changed = archive.with_binary(target, read_module(binary), signer, revision=revision, version=version)
    write_archive(changed, output or file, as_json)


@par.command("inspect")
def par_inspect(
    file: ArchiveArgument,
    raw: Annotated[bool, typer.Option("--raw", help="Print the bare token.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what an archive holds and claims, and whether it may be believed."""
    from wascap import ProviderArchive

    archive = ProviderArchive.from_file(file, check_hashes=False)
    if raw:
        typer.echo(archive.token)
    elif as_json:
        typer.echo(json.dumps(report(archive, archive.inspect()), indent=2))
    else:
        show_archive(archive, archive.inspect())


@par.command("verify")
def par_verify(
    file: ArchiveArgument,
    operator: OperatorOption = None,
    account: AccountOption = None,
    trust: TrustOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an archive; exit code 0 only if every verdict is good."""
    from wascap import ProviderArchive, WascapError, verify_archive_chain

    tokens = chain_tokens(operator, account, trust)
    archive = ProviderArchive.from_file(file, check_hashes=False)
    problems = [str(problem) for problem in archive.inspect().problems]
    if tokens is not None and not problems:
        try:
            verify_archive_chain(*tokens, archive, trusted_operators=trust)
        except WascapError as error:
            problems.append(str(error))
    show_verdict(file, problems, archive.claims.issuer, as_json)


def write_archive(archive: ProviderArchive, path: Path, as_json: bool) -> None:
    """Write an archive, packed if the file's name says so, and tell about it.  Raises WascapError."""
    write_whole(path, archive.to_bytes(compress=path.suffix.lower() == GZIP_SUFFIX))
    if as_json:
        shown = {"file": str(path), "subject": archive.claims.subject, "targets": list(archive.targets)}
        typer.echo(json.dumps(shown))
    else:
        typer.echo(f"Successfully signed {path} with targets: {','.join(archive.targets)}")


def report(archive: ProviderArchive, inspection: ArchiveInspection) -> dict[str, Any]:
    """What `inspect --json` prints."""
    body, metadata = archive.claims, archive.claims.metadata
    return {
        "name": body.display_name, "issuer": body.issuer, "subject": body.subject, "id": body.id,
        "issued_at": body.issued_at, "expires": body.expires, "not_before": body.not_before,
        "capability_id": metadata.capability_id, "vendor": metadata.vendor,
        "revision": metadata.revision, "version": metadata.version,
        "targets": {
            target: {
                "bytes": len(archive.binaries[target]),
                "hash": metadata.target_hashes[target],
                "hash_valid": inspection.hashes_valid[target],
            }
            for target in archive.targets
        },
        "signature_valid": inspection.validation.signature_valid,
        "expired": inspection.validation.expired, "cannot_use_yet": inspection.validation.cannot_use_yet,
        "valid": inspection.ok, "problems": [str(problem) for problem in inspection.problems],
    }  # fmt: skip


def show_archive(archive: ProviderArchive, inspection: ArchiveInspection) -> None:
    """The table of `inspect`."""
    body, metadata = archive.claims, archive.claims.metadata
    display_name = capability_name(metadata.capability_id)
    shown_name = "" if display_name == metadata.capability_id else f" ({display_name})"
    rows = [
        ("Name", body.display_name),
        ("Issuer (account)", body.issuer),
        ("Subject (service)", body.subject),
        ("Provides", f"{metadata.capability_id}{shown_name}"),
        ("Vendor", metadata.vendor),
        ("Version", f"{metadata.version or 'none'} (revision {metadata.revision or 0})"),
        ("Issued", moment(body.issued_at, "unknown")),
        ("Expires", moment(body.expires, "never")),
        ("Can be used from", moment(body.not_before, "now on")),
        ("Token id", body.id),
        *((f"Target {target}", f"{len(archive.binaries[target]):,} bytes") for target in archive.targets),
    ]
    hashes = [
        Verdict(f"hash of {target}", is_valid, "matches" if is_valid else "the binary was changed")
        for target, is_valid in inspection.hashes_valid.items()
    ]
    show_facts(rows, token_verdicts(inspection.validation, inspection.entity_problems, *hashes))
