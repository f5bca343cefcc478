"""The command `wascc explain`: what a host would refuse, and by which claim, date, issuer, binding or policy."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.cli.up import EngineOption, ExpandOption, InsecureOption, LatestOption, default_manifest
from interp.cli import DEFAULT

if TYPE_CHECKING:
    from host.explain import Finding

GOOD, BAD = "✔", "✘"
PLAIN_GOOD, PLAIN_BAD = "yes", "NO"
"""The marks where the output has no others."""


def explain(
    manifest: Annotated[Path | None, typer.Argument(help="What to look at (default: manifest.yaml here).")] = None,
    call: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            help="May this actor (public key, or path in the manifest) call OPERATION of NAMESPACE?",
            metavar="ACTOR NAMESPACE OPERATION",
        ),
    ] = None,
    binding: Annotated[str, typer.Option(help="The binding that --call goes through.", metavar="NAME")] = "default",
    start: Annotated[
        bool, typer.Option("--try", help="If nothing is refused, also start everything for a moment.")
    ] = False,
    expand_env: ExpandOption = False,
    engine: EngineOption = DEFAULT,
    allow_latest: LatestOption = False,
    insecure_registries: InsecureOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Say what a host would do with a manifest and why; exit code 1 if anything is refused."""
    from host.builder import HostBuilder
    from host.explain import Explainer
    from host.manifest import Manifest
    from host.registry.options import RegistryOptions

    path = manifest or default_manifest()
    registry = RegistryOptions(insecure_registries, allow_latest)
    explainer = Explainer(Manifest.from_file(path, expand_env=expand_env), registry=registry)
    if start and explainer.explanation.allowed:
        with HostBuilder().with_engine(engine.value).with_registry(registry).build() as host:
            explainer.tried(host)
    findings = explainer.explanation.findings
    if call is not None:
        # Of the manifest only what is refused: the question was about the call.
        findings = [finding for finding in findings if not finding.allowed]
        findings = [*findings, *explainer.call(*call, binding).findings]
    allowed = all(finding.allowed for finding in findings)
    if as_json:
        typer.echo(json.dumps({"allowed": allowed, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        show(findings)
    if not allowed:
        raise typer.Exit(1)


def show(findings: list[Finding]) -> None:
    """The findings as a table, and below it what would help."""
    from rich.text import Text

    from wascap.cli.shared import new_table, show_table

    table = new_table("Entry", "Check", "", "Why", title=None)
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    good, bad = (GOOD, BAD) if is_unicode else (PLAIN_GOOD, PLAIN_BAD)
    former = ""
    for finding in findings:
        mark = Text(good, style="green") if finding.allowed else Text(bad, style="bold red")
        entry = "" if finding.entry == former else finding.entry
        table.add_row(Text(entry), finding.rule, mark, Text(finding.text))
        former = finding.entry
    show_table(table)
    for finding in findings:
        if finding.fix:
            typer.echo(f"{finding.entry}, {finding.rule}:\n  {finding.fix}")
    refused = sum(not finding.allowed for finding in findings)
    typer.echo(f"{refused} of {len(findings)} checks refuse" if refused else f"all {len(findings)} checks allow")
