"""The command `wascc claims`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wascap.capabilities import CAPABILITY_NAMES, capability_name
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
from wascap.errors import MissingToken, WascapError
from wascap.keystore import find_key
from wascap.nkeys import KeyType

if TYPE_CHECKING:
    from wascap.embedding import ModuleInspection

claims = typer.Typer(help="Sign modules, accounts and operators, and see what they claim.", no_args_is_help=True)


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
    name: NameOption = None,
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
    revision: RevisionOption = None,
    version: VersionOption = None,
    call_alias: Annotated[str | None, typer.Option("--call-alias", help="A name to be called by.")] = None,
    expires: ExpiresOption = None,
    not_before: Annotated[float | None, typer.Option("--nbf", "-b", help=NOT_BEFORE_HELP, metavar="DAYS")] = None,
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


@claims.command("token")
def claims_token(
    output: Annotated[Path, typer.Argument(help="The file for the token.", metavar="OUTPUT")],
    subject: Annotated[
        str, typer.Option("--subject", "-u", help=f"The account or operator: {KEY_HELP}, or its public key.")
    ],
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", "-i", help=f"The operator's key that signs (default: the subject): {KEY_HELP}."),
    ] = None,
    signer: Annotated[
        list[str] | None,
        typer.Option("--signer", help="A further key that may sign for it, of its kind; as for --subject."),
    ] = None,
    name: NameOption = None,
    expires: ExpiresOption = None,
    not_before: Annotated[float | None, typer.Option("--nbf", "-b", help=NOT_BEFORE_HELP, metavar="DAYS")] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the signed token of an account or an operator, which says who may sign for it."""
    from wascap import AccountMetadata, Claims, OperatorMetadata, encode
    from wascap.clock import current_time

    whose = find_key(subject, directory)
    if whose.key_type not in {KeyType.ACCOUNT, KeyType.OPERATOR}:
        raise typer.BadParameter(f"the subject must be an account or an operator, not {whose.key_type.name.lower()}")
    by = key_of(subject if issuer is None else issuer, directory, KeyType.OPERATOR, "issuer")
    if whose.key_type is KeyType.OPERATOR and by.public_key != whose.public_key:
        raise typer.BadParameter("an operator signs its token itself")
    signers = tuple(key_of(each, directory, whose.key_type, "signer").public_key for each in signer or ())
    if whose.key_type is KeyType.OPERATOR and not signers:
        raise typer.BadParameter("an operator needs a --signer, as its own key signs nothing but its token")
    metadata = (OperatorMetadata if whose.key_type is KeyType.OPERATOR else AccountMetadata)(name, signers or None)
    now = current_time()
    body: Claims[Any] = Claims(
        issuer=by.public_key, subject=whose.public_key, issued_at=now, metadata=metadata,
        expires=in_days(now, expires), not_before=in_days(now, not_before),
    )  # fmt: skip
    write_whole(output, encode(body, by).encode() + b"\n")
    if as_json:
        typer.echo(json.dumps({"file": str(output), "subject": whose.public_key, "issuer": by.public_key}))
    else:
        typer.echo(f"Wrote {output}, the token of {whose.public_key}, signed by {by.public_key}")


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
    operator: OperatorOption = None,
    account: AccountOption = None,
    trust: TrustOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a signed module; exit code 0 only if every verdict is good."""
    from wascap import verify_module_chain

    tokens = chain_tokens(operator, account, trust)
    inspection = inspect_file(file)
    problems = [str(problem) for problem in inspection.problems]
    if tokens is not None and not problems:
        try:
            verify_module_chain(*tokens, read_module(file), trusted_operators=trust)
        except WascapError as error:
            problems.append(str(error))
    show_verdict(file, problems, inspection.token.claims.issuer, as_json)


def inspect_file(file: Path) -> ModuleInspection:
    """Every verdict on a module file.  Raises WascapError."""
    from wascap import inspect

    inspection = inspect(read_module(file))
    if inspection is None:
        raise MissingToken(str(file))
    return inspection


def verdicts(inspection: ModuleInspection) -> list[Verdict]:
    """Each question and its answer."""
    text = "matches" if inspection.hash_valid else "the module was changed"
    is_hash = Verdict("hash", inspection.hash_valid, text)
    return token_verdicts(inspection.validation, inspection.entity_problems, is_hash)


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


def show_inspection(inspection: ModuleInspection) -> None:
    """The table of `inspect`."""
    body, metadata = inspection.token.claims, inspection.token.claims.metadata
    capabilities = [f"{capid} ({CAPABILITY_NAMES[capid]})" if capid in CAPABILITY_NAMES else capid
                    for capid in metadata.capabilities or ()]  # fmt: skip
    rows = [
        ("Name", body.display_name),
        ("Issuer (account)", body.issuer),
        ("Subject (module)", body.subject),
        ("Capabilities" if not metadata.provider else "Provides", capabilities or "none"),
        ("Tags", ", ".join(metadata.tags or ()) or "none"),
        ("Version", f"{metadata.version or 'none'} (revision {metadata.revision or 0})"),
        ("Issued", moment(body.issued_at, "unknown")),
        ("Expires", moment(body.expires, "never")),
        ("Can be used from", moment(body.not_before, "now on")),
        ("Call alias", metadata.call_alias or "none"),
        ("Module hash", inspection.module_hash),
        ("Token id", body.id),
    ]
    show_facts(rows, verdicts(inspection))
