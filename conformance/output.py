"""Where reports go: a terminal, JSON or Markdown on stdout, and a file whose suffix says its form."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import typer
from rich.console import Console

from conformance.markdown import markdown
from conformance.page import page
from conformance.record import Report
from conformance.show import show, show_together

FORMS = (".json", ".html")
"""Suffixes of the files that a report can be written to."""


class OutputError(ValueError):
    """The report cannot be put out as it was asked for."""


class Form(Enum):
    """What is printed."""

    TABLES = "tables"
    VERBOSE = "tables, with every kind and file"
    JSON = "JSON"
    MARKDOWN = "Markdown"

    @classmethod
    def of(cls, *, as_json: bool, as_markdown: bool, verbose: bool) -> Form:
        """The form that options ask for.  Raises OutputError."""
        if as_json and as_markdown:
            raise OutputError("--json and --markdown exclude each other")
        if as_json:
            return cls.JSON
        if as_markdown:
            return cls.MARKDOWN
        return cls.VERBOSE if verbose else cls.TABLES


def check_output(output: Path | None, *, several: bool) -> None:
    """Refuse a file that could not be written, before anything is run.  Raises OutputError."""
    if output is None:
        return
    if output.suffix not in FORMS:
        raise OutputError(f"{output}: a report ends in {' or '.join(FORMS)}")
    if several and output.suffix == ".json":
        raise OutputError(f"{output}: several reports make a page, which ends in .html")
    if not output.parent.is_dir():
        raise OutputError(f"{output.parent}: no such folder")
    if output.is_dir() or not os.access(output if output.exists() else output.parent, os.W_OK):
        raise OutputError(f"{output}: not writable")


def present(reports: Sequence[Report], form: Form, output: Path | None) -> None:
    """Write the file, if there is one, and print.  Raises OSError."""
    if output is not None:
        text = page(reports) if output.suffix == ".html" else reports[0].to_json() + "\n"
        output.write_text(text, encoding="utf-8")
    if form is Form.JSON:
        texts = [report.to_json() for report in reports]
        typer.echo(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    elif form is Form.MARKDOWN:
        typer.echo(markdown(reports))
    elif len(reports) > 1:
        show_together(reports, Console())
    else:
        show(reports[0], Console(), verbose=form is Form.VERBOSE)
